"""What a condition chose of several arrays, lists or dicts that have other names too.

In: what both arms of a branch gave for a value, and the value that stands for either. Out: the value, of which a change is not seen in what it was
chosen from, as it would be in Python. Invariant: such a change is never missed: what was chosen from, or what was chosen, is refused when it
is read after the other was changed; lists and dicts are refused to be changed.
"""

from __future__ import annotations

from collections.abc import Iterable

from jitad.frontend.array import Array
from jitad.frontend.cells import Cell
from jitad.frontend.control.unchangeable import unchangeable
from jitad.frontend.lists import Growable
from jitad.frontend.trees import OBJECTS, flatten

ChosenList, ChosenDict = unchangeable(
    "a list or dict is changed that was chosen from two by a condition which is decided when the compiled function runs; make the change in each "
    "arm of a branch, or change a copy")


def chosen_from(result, values: Iterable, others: Iterable, made: set[Cell]):
    """Return `result`, which stands for one of `values`; `others` are the objects that have other names, `made` the cells chosen by the same test."""
    values, known = list(values), {id(x) for x in others}
    leaves = flatten(result, OBJECTS)[0]
    for value in values:
        for x, y in zip(leaves, flatten(value, OBJECTS)[0], strict=False):
            if isinstance(x, Array) and isinstance(y, Array) and not y.scalar and y.cell.trace.alive and x.cell is not y.cell:
                made.add(x.cell)
                for cell in {y.cell, *y.cell.twins} - made:
                    if cell.trace.alive:
                        entangle(x.cell, cell)
    if any(id(value) in known for value in values):
        if type(result) is Growable:
            result.__class__ = ChosenList
        elif type(result) is dict:
            result = ChosenDict(result)
    return result


def entangle(one: Cell, other: Cell) -> None:
    """Note that two cells may be the same memory."""
    one.twins, other.twins = (*one.twins, other), (*other.twins, one)
