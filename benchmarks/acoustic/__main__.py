"""The acoustic misfit of fourth order: milliseconds of the value, of the value with its gradient, and the most memory of a process, in MB.

    python -m benchmarks.acoustic [--steps 1000] [--grids 200,float64 200,float32 500,float32] [--rows WORD ...] [--seconds 4]

Each entry is measured in a process of its own, on one thread: medians of processor time. Value and gradient are compared with those by hand
before a row is printed, to 1e-10 of the largest element in double precision and 5e-3 in single precision.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.__main__ import ONE_THREAD

Pair = tuple[Callable, Callable]
TOLERANCES = {"float64": 1e-10, "float32": 5e-3}


def by_hand(gradient: str, benchmark, n: int, steps: int, dtype: type) -> Pair:
    from benchmarks.acoustic import by_hand

    room = by_hand.room_for_checkpoints(steps, n, dtype) if gradient == "with_checkpoints" else benchmark.workspace
    room = () if gradient == "with_fresh_tape" else room
    return by_hand.forward, lambda *arguments: getattr(by_hand, gradient)(*arguments, *room)


def jitad(benchmark, n: int, steps: int, dtype: type, checkpoints: bool = False) -> Pair:
    import jitad
    from benchmarks.acoustic import by_hand

    if checkpoints:
        budget = sum(x.nbytes for x in by_hand.room_for_checkpoints(steps, n, dtype))
        return jitad.jit(benchmark.function), jitad.value_and_grad(benchmark.function, memory=budget)
    return jitad.jit(benchmark.function), jitad.value_and_grad(benchmark.function)


def jax(benchmark, n: int, steps: int, dtype: type, rule: bool = False) -> Pair:
    import jax

    from benchmarks.acoustic.libraries import with_rule

    jax.config.update("jax_enable_x64", dtype is np.float64)
    function = functools.partial(with_rule if rule else benchmark.written["JAX"], jax)
    arguments = jax.device_put(benchmark.arguments)
    value, both = jax.jit(function), jax.jit(jax.value_and_grad(function))
    return lambda *_: jax.block_until_ready(value(*arguments)), lambda *_: jax.block_until_ready(both(*arguments))


def devito(benchmark, n: int, steps: int, dtype: type) -> Pair:
    import devito

    devito.configuration["language"], devito.configuration["log-level"] = "C", "ERROR"
    both = benchmark.written["Devito"](devito, *benchmark.arguments)
    return lambda *_: both.value(), lambda *_: both()


def deepwave(benchmark, n: int, steps: int, dtype: type) -> Pair:
    import deepwave
    import torch

    from benchmarks.acoustic.libraries import in_deepwave

    torch.set_num_threads(1)
    velocity, _, *others = benchmark.arguments
    misfit, start = in_deepwave(torch, deepwave, velocity, *others)

    def value(*_):
        with torch.no_grad():
            return misfit(start).item()

    def both(*_):
        leaf = start.clone().requires_grad_()
        found = misfit(leaf)
        found.backward()
        return found.item(), np.pad(leaf.grad.numpy(), 2)

    return value, both


ROWS = {
    "by hand, tape reused": functools.partial(by_hand, "with_kept_tape"),
    "by hand, tape allocated at each call": functools.partial(by_hand, "with_fresh_tape"),
    "by hand, checkpoint every 32 steps": functools.partial(by_hand, "with_checkpoints"),
    "jitad": jitad,
    "jitad, `memory=` that of these checkpoints": functools.partial(jitad, checkpoints=True),
    "Devito": devito,
    "JAX, `lax.scan`": jax,
    "JAX, `custom_vjp`": functools.partial(jax, rule=True),
    "Deepwave, no sponge": deepwave,
}


def make(n: int, steps: int, dtype: type, sponge: bool):
    from benchmarks.programs import acoustic

    benchmark = acoustic.make(n, steps, 100, dtype)
    if not sponge:
        benchmark.arguments[1][:] = 1
    return benchmark


def measure(row: str, n: int, steps: int, dtype: type, seconds: float, path: Path) -> None:
    """Print the times and the memory of this process, and leave value and gradient in a file."""
    benchmark = make(n, steps, dtype, sponge="no sponge" not in row)
    forward, both = ROWS[row](benchmark, n, steps, dtype)
    value, gradient = both(*benchmark.arguments)
    np.savez(path, value=np.asarray(value), forward=np.asarray(forward(*benchmark.arguments)), gradient=np.asarray(gradient))
    times = [median(functools.partial(call, *benchmark.arguments), seconds) for call in (forward, both)]
    print(json.dumps([*times, most_memory()]))


def most_memory() -> float:
    """Return the most memory that this process has had at a time, in MB; `getrusage` would count that of its parent before."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM"))


def median(call: Callable, seconds: float) -> float:
    """Return the median milliseconds of calls that take about so many seconds."""
    found, end = [], time.perf_counter() + seconds
    while len(found) < 3 or time.perf_counter() < end:
        start = time.process_time()
        call()
        found.append(1e3 * (time.process_time() - start))
    return statistics.median(found)


def cell(row: str, grid: str, options: argparse.Namespace, folder: Path) -> str:
    """Return one entry of the table, from a process of its own."""
    command = [sys.executable, "-m", "benchmarks.acoustic", "--measure", row, "--grids", grid, "--seconds", str(options.seconds)]
    path = folder / f"{row.replace('/', ' ')} {grid}.npz"
    done = subprocess.run([*command, "--steps", str(options.steps), "--results", str(path)], capture_output=True, text=True,
                          env=os.environ | ONE_THREAD | {"JITAD_THREADS": "1"}, check=False)  # fmt: skip
    if done.returncode:
        return f"failed: {done.stderr.strip().splitlines()[-1][:60]}"
    error = disagreement(path, folder / f"reference {grid}{' no sponge' * ('no sponge' in row)}.npz", grid, options.steps)
    forward, both, memory = json.loads(done.stdout.splitlines()[-1])
    if not error <= TOLERANCES[grid.partition(",")[2]]:
        return f"differs by {error:.0e}"
    return f"{forward:.3g} / {both:.3g} ({memory:.0f})"


def disagreement(path: Path, reference: Path, grid: str, steps: int) -> float:
    """Return how much results differ from those by hand, which are left in a file."""
    if not reference.exists():
        from benchmarks.acoustic import by_hand

        n, _, dtype = grid.partition(",")
        benchmark = make(int(n), steps, np.dtype(dtype).type, sponge="no sponge" not in reference.name)
        value, gradient = by_hand.with_kept_tape(*benchmark.arguments, *benchmark.workspace)
        np.savez(reference, value=value, forward=value, gradient=gradient)
    found, wanted = np.load(path), np.load(reference)
    return max(float(np.max(np.abs(found[key] - wanted[key])) / np.max(np.abs(wanted[key]))) for key in wanted)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.acoustic", description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--grids", nargs="+", metavar="N,DTYPE", default=["200,float64", "200,float32", "500,float32"])
    parser.add_argument("--rows", nargs="+", metavar="WORD", default=[""], help="only rows with one of these words")
    parser.add_argument("--seconds", type=float, default=4.0, help="for each of the two times (default: %(default)s)")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--results", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        n, _, dtype = options.grids[0].partition(",")
        measure(options.measure, int(n), options.steps, np.dtype(dtype).type, options.seconds, options.results)
        return
    print(f"| {options.steps} steps; value / with gradient, ms (MB) | {' | '.join(grid.replace(',', '² ') for grid in options.grids)} |")
    print(f"|---|{'---|' * len(options.grids)}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for row in ROWS:
            if any(word.lower() in row.lower() for word in options.rows):
                cells = [cell(row, grid, options, Path(folder)) for grid in options.grids]
                print(f"| {row} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
