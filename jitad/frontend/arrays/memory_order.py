"""Where NumPy would find the elements of an array, which decides whether what it is reshaped to is a view or a copy.

In: the order in which the axes of a cell lie in memory, and the strides of views of it. Out: strides under other shapes, and the orders
of results, which NumPy lets lie as the operands do. An *order* is None (C order: the last axis is innermost), the axes from the outermost to the
innermost, `GAPS` (C order, but the elements need not follow one another) or `UNKNOWN`. Strides are tuples of bytes, None for what is no view
in NumPy. Invariant: what an order does not tell is taken for unknown, never for one of the possibilities.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from jitad.ir import errors
from jitad.ir.types import ArrayType
from jitad.primitives.structural.shaping import matching_groups, shape_text

GAPS, UNKNOWN = "gaps", "unknown"
Order = tuple[int, ...] | str | None
Strides = tuple[int, ...] | None
MANY = 120  # orders of axes that are tried: those of five


def long_axes(shape: Sequence[int]) -> list[int]:
    """Return the axes along which there is more than one element."""
    return [axis for axis, extent in enumerate(shape) if extent > 1]


def strides_in(type: ArrayType, order: tuple[int, ...] | None = None) -> tuple[int, ...]:
    """Return the strides of elements that follow one another."""
    strides, stride = [0] * type.ndim, type.dtype.itemsize
    for axis in reversed(range(type.ndim) if order is None else order):
        strides[axis] = stride
        stride *= type.shape[axis]
    return tuple(strides)


def gapped_strides(type: ArrayType) -> tuple[int, ...]:
    """Return the strides of an array that is cut out of a larger one, along no axis evenly."""
    return strides_in(type.with_shape((*[3 * n + 1 for n in type.shape], 2)))[:-1]


def orders(type: ArrayType) -> Iterator[tuple[int, ...]]:
    """Yield the orders in which the axes may lie, C order first."""
    axes = long_axes(type.shape)
    rest = [axis for axis in range(type.ndim) if axis not in axes]
    for order in itertools.islice(itertools.permutations(axes), MANY):
        yield (*rest, *order)


def possible_strides(type: ArrayType, order: Order) -> list[tuple[int, ...]]:
    """Return the strides that an array of an order may have."""
    if order is GAPS:
        return [strides_in(type), gapped_strides(type)]
    return [strides_in(type, known) for known in orders(type)] if order is UNKNOWN else [strides_in(type, order)]


def all_strides(type: ArrayType) -> list[tuple[int, ...]]:
    """Return the strides that an array may have of which nothing is known."""
    return [*possible_strides(type, UNKNOWN), gapped_strides(type)]


def order_of(type: ArrayType, strides: Strides) -> Order:
    """Return the order of an array with these strides."""
    axes = long_axes(type.shape)
    if not axes or 0 in type.shape:
        return None
    if strides is None:
        return UNKNOWN
    known = sorted(axes, key=lambda axis: -strides[axis])
    order = None if known == axes else (*[axis for axis in range(type.ndim) if axis not in axes], *known)
    contiguous = strides_in(type, order)
    if all(strides[axis] == contiguous[axis] for axis in axes):
        return order
    return GAPS if order is None and strides[axes[-1]] > 0 else UNKNOWN


def common_order(one: Order, other: Order) -> Order:
    """Return the order of what is one of two arrays."""
    return one if one == other else GAPS if {one, other} == {None, GAPS} else UNKNOWN


def kept_order(shape: tuple[int, ...], operands: Sequence[tuple[tuple[int, ...], Strides]]) -> Order:
    """Return the order of a new array of a shape that NumPy computes from operands of these shapes and strides."""
    if len(long_axes(shape)) < 2:
        return None
    if any(strides is None for _, strides in operands):
        return UNKNOWN
    operands = [*operands, (shape, (0,) * len(shape))]
    small = [np.lib.stride_tricks.as_strided(np.empty(()), [2 if n != 1 else 1 for n in own], strides) for own, strides in operands]
    with np.nditer([*small, None], [], [["readonly"]] * len(small) + [["writeonly", "allocate"]], order="K") as iterator:
        made = iterator.operands[-1]
        return order_of(ArrayType(made.dtype, made.shape), made.strides)


def reading_order(order: str | None, type: ArrayType, strides: Strides) -> tuple[int, ...] | None:
    """Return the order of the axes in which elements are asked for, by the letter that NumPy has for it; None for C order."""
    reverse = tuple(reversed(range(type.ndim)))
    if order in ("C", None):
        return None
    if order == "F":
        return reverse
    if order not in ("A", "K"):
        raise errors.ValueError(f"order must be one of 'C', 'F', 'A', or 'K' (got '{order}')")
    axes = long_axes(type.shape)
    if len(axes) < 2 or 0 in type.shape:
        return None
    if order == "A":
        return reverse if is_contiguous(type.with_shape(type.shape[::-1]), strides and strides[::-1]) else None
    if strides is None or min(strides) < 0:
        raise unknown_order(type, order)
    return tuple(sorted(range(type.ndim), key=lambda axis: -strides[axis] if axis in axes else 0))


def unknown_order(type: ArrayType, order: str) -> errors.ValueError:
    return errors.ValueError(f"the elements of an array of shape {shape_text(type.shape)} are asked for as they lie in memory (order={order!r}), "
                             "which is not known here; write order='C' or order='F'")


def is_contiguous(type: ArrayType, strides: Strides) -> bool:
    """Return whether the elements follow one another in memory, in C order."""
    if type.size == 0:
        return True
    return strides is not None and all(
        extent == 1 or stride == wanted for extent, stride, wanted in zip(type.shape, strides, strides_in(type), strict=True))


def reshaped_strides(type: ArrayType, strides: Strides, shape: tuple[int, ...]) -> Strides:
    """Return the strides of an array of `type` under another shape, or None where NumPy has to copy it.

    It need not where each run of old axes that is regrouped into a run of new ones lies evenly in memory.
    """
    if type.size == 0:
        return (0,) * len(shape)
    if strides is None:
        return None
    result = []
    for old, new in matching_groups(type.shape, shape):
        axes = [axis for axis in old if type.shape[axis] != 1]
        if any(strides[a] != type.shape[b] * strides[b] for a, b in itertools.pairwise(axes)):
            return None
        stride, run = strides[axes[-1]] if axes else 0, []
        for axis in reversed(new):
            run.append(stride)
            stride *= shape[axis]
        result.extend(reversed(run))
    return tuple(result)

