"""Traced values where NumPy does not look for them: in lists, and in arguments by which it does not dispatch.

``np.mean([x, y])``, ``np.take(table, i)``: the syntax rewriter finds such functions in `REDIRECTS` too; ufuncs, as in
``np.maximum([x, y], 0)``, it wraps by `reading_lists`. What they do with traced arguments is what `FUNCTIONS` says.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from jitad.frontend.arrays.array import FUNCTIONS
from jitad.frontend.arrays.ragged import Ragged
from jitad.frontend.numpy_api.operands import asarray
from jitad.frontend.operations.promotion import NESTS, contains_traced, whole


def looking_inside(function: Callable, implementation: Callable) -> Callable:
    @functools.wraps(function)
    def call(*args, **kwargs):
        args = [whole(x) for x in args]
        traced = contains_traced(args) or contains_traced(list(kwargs.values()))
        if any(isinstance(y, Ragged) for x in args for y in (x if isinstance(x, list | tuple) else (x,))):
            return function(*args, **kwargs)
        return (implementation if traced else function)(*args, **kwargs)

    return call


@functools.cache
def reading_lists(ufunc: Callable) -> Callable:
    """Return what is called in the place of a ufunc or a method of it."""
    indexing = ufunc.__name__ == "at"

    def read(place: int, x):
        if not isinstance(x, NESTS) or not contains_traced(x) or indexing and place == 1 and isinstance(x, tuple):
            return x  # a tuple that addresses elements is an index for each axis, not an array
        return asarray(x)

    def call(*args, **kwargs):
        return ufunc(*[read(place, whole(x)) for place, x in enumerate(args)], **kwargs)

    return call


def complete(redirects: dict[Callable, Callable]) -> None:
    """Add all functions of `FUNCTIONS` to `redirects`."""
    for function, implementation in FUNCTIONS.items():
        redirects[function] = looking_inside(redirects.get(function, function), implementation)
