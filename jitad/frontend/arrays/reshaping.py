"""Traced arrays under other shapes and with their axes in another order: views where NumPy gives views, copies where it copies.

In: a view. Out: a view of the same cell, or of a new one. Invariant: where it is not known whether NumPy copies, there are two cells, and what is
written to one is unknown in the other.
"""

from __future__ import annotations

import operator
from math import prod

import numpy as np

from jitad.frontend.arrays.cells import View, entangle, rely_on_rows, wrap
from jitad.frontend.arrays.keys import axis_number
from jitad.frontend.arrays.memory_order import UNKNOWN, is_contiguous, reading_order, reshaped_strides, unknown_order
from jitad.frontend.arrays.views import Permutation, Reshape, reshaped
from jitad.frontend.operations.promotion import to_atom
from jitad.ir import errors
from jitad.primitives.structural.shaping import shape_text


class Reshapable(View):
    """What `Array` has of ndarray's methods that give the same elements."""

    __slots__ = ()

    def through(self, step) -> View:
        """Return the view that is one step further, read at once; of a scalar, which has no views, the values."""
        view = self.stepped(step)
        atom = view.atom
        return wrap(atom, scalar=False) if self.scalar else view

    def view(self, dtype=None) -> View:
        """Return a view of this array; the bytes cannot be looked at as another dtype."""
        if dtype is not None and np.dtype(dtype) != self.dtype:
            raise errors.NotImplementedError(f"a view of {self.dtype} elements as {np.dtype(dtype)}; jitad knows no bytes")
        return self[...]

    def reshape(self, *shape, order="C", copy=None) -> View:
        """Return the elements under another shape: a view where NumPy gives one."""
        shape = completed(shape[0] if len(shape) == 1 and np.iterable(shape[0]) else shape, self)
        axes = None if order == "C" else self.axes_in("reshaping" if order == "K" else order)
        if axes is not None:
            return self.T.reshape(shape[::-1], copy=copy).T
        viewed = not copy and not self.scalar and self.in_memory(lambda type, strides: reshaped_strides(type, strides, shape) is not None)
        if copy is False and not viewed:
            raise errors.ValueError("Unable to avoid creating a copy while reshaping.")
        return self.through(Reshape(shape)) if viewed else self.copied(shape, viewed is None)

    def axes_in(self, order: str | None) -> tuple[int, ...] | None:
        """Return the order of the axes in which NumPy reads the elements, None for C order."""
        known = self.in_memory(lambda type, strides: (reading_order(order, type, strides),))
        if known is None:
            raise unknown_order(self.type, order)
        if order in ("A", "K") and self.cell.relied:
            rely_on_rows()
        return known[0]

    def copied(self, shape: tuple[int, ...], uncertain: bool = False) -> View:
        """Return a new array with the elements under a shape; if it is `uncertain` whether NumPy has one there, it is entangled with this one."""
        result = wrap(reshaped(self.atom, shape), scalar=False)
        result.cell.relied = self.cell.relied
        if uncertain:
            entangle(self.cell, result.cell)
            result.cell.order = UNKNOWN
        return result

    def ravel(self, order="C") -> View:
        """Return the elements in one row: a view if they are in one row in memory."""
        axes = None if order == "C" else self.axes_in(order)
        whole = self if axes is None else self.transpose(axes)
        flat = not whole.scalar and whole.flat_in_memory()
        return whole.through(Reshape((whole.size,))) if flat else whole.copied((whole.size,), flat is None)

    def flat_in_memory(self) -> bool | None:
        """Return whether NumPy has the elements one after another in memory, None if that is not known."""
        return self.in_memory(is_contiguous)

    def flatten(self, order="C") -> View:
        """Return a copy of the elements in one row."""
        axes = None if order == "C" else self.axes_in(order)
        whole = self if axes is None else self.transpose(axes)
        return whole.copied((whole.size,))

    def transpose(self, *axes) -> View:
        """Return a view with the axes in another order, by default reversed."""
        axes = axes[0] if len(axes) == 1 and (axes[0] is None or np.iterable(axes[0])) else axes
        if not axes:
            axes = range(self.ndim)[::-1]
        elif len(axes) != self.ndim:
            raise errors.ValueError("axes don't match array")
        axes = tuple(axis_number(axis, self.ndim) for axis in axes)
        if len(set(axes)) < len(axes):
            raise errors.ValueError("repeated axis in transpose")
        if axes == tuple(range(self.ndim)):
            return self if self.scalar else self[...]
        return self.through(Permutation(axes))

    def swapaxes(self, axis1, axis2) -> View:
        """Return a view with two axes exchanged."""
        order = list(range(self.ndim))
        i, j = axis_number(axis1, self.ndim, "axis1"), axis_number(axis2, self.ndim, "axis2")
        order[i], order[j] = j, i
        return self.transpose(order)

    def squeeze(self, axis=None) -> View:
        """Return a view without the axes of extent 1."""
        if axis is None:
            drop = tuple(k for k, extent in enumerate(self.shape) if extent == 1)
        else:
            drop = tuple(axis_number(k, self.ndim) for k in (axis if np.iterable(axis) else (axis,)))
            if any(self.shape[k] != 1 for k in drop):
                raise errors.ValueError("cannot select an axis to squeeze out which has size not equal to one")
        return self[tuple(0 if k in drop else slice(None) for k in range(self.ndim)) + (Ellipsis,)] if not self.scalar else self

    @property
    def T(self) -> View:  # noqa: N802
        return self.transpose()

    @property
    def mT(self) -> View:  # noqa: N802
        if self.ndim < 2:
            raise errors.ValueError("matrix transpose with ndim < 2 is undefined")
        return self.swapaxes(-1, -2)

    @property
    def flat(self) -> View:
        """The elements in C order, as a view."""
        return self.through(Reshape((self.size,)))

    @flat.setter
    def flat(self, values) -> None:
        flat = self.flat
        values = wrap(to_atom(values), scalar=False).ravel()
        flat[...] = values if values.size == 1 else values[np.arange(flat.size) % values.size]

    def laid_out(self, order: str | None, prototype: View) -> View:
        """Note that NumPy makes this new array in the order that the letter stands for, and return it."""
        if order == "K" or self.ndim < 2:
            return self.lie_as([prototype])
        if order == "A":
            known = prototype.in_memory(lambda type, strides: (reading_order(order, type, strides),))
            self.cell.order, self.cell.assumed = UNKNOWN if known is None else known[0], prototype.cell.assumed
        else:
            self.cell.order, self.cell.assumed = tuple(reversed(range(self.ndim))) if order == "F" else None, False
        return self


def completed(shape, array: View) -> tuple[int, ...]:
    """Return a new shape for an array with its one unknown extent, given as -1, filled in."""
    shape = tuple(operator.index(extent) for extent in shape)
    unknown = shape.count(-1)
    if unknown > 1:
        raise errors.ValueError("can only specify one unknown dimension")
    known = prod(extent for extent in shape if extent != -1)
    if unknown and known and array.size % known == 0:
        shape = tuple(array.size // known if extent == -1 else extent for extent in shape)
    if prod(shape) != array.size or any(extent < 0 for extent in shape):
        raise errors.ValueError(f"cannot reshape array of size {array.size} into shape {shape_text(shape).replace('-1', 'newaxis')}")
    return shape
