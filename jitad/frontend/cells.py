"""Cells and views: the storage under traced arrays, with NumPy's aliasing.

In: atoms. Out: `View` objects that are read and written. A *cell* holds the current atom of one piece of memory. A *view* shows
the cell through a chain of steps (`jitad.frontend.views`), each of which can be read (atom -> atom) and written (the old atom of
what it is a step from, a new atom -> the new atom of that). Invariant: after a write through any view, every view of that cell
reads the new values. NumPy's and Python's scalars are views too, whose cells are never written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from jitad.frontend.trace import Trace, current_trace
from jitad.frontend.views import ReadOnly, contiguous_strides
from jitad.ir import errors
from jitad.ir.program import Atom
from jitad.ir.recorder import current
from jitad.ir.types import BOOL
from jitad.primitives.comparisons import select
from jitad.primitives.shaping import broadcast

PYTHON_KINDS = {"b": bool, "i": int, "f": float, "c": complex}
KINDS = {bool: BOOL, int: int, float: float, complex: complex}


class Cell:
    """One piece of memory: its current value, how often it was written, and the trace it lives in.

    `twins` are cells that may be the same memory, as a condition decides; when one is written, the others are `stale`, until they are looked
    up in the `images` of the trace.
    """

    __slots__ = ("atom", "version", "trace", "twins", "stale")

    def __init__(self, atom: Atom, trace: Trace | None):
        self.atom = atom
        self.version = 0
        self.trace = trace
        self.twins: tuple[Cell, ...] = ()
        self.stale = False

    def touched(self) -> None:
        """Note that it was written."""
        self.version += 1
        make_stale(self.twins)


def make_stale(cells: Iterable[Cell]) -> None:
    """Let cells no longer be used that were, or may have been, changed under another name."""
    for cell in cells:
        if cell.trace.alive and not cell.stale:
            cell.stale = True
            current_trace().staled.append(cell)


def refresh(cell: Cell) -> None:
    """Give a stale cell the value of the one of two others that is the same memory, if it is known which."""
    trace = current_trace()
    while trace is not None and cell not in trace.images:
        trace = trace.around
    if trace is None:
        raise stale()
    image = test, *others = trace.images.pop(cell)  # not there meanwhile: these may be stale themselves
    try:
        for other in others:
            if other.stale:
                refresh(other)
        otherwise, then = [other.atom for other in others]
    finally:
        trace.images[cell] = image
    if current() is not cell.trace.recorder:
        current_trace().adopt(cell)
    cell.atom = select(broadcast(test, shape=then.shape) if then.shape else test, then, otherwise)
    cell.version += 1
    cell.stale = False
    current_trace().staled = [one for one in current_trace().staled if one is not cell]


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
    strides
        The strides in bytes if NumPy had laid out the cell in C order; None for a view that is not one in NumPy.
    """

    __slots__ = ("cell", "base", "step", "type", "kind", "weak", "scalar", "origins", "_atom", "_version")

    array_class: type[View]

    def __init__(self, atom: Atom, weak: type | None = None, scalar: bool = False, origins: frozenset | None = None):
        self.cell = Cell(atom, current_trace())
        self.base = self.step = None
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
        view._version = -1
        view.type = step.type(self.type)
        view.kind = view.type.dtype
        return view

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
        if cell.stale:
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

    @property
    def strides(self) -> tuple[int, ...] | None:
        if self.base is None:
            return contiguous_strides(self.type)
        strides = self.base.strides
        return None if strides is None else self.step.strides(self.base.type, strides)

    def same_place(self, other) -> bool:
        """Return whether `other` is a view of the same elements by the same way."""
        if self is other:
            return True
        return (isinstance(other, View) and self.cell is other.cell and self.base is not None and other.base is not None
                and self.step == other.step and self.base.same_place(other.base))


def stale() -> errors.AliasError:
    return errors.AliasError(
        "an array is used that may have been changed under another name: a condition which is decided when the compiled function runs chose between "
        "it and another array, or a loop gave its name to others, and what has that name was changed in place; make the change in each arm of "
        "a branch, or change a copy")


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


