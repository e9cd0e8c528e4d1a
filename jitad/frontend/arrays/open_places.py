"""Indices of which there are as many as is only known when the compiled function runs: ``a[np.flatnonzero(a > 0)]``.

In: an array, its extents, and a key with slices of integers that are `Ragged`. Out: what NumPy gives, or a change of the array. Invariant: indices
beyond the extents lead to no element that is read or written.
"""

from __future__ import annotations

import numpy as np

from jitad.frontend.arrays.cells import View, wrap
from jitad.frontend.arrays.extents import Extent
from jitad.frontend.arrays.ragged import Extents, Ragged, agreed, made, parts, refused, resized
from jitad.frontend.operations.promotion import to_atom
from jitad.ir import errors
from jitad.ir.program import literal
from jitad.ir.source import user_source
from jitad.ir.types import INT
from jitad.primitives.checks import require


def items_of(key) -> tuple[list, list[int]]:
    """Return the items of a key, and the places of those that are slices of indices."""
    items = list(key) if type(key) is tuple else [key]
    places = [k for k, item in enumerate(items) if isinstance(item, Ragged)]
    if any(items[k].dtype.kind not in "iu" for k in places):
        raise refused("an index by a mask together with others")
    if places != list(range(places[0], places[-1] + 1)) or len(places) > 1 and any(items[k].ndim != 1 for k in places):
        raise refused("an index by several arrays that do not stand side by side, or have several axes,")
    if any(not (type(item) is int or isinstance(item, slice) or isinstance(item, View) and not item.ndim) for item in items[:places[0]]):
        raise refused("an index by arrays, None or Ellipsis")
    return items, places


def gathered(values: View, extents: Extents, key):
    """Return the elements at indices that are slices themselves."""
    items, places = items_of(key)
    first = places[0]
    if any(extent.terms for extent in extents):
        if any(item != slice(None) for item in items if not isinstance(item, Ragged)) or len(places) > 1:
            raise refused("an index by an array together with others")
        index = counted_from_start(items[first], extents[first], first)
        result = np.take(values, index.filled(0), axis=first)
        return made(result, (*extents[:first], *index.extents, *extents[first + 1:]))
    before, found = leading(items), alike(items, places)
    for k in places:
        items[k] = items[k].filled(0)
    result = values[tuple(items)]
    shape = tuple(map(Extent, result.shape))
    return made(result, (*shape[:before], *found, *shape[before + len(found):]))


def leading(items: list) -> int:
    """Return how many axes of the result stand before that of the indices, which is the first one if slices stand between these and others."""
    places = [k for k, item in enumerate(items) if not (isinstance(item, slice) or item is None or item is Ellipsis)]
    return sum(isinstance(item, slice) for item in items[:places[0]]) if places[-1] - places[0] + 1 == len(places) else 0


def alike(items: list, places: list[int]) -> Extents:
    """Give the indices among the items of a key equal room, and return their common extents."""
    found = items[places[0]].extents
    if len(places) > 1:
        room = max(items[k].values.shape[0] for k in places)
        for k in places:
            found = (agreed(*found, *items[k].extents, f"the index at {user_source().short}"),)
        for k in places:
            items[k] = Ragged(wrap(resized(items[k].values.atom, (room,)), scalar=False), found)
    return found


def counted_from_start(index: Ragged, extent: Extent, axis: int) -> Ragged:
    """Return indices of an axis counted from its start, checked."""
    count = wrap(extent.atom())
    valid = np.all((index >= -count) & (index < count))
    count = wrap(require(to_atom(count), to_atom(valid), message=f"index out of bounds for axis {axis} of a slice", error="index"))
    places = np.where(index.values < 0, index.values + count, index.values)
    return Ragged(np.minimum(places, count - 1), index.extents)  # which holds on to the check where all places are known


def change(values: View, extents: Extents, key, value, method=None) -> None:
    """Assign to the elements at indices that are slices themselves, or apply the `method` of a ufunc, as ``np.add.at``.

    Where indices do not count, they lead to a row behind the others.
    """
    items, places = items_of(key)
    if any(extent.terms for extent in extents) or any(items[k].ndim != 1 for k in places):
        raise refused("an assignment by indices of several axes")
    first, (count,) = places[0], alike(items, places)
    for k in places:
        items[k] = checked(items[k], k, values.shape[k], values.shape[k] if k == first else 0)
    if any(item is None for item in items):
        raise refused("an assignment by indices with None")
    ndim = 1 + values.ndim - sum(not (isinstance(item, slice) or item is Ellipsis) for item in items)
    array, own = parts(value)
    axis = len(own) - ndim + leading(items)  # the axis of the value that has an element for each index
    if axis >= 0 and own[axis].number != 1:
        agreed(own[axis], count, f"the assignment at {user_source().short}")
        atom = to_atom(array)
        array = wrap(resized(atom, (*atom.shape[:axis], items[first].shape[0], *atom.shape[axis + 1:])), scalar=False)
    if len(own) > ndim:
        raise errors.ValueError(f"could not broadcast an input array with {len(own)} axes into {ndim}")
    rows, shape = values.shape[first], values.shape
    longer = np.concatenate([values, np.zeros((*shape[:first], 1, *shape[first + 1:]), values.dtype)], axis=first)
    if method is None:
        longer[tuple(items)] = array
    else:
        method(longer, tuple(items), array)
    values[...] = longer[(*[slice(None)] * first, slice(rows))]


def checked(index: Ragged, axis: int, extent: int, fill: int) -> View:
    """Return indices from the start of an axis, `fill` where they do not count."""
    valid = np.all((index >= -extent) & (index < extent))
    text = f"index is out of bounds for axis {axis} with size {extent}"
    fill = require(literal(fill, INT), to_atom(valid), message=text, error="index")
    places = Ragged(np.where(index.values < 0, index.values + extent, index.values), index.extents).filled(0)
    return np.where(wrap(index.mask(), scalar=False), places, wrap(fill))
