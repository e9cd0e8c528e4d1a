"""What the two arms of a branch give, put together.

In: both arms, traced, and the condition. Out: one equation, or operations on numbers, that choose between their values, and what names, entries
and cells are after the branch. Invariant: a place that neither arm has changed stays as it was.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from jitad.frontend.arrays.cells import is_traced
from jitad.frontend.arrays.extents import extent_of
from jitad.frontend.control.bodies import Pass, Saved, State, choice, commit_all
from jitad.frontend.control.choices import Choices, is_whole, unchangeable_choice
from jitad.frontend.control.lists.growth import longest, settle
from jitad.frontend.control.names import bind_partly, is_partial
from jitad.frontend.control.pictures import Picture, ShapesDiffer, StructuresDiffer, converted, joined, kind_of_leaf, placeholders
from jitad.frontend.control.signals import NONE, NOTHING, Signal, codes
from jitad.frontend.control.state import LENGTH, UNSET, NameSlot, refused_growth
from jitad.frontend.control.templates import Template, common, fitted, placed, template
from jitad.frontend.tracing.guards import same
from jitad.frontend.tracing.programs import Leaf
from jitad.frontend.tracing.trace import current_trace
from jitad.frontend.tracing.trees import OBJECTS, TreeDef, flatten
from jitad.frontend.undefined import Undefined
from jitad.ir import errors
from jitad.ir.program import Atom, literal
from jitad.ir.source import user_source
from jitad.ir.types import INT


class Chosen(NamedTuple):
    """A value that is chosen: its structure, what its leaves are, and where their atoms are among the outputs of the arms."""

    treedef: TreeDef
    kinds: list
    places: slice

    def rebuilt(self, outputs: list[Atom]):
        return Picture(self.treedef, self.kinds, []).rebuilt(outputs[self.places])


class Merger:
    """Puts two arms together, the first for a `test` that does not hold.

    Attributes
    ----------
    columns
        The outputs of each arm, so far.
    chosen
        The places whose values are chosen.
    """

    def __init__(self, test: Atom, arms: list[Pass], state: State, saved: Saved):
        self.test, self.arms, self.state, self.saved = test, arms, state, saved
        self.columns: tuple[list[Atom], list[Atom]] = [], []
        self.chosen: dict[Any, Chosen] = {}

    def run(self) -> Signal | None:
        """Record the choice, and give names, entries and cells their new values."""
        arms, columns = self.arms, self.columns
        settle(longest(arms))
        check_entries(arms, self.saved)
        for slot in self.state.slots:
            self.add_slot(slot)
        cells = list(dict.fromkeys(cell for arm in arms for cell in arm.trace.written))
        cell_places = slice(len(columns[0]), len(columns[0]) + len(cells))
        for arm, column in zip(arms, columns, strict=True):
            column += [arm.trace.end(cell) for cell in cells]
        self.add_signals()
        choices = Choices(self.test)
        given = [[arm.values[slot] for arm in arms] for slot in self.chosen]
        given.append([returned_value(arm.signal) for arm in arms])
        for values in given:
            choices.add(values)
        choices.relate(columns)
        outputs = choice(self.test, arms, columns)
        commit_all([arm.trace for arm in arms], cells, outputs[cell_places])
        for (slot, chosen), values in zip(self.chosen.items(), given, strict=False):
            slot.set(unchangeable_choice(chosen.rebuilt(outputs), values, self.saved.containers.others(slot)))
        signal = self.signal(outputs)
        results = [*(slot.get() for slot in self.chosen), returned_value(signal)]
        choices.finish(results, outputs)
        note_images(self.test, zip(results, given, strict=True))
        return signal

    def add(self, pictures: list[Picture], label: str) -> Chosen:
        """Let the arms give a value, of which these are the pictures."""
        try:
            kinds = joined(*pictures)
        except (ShapesDiffer, StructuresDiffer) as error:
            raise errors.ControlFlowError(
                f"{label} is not of one kind in both arms of the branch: {error.args[0]}; whether the branch is taken is only known when "
                "the compiled function runs, so both arms must give values of one shape and structure") from None
        start = len(self.columns[0])
        for arm, column, p in zip(self.arms, self.columns, pictures, strict=True):
            with arm.trace.recorder:
                column += converted(p, kinds)
        return Chosen(pictures[0].treedef, kinds, slice(start, len(self.columns[0])))

    def add_slot(self, slot) -> None:
        """Give a place the value that it has in both arms, or let it be chosen."""
        arms, before = self.arms, self.saved.values[slot]
        values = [arm.values.get(slot, before) for arm in arms]
        unset = any(value is UNSET for value in values)
        if values[0] is values[1] or (not is_traced(values[0]) and same(*values)):
            slot.set(values[0])
        elif slot.label == LENGTH and (added := same_length(slot, arms, before)) is not None:
            slot.set(before + added)
        elif isinstance(slot, NameSlot) and is_partial(values) and not can_stand(slot, values, self.state):
            if bind_partly(slot, arms, values):
                self.chosen[slot] = self.add([arm.picture_of(slot) for arm in arms], slot.label)
            else:
                slot.set(Undefined(slot.label, user_source().short))
        elif unset and not can_stand(slot, values, self.state):
            slot.set(Undefined(slot.label, user_source().short))
        else:
            for arm, value in zip(arms, values, strict=True):
                arm.values[slot] = value
            if not unset:
                make_alike(arms, slot)
            pictures = [None if value is UNSET else arm.picture_of(slot) for arm, value in zip(arms, values, strict=True)]
            self.chosen[slot] = self.add(with_zeros(pictures, arms), slot.label)

    def add_signals(self) -> None:
        """Let the arms give what their signals hold: the value returned, and the code if there are several."""
        arms = self.arms
        self.possible = codes(arms[0].signal) | codes(arms[1].signal)
        self.returned: Chosen | None = None
        if all(arm.result is not None for arm in arms):
            make_results_alike(arms)
        if any(arm.result is not None for arm in arms):
            self.returned = self.add(with_zeros([arm.result for arm in arms], arms), "the returned value")
        self.code_place = len(self.columns[0])
        for arm, column in zip(arms, self.columns, strict=True):
            if len(self.possible) > 1:
                column.append(literal(NONE, INT) if arm.signal is None else arm.signal.atom)

    def signal(self, outputs: list[Atom]) -> Signal | None:
        """Return the signal of the branch."""
        signals = [arm.signal for arm in self.arms]
        if signals == [None, None]:
            return None
        value = NOTHING
        if self.returned is not None:
            given = [signal.value for signal in signals if signal is not None and signal.value is not NOTHING]
            value = unchangeable_choice(self.returned.rebuilt(outputs), given, self.saved.containers.others(None))
        code = next(iter(self.possible)) if len(self.possible) == 1 else outputs[self.code_place]
        return Signal(code, value, self.possible)


def returned_value(signal: Signal | None):
    return UNSET if signal is None or signal.value is NOTHING else signal.value


def check_entries(arms: Sequence[Pass], saved: Saved) -> None:
    """Refuse dicts and objects that have got other entries in one arm than in the other, or in another order."""
    held = saved.containers.held
    one, other = [{key: slot for key, (slot, _) in arm.found.items() if key[1] not in held[key[0]][1]} for arm in arms]
    if list(one) != list(other):
        raise refused_growth(next(iter((one | other).values())).container)


def note_images(test: Atom, chosen: Iterable[tuple[Any, list]]) -> None:
    """Note which arrays those are that a branch in the body of a loop gives, each with what it is in the two arms."""
    images = current_trace().images
    for x, values in chosen if images is not None else ():
        if all(map(is_whole, (x, *values))):
            images[x.cell] = test, *[y.cell for y in values]


def make_alike(arms: Sequence[Pass], slot) -> None:
    """Give the values of a place at the ends of both arms one structure, if they have different ones."""
    t = common_template([arm.picture_of(slot) for arm in arms])
    for arm in arms if t is not None else ():
        arm.fit(slot, t)


def make_results_alike(arms: Sequence[Pass]) -> None:
    """Do the same to the returned values."""
    t = common_template([arm.result for arm in arms])
    for arm in arms if t is not None else ():
        with arm.trace.recorder:
            arm.result = fitted(arm.result, t)
        arm.signal = arm.signal._replace(value=placed(arm.signal.value, t))


def common_template(pictures: list[Picture]) -> Template | None:
    """Return what is to be the structure of two values, None if they have one, or cannot have one."""
    try:
        joined(*pictures)
    except ShapesDiffer:
        return None
    except StructuresDiffer:
        with contextlib.suppress(ShapesDiffer, StructuresDiffer):
            return common(*map(template, pictures))
    return None


def same_length(slot, arms: Sequence[Pass], count) -> int | None:
    """Return by how much the length of a list, which was `count`, grows in both arms; None if that differs or is not known."""
    before = extent_of(count)
    added = {(extent_of(arm.picture_of(slot).atoms[0]) - before).number if slot in arm.values else 0 for arm in arms}
    return added.pop() if len(added) == 1 else None


def can_stand(slot, values: list, state: State) -> bool:
    """Return whether zeros can stand for the value of a name in the arm that gives it none, since nothing reads it from there."""
    return isinstance(slot, NameSlot) and slot.label in state.assured and all(
        isinstance(kind_of_leaf(leaf), Leaf) for value in values if value is not UNSET for leaf in flatten(value, OBJECTS)[0])


def with_zeros(pictures: list[Picture | None], arms: Sequence[Pass]) -> list[Picture]:
    """Return the pictures, with zeros in the place of one that is not there."""
    (known, *_) = [p for p in pictures if p is not None]
    result = []
    for p, arm in zip(pictures, arms, strict=True):
        with arm.trace.recorder:
            result.append(absent(known) if p is None else p)
    return result


def absent(p: Picture) -> Picture:
    """Return zeros in the place of a value that is not there."""
    atoms = iter(placeholders(p.kinds))
    return Picture(p.treedef, p.kinds, [None if atom is None else next(atoms) for atom in p.atoms])
