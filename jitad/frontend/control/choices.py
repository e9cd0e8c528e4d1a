"""What a condition chose of several arrays, lists or dicts that have other names too.

In: what both arms of a branch gave for a value, and the value that stands for either. Out: which of the arrays that there are may be the same memory
as those chosen, and the test that tells whether they are. Invariant: a change of one is seen in the other, or what may not show it is refused
when it is read: the test is not known where a part of an array was chosen. Lists and dicts are refused to be changed.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from jitad.frontend.arrays.array import Array
from jitad.frontend.arrays.cells import Cell, entangle
from jitad.frontend.arrays.views import Box, Either, Part, Permutation, Reshape
from jitad.frontend.control.lists.unchangeable import unchangeable
from jitad.frontend.control.state import UNSET
from jitad.frontend.tracing.growable import Growable
from jitad.frontend.tracing.trace import current_trace
from jitad.frontend.tracing.trees import OBJECTS, flatten
from jitad.ir.program import Atom, literal
from jitad.ir.types import BOOL

ChosenList, ChosenDict = unchangeable(
    "a list or dict is changed that was chosen from two by a condition which is decided when the compiled function runs; make the change in each "
    "arm of a branch, or change a copy")


class Relation(NamedTuple):
    """An array that was chosen, by its place among them, with another one, by its place too, or a cell that there was before.

    `same` is the test of whether they are the same memory, or its place among the outputs of the branch; None if it is not known.
    """

    one: int
    other: int | Cell
    same: Atom | int | None


class Choices:
    """What `test` chooses: values, each with what it is in both arms, the first for a test that does not hold."""

    def __init__(self, test: Atom):
        self.test = test
        self.arms: list[list] = []  # the arrays of which one is chosen, None where there is none

    def add(self, values: Sequence) -> None:
        """Add a value, given what it is in both arms; in one of them it may be `UNSET`."""
        leaves = [[] if value is UNSET else flatten(value, OBJECTS)[0] for value in values]
        for pair in itertools.zip_longest(*leaves):
            self.arms.append([x if isinstance(x, Array) and not x.scalar else None for x in pair])

    def relate(self, columns: Sequence[list[Atom]]) -> None:
        """Find what may be the same memory; what the arms tell of that is added to their outputs."""
        self.relations: list[Relation] = []
        self.parts = {k: found for k, pair in enumerate(self.arms) if (found := part_of_one(self.test, *pair)) is not None}
        others = [(k, pair) for k, pair in enumerate(self.arms) if k not in self.parts]
        for k, pair in others:
            found = [cell for x in pair if x is not None for cell in (x.cell, *x.cell.twins) if cell.trace.alive]
            for cell in dict.fromkeys(found):
                self.add_relation(k, cell, [relation(x, cell, True) for x in pair], columns)
        for (k, pair), (j, second) in itertools.combinations(others, 2):
            tests = [False if y is None else relation(x, y.cell, is_whole(y)) for x, y in zip(pair, second, strict=True)]
            self.add_relation(k, j, tests, columns)

    def add_relation(self, one: int, other: int | Cell, tests: list, columns: Sequence[list[Atom]]) -> None:
        if all(same is False for same in tests):
            return
        if None in tests:
            same = None
        elif all(same is True for same in tests):
            same = literal(True, BOOL)
        elif tests[0] is False and tests[1] is True:
            same = self.test
        else:
            same = len(columns[0])
            for column, x in zip(columns, tests, strict=True):
                column.append(literal(x, BOOL) if isinstance(x, bool) else x)
        self.relations.append(Relation(one, other, same))

    def finish(self, results: Iterable, outputs: Sequence[Atom]) -> None:
        """Note what was found, given the values that the branch gives."""
        chosen = [x for result in results if result is not UNSET for x in flatten(result, OBJECTS)[0]]
        for k, (root, step) in self.parts.items():
            if isinstance(chosen[k], Array):
                chosen[k].show(root, step)
        for one, other, same in self.relations:
            x, y = chosen[one], chosen[other] if isinstance(other, int) else other
            if isinstance(x, Array) and isinstance(y, Array | Cell):
                entangle(x.cell, y.cell if isinstance(y, Array) else y, outputs[same] if isinstance(same, int) else same)


def part_of_one(test: Atom, one: Array | None, other: Array | None) -> tuple[Array, Either] | None:
    """Return what shows one of two parts of the same array, and of what, if their places are known and they lie alike."""
    if one is None or other is None or one.cell is not other.cell or not one.cell.trace.alive or one.base is other.base is None:
        return None
    (root, first), (_, second) = map(steps_of, (one, other))
    known = all(isinstance(step, Box | Permutation | Reshape | Part) or isinstance(step, Either) and step.trace.alive for step in (*first, *second))
    if not known or one.type != other.type or one.strides is None or one.strides != other.strides:
        return None
    return root, Either(test, (first, second), current_trace())


def steps_of(x: Array) -> tuple[Array, tuple]:
    """Return the view of the whole cell, and the steps from it to a view."""
    steps: list = []
    while x.base is not None:
        steps.insert(0, x.step)
        x = x.base
    return x, tuple(steps)


def is_whole(x) -> bool:
    """Return whether something is an array that sees all of its memory as it lies."""
    return isinstance(x, Array) and not x.scalar and x.base is None


def relation(x: Array | None, cell: Cell, whole: bool) -> bool | Atom | None:
    """Return whether an array is the same memory as a cell, of which something sees the `whole`; None if that is not known."""
    if x is None or not (x.cell is cell or cell in x.cell.twins):
        return False
    if not (whole and is_whole(x)):
        return None
    return True if x.cell is cell else x.cell.twins[cell]


def note_pick(result, values: Sequence, is_place: Callable[[int], Atom]) -> None:
    """Note what `result` shares, which is one of `values`, that at k where ``is_place(k)`` holds."""
    rows = [flatten(value, OBJECTS)[0] for value in values]
    arrays = [(j, x) for j, x in enumerate(flatten(result, OBJECTS)[0]) if isinstance(x, Array) and not x.scalar]
    tests: dict[tuple, list] = {}
    for j, x in arrays:
        for k, y in ((k, row[j]) for k, row in enumerate(rows) if isinstance(row[j], Array)):
            for cell in [cell for cell in (y.cell, *y.cell.twins) if cell.trace.alive]:
                same = relation(y, cell, True)
                tests.setdefault((x.cell, cell), []).append(None if same is None else is_place(k) if same is True else is_place(k) & same)
    for (one, other), found in tests.items():
        entangle(one, other, None if None in found else functools.reduce(operator.or_, found))
    for (j, x), (i, y) in itertools.combinations(arrays, 2):
        if any(isinstance(row[j], Array) and isinstance(row[i], Array) and relation(row[j], row[i].cell, True) is not False for row in rows):
            entangle(x.cell, y.cell)


def unchangeable_choice(result, values: Iterable, others: Iterable):
    """Return `result`, which stands for one of `values`, of which one that has other names, as `others` have, must not be changed."""
    known = {id(x) for x in others}
    if any(id(value) in known for value in values):
        if type(result) is Growable:
            result.__class__ = ChosenList
        elif type(result) is dict:
            result = ChosenDict(result)
    return result
