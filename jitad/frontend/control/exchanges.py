"""Names of a staged loop that exchange their arrays, as in ``u, v = v, u``: which array has which name when the loop ends.

In: a trip that has been traced, whose names had arrays of their own when it began. Out: for each of these names a number that is carried,
which array it stands for, and with it the final values of the arrays that the names had before the loop. Invariant: an array is
given its value only if each name has one of the arrays and no two the same, on every path through a trip.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from jitad.frontend.cells import Cell
from jitad.frontend.control.bodies import Body, commit, is_whole, selected
from jitad.frontend.control.choices import entangle
from jitad.ir.program import Atom, Var, literal
from jitad.ir.types import INT, ArrayType
from jitad.primitives.comparisons import eq, select
from jitad.primitives.shaping import broadcast

MOST_TESTS = 4


class Exchange:
    """The exchange of arrays between `slots`, whose arrays before the loop are `outer`.

    `trees` tell which of them each slot has after a trip: a number, that of the slot that had it before, or a test with the trees for
    when it does not hold and when it does.
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
        test, otherwise, then = tree
        return selected(test, self.number(otherwise), self.number(then))

    def finish(self, numbers: list[Atom]) -> None:
        """Give the arrays from before the loop what is in them, given the number of the one that each name has."""
        arrays = [slot.get() for slot in self.slots]
        for k, cell in enumerate(self.outer):
            value = arrays[0].atom
            for x, number in zip(arrays[1:], numbers[1:], strict=True):
                holds = eq(number, literal(k, INT))
                value = select(broadcast(holds, shape=value.shape) if value.shape else holds, x.atom, value)
            commit(cell, value)
        for x, cell in itertools.product(arrays, self.outer):
            entangle(x.cell, cell)


def exchange(trace: Body, staled: Iterable[Cell], entered: dict, before: dict, after: dict) -> Exchange | None:
    """Return how a trip exchanges the arrays `staled`, which were changed under the names that they have in it; None if it does something else.

    `entered` are the arrays that slots have when the trip begins, `before` and `after` what they have before the loop and after the trip.
    """
    whole = {slot: x.cell for slot, x in entered.items() if is_whole(x) and is_whole(before[slot])}
    slot_of = {cell: slot for slot, cell in whole.items()}
    wanted = set(staled)
    waiting = [slot for slot in whole if before[slot].cell in wanted]
    found: dict = {}
    while waiting:
        slot = waiting.pop()
        if slot in found:
            continue
        tree = found[slot] = tree_of(trace, after.get(slot), slot_of)
        if tree is None:
            return None
        waiting += leaves(tree)
    slots = list(found)
    outer = [before[slot].cell for slot in slots]
    if not slots or len(set(outer)) < len(outer) or len({cell.atom.type for cell in outer}) > 1:
        return None
    trees = [numbered(tree, slots) for tree in found.values()]
    tests = list(dict.fromkeys(test for tree in trees for test in tests_of(tree)))
    if len(tests) > MOST_TESTS or not all(
            len({taken(tree, dict(zip(tests, holds, strict=True))) for tree in trees}) == len(slots)
            for holds in itertools.product((False, True), repeat=len(tests))):
        return None
    return Exchange(slots, outer, trees)


def tree_of(trace: Body, x, slot_of: dict):
    """Return which slot had an array when the trip began: a slot, or a test with two trees; None if no slot is known to have had it."""
    return cell_tree(trace, x.cell, slot_of) if is_whole(x) else None


def cell_tree(trace: Body, cell: Cell, slot_of: dict):
    if cell in slot_of:
        return slot_of[cell]
    if cell not in trace.images:
        return None
    test, *arms = trace.images[cell]
    trees = [cell_tree(trace, arm, slot_of) for arm in arms]
    return None if None in trees else (test, *trees)


def leaves(tree) -> list:
    return [leaf for arm in tree[1:] for leaf in leaves(arm)] if isinstance(tree, tuple) else [tree]


def numbered(tree, slots: list):
    return (tree[0], *[numbered(arm, slots) for arm in tree[1:]]) if isinstance(tree, tuple) else slots.index(tree)


def tests_of(tree) -> list[Atom]:
    return [tree[0], *[test for arm in tree[1:] for test in tests_of(arm)]] if isinstance(tree, tuple) else []


def taken(tree, holds: dict) -> int:
    """Return the leaf that is reached where tests come out like this."""
    while isinstance(tree, tuple):
        tree = tree[1 + holds[tree[0]]]
    return tree
