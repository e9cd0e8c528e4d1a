"""Running a benchmark: every contender once, compared with the others, then all in turns.

In: a `Benchmark` and contenders. Out: a `Measurement` of each. Invariant: nothing is timed whose results do not agree with those by hand.
"""

from __future__ import annotations

import statistics
import time
import timeit
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.benchmark import Benchmark
from benchmarks.contenders import MEMORY, Call

TOLERANCE = 1e-10
SECONDS_PER_TURN = 0.002


@dataclass
class Measurement:
    """Seconds for the first call, compilation included, and the median of the later ones, and bytes taken; or why there are none."""

    first: float = float("nan")
    median: float = float("nan")
    nbytes: float = float("nan")
    failure: str = ""


def run(
    benchmark: Benchmark, contenders: dict[str, Callable[[Benchmark], Call]], rounds: int, clock: Callable[[], float] = time.process_time
) -> dict[str, Measurement]:
    """Measure the contenders; the results of the first are the reference."""
    measurements = {name: Measurement() for name in contenders}
    calls: dict[str, Call] = {}
    reference: list[np.ndarray] | None = None
    for name, prepare in contenders.items():
        start = time.perf_counter()
        try:
            call = prepare(benchmark)
            results = list(leaves(call()))
            measurements[name].first = time.perf_counter() - start
        except Exception as error:  # a library may fail in any way, and the others are still of interest
            measurements[name].failure = f"{type(error).__name__}: {error}"
            continue
        reference = reference or results
        error = disagreement(results, reference)
        if error <= TOLERANCE:
            calls[name] = call
        else:
            measurements[name].failure = f"differs from the results by hand by {error:.1e}"
    for name in calls if benchmark.workspace else ():
        if name in MEMORY:
            measurements[name].nbytes = MEMORY[name](benchmark)
    for name, median in medians(calls, rounds, clock).items():
        measurements[name].median = median
    return measurements


def leaves(results) -> Iterator[np.ndarray]:
    """Yield the arrays in nested tuples and lists of them, whichever library's they are."""
    if isinstance(results, tuple | list):
        for x in results:
            yield from leaves(x)
    else:
        yield np.asarray(results)


def disagreement(results: list[np.ndarray], reference: list[np.ndarray]) -> float:
    """Return the largest difference, relative to the largest element of the array it is in."""
    if [x.shape for x in results] != [x.shape for x in reference]:
        return float("inf")
    return float(np.max([np.max(np.abs(x - y)) / np.max(np.abs(y)) for x, y in zip(results, reference, strict=True)]))


def medians(calls: dict[str, Call], rounds: int, clock: Callable[[], float] = time.process_time) -> dict[str, float]:
    """Time the calls in turns, each after a call that brings its data into the cache again.

    Where all of them are single-threaded, the processor time of the process is the clock: time that others take from it is not in it.
    """
    timers = {name: timeit.Timer(call, timer=clock) for name, call in calls.items()}
    numbers = {name: max(1, int(SECONDS_PER_TURN / timer.timeit(1))) for name, timer in timers.items()}
    samples: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, timer in timers.items():
            timer.timeit(1)
            samples[name].append(timer.timeit(numbers[name]) / numbers[name])
    return {name: statistics.median(seconds) for name, seconds in samples.items()}
