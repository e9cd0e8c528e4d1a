"""What a list holds whose elements are kept in arrays.

In: the structure of an element and what its leaves are. Out: a `Store`, an array for each leaf that is a number, and how many elements count.
Invariant: where its elements are other arrays too, a write into a column makes these stale.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from jitad.frontend.arrays.array import Array, wrap
from jitad.frontend.arrays.cells import Cell, is_traced, outdate
from jitad.frontend.arrays.extents import Extent, extent_of
from jitad.frontend.arrays.ragged import Ragged
from jitad.frontend.control.pictures import Picture
from jitad.frontend.tracing.trace import Trace
from jitad.frontend.tracing.trees import LEAF, TreeDef
from jitad.ir import errors
from jitad.ir.program import literal
from jitad.ir.types import INT, ArrayType
from jitad.primitives.checks import require
from jitad.primitives.elementwise.comparisons import lt, minimum


@dataclass(eq=False)
class Store:
    """The elements of a list.

    Attributes
    ----------
    treedef, kinds
        The structure of an element, and what its leaves are.
    columns, capacity
        An array for each leaf that is a number, and their length.
    count, most
        How many elements there are, and how many there may be, None if that is not known.
    checked
        Whether each element appended is checked to have room.
    home
        The trace that the list was made in.
    within
        Whether it is an element of another list, in whose arrays its elements are.
    sources
        The cells of arrays that were elements before these were kept in arrays: a change of an element would change them.
    plain
        Which of Python's classes it stands for, list or tuple.
    lent
        Elements that were asked for, as views of columns: they stay what they were when the list gets others in their places.
    """

    treedef: TreeDef
    kinds: list
    columns: list[Array]
    capacity: int
    count: int | Array
    most: int | None
    checked: bool
    home: Trace
    within: bool = False
    sources: tuple[Cell, ...] = ()
    plain: type = list
    lent: list[Array] = field(default_factory=list)

    @property
    def picture(self) -> Picture:
        return Picture(self.treedef, self.kinds, [])

    def place(self):
        """Return where the next element goes."""
        if not self.checked:
            return self.count
        count, end = extent_of(self.count).atom(), literal(self.capacity, INT)
        count = require(count, lt(count, end), message="a list has more elements than there is room for", error="room")
        return wrap(minimum(count, literal(self.capacity - 1, INT)), weak=True)

    def elements(self) -> list[Array]:
        """Return the columns, as those who may change elements in place are to see them."""
        return [Sources(self.sources).over(column) for column in self.columns] if self.sources else self.columns

    def recall(self) -> None:
        """Let elements that were asked for no longer be used, since views of columns would show what takes their places."""
        for view in self.lent:
            view.cell = Cell(None, self.home)
            outdate(view.cell)
        self.lent = []

    def normalized(self, index):
        """Return the place of an element, which negative indices count from the end."""
        return np.where(index < 0, index + self.count, index) if is_traced(index) else index + self.count if index < 0 else index

    def insertion(self, index):
        """Return the place that an element gets which is inserted before another one, or at one of the ends."""
        if not any(map(is_traced, (index, self.count))):
            return min(max(self.normalized(index), 0), self.count)
        return index if type(index) is int and index == 0 else np.clip(self.normalized(index), 0, self.count)

    def rearrange(self, places) -> None:
        """Let each column hold at place ``k`` what it held at ``places[k]``."""
        self.recall()
        for column in self.columns:
            column[...] = column[places]

    def cut(self, column: Array) -> Array | Ragged:
        """Return that part of a column that belongs to the list."""
        if not is_traced(self.count):
            return column[: self.count]
        return Ragged(column, (extent_of(self.count), *map(Extent, column.shape[1:])))


@dataclass(frozen=True)
class Sources:
    """The root of views of a column whose elements other arrays are too: when it is written to, these can no longer be used."""

    cells: tuple[Cell, ...]

    def written(self) -> None:
        for cell in self.cells:
            outdate(cell)

    def over(self, column: Array) -> Array:
        view = column.stepped(self)
        view.base = None
        return view

    def type(self, base: ArrayType) -> ArrayType:
        return base


def stacked(treedef: TreeDef, columns: Iterator[Array]) -> Array:
    """Return the columns of elements, which are nests of tuples and lists, as one array."""
    if treedef is LEAF:
        return next(columns)
    if treedef.cls not in (tuple, list):
        raise errors.TypeError(f"a list of elements of the structure {treedef} is converted to an array")
    return np.stack([stacked(child, columns) for child in treedef.children], 1)
