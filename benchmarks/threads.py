"""The time of values with gradients on one thread and on several.

    python -m benchmarks.threads [--threads N] [--rounds N]

Calls on one thread and on several take turns; the table gives the least time of each, and the median of the ratios of neighbours.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

import jitad
from benchmarks.benchmark import Benchmark
from benchmarks.contenders import argnums
from benchmarks.programs import acoustic, binned, cross_entropy, distances, layer_norm, mixture, rosenbrock


def single(benchmark: Benchmark) -> Benchmark:
    """Return a benchmark in single precision."""
    arguments = [x.astype(np.float32) if isinstance(x, np.ndarray) and x.dtype == np.float64 else x for x in benchmark.arguments]
    return replace(benchmark, name=f"{benchmark.name}, float32", arguments=tuple(arguments))


def programs() -> Iterator[Benchmark]:
    """Make programs large enough to be shared out."""
    waves = acoustic.make(500, 100, 100)
    yield from (waves, single(waves), acoustic.make(200, 300, 100))
    yield from (rosenbrock.make(1_000_000), cross_entropy.make(20_000, 100), layer_norm.make(10_000, 256), distances.make(2000))
    yield from (mixture.make(10_000, 10, 25), binned.make(1_000_000, 1000))


def measure(benchmark: Benchmark, threads: int, rounds: int) -> tuple[float, float, float]:
    """Return the least seconds of a call on one thread and on several, and the median of their ratios."""
    call = jitad.value_and_grad(benchmark.function, argnums(benchmark))
    times: dict[int, list[float]] = {1: [], threads: []}
    results = {}
    for _ in range(rounds + 1):
        for count, own in times.items():
            jitad.config.threads = count
            start = time.perf_counter()
            value, gradient = call(*benchmark.arguments)
            own.append(time.perf_counter() - start)
            results[count] = [value, *gradient] if isinstance(gradient, tuple) else [value, gradient]
    assert all(map(np.array_equal, *results.values())), f"{benchmark.name}: {threads} threads give something else"
    one, several = (own[1:] for own in times.values())
    return min(one), min(several), statistics.median(x / y for x, y in zip(one, several, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    print(f"| program | 1 thread, ms | {options.threads} threads, ms | ratio | median ratio |\n|---|--:|--:|--:|--:|")
    for benchmark in programs():
        one, several, ratio = measure(benchmark, options.threads, options.rounds)
        print(f"| {benchmark.name} | {1e3 * one:.2f} | {1e3 * several:.2f} | {one / several:.2f} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
