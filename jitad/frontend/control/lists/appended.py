"""Lists that staged control flow appends to.

In: a `Growable` list, and pictures of what it is to hold. Out: the same object as an `Appended`, whose elements are kept in arrays, one for each
leaf of an element, and whose length is a number, which may be traced. Invariant: what it shows is what Python's list would hold at
that point of the program.
"""

from __future__ import annotations

import dataclasses
import itertools
import operator
from collections.abc import Iterator

import numpy as np

from jitad.frontend.arrays.array import Array, wrap
from jitad.frontend.arrays.cells import is_traced
from jitad.frontend.arrays.ragged import Ragged
from jitad.frontend.control.iterables import Sequence
from jitad.frontend.control.lists.columns import Store, stacked
from jitad.frontend.control.lists.elements import atoms_of, cells_of_elements, changed_since, common, element_picture, fixed, parts_of
from jitad.frontend.control.lists.extension import append_each
from jitad.frontend.control.pictures import LIST, Picture, ShapesDiffer, StructuresDiffer, converted, presented
from jitad.frontend.control.raising import raise_where
from jitad.frontend.operations.promotion import cast, from_nest, to_atom
from jitad.frontend.tracing.growable import Growable, Growth
from jitad.frontend.tracing.programs import Leaf
from jitad.frontend.tracing.trace import current_trace, outermost_trace
from jitad.frontend.tracing.trees import LEAF, flatten, unflatten
from jitad.ir import errors
from jitad.ir.program import literal
from jitad.ir.types import INT
from jitad.primitives.declare import full
from jitad.primitives.elementwise.comparisons import eq

ROOM = 1 << 16  # bytes of a column that is first made for a list whose length is not known


class InArrays:
    """What stands in the list's own memory, for code that looks there: whatever it does with it is refused."""

    def refuse(self, *args, **kwargs):
        raise errors.ConcreteValueError("a list that a loop or branch has appended to, whose elements are known when the compiled function runs, "
                                        "is given to a function that jitad does not know; give it np.array(...) of the list")

    __array__ = __float__ = __int__ = __bool__ = __iter__ = __len__ = __index__ = __complex__ = refuse


IN_ARRAYS = InArrays()


class Appended(Growable):
    """A list whose elements are in arrays."""

    __slots__ = ()
    in_arrays = True

    def length(self):
        return self.store.count

    # --- changes ------------------------------------------------------------------------------------------------------------------

    def append(self, value) -> None:
        self.check_alone()
        store, given = self.store, element_picture(value)
        if not self.fit(given):
            list.append(self, value)
            return
        if not store.checked and store.most >= store.capacity:
            self.ask(Growth(self, [], max(16, store.most // 2) if store.home is current_trace() else 1))
        store = self.store
        self.write(store.place(), given)
        store.count = store.count + 1
        store.most = None if store.most is None else store.most + 1
        store.sources += tuple(x.cell for x in flatten(value)[0] if isinstance(x, Array) and not x.scalar)
        current_trace().appended += parts_of(self, value)

    def fit(self, given: Picture) -> bool:
        """See that a value can be an element; False if the list is an ordinary one again, since it cannot."""
        store = self.store
        try:
            if common([store.picture, given]) != store.kinds:
                self.ask(Growth(self, [given], 0))
        except (ShapesDiffer, StructuresDiffer):
            if store.home is not current_trace() or is_traced(store.count):
                raise
            elements = [*self]
            self.__class__ = Growable
            self[:] = elements
            return False
        return True

    def ask(self, growth: Growth) -> None:
        """Change the columns; where the list is from outside of the body that is traced, by the construct around it."""
        if self.store.home is not current_trace():
            raise growth
        promote(growth)

    def write(self, place, given: Picture) -> None:
        for column, atom in zip(self.store.columns, converted(given, self.store.kinds), strict=True):
            column[place] = wrap(atom)

    def extend(self, values) -> None:
        append_each(self, values)

    def __iadd__(self, values):
        self.extend(values)
        return self

    def __setitem__(self, key, value) -> None:
        if isinstance(key, slice):
            self.unsupported()
        given = element_picture(value)
        if not self.fit(given):
            self[key] = value
            return
        store, atoms = self.store, converted(given, self.store.kinds)
        arrays = [x for x in flatten(value)[0] if isinstance(x, Array) and not x.scalar]
        if any(x.cell is column.cell for x in arrays for column in store.columns):
            raise errors.ControlFlowError("an element of a list becomes another one too, or is exchanged with it, by a number that is known when the "
                                          "compiled function runs; assign a copy, rows[i] = rows[j].copy()")
        store.recall()
        for column, atom in zip(store.columns, atoms, strict=True):
            store.cut(column)[key] = wrap(atom)
        store.sources += tuple(x.cell for x in arrays)
        current_trace().appended += parts_of(self, value)

    def pop(self, index=-1):
        self.check_alone()
        store = self.store
        element = self.value([wrap(store.cut(column)[index].atom, scalar=column.ndim == 1) for column in store.columns])
        if is_traced(index) or index != -1:
            gap, place = store.normalized(index), np.arange(store.capacity)
            store.rearrange(np.where(place < gap, place, np.minimum(place + 1, store.capacity - 1)))
        store.count = store.count - 1
        return element

    def insert(self, index, value) -> None:
        gap = self.store.insertion(index)
        self.append(value)
        if not isinstance(self, Appended):
            list.insert(self, gap, list.pop(self))
            return
        store, place = self.store, np.arange(self.store.capacity)
        moved = np.where(place > gap, np.where(place < store.count, place - 1, place), place)
        store.rearrange(np.where(place == gap, store.count - 1, moved))

    def reverse(self) -> None:
        store, place = self.store, np.arange(self.store.capacity)
        store.rearrange(np.where(place < store.count, store.count - 1 - place, place))

    def __delitem__(self, key) -> None:
        if isinstance(key, slice):
            self.unsupported()
        self.pop(key)

    def clear(self) -> None:
        self.check_alone()
        self.store.count = 0

    def unsupported(self, *args, **kwargs):
        raise errors.ControlFlowError("a list that a staged loop or branch appends to is changed in another way than by append, extend, insert, pop, "
                                      "remove, sort, reverse and assignment to an element; use an array of the final size and the number of its "
                                      "elements")

    __imul__ = unsupported

    # --- reading ------------------------------------------------------------------------------------------------------------------

    def check_alone(self) -> None:
        if self.store.within:
            raise errors.ControlFlowError("a list within a list that a staged loop or branch appends to gets or loses elements; "
                                          "append it when it is complete, or keep its elements in an array")

    def check_sources(self) -> None:
        """Raise if an array or a list that is an element has been changed since."""
        if any(part.list is self and part.changed() for part in self.store.home.appended):
            raise changed_since()

    def as_array(self) -> Array | Ragged:
        """Return the elements as one array."""
        store = self.store
        self.check_sources()
        if not all(isinstance(kind, Leaf) for kind in store.kinds):
            raise errors.TypeError("a list whose elements are not numbers or arrays is converted to an array")
        columns = iter(store.columns)
        return store.cut(stacked(store.treedef, columns)).copy()

    def sequence(self) -> Sequence:
        self.check_sources()
        return Sequence(self.length(), lambda k: self.element([column[k] for column in self.store.elements()]))

    def element(self, parts: list):
        """Return the element with these parts of columns, whose lists and dicts refuse to be changed."""
        return fixed(self.value(parts))

    def value(self, parts: list):
        store = self.store
        store.lent += [part for part in parts if part.ndim]
        parts = iter(parts)
        return unflatten(store.treedef, [shown(next(parts), kind) if isinstance(kind, Leaf) else kind.value for kind in store.kinds], Growable)

    def __len__(self) -> int:
        return operator.index(self.length())

    def __iter__(self) -> Iterator:
        if is_traced(self.length()):
            raise errors.ConcreteValueError("the elements of a list are asked for one by one whose length is only known when the compiled "
                                            "function runs; jitad knows for statements over it, np.array(...), sum, max, min, len, indices and "
                                            "slices, append and pop(); or return an array of fixed size and the number of its elements that count")
        return self.sequence().elements()

    def __reversed__(self) -> Iterator:
        return iter([*self][::-1])

    def __getitem__(self, key):
        self.check_sources()
        parts = [self.store.cut(column)[key] for column in self.store.elements()]
        return self.part(parts) if isinstance(key, slice) else self.element(parts)

    def part(self, columns: list) -> Appended:
        """Return the list of the elements in other columns."""
        store = self.store
        count = columns[0].length() if isinstance(columns[0], Ragged) else columns[0].shape[0]
        arrays = [x.values.copy() if isinstance(x, Ragged) else x.copy() for x in columns]
        capacity = arrays[0].shape[0]
        return made(Growable(), Store(store.treedef, store.kinds, arrays, capacity, count, capacity, False, current_trace()))

    def transposed(self) -> list[Appended]:
        """Return ``zip(*self)``, each of its tuples kept in arrays."""
        store = self[:].store
        if store.treedef.cls not in (tuple, list):
            raise errors.TypeError("zip(*rows) of a list whose elements, which are known when the compiled function runs, are not tuples of a known "
                                   "number of parts")
        width = len(store.treedef.children)
        raise_where(eq(to_atom(store.count), literal(0, INT)), ValueError(f"not enough values to unpack (expected {width}, got 0)"))
        kinds, columns, parts = iter(store.kinds), iter(store.columns), []
        for child in store.treedef.children:
            own = list(itertools.islice(kinds, child.size))
            arrays = [next(columns) for kind in own if isinstance(kind, Leaf)]
            parts.append(made(Growable(), dataclasses.replace(store, treedef=child, kinds=own, columns=arrays, plain=tuple, lent=[])))
        return parts

    def copy(self) -> Appended:
        return self[:]

    def __repr__(self) -> str:
        store = self.store
        if not is_traced(store.count):
            return repr(list(self))
        if store.treedef is not LEAF or store.columns[0].ndim > 1:
            self.unreadable()
        return store.cut(store.columns[0]).marked("r", f"list of {store.kinds[0].kind}")

    def __add__(self, other) -> Appended:
        result = self.copy()
        result.extend(other)
        return result

    def __radd__(self, other: list) -> Appended:
        result = self.copy()
        for place, value in enumerate(other):
            result.insert(place, value)
        return result

    def __contains__(self, value) -> bool:
        return bool(np.any(self.as_array() == value))

    def count(self, value) -> Array:
        return np.sum(self.as_array() == value)

    def unreadable(self, *args, **kwargs):
        raise errors.ControlFlowError("a list that a staged loop or branch appends to is asked for something that jitad does not know; "
                                      "make an array of it, np.array(...)")

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __mul__ = __rmul__ = unreadable
    __hash__ = None


def shown(part: Array, kind: Leaf):
    if kind.kind.startswith(LIST):
        return in_array(part, Leaf(kind.type.with_shape(()), kind.kind.removeprefix(LIST)), within=True)
    return part if kind.kind == "array" else presented(part.atom, kind)


def made(x: Growable, store: Store) -> Appended:
    x[:] = [IN_ARRAYS]
    x.__class__ = Appended
    x.store = store
    return x


def promote(growth: Growth) -> None:
    """Let a list keep its elements in arrays that have room for those to come."""
    x = growth.list
    known = isinstance(x, Appended)
    elements = [] if known else list(map(element_picture, x))
    pictures = [x.store.picture] if known else elements
    pictures = [*pictures, *growth.elements]
    treedef, kinds = pictures[0].treedef, common(pictures)
    most = x.store.most if known else len(elements)
    checked = growth.need is None or most is None or known and x.store.checked
    capacity = x.store.capacity if known else 0
    leaves = [kind for kind in kinds if isinstance(kind, Leaf)]
    if known and not checked and growth.need and most + growth.need <= capacity:
        capacity *= 2
    if checked:
        size = max([kind.type.nbytes for kind in leaves], default=1)
        capacity = max(capacity, (most or 0) + max(16, ROOM // max(size, 1)) * outermost_trace().room)
    else:
        capacity = max(capacity, most + growth.need, 16)
    columns = [wrap(full(0, kind.type.with_shape((capacity, *kind.type.shape))), scalar=False) for kind in leaves]
    if known:
        olds = x.store.columns
        for column, old in zip(columns, olds, strict=True):
            column[: x.store.capacity] = old
    elif elements:
        for k, column in enumerate(columns):
            column[: len(elements)] = from_nest([wrap(cast(atoms[k], column.dtype)) for atoms in map(atoms_of, elements)])
    sources = x.store.sources if known else cells_of_elements(x)
    store = Store(treedef, kinds, columns, capacity, x.store.count if known else len(elements), most, checked, current_trace(), sources=sources)
    if known:
        x.store = store
    else:
        made(x, store)


def in_array(array: Array, kind: Leaf, count=None, within: bool = False) -> Appended:
    """Return the list of the first elements of an array, which may be `within` another list."""
    room = array.shape[0]
    return made(Growable(), Store(LEAF, [kind], [array], room, room if count is None else count, room, False, current_trace(), within))
