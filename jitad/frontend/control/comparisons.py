"""Comparisons: chains of them, and ``in`` and ``not in``.

In: operands, in a chain all but the first as functions without arguments. Out: what Python gives, traced if it is only known when the
compiled function runs. Invariant: an operand is computed at most once, and only if those before it leave the comparison open.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable

import numpy as np

from jitad.frontend.arrays.cells import View
from jitad.frontend.arrays.ragged import Ragged
from jitad.frontend.control.branches import all_of, decided, not_
from jitad.frontend.control.trials import distributed, is_
from jitad.frontend.operations.promotion import contains_traced, whole
from jitad.frontend.variants import Variant

SEQUENCES = (list, tuple)
KEYED = (dict, set, frozenset)


def contains(element, container):
    """``element in container``."""
    if isinstance(element, Variant) or isinstance(container, Variant):
        return distributed(contains, element, container)
    container = whole(container)
    traced = contains_traced(element)
    if isinstance(container, View | Ragged) or traced and isinstance(container, np.ndarray):
        return np.any(container == element)
    if traced and isinstance(container, range):
        low, high = sorted((container[0], container[-1])) if container else (1, 0)
        return (element >= low) & (element <= high) & ((element - low) % abs(container.step) == 0)
    if isinstance(container, SEQUENCES) and (traced or contains_traced(container)) or traced and isinstance(container, KEYED):
        return either(equal(element, item) for item in container)
    return element in container


def lacks(element, container):
    """``element not in container``."""
    return not_(contains(element, container))


def equal(x, y):
    """Return whether an element is another one, or equal to it."""
    if x is y:
        return True
    if isinstance(x, SEQUENCES) and type(x) is type(y) and contains_traced((x, y)):
        return len(x) == len(y) and not_(either(not_(equal(a, b)) for a, b in zip(x, y, strict=True)))
    return x == y


def either(found: Iterable):
    """Return whether one of some comparisons holds; what holds already decides."""
    result = False
    for one in found:
        if decided(one):
            return True
        result = result if decided(one) is False else one if result is False else result | one
    return result


def ordered(compare: Callable, x, y):
    """``x < y`` or its like; tuples and lists are compared by their first elements that differ."""
    if not (isinstance(x, SEQUENCES) and type(x) is type(y) and contains_traced((x, y))):
        return compare(x, y)
    result = compare(len(x), len(y))
    for a, b in reversed(list(zip(x, y, strict=False))):
        same = equal(a, b)
        if decided(same) is False:
            result = ordered(compare, a, b)
        elif not decided(same):
            result = same & result | not_(same) & ordered(compare, a, b)
    return result


precedes = functools.partial(ordered, operator.lt)
COMPARE = {**{name: functools.partial(ordered, getattr(operator, name)) for name in ("lt", "le", "gt", "ge")}, "eq": operator.eq,
           "ne": operator.ne, "is_": is_, "is_not": functools.partial(is_, same=False), "in_": contains, "not_in": lacks}  # fmt: skip


def chain(left, names: tuple[str, ...], *operands: Callable):
    """``left < operands[0]() < ...``."""
    right = operands[0]()
    compared = COMPARE[names[0]](left, right)
    if len(names) == 1:
        return compared
    return all_of(compared, lambda: chain(right, names[1:], *operands[1:]))
