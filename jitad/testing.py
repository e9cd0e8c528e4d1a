"""Checks of derivatives against numerical ones, for the tests of programs that use jitad."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from jitad.compiled import Compiled
from jitad.frontend.tracing.trees import flatten, leaf_paths, unflatten
from jitad.ir import errors
from jitad.products import jvp, vjp

STEPS = {"f": 3e-3, "d": 1e-4, "F": 3e-3, "D": 1e-4}
TOLERANCES = {"f": 2e-2, "d": 1e-6, "F": 2e-2, "D": 1e-6}


def check_grads(
    function: Callable,
    args: tuple,
    order: int = 1,
    modes: Sequence[str] = ("fwd", "rev"),
    rtol: float | None = None,
    atol: float | None = None,
    seed: int = 0,
) -> None:
    """Compare the derivatives of a function with numerical ones along random directions.

    Parameters
    ----------
    function, args
        The function and the arguments to differentiate at; all leaves have floating-point dtypes.
    order
        Check derivatives up to this order.
    modes
        ``"fwd"`` compares the tangent J v that `jitad.jvp` gives, and ``"rev"`` the product Re<J* w, v> with the pullback of `jitad.vjp`,
        with central differences of fourth order.
    rtol, atol
        Tolerances; by default 1e-6 relative to the sizes involved, 2e-2 in single precision.

    Raises
    ------
    AssertionError
        They disagree; the message says in which order, mode and part of the result.

    Examples
    --------
    >>> import numpy as np, jitad
    >>> jitad.testing.check_grads(lambda x: np.sin(x) * x, (np.array([0.3, 0.7]),), order=2)
    """
    args = tuple(args)
    rng = np.random.default_rng(seed)
    checks = {"fwd": check_forward, "rev": check_reverse}
    for mode in modes:
        if mode not in checks:
            raise errors.ValueError(f'modes are "fwd" and "rev", not {mode!r}')
    for mode in modes:
        derivative = function
        for number in range(1, order + 1):
            derivative = checks[mode](derivative, args, rng, rtol, atol, number)


def check_forward(function, args, rng, rtol, atol, number) -> Callable:
    """Check the tangent along a random direction, and return it as a function of the arguments."""
    tangents = random_like(args, rng)
    _, derivative = jvp(function, args, tangents)
    wanted, noise = differences(function, args, tangents)
    compare(derivative, wanted, rtol, atol, f"derivative of order {number}, forward mode", noise)
    return Compiled(lambda args, kwargs: jvp(function, args, tangents)[1])


def check_reverse(function, args, rng, rtol, atol, number) -> Callable:
    """Check the pullback of a random cotangent, and return it as a function of the arguments."""
    value, pullback = vjp(function, *args)
    tangents, cotangent = random_like(args, rng), random_like(value, rng)
    wanted, noise = differences(function, args, tangents)
    pulled = pullback(cotangent)
    scale = norm(cotangent) * norm(wanted) + norm(pulled) * norm(tangents)
    slack = tolerance(args) * scale + norm(cotangent) * norm(noise)
    found, along = inner(pulled, tangents), inner(cotangent, wanted)
    compare(found, along, rtol, atol, f"derivative of order {number}, reverse mode: Re<J* w, v>", slack)
    return Compiled(lambda args, kwargs: vjp(function, *args)[1](cotangent))


def numerical_jvp(function: Callable, args: tuple, tangents: tuple):
    """Return the derivative of ``function(*args)`` along `tangents` by central differences of fourth order."""
    return differences(function, args, tangents)[0]


def differences(function: Callable, args: tuple, tangents: tuple) -> tuple:
    """Return what `numerical_jvp` does, and how large its rounding errors may be."""
    leaves, treedef = flatten(args)
    dots = flatten(tangents)[0]
    step = max(STEPS[np.asarray(x).dtype.char] for x in leaves)

    def at(t):
        return function(*unflatten(treedef, [moved(x, t * step, dot) for x, dot in zip(leaves, dots, strict=True)]))

    samples = [flatten(at(t)) for t in (-2, -1, 1, 2)]
    structure = samples[0][1]
    columns = [list(map(np.asarray, column)) for column in zip(*[values for values, _ in samples], strict=True)]
    slopes = [central_difference(*column) / step for column in columns]
    noise = [16 * precision(column[0]) * np.max(np.abs(column), axis=0) / step for column in columns]
    return unflatten(structure, slopes), unflatten(structure, noise)


def central_difference(a, b, c, d):
    return (a - 8 * b + 8 * c - d) / 12 if a.dtype.kind in "fc" else np.zeros(a.shape)


def precision(x: np.ndarray) -> float:
    return float(np.finfo(x.dtype).eps) if x.dtype.kind in "fc" else 0.0


def moved(x, step, dot):
    result = np.asarray(x) + np.asarray(step * dot)
    result = result.astype(np.asarray(x).dtype)
    return type(x)(result) if isinstance(x, float | complex) else result


def random_like(tree, rng):
    leaves, treedef = flatten(tree)
    return unflatten(treedef, [random_array(np.asarray(x), rng) for x in leaves])


def random_array(x: np.ndarray, rng) -> np.ndarray:
    """Return random values of the type of `x`: zeros if it has no derivatives."""
    if x.dtype.kind not in "fc":
        return np.zeros(x.shape, x.dtype)[()]
    values = rng.standard_normal(x.shape)
    if x.dtype.kind == "c":
        values = values + 1j * rng.standard_normal(x.shape)
    return np.asarray(values, x.dtype)[()]


def inner(x, y) -> float:
    """Return Re<x, y>, summed over the leaves."""
    return float(sum(np.sum(np.conj(a) * b).real for a, b in zip(flatten(x)[0], flatten(y)[0], strict=True)))


def norm(x) -> float:
    return float(np.sqrt(inner(x, x)))


def tolerance(tree) -> float:
    return max([TOLERANCES[np.asarray(x).dtype.char] for x in flatten(tree)[0] if np.asarray(x).dtype.kind in "fc"], default=0.0)


def compare(found, wanted, rtol, atol, what: str, noise=None) -> None:
    """Compare leaf by leaf; by default relative to the largest element, and allowing for `noise`, a tree like the others."""
    leaves, structure = flatten(found)
    noises = [0.0] * len(leaves) if noise is None else flatten(noise)[0]
    for x, y, error, path in zip(leaves, flatten(wanted)[0], noises, leaf_paths(structure), strict=True):
        default = tolerance(x)
        slack = default * np.max(np.abs(y), initial=0.0) + np.max(error, initial=0.0)
        np.testing.assert_allclose(
            x, y, rtol=default if rtol is None else rtol, atol=slack if atol is None else atol, err_msg=f"{what}, result{path}"
        )
