"""What a staged loop carries in names, and in entries of containers and objects.

In: what a place holds before the loop, and at the end of a trip that has been traced. Out: a `Carry` for each place whose value changes from trip to
trip. Invariant: when nothing has to be traced again, a value has one structure, and leaves of the same types, at both ends of a trip.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jitad.frontend.arrays.cells import is_traced
from jitad.frontend.control.bodies import Pass
from jitad.frontend.control.pictures import Picture, assemble, converted, fresh, joined, picture, placeholders
from jitad.frontend.control.state import UNSET
from jitad.frontend.control.templates import Template, empty, fitted, with_variants
from jitad.frontend.tracing.guards import same
from jitad.frontend.tracing.programs import Leaf
from jitad.frontend.tracing.trees import TreeDef
from jitad.frontend.undefined import PartlyBound
from jitad.ir import errors
from jitad.ir.program import Atom, Var


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


class Carries(dict):
    """The `Carry` of each place that is carried; `before` gives what the places hold before the loop."""

    def __init__(self, before: Mapping):
        super().__init__()
        self.before = before

    def begin(self, slot, start: Picture) -> None:
        self[slot] = Carry(start.treedef, start.kinds, converted(start, start.kinds))

    def follow(self, run: Pass, slot) -> bool:
        """Take into account what a place holds at the end of a trip; return whether the trip has to be traced again."""
        carry, end = self.get(slot), run.values.get(slot, UNSET)
        if carry is None:
            return self.discover(run, slot, end)
        if end is UNSET:
            raise errors.ControlFlowError(f"{slot.label} has no value at the end of a trip of this loop; give it one on every path")
        now = Picture(carry.treedef, carry.kinds, [])
        t = with_variants(now, run.picture_of(slot))
        if t is not None:
            run.fit(slot, t)
            now = empty(t)
        if now.treedef is not carry.treedef:
            self[slot] = self.as_template(slot, t, carry.entered)
            return True
        kinds = joined(now, run.picture_of(slot))
        if kinds == carry.kinds:
            return False
        self[slot] = self.widened(slot, carry, kinds)
        return True

    def discover(self, run: Pass, slot, end) -> bool:
        """Carry a place that was thought to be constant, if it is not; return whether the trip has to be traced again."""
        before = self.before[slot]
        if end is UNSET or end is before or (not is_traced(end) and same(before, end)):
            return False
        found = run.picture_of(slot)
        if before is UNSET and type(end) is PartlyBound:
            self[slot] = Carry(found.treedef, found.kinds, placeholders(found.kinds))
            return True
        if before is UNSET:
            self[slot] = Carry(found.treedef, found.kinds, placeholders(found.kinds), entered=False)
            return False
        start = picture(before)
        t = with_variants(start, found)
        if t is not None:
            run.fit(slot, t)
            self[slot] = self.as_template(slot, t)
            return True
        kinds = joined(start, found)
        self[slot] = Carry(found.treedef, kinds, converted(start, kinds))
        return True

    def as_template(self, slot, t: Template, entered: bool = True) -> Carry:
        """Carry a place whose value is one of several."""
        before = self.before[slot]
        start = empty(t) if before is UNSET else fitted(picture(before), t)
        return Carry(start.treedef, start.kinds, converted(start, start.kinds), entered)

    def widened(self, slot, carry: Carry, kinds: list) -> Carry:
        before = self.before[slot]
        if before is UNSET:
            return Carry(carry.treedef, kinds, placeholders(kinds), carry.entered)
        t = with_variants(Picture(carry.treedef, kinds, []), picture(before))
        start = converted(picture(before) if t is None else fitted(picture(before), t), kinds)
        return Carry(carry.treedef, kinds, start, carry.entered)
