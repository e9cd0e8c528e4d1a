"""Staged loops: the body is traced once, with the trip number and the carried values as inputs.

In: what a loop runs over or its condition, and its body as a function. Out: one equation for all trips, and the values that the loop
leaves. What is carried is found by tracing: names that are bound to something else at the end of a trip, entries of containers, and
cells that were written; the trace is repeated until the carried values have the same types at both ends of a trip.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from jitad.frontend.arrays.array import Array
from jitad.frontend.arrays.cells import Cell, add_twin, captured, is_traced, refresh
from jitad.frontend.arrays.extents import extent_of
from jitad.frontend.control.bodies import Body, Pass, State, array_cells, commit, variable
from jitad.frontend.control.branches import condition, decided, refuse_globals
from jitad.frontend.control.carries import Carries
from jitad.frontend.control.catching import caught, raised, resumed
from jitad.frontend.control.equations import emit_loop, emit_while
from jitad.frontend.control.iterables import Sequence, progressed
from jitad.frontend.control.lists.growth import settle, with_room
from jitad.frontend.control.pictures import Picture, assemble, converted, joined, picture, placeholders
from jitad.frontend.control.sharing import Sharing
from jitad.frontend.control.signals import NONE, NOTHING, Signal, at_end_of_trip
from jitad.frontend.control.state import LENGTH, UNSET, Site
from jitad.frontend.operations.promotion import cast
from jitad.frontend.tracing.growable import Growth
from jitad.frontend.tracing.trace import counters
from jitad.frontend.tracing.trees import OBJECTS, flatten
from jitad.ir import errors
from jitad.ir.intervals import bounds
from jitad.ir.program import Atom, Literal, Program, Var, literal
from jitad.ir.types import BOOL, COUNTER, INT
from jitad.primitives.elementwise.comparisons import le

ATTEMPTS = 12
NUMBERS = (Array, np.ndarray, np.generic, int, float, complex)


class Apart(Exception):
    """The first trip changes an array that is known by another name later: it is to be run apart from the others."""


class Staging:
    """The staging of one loop, `apart` from its first trip if need be.

    Attributes
    ----------
    carried, cells
        What is carried: places, and cells of enclosing traces.
    steps
        Lengths of lists that grow by the same number in every trip.
    sharing
        What names share with others, and which cells of enclosing traces are changed under them.
    """

    def __init__(self, site: Site, body: Callable, sequence: Sequence | None = None, test: Callable | None = None, apart: bool = False):
        refuse_globals(site)
        self.apart = apart
        self.site = site
        self.body = body
        self.sequence = sequence
        self.test = test
        self.failed: str = ""

    def refused(self, error: Exception) -> errors.ControlFlowError:
        if isinstance(error, errors.JitadError):
            return errors.ControlFlowError(
                f"{self.failed or 'a value'} is not of one kind at the beginning and at the end of a trip of this loop: "
                f"{error.args[0]}; give it its final shape and structure before the loop (np.zeros of that shape, written by index), or "
                "use jitad.unroll")
        return errors.ControlFlowError(f"{error}, in a loop that is staged; give the name a value before the loop")

    def most_trips(self) -> int | None:
        """Return the greatest number of trips, None if it is not known."""
        if self.sequence is None or not is_traced(self.sequence.length):
            return self.sequence and self.sequence.length
        found = bounds(self.sequence.length.atom, counters())
        return found and max(found[1], 1)  # room for a trip also where there is none

    def run(self, entry: Signal | None = None) -> Signal | None:
        """Stage the loop; `entry` is a signal that may have ended it already."""
        self.trips = self.most_trips()
        return with_room(lambda: self.stage(entry), State((self.body, self.test), (self.site,)))

    def stage(self, entry: Signal | None) -> Signal | None:
        self.state = State((self.body, self.test), (self.site,))
        self.cells: list[Cell] = []
        self.steps: dict[Any, int] = {}
        self.sharing = Sharing(self.cells)
        self.steady = self.sequence is not None and entry is None
        saved = self.saved = self.state.save()
        try:
            self.make_buffers_traced()
            self.carried = Carries(self.saved.values)
            self.guess()
            final = self.trace_until_stable()
            while self.sharing.settle(final, self.arrays, self.saved.values):
                final = self.trace_until_stable()
            if self.apart and self.sharing.staled:
                raise Apart
            return self.record(final, entry)
        except BaseException:
            saved.restore()
            raise

    # --- what is carried ---------------------------------------------------------------------------------------------------------

    def make_buffers_traced(self) -> None:
        """Let NumPy arrays that the function has made, and writes to in the loop, be traced ones."""
        for slot in (*self.state.bound, *self.state.others):
            value = slot.get()
            if slot.label in self.site.changed and type(value) is np.ndarray and value.dtype.kind in "biuf":
                slot.set(captured(value.copy("K")))
        self.saved = self.state.save()

    def guess(self) -> None:
        """Start with what is likely to be carried: numbers that are bound anew, arrays that are, and arrays that are written."""
        for slot in (*self.state.bound, *self.state.others):
            value = slot.get()
            if slot.label in self.site.changed and value is not UNSET:
                for cell in array_cells(value):
                    self.add_cell(cell)
        for slot in self.state.bound:
            value = slot.get()
            if isinstance(value, NUMBERS) and not isinstance(value, bool):
                is_array = isinstance(value, Array) and not value.scalar
                if not (is_array and slot.label in self.site.added):
                    self.carried.begin(slot, picture(value))
        for x, _ in self.saved.containers.most:
            for column in x.store.columns:
                self.add_cell(column.cell)

    def add_cell(self, cell: Cell) -> bool:
        if cell in self.cells:
            return False
        if cell.pending:
            with contextlib.suppress(errors.AliasError):
                refresh(cell)
        self.cells.append(cell)
        return True

    def trace_until_stable(self) -> Pass:
        for _ in range(ATTEMPTS):
            try:
                run = self.trace()
            except Growth as growth:
                growth.need = self.times(growth.need)
                raise
            if not self.update(run):
                return run
        raise errors.ControlFlowError("the types of the values that this loop carries do not settle")

    def times(self, count: int | None) -> int | None:
        """Return how often that happens in all trips which happens `count` times in one, None if that is not known."""
        return count if count == 0 else None if count is None or self.trips is None else count * self.trips

    def enter(self, body: Body) -> None:
        """Give what is carried its values at the beginning of a trip."""
        body.images = {}
        if self.sequence is not None and self.trips is not None:
            body.counters[self.counter] = 0, max(self.trips - 1, 0)
        self.cell_inputs = [variable(cell) for cell in self.cells]
        self.sharing.outdate()
        self.arrays = {}
        for slot, carry in self.carried.items():
            slot.set(carry.enter() if carry.entered else UNSET)
            self.arrays[slot] = slot.get()
        self.sharing.enter({slot: (x, self.saved.values[slot]) for slot, x in self.arrays.items() if x is not UNSET})
        self.entered = {}
        for slot, step in self.steps.items():
            slot.set(progressed(self.saved.values[slot], step, Array(self.counter, int, True)))
            self.entered[slot] = slot.get().atom

    def note_elements(self, run: Pass, slot) -> None:
        """An array that a name has after the loop may be the last element of a list too, which a change of it would change."""
        for x, y in zip(*[flatten(value, OBJECTS)[0] for value in (slot.get(), run.values[slot])], strict=False):
            lists = [part.list for part in run.trace.appended if isinstance(y, Array) and y.cell in dict(part.cells)]
            if lists and isinstance(x, Array):
                for column in (column for found in lists for column in found.store.columns):
                    add_twin(x.cell, column.cell)

    def trace(self) -> Pass:
        self.counter = Var(COUNTER)

        def trip():
            if self.sequence is None:
                return at_end_of_trip(raised(self.body()))
            return at_end_of_trip(raised(self.body(self.sequence.element(Array(self.counter, int, True)))))

        return Pass(lambda: caught(functools.partial(resumed, trip)), self.state, self.saved, self.enter)

    def update(self, run: Pass) -> bool:
        """Take into account what a trip has changed; return whether it has to be traced again."""
        again = any([self.add_cell(cell) for cell in run.trace.written])
        self.steady &= run.signal is None
        for slot in self.state.slots:
            self.failed = slot.label
            if slot.label == LENGTH and slot not in self.carried:
                again |= self.count_elements(slot, self.saved.values[slot], run.picture_of(slot).atoms[0])
            else:
                again |= self.carried.follow(run, slot)
        self.failed = ""
        return self.sharing.update(run) or again

    def count_elements(self, slot, before, end: Atom) -> bool:
        """Follow the length of a list, by its step if each trip has the same; return whether the trip has to be traced again."""
        known = self.steps.get(slot, 0)
        step = (extent_of(end) - extent_of(self.entered.get(slot, before))).number
        if step == known and (self.steady or not step):
            return False
        if known or step is None or not self.steady:
            self.steps.pop(slot, None)
            self.carried.begin(slot, picture(before))
        else:
            self.steps[slot] = step
        return True

    # --- equations ---------------------------------------------------------------------------------------------------------------

    def record(self, run: Pass, entry: Signal | None) -> Signal | None:
        """Record the loop, and give what it carries its values after it."""
        growth = [(x, before, most if before is None or most is None else most - before) for x, before, most in run.longer]
        growth = [(x, before, self.times(added)) for x, before, added in growth]
        settle([(x, before, None if before is None or added is None else before + added) for x, before, added in growth])
        inputs, starts, outputs = [], [], []
        with run.trace.recorder:
            for slot, carry in self.carried.items():
                ends = converted(run.picture_of(slot), carry.kinds)
                outputs += ends
                inputs += carry.inputs if carry.entered else [Var(x.type) for x in ends]
                starts += carry.start
        inputs += self.cell_inputs
        starts += [cell.atom for cell in self.cells]
        outputs += [run.trace.written[cell] for cell in self.cells]
        if (numbers := self.sharing.standing) is not None:
            inputs += numbers.inputs
            starts += numbers.starts
            with run.trace.recorder:
                outputs += numbers.outputs()
        test = self.trace_test() if self.test is not None else None
        signal, result = run.signal, run.result
        if signal is not None or entry is not None:
            self.carry_signal(run, entry, inputs, starts, outputs)
        without, finals = self.emit(inputs, starts, outputs, run.equations, test, signal is not None or entry is not None)
        finals = iter(finals)
        for slot, carry in self.carried.items():
            slot.set(assemble(carry.treedef, carry.kinds, [next(finals) for _ in carry.leaves]))
            self.note_elements(run, slot)
        for cell in self.cells:
            atom = next(finals)
            if atom is not cell.atom:
                commit(cell, atom)
        found = [] if numbers is None else [next(finals) for _ in numbers.slots]
        self.sharing.leave(run, {slot: slot.get() for slot in self.carried}, without, found)
        for slot, step in self.steps.items():
            slot.set(progressed(self.saved.values[slot], step, self.sequence.length))
        if signal is None and entry is None:
            return None
        endless = test is not None and isinstance(self.test_atom, Literal) and bool(self.test_atom.value)
        possible = (signal.possible if signal else frozenset()) | (entry.possible if entry else frozenset()) | {NONE}
        possible = possible - {NONE} if endless else possible
        code = next(finals)
        value = NOTHING if result is None else assemble(result.treedef, result.kinds, list(finals))
        return Signal(next(iter(possible)) if len(possible) == 1 else code, value, possible)

    def carry_signal(self, run: Pass, entry: Signal | None, inputs: list, starts: list, outputs: list) -> None:
        """Carry the code of the signal that has ended the loop, and the value returned."""
        code = Var(COUNTER)
        inputs.append(code)
        starts.append(literal(NONE, INT) if entry is None else entry.atom)
        outputs.append(literal(NONE, INT) if run.signal is None else run.signal.atom)
        result = run.result
        if entry is not None and entry.value is not NOTHING:
            given = picture(entry.value)
            if result is None:
                raise errors.ControlFlowError("return in only some trips of a while loop is not known to jitad here")
            kinds = joined(result, given)
            run.result = result = Picture(result.treedef, kinds, result.atoms)
            starts += converted(given, kinds)
        elif result is not None:
            starts += placeholders(result.kinds)
        if result is not None:
            with run.trace.recorder:
                outputs += converted(result, result.kinds)
            inputs += [Var(x.type) for x in outputs[len(inputs):]]
        self.code = code

    def trace_test(self) -> Program:
        """Return the Program of the condition of a `while` loop, in the inputs of the body."""

        def enter(body):
            for cell, var in zip(self.cells, self.cell_inputs, strict=True):
                commit(cell, var)
            for slot, carry in self.carried.items():
                slot.set(assemble(carry.treedef, carry.kinds, carry.inputs) if carry.entered else UNSET)

        def decide():
            test = self.test()
            holds = decided(test)
            self.test_atom = condition(test) if holds is None else literal(holds, BOOL)

        state = State((self.test,), ())
        run = Pass(decide, state, self.saved, enter)
        if run.trace.written != dict(zip(self.cells, self.cell_inputs, strict=True)):
            raise errors.ControlFlowError("the condition of this loop changes an array in place, or prints; do that in its body")
        return Program([], run.equations, [self.test_atom])

    def emit(self, inputs, starts, outputs, equations, test: Program | None, ends: bool) -> tuple[Atom | None, list[Atom]]:
        """Record the loop and return its results, one for each of `inputs`. What no trip changes is no result of it.

        The first result is whether there was no trip, None if there was one.
        """
        moving = [k for k, (x, y) in enumerate(zip(inputs, outputs, strict=True)) if x is not y]
        still = [k for k in range(len(inputs)) if k not in moving]
        carry, results = [inputs[k] for k in moving], [outputs[k] for k in moving]
        operands = [starts[k] for k in moving]
        held, held_starts = [inputs[k] for k in still], [starts[k] for k in still]
        body = Program([*held, *carry], equations, results)
        code = self.code if ends else None
        if self.sequence is None:
            trips, found = emit_while(self.counter, body, test, None, None, len(held), held_starts, operands, code)
        else:
            count = self.sequence.length
            count = cast(count.atom, INT) if is_traced(count) else literal(count, INT)
            trips, found = emit_loop(self.counter, body, count, self.trips, len(held), held_starts, operands, code)
        finals = list(starts)
        for k, atom in zip(moving, found, strict=True):
            finals[k] = atom
        some = isinstance(trips, Literal) and trips.value > 0
        return None if some else le(trips, literal(0, INT)), finals
