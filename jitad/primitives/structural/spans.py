"""Spans: the places of a window of an array along each axis, of which starts and counts may be operands.

In: a `Span` for each axis, and int64 scalars: the starts that they leave open, and the counts of those that have one. Out: the window's
places, as NumPy's indices, as index expressions of a lowering, as masks and as indices of batches.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import numpy as np

from jitad.ir import errors
from jitad.ir.program import Atom, Literal
from jitad.ir.types import BOOL, INT, ArrayType
from jitad.primitives.declare import full
from jitad.primitives.elementwise.arithmetic import floor_divide
from jitad.primitives.elementwise.comparisons import eq, ge, lt, select
from jitad.primitives.structural.boxes import concatenate
from jitad.primitives.structural.indexing import looked_up
from jitad.primitives.structural.shaping import broadcast, iota, reshape


class Span(NamedTuple):
    """The places along one axis: ``start + step * k`` for k in ``range(extent)``, or fewer of them if `counted`.

    `start` is None where it is an operand.
    """

    start: int | None
    step: int
    extent: int
    counted: bool = False


Spans = tuple[Span, ...]


def is_index(span: Span) -> bool:
    """Whether a span is one element at a place that is checked."""
    return span.start is None and not span.counted and span.extent == 1


def unit(size: int) -> Span:
    """Return the span of a whole axis."""
    return Span(0, 1, size)


def extents(spans: Spans) -> tuple[int, ...]:
    return tuple(span.extent for span in spans)


def open_places(spans: Spans, scalars) -> tuple[list, list]:
    """Return, per axis, the start (a number or an operand) and the count (an operand or None)."""
    rest = iter(scalars)
    starts = [next(rest) if span.start is None else span.start for span in spans]
    return starts, [next(rest) if span.counted else None for span in spans]


def check_spans(name: str, x: ArrayType, scalars, spans: Spans) -> None:
    wanted = sum(span.start is None for span in spans) + sum(span.counted for span in spans)
    if len(spans) != x.ndim or len(scalars) != wanted or any(s != ArrayType(INT) for s in scalars):
        raise errors.InternalError(f"{name}: {spans} of {x} with {[str(s) for s in scalars]}")


def numbers(spans: Spans, scalars, shape) -> tuple[tuple, tuple]:
    """Return the indices of what is counted, in the array of `shape` and in the window, for NumPy."""
    places, own = [], []
    for span, start, count, extent in zip(spans, *open_places(spans, scalars), shape, strict=True):
        k = np.arange(span.extent if count is None else int(count))
        if is_index(span) and start < 0:
            start = start + extent
        places.append(int(start) + span.step * k)
        own.append(k)
    return np.ix_(*places), np.ix_(*own)


def place(b, index, x: ArrayType, scalars, spans: Spans, certain: bool):
    """Return the index in the array of the element of the window at `index`; unless `certain`, it may have none."""
    found = []
    for axis, (span, start, i, extent) in enumerate(zip(spans, open_places(spans, scalars)[0], index, x.shape, strict=True)):
        if is_index(span):
            found.append(b.checked(start(()), extent, axis))
            continue
        at = i * span.step + (start if span.start is not None else b.as_index(start(())))
        found.append(at if certain or not span.counted else b.clamped(at, extent))
    return tuple(found)


def open_operands(spans: Spans, shape, first: int) -> list[tuple[int, int | None, int]]:
    """Return the `places` slot of an operation whose operands from `first` on are the starts and counts of spans of an array."""
    starts = [(extent if is_index(span) else None, 0 if span.step > 0 else -span.step * (span.extent - 1))
              for span, extent in zip(spans, shape, strict=True) if span.start is None]
    counts = [(None, 0) for span in spans if span.counted]
    return [(number, *place) for number, place in enumerate((*starts, *counts), first)]


def counts_of(b, scalars, spans: Spans) -> list:
    return [None if count is None else b.as_index(count(())) for count in open_places(spans, scalars)[1]]


def counted_mask(spans: Spans, scalars) -> Atom:
    """Return, as a boolean atom of the window's shape, where I < count along each axis."""
    shape, mask = extents(spans), full(True, ArrayType(BOOL, extents(spans)))
    for axis, count in enumerate(open_places(spans, scalars)[1]):
        if count is not None:
            mask = mask & lt(iota(shape=shape, axis=axis, dtype=INT), count)
    return mask


def covered(spans: Spans, scalars, shape) -> Atom:
    """Return, as a boolean atom of the array's shape, where the window lies."""
    mask = full(True, ArrayType(BOOL, shape))
    for axis, (span, start, count) in enumerate(zip(spans, *open_places(spans, scalars), strict=True)):
        if span == unit(shape[axis]):
            continue
        if is_index(span):
            start = select(lt(start, 0), start + shape[axis], start)
        distance = iota(shape=shape, axis=axis, dtype=INT) - start
        number = distance if span.step > 0 else -distance
        if abs(span.step) != 1:
            quotient = floor_divide(number, full(abs(span.step), ArrayType(INT)))
            mask, number = mask & eq(quotient * abs(span.step), number), quotient
        mask = mask & ge(number, 0) & lt(number, span.extent if count is None else count)
    return mask


def without_known_counts(spans: Spans, scalars) -> tuple[Spans, list[Atom]] | None:
    """Return spans of which no count is a number, and their operands; None if that is so already."""
    starts, counts = open_places(spans, scalars)
    if not any(isinstance(x, Literal) for x in (*starts, *counts) if x is not None):
        return None
    found = []
    for span, start, count in zip(spans, starts, counts, strict=True):
        if isinstance(count, Literal):
            span = span._replace(extent=int(count.value), counted=False)
        if isinstance(start, Literal) and not (span.extent == 1 and not span.counted):
            span = span._replace(start=int(start.value) if span.extent else 0)
        found.append(span)
    rest = [x for span, x in zip(found, starts, strict=True) if span.start is None]
    return tuple(found), [*rest, *[x for span, x in zip(found, counts, strict=True) if span.counted]]


def flat_places(size: int, shape, spans: Spans, scalars, axes) -> Atom:
    """Return for each member of a batch where in the flattened array the window's elements lie; beyond its end, what is not counted."""
    whole = (size, *extents(spans))

    def spread(scalar: Atom, axis: int | None) -> Atom:
        return scalar if axis is None else broadcast(reshape(scalar, shape=(size, *(1,) * len(spans))), shape=whole)

    starts, counts = open_places(spans, list(map(spread, scalars, axes)))
    total, stride, inside = full(0, ArrayType(INT, whole)), prod(shape), full(True, ArrayType(BOOL, whole))
    for axis, (span, start, count, extent) in enumerate(zip(spans, starts, counts, shape, strict=True)):
        stride //= max(extent, 1)
        k = iota(shape=whole, axis=axis + 1, dtype=INT)
        if is_index(span):
            start = looked_up(start, extent)
        total = total + (k * span.step + start) * stride
        if count is not None:
            inside = inside & lt(k, count)
    return select(inside, total, prod(shape))


def batched_flat(size: int, x: Atom, scalars, axes, spans: Spans) -> tuple[Atom, list[Atom]]:
    """Return the members of a batch flattened, each with one zero more, and the indices of the window's elements in them."""
    flat = reshape(x, shape=(size, prod(x.shape[1:])))
    flat = concatenate(flat, full(0, x.type.with_shape((size, 1))), axis=1)
    places = flat_places(size, x.shape[1:], spans, scalars, axes)
    return flat, [iota(shape=places.shape, axis=0, dtype=INT), places]


def batched_places(size: int, spans: Spans, scalars, axes) -> list[Atom]:
    """Return, axis by axis, where the elements of windows without counts lie in a batch."""
    whole = (size, *extents(spans))
    indices, rest = [iota(shape=whole, axis=0, dtype=INT)], iter(zip(scalars, axes, strict=True))
    for axis, span in enumerate(spans):
        start, where = (span.start, None) if span.start is not None else next(rest)
        if where is not None:
            start = broadcast(reshape(start, shape=(size, *(1,) * len(spans))), shape=whole)
        elif is_index(span):
            start = broadcast(start, shape=whole)
        indices.append(start if is_index(span) else iota(shape=whole, axis=axis + 1, dtype=INT) * span.step + start)
    return indices
