"""Arrays put together and laid out anew: joining, repeating, padding, inserting."""

from __future__ import annotations

import math
import operator

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from jitad.frontend.arrays.array import Array, to_atom, wrap
from jitad.frontend.arrays.memory_order import UNKNOWN
from jitad.frontend.numpy_api.operands import along, asarray, concrete, flat_unless, rearranged
from jitad.frontend.numpy_api.table import implements
from jitad.frontend.operations.promotion import cast, from_nest
from jitad.ir import errors
from jitad.primitives.structural.boxes import concatenate as join

SHORT_WINDOW = 64


@implements(np.concatenate)
def concatenate(arrays, /, axis=0, out=None, *, dtype=None, casting="same_kind"):
    arrays = [asarray(a) for a in arrays]
    if not arrays:
        raise errors.ValueError("need at least one array to concatenate")
    if any(a.ndim == 0 for a in arrays) and axis is not None:
        raise errors.ValueError("zero-dimensional arrays cannot be concatenated")
    if axis is None:
        arrays, axis = [a.ravel() for a in arrays], 0
    axis = normalize_axis_index(axis, arrays[0].ndim)
    common = np.result_type(*[a.dtype for a in arrays]) if dtype is None else np.dtype(dtype)
    for a in arrays:
        if not np.can_cast(a.dtype, common, casting):
            raise errors.TypeError(f"Cannot cast array data from {a.dtype!r} to {common!r} according to the rule '{casting}'")
    result = wrap(join(*[cast(to_atom(a), common) for a in arrays], axis=axis)).lie_as(arrays)
    if any(a.turned and a.shape[axis] == 1 for a in arrays):  # NumPy has the new axis where its sorting of strides leaves it
        result.lie_in(UNKNOWN)
    return result


@implements(np.block)
def block(arrays):
    depth = nest_depth(arrays)
    ndim = max(depth, *map(np.ndim, nest_leaves(arrays)))
    return joined(arrays, depth, ndim)


def nest_depth(x) -> int:
    if isinstance(x, tuple):
        raise errors.TypeError("arrays is a tuple. Only lists can be used to arrange blocks, and np.block does not allow implicit "
                               "conversion from tuple to ndarray.")
    if not isinstance(x, list):
        return 0
    depths = {nest_depth(element) for element in x}
    if len(depths) != 1:
        raise errors.ValueError("List depths are mismatched." if depths else "List at arrays cannot be empty")
    return depths.pop() + 1


def nest_leaves(x) -> list:
    return [leaf for element in x for leaf in nest_leaves(element)] if isinstance(x, list) else [x]


def joined(x, depth: int, ndim: int) -> Array:
    """Join the elements of a list of lists of the given depth, the innermost along the last axis."""
    if depth == 0:
        x = asarray(x)
        return x.reshape((1,) * (ndim - x.ndim) + x.shape)
    return np.concatenate([joined(element, depth - 1, ndim) for element in x], -depth)


# --- shifting and repeating -------------------------------------------------------------------------------------------------


@implements(np.roll)
def roll(a, shift, axis=None):
    a = asarray(a)
    if axis is None:
        return np.roll(a.ravel(), shift, 0).reshape(a.shape)
    axes = normalize_axis_tuple(axis, a.ndim, allow_duplicate=True)
    distances = np.atleast_1d(from_nest(shift))
    if distances.ndim > 1:
        raise errors.ValueError("'shift' and 'axis' should be scalars or 1D sequences")
    result = a
    for place, k in np.broadcast(np.arange(len(distances)), axes):
        result = rolled(result, distances[place], int(k))
    return result.copy().lie_as([a])


def rolled(a: Array, distance, axis: int) -> Array:
    extent = a.shape[axis]
    if isinstance(distance, Array):
        return np.take(a, np.arange(extent) - distance, axis, mode="wrap")
    return rearranged(a, np.roll(np.arange(extent), distance), axis) if extent and distance % extent else a


@implements(np.lib.stride_tricks.sliding_window_view)
def sliding_window_view(x, window_shape, axis=None, *, subok=False, writeable=False):
    """The windows along each axis, one after another: of short ones, slices side by side."""
    if writeable:
        raise errors.NotImplementedError("jitad does not know windows that are written to")
    x = asarray(x)
    lengths = tuple(window_shape) if np.iterable(window_shape) else (window_shape,)
    axes = tuple(range(x.ndim)) if axis is None else normalize_axis_tuple(axis, x.ndim, allow_duplicate=True)
    if len(lengths) != len(axes):
        raise errors.ValueError("Since axis is None, must provide window_shape for all dimensions of `x`" if axis is None else
                                "Must provide matching length window_shape and axis")
    for length, k in zip(map(operator.index, lengths), axes, strict=True):
        count = x.shape[k] - length + 1
        if length < 0 or count < 1:
            raise errors.ValueError("window shape cannot be larger than input array shape" if length >= 0 else
                                    "`window_shape` cannot contain negative values")
        if 0 < length <= SHORT_WINDOW:
            x = np.stack([x[along(k, slice(start, start + count))] for start in range(length)], -1)
        else:
            x = np.moveaxis(np.take(x, np.arange(count)[:, None] + np.arange(length), k), k + 1, -1)
    return x


@implements(np.repeat)
def repeat(a, repeats, axis=None):
    a, axis = flat_unless(a, axis)
    repeats = np.asarray(concrete(repeats, "np.repeat", "repeats"))
    if repeats.size > 1:
        return rearranged(a, np.repeat(np.arange(a.shape[axis]), repeats), axis)
    count, n = int(repeats.reshape(())), a.shape[axis]
    if count < 0:
        raise errors.ValueError("negative dimensions are not allowed")
    before, after = a.shape[:axis], a.shape[axis + 1:]
    return np.broadcast_to(a.reshape(*before, n, 1, *after), (*before, n, count, *after)).reshape(*before, n * count, *after)


@implements(np.tile)
def tile(A, reps):
    a = asarray(A)
    reps = tuple(concrete(reps, "np.tile", "reps")) if np.iterable(reps) else (reps,)
    ndim = max(a.ndim, len(reps))
    reps, extents = (1,) * (ndim - len(reps)) + reps, (1,) * (ndim - a.ndim) + a.shape
    separate = a.reshape([n for extent in extents for n in (1, extent)])
    return (np.broadcast_to(separate, [n for pair in zip(reps, extents, strict=True) for n in pair])
            .reshape([r * n for r, n in zip(reps, extents, strict=True)]).copy())


@implements(np.resize)
def resize(a, new_shape):
    flat = asarray(a).ravel()
    shape = (new_shape,) if np.ndim(new_shape) == 0 else tuple(new_shape)
    if any(extent < 0 for extent in shape):
        raise errors.ValueError("all elements of `new_shape` must be non-negative")
    size = math.prod(shape)
    if size == 0 or flat.size == 0:
        return np.zeros_like(flat, shape=shape)
    whole = np.tile(flat, -(-size // flat.size))
    return whole[:size].reshape(shape)


# --- inserting and deleting -------------------------------------------------------------------------------------------------


@implements(np.delete)
def delete(arr, obj, axis=None):
    arr, axis = flat_unless(arr, axis)
    places = np.arange(arr.shape[axis])
    obj = concrete(obj, "np.delete", "obj")
    try:
        return rearranged(arr, np.delete(places, obj), axis)
    except IndexError as error:
        raise errors.IndexError(str(error).replace("for axis 0", f"for axis {axis}")) from None


@implements(np.insert)
def insert(arr, obj, values, axis=None):
    """The places of old and new elements in the result are those that NumPy gives to their numbers."""
    arr, axis = flat_unless(arr, axis)
    obj = concrete(obj, "np.insert", "obj")
    values = asarray(values, arr.dtype)
    extent = arr.shape[axis]
    chosen = np.arange(extent)[obj] if isinstance(obj, slice) or np.asarray(obj).dtype == bool else np.asarray(obj)
    if chosen.size == 1:
        values = values.reshape((1,) * (arr.ndim - values.ndim) + values.shape)
        if chosen.ndim == 0:
            values = np.moveaxis(values, 0, axis)
        count = values.shape[axis]
    else:
        count = chosen.size
    values = np.broadcast_to(values, (*arr.shape[:axis], count, *arr.shape[axis + 1:]))
    order = np.insert(np.arange(extent), obj, np.arange(extent, extent + count))
    return rearranged(np.concatenate([arr, values], axis), order, axis)
