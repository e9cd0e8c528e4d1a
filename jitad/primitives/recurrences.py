"""Running results along one axis, one row each: sums, products, extrema, and the linear recurrence that differentiates them.

In: arrays of one shape and dtype, the `axis`, and whether to start from its far end (`reverse`). Out: an array of that shape.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jitad.ir import errors
from jitad.ir.intervals import of_running_sum
from jitad.ir.lowering import Recurrence
from jitad.ir.primitive import Primitive
from jitad.ir.program import Atom
from jitad.ir.symbolic import Zero, is_zero
from jitad.ir.types import INT, ArrayType
from jitad.primitives.declare import add_tangents, common_dtype, conj, full, linear, sample
from jitad.primitives.elementwise.comparisons import both, eq, select
from jitad.primitives.structural.boxes import concatenate, put, slice_
from jitad.primitives.structural.indexing import along, gather
from jitad.primitives.structural.shaping import all_to_front, iota

CASES = (((4,), 0, False), ((4,), 0, True), ((3, 4), 0, True), ((2, 3, 2), 1, False), ((2, 0), 1, False), ((1,), 0, True))


def recurrence(name: str, evaluate: Callable, step: Callable, initial: Callable, kinds: str, arity: int = 1, **slots) -> Primitive:
    """Declare a running result; ``evaluate(*arrays, axis)`` runs it from the near end."""

    def type_rule(*types, axis, reverse):
        if not 0 <= axis < types[0].ndim:
            raise errors.AxisError(axis, types[0].ndim)
        if any(type.shape != types[0].shape for type in types):
            raise errors.InternalError(f"{name}: operands of shapes {', '.join(str(type.shape) for type in types)}")
        return ArrayType(common_dtype(name, types, kinds), types[0].shape)

    def evaluate_either_way(*arrays, axis, reverse):
        turn = (lambda x: np.flip(x, axis)) if reverse else (lambda x: x)
        return turn(evaluate(*map(turn, arrays), axis=axis))

    def batch(size, inputs, axes, axis, reverse):
        return [primitive(*all_to_front(size, inputs, axes), axis=axis + 1, reverse=reverse)], [0]

    primitive = Primitive(
        name,
        type=type_rule,
        evaluate=evaluate_either_way,
        batch=batch,
        lower=Recurrence(step, initial),
        samples=lambda rng, dtype: [([sample(rng, dtype, shape=shape) for _ in range(arity)], {"axis": axis, "reverse": reverse})
                                    for shape, axis, reverse in CASES],
        dtypes="".join(char for char in "dfDl" if np.dtype(char).kind in kinds),
    )
    for slot, value in slots.items():
        setattr(primitive, slot, value)
    return primitive


def previous(x: Atom, axis: int, reverse: bool, start) -> Atom:
    """Return the element before each in the order of the recurrence, `start` before the first."""
    extent = x.shape[axis]
    if extent == 0:
        return x
    rest = slice_(x, start=put((0,) * x.ndim, axis, int(reverse)), shape=put(x.shape, axis, extent - 1), step=(1,) * x.ndim)
    first = full(start, ArrayType(x.dtype, put(x.shape, axis, 1)))
    return concatenate(*((rest, first) if reverse else (first, rest)), axis=axis)


# --- the linear recurrence ------------------------------------------------------------------------------------------------


def evaluate_linear_recurrence(a, b, axis):
    a, y = np.moveaxis(a, axis, 0), np.moveaxis(b, axis, 0).copy()
    for i in range(1, len(y)):
        y[i] += a[i] * y[i - 1]
    return np.moveaxis(y, 0, axis)


def jvp_linear_recurrence(inputs, tangents, axis, reverse):
    """The tangent obeys the same recurrence, driven by dot(b) + dot(a) y_{i-1}."""
    (a, b), (ta, tb) = inputs, tangents
    result = linear_recurrence(a, b, axis=axis, reverse=reverse)
    drive = tb if is_zero(ta) else add_tangents(tb, ta * previous(result, axis, reverse, 0))
    return [result], [Zero(result.type) if is_zero(drive) else linear_recurrence(a, drive, axis=axis, reverse=reverse)]


def transpose_linear_recurrence(cotangents, inputs, axis, reverse):
    """The adjoint runs from the other end, with the factor that led out of each element."""
    (ct,), (a, _) = cotangents, inputs
    return [None, linear_recurrence(previous(conj(a), axis, not reverse, 0), ct, axis=axis, reverse=not reverse)]


linear_recurrence = recurrence(
    "linear_recurrence", evaluate_linear_recurrence, lambda b, state, factor, x: factor * state + x, lambda dtype: dtype.type(0),
    "iufc", arity=2, jvp=jvp_linear_recurrence, transpose=transpose_linear_recurrence, nonnegative=both,
    reach=lambda mask, which, inputs, axis, reverse: cummax(mask, axis=axis, reverse=not reverse))

# --- sums and products ------------------------------------------------------------------------------------------------------


def jvp_cumprod(inputs, tangents, axis, reverse):
    """y_i = x_i y_{i-1}, so dot(y)_i = x_i dot(y)_{i-1} + y_{i-1} dot(x)_i: no division, so zeros are harmless."""
    (x,), (tangent,) = inputs, tangents
    result = cumprod(x, axis=axis, reverse=reverse)
    if is_zero(tangent) or not result.type.differentiable:
        return [result], [Zero(result.type)]
    drive = previous(result, axis, reverse, 1) * tangent
    return [result], [linear_recurrence(x, drive, axis=axis, reverse=reverse)]


cumsum = linear(recurrence(
    "cumsum", lambda x, axis: np.cumsum(x, axis, dtype=x.dtype), lambda b, state, x: state + x, lambda dtype: dtype.type(0), "iufc",
    transpose=lambda cts, inputs, axis, reverse: [cumsum(cts[0], axis=axis, reverse=not reverse)], nonnegative=both, bounds=of_running_sum,
    structural=True))
cumprod = recurrence(
    "cumprod", lambda x, axis: np.cumprod(x, axis, dtype=x.dtype), lambda b, state, x: state * x, lambda dtype: dtype.type(1), "iufc",
    jvp=jvp_cumprod, nonnegative=both)

# --- extrema ----------------------------------------------------------------------------------------------------------------


def running_extremum(name: str, ufunc: np.ufunc, element: str, initial: Callable) -> Primitive:
    """Declare the largest or smallest element so far; its tangent is that of the latest element that attains it."""

    def jvp(inputs, tangents, axis, reverse):
        (x,), (tangent,) = inputs, tangents
        result = primitive(x, axis=axis, reverse=reverse)
        if is_zero(tangent) or not result.type.differentiable:
            return [result], [Zero(result.type)]
        place = iota(shape=x.shape, axis=axis, dtype=INT)
        latest, fallback = (cummin, x.shape[axis] - 1) if reverse else (cummax, 0)
        winner = latest(select(eq(x, result), place, fallback), axis=axis, reverse=reverse)
        return [result], [gather(tangent, *along(winner, axis, x.shape))]

    primitive = recurrence(name, lambda x, axis: ufunc.accumulate(x, axis), lambda b, state, x: b.call(element, state, x), initial,
                           "biuf", jvp=jvp, nonnegative=both)
    return primitive


def lowest(dtype: np.dtype):
    return dtype.type(-np.inf) if dtype.kind == "f" else dtype.type(False) if dtype.kind == "b" else np.iinfo(dtype).min


def highest(dtype: np.dtype):
    return dtype.type(np.inf) if dtype.kind == "f" else dtype.type(True) if dtype.kind == "b" else np.iinfo(dtype).max


cummax = running_extremum("cummax", np.maximum, "maximum", lowest)
cummin = running_extremum("cummin", np.minimum, "minimum", highest)
