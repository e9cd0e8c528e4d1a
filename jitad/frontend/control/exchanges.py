"""Names of a staged loop that exchange their arrays, as in ``u, v = v, u``: which array has which name when the loop ends.

In: a trip that has been traced, and the arrays that its names had before the loop and when the trip began. Out: for each name of which it can
be told a number that is carried, which array it stands for, and with it the tests of whether two arrays are the same memory after the loop,
and the final values of arrays that were changed under other names. Invariant: an array is given its value only if each name has one of
the arrays and no two the same, on every path through a trip.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from jitad.frontend.arrays.cells import Cell
from jitad.frontend.control.bodies import Body, commit, selected
from jitad.frontend.control.choices import is_whole
from jitad.ir.program import Atom, Literal, Var, literal
from jitad.ir.types import BOOL, INT, ArrayType
from jitad.primitives.elementwise.comparisons import eq, select
from jitad.primitives.structural.shaping import broadcast

MOST_TESTS = 4
FRESH = literal(-1, INT)  # the number of arrays that a trip has made


class Standing:
    """Which arrays `slots` have after the trips of a loop.

    `outer` are the arrays before the loop, first those of the slots. `trees` tell which one each slot has after a trip: the place of the slot
    that had it before, a number of `outer`, or a test with the trees for when it does not hold and when it does.
    """

    def __init__(self, slots: list, outer: list[Cell], trees: list):
        self.slots, self.outer, self.trees = slots, outer, trees
        self.inputs = [Var(ArrayType(INT)) for _ in slots]
        self.starts = [literal(k, INT) for k in range(len(slots))]

    def outputs(self) -> list[Atom]:
        """Record which arrays the names have after the trip."""
        return [self.number(tree) for tree in self.trees]

    def number(self, tree) -> Atom:
        if isinstance(tree, int):
            return self.inputs[tree]
        if isinstance(tree, Literal):
            return tree
        test, otherwise, then = tree
        return selected(test, self.number(otherwise), self.number(then))

    def exchanged(self, cells: Iterable[Cell]) -> list[int]:
        """Return the places of the slots that only exchange arrays, as far as that concerns `cells`."""
        waiting = [k for k, cell in enumerate(self.outer[: len(self.slots)]) if cell in set(cells)]
        found: set[int] = set()
        while waiting:
            k = waiting.pop()
            if k not in found:
                found.add(k)
                waiting += leaves(self.trees[k])
            if None in waiting:
                return []
        places = sorted(found)
        trees = [self.trees[k] for k in places]
        tests = list(dict.fromkeys(test for tree in trees for test in tests_of(tree)))
        outer = [self.outer[k] for k in places]
        if len(set(outer)) < len(outer) or len({cell.atom.type for cell in outer}) > 1 or len(tests) > MOST_TESTS:
            return []
        settings = itertools.product((False, True), repeat=len(tests))
        different = all(len({taken(tree, dict(zip(tests, holds, strict=True))) for tree in trees}) == len(trees) for holds in settings)
        return places if different else []

    def finish(self, places: Sequence[int], numbers: list[Atom]) -> None:
        """Give the arrays that `places` exchange what is in them, given the number of the one that each name has."""
        arrays = [self.slots[k].get() for k in places]
        for k in places:
            value = arrays[0].atom
            for x, place in zip(arrays[1:], places[1:], strict=True):
                holds = eq(numbers[place], literal(k, INT))
                value = select(broadcast(holds, shape=value.shape) if value.shape else holds, x.atom, value)
            commit(self.outer[k], value)

    def same(self, number: Atom, cell: Cell) -> Atom | None:
        """Return whether the array with a number is the same memory as a cell, None if that is not known."""
        found = literal(False, BOOL)
        for k, outer in enumerate(self.outer):
            if outer is cell or cell in outer.twins:
                same = literal(True, BOOL) if outer is cell else outer.twins[cell]
                if same is None:
                    return None
                found = found | (eq(number, literal(number_at(k, len(self.slots)), INT)) & same)
        return found


    def same_names(self, one: Atom, other: Atom) -> Atom | None:
        """Return whether the arrays with two numbers are the same memory, None if that is not known."""
        fresh = any(part is FRESH for tree in self.trees for part in parts(tree))
        twins = any(one in other.twins for one, other in itertools.combinations(self.outer, 2))
        return None if fresh or twins else eq(one, other)


def number_at(place: int, slots: int) -> int:
    """Return the number of an array: its place if a slot has it, less than `FRESH` if not."""
    return place if place < slots else slots - place - 2


def standing(trace: Body, entered: dict, before: dict, after: dict, every: bool) -> Standing | None:
    """Return which arrays names have after a trip, for those of which it can be told, None if there are none.

    Names that only get new ones are left out, unless `every` name is asked for. `entered` are the arrays that slots have when the trip
    begins, `before` and `after` what they have before the loop and after the trip.
    """
    whole = {slot: x.cell for slot, x in entered.items() if all(map(is_whole, (x, before[slot], after.get(slot))))}
    slot_of = {cell: slot for slot, cell in whole.items()}
    trees = {slot: tree_of(trace, after[slot].cell, slot_of) for slot in whole}
    while lost := [slot for slot, tree in trees.items() if any(leaf not in trees for leaf in slots_in(tree)) or tree is None]:
        for slot in lost:
            del trees[slot]
    used = {leaf for tree in trees.values() for leaf in slots_in(tree)}
    slots = [slot for slot, tree in trees.items() if every or slot in used or tree is not FRESH]
    if not slots:
        return None
    outer = [before[slot].cell for slot in slots]
    first = {cell: k for k, cell in reversed(list(enumerate(outer)))}
    outer += [cell for cell in dict.fromkeys(cell for slot in slots for cell in cells_in(trees[slot])) if cell not in first]
    numbers = {cell: number_at(k, len(slots)) for k, cell in enumerate(outer) if cell not in first} | first
    return Standing(slots, outer, [numbered(trees[slot], slots, numbers) for slot in slots])


def tree_of(trace: Body, cell: Cell, slot_of: dict):
    """Return which array that is: the slot that had it when the trip began, a cell from before the loop, `FRESH`, or a test with two trees."""
    if cell in slot_of:
        return slot_of[cell]
    if cell in trace.images:
        test, *arms = trace.images[cell]
        trees = [tree_of(trace, arm, slot_of) for arm in arms]
        return None if None in trees else (test, *trees)
    if cell.trace.alive:
        return cell
    return None if cell.twins else FRESH


def parts(tree) -> list:
    return [part for arm in tree[1:] for part in parts(arm)] if isinstance(tree, tuple) else [tree]


def slots_in(tree) -> list:
    return [part for part in parts(tree) if not isinstance(part, Cell | Literal) and part is not None]


def cells_in(tree) -> list[Cell]:
    return [part for part in parts(tree) if isinstance(part, Cell)]


def numbered(tree, slots: list, numbers: dict[Cell, int]):
    if isinstance(tree, tuple):
        return tree[0], *[numbered(arm, slots, numbers) for arm in tree[1:]]
    if isinstance(tree, Cell):
        return literal(numbers[tree], INT)
    return tree if isinstance(tree, Literal) else slots.index(tree)


def leaves(tree) -> list[int | None]:
    """Return the places of the slots in a numbered tree, None for arrays that no slot had."""
    return [part if isinstance(part, int) else None for part in parts(tree)]


def tests_of(tree) -> list[Atom]:
    return [tree[0], *[test for arm in tree[1:] for test in tests_of(arm)]] if isinstance(tree, tuple) else []


def taken(tree, holds: dict) -> int:
    """Return the leaf that is reached where tests come out like this."""
    while isinstance(tree, tuple):
        tree = tree[1 + holds[tree[0]]]
    return tree
