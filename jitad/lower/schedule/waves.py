"""Trips of a loop over grids that trail one another: several steps of time are taken on some rows while these are in the cache.

In: steps. Out: the same steps, with a `Wave` for each loop whose trips are nests over the rows of grids which together outgrow the second cache:
a trip runs as many rows behind the one before as what it reads, or overwrites, of that asks for. Invariant: of two iterations of different
trips that touch the same element, one of them writing, the same one is first.

Each trip goes through all that it reads once; without waves that comes from the third cache, or from memory, in every trip. With them it comes
from there once in `depth` trips: what is needed of it between the first trip of a wave and the last, `depth` times the lag and a block of rows,
has room in the second cache. Where a grid goes round, as with periodic boundaries, the first row needs the last one of the trip before: each
trip of a wave then begins with some of the last rows, which the others end with.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from jitad.ir.types import real_dtype
from jitad.lower.grammar.loops import Buffer, Nest, Repeat, Step, Store, Strips, Wave
from jitad.lower.grammar.walk import children, has_checks, leaves, reads, writes
from jitad.lower.memory.layout import positions
from jitad.lower.memory.reuse import unclamped
from jitad.lower.schedule.pinned import lags_of, pin, pinned_parts
from jitad.lower.schedule.threads import place_key, work
from jitad.lower.schedule.trailing import LARGE, LONGEST_LAG, Parts, Touch, may_trail, meetings, parts_of, row_bytes, rows_ahead

AGAIN = 0.9  # of what a trip uses that the next one uses too: where each keeps much for later, that comes from far in any case
WINDOW = 2**19  # bytes of the rows between the first trip of a wave and the last
DEEPEST = 8  # trips
SMALL = 64  # iterations of a nest that is run again for each block
REPEATED = 0.05  # of the work of a block that such nests may take


@dataclass(frozen=True)
class Meeting:
    """What two nests touch, of two trips between which lies a `number` of trips; the nest of the second one is `ahead` rows ahead in its trip.

    It is so many bytes of memory.
    """

    number: int
    ahead: int
    nbytes: int
    dtype: np.dtype
    stride: int
    first: set[Touch]
    second: set[Touch]

    @property
    def size(self) -> int:
        """The real parts that the memory holds."""
        return self.nbytes // real_dtype(self.dtype).itemsize


@dataclass(eq=False)
class Trips:
    """The nests of a loop that run row by row, how far each is behind the first one, and what they touch."""

    loop: Repeat
    nests: list[Nest]
    lags: list[int]
    parts: list[Parts]

    def meetings(self, depth: int) -> Iterator[Meeting | None]:
        """Iterate over what trips of a wave touch that one of them changes; None if that is not known."""
        changed = list(map(writes, self.nests))
        for number in range(1, depth):
            later = [self.later(part, number) for part in self.parts]
            changed_later = [{self.moved(memory, number) for memory in found} for found in changed]
            for (first, ones), (second, others) in product(enumerate(self.parts), enumerate(later)):
                for memory in (changed[first] | changed_later[second]) & ones.keys() & others.keys():
                    found = meetings(ones[memory], others[memory])
                    if found is None:
                        yield None
                        return
                    for place, *touches in found:
                        yield Meeting(number, self.lags[first] - self.lags[second], place_bytes(memory, place), memory.type.dtype, *touches)

    def later(self, parts: Parts, number: int) -> Parts:
        """Return what a nest touches so many trips later, in terms of where memory is in this one."""
        return {
            self.moved(memory, number): {self.moved_place(place, number): touches for place, touches in places.items()}
            for memory, places in parts.items()
        }

    def moved(self, memory: Buffer, number: int) -> Buffer:
        for _ in range(number):
            memory = self.loop.moves.get(memory, memory)
        return memory

    def moved_place(self, place: tuple, number: int) -> tuple:
        above, *row = place
        if isinstance(above, Buffer):
            return (self.moved(above, number), *row)
        nbytes, counter, shift = row
        if counter is self.loop.counter:
            shift += -number if self.loop.reverse else number
        return self.moved_place(above, number), nbytes, counter, shift


def in_waves(steps: list[Step]) -> list[Step]:
    """Return the steps with waves where these pay, however deep."""
    for step in steps:
        for inner in children(step) if not isinstance(step, Strips) else ():
            inner[:] = in_waves(inner)
        if isinstance(step, Repeat):
            let_trail(step)
    return steps


def let_trail(loop: Repeat) -> None:
    """Let the trips of a loop trail one another if they can and it pays."""
    cores = [step for step in loop.steps if goes_by_rows(step)]
    if loop.test or loop.goes_on is not None or loop.tape is not None or not cores:
        return
    core = max(cores, key=lambda step: sum(nest.trips for nest in leaves([step])))
    if not all(isinstance(step, Nest) and not has_checks(step) for step in loop.steps if step is not core):
        return
    small = run_again(loop, core)
    others = [step for step in loop.steps if step not in small]
    kept = kept_by(loop, small, set().union(*map(writes, others)))
    trips = trips_of(loop, others, core) if kept is not None else None
    found = wave_of(trips, core) if trips is not None and outgrow_cache(trips) else None
    rows = max(nest.box[0] for nest in leaves([core]))
    if found is not None and sum(map(work, small)) * rows <= REPEATED * found[1] * sum(map(work, leaves([core]))):
        wave, block = found
        loop.wave = replace(wave, kept=kept)
        loop.steps = [*small, Strips(rows, block, trips.nests, tuple(trips.lags))]


def goes_by_rows(step: Step) -> bool:
    """Whether a step is a nest, or nests that trail one another, whose rows may run in any order."""
    return (isinstance(step, Nest) or (isinstance(step, Strips) and step.lags != ())) and all(
        may_trail(nest) and not has_checks(nest) for nest in leaves([step]))


def run_again(loop: Repeat, core: Step) -> list[Nest]:
    """Return the steps before the `core` that may run first in a trip, and once more for each block of rows: small ones that need nothing of what
    the others make, and change nothing that these have read before."""
    before = loop.steps[: loop.steps.index(core)]
    moving = {buffer.memory for buffer in (*loop.moves, *loop.moves.values())}
    small = [step for step in before if step.trips <= SMALL and all(isinstance(s, Store) for region in step.regions for s in region.statements)]

    def may(step: Step) -> bool:
        changed = moving.union(*[writes(other) for other in loop.steps if other not in small])
        seen = set().union(*[reads(other) for other in before[: before.index(step)] if other not in small])
        return changed.isdisjoint(reads(step) | writes(step)) and seen.isdisjoint(writes(step))

    while not all(map(may, small)):
        small = list(filter(may, small))
    return small


def kept_by(loop: Repeat, small: Sequence[Nest], changed: set[Buffer]) -> tuple[Buffer, ...] | None:
    """Return what `small` steps, and copies after a trip, hand on from trip to trip, but for what each trip has an own row for; None if the
    others, by what they have `changed`, do too."""
    places: dict[Buffer, set[tuple]] = defaultdict(set)
    for buffer in (statement.buffer for nest in small for region in nest.regions for statement in region.statements if isinstance(statement, Store)):
        places[buffer.memory].add(place_key(buffer))
    own = {memory for memory, (key, *others) in places.items() if not others and loop.counter in key}
    copied = {buffer.memory for buffer in (*loop.copies, *loop.copies.values())}
    carried = {buffer.memory for buffer in (*loop.carries, *loop.copies)}
    found = (carried & copied.union(*map(writes, small)) & copied.union(*map(reads, loop.steps))) - own
    if copied & changed or any(memory.type.size > SMALL for memory in found):
        return None
    return tuple(sorted(found, key=lambda memory: memory.name))


def trips_of(loop: Repeat, steps: Sequence[Step], core: Step) -> Trips | None:
    """Return the nests of trips, those beside the `core` pinned to some rows of it; None if some have to wait for all rows."""
    nests = [nest if step is core else pin(nest) for step in steps for nest in leaves([step])]
    if None in nests:
        return None
    own = {nest: parts_of(nest) for nest in leaves([core])}
    parts = [own[nest] if nest in own else pinned_parts(nest, list(own.values())) for nest in nests]
    known = dict(zip(own, core.lags if isinstance(core, Strips) else (0,), strict=True))
    lags = lags_of(nests, [known.get(nest) for nest in nests], parts)
    return None if lags is None else Trips(loop, nests, lags, parts)


# --- whether it pays ----------------------------------------------------------------------------------------------------------------


def outgrow_cache(trips: Trips) -> bool:
    """Whether what a trip uses has no room in the second cache, and the next trip uses much of it again. What is found at computed places, as
    that of a trip's number, may be elsewhere in the next one."""
    own, again = footprint(trips.parts), footprint([trips.later(part, 1) for part in trips.parts])
    total, elsewhere = sum(own.values()), {memory for nest in trips.nests for memory in computed(nest)}
    same = sum(own[place] for place in own.keys() & again.keys() if place[0] not in elsewhere)
    return total >= LARGE and same >= AGAIN * total


def computed(nest: Nest) -> Iterator[Buffer]:
    """Iterate over the memory of which a nest reads or writes what its loops alone do not tell."""
    for buffer, position, _ in positions(nest):
        if not all(isinstance(term, int) for term, _ in unclamped(position).terms):
            yield buffer.memory


def footprint(parts: Sequence[Parts]) -> dict[tuple, int]:
    """Return the bytes of each part of memory that nests use."""
    found: dict[tuple, int] = {}
    for used in parts:
        for memory, places in used.items():
            for place in places:
                found[place] = place_bytes(memory, place)
    return found


def place_bytes(memory: Buffer, place: tuple) -> int:
    return memory.nbytes if isinstance(place[0], Buffer) else place[1]


def wave_of(trips: Trips, core: Step) -> tuple[Wave, int] | None:
    """Return the wave, and the rows of a block, that make the most of the cache; None if no two trips can trail one another in it."""
    parts = [part for nest, part in zip(trips.nests, trips.parts, strict=True) if nest in set(leaves([core]))]
    rows = WINDOW // max(row_bytes(parts), 1) - (max(core.lags) if isinstance(core, Strips) else 0)
    for measure in (straight, round_about):
        for depth in range(DEEPEST, 1, -1):
            found = measure(trips, depth)
            if found is None or sum(found) > LONGEST_LAG:
                break
            between = (depth - 1) * sum(found)
            if found[1] and between + sum(found) > trips.nests[0].box[0]:
                continue
            if 2 * between <= rows or (depth == 2 and between < rows):
                return Wave(depth, *found), rows - between
    return None


# --- how far trips are behind -------------------------------------------------------------------------------------------------------


def straight(trips: Trips, depth: int) -> tuple[int, int] | None:
    """Return by how many rows trips have to trail the ones before, and none to begin earlier; None if that is not known."""
    lag = 0
    for found in trips.meetings(depth):
        if found is None:
            return None
        distance = rows_ahead(found.stride, found.first, found.second) + found.ahead
        lag = max(lag, -(-distance // found.number))
    return lag, 0


def round_about(trips: Trips, depth: int) -> tuple[int, int] | None:
    """Return by how many rows trips have to trail the ones before, and to begin earlier, in a grid whose first row is next to the last one;
    None if it is not one."""
    if len(trips.nests) > 1:
        return None
    lag, ahead, rows = 0, 0, trips.nests[0].box[0]
    for found in trips.meetings(depth):
        if found is None or found.size != rows * found.stride:
            return None
        (low, high), (other_low, other_high) = (span(touches, found.size) for touches in (found.first, found.second))
        lag = max(lag, -(-((other_high - low) // found.stride) // found.number))
        ahead = max(ahead, -(-((high - other_low) // found.stride) // found.number))
    return lag, ahead


def span(touches: set[Touch], size: int) -> tuple[int, int]:
    """Return the first and the last position, relative to the rows, that touches have in an array that goes round."""
    turns = {touch: (touch.low + touch.high + size) // (2 * size) * size for touch in touches}
    return min(touch.low - turns[touch] for touch in touches), max(touch.high - turns[touch] for touch in touches)
