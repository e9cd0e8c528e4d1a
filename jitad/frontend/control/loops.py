"""Staged loops: the body is traced once, with the trip number and the carried values as inputs.

In: what a loop runs over or its condition, and its body as a function. Out: one equation for all trips, and the values that the loop
leaves. What is carried is found by tracing: names that are bound to something else at the end of a trip, entries of containers, and
cells that were written; the trace is repeated until the carried values have the same types at both ends of a trip.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jitad.frontend.array import Array, wrap
from jitad.frontend.cells import Cell, is_traced
from jitad.frontend.control.bodies import Body, Pass, State, array_cells, commit, variable
from jitad.frontend.control.bounds import bounds, counters
from jitad.frontend.control.branches import condition, decided, refuse_globals
from jitad.frontend.control.equations import emit_loop, emit_while
from jitad.frontend.control.iterables import Sequence, progressed
from jitad.frontend.control.lists import Appended, buffer_for
from jitad.frontend.control.signals import NONE, NOTHING, Signal, at_end_of_trip
from jitad.frontend.control.state import (
    UNSET,
    Picture,
    Site,
    assemble,
    converted,
    fresh,
    joined,
    picture,
    placeholders,
    refused_growth,
)
from jitad.frontend.guards import same
from jitad.frontend.programs import Leaf
from jitad.frontend.promotion import cast
from jitad.frontend.trace import capture
from jitad.frontend.trees import LEAF, TreeDef
from jitad.ir import errors
from jitad.ir.program import Atom, Program, Var, literal
from jitad.ir.types import BOOL, INT, ArrayType

ATTEMPTS = 12
COUNTER = ArrayType(INT)
NUMBERS = (Array, np.ndarray, np.generic, int, float, complex)


@dataclass
class Carry:
    """A place whose value is carried from trip to trip: its structure and leaves, and their values before the loop."""

    treedef: TreeDef
    kinds: list
    start: list[Atom]
    entered: bool = True  # False: it has no value when the first trip begins
    inputs: list[Var] = field(default_factory=list)

    @property
    def leaves(self) -> list[Leaf]:
        return [kind for kind in self.kinds if isinstance(kind, Leaf)]

    def enter(self):
        """Return the value at the beginning of a trip."""
        self.inputs = list(map(fresh, self.leaves))
        return assemble(self.treedef, self.kinds, self.inputs)


class Staging:
    """The staging of one loop.

    Attributes
    ----------
    carried, cells
        What is carried: places, and cells of enclosing traces.
    """

    def __init__(self, site: Site, body: Callable, sequence: Sequence | None = None, test: Callable | None = None):
        refuse_globals(site)
        self.site = site
        self.body = body
        self.sequence = sequence
        self.test = test
        self.carried: dict[Any, Carry] = {}
        self.cells: list[Cell] = []
        self.lists: dict[int, tuple[Appended, int, int]] = {}
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
        return found and max(found[1], 0)

    def run(self, entry: Signal | None = None) -> Signal | None:
        """Stage the loop; `entry` is a signal that may have ended it already."""
        self.trips = self.most_trips()
        self.state = State((self.body, self.test), (self.site,))
        saved = self.saved = self.state.save()
        try:
            self.make_buffers_traced()
            self.guess()
            final = self.trace_until_stable()
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
                slot.set(wrap(capture(value.copy()), scalar=False))
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
                    self.carry(slot, picture(value))

    def add_cell(self, cell: Cell) -> bool:
        if cell in self.cells:
            return False
        self.cells.append(cell)
        return True

    def carry(self, slot, start: Picture) -> None:
        self.carried[slot] = Carry(start.treedef, start.kinds, converted(start, start.kinds))

    def trace_until_stable(self) -> Pass:
        for _ in range(ATTEMPTS):
            run = self.trace()
            if self.lists_grow(run):
                continue
            if not self.update(run):
                return run
        raise errors.ControlFlowError("the types of the values that this loop carries do not settle")

    def lists_grow(self, run: Pass) -> bool:
        """Keep what the loop appends to lists in arrays; return whether there is a list for which this is not done yet."""
        new = [(x, added) for x, added in run.grown if id(x) not in self.lists]
        for x, added in run.grown:
            if id(x) in self.lists and len(added) != self.lists[id(x)][1]:
                raise refused_growth(x)
        if len(run.grown) - len(new) != len(self.lists):
            raise errors.ControlFlowError("a list is appended to in only some of the trips of a loop; use an array of the final size")
        for x, added in new:
            self.keep_in_array(x, added)
        if new:
            self.saved = self.state.save()
        return bool(new)

    def keep_in_array(self, x: list, added: list[Picture]) -> None:
        slots = [slot for slot in (*self.state.bound, *self.state.others) if slot.get() is x]
        if not slots or self.sequence is None or is_traced(self.sequence.length) or (isinstance(x, Appended) and x.staged):
            raise refused_growth(x)
        pictures = [*added, *([picture(x.as_array()[0])] if isinstance(x, Appended) else map(picture, x))]
        kinds = pictures[0].kinds
        for other in pictures:
            kinds = joined(Picture(pictures[0].treedef, kinds, []), other)
        if pictures[0].treedef is not LEAF or not isinstance(kinds[0], Leaf):
            raise refused_growth(x)
        start = len(x)
        proxy = Appended(buffer_for(x, start + self.sequence.length * len(added), kinds[0].type), start)
        self.lists[id(proxy)] = proxy, len(added), start
        for slot in slots:
            slot.set(proxy)
        self.add_cell(proxy.buffer.cell)

    def enter(self, body: Body) -> None:
        """Give what is carried its values at the beginning of a trip."""
        if self.sequence is not None and self.trips is not None:
            body.counters[self.counter] = 0, max(self.trips - 1, 0)
        self.cell_inputs = [variable(cell) for cell in self.cells]
        for slot, carry in self.carried.items():
            slot.set(carry.enter() if carry.entered else UNSET)

    def trace(self) -> Pass:
        self.counter = Var(COUNTER)

        def trip():
            if self.sequence is None:
                return at_end_of_trip(self.body())
            k = Array(self.counter, int, True)
            for proxy, count, start in self.lists.values():
                proxy.enter(progressed(start, count, k))
            return at_end_of_trip(self.body(self.sequence.element(k)))

        return Pass(trip, self.state, self.saved, self.enter)

    def update(self, run: Pass) -> bool:
        """Take into account what a trip has changed; return whether it has to be traced again."""
        again = any([self.add_cell(cell) for cell in run.trace.written])
        for slot in self.state.slots:
            before, end = self.saved.values[slot], run.values.get(slot, UNSET)
            carry = self.carried.get(slot)
            self.failed = slot.label
            if carry is None:
                again |= self.start_carrying(run, slot, before, end)
            elif end is UNSET:
                raise errors.ControlFlowError(f"{slot.label} has no value at the end of a trip of this loop; give it one on "
                                              "every path")
            else:
                now = Picture(carry.treedef, carry.kinds, [])
                kinds = joined(now, run.picture_of(slot))
                if kinds != carry.kinds:
                    self.carried[slot] = self.widened(slot, carry, kinds)
                    again = True
        self.failed = ""
        return again

    def widened(self, slot, carry: Carry, kinds: list) -> Carry:
        before = self.saved.values[slot]
        start = placeholders(kinds) if before is UNSET else converted(picture(before), kinds)
        return Carry(carry.treedef, kinds, start, carry.entered)

    def start_carrying(self, run: Pass, slot, before, end) -> bool:
        """Carry a place that was thought to be constant, if it is not; return whether the trip has to be traced again."""
        if end is UNSET or end is before or (not is_traced(end) and same(before, end)):
            return False
        found = run.picture_of(slot)
        if before is UNSET:
            self.carried[slot] = Carry(found.treedef, found.kinds, placeholders(found.kinds), entered=False)
            return False
        start = picture(before)
        kinds = joined(start, found)
        self.carried[slot] = Carry(found.treedef, kinds, converted(start, kinds))
        return True

    # --- equations ---------------------------------------------------------------------------------------------------------------

    def record(self, run: Pass, entry: Signal | None) -> Signal | None:
        """Record the loop, and give what it carries its values after it."""
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
        test = self.trace_test() if self.test is not None else None
        signal, result = run.signal, run.result
        if signal is not None or entry is not None:
            self.carry_signal(run, entry, inputs, starts, outputs)
        finals = self.emit(inputs, starts, outputs, run.equations, test, signal is not None or entry is not None)
        finals = iter(finals)
        for slot, carry in self.carried.items():
            slot.set(assemble(carry.treedef, carry.kinds, [next(finals) for _ in carry.leaves]))
        for cell in self.cells:
            atom = next(finals)
            if atom is not cell.atom:
                commit(cell, atom)
        if self.lists and (signal is not None or entry is not None):
            raise errors.ControlFlowError("a loop that may end early appends to a list; use an array of the final size")
        for proxy, count, start in self.lists.values():
            proxy.leave(start + count * self.sequence.length)
        if signal is None and entry is None:
            return None
        possible = (signal.possible if signal else frozenset()) | (entry.possible if entry else frozenset()) | {NONE}
        code = next(finals)
        value = NOTHING if result is None else assemble(result.treedef, result.kinds, list(finals))
        return Signal(code, value, possible)

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
            raise errors.ControlFlowError("the condition of this loop changes an array in place; do that in its body")
        return Program([], run.equations, [self.test_atom])

    def emit(self, inputs, starts, outputs, equations, test: Program | None, ends: bool) -> list[Atom]:
        """Record the loop and return its results, one for each of `inputs`. What no trip changes is no result of it."""
        moving = [k for k, (x, y) in enumerate(zip(inputs, outputs, strict=True)) if x is not y]
        still = [k for k in range(len(inputs)) if k not in moving]
        carry, results = [inputs[k] for k in moving], [outputs[k] for k in moving]
        operands = [starts[k] for k in moving]
        held, held_starts = [inputs[k] for k in still], [starts[k] for k in still]
        body = Program([*held, *carry], equations, results)
        code = self.code if ends else None
        if self.sequence is None:
            found = emit_while(self.counter, body, test, None, None, len(held), held_starts, operands, code)
        else:
            count = self.sequence.length
            count = cast(count.atom, INT) if is_traced(count) else literal(count, INT)
            found = emit_loop(self.counter, body, count, self.trips, len(held), held_starts, operands, code)
        finals = list(starts)
        for k, atom in zip(moving, found, strict=True):
            finals[k] = atom
        return finals
