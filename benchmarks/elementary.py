"""The time of each elementary function over an array that fits into the cache: jitad, a Numba loop that calls libm, NumPy or SciPy.

    python -m benchmarks.elementary [--functions NAME ...] [--rounds N]

All run on one thread and allocate the result; the table gives nanoseconds for one element.
"""

from __future__ import annotations

import argparse
import math

import numba
import numpy as np
from scipy import special

import jitad
from benchmarks import runner

SIZE = 50_000
INTERVALS = {
    "exp": (-20, 20), "exp2": (-20, 20), "expm1": (-5, 5), "log": (0, 100), "log2": (0, 100), "log10": (0, 100), "log1p": (-0.9, 10),
    "power": (0, 10), "sqrt": (0, 100), "cbrt": (-10, 10), "sin": (-30, 30), "cos": (-30, 30), "tan": (-30, 30), "arcsin": (-1, 1),
    "arccos": (-1, 1), "arctan": (-10, 10), "arctan2": (-10, 10), "sinh": (-10, 10), "cosh": (-10, 10), "tanh": (-5, 5),
    "arcsinh": (-10, 10), "arccosh": (1, 10), "arctanh": (-1, 1), "hypot": (-10, 10), "erf": (-4, 4), "erfc": (-4, 4), "expit": (-10, 10),
    "logaddexp": (-10, 10), "gammaln": (0, 50), "digamma": (0, 50),
}  # fmt: skip
LIBM = {"arcsin": "asin", "arccos": "acos", "arctan": "atan", "arctan2": "atan2", "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh",
        "power": "pow", "gammaln": "lgamma"}  # fmt: skip
SCALARS = {"cbrt": np.cbrt, "exp2": np.exp2, "logaddexp": np.logaddexp}
COLUMNS = ("jitad", "libm in Numba", "NumPy or SciPy")
BINARY = ("power", "arctan2", "hypot", "logaddexp")


def contenders(name: str, dtype: str) -> dict[str, runner.Call]:
    """Return calls that apply a function to the same array and allocate the result."""
    function = getattr(np, name, None) or getattr(special, name)
    rng = np.random.default_rng(0)
    operands = [rng.uniform(*INTERVALS[name], SIZE).astype(dtype) for _ in range(1 + (name in BINARY))]
    jitad.config.threads = 1
    calls = {"jitad": jitad.jit(lambda *xs: function(*xs)), "NumPy or SciPy": function}
    scalar = SCALARS.get(name) or getattr(math, LIBM.get(name, name), None)
    if scalar is not None:
        calls["libm in Numba"] = loop(scalar, len(operands))
    return {key: lambda call=call: call(*operands) for key, call in calls.items()}


def loop(function, arity: int):
    """Return a loop over the elements, compiled by Numba."""

    @numba.njit
    def unary(x):
        out = np.empty_like(x)
        for i in range(len(x)):
            out[i] = function(x[i])
        return out

    @numba.njit
    def binary(x, y):
        out = np.empty_like(x)
        for i in range(len(x)):
            out[i] = function(x[i], y[i])
        return out

    return unary if arity == 1 else binary


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.elementary", description=__doc__.partition("\n")[0])
    parser.add_argument("--functions", nargs="+", metavar="NAME", default=list(INTERVALS), choices=INTERVALS, help="only these")
    parser.add_argument("--rounds", type=int, default=31, help="how many turns each contender gets (default: %(default)s)")
    options = parser.parse_args()
    print("| function | dtype |", " | ".join(COLUMNS), "| libm / jitad | NumPy / jitad |", "\n|---|---|--:|--:|--:|--:|--:|")
    for name in options.functions:
        for dtype in ("float64", "float32"):
            medians = runner.medians(contenders(name, dtype), options.rounds)
            times = [medians.get(column, math.nan) / SIZE * 1e9 for column in COLUMNS]
            row = [f"{x:.2f}" for x in times] + [f"{x / times[0]:.1f}" for x in times[1:]]
            print(f"| {name} | {dtype} |", " | ".join(row), "|", flush=True)


if __name__ == "__main__":
    main()
