"""`max`, `min` and `sorted` by the values of a function, and `max` and `min` of what may be empty.

In: what Python's functions are called with, within a trace. Out: the element, or the list, that they would give. Invariant: of elements with equal
values the first is first, and a NaN wins only where it comes first.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import numpy as np

from jitad.frontend.arrays.array import Array, wrap
from jitad.frontend.arrays.cells import captured, is_traced
from jitad.frontend.arrays.ragged import Ragged
from jitad.frontend.control.branches import choose
from jitad.frontend.control.lists.appended import Appended, in_array
from jitad.frontend.control.lists.elements import in_arrays
from jitad.frontend.control.lists.lookups import element
from jitad.frontend.control.vectorize import on_elements
from jitad.frontend.numpy_api.builtins import BUILTINS
from jitad.frontend.operations.promotion import contains_traced, from_nest, to_atom
from jitad.frontend.tracing.growable import Growable
from jitad.frontend.tracing.programs import Leaf
from jitad.frontend.tracing.trace import current_trace
from jitad.ir import errors

FEW = 16  # elements for each of which the function is traced


def in_memory(items):
    """Return what is to be compared: a range, an array of numbers, or a list."""
    if isinstance(items, range) or isinstance(items, Array | np.ndarray) and items.ndim == 1:
        return items
    return list(items)


def keys_of(items, key: Callable) -> list | Array:
    """Return the values of a function of some elements."""
    if isinstance(items, list) or len(items) <= FEW:
        return [key(x) for x in items]
    return on_elements(key, key)(traced(np.array(items) if isinstance(items, range) else items))


def as_numbers(keys: list | Array) -> Array:
    found = from_nest(keys) if isinstance(keys, list) else keys
    if found.ndim != 1 or found.dtype.kind not in "biuf":
        raise errors.NotImplementedError("elements are compared by something else than one real number each, which is only known when the compiled "
                                         "function runs; give key= a function that returns a number")
    return found * 1 if found.dtype.kind == "b" else found


def itself(x):
    return x


def are_rows(items) -> bool:
    """Return whether there are several numbers in each of some elements, which are compared by the first that differ."""
    if not isinstance(items, list | tuple) or in_arrays(items) or len(items) == 0:
        return False
    return all(isinstance(x, list | tuple) and not in_arrays(x) and len(x) == len(items[0]) for x in items)


def order_of(keys: list | Array, reverse: bool) -> Array:
    """Return the places of keys in the order of their values."""
    columns = [as_numbers(list(column)) for column in zip(*keys, strict=True)] if are_rows(keys) else [as_numbers(keys)]
    return np.lexsort(tuple(-numbers if reverse else numbers for numbers in reversed(columns)))


def item(items, place: Array):
    """Return the element at a place."""
    if isinstance(items, range):
        return items.start + items.step * wrap(place.atom, weak=True, scalar=True)
    return element(items, place) if isinstance(items, list) else traced(items)[place]


def traced(items: Array | np.ndarray) -> Array:
    return captured(items) if isinstance(items, np.ndarray) else items


def extremum(function: Callable, place: Callable, worst: float) -> None:
    """Redirect ``max`` or ``min``."""
    without_key = BUILTINS[function]

    @functools.wraps(function)
    def best(*args, key=None, **default):
        if current_trace() is None:
            return function(*args, key=key, **default)
        args = [list(x) if isinstance(x, Iterator) else x for x in args]
        if key is None and are_rows(args if len(args) > 1 else args[0]):
            key = itself
        if key is None:
            return without_key(*args, **default) if "default" not in default else or_default(args[0], **default)
        items = in_memory(args if len(args) > 1 else args[0])
        keys = keys_of(items, key) if len(items) else []
        if not len(items):
            return function((), **default)
        if not contains_traced(keys):
            return items[function(range(len(items)), key=keys.__getitem__)]
        if are_rows(keys):
            return item(items, order_of(keys, function is max)[0])
        numbers = as_numbers(keys)
        if numbers.dtype.kind == "f":
            numbers = np.where(np.isnan(numbers), np.where(np.isnan(numbers[0]) & (np.arange(len(items)) == 0), -worst, worst), numbers)
        return item(items, place(numbers))

    def or_default(items, default):
        items = items if isinstance(items, Appended | Ragged | Array) else list(items)
        if isinstance(items, Appended) and is_traced(items.length()):
            return choose(items.length() > 0, lambda: without_key(items), lambda: default)
        return without_key(items) if len(items) else default

    BUILTINS[function] = best


def in_order_of(items, key: Callable, reverse: bool) -> list:
    """``sorted(items, key=key, reverse=reverse)``."""
    items = in_memory(items)
    keys = keys_of(items, key) if len(items) else []
    if not contains_traced(keys):
        return Growable([items[k] for k in sorted(range(len(items)), key=list(keys).__getitem__, reverse=bool(reverse))])
    order = order_of(keys, reverse)
    if isinstance(items, list):
        return Growable([element(items, order[k]) for k in range(len(items))])
    found = items.start + items.step * order if isinstance(items, range) else item(items, order)
    kind = "python" if isinstance(items, range) else "scalar"
    return in_array(wrap(to_atom(found), scalar=False).copy(), Leaf(found.type.with_shape(()), kind))


extremum(max, np.argmax, -np.inf)
extremum(min, np.argmin, np.inf)
