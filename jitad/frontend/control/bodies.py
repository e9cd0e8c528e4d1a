"""Traces of bodies: arms of branches and bodies of loops, which belong to the function around them.

In: a body as a function of no arguments. Out: its equations, and what it has changed. Invariants: arrays of enclosing bodies and of the
function itself may be written in a body; when it ends, they hold again what they held before, and so do names and containers.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jitad.frontend.arrays.array import Array
from jitad.frontend.arrays.cells import NO_CELLS, Cell, is_traced, outdate, set_pending, where_same
from jitad.frontend.control.lists.elements import changed_since, element_picture
from jitad.frontend.control.pictures import Picture, picture
from jitad.frontend.control.signals import NOTHING
from jitad.frontend.control.speculation import is_cheap, write, written
from jitad.frontend.control.state import UNSET, Containers, EntrySlot, NameSlot, Site, cells_of
from jitad.frontend.control.templates import Template, fitted, placed
from jitad.frontend.tracing.growable import Growth
from jitad.frontend.tracing.trace import Trace, current_trace
from jitad.frontend.tracing.trees import OBJECTS, flatten
from jitad.frontend.variants import settled
from jitad.ir import errors
from jitad.ir.program import Atom, Program, Var
from jitad.ir.recorder import current
from jitad.primitives.control import cond
from jitad.primitives.control.bodies import unite
from jitad.primitives.selections import select_terms

versions = itertools.count(1 << 32, 1 << 32)


class Body(Trace):
    """The trace of a body.

    Attributes
    ----------
    saved
        The cells of enclosing traces that were written, with what they held before.
    kept
        The cells whose `pending` has changed, with what it was; after the trace, with what it is.
    written
        After the trace: the cells of enclosing traces that were written, with their new values.
    outdated
        After the trace: the cells that were not, but may have been under other names, with what is `pending` for them.
    unknown
        After the trace: those of which it is not known what they hold.
    running
        Objects made outside that go on with each use, by id.
    held
        The containers, objects and cells made outside, by id.
    """

    def __init__(self, containers: Containers):
        super().__init__()
        self.containers = containers
        self.running, self.held = containers.running, containers.held
        self.around = current_trace()
        self.home = self.around.home
        self.saved: dict[Cell, tuple] = {}
        self.kept: dict[Cell, Mapping] = {}
        self.written: dict[Cell, Atom] = {}
        self.ends: dict[Cell, Atom | None] = {}
        self.outdated: dict[Cell, Mapping] = {}
        self.unknown: list[Cell] = []

    def note(self, cell: Cell) -> None:
        self.kept.setdefault(cell, cell.pending)

    def adopt(self, cell: Cell) -> None:
        around = self.around
        while around is not cell.trace:
            if not isinstance(around, Body):
                super().adopt(cell)
            around = around.around
        self.saved[cell] = cell.atom, cell.version, cell.trace
        cell.trace, cell.version = self, next(versions)

    def reach(self, x) -> None:
        self.containers.reach(x)
        self.around.reach(x)

    def __exit__(self, *exc) -> None:
        super().__exit__(*exc)
        self.written = {cell: cell.atom for cell in self.saved}
        for cell, saved in self.saved.items():
            cell.atom, cell.version, cell.trace = saved
        for cell, pending in self.kept.items():
            self.kept[cell], cell.pending = cell.pending, pending
        if exc[0] is None:
            self.look_up()

    def look_up(self) -> None:
        """Find what cells hold that were written under other names, as far as it has to be told here."""
        written = list(self.written)
        for cell, pending in self.kept.items():
            if cell in self.written or not cell.trace.alive or not pending or pending == cell.pending:
                continue
            if all(same is not None and source.trace.alive for source, same in pending.items()):
                self.outdated[cell] = pending
            else:
                written.append(cell)
        ends = {cell: self.end(cell) for cell in written}
        self.written |= {cell: atom for cell, atom in ends.items() if cell in self.written or cell not in self.unknown}

    def end(self, cell: Cell) -> Atom:
        """Return what a cell holds at the end; if that is not known, add it to those that are `unknown`."""
        with self.recorder:
            atom = self.value(cell)
        if atom is None and cell not in self.unknown:
            self.unknown.append(cell)
        return self.written.get(cell, cell.atom) if atom is None else atom

    def value(self, cell: Cell) -> Atom | None:
        if cell not in self.ends:
            atom = self.written.get(cell, cell.atom)
            for source, same in self.kept.get(cell, cell.pending).items():
                new = None if same is None else self.value(source)
                atom = None if atom is None or new is None else where_same(same, new, atom)
            self.ends[cell] = atom
        return self.ends[cell]


def check_running(x) -> None:
    """Refuse the use of an iterator, random number generator or file in a body traced once, if it was made outside of it."""
    trace = current_trace()
    while isinstance(trace, Body):
        if id(x) in trace.running:
            raise errors.ControlFlowError(
                f"a {type(x).__name__} is used in control flow that is decided when the compiled function runs, or in a loop that is traced "
                "once, and would go on only once; make an array of its values before, or use jitad.unroll for a loop of known length")
        trace = trace.around


def commit(cell: Cell, atom: Atom) -> None:
    """Give a cell a new value in the current trace, which other cells have too that may be the same memory."""
    if cell.trace is not current_trace():
        current_trace().adopt(cell)
    cell.atom = atom
    cell.version += 1


def commit_all(bodies: Sequence[Body], cells: Sequence[Cell], atoms: Sequence[Atom]) -> None:
    """Give the cells that `bodies` have written their new values, and note which others may have been changed under their names."""
    for cell, atom in zip(cells, atoms, strict=True):
        commit(cell, atom)
        if cell.pending:
            set_pending(cell, NO_CELLS)
    for body in bodies:
        for cell, pending in body.outdated.items():
            for source, same in pending.items() if cell not in cells else ():
                outdate(cell, source, same)
        for cell in body.unknown:
            outdate(cell)


class State:
    """The places that bodies may change: their names, and entries of containers, objects and cells that turn out to be changed."""

    def __init__(self, functions: Sequence[Callable | None], sites: Sequence[Site]):
        self.cells = cells_of(*functions)
        names = {name for site in sites for name in site.names}
        self.assured = {name for site in sites for name in site.assured}
        passing = {name for site in sites for name in site.passing} - names
        self.bound = [NameSlot(cell, name) for name, cell in self.cells.items() if name in names]
        self.others = [NameSlot(cell, name) for name, cell in self.cells.items() if name not in names]
        self.known = [slot.cell for slot in (*self.bound, *self.others) if slot.label in names | passing]
        self.slots: list[NameSlot | EntrySlot] = list(self.bound)
        self.entries: dict[tuple, EntrySlot] = {}

    def save(self) -> Saved:
        return Saved(self)

    def add_entry(self, key: tuple, slot: EntrySlot) -> bool:
        """Add an entry to the places; return whether it is new."""
        if key in self.entries:
            return False
        self.entries[key] = slot
        self.slots.append(slot)
        return True


class Saved:
    """All that bodies can reach, as it is now."""

    def __init__(self, state: State):
        self.state = state
        self.containers = Containers(state.cells, state.known)
        self.values = {slot: slot.get() for slot in state.slots}

    def restore(self) -> None:
        self.containers.restore()


class Pass:
    """One run of a body in a trace of its own.

    Attributes
    ----------
    signal
        How it ended.
    values
        The value of each place at the end: the object, and its `Picture` if it is not what it was before.
    longer
        The lists in arrays that were appended to, with their greatest lengths before and after it.
    grown
        Other lists that were appended to, with pictures of what they got; they are only there if the body is run as often as it `appends`.

    Dicts and objects may have `more` entries than before.
    """

    def __init__(self, function: Callable[[], Any], state: State, saved: Saved, prepare: Callable[[Body], None] = lambda body: None,
                 appends: bool = False, more: bool = False):
        self.trace = Body(saved.containers)
        self.values: dict = {}
        self.pictures: dict = {}
        try:
            with self.trace:
                prepare(self.trace)
                self.signal = function()
                self.found = saved.containers.changes(more)
                self.longer = saved.containers.longer()
                self.grown = [grown_list(*grown, appends) for grown in saved.containers.grown]
                self.check_appended()
                for key, (slot, _) in self.found.items():
                    if state.add_entry(key, slot):
                        saved.values[slot] = saved.containers.held[key[0]][1].get(key[1], UNSET)
                for slot in state.slots:
                    self.look(slot, saved.values[slot])
                self.result = self.look_at_signal()
        finally:
            saved.restore()

    def check_appended(self) -> None:
        """Refuse lists of one array that is changed from trip to trip, which all their elements are."""
        body = self.trace
        for part in body.appended:
            if part.changed() or any(cell in body.saved for cell, _ in part.cells):
                raise changed_since()
            if any(cell.trace is not body for cell, _ in part.cells) or id(part.container) in body.held:
                body.around.appended.append(part)

    def look(self, slot, before) -> None:
        value = self.values[slot] = settled(slot.get())
        written = self.trace.saved
        if value is not UNSET and (value is not before or any(is_traced(x) and x.cell in written for x in flatten(value, OBJECTS)[0])):
            self.pictures[slot] = picture(value)

    def look_at_signal(self) -> Picture | None:
        signal = self.signal
        return None if signal is None or signal.value is NOTHING else picture(signal.value)

    def picture_of(self, slot) -> Picture:
        """Return the value of a place at the end; if it is still what it was, it is taken apart now."""
        if slot not in self.pictures:
            with self.trace.recorder:
                self.pictures[slot] = picture(self.values[slot])
        return self.pictures[slot]

    def fit(self, slot, t: Template) -> None:
        """Give the value of a place at the end the structure of a template."""
        now = self.picture_of(slot)
        with self.trace.recorder:
            self.pictures[slot] = fitted(now, t)
        self.values[slot] = placed(self.values[slot], t)

    @property
    def equations(self):
        return self.trace.recorder.equations


def grown_list(x: list, before: list, now: list, appends: bool) -> tuple[list, list[Picture]]:
    """Return a list that has other elements than before with pictures of the new ones; where they are not just `appends`, ask for arrays."""
    longer = len(now) > len(before) and all(map(operator.is_, before, now))
    if not (appends and longer):
        raise Growth(x, [*map(element_picture, before), *map(element_picture, now)], max(len(now) - len(before), 0))
    return x, list(map(picture, now[len(before):]))


# --- a choice between Programs ---------------------------------------------------------------------------------------------------


def choice(test: Atom, passes: Sequence[Pass], outputs: Sequence[list[Atom]]) -> list[Atom]:
    """Record the choice between two bodies that have been traced, the first for a `test` that does not hold, and return its outputs."""
    if not outputs[0]:
        return []
    arms = [run.equations for run in passes]
    changes = [None if x is y or x.shape == () else written(arms, (x, y)) for x, y in zip(*outputs, strict=True)]
    if all(x is y or x.shape == () or change is not None for x, y, change in zip(*outputs, changes, strict=True)):
        writes = {equation for change in changes if change is not None for equation in change}
        arms = [[equation for equation in arm if equation not in writes] for arm in arms]
        if all(is_cheap(arm, current_trace()) for arm in arms):
            for arm in arms:
                current().equations.extend(arm)
            select = functools.partial(selected, test)
            return [select(x, y) if change is None else write(change, select) for x, y, change in zip(*outputs, changes, strict=True)]
    programs, free = unite([Program([], run.equations, atoms) for run, atoms in zip(passes, outputs, strict=True)])
    return cond(test, *free, branches=programs)


def selected(test: Atom, x: Atom, y: Atom) -> Atom:
    """Return `y` where the test holds, else `x`."""
    if x is y:
        return x
    if x is test:
        return test & y
    return test | x if y is test else select_terms(test, y, x)


def array_cells(value) -> list[Cell]:
    """Return the cells of the arrays in a value."""
    return [x.cell for x in flatten(value, OBJECTS)[0] if isinstance(x, Array) and not x.scalar]


def variable(cell: Cell) -> Var:
    """Give a cell, in the current body, a value that is an input of it."""
    commit(cell, Var(cell.atom.type))
    return cell.atom
