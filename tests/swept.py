"""Tables of expressions of NumPy's and SciPy's functions, held against what these give, in values, types and derivatives: a helper of tests.

A line is an expression and the names of the arrays in `ARRAYS` that are traced. Nothing is compiled: Programs are interpreted.
"""

import linecache
import warnings

import numpy as np
import scipy
from differences import check_derivatives, moves
from scipy import fft, integrate, interpolate, linalg, ndimage, optimize, signal, sparse, spatial, special, stats

import jitad
from jitad.ir.interpreter import evaluate

RNG = np.random.default_rng(0)
A = RNG.normal(size=(4, 4))
ARRAYS = {
    "x": np.linspace(0.15, 2.7, 8), "y": np.cos(np.linspace(0.0, 3.0, 8)), "t": np.linspace(0.0, 1.0, 8), "a": A, "b": RNG.normal(size=4),
    "s": A @ A.T + 4 * np.eye(4), "z": A + 1j * RNG.normal(size=(4, 4)), "image": RNG.normal(size=(7, 8)), "p": RNG.normal(size=(5, 3)),
    "q": RNG.normal(size=(4, 3)), "k": np.array([3, -4, 12, 0]), "f": np.linspace(0.2, 0.9, 5, dtype=np.float32),
}  # fmt: skip
LIBRARIES = {
    "np": np, "scipy": scipy, "fft": fft, "integrate": integrate, "interpolate": interpolate, "linalg": linalg, "ndimage": ndimage,
    "optimize": optimize, "signal": signal, "sparse": sparse, "spatial": spatial, "sp": special, "stats": stats,
}  # fmt: skip


def flat(result) -> list:
    if isinstance(result, tuple | list):
        return [leaf for part in result for leaf in flat(part)]
    return [np.asarray(result)]


def function_of(expression: str, names: list[str]):
    """Return the function of the named arrays that an expression is, whose source can be read."""
    source, file = f"def function({', '.join(names)}):\n    return {expression}\n", f"<{expression}>"
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
    scope = {**ARRAYS, "ARRAYS": ARRAYS, **LIBRARIES}
    exec(compile(source, file, "exec"), scope)
    return scope["function"]


def check(line: str, rtol: float = 1e-10) -> None:
    """Hold a line against the libraries, and derivatives against differences; those of a line that ends with ! are not those of differences."""
    expression, _, names = line.partition(" | ")
    arrays = [ARRAYS[name] for name in names.split() if name != "!"]
    function = function_of(expression, [name for name in names.split() if name != "!"])
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        expected = flat(function(*arrays))
    traced = jitad.jit(function).lookup(arrays, {})[0].traced
    inputs = [*arrays, *[array for array, _ in traced.captured]]
    results = evaluate(traced.program, *inputs)[: len(expected)]
    for found, wanted in zip(results, expected, strict=True):
        assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
        np.testing.assert_allclose(found, wanted, rtol=1e-5 if wanted.dtype.char in "fF" else rtol, atol=1e-6 if wanted.dtype.char in "fF" else rtol)
    if not line.endswith("!") and any(map(moves, arrays)) and any(map(moves, expected)):
        check_derivatives(traced.program, inputs, active=[k < len(arrays) and moves(x) for k, x in enumerate(inputs)])


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
