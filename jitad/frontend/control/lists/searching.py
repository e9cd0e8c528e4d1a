"""Places in lists, and in what order they stand: ``index``, ``remove`` and ``sort`` of lists, and the functions of `bisect`.

In: lists with traced elements, in arrays or not. Out: places, or the lists as Python's methods leave them. Invariant: of equal elements the first is
found, and their order is kept.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable

import numpy as np

from jitad.frontend.arrays.array import Array, wrap
from jitad.frontend.arrays.ragged import Ragged
from jitad.frontend.control.comparisons import equal, precedes
from jitad.frontend.control.lists.appended import Appended
from jitad.frontend.control.orders import as_numbers, in_order_of, itself
from jitad.frontend.control.raising import raise_where
from jitad.frontend.control.vectorize import on_elements
from jitad.frontend.hooks.own_code import traced_as_users
from jitad.frontend.numpy_api.builtins import BUILTINS
from jitad.frontend.numpy_api.operands import asarray
from jitad.frontend.operations.promotion import contains_traced, to_atom, whole
from jitad.frontend.tracing.growable import Growable
from jitad.frontend.tracing.trace import current_trace
from jitad.ir import errors


def integer(x: Array) -> Array:
    """Return a place as an int of Python."""
    return wrap(to_atom(x), weak=True, scalar=True)


def index(x: list, value, *bounds):
    if bounds or not contains_traced([value, x]):
        if isinstance(x, Appended):
            raise errors.NotImplementedError("index of a list with bounds; write x[start:stop].index(value) + start")
        return list.index(x, value, *bounds)
    found = x.as_array() == value if isinstance(x, Appended) else np.stack([asarray(equal(value, item)) for item in x])
    raise_where(to_atom(~np.any(found)), ValueError("the value is not in the list"))
    return integer(np.argmax(found))


def remove(x: list, value) -> None:
    if isinstance(x, Appended):
        x.pop(index(x, value))
    elif not contains_traced([value, x]):
        list.remove(x, value)
    else:
        place, items = index(x, value), [*x]
        x[:] = [np.where(place <= k, items[k + 1], items[k])[()] for k in range(len(items) - 1)]


def sort(x: list, *, key: Callable | None = None, reverse: bool = False) -> None:
    if isinstance(x, Appended):
        array = x.as_array()
        ragged = isinstance(array, Ragged)
        if key is not None:
            keys = on_elements(key, key)(array.values if ragged else array)
            array = Ragged(keys, array.extents) if ragged else keys
        if array.ndim != 1 or array.dtype.kind not in "biuf":
            raise errors.NotImplementedError("sort of a list of other elements than numbers; sort it by a key= that gives a number for each")
        places = np.argsort(-array if reverse else array, kind="stable")
        order = np.arange(x.store.capacity)
        x.store.rearrange(places.values if ragged else np.concatenate([places, order[len(array):]]))
    elif key is None and not contains_traced(x):
        list.sort(x, reverse=reverse)
    else:
        x[:] = [*in_order_of(x, key or itself, reverse)]


for _own in (index, remove, sort):
    setattr(Growable, _own.__name__, _own)
    setattr(Appended, _own.__name__, _own)


# --- sorted lists ----------------------------------------------------------------------------------------------------------------------


def place_for(side: str, original: Callable) -> Callable:
    def place(a, x, lo=0, hi=None, *, key=None):
        if not contains_traced([a, x, lo, hi]) and key is None:
            return original(a, x, lo, hi)
        if key is not None or hi is not None or lo != 0:
            raise errors.NotImplementedError("bisect of traced values with lo, hi or key; use np.searchsorted")
        a = whole(a)
        numbers = a if isinstance(a, Ragged) else as_numbers(a if isinstance(a, Array) else list(a))
        return integer(np.searchsorted(numbers, x, side))

    return place


@traced_as_users
def insort_right(a, x):
    a.append(x)
    place = len(a) - 1
    while place > 0 and precedes(x, a[place - 1]):
        a[place] = a[place - 1]
        place = place - 1
    a[place] = x


@traced_as_users
def insort_left(a, x):
    a.append(x)
    place = len(a) - 1
    while place > 0 and not precedes(a[place - 1], x):
        a[place] = a[place - 1]
        place = place - 1
    a[place] = x


def insertion(original: Callable, own: Callable) -> Callable:
    def insort(a, x, lo=0, hi=None, *, key=None):
        if current_trace() is None:
            original(a, x, lo, hi, key=key)
        elif key is not None or hi is not None or lo != 0:
            raise errors.NotImplementedError("bisect.insort of traced values with lo, hi or key; write the loop")
        else:
            own(a, x)

    return insort


for _side in ("left", "right"):
    BUILTINS[getattr(bisect, f"bisect_{_side}")] = place_for(_side, getattr(bisect, f"bisect_{_side}"))
for _own in (insort_left, insort_right):
    BUILTINS[getattr(bisect, _own.__name__)] = insertion(getattr(bisect, _own.__name__), _own)
