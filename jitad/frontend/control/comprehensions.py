"""List comprehensions, and generators that are used up at once, as loops that append to a list.

In: iterables, and what is done with an element, as functions. Out: the list. Invariant: what does not decide anything when the compiled
function runs, and does not record much, is done as in plain Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from jitad.frontend.arrays.cells import is_traced
from jitad.frontend.control.branches import branch
from jitad.frontend.control.iterables import Sequence, Unroll, sequence_of
from jitad.frontend.control.lists.appended import Appended
from jitad.frontend.control.state import Site
from jitad.frontend.control.statements import for_loop, is_large
from jitad.frontend.tracing.growable import Growable
from jitad.frontend.tracing.trace import current_trace

NO_SITE = ((),)


def collected(fill: Callable) -> list:
    """Return the list that ``fill(list)`` appends to."""
    result = [] if current_trace() is None else Growable()
    fill(result)
    return result


def collect(result: list, value) -> None:
    result.append(value)


def each(iterable: Iterable, names: tuple | None, function: Callable) -> None:
    """Call a function with the parts of each element that `names` tells: None for the whole, else a tuple for the parts of a tuple."""
    def body(item):
        function(*parts(item, names))

    sequence = None if isinstance(iterable, Unroll) or current_trace() is None else sequence_of(iterable)
    if sequence is not None and is_long(sequence, body, function):
        for_loop(iterable, body, None, NO_SITE, NO_SITE)
    else:
        for item in iterable:
            body(item)


def filtered(function: Callable | None, iterable: Iterable) -> Iterable:
    """``filter``: of elements of which it is only known when the compiled function runs whether they are taken, the list."""
    if current_trace() is None or not hasattr(iterable, "__len__"):
        return filter(function, iterable)

    def pick(result: list, item) -> None:
        when(item if function is None else function(item), lambda: collect(result, item))

    found = collected(lambda result: each(iterable, None, lambda item: pick(result, item)))
    return found if isinstance(found, Appended) else iter(found)


def is_long(sequence: Sequence, body: Callable, function: Callable) -> bool:
    return is_traced(sequence.length) or is_large(sequence, body, Site(()), function.__code__)


def when(test, function: Callable) -> None:
    """Call a function if a condition holds."""
    branch(test, function, None, NO_SITE)


def parts(item, names: tuple | None) -> list:
    """Return the parts of an element, from left to right."""
    if names is None:
        return [item]
    items = list(item)
    if len(items) != len(names):
        raise ValueError(f"not enough values to unpack (expected {len(names)}, got {len(items)})" if len(items) < len(names) else
                         f"too many values to unpack (expected {len(names)})")
    return [part for x, inner in zip(items, names, strict=True) for part in parts(x, inner)]
