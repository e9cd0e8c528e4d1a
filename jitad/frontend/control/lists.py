"""Lists that staged control flow appends to.

In: a `Growable` list, and pictures of what it is to hold. Out: the same object as an `Appended`, whose elements are kept in arrays, one for each
leaf of an element, and whose length is a number, which may be traced. Invariant: what it shows is what Python's list would hold at
that point of the program.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from jitad.frontend.array import Array, to_atom, wrap
from jitad.frontend.cells import Cell, is_traced
from jitad.frontend.control.iterables import Sequence
from jitad.frontend.control.pictures import (
    LIST,
    Picture,
    ShapesDiffer,
    StructuresDiffer,
    converted,
    joined,
    kind_of_leaf,
    picture,
    presented,
)
from jitad.frontend.extents import Extent, extent_of
from jitad.frontend.lists import Growable, Growth
from jitad.frontend.masks import Selected
from jitad.frontend.numpy_api.builtins import BUILTINS
from jitad.frontend.numpy_api.operands import asarray
from jitad.frontend.programs import Leaf
from jitad.frontend.promotion import cast, contains_traced, from_nest, whole
from jitad.frontend.ragged import Ragged
from jitad.frontend.trace import Trace, current_trace, outermost_trace
from jitad.frontend.trees import LEAF, LISTS_AS_LEAVES, TreeDef, flatten, treat_as_list, unflatten
from jitad.ir import errors
from jitad.ir.program import literal
from jitad.ir.types import INT
from jitad.primitives.checks import require
from jitad.primitives.comparisons import lt, minimum
from jitad.primitives.declare import full

ATTEMPTS = 12
ROOM = 1 << 16  # bytes of a column that is first made for a list whose length is not known


class InArrays:
    """What stands in the list's own memory, for code that looks there: whatever it does with it is refused."""

    def refuse(self, *args, **kwargs):
        raise errors.ConcreteValueError("a list that a loop or branch has appended to, whose elements are known when the compiled function runs, "
                                        "is given to a function that jitad does not know; give it np.array(...) of the list")

    __array__ = __float__ = __int__ = __bool__ = __iter__ = __len__ = __index__ = __complex__ = refuse


IN_ARRAYS = InArrays()


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

    def element(self, parts: list):
        """Return the element with these parts of columns."""
        parts = iter(parts)
        return unflatten(self.treedef, [shown(next(parts), kind) if isinstance(kind, Leaf) else kind.value for kind in self.kinds], Growable)

    def cut(self, column: Array) -> Array | Ragged:
        """Return that part of a column that belongs to the list."""
        if not is_traced(self.count):
            return column[: self.count]
        return Ragged(column, (extent_of(self.count), *map(Extent, column.shape[1:])))


def shown(part: Array, kind: Leaf):
    if kind.kind.startswith(LIST):
        return in_array(part, Leaf(kind.type.with_shape(()), kind.kind.removeprefix(LIST)), within=True)
    return part if kind.kind == "array" else presented(part.atom, kind)


class Part(NamedTuple):
    """An array, list or dict that is, or is in, an element of a list: the cells of its arrays, and what it held."""

    list: list
    cells: list[tuple[Cell, int]]
    container: list | dict | None = None
    held: list | dict | None = None

    def changed(self) -> bool:
        if any(cell.version != version for cell, version in self.cells):
            return True
        now = [] if self.container is None or isinstance(self.container, Appended) else elements_of(self.container)
        return bool(now) and (len(now) != len(self.held) or not all(map(operator.is_, now, self.held)))


def elements_of(container: list | dict) -> list:
    return list(container.values() if isinstance(container, dict) else container)


def parts_of(x: list, value) -> list[Part]:
    """Return what must not be changed after `value` was appended to a list, since only a copy of it is kept."""
    if is_traced(value):
        return [] if value.scalar else [Part(x, [(value.cell, value.cell.version)])]
    if isinstance(value, Appended):
        return [Part(x, [(column.cell, column.cell.version) for column in value.store.columns])]
    if not isinstance(value, tuple | list | dict):
        return []
    inner = [part for element in elements_of(value) for part in parts_of(x, element)]
    return inner if isinstance(value, tuple) else [*inner, Part(x, [], value, elements_of(value))]


def changed_since() -> errors.ControlFlowError:
    return errors.ControlFlowError("an array, list or dict is appended to a list, and changed in place before or after: the list holds the object "
                                   "itself, so that all such elements are the same; append a copy, "
                                   "out.append(u.copy())")


class Appended(Growable):
    """A list whose elements are in arrays."""

    __slots__ = ()

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
        for value in values:
            self.append(value)

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
        for column, atom in zip(self.store.columns, converted(given, self.store.kinds), strict=True):
            self.store.cut(column)[key] = wrap(atom)

    def pop(self, index=-1):
        if is_traced(index) or index != -1:
            self.unsupported()
        self.check_alone()
        store = self.store
        element = store.element([wrap(store.cut(column)[-1].atom, scalar=column.ndim == 1) for column in store.columns])
        store.count = store.count - 1
        return element

    def clear(self) -> None:
        self.check_alone()
        self.store.count = 0

    def unsupported(self, *args, **kwargs):
        raise errors.ControlFlowError("a list that a staged loop or branch appends to is changed in another way than by append, extend, pop() and "
                                      "assignment to an element; use an array of the final size and the number of elements in it")

    insert = remove = sort = reverse = __delitem__ = __imul__ = unsupported

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
        return Sequence(self.length(), lambda k: self.store.element([column[k] for column in self.store.columns]))

    def __len__(self) -> int:
        return operator.index(self.length())

    def __iter__(self) -> Iterator:
        if is_traced(self.length()):
            raise errors.ConcreteValueError("the elements of a list are asked for one by one whose length is only known when the compiled "
                                            "function runs; jitad knows for statements over it, np.array(...), sum, max, min, len, indices and "
                                            "slices, append and pop(); or return an array of fixed size and the number of its elements that count")
        return self.sequence().elements()

    def __getitem__(self, key):
        self.check_sources()
        parts = [self.store.cut(column)[key] for column in self.store.columns]
        return self.part(parts) if isinstance(key, slice) else self.store.element(parts)

    def part(self, columns: list) -> Appended:
        """Return the list of the elements in other columns."""
        store = self.store
        count = columns[0].length() if isinstance(columns[0], Ragged) else columns[0].shape[0]
        arrays = [x.values.copy() if isinstance(x, Ragged) else x.copy() for x in columns]
        capacity = arrays[0].shape[0]
        return made(Growable(), Store(store.treedef, store.kinds, arrays, capacity, count, capacity, False, current_trace()))

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

    def __contains__(self, value) -> bool:
        return bool(np.any(self.as_array() == value))

    def unreadable(self, *args, **kwargs):
        raise errors.ControlFlowError("a list that a staged loop or branch appends to is asked for something that jitad does not know; "
                                      "make an array of it, np.array(...)")

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __mul__ = __rmul__ = index = count = unreadable
    __hash__ = None


treat_as_list(Appended)


def stacked(treedef: TreeDef, columns: Iterator[Array]) -> Array:
    """Return the columns of elements, which are nests of tuples and lists, as one array."""
    if treedef is LEAF:
        return next(columns)
    if treedef.cls not in (tuple, list):
        raise errors.TypeError(f"a list of elements of the structure {treedef} is converted to an array")
    return np.stack([stacked(child, columns) for child in treedef.children], 1)


def length(x):
    return x.length() if isinstance(x, Appended | Ragged | Selected) else len(x)


def listed(*args) -> list:
    """``list`` within a trace."""
    if args and isinstance(args[0], Appended):
        return args[0].copy()
    return Growable(*args)


def in_order(values, /, *, key=None, reverse=False):
    """``sorted`` within a trace: of traced numbers, a list in an array."""
    values = whole(values)
    if not isinstance(values, Array | Ragged) and not contains_traced(values) or key is not None:
        return sorted(values, key=key, reverse=reverse)
    array = np.sort(asarray(values) if not isinstance(values, Ragged) else values)
    if array.ndim != 1:
        raise errors.ValueError("arrays are compared by sorted(); write np.sort")
    array = array[::-1] if reverse else array
    elements = array.values if isinstance(array, Ragged) else array
    count = array.length() if isinstance(array, Ragged) else array.shape[0]
    return in_array(elements.copy(), Leaf(elements.type.with_shape(()), "scalar"), count)


BUILTINS[len] = length
BUILTINS[sorted] = in_order
BUILTINS[list] = listed


# --- from ordinary lists --------------------------------------------------------------------------------------------------------------


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
        size = max([kind.type.size * kind.type.dtype.itemsize for kind in leaves], default=1)
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
    store = Store(treedef, kinds, columns, capacity, x.store.count if known else len(elements), most, checked, current_trace())
    if known:
        x.store = store
    else:
        made(x, store)


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
    if isinstance(x, Appended):
        kinds = set(x.store.kinds) if x.store.treedef is LEAF and not is_traced(x.store.count) else set()
    else:
        kinds = {kind_of_leaf(element) for element in x if not isinstance(element, list | tuple | dict)} if contains_traced(x) else set()
        kinds = kinds if not any(isinstance(element, list | tuple | dict) for element in x) else set()
    kind = kinds.pop() if len(kinds) == 1 else None
    if not isinstance(kind, Leaf) or kind.type.shape or kind.kind.startswith(LIST):
        return None
    array = from_nest(x)
    return Leaf(array.type, LIST + kind.kind), array


def in_array(array: Array, kind: Leaf, count=None, within: bool = False) -> Appended:
    """Return the list of the first elements of an array, which may be `within` another list."""
    room = array.shape[0]
    return made(Growable(), Store(LEAF, [kind], [array], room, room if count is None else count, room, False, current_trace(), within))


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
