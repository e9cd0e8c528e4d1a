"""Running sums and products, differences, and the integrals and derivatives on grids that are made of them."""

from __future__ import annotations

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from jitad.frontend.arrays.array import Array, is_traced, to_atom, wrap
from jitad.frontend.numpy_api.operands import along, asarray, flat_unless
from jitad.frontend.numpy_api.reductions import accumulator
from jitad.frontend.numpy_api.table import implements, named
from jitad.frontend.operations.promotion import cast
from jitad.ir import errors
from jitad.primitives import recurrences


def running(primitive, a, axis, dtype) -> Array:
    a, axis = flat_unless(a, axis)
    return wrap(primitive(cast(to_atom(a), accumulator(a.dtype) if dtype is None else dtype), axis=axis, reverse=False))


@implements(np.cumsum)
def cumsum(a, axis=None, dtype=None, out=None):
    return running(recurrences.cumsum, a, axis, dtype)


@implements(np.cumprod)
def cumprod(a, axis=None, dtype=None, out=None):
    return running(recurrences.cumprod, a, axis, dtype)


def cumulative(function, first: int, x, axis, dtype, include_initial) -> Array:
    """The array API's form of a running result, which may start from the neutral element."""
    x = asarray(x)
    if axis is None and x.ndim != 1:
        raise errors.ValueError("For arrays which have more than one dimension ``axis`` argument is required.")
    axis = normalize_axis_index(0 if axis is None else axis, x.ndim)
    result = function(x, axis, dtype)
    if not include_initial:
        return result
    return np.concatenate([np.full((*x.shape[:axis], 1, *x.shape[axis + 1:]), first, result.dtype), result], axis)


@implements(*named("cumulative_sum"))
def cumulative_sum(x, /, *, axis=None, dtype=None, out=None, include_initial=False):
    return cumulative(np.cumsum, 0, x, axis, dtype, include_initial)


@implements(*named("cumulative_prod"))
def cumulative_prod(x, /, *, axis=None, dtype=None, out=None, include_initial=False):
    return cumulative(np.cumprod, 1, x, axis, dtype, include_initial)


@implements(np.ediff1d)
def ediff1d(ary, to_end=None, to_begin=None):
    ary = asarray(ary).ravel()
    parts = [ary[1:] - ary[:-1]]
    for name, extra in (("to_end", to_end), ("to_begin", to_begin)):
        if extra is not None:
            extra = asarray(extra).ravel()
            if not np.can_cast(extra.dtype, ary.dtype, "same_kind"):
                raise errors.TypeError(f"dtype of `{name}` must be compatible with input `ary` under the `same_kind` rule.")
            parts.insert(0 if name == "to_begin" else len(parts), extra.astype(ary.dtype))
    return np.concatenate(parts)


# --- derivatives on grids -------------------------------------------------------------------------------------------------


@implements(np.gradient)
def gradient(f, *varargs, axis=None, edge_order=1):
    f = asarray(f)
    axes = tuple(range(f.ndim)) if axis is None else normalize_axis_tuple(axis, f.ndim)
    if edge_order > 2:
        raise errors.ValueError("'edge_order' greater than 2 not supported")
    if f.dtype.kind not in "fc":
        f = f.astype(np.float64)
    slopes = []
    for axis, spacing in zip(axes, spacings(f, axes, varargs), strict=True):
        if f.shape[axis] < edge_order + 1:
            raise errors.ValueError("Shape of array too small to calculate a numerical gradient, at least (edge_order + 1) elements "
                                    "are required.")
        slopes.append(slope(f, axis, spacing, edge_order))
    return slopes[0] if len(axes) == 1 else tuple(slopes)


def spacings(f: Array, axes, given) -> list:
    """Return, for each axis, the distance between neighbours: a scalar, or a vector where they are not known to be equal."""
    if not given:
        return [1.0] * len(axes)
    if len(given) == 1 and np.ndim(given[0]) == 0:
        return [given[0]] * len(axes)
    if len(given) != len(axes):
        raise errors.TypeError("invalid number of arguments")
    return [distances(x, f.shape[axis]) for axis, x in zip(axes, given, strict=True)]


def distances(x, extent: int):
    if np.ndim(x) == 0:
        return x
    x = x if is_traced(x) else np.asarray(x)
    if x.ndim != 1:
        raise errors.ValueError("distances must be either scalars or 1d")
    if len(x) != extent:
        raise errors.ValueError("when 1d, distances must match the length of the corresponding dimension")
    steps = np.diff(x.astype(np.float64) if x.dtype.kind in "iu" else x)
    return steps[0] if not is_traced(x) and (steps == steps[0]).all() else steps


def slope(f: Array, axis: int, spacing, edge_order: int) -> Array:
    """Central differences inside and one-sided ones, of the given order, at the ends: NumPy's formulas."""

    def at(*bounds):
        return f[along(axis, slice(*bounds))]

    h = spacing
    if np.ndim(h) == 0:
        inside = (at(2, None) - at(None, -2)) / (2.0 * h)
        first = second = penultimate = last = h
    else:
        a, b = (part.reshape(-1, *(1,) * (f.ndim - axis - 1)) for part in (h[:-1], h[1:]))
        inside = -b / (a * (a + b)) * at(None, -2) + (b - a) / (a * b) * at(1, -1) + a / (b * (a + b)) * at(2, None)
        first, second, penultimate, last = h[0], h[1] if len(h) > 1 else None, h[-2] if len(h) > 1 else None, h[-1]
    if edge_order == 1:
        ends = (at(1, 2) - at(0, 1)) / first, (at(-1, None) - at(-2, -1)) / last
    elif np.ndim(h) == 0:
        ends = (-1.5 / h * at(0, 1) + 2.0 / h * at(1, 2) + -0.5 / h * at(2, 3),
                0.5 / h * at(-3, -2) + -2.0 / h * at(-2, -1) + 1.5 / h * at(-1, None))
    else:
        a, b = first, second
        left = (-(2.0 * a + b) / (a * (a + b)) * at(0, 1) + (a + b) / (a * b) * at(1, 2) + -a / (b * (a + b)) * at(2, 3))
        a, b = penultimate, last
        right = (b / (a * (a + b)) * at(-3, -2) + -(b + a) / (a * b) * at(-2, -1) + (2.0 * b + a) / (b * (a + b)) * at(-1, None))
        ends = left, right
    return np.concatenate([part.astype(f.dtype) for part in (ends[0], inside, ends[1])], axis)
