"""The methods of ufuncs on traced arrays: reduce, accumulate, outer, at, reduceat."""

from __future__ import annotations

import functools
import math

import numpy as np

from jitad.frontend.arrays.cells import View, wrap
from jitad.frontend.arrays.extents import Extent
from jitad.frontend.arrays.indexing import add_at, settled_key
from jitad.frontend.arrays.keys import axis_number
from jitad.frontend.arrays.memory_order import UNKNOWN
from jitad.frontend.arrays.open_places import change
from jitad.frontend.arrays.open_slices import is_open, packed_key
from jitad.frontend.arrays.ragged import Ragged, refused
from jitad.frontend.operations.promotion import as_operand, kind_of, to_atom
from jitad.frontend.operations.sequential import accumulate_in_order, change_in_order
from jitad.frontend.operations.ufuncs import call, plan_of, unknown, writable
from jitad.ir import errors
from jitad.primitives.recurrences import cummax, cummin


def log_sum(exponential: np.ufunc, logarithm: np.ufunc):
    """Return the reduction by the logarithm of a sum of exponentials, shifted so that it cannot overflow."""

    def reduction(x, axis, keepdims):
        top = np.max(x, axis=axis, keepdims=True)
        top = np.where(np.isfinite(top), top, 0)
        result = logarithm(np.sum(exponential(x - top), axis=axis, keepdims=True)) + top
        return result if keepdims else np.squeeze(result, axis)[()]

    return reduction


REDUCTIONS = {
    np.add: np.sum, np.multiply: np.prod, np.maximum: np.max, np.minimum: np.min, np.logical_and: np.all, np.logical_or: np.any,
    np.logaddexp: log_sum(np.exp, np.log), np.logaddexp2: log_sum(np.exp2, np.log2),
}
ASSOCIATIVE = (np.fmax, np.fmin, np.hypot, np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.logical_xor)
IN_ORDER = (np.subtract, np.divide)
NOT_GIVEN = {"dtype": None, "out": None, "initial": np._NoValue, "where": True}


def reduce(ufunc: np.ufunc, x, axis=0, dtype=None, out=None, keepdims=False, initial=np._NoValue, where=True):
    x = wrap(to_atom(x), scalar=False)
    given = {"dtype": dtype, "out": out and writable(out[0]), "initial": initial, "where": where}
    given = {name: value for name, value in given.items() if value is not NOT_GIVEN[name]}
    if ufunc in REDUCTIONS:
        return REDUCTIONS[ufunc](x, axis=axis, keepdims=keepdims, **given)
    if ufunc not in (*ASSOCIATIVE, *IN_ORDER) or given:
        raise unknown(ufunc, ".reduce" + (f" with {', '.join(given)}" if given else ""))
    if ufunc in IN_ORDER:
        axis = axis_number(axis, x.ndim)
        if x.shape[axis] == 0:
            raise errors.ValueError(f"zero-size array to reduction operation {ufunc.__name__} which has no identity")
        last = np.moveaxis(accumulate_in_order(ufunc, x, axis), axis, 0)[-1]
        return np.expand_dims(last, axis) if keepdims else last
    return fold(ufunc, x, axis, keepdims)


def fold(ufunc: np.ufunc, x: View, axis, keepdims: bool):
    """Reduce by an associative operation: combine the first half with the second until one is left."""
    axes = tuple(axis_number(k, x.ndim) for k in (range(x.ndim) if axis is None else axis if np.iterable(axis) else (axis,)))
    kept = tuple(k for k in range(x.ndim) if k not in axes)
    count = math.prod(x.shape[k] for k in axes)
    rest = x.transpose(*axes, *kept).reshape(count, *[x.shape[k] for k in kept])
    if ufunc is np.logical_xor:
        rest = rest.astype(bool)
    if count == 0:
        raise errors.ValueError(f"zero-size array to reduction operation {ufunc.__name__}")
    while len(rest) > 1:
        half = len(rest) // 2
        pairs = call(ufunc, rest[:half], rest[len(rest) - half:])
        rest = pairs if 2 * half == len(rest) else np.concatenate([pairs, rest[half:half + 1]])
    return rest[0].reshape([1 if k in axes else n for k, n in enumerate(x.shape)]) if keepdims else rest[0]


def accumulate(ufunc: np.ufunc, x, axis=0, dtype=None, out=None):
    x = wrap(to_atom(x), scalar=False)
    axis = axis_number(axis, x.ndim)
    if ufunc in (np.add, np.multiply):
        running = {np.add: np.cumsum, np.multiply: np.cumprod}[ufunc]
        return running(x, axis, dtype) if out is None else running(x, axis, dtype, out=writable(out[0]))
    if ufunc in (np.maximum, np.minimum) and dtype is None and out is None:
        return wrap({np.maximum: cummax, np.minimum: cummin}[ufunc](x.atom, axis=axis, reverse=False))
    if ufunc.nin != 2 or ufunc.nout != 1 or dtype is not None or out is not None:
        raise unknown(ufunc, ".accumulate")
    return accumulate_in_order(ufunc, x, axis)


def outer(ufunc: np.ufunc, x, y, **options):
    x, y = (wrap(to_atom(operand), scalar=False) for operand in (x, y))
    return call(ufunc, x.reshape(x.shape + (1,) * y.ndim), y, **options)


def at(ufunc: np.ufunc, a, indices, values=None) -> None:
    indices = settled_key(indices)
    if is_open(indices) or isinstance(values, Ragged):
        if not isinstance(a, View) or ufunc.nin != 2:
            raise refused(f"np.{ufunc.__name__}.at")
        change(a, tuple(map(Extent, a.shape)), packed_key(indices), values, functools.partial(at, ufunc))
        return
    if ufunc.nout != 1 or ufunc.nin > 2:
        raise unknown(ufunc, ".at")
    if ufunc not in (np.add, np.subtract) or writable(a).dtype.kind == "b":
        change_in_order(ufunc, writable(a), indices, None if ufunc.nin == 1 else as_operand(values))
        return
    values = as_operand(values)
    (dtype,) = plan_of(ufunc, (a.dtype, kind_of(values))).outputs
    if not np.can_cast(dtype, a.dtype, "same_kind"):
        raise errors.TypeError(f"Cannot cast ufunc '{ufunc.__name__}' output from {dtype!r} to {a.dtype!r} with casting rule 'same_kind'")
    add_at(a, indices, values if ufunc is np.add else call(np.negative, wrap(to_atom(values))))


def reduceat(ufunc: np.ufunc, x, indices, axis=0, dtype=None, out=None):
    """Each slice from one index to the next is reduced, where that is not beyond it; else it is the element."""
    if ufunc.nin != 2 or ufunc.nout != 1 or dtype is not None or out is not None or isinstance(indices, View):
        raise unknown(ufunc, ".reduceat")
    x = wrap(to_atom(x), scalar=False)
    axis = axis_number(axis, x.ndim)
    x, starts = np.moveaxis(x, axis, 0), np.asarray(indices)
    if starts.size and not (starts.min() >= 0 and starts.max() < len(x)):
        wrong = starts[(starts < 0) | (starts >= len(x))][0]
        raise errors.IndexError(f"index {wrong} out-of-bounds in {ufunc.__name__}.reduceat [0, {len(x)})")
    more = np.maximum(np.append(starts[1:], len(x)) - starts, 1) - 1
    segments = np.repeat(np.arange(len(starts)), more)
    places = starts[segments] + 1 + np.arange(len(segments)) - np.repeat(np.cumsum(more) - more, more)
    result = x[starts]
    if ufunc is np.add and result.dtype.kind == "b":
        result = result.astype(np.int64)
    at(ufunc, result, segments, x[places])
    return np.moveaxis(result, 0, axis)


def untold(method):
    """Return a method whose results are in C order in memory if the operands are, and in an order that is not known if not."""
    def compute(ufunc, x, *args, **kwargs):
        result = method(ufunc, x, *args, **kwargs)
        if isinstance(result, View) and result.ndim > 1:
            given = [y for y in (x, *args) if isinstance(y, View)]
            result.cell.assumed = any(y.cell.assumed for y in given)
            if any(y.turned for y in given):
                result.lie_in(UNKNOWN)
        return result

    return compute


METHODS = {"__call__": call, "at": at, **{method.__name__: untold(method) for method in (reduce, accumulate, outer, reduceat)}}
