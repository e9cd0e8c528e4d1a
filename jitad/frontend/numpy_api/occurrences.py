"""Functions that give as many elements as there are of a kind: `nonzero`, `compress`, `unique` and their like.

In: a traced condition. Out: slices with room for as many elements as there may be (`Ragged`), whose extents are known when the compiled
function runs; where the condition follows from arrays outside alone, arrays.
"""

from __future__ import annotations

import numpy as np

from jitad.frontend.arrays.array import Array
from jitad.frontend.arrays.cells import is_traced
from jitad.frontend.arrays.extents import Extent, extent_of
from jitad.frontend.arrays.masks import Selected
from jitad.frontend.arrays.ragged import Ragged
from jitad.frontend.numpy_api.operands import asarray, flat_unless
from jitad.frontend.numpy_api.table import implements
from jitad.frontend.tracing.concrete import known, value
from jitad.ir import errors


def is_decided(condition) -> bool:
    """Return whether a condition is known while the function is traced."""
    return not is_traced(condition) or bool(condition.origins) or known(condition.atom) is not None


def decided(condition):
    return value(condition, "a condition", "array") if is_traced(condition) else np.asarray(condition)


@implements(np.flatnonzero)
def flatnonzero(a):
    a = asarray(a)
    if is_decided(a):
        return np.flatnonzero(decided(a))
    mask = np.ravel(a != 0)
    return Ragged(np.argsort(~mask, kind="stable"), (extent_of(np.sum(mask, dtype=np.int64)),))


@implements(np.nonzero)
def nonzero(a):
    a = asarray(a)
    if is_decided(a):
        return np.nonzero(decided(a))
    if not a.ndim:
        raise errors.ValueError("np.nonzero of a 0-d array; use np.atleast_1d")
    flat, mask = flatnonzero(a), a != 0
    places, rest = [], flat.values
    for extent in a.shape[:0:-1]:
        rest, place = rest // extent, rest % extent
        places.append(place)
    result = tuple(Ragged(place, flat.extents) for place in [rest, *places[::-1]])
    for axis, place in enumerate(result):
        place.where = mask, axis
    return result


@implements(np.argwhere)
def argwhere(a):
    places = np.nonzero(np.atleast_1d(asarray(a)))
    if not isinstance(places[0], Ragged):
        return np.argwhere(decided(asarray(a)))
    return Ragged(np.stack([place.values for place in places], 1), (*places[0].extents, Extent(len(places))))


@implements(np.compress)
def compress(condition, a, axis=None, out=None):
    a, axis = flat_unless(a, axis)
    condition = asarray(condition, bool)
    places = np.flatnonzero(condition)
    if not isinstance(places, Ragged):
        return np.take(a, places, axis)
    if condition.shape != a.shape[axis : axis + 1]:
        raise errors.ValueError(f"np.compress: a condition of shape {condition.shape} for an axis of extent {a.shape[axis]}")
    return a[(*[slice(None)] * axis, places)]


@implements(np.extract)
def extract(condition, arr):
    return np.compress(np.ravel(asarray(condition)), np.ravel(asarray(arr)))


@implements(np.unique)
def unique(ar, return_index=False, return_inverse=False, return_counts=False, axis=None, *, equal_nan=True, sorted=True):
    """The first of each run of equal elements of the sorted array."""
    if return_index or return_inverse or return_counts or axis is not None:
        raise errors.NotImplementedError("np.unique of a traced array with options; jitad knows the sorted elements alone")
    x: Array = np.sort(np.ravel(asarray(ar)))
    if not x.size:
        return x
    differs = x[1:] != x[:-1]
    if equal_nan and x.dtype.kind in "fc":
        differs = differs & ~(np.isnan(x[1:]) & np.isnan(x[:-1]))
    return Selected(x, np.concatenate([np.ones(1, bool), differs])).packed()
