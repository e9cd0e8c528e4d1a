"""Nests that touch a few rows of grids, at fixed places, among nests that go through the rows: sources, receivers, rows of boundaries.

In: nests of the trips of a loop. Out: the same nests with one more loop, outermost, of a single iteration, and by how many rows that is behind the
first of the others: as few as it can for what comes after them, as many as it may for what comes before. Invariant: of two iterations of
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
    """Return how far nests are behind, given where that is known; None if some have to wait for all rows, or all rows for them."""
    (first, *_), (*_, last) = ([k for k, lag in enumerate(lags) if lag is not None] for _ in range(2))
    found = list(lags)
    for k in range(first - 1, -1, -1):
        distances = [farthest(nests, parts, k, other) for other in range(k + 1, last + 1)]
        if None in distances:
            return None
        most = min(found[other] - distance for other, distance in zip(range(k + 1, last + 1), distances, strict=True))
        found[k] = most if most <= -NEVER // 2 else 0
    for k in range(first + 1, len(nests)):
        distances = [farthest(nests, parts, other, k) for other in range(k)]
        if None in distances:
            return None
        least = max(found[other] + distance for other, distance in enumerate(distances))
        if found[k] is None:
            found[k] = max(least, 0)
        elif least > found[k]:
            return None
    return found if min(found) >= 0 else None


def farthest(nests: Sequence[Nest], parts: Sequence[Parts], first: int, second: int) -> int | None:
    """Return how many rows ahead the first nest touches what the second one does, one of them writing; None if that is not known."""
    shared: set[Buffer] = (writes(nests[first]) | writes(nests[second])) & parts[first].keys() & parts[second].keys()
    found = [reach(parts[first][memory], parts[second][memory]) for memory in shared]
    return None if None in found else max(found, default=NEVER)
