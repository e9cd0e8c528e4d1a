"""Nests that touch a few rows of grids, at fixed places, among nests that go through the rows: sources, receivers, rows of boundaries.

In: nests of the trips of a loop. Out: the same nests with one more loop, outermost, of a single iteration, and by how many rows that is behind the
first of the others, about as many as the number of the row that it touches. Invariant: of two iterations of
different nests of a trip that touch the same element, one of them writing, the same one is first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from jitad.lower.grammar.loops import Buffer, Nest, Region, ScatterStore
from jitad.lower.grammar.regions import Ranges
from jitad.lower.grammar.walk import writes
from jitad.lower.memory.layout import positions
from jitad.lower.memory.reuse import unclamped
from jitad.lower.schedule.threads import place_key
from jitad.lower.schedule.trailing import NEVER, Parts, Touch, reach


def pin(nest: Nest) -> Nest | None:
    """Return a nest with an outermost loop of one iteration, None if nothing is known of the order of its iterations or how often they run."""
    scatters = any(isinstance(statement, ScatterStore) for region in nest.regions for statement in region.statements)
    if scatters or nest.reductions or nest.streamed or any(region.ranges.limits for region in nest.regions):
        return None
    regions = [Region(Ranges((*region.ranges, (0, 0))), region.statements) for region in nest.regions]
    return replace(nest, box=(*nest.box, 1), regions=regions, order=(len(nest.box), *nest.loops))


def pinned_parts(nest: Nest, others: Sequence[Parts]) -> Parts:
    """Return what a nest that is pinned touches, in terms of the rows that other nests go through."""
    strides: dict[tuple, int] = {}
    for parts in others:
        for places in parts.values():
            for place, touches in places.items():
                strides[place] = max([strides.get(place, 0), *[touch.stride or 0 for touch in touches]])
    found: Parts = defaultdict(lambda: defaultdict(set))
    for buffer, position, ranges in positions(nest):
        place, bounds = place_key(buffer), unclamped(position).range(ranges)
        stride = strides.get(place) or 2 * buffer.place.nbytes  # more than there are elements
        found[buffer.memory][place].add(Touch(stride, *bounds, 0, 0) if bounds is not None else Touch(None, 0, 0, 0, 0))
    return found


def lags_of(nests: Sequence[Nest], lags: Sequence[int | None], parts: Sequence[Parts]) -> list[int] | None:
    """Return how far nests are behind, given where that is known, those that are pinned about as far as the rows that they touch; None if some
    have to wait for all rows, or all rows for them."""
    known = [k for k, lag in enumerate(lags) if lag is not None]
    found = [max(lags[k] for k in known) + row_of(parts[number]) if lag is None else lag for number, lag in enumerate(lags)]
    for k in range(known[0] - 1, -1, -1):
        for other in range(k + 1, known[-1] + 1):
            distance = farthest(nests, parts, k, other)
            if distance is None:
                return None
            found[k] = min(found[k], found[other] - distance)
    for k in range(known[0] + 1, len(nests)):
        for other in range(k):
            distance = farthest(nests, parts, other, k)
            if distance is None or (lags[k] is not None and found[other] + distance > lags[k]):
                return None
            found[k] = max(found[k], found[other] + distance)
    return found if min(found) >= 0 else None


def row_of(parts: Parts) -> int:
    """Return the last row that a pinned nest touches."""
    touches = [touch for places in parts.values() for found in places.values() for touch in found if touch.stride]
    return max([touch.high // touch.stride for touch in touches], default=0)


def farthest(nests: Sequence[Nest], parts: Sequence[Parts], first: int, second: int) -> int | None:
    """Return how many rows ahead the first nest touches what the second one does, one of them writing; None if that is not known."""
    shared: set[Buffer] = (writes(nests[first]) | writes(nests[second])) & parts[first].keys() & parts[second].keys()
    found = [reach(parts[first][memory], parts[second][memory]) for memory in shared]
    return None if None in found else max(found, default=NEVER)
