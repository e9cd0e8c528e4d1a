"""Sums of linear combinations: the sum of ``a * x + b * y`` is ``a * sum(x) + b * sum(y)`` if a and b are the same along the axes.

In: an array and axes. Out: the sum, recorded without reading the array. Invariant: all terms are products, whose rounding errors are as large as
those of their sums: nothing is lost that the array itself had not lost.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from math import prod

from jitad.ir.program import Atom, Equation, Literal
from jitad.ir.types import broadcast_shapes
from jitad.primitives.elementwise.arithmetic import add, mul, neg, sub
from jitad.primitives.structural.shaping import reshape, summed

MOST_TERMS, MOST_FACTORS = 4, 6
Term = tuple[bool, list[Atom], list[Atom]]


def sum_of_combination(x: Atom, axes: tuple[int, ...], reduce_sum) -> Atom | None:
    """Record the sum of `x` along axes, None if it is no linear combination."""
    terms = terms_of(x, axes, x.ndim, False) if x.dtype.kind in "fc" else None
    if terms is None or len(terms) > MOST_TERMS or not all(is_whole(rest, x.shape, axes) for _, _, rest in terms):
        return None
    result = None
    for negative, factors, rest in terms:
        product = functools.reduce(mul, rest)
        total = reduce_sum(product, axes=own_axes(product, axes, x.ndim))
        for factor in factors:
            total = mul(without(factor, axes, x.ndim), total)
        if result is None:
            result = neg(total) if negative else total
        else:
            result = sub(result, total) if negative else add(result, total)
    return result


def summed_terms(equation: Equation, axes: tuple[int, ...], alone: Callable[[Atom], bool]) -> Atom | None:
    """Record the sum of a sum or a difference where those of both terms are found from their operands, so that neither is formed."""
    whole = all(x.shape == equation.outputs[0].shape for x in equation.inputs)
    totals = [summed(x, axes, alone) for x in equation.inputs] if whole else [None]
    return None if None in totals else equation.primitive(*totals)


add.summed = sub.summed = summed_terms


def terms_of(x: Atom, axes: Sequence[int], ndim: int, negative: bool) -> list[Term] | None:
    """Return the terms of a combination: the sign, the factors that are the same along the axes, and the others; None if one has not both."""
    equation = getattr(x, "equation", None)
    primitive = equation.primitive if equation is not None else None
    if primitive is neg:
        return terms_of(equation.inputs[0], axes, ndim, not negative)
    if primitive in (add, sub):
        first, second = equation.inputs
        found = terms_of(first, axes, ndim, negative), terms_of(second, axes, ndim, negative != (primitive is sub))
        return None if None in found or sum(map(len, found)) > MOST_TERMS else [*found[0], *found[1]]
    if primitive is not mul:
        return None
    factors = factors_of(x, axes, ndim)
    same = [factor for factor in factors if is_constant(factor, axes, ndim)]
    rest = [factor for factor in factors if not is_constant(factor, axes, ndim)]
    return [(negative, same, rest)] if same and rest and len(factors) <= MOST_FACTORS else None


def factors_of(x: Atom, axes: Sequence[int], ndim: int, depth: int = 3) -> list[Atom]:
    equation = getattr(x, "equation", None)
    if equation is None or equation.primitive is not mul or depth == 0 or is_constant(x, axes, ndim):
        return [x]
    return [factor for operand in equation.inputs for factor in factors_of(operand, axes, ndim, depth - 1)]


def is_constant(x: Atom, axes: Sequence[int], ndim: int) -> bool:
    """Whether an operand of `ndim` axes in all, the last of which are its own, is the same along some axes."""
    return isinstance(x, Literal) or all(x.shape[axis] == 1 for axis in own_axes(x, axes, ndim))


def own_axes(x: Atom, axes: Sequence[int], ndim: int) -> tuple[int, ...]:
    return tuple(axis - ndim + x.ndim for axis in axes if axis >= ndim - x.ndim)


def is_whole(rest: Sequence[Atom], shape: tuple[int, ...], axes: Sequence[int]) -> bool:
    """Whether a product has all extents of the summed axes."""
    found = broadcast_shapes(*[x.shape for x in rest])
    start = len(shape) - len(found)
    return all(axis >= start and found[axis - start] == shape[axis] for axis in axes) and prod(shape) > 1


def without(x: Atom, axes: Sequence[int], ndim: int) -> Atom:
    """Record a factor without the summed axes."""
    dropped = own_axes(x, axes, ndim)
    return reshape(x, shape=tuple(extent for axis, extent in enumerate(x.shape) if axis not in dropped)) if dropped else x
