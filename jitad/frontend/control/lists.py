"""Lists that staged control flow appends to.

In: a `Growable` list, and pictures of what it is to hold. Out: the same object as an `Appended`, whose elements are kept in arrays, one for each
leaf of an element, and whose length is a number, which may be traced. Invariant: what it shows is what Python's list would hold at
that point of the program.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from jitad.frontend.array import Array, wrap
from jitad.frontend.cells import Cell, is_traced, make_stale
from jitad.frontend.control.elements import atoms_of, cells_of_elements, changed_since, common, element_picture, fixed, parts_of
from jitad.frontend.control.iterables import Sequence
from jitad.frontend.control.pictures import (
    LIST,
    Picture,
    ShapesDiffer,
    StructuresDiffer,
    converted,
    presented,
)
from jitad.frontend.extents import Extent, extent_of
from jitad.frontend.lists import Growable, Growth
from jitad.frontend.masks import Selected
from jitad.frontend.numpy_api.builtins import BUILTINS
from jitad.frontend.numpy_api.operands import asarray
from jitad.frontend.open_slices import is_open_bound
from jitad.frontend.programs import Leaf
from jitad.frontend.promotion import cast, contains_traced, from_nest, whole
from jitad.frontend.ragged import Ragged
from jitad.frontend.trace import Trace, current_trace, outermost_trace
from jitad.frontend.trees import LEAF, Sized, TreeDef, flatten, treat_as_list, unflatten
from jitad.ir import errors
from jitad.ir.program import literal
from jitad.ir.types import INT, ArrayType
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
    sources
        The cells of arrays that were elements before these were kept in arrays: a change of an element would change them.
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
            view.cell.stale = True
        self.lent = []

    def element(self, parts: list):
        """Return the element with these parts of columns."""
        return fixed(self.value(parts))

    def value(self, parts: list):
        self.lent += [part for part in parts if part.ndim]
        parts = iter(parts)
        return unflatten(self.treedef, [shown(next(parts), kind) if isinstance(kind, Leaf) else kind.value for kind in self.kinds], Growable)

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
        make_stale(self.cells)

    def over(self, column: Array) -> Array:
        view = column.stepped(self)
        view.base = None
        return view

    def type(self, base: ArrayType) -> ArrayType:
        return base


def shown(part: Array, kind: Leaf):
    if kind.kind.startswith(LIST):
        return in_array(part, Leaf(kind.type.with_shape(()), kind.kind.removeprefix(LIST)), within=True)
    return part if kind.kind == "array" else presented(part.atom, kind)


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
        if is_traced(index) or index != -1:
            self.unsupported()
        self.check_alone()
        store = self.store
        element = store.value([wrap(store.cut(column)[-1].atom, scalar=column.ndim == 1) for column in store.columns])
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
        return Sequence(self.length(), lambda k: self.store.element([column[k] for column in self.store.elements()]))

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
        parts = [self.store.cut(column)[key] for column in self.store.elements()]
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


class Element(NamedTuple):
    """What an element of a list is whose length is known at run time."""

    treedef: TreeDef
    kinds: tuple


def taken_apart(x: Appended) -> tuple[tuple, list]:
    """Return a list as a node: its elements, or if its length is known at run time, what has room for them and how many there are."""
    store = x.store
    if not is_traced(store.count):
        return (), list(x)
    x.check_sources()
    return (Element(store.treedef, tuple(store.kinds)),), [*store.columns, store.count]


def put_together(keys: tuple, children: list):
    """Return the list with these columns and this length: of numbers, Python's list of the elements that count."""
    (element,), (*columns, count) = keys, children
    if all(is_traced(column) for column in columns):
        room = columns[0].shape[0]
        return made(Growable(), Store(element.treedef, list(element.kinds), columns, room, count, room, False, current_trace()))
    if isinstance(count, str):
        return "list of a length known at run time"
    return [unflatten(element.treedef, [plain(next(parts), kind) if isinstance(kind, Leaf) else kind.value for kind in element.kinds])
            for parts in (iter([column[k] for column in columns]) for k in range(count))]


def plain(x, kind: Leaf):
    """Return a part of a column of numbers as what it is."""
    if kind.kind.startswith(LIST):
        return [plain(y, kind._replace(kind=kind.kind.removeprefix(LIST))) for y in x]
    return x.item() if kind.kind == "python" else x.copy() if kind.kind == "array" and x.ndim else x


treat_as_list(Appended, taken_apart, Sized(put_together, 1))


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


# --- ordinary lists, asked for an element by a traced number -----------------------------------------------------------------------------


def get(x: Growable, key):
    """Return an element of a list, or a part of it. If the place is only known when the compiled function runs, it is kept in arrays."""
    if not is_open_place(key):
        return list.__getitem__(x, key)
    keep_in_arrays(x)
    return x[key]


def put(x: Growable, key, value) -> None:
    if not is_open_place(key):
        list.__setitem__(x, key, value)
        return
    keep_in_arrays(x)
    x[key] = value


def is_open_place(key) -> bool:
    """Return whether a key is a number that is only known when the compiled function runs, or a slice with such a bound."""
    if isinstance(key, slice):
        return is_open_bound(key.start) or is_open_bound(key.stop)
    return is_open_bound(key) and key.dtype.kind in "iu"


def keep_in_arrays(x: Growable) -> None:
    trace = current_trace()
    growth = Growth(x, [], 0)
    if not len(x):
        raise errors.IndexError("list index out of range")
    if type(x) is not Growable:
        raise errors.ControlFlowError("an element of a list is asked for by a number that is known when the compiled function runs, as is which of "
                                      "two lists this is; index in each arm of the branch")
    if id(x) in getattr(trace, "held", ()):
        raise growth
    promote(growth)


Growable.__getitem__, Growable.__setitem__ = get, put


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

