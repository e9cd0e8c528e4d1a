"""Placing work buffers in the workspace.

In: steps. Out: the offset of each work buffer, and the bytes needed. Invariant: memory that is in use at the same time does not overlap;
what a loop uses that was there before it, or is used after it, stays for all of its trips; so does all it uses if its trips trail one another.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from jitad.lower.grammar.loops import Buffer, Nest, Parallel, Repeat, Step, Strips
from jitad.lower.grammar.walk import children, leaves, reads, writes
from jitad.lower.memory.alignment import lines

ALIGNMENT = 64


@dataclass
class Span:
    """The first and the last moment at which memory is in use."""

    first: int
    last: int


def plan_workspace(steps: Sequence[Step]) -> int:
    """Place the work buffers of `steps` and return the number of bytes they take."""
    spans: dict[Buffer, Span] = {}
    note_uses(steps, spans, 0)
    groups = exchanged(steps)
    for group in groups:
        whole = Span(min(spans[b].first for b in group), max(spans[b].last for b in group))
        for buffer in group:
            spans[buffer] = whole
    return place(spans, lines(steps, groups))


def place(spans: dict[Buffer, Span], shifts: dict[Buffer, int]) -> int:
    """Place each buffer in the lowest gap that is wide enough, shifted as it is to be; return the number of bytes they all take."""
    gaps: list[tuple[float, float]] = [(0, math.inf)]
    busy: list[tuple[int, int, int]] = []  # until when, from where, to where; the earliest to end first
    total = 0
    for buffer in sorted(spans, key=lambda b: (spans[b].first, b.name)):
        while busy and busy[0][0] < spans[buffer].first:
            give_back(gaps, *heappop(busy)[1:])
        shift = shifts.get(buffer, 0)
        size = -(-(shift + buffer.nbytes) // ALIGNMENT) * ALIGNMENT
        k = next(k for k, (low, high) in enumerate(gaps) if low + size <= high)
        low, high = gaps[k]
        buffer.offset = low + shift
        if size:
            gaps[k : k + 1] = [(low + size, high)] if low + size < high else []
            heappush(busy, (spans[buffer].last, low, low + size))
        total = max(total, buffer.offset + buffer.nbytes)
    return total


def give_back(gaps: list[tuple[float, float]], low: float, high: float) -> None:
    """Add low .. high to the sorted gaps, united with those that it touches."""
    k = bisect_left(gaps, (low, high))
    if k < len(gaps) and gaps[k][0] == high:
        high = gaps.pop(k)[1]
    if k and gaps[k - 1][1] == low:
        low = gaps.pop(k - 1)[0]
        k -= 1
    gaps.insert(k, (low, high))


def note_uses(steps: Sequence[Step], spans: dict[Buffer, Span], now: int) -> int:
    """Enter the uses in `steps`, which start at the moment `now`; return the moment at which they end."""
    for step in steps:
        start = now
        before = set(spans) if children(step) else spans.keys()
        for inner in children(step):
            now = note_uses(inner, spans, now)
        now += 1
        used = {buffer for buffer in reads(step) | writes(step) if buffer.kind == "work"}
        if isinstance(step, Repeat):
            carried = {b.memory for b in (*step.carries, *step.moves, *step.moves.values(), *step.copies.values(), step.trips) if b is not None}
            lasting = used & (before | carried | read_first(step)) if step.wave is None else used
            for buffer in lasting:
                extend(spans, buffer, start, now)
        elif isinstance(step, Strips):
            for buffer in used:
                if buffer.rows is None:
                    extend(spans, buffer, start, now)
        elif not children(step):
            for buffer in used:
                extend(spans, buffer, now, now)
        else:
            for buffer in used & before:
                extend(spans, buffer, start, now)
    return now


def extend(spans: dict[Buffer, Span], buffer: Buffer, start: int, end: int) -> None:
    span = spans.setdefault(buffer, Span(start, end))
    span.first, span.last = min(span.first, start), max(span.last, end)


def read_first(step: Repeat) -> set[Buffer]:
    """Return the buffers that a trip reads before it writes them."""
    inside = [nest for inner in [*step.test, *step.steps] for nest in (leaves([inner]) if isinstance(inner, Strips | Parallel) else [inner])]
    found: set[Buffer] = set()
    written: set[Buffer] = set()
    for inner in inside:
        read, new = reads(inner), writes(inner)
        found |= read - written - (new if isinstance(inner, Nest) else set())
        written |= new
    return found


def exchanged(steps: Sequence[Step]) -> list[set[Buffer]]:
    """Return the groups of buffers whose memory changes places: each may end up in the memory of any other of its group."""
    groups: list[set[Buffer]] = []
    for step in steps:
        for inner in children(step):
            groups += exchanged(inner)
        if isinstance(step, Repeat) and step.moves:
            group = {b.memory for b in (*step.moves, *step.moves.values())}
            joined = [other for other in groups if other & group]
            groups = [other for other in groups if not other & group] + [group.union(*joined)]
    return groups
