"""Reductions, one row each. In: an array and the `axes` (sorted, non-negative) to reduce. Out: the array without them.

Sums are linear. Extrema share their tangent equally among tied elements; products are differentiated without division, so that
zeros among the factors are harmless.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from jitad.ir import errors
from jitad.ir.intervals import of_elements_sum, of_operand
from jitad.ir.lowering import Reduce
from jitad.ir.primitive import Primitive
from jitad.ir.program import Atom
from jitad.ir.symbolic import Zero, is_zero
from jitad.ir.types import ArrayType
from jitad.primitives.combinations import sum_of_combination
from jitad.primitives.declare import common_dtype, linear, sample, to_front
from jitad.primitives.elementwise.comparisons import both, eq, select
from jitad.primitives.elementwise.complexes import convert
from jitad.primitives.recurrences import cumprod, previous
from jitad.primitives.structural.shaping import broadcast, reshape, summed, transpose, transposed

CASES = (((2, 3), (0,)), ((2, 3), (1,)), ((2, 3), (0, 1)), ((2, 3, 4), (0, 2)), ((2, 3), ()), ((), ()), ((3, 0), (0,)),
         ((2, 3, 1), (2,)))


def check_axes(x: ArrayType, axes: tuple[int, ...]) -> None:
    for axis in axes:
        if not 0 <= axis < x.ndim:
            raise errors.AxisError(axis, x.ndim)
    if len(set(axes)) != len(axes):
        raise errors.ValueError("duplicate value in 'axis'")


def spread(x: Atom, axes: tuple[int, ...], shape: tuple[int, ...]) -> Atom:
    """Repeat the result of a reduction along the reduced `axes` of an array of `shape`."""
    kept = reshape(x, shape=tuple(1 if axis in axes else extent for axis, extent in enumerate(shape)))
    return broadcast(kept, shape=shape)


def reduction(name: str, evaluate: Callable, combine: str, kinds: str, empty: str | None = None, **slots) -> Primitive:
    """Declare a reduction; `empty` is its name in NumPy's complaint where there is nothing to reduce and no neutral element."""

    def type_rule(x, axes):
        check_axes(x, axes)
        result = ArrayType(common_dtype(name, [x], kinds), tuple(extent for axis, extent in enumerate(x.shape) if axis not in axes))
        if empty and prod(x.shape[axis] for axis in axes) == 0:
            raise errors.ValueError(f"zero-size array to reduction operation {empty} which has no identity")
        return result

    def batch(size, inputs, where, axes):
        return [primitive(to_front(inputs[0], where[0]), axes=tuple(axis + 1 for axis in axes))], [0]

    def simplify(inputs, axes):
        """A reduction of single elements is a reshape; that of a transposed array runs over the array as it lies in memory."""
        (x,) = inputs
        if all(x.shape[axis] == 1 for axis in axes):
            return reshape(x, shape=type_rule(x.type, axes).shape) if axes else x
        return transposed(x, axes, lambda y, axes: primitive(y, axes=axes))

    primitive = Primitive(
        name,
        type=type_rule,
        evaluate=evaluate,
        batch=batch,
        simplify=simplify,
        lower=Reduce(combine, box=lambda x, axes: (x.shape, axes), element=lambda b, index, operands, axes: operands[0](index)),
        samples=lambda rng, dtype: [([sample(rng, dtype, shape=shape)], {"axes": axes}) for shape, axes in CASES],
        dtypes="".join(char for char in "dfDl?" if np.dtype(char).kind in kinds),
    )
    for slot, value in slots.items():
        setattr(primitive, slot, value)
    return primitive


reduce_sum = linear(reduction(
    "reduce_sum", lambda x, axes: np.sum(x, axis=axes, dtype=x.dtype), "add", "iufc", nonnegative=both, bounds=of_elements_sum,
    structural=True,
    through=lambda inputs, alone, needed, axes: sum_through(inputs[0], axes, alone, needed),
    transpose=lambda cts, inputs, axes: [spread(cts[0], axes, inputs[0].type.shape)]))


def sum_through(x: Atom, axes: tuple[int, ...], alone: Callable[[Atom], bool], needed: bool) -> Atom | None:
    """Record the sum of a product by those of its operands, and that of a combination which is needed with the sum by those of its terms."""
    found = summed(x, axes, alone)
    return sum_of_combination(x, axes, reduce_sum) if found is None and needed else found


def no_tangent(primitive: Callable[[], Primitive]) -> Callable:
    """The derivative rule of a result that is constant wherever it is differentiable."""

    def jvp(inputs, tangents, **params):
        result = primitive()(*inputs, **params)
        return [result], [Zero(result.type)]

    return jvp


reduce_and = reduction("reduce_and", lambda x, axes: np.all(x, axis=axes), "and", "b", jvp=no_tangent(lambda: reduce_and))
reduce_or = reduction("reduce_or", lambda x, axes: np.any(x, axis=axes), "or", "b", jvp=no_tangent(lambda: reduce_or))

# --- products -----------------------------------------------------------------------------------------------------------


def jvp_reduce_prod(inputs, tangents, axes):
    """The partial derivative by a factor is the product of those before it times the product of those after it."""
    (x,), (tangent,) = inputs, tangents
    result = reduce_prod(x, axes=axes)
    if is_zero(tangent) or not result.type.differentiable:
        return [result], [Zero(result.type)]
    kept = tuple(axis for axis in range(x.ndim) if axis not in axes)
    shape = (*result.shape, prod(x.shape[axis] for axis in axes))
    factors, dots = (reshape(transpose(y, axes=(*kept, *axes)), shape=shape) for y in (x, tangent))
    last = result.ndim
    before, after = (previous(cumprod(factors, axis=last, reverse=end), last, end, 1) for end in (False, True))
    return [result], [reduce_sum(before * after * dots, axes=(last,))]


reduce_prod = reduction("reduce_prod", lambda x, axes: np.prod(x, axis=axes, dtype=x.dtype), "mul", "iufc", jvp=jvp_reduce_prod,
                        nonnegative=both)

# --- extrema --------------------------------------------------------------------------------------------------------------


def extremum(name: str, evaluate: Callable, combine: str, numpy_name: str) -> Primitive:
    """Declare the largest or smallest element along axes; its tangent is the mean of those of the elements that attain it."""

    def jvp(inputs, tangents, axes):
        (x,), (tangent,) = inputs, tangents
        result = primitive(x, axes=axes)
        if is_zero(tangent) or not result.type.differentiable:
            return [result], [Zero(result.type)]
        attained = eq(x, spread(result, axes, x.shape))
        count = reduce_sum(convert(attained, dtype=x.dtype), axes=axes)
        return [result], [reduce_sum(select(attained, tangent, 0.0), axes=axes) / count]

    primitive = reduction(name, evaluate, combine, "biuf", numpy_name, jvp=jvp, nonnegative=both, bounds=of_operand)
    return primitive


reduce_max = extremum("reduce_max", lambda x, axes: np.max(x, axis=axes), "max", "maximum")
reduce_min = extremum("reduce_min", lambda x, axes: np.min(x, axis=axes), "min", "minimum")
