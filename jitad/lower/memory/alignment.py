"""Where in a cache line arrays begin: such that the loops that run most often start at the beginnings of lines.

In: steps. Out: for work buffers, the bytes between the beginning of a line and their own. A vector that lies in two lines takes two accesses; the
interior of a grid, which starts a few elements behind the beginning of its array, would make two of each.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from jitad.ir.types import real_dtype
from jitad.lower.grammar.counting import usual_trips
from jitad.lower.grammar.index import Index, Range
from jitad.lower.grammar.loops import Accumulate, Buffer, Nest, Repeat, Step
from jitad.lower.grammar.walk import children
from jitad.lower.memory.layout import positions

LINE = 64  # bytes
LEAST = 4096  # bytes of a buffer for which it matters
LOAD, STORE = 1, 2  # what an access counts


def lines(steps: Sequence[Step], together: Sequence[set[Buffer]]) -> dict[Buffer, int]:
    """Return the distance of work buffers from the beginning of a line, in bytes; those that are `together` have the same."""
    votes: dict[Buffer, Counter[int]] = defaultdict(Counter)
    for nest, trips in nests(steps):
        for buffer, start, weight in starts(nest):
            votes[buffer.memory][-start * real_dtype(buffer.type.dtype).itemsize % LINE] += weight * trips
    for group in together:
        total = sum((votes[buffer] for buffer in group), Counter())
        votes.update(dict.fromkeys(group, total))
    return {buffer: found.most_common(1)[0][0] for buffer, found in votes.items() if found and buffer.kind == "work"}


def nests(steps: Sequence[Step], trips: int = 1) -> Iterator[tuple[Nest, int]]:
    """Iterate over the nests, with how often each is run."""
    for step in steps:
        if isinstance(step, Nest):
            yield step, trips
        inside = trips * usual_trips(step) if isinstance(step, Repeat) else trips
        for inner in children(step):
            yield from nests(inner, inside)


def starts(nest: Nest) -> Iterator[tuple[Buffer, int, int]]:
    """Iterate over what the innermost loop runs along: the element it starts at in the first row, and what the access counts."""
    stores = {(s.buffer, s.position) for region in nest.regions for s in region.statements if not isinstance(s, Accumulate)}
    for buffer, position, ranges in positions(nest):
        if buffer.memory.nbytes >= LEAST and nest.box:
            start = first(buffer.located(position), ranges, nest.loops[-1])
            if start is not None:
                count = 1
                for low, high in ranges:
                    count *= high - low + 1
                yield buffer, start, count * (STORE if (buffer, position) in stores else LOAD)


def first(position: Index, ranges: Sequence[Range], inner: int) -> int | None:
    """Return the least position if the innermost loop runs along neighbours."""
    if dict(position.terms).get(inner) != 1:
        return None
    bounds = position.range(ranges)
    return None if bounds is None else bounds[0]
