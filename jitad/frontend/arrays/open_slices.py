"""Indices with bounds that are only known when the compiled function runs: ``A[i, :j]``, ``x[i + 1:]``.

In: an array, its extents, and a key with traced bounds. Out: a `Ragged`. It is a view as NumPy's slices are: written to, it changes what it
is a slice of. Invariant: what lies beyond the extents is neither read nor written.
"""

from __future__ import annotations

import operator

import numpy as np

from jitad.frontend.arrays.cells import View, wrap
from jitad.frontend.arrays.extents import Extent, at_least_zero, clipped, extent_of, from_end, opaque, quotient
from jitad.frontend.arrays.keys import classify, consumed, expand
from jitad.frontend.arrays.masks import Selected, packed
from jitad.frontend.arrays.open_places import change, gathered
from jitad.frontend.arrays.ragged import Extents, Ragged, agreed, parts, resized
from jitad.frontend.arrays.views import Box, Window
from jitad.frontend.operations.promotion import cast, to_atom
from jitad.frontend.tracing.concrete import known
from jitad.ir import errors
from jitad.ir.facts import same
from jitad.ir.source import user_source
from jitad.primitives.checks import require
from jitad.primitives.elementwise.comparisons import ge, lt
from jitad.primitives.structural.shaping import broadcast
from jitad.primitives.structural.spans import Span


def is_open(key) -> bool:
    """Return whether a key has slices with bounds that are not known, or ragged indices."""
    if type(key) is tuple:
        return any(map(is_open, key))
    if isinstance(key, slice):
        return is_open_bound(key.start) or is_open_bound(key.stop)
    return isinstance(key, Ragged | Selected)


def is_open_bound(x) -> bool:
    return isinstance(x, View) and x.ndim == 0 and x.origins is None and known(x.atom) is None


def packed_key(key):
    """Return a key whose selections by masks are slices."""
    return tuple(map(packed, key)) if type(key) is tuple else packed(key)


def get(values: View, extents: Extents, key):
    """Return what a key selects."""
    key = packed_key(key)
    if isinstance(key, Ragged) and key.dtype == bool:
        return values[mask_below(values, extents, key)]
    if any(extent.terms for extent in extents):
        key = tuple(map(counted, key)) if type(key) is tuple else counted(key)
    if any(isinstance(item, Ragged) for item in (key if type(key) is tuple else (key,))):
        return gathered(values, extents, key)
    view, found, scalar = selected(values, extents, key)
    if any(extent.terms for extent in found):
        return Ragged(view, found)
    return wrap(view.atom, scalar=True) if scalar else view


def counted(item):
    """Return an array of indices as one whose extents may be unknown."""
    item = item if isinstance(item, Ragged) else classify(item)
    whole = isinstance(item, np.ndarray | View) and item.ndim and item.dtype.kind in "iu"
    return Ragged(wrap(to_atom(item), scalar=False), tuple(map(Extent, item.shape))) if whole else item


def put(values: View, extents: Extents, key, value) -> None:
    """Perform an assignment to what a key selects."""
    key = packed_key(key)
    if isinstance(key, Ragged) and key.dtype == bool:
        values[mask_below(values, extents, key)] = value
        return
    if any(isinstance(item, Ragged) for item in (key if type(key) is tuple else (key,))):
        change(values, extents, key, value)
        return
    view, found, _ = selected(values, extents, key)
    if not same_place(view, value):
        assign(view, found, value)


def mask_below(values: View, extents: Extents, mask: Ragged) -> View:
    """Return a mask of the elements that count as one of all elements."""
    for own, other in zip(extents, mask.extents, strict=False):
        agreed(own, other, f"the mask at {user_source().short}")
    shape = values.shape[: mask.ndim]
    return wrap(resized(mask.filled(0).atom, shape), scalar=False)


def same_place(view: View, value) -> bool:
    """Return whether what is assigned is the very slice that it is assigned to, as ``a[i:] += x`` does in the end."""
    other = value.values if isinstance(value, Ragged) else value
    while isinstance(other, View) and view is not other:
        if view.base is None or other.base is None or not same_step(view.step, other.step):
            return False
        view, other = view.base, other.base
    return isinstance(other, View)


def same_step(one, other) -> bool:
    if isinstance(one, Window) and isinstance(other, Window):
        return one.spans == other.spans and all(map(same, one.scalars, other.scalars))
    return one == other


def assign(view: View, extents: Extents, value) -> None:
    """Write a value, broadcast, to the elements of `view` that count."""
    array, own = parts(value)
    surplus = max(len(own) - len(extents), 0)
    if any(extent.number != 1 for extent in own[:surplus]):
        raise errors.ValueError(f"could not broadcast an input array with {len(own)} axes into {len(extents)}")
    atom = to_atom(array)
    if surplus:
        atom = Box((0,) * len(own), (1,) * len(own), atom.shape, tuple(range(surplus, len(own)))).read(atom)
        own = own[surplus:]
    atom = cast(atom, view.type.dtype)
    what = f"the assignment at {user_source().short}"
    checks = [agreed(own[axis], extents[axis], what) if own[axis].number != 1 else own[axis] for axis in range(-len(own), 0)]
    if not all(map(Extent.equals, checks, own)):
        spans = tuple(Span(0, 1, extent, not check.equals(e)) for extent, check, e in zip(atom.shape, checks, own, strict=True))
        counts = [check.atom() for check, e in zip(checks, own, strict=True) if not check.equals(e)]
        atom = Window(spans, tuple(counts)).read(atom)
    shape = tuple(1 if own[axis].number == 1 else view.shape[axis] for axis in range(-len(own), 0))
    atom = resized(atom, shape)
    view.assign(atom if atom.shape == view.shape else broadcast(atom, shape=view.shape))


def selected(values: View, extents: Extents, key) -> tuple[View, Extents, bool]:
    """Return the view that a key of integers, slices, None and Ellipsis selects, its extents, and whether it is a scalar."""
    items = [classify(item) for item in key] if type(key) is tuple else [classify(key)]
    for item in items:
        if isinstance(item, np.ndarray) or isinstance(item, View) and item.ndim:
            raise errors.NotImplementedError("an array of indices together with a slice whose extent is only known when the compiled function "
                                             "runs; index in two steps, x[array][..., :k]")
    spans, scalars, counts, axes, found = [], [], [], [], []
    axis = 0
    for _, item in expand(items, values.shape):
        if item is None:
            axes.append(None)
            found.append(Extent(1))
            continue
        if isinstance(item, slice) and item == slice(None):
            start, step, count, most = Extent(0), 1, Extent(values.shape[axis]), values.shape[axis]
            axes.append(axis)
            found.append(extents[axis])
        elif isinstance(item, slice):
            start, step, count, most = resolved(item, extents[axis], values.shape[axis])
            axes.append(axis)
            found.append(count)
        else:
            start, step, count, most = index_in(item, extents[axis], axis), 1, Extent(1), 1
        spans.append(Span(start.number, step, most, count.number is None))
        scalars += [] if start.number is not None else [start.atom()]
        counts += [] if count.number is not None else [count.atom()]
        axis += 1
    view = values
    if any(span != Span(0, 1, extent) for span, extent in zip(spans, values.shape, strict=True)):
        view = values.stepped(Window(tuple(spans), (*scalars, *counts)))
    if axes != list(range(len(spans))):
        view = view.stepped(Box((0,) * len(spans), (1,) * len(spans), view.shape, tuple(axes)))
    return view, tuple(found), consumed(items) == len(items) == len(extents) and not found


def index_in(item, extent: Extent, axis: int) -> Extent:
    """Return the place of an index in an axis, checked."""
    place = extent_of(item)
    if extent.number is not None and place.number is not None:
        if not -extent.const <= place.const < extent.const:
            raise errors.IndexError(f"index {place.const} is out of bounds for axis {axis} with size {extent.const}")
        return place + (extent.const if place.const < 0 else 0)
    if extent.number is not None:
        return place
    place = from_end(place, extent)
    if place.at_least(0) and extent.at_least(place + 1):
        return place
    atom = place.atom()
    inside = ge(atom, 0) & lt(atom, extent.atom())
    text = f"index out of bounds for axis {axis} of a slice"
    return opaque(require(atom, inside, message=text, error="index"))


def resolved(item: slice, extent: Extent, most: int) -> tuple[Extent, int, Extent, int]:
    """Return start, step and count of a slice of an axis, and the greatest count that there may be.

    As in NumPy, bounds below zero count from the end, and are moved into the axis where they lie outside.
    """
    step = 1 if item.step is None else operator.index(item.step)
    if step == 0:
        raise errors.ValueError("slice step cannot be zero")
    low, high = (Extent(0), extent) if step > 0 else (Extent(-1), extent - 1)
    first, last = (low, high) if step > 0 else (high, low)
    start, stop = (default if bound is None else clipped(from_end(extent_of(bound), extent), low, high)
                   for bound, default in ((item.start, first), (item.stop, last)))
    length = stop - start if step > 0 else start - stop
    count = quotient(at_least_zero(length), abs(step))
    found = count.bounds()
    limit = min(-(-most // abs(step)), most if found is None else max(found[1], 0))
    if item.start is not None and item.stop is not None:
        apart = (extent_of(item.stop) - extent_of(item.start)).number
        if apart is not None and apart * step >= 0:  # else one may count from the end alone
            limit = min(limit, -(-abs(apart) // abs(step)))
    if count.number is not None:
        limit = count.const
        start = start if limit else Extent(0)
    return start, step, count, limit
