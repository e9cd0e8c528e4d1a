"""Names of a staged loop whose arrays may be the same memory as others: as those from before the loop, or as those of other names.

In: the arrays that names have before the loop, at both ends of a trip, and after the loop. Out: these, entangled with what they may share memory
with. Invariant: where a trip may hand an array on to another name, or keep one from outside, the next trip and what follows the loop
know of it; which arrays these are is told by the numbers that a `Standing` carries, if it can be told.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

from jitad.frontend.arrays.array import Array
from jitad.frontend.arrays.cells import Cell, entangle, outdate, stale
from jitad.frontend.control.bodies import Pass
from jitad.frontend.control.choices import relation
from jitad.frontend.control.exchanges import Standing, standing
from jitad.frontend.tracing.trees import OBJECTS, flatten
from jitad.ir.program import Atom, literal
from jitad.ir.types import BOOL

Place = tuple  # a slot, and the number of a leaf of its value


def arrays_in(values: dict) -> dict[Place, Array]:
    """Return the arrays in the values of slots."""
    return {(slot, k): x for slot, value in values.items() for k, x in enumerate(flatten(value, OBJECTS)[0]) if isinstance(x, Array) and not x.scalar}


def related(one: Cell, other: Cell) -> bool:
    return one is other or one in other.twins


def alive_relatives(cell: Cell) -> list[Cell]:
    """Return a cell, and those that may be the same memory, as far as they are in use."""
    return [one for one in (cell, *cell.twins) if one.trace.alive]


class Sharing:
    """What the names that a loop carries may share.

    Attributes
    ----------
    before, entered
        The arrays that names have before the loop and when a trip begins.
    outside
        The cells of enclosing traces that names may have kept in an earlier trip.
    pairs
        Names that an earlier trip may have given the same array.
    cells
        The cells of enclosing traces that the loop carries.
    outdated, staled
        Others that it changes under the names of cells of enclosing traces, with these, and those of which it is not known what they hold.
    standing, exchanged
        Which names stand for which arrays, as far as it can be told, and the places there of names that only exchange them.
    known
        A `Standing` whose numbers tell in each trip what it shares, since it changes more than what names exchange; None if none is needed.
    """

    def __init__(self, cells: list[Cell]):
        self.cells = cells
        self.outdated: dict[Cell, Mapping] = {}
        self.staled: list[Cell] = []
        self.standing: Standing | None = None
        self.exchanged: list[int] = []
        self.known: Standing | None = None
        self.outside: dict[Place, dict[Cell, None]] = {}
        self.pairs: dict[tuple[Place, Place], None] = {}

    def enter(self, values: dict) -> None:
        """Take note of the values that slots have when a trip begins, each with the one from before the loop."""
        self.entered = arrays_in({slot: x for slot, (x, _) in values.items()})
        self.before = arrays_in({slot: x for slot, (_, x) in values.items()})
        numbers = [] if self.known is None else self.known.inputs
        relatives = {place: alive_relatives(x.cell) for place, x in self.before.items()}
        relatives = {place: dict.fromkeys([*self.outside.get(place, ()), *relatives.get(place, ())]) for place in self.entered}
        self.entangle_all(self.entered, relatives, self.before, self.known, numbers)

    def entangle_all(self, arrays: dict[Place, Array], relatives: dict, before: dict, names: Standing | None,
                     numbers: Sequence[Atom]) -> None:
        """Note that the arrays of names may be the same memory as `relatives`, and as others of them, as the numbers of names tell."""
        number_of = {} if names is None else dict(zip([(slot, 0) for slot in names.slots], numbers, strict=True))
        for place, x in arrays.items():
            for cell, tests in relatives.get(place, {}).items():
                entangle(x.cell, cell, names.same(number_of[place], cell) if place in number_of else tests)
        for one, other in itertools.combinations(arrays, 2):
            if (one, other) in self.pairs or one in before and other in before and related(before[one].cell, before[other].cell):
                known = one in number_of and other in number_of
                entangle(arrays[one].cell, arrays[other].cell, names.same_names(number_of[one], number_of[other]) if known else None)

    def update(self, run: Pass) -> bool:
        """Take into account what a trip has handed on; return whether it has to be traced again for that."""
        ends = {place: x for place, x in arrays_in({slot: run.values[slot] for slot, _ in self.entered if slot in run.values}).items()
                if place in self.entered}
        staled = [cell for cell in run.trace.unknown if cell not in self.staled]
        again = bool(staled) or not run.trace.outdated.keys() <= self.outdated.keys()
        self.staled += staled
        self.outdated |= run.trace.outdated
        found = False
        while new := [*self.new_cells(ends), *self.new_pairs(ends)]:
            for one, other in new:
                entangle(one, other)
            found = True
        return again or found and self.matters(run, ends)

    def new_cells(self, ends: dict[Place, Array]) -> Iterator[tuple[Cell, Cell]]:
        """Yield the cells of names that may be arrays from outside of the loop in the next trip, with these."""
        for place, x in ends.items():
            cell = self.entered[place].cell
            for other in [other for other in alive_relatives(x.cell) if other not in cell.twins]:
                self.outside.setdefault(place, {})[other] = None
                yield cell, other

    def new_pairs(self, ends: dict[Place, Array]) -> Iterator[tuple[Cell, Cell]]:
        for one, other in itertools.combinations(ends, 2):
            if (one, other) not in self.pairs and related(ends[one].cell, ends[other].cell):
                self.pairs[one, other] = None
                yield self.entered[one].cell, self.entered[other].cell

    def settle(self, run: Pass, entered: dict, before: dict) -> bool:
        """Find which names exchange arrays in a trip, given what slots have when it begins and before the loop.

        Return whether it has to be traced again, with numbers that tell what the arrays of names are.
        """
        self.standing = found = standing(run.trace, entered, before, run.values, self.known is not None)
        if self.known is not None:
            if found is None or (found.slots, found.outer) != (self.known.slots, self.known.outer):
                raise stale()
            found.inputs = self.known.inputs
        self.exchanged = self.standing.exchanged(self.staled) if self.standing else []
        known = [self.standing.outer[k] for k in self.exchanged]
        staled = [cell for cell in self.staled if cell not in known and not self.follows(cell, known)]
        if staled and self.known is None:
            self.known = standing(run.trace, entered, before, run.values, True)
            self.staled = [] if self.known is not None else staled
            return self.known is not None
        self.staled = staled
        return False

    def follows(self, cell: Cell, known: list[Cell]) -> bool:
        """Return whether a cell can be changed only where it is one of those that are `known` after the loop; if so, note it to be looked up."""
        slots = [self.standing.slots[k] for k in self.exchanged]
        found = {one: one.twins[cell] for one in known if cell in one.twins}
        if not found or None in found.values() or not self.only_by(slots, cell):
            return False
        self.outdated[cell] = found
        return True

    def outdate(self) -> None:
        """Note what trips change under other names."""
        for cell, pending in self.outdated.items():
            for source, same in pending.items() if cell not in self.cells else ():
                outdate(cell, source, same)
        for cell in self.staled:
            outdate(cell)

    def only_by(self, slots: list, cell: Cell) -> bool:
        """Return whether no other slots than these may have a cell in a trip."""
        return all(slot in slots for (slot, _), x in self.entered.items() if cell in x.cell.twins)

    def matters(self, run: Pass, ends: dict[Place, Array]) -> bool:
        """Return whether a trip changes arrays in place, or chooses among them, that may be others."""
        cells = [x.cell for x in self.entered.values()]
        chosen = any(x.cell.twins and not x.cell.trace.alive and x.cell not in cells for x in ends.values())
        shared = {other for cell in cells for other in cell.twins}
        return chosen or bool(run.trace.images or run.trace.kept or shared & run.trace.written.keys()) or any(cell.version for cell in cells)

    def leave(self, run: Pass, after: dict, without: Atom | None, numbers: list[Atom]) -> None:
        """Note what the values `after` the loop may share; `without` is whether there was no trip, None if there was one."""
        names = self.standing
        if self.exchanged:
            names.finish(self.exchanged, numbers)
        self.outdate()
        ends = arrays_in({slot: run.values[slot] for slot in after})
        kept = {place: alive_relatives(x.cell) for place, x in ends.items()}
        first = {} if without is None else {place: alive_relatives(x.cell) for place, x in self.before.items()}
        relatives: dict[Place, dict] = {place: dict.fromkeys(kept.get(place, ())) for place in arrays_in(after)}
        for place, cells in first.items():
            for cell in cells:
                same = None if kept.get(place) else relation(self.before[place], cell, True)
                relatives[place][cell] = None if same is None else without & (literal(True, BOOL) if same is True else same)
        self.entangle_all(arrays_in(after), relatives, self.before if first else {}, names, numbers)
