"""Elements of lists, as they are to be kept in arrays, and what they share with what they were made of.

In: values that are elements of a list. Out: pictures of them, in which lists of numbers are leaves; what they have in common; and `Part`
records of the arrays, lists and dicts that must not be changed afterwards, since only a copy is kept.
"""

from __future__ import annotations

import operator
from typing import NamedTuple

from jitad.frontend.arrays.array import Array, to_atom
from jitad.frontend.arrays.cells import Cell, is_traced
from jitad.frontend.control.lists.unchangeable import unchangeable
from jitad.frontend.control.pictures import LIST, Picture, ShapesDiffer, StructuresDiffer, joined, kind_of_leaf, picture
from jitad.frontend.operations.promotion import contains_traced, from_nest
from jitad.frontend.tracing.growable import Growable
from jitad.frontend.tracing.programs import Leaf
from jitad.frontend.tracing.trace import current_trace
from jitad.frontend.tracing.trees import LEAF, LISTS_AS_LEAVES, flatten
from jitad.ir import errors


def in_arrays(x) -> bool:
    """Return whether `x` is a list whose elements are kept in arrays."""
    return isinstance(x, Growable) and x.in_arrays


class Part(NamedTuple):
    """An array, list or dict that is, or is in, an element of a list: the cells of its arrays, and what it held."""

    list: list
    cells: list[tuple[Cell, int]]
    container: list | dict | None = None
    held: list | dict | None = None

    def changed(self) -> bool:
        if any(cell.version != version for cell, version in self.cells):
            return True
        now = [] if self.container is None or in_arrays(self.container) else elements_of(self.container)
        return bool(now) and (len(now) != len(self.held) or not all(map(operator.is_, now, self.held)))


def elements_of(container: list | dict) -> list:
    return list(container.values() if isinstance(container, dict) else container)


def parts_of(x: list, value) -> list[Part]:
    """Return what must not be changed after `value` was appended to a list, since only a copy of it is kept."""
    if is_traced(value):
        return [] if value.scalar else [Part(x, [(value.cell, value.cell.version)])]
    if in_arrays(value):
        return [Part(x, [(column.cell, column.cell.version) for column in value.store.columns])]
    if not isinstance(value, tuple | list | dict):
        return []
    inner = [part for element in elements_of(value) for part in parts_of(x, element)]
    return inner if isinstance(value, tuple) else [*inner, Part(x, [], value, elements_of(value))]


def changed_since() -> errors.ControlFlowError:
    return errors.ControlFlowError("an array, list or dict is appended to a list, and changed in place before or after: the list holds the object "
                                   "itself, so that all such elements are the same; append a copy, "
                                   "out.append(u.copy())")


def element_picture(value) -> Picture:
    """Return the picture of a value that is to be an element. Lists of numbers of one kind are leaves of it."""
    leaves, treedef = flatten(value, LISTS_AS_LEAVES)
    packed = [pack(x) if isinstance(x, list) else (kind_of_leaf(x), x) for x in leaves]
    if None in packed:
        return picture(value)
    kinds = [kind for kind, _ in packed]
    return Picture(treedef, kinds, [to_atom(x) if isinstance(kind, Leaf) else None for kind, x in packed])


def pack(x: list) -> tuple[Leaf, Array] | None:
    """Return a list of numbers as an array, and what it is as a leaf; None for other lists."""
    if in_arrays(x):
        kinds = set(x.store.kinds) if x.store.treedef is LEAF and not is_traced(x.store.count) else set()
    else:
        kinds = {kind_of_leaf(element) for element in x if not isinstance(element, list | tuple | dict)} if contains_traced(x) else set()
        kinds = kinds if not any(isinstance(element, list | tuple | dict) for element in x) else set()
    kind = kinds.pop() if len(kinds) == 1 else None
    if not isinstance(kind, Leaf) or kind.type.shape or kind.kind.startswith(LIST):
        return None
    array = from_nest(x)
    return Leaf(array.type, LIST + kind.kind), array


def common(pictures: list[Picture]) -> list:
    """Return what the leaves of elements are, whichever of the pictures they have."""
    first, *others = pictures
    kinds = first.kinds
    for other in others:
        try:
            kinds = joined(Picture(first.treedef, kinds, []), other)
        except (ShapesDiffer, StructuresDiffer) as error:
            raise error.__class__(f"a list gets elements of more than one kind in a loop or branch that is staged, {error.args[0]}; keep them in "
                                  "several lists, or give all of them one shape") from None
    return kinds


def atoms_of(p: Picture) -> list:
    return [atom for atom, kind in zip(p.atoms, p.kinds, strict=True) if isinstance(kind, Leaf)]


def cells_of_elements(x: list) -> tuple[Cell, ...]:
    """Return the cells of the arrays that are, or are in, elements of a list; from now on they must not be changed."""
    parts = [part for value in x for part in parts_of(x, value)]
    current_trace().appended += [part for part in parts if part.cells]
    return tuple(dict.fromkeys(cell for part in parts for cell, _ in part.cells))


# --- lists and dicts that are elements ------------------------------------------------------------------------------------------------


ElementList, ElementDict = unchangeable(
    "a list or dict is changed that is an element of a list whose elements are kept in arrays, since a loop or branch changes that list or asks "
    "for its elements by number; keep what changes in arrays, with an axis for the number")


def fixed(value):
    """Return an element, made anew, whose lists and dicts refuse to be changed."""
    if type(value) is Growable:
        return ElementList(map(fixed, value))
    if type(value) is dict:
        return ElementDict({key: fixed(x) for key, x in value.items()})
    return tuple(map(fixed, value)) if type(value) is tuple else value
