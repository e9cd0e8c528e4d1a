"""Checks of derivatives against numerical ones, for the tests of programs that use jitad."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from jitad.api import jvp, vjp
from jitad.compiled import Compiled
from jitad.frontend.trees import flatten, leaf_paths, unflatten

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
        ``"fwd"`` compares `jitad.jvp` with central differences of fourth order; ``"rev"`` compares `jitad.vjp` with `jitad.jvp`, by
        Re<w, J v> = Re<J* w, v>.
    rtol, atol
        Tolerances; by default 1e-6 relative to the sizes involved, 2e-2 in single precision.

    Raises
    ------
    AssertionError
        They disagree; the message says in which mode, order and part of the result.

    Examples
    --------
    >>> import numpy as np, jitad
    >>> jitad.testing.check_grads(lambda x: np.sin(x) * x, (np.array([0.3, 0.7]),), order=2)
    """
    args = tuple(args)
    rng = np.random.default_rng(seed)
    for mode in modes:
        if mode not in ("fwd", "rev"):
            raise ValueError(f'modes are "fwd" and "rev", not {mode!r}')
    if "fwd" in modes:
        check_forward(function, args, rng, order, rtol, atol)
    if "rev" in modes:
        check_reverse(function, args, rng, order, rtol, atol)


def check_forward(function, args, rng, order, rtol, atol) -> None:
    tangents = random_like(args, rng)
    _, derivative = jvp(function, args, tangents)
    compare(derivative, numerical_jvp(function, args, tangents), rtol, atol, f"order {order} from the last, forward mode")
    if order > 1:
        held = tangents
        check_forward(Compiled(lambda args, kwargs: jvp(function, args, held)[1]), args, rng, order - 1, rtol, atol)


def check_reverse(function, args, rng, order, rtol, atol) -> None:
    value, pullback = vjp(function, *args)
    tangents, cotangent = random_like(args, rng), random_like(value, rng)
    _, derivative = jvp(function, args, tangents)
    pulled = pullback(cotangent)
    along, back = inner(cotangent, derivative), inner(pulled, tangents)
    scale = norm(cotangent) * norm(derivative) + norm(pulled) * norm(tangents)
    compare(back, along, rtol, (atol or 0.0) + tolerance(args) * scale, f"order {order} from the last, reverse mode against forward mode")
    if order > 1:
        held = cotangent
        check_reverse(Compiled(lambda args, kwargs: vjp(function, *args)[1](held)), args, rng, order - 1, rtol, atol)


def numerical_jvp(function: Callable, args: tuple, tangents: tuple):
    """Return the derivative of ``function(*args)`` along `tangents` by central differences of fourth order."""
    leaves, treedef = flatten(args)
    dots = flatten(tangents)[0]
    step = max(STEPS[np.asarray(x).dtype.char] for x in leaves)

    def at(t):
        return function(*unflatten(treedef, [moved(x, t * step, dot) for x, dot in zip(leaves, dots, strict=True)]))

    samples = [flatten(at(t)) for t in (-2, -1, 1, 2)]
    structure = samples[0][1]
    columns = zip(*[values for values, _ in samples], strict=True)
    return unflatten(structure, [central_difference(*map(np.asarray, column)) / step for column in columns])


def central_difference(a, b, c, d):
    return (a - 8 * b + 8 * c - d) / 12


def moved(x, step, dot):
    result = np.asarray(x) + np.asarray(step * dot)
    result = result.astype(np.asarray(x).dtype)
    return type(x)(result) if isinstance(x, float | complex) else result


def random_like(tree, rng):
    leaves, treedef = flatten(tree)
    return unflatten(treedef, [random_array(np.asarray(x), rng) for x in leaves])


def random_array(x: np.ndarray, rng) -> np.ndarray:
    values = rng.standard_normal(x.shape)
    if x.dtype.kind == "c":
        values = values + 1j * rng.standard_normal(x.shape)
    return np.asarray(values, x.dtype if x.dtype.kind in "fc" else float)[()]


def inner(x, y) -> float:
    """Return Re<x, y>, summed over the leaves."""
    return float(sum(np.sum(np.conj(a) * b).real for a, b in zip(flatten(x)[0], flatten(y)[0], strict=True)))


def norm(x) -> float:
    return float(np.sqrt(inner(x, x)))


def tolerance(tree) -> float:
    return max(TOLERANCES[np.asarray(x).dtype.char] for x in flatten(tree)[0] if np.asarray(x).dtype.kind in "fc")


def compare(found, wanted, rtol, atol, what: str) -> None:
    leaves, structure = flatten(found)
    for x, y, path in zip(leaves, flatten(wanted)[0], leaf_paths(structure), strict=True):
        default = tolerance(x if np.asarray(x).dtype.kind in "fc" else 0.0)
        scale = float(np.max(np.abs(y), initial=0.0))
        np.testing.assert_allclose(
            x, y, rtol=default if rtol is None else rtol, atol=default * scale if atol is None else atol, err_msg=f"{what}, result{path}"
        )
