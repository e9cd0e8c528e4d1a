"""Cells and views: the storage under traced arrays, with NumPy's aliasing.

In: atoms. Out: `View` objects that are read and written. A *cell* holds the current atom of one piece of memory. A *view* shows
the cell through a chain of steps (`jitad.frontend.arrays.views`), each of which can be read (atom -> atom) and written (the old atom of
what it is a step from, a new atom -> the new atom of that). Invariant: after a write through any view, every view of that cell
reads the new values. NumPy's and Python's scalars are views too, whose cells are never written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from weakref import WeakKeyDictionary

import numpy as np

from jitad.frontend.arrays.memory_order import GAPS, UNKNOWN, Order, Strides, all_strides, kept_order, order_of, possible_strides
from jitad.frontend.arrays.views import Permutation, ReadOnly, whole_of
from jitad.frontend.tracing.trace import Trace, capture, current_trace, outermost_trace
from jitad.ir import errors
from jitad.ir.program import Atom, Literal
from jitad.ir.recorder import current
from jitad.ir.types import BOOL, ArrayType
from jitad.primitives.elementwise.comparisons import select
from jitad.primitives.structural.shaping import broadcast

PYTHON_KINDS = {"b": bool, "i": int, "f": float, "c": complex}
NO_CELLS: Mapping = MappingProxyType({})
KINDS = {bool: BOOL, int: int, float: float, complex: complex}


class Cell:
    """One piece of memory: its current value, how often it was written, and the trace it lives in.

    `twins` are cells in use that may be the same memory, each with the test that tells whether they are, None if that is not known. When one
    is written, it is `pending` for the others, until they are read.

    `order` tells how NumPy would have it in memory (`memory_order`), as far as it does not hang on the arrays that the compiled function is given: if
    the cell is `assumed`, all those are taken to be in C order. `relied` says that this has decided whether an array is a view of it.
    """

    __slots__ = ("atom", "version", "trace", "twins", "pending", "order", "assumed", "relied", "__weakref__")

    def __init__(self, atom: Atom, trace: Trace | None):
        self.atom = atom
        self.version = 0
        self.trace = trace
        self.order: Order = None
        self.assumed = False
        self.relied = False
        self.twins: Mapping[Cell, Atom | None] = NO_CELLS
        self.pending: Mapping[Cell | None, Atom | None] = NO_CELLS

    def touched(self) -> None:
        """Note that it was written."""
        self.version += 1
        if self.relied:
            rely_on_rows()
        if self.pending:
            set_pending(self, NO_CELLS)
        for cell, same in self.twins.items():
            outdate(cell, self, same)


def rely_on_rows() -> None:
    """Note that what the traced function does is known only for arguments in C order."""
    outermost_trace().in_rows = True


def entangle(one: Cell, other: Cell, same: Atom | None = None) -> None:
    """Note that two cells may be the same memory, and what tells whether they are: neither two tests that differ, nor one for cells of two types."""
    if one is not other:
        if one.twins.get(other, same) is not same or one.atom.type != other.atom.type:
            same = None
        add_twin(one, other, same)
        add_twin(other, one, same)


def add_twin(cell: Cell, other: Cell, same: Atom | None = None) -> None:
    """Note that writing to a cell may change another one."""
    if cell.twins is NO_CELLS:
        cell.twins = WeakKeyDictionary()
    cell.twins[other] = same


def outdate(cell: Cell, source: Cell | None = None, same: Atom | None = None) -> None:
    """Note that a cell was changed under the name of another one, if they are the same memory."""
    if cell.trace.alive and cell.pending.get(source, cell) is not same:
        set_pending(cell, {**cell.pending, source: same})


def set_pending(cell: Cell, pending: Mapping[Cell | None, Atom | None]) -> None:
    current_trace().note(cell)
    cell.pending = pending


def refresh(cell: Cell) -> None:
    """Give a cell what was written to it under other names."""
    sources = cell.pending
    for source, same in sources.items():
        if source is None or same is None or not source.trace.alive:
            raise stale()
        if source.pending:
            refresh(source)
    if all(source.trace is cell.trace for source in sources):
        with cell.trace.recorder:
            atom = latest(cell.atom, sources)
    else:
        if cell.trace is not current_trace():
            current_trace().adopt(cell)
        atom = latest(cell.atom, sources)
    set_pending(cell, NO_CELLS)
    cell.atom = atom
    cell.version += 1


def latest(atom: Atom, sources: Mapping[Cell, Atom]) -> Atom:
    """Return what memory holds that held `atom` before it was written under the names of one of `sources`."""
    for source, same in sources.items():
        atom = where_same(same, source.atom, atom)
    return atom


def where_same(same: Atom, new: Atom, old: Atom) -> Atom:
    if isinstance(same, Literal):
        return new if same.value else old
    return select(broadcast(same, shape=new.shape) if new.shape else same, new, old)


class View:
    """What traced arrays have in common, whatever their methods: a place in a chain of views of a cell.

    Attributes
    ----------
    cell
        The cell.
    base, step
        The view that this one is a step from, and the step. For a view of the whole cell None, and what is told of its being written, if anything.
    type : ArrayType
        The type of the elements seen and their shape.
    kind
        The key to promotion: the dtype, or int, float or complex for Python's numbers.
    weak
        For Python scalars the class (bool, int, float, complex), else None.
    scalar
        Whether it stands for a scalar of NumPy or Python, which cannot be changed in place.
    origins
        The arguments, pairs (trace, number of the leaf), from which alone the value follows; None if there are others.
    permuted
        Whether its axes may be in another order than those of the cell.
    """

    __slots__ = ("cell", "base", "step", "type", "kind", "weak", "scalar", "origins", "permuted", "_atom", "_version")

    array_class: type[View]

    def __init__(self, atom: Atom, weak: type | None = None, scalar: bool = False, origins: frozenset | None = None):
        self.cell = Cell(atom, current_trace())
        self.base = self.step = None
        self.permuted = False
        self.type = atom.type
        self.kind = atom.type.dtype if weak is None else KINDS[weak]
        self.weak = weak
        self.scalar = scalar
        self.origins = origins

    def __init_subclass__(cls) -> None:
        View.array_class = cls

    @property
    def shape(self) -> tuple[int, ...]:
        return self.type.shape

    @property
    def dtype(self) -> np.dtype:
        return self.type.dtype

    @property
    def ndim(self) -> int:
        return len(self.type.shape)

    @property
    def size(self) -> int:
        return self.type.size

    def stepped(self, step) -> View:
        """Return the view that is one step further from the cell."""
        view = object.__new__(View.array_class)
        view.cell, view.base, view.step = self.cell, self, step
        view.weak = view.origins = None
        view.scalar = False
        view.permuted = self.permuted or type(step) is Permutation
        view._version = -1
        view.type = step.type(self.type)
        view.kind = view.type.dtype
        return view

    def show(self, base: View, step) -> None:
        """Let this new view of a whole cell become a step from another view, of the same type."""
        self.cell, self.base, self.step = base.cell, base, step
        self.permuted, self._version = True, -1

    def shown(self, show: Callable[[Atom], Atom]) -> View:
        """Return a read-only view through ``show(atom) -> atom``."""
        atom = show(self.atom)
        view = self.stepped(ReadOnly(show, atom.type))
        view._remember(atom)
        return view

    @property
    def atom(self) -> Atom:
        """The current value. Where it is computed while another program is being recorded, it is not remembered."""
        cell = self.cell
        if not cell.trace.alive:
            raise leaked(self)
        if cell.pending:
            refresh(cell)
        if self.base is None:
            return cell.atom
        if self._version == cell.version:
            return self._atom
        atom = self.step.read(self.base.atom)
        self._remember(atom)
        return atom

    def _remember(self, atom: Atom) -> None:
        if current() is self.cell.trace.recorder:
            self._atom, self._version = atom, self.cell.version

    def assign(self, atom: Atom) -> None:
        """Replace what this view shows by `atom`, which has the type of the view."""
        cell = self.cell
        if not cell.trace.alive:
            raise leaked(self)
        if self.scalar:
            raise errors.TypeError("a scalar cannot be changed in place")
        if current() is not cell.trace.recorder:
            current_trace().adopt(cell)
        self._write(atom)

    def _write(self, atom: Atom) -> None:
        if self.base is None:
            if self.step is not None:
                self.step.written()
            self.cell.atom = atom
            self.cell.touched()
            return
        self.base._write(self.step.write(self.base.atom, atom))
        self._atom, self._version = atom, self.cell.version

    # --- where NumPy would have it in memory ---------------------------------------------------------------------------------

    @property
    def turned(self) -> bool:
        """Whether the last axes may lie further apart in memory than earlier ones."""
        return self.permuted or self.cell.order is not None

    def strides_from(self, strides: Strides) -> Strides:
        """Return the strides of this view, given those of the cell."""
        if self.base is None:
            return strides
        strides = self.base.strides_from(strides)
        return None if strides is None else self.step.strides(self.base.type, strides)

    @property
    def strides(self) -> Strides:
        """The strides in bytes; None if they are not known, or if this is not a view in NumPy."""
        found = possible_strides(self.cell.atom.type, self.cell.order)
        return self.strides_from(found[0]) if len(found) == 1 else None

    @property
    def order(self) -> Order:
        """The order in memory of an array that lies as this one does."""
        if self.base is None or not self.type.shape:
            return self.cell.order
        orders = {order_of(self.type, self.strides_from(strides)) for strides in possible_strides(self.cell.atom.type, self.cell.order)}
        return orders.pop() if len(orders) == 1 else GAPS if orders == {None, GAPS} else UNKNOWN

    def in_memory(self, judge: Callable[[ArrayType, Strides], object]):
        """Return what `judge` says of the type and the strides, None if these are not known well enough."""
        cell, type = self.cell, self.cell.atom.type
        answers = {judge(self.type, self.strides_from(strides)) for strides in possible_strides(type, cell.order)}
        if len(answers) > 1:
            return None
        if cell.assumed and not cell.relied:
            cell.relied = any(judge(self.type, self.strides_from(strides)) not in answers for strides in all_strides(type))
        return answers.pop()

    def lie_as(self, operands: Iterable) -> View:
        """Note that NumPy has this new array in the order of the operands that it was computed from, and return it."""
        if len(self.type.shape) > 1:
            arrays = [x for x in operands if isinstance(x, View | np.ndarray) and len(x.shape) > 1]
            self.cell.assumed = any(isinstance(x, View) and x.cell.assumed for x in arrays)
            turned = any(x.turned if isinstance(x, View) else not x.flags.c_contiguous for x in arrays)
            if turned or self.permuted:
                self.lie_in(kept_order(self.type.shape, list(map(shape_and_strides, arrays))) if turned else None)
        return self

    def lie_in(self, order: Order) -> None:
        """Note in which order NumPy has this new array; it may be the whole cell with its axes in another order."""
        view = self
        while view.base is not None and not isinstance(order, str):
            if type(view.step) is Permutation:
                axes = view.step.axes
                order = axes if order is None else tuple(axes[k] for k in order)
            elif view.step != whole_of(view.type.shape):
                order = UNKNOWN
            view = view.base
        self.cell.order = None if order == tuple(range(view.ndim)) else order

    def same_place(self, other) -> bool:
        """Return whether `other` is a view of the same elements by the same way."""
        if self is other:
            return True
        return (isinstance(other, View) and self.cell is other.cell and self.base is not None and other.base is not None
                and self.step == other.step and self.base.same_place(other.base))


def shape_and_strides(x: View | np.ndarray) -> tuple[tuple[int, ...], Strides]:
    """Return the shape and strides that tell in which order the axes lie; these are None if that is not known."""
    if isinstance(x, View) and x.cell.order is GAPS:
        return x.shape, x.strides_from(possible_strides(x.cell.atom.type, GAPS)[1])
    return x.shape, x.strides


def stale() -> errors.AliasError:
    return errors.AliasError(
        "an array is used that may have been changed under another name: a condition which is decided when the compiled function runs chose between "
        "it and another array, or a loop gave its name to others, or it was reshaped and how it lies in memory, which decides whether "
        "NumPy then copies it, is not known; and what has that name was changed in place. Make the change in each arm of a branch, or change a copy")


def leaked(view: View) -> errors.LeakedArrayError:
    return errors.LeakedArrayError(
        f"a traced array ({view.type}) is used after the trace that made it has ended; return it from the traced "
        "function instead of keeping it in a global variable, an attribute or a list")


def is_traced(x) -> bool:
    """Return whether `x` is a traced array."""
    return isinstance(x, View)


def wrap(atom: Atom, weak: bool = False, scalar: bool | None = None, origins: frozenset | None = None):
    """Return a new traced array that holds `atom`.

    Parameters
    ----------
    weak
        Whether it stands for a Python scalar.
    scalar
        Whether it stands for a NumPy scalar, as results without axes do in NumPy (the default), or for an array without axes.
    """
    return View.array_class(atom, PYTHON_KINDS[atom.dtype.kind] if weak else None, atom.ndim == 0 if scalar is None else scalar,
                            origins)


def lying(view: View, order: Order) -> View:
    """Note in which order a new array lies if all arguments are in C order, and return it."""
    view.cell.order, view.cell.assumed = order, True
    return view


def captured(array: np.ndarray) -> View:
    """Return a new traced array that stands for one from outside of the trace."""
    view = wrap(capture(array), scalar=False)
    view.cell.order = order_of(view.type, array.strides)
    return view
