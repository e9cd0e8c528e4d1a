"""What the implementations share: arguments as arrays, axes, dtypes, and index vectors known at trace time."""

from __future__ import annotations

import operator
from collections.abc import Sequence

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from jitad.frontend.arrays.array import Array, is_traced, to_atom, wrap
from jitad.frontend.operations.promotion import contains_traced, from_nest
from jitad.frontend.tracing.concrete import value
from jitad.frontend.tracing.trace import pin
from jitad.ir import errors
from jitad.ir.program import Atom, literal
from jitad.primitives.structural.shaping import broadcast

FEW = 8


def asarray(x, dtype=None) -> Array:
    """Return `x` as an `Array`: traced arrays themselves, anything else as ``np.asarray`` reads it."""
    if not is_traced(x):
        x = from_nest(x) if contains_traced(x) else wrap(to_atom(np.asarray(x, dtype)), scalar=False)
    elif x.scalar:
        x = wrap(to_atom(x), scalar=False)
    return x if dtype is None or x.dtype == dtype else x.astype(dtype)


def filled(value, shape: Sequence[int], dtype) -> Atom:
    """Return an atom filled with a number known at trace time."""
    atom = literal(value, dtype)
    return broadcast(atom, shape=tuple(map(operator.index, shape))) if shape else atom


def axes_of(axis, ndim: int) -> tuple[int, ...]:
    """Return the axes that NumPy's argument `axis` (None, an int or a tuple) stands for, ascending."""
    if axis is None:
        return tuple(range(ndim))
    axes = sorted(normalize_axis_tuple(axis, ndim, allow_duplicate=True))
    if len(set(axes)) < len(axes):
        raise errors.ValueError("duplicate value in 'axis'")
    return tuple(axes)


def flat_unless(a, axis) -> tuple[Array, int]:
    """Return `a` and its axis as functions that work along one axis take them: flattened where `axis` is None."""
    a = asarray(a)
    return (a.ravel(), 0) if axis is None else (a, normalize_axis_index(axis, a.ndim))


def along(axis: int, *index) -> tuple:
    """Return an index that applies `index` to `axis` and leaves the axes before it whole."""
    return (*[slice(None)] * axis, *index)


def concrete(x, function: str, argument: str):
    """Return `x`, on which the course of the trace depends: it is not traced, or known all the same."""
    if is_traced(x):
        return value(x, f"{argument} of {function}", "index")
    if isinstance(x, list | tuple):
        return type(x)(concrete(element, function, argument) for element in x)
    return pin(x) if isinstance(x, np.ndarray) else x


def progressions(indices: np.ndarray) -> list[tuple[int, int, int]] | None:
    """Return the arithmetic progressions (start, step, length) that make up a vector of indices; None if they are many.

    Of two numbers, the second goes to the progression that follows if it belongs to that: a rotation is two progressions.
    """
    found, start = [], 0
    while start < len(indices):
        steps = np.diff(indices[start:])
        changes = np.flatnonzero(steps != steps[:1])
        length = int(changes[0]) + 1 if len(changes) else len(steps) + 1
        if length == 2 and len(steps) > 2 and steps[1] == steps[2]:
            length = 1
        found.append((int(indices[start]), int(steps[0]) if len(steps) and length > 1 else 1, length))
        if len(found) > FEW:
            return None
        start += length
    return found


def rearranged(a: Array, indices, axis: int) -> Array:
    """Return a copy of the elements of `a` at non-negative concrete `indices` along an axis, by slices where a few will do."""
    indices = np.asarray(indices, np.int64)
    pieces = progressions(indices)
    if not pieces:
        return a[along(axis, indices)]
    parts = [progression(a, axis, *piece) for piece in pieces]
    return np.concatenate(parts, axis) if len(parts) > 1 else parts[0].copy()


def progression(a: Array, axis: int, start: int, step: int, length: int) -> Array:
    if step == 0:
        return np.broadcast_to(a[along(axis, slice(start, start + 1))], (*a.shape[:axis], length, *a.shape[axis + 1:]))
    stop = start + step * length
    return a[along(axis, slice(start, stop if stop >= 0 else None, step))]
