"""Keys of indexing, in terms of the axes of the array.

In: a key as Python hands it over, and the shape of the array. Out: an `Index`. Invariant: integers, and elements of arrays that are known, are
checked to be in range here.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from jitad.frontend.arrays.cells import View
from jitad.frontend.arrays.views import Box
from jitad.frontend.operations.promotion import as_operand
from jitad.frontend.tracing.trace import pin
from jitad.ir import errors
from jitad.ir.program import Literal
from jitad.ir.types import BOOL, INT

WRONG_KIND = "only integers, slices (`:`), ellipsis (`...`), numpy.newaxis (`None`) and integer or boolean arrays are valid indices"
TRACED_MASK = ("the shape of a[mask] depends on values that are only known when the kernel runs; compute on whole arrays and select "
               "with np.where(mask, ..., ...), or reduce with the argument where=mask")
ARRAYS = (View, np.ndarray)
INDICES = (int, *ARRAYS)


class Index(NamedTuple):
    """A key in terms of the axes of the array.

    `box` selects by integers and slices and is whole along the axes that `arrays` index; `arrays` maps axes shown by the box to
    indices; `place` is where the axes of the indices stand in the result; `copies` says that NumPy gives a copy, not a view;
    `scalar` that it gives a scalar.
    """

    box: Box
    arrays: dict[int, object]
    place: int
    copies: bool
    scalar: bool


def parse(key, shape: tuple[int, ...]) -> Index:
    """Return what a key means for an array of `shape`."""
    items = [classify(item) for item in key] if type(key) is tuple else [classify(key)]
    advanced = [position for position, item in enumerate(items) if isinstance(item, INDICES)]
    fancy = any(isinstance(items[position], ARRAYS) and items[position].ndim for position in advanced)
    start, step, count, axes, arrays, place = [], [], [], [], {}, 0
    axis = 0
    for position, item in expand(items, shape):
        if fancy and position == advanced[0] and not arrays:
            place = len(axes)
        if item is None:
            axes.append(None)
            continue
        extent, first, stride, number = shape[axis], 0, 1, shape[axis]
        if isinstance(item, int):
            first, number = checked(item, axis, extent), 1
        elif isinstance(item, ARRAYS):
            check_range(item, axis, extent)
            arrays[len(axes)] = item
            axes.append(axis)
        else:
            first, stop, stride = item.indices(extent)
            number = len(range(first, stop, stride))
            axes.append(axis)
        start.append(first if number else 0)
        step.append(stride)
        count.append(number)
        axis += 1
    adjacent = not advanced or advanced[-1] - advanced[0] == len(advanced) - 1
    return Index(Box(tuple(start), tuple(step), tuple(count), tuple(axes)), arrays, place if adjacent else 0,
                 copies=any(not isinstance(item, View) or not item.scalar for item in arrays.values()),
                 scalar=len(advanced) == len(items) == len(shape) and not fancy)


def classify(item):
    """Return an entry of a key as None, Ellipsis, a slice, an int, or an array of integers or booleans."""
    if item is None or item is Ellipsis or isinstance(item, slice) or type(item) is int:
        return item
    if isinstance(item, list | tuple | range):
        item = as_operand(list(item) if isinstance(item, range) else item)
        if item.dtype.kind == "f" and item.size:
            raise errors.IndexError(WRONG_KIND)
        item = item if item.size else item.astype(INT)
    if isinstance(item, bool | np.bool) or (isinstance(item, ARRAYS) and item.dtype == BOOL and item.ndim == 0):
        raise errors.IndexError("a single boolean is not an index; write np.where(condition, ..., ...)")
    if isinstance(item, View) and isinstance(item.atom, Literal) and item.dtype.kind in "iu":
        return int(item.atom.value)
    if isinstance(item, ARRAYS):
        if item.dtype.kind in "iub":
            return item
        raise errors.IndexError("arrays used as indices must be of integer (or boolean) type" if item.ndim else
                                WRONG_KIND)
    try:
        return operator.index(item)
    except TypeError:
        raise errors.IndexError(WRONG_KIND) from None


def expand(items: list, shape: tuple[int, ...]) -> Iterator[tuple[int, object]]:
    """Yield the entries with their positions in the key, one for each axis of the array and each new one."""
    missing = len(shape) - consumed(items)
    if missing < 0:
        raise errors.IndexError(f"too many indices for array: array is {len(shape)}-dimensional, but {consumed(items)} were "
                                "indexed")
    ellipses = [position for position, item in enumerate(items) if item is Ellipsis]
    if len(ellipses) > 1:
        raise errors.IndexError("an index can only have a single ellipsis ('...')")
    axis = 0
    for position, item in enumerate(items if ellipses else [*items, Ellipsis]):
        if item is Ellipsis:
            yield from [(position, slice(None))] * missing
            axis += missing
        elif is_mask(item):
            check_mask(item, axis, shape)
            yield from [(position, index) for index in pin(item).nonzero()]
            axis += item.ndim
        else:
            yield position, item
            axis += item is not None


def consumed(items: list) -> int:
    """Return how many axes of an array the entries of a key stand for, Ellipsis apart."""
    return sum(item.ndim if is_mask(item) else item is not None and item is not Ellipsis for item in items)


def is_mask(item) -> bool:
    return isinstance(item, ARRAYS) and item.dtype == BOOL


def check_mask(mask, axis: int, shape: tuple[int, ...]) -> None:
    for k, extent in enumerate(mask.shape, axis):
        if extent != shape[k]:
            raise errors.IndexError(f"boolean index did not match indexed array along axis {k}; size of axis is "
                                    f"{shape[k]} but size of corresponding boolean axis is {extent}")


def out_of_range(index: int, axis: int, extent: int) -> errors.IndexError:
    return errors.IndexError(f"index {index} is out of bounds for axis {axis} with size {extent}")


def checked(index: int, axis: int, extent: int) -> int:
    """Return an index counted from the start, or raise if there is no such element."""
    if not -extent <= index < extent:
        raise out_of_range(index, axis, extent)
    return index + extent if index < 0 else index


def check_range(array, axis: int, extent: int) -> None:
    """Raise if an array of indices, known at trace time, leaves the axis."""
    if isinstance(array, np.ndarray):
        wrong = (array < -extent) | (array >= extent)
        if wrong.any():
            raise out_of_range(int(array[wrong].flat[0]), axis, extent)


def axis_number(axis, ndim: int, name: str | None = None) -> int:
    """Return an axis counted from the front."""
    try:
        return normalize_axis_index(axis, ndim, name)
    except np.exceptions.AxisError as error:
        raise errors.AxisError(str(error)) from None
