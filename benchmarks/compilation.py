"""Compare the time of the first call, tracing and compilation included and no cache, over programs of growing length.

    python -m benchmarks.compilation [--programs WORD ...] [--longest N] [--output FILE]

Each program is a step repeated, unrolled; the length is the number of equations that jitad traces for the value and the gradient. What is
measured is processor time, of all threads, since libraries compile in different numbers of them.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FunctionType

import numpy as np

STEPS = (1, 3, 10, 30, 100, 300, 1000)
POINTS = np.linspace(0.1, 1.0, 100)


def rolled(x, steps):
    for _ in range(steps):
        x = x + 0.01 * np.sin(x) * np.roll(x, 1)
    return np.sum(x)


def elementwise(x, steps):
    for k in range(steps):
        x = np.sin(x) + 0.1 * k * x
    return np.sum(x)


def scalars(x, steps):
    y = x[0]
    for k in range(steps):
        y = np.sin(y) * x[1] + 0.1 * k
    return y


def normalised(x, steps):
    for k in range(steps):
        x = np.tanh(1.5 * x - 0.5 * k) / (1 + np.exp(-x))
        x = x - np.mean(x)
    return np.sum(x * x)


PROGRAMS = (rolled, elementwise, scalars, normalised)


def written_for(function: Callable, steps: int, **names) -> Callable:
    """Return a program of one argument, in which some names mean something else."""
    copy = FunctionType(function.__code__, {**function.__globals__, **names}, function.__name__)
    return lambda x: copy(x, steps)


def jitad(function: Callable, steps: int) -> tuple[Callable, int]:
    """Return the first call, and the number of equations."""
    import jitad

    program = written_for(function, steps, range=lambda n: jitad.unroll(range(n)))
    equations = len(jitad.trace(jitad.value_and_grad(program))(POINTS).equations)
    return lambda: jitad.value_and_grad(program)(POINTS), equations


def jax(function: Callable, steps: int) -> Callable:
    import jax

    jax.config.update("jax_enable_x64", True)
    compiled = jax.jit(jax.value_and_grad(written_for(function, steps, np=jax.numpy)))
    points = jax.device_put(POINTS)
    return lambda: jax.block_until_ready(compiled(points))


def seconds(call: Callable) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def ladder(function: Callable, longest: int, patience: float) -> list[str]:
    """Return the rows of one program; a library that was slower than `patience` is not asked again."""
    rows, waiting = [], True
    for steps in STEPS:
        call, equations = jitad(function, steps)
        if equations > longest:
            break
        ours, theirs = seconds(call), seconds(jax(function, steps)) if waiting else float("nan")
        waiting = theirs < patience
        rows.append(f"| {function.__name__} | {equations} | {ours:.3f} | {theirs:.3f} | {ours / theirs:.2f} |".replace("nan", "–"))
        print(rows[-1], file=sys.stderr)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compilation", description=__doc__.partition("\n")[0])
    parser.add_argument("--programs", nargs="+", metavar="WORD", default=[""], help="only programs with one of these words in their names")
    parser.add_argument("--longest", type=int, default=6000, help="the largest number of equations (default: %(default)s)")
    parser.add_argument("--patience", type=float, default=20.0, help="seconds after which a library is not asked for more (default: %(default)s)")
    parser.add_argument("--output", type=Path, help="write the table to this file too")
    options = parser.parse_args()
    os.environ.update(JITAD_CACHE_DIR="", JAX_PLATFORMS="cpu")
    for library in (lambda: jitad(scalars, 2)[0], lambda: jax(scalars, 2)):
        library()()  # what each library does once in a process belongs to no program
    lines = ["| program | equations | jitad, s | JAX, s | ratio |", "| --- | ---: | ---: | ---: | ---: |"]
    for function in PROGRAMS:
        if any(word in function.__name__ for word in options.programs):
            lines += ladder(function, options.longest, options.patience)
    text = "\n".join(lines) + "\n"
    print(text)
    if options.output:
        options.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
