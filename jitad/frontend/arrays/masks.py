"""Selections by masks that are only known when the compiled function runs: ``a[mask]``, ``a[:, mask]``.

In: an array and a mask. Out: a `Selected`, which stands for the elements where the mask holds. How many there are is not known, so it is
computed with on the whole array: functions of elements, reductions to a number, and assignment to a place under the same mask. For all
else it is `packed`: the elements are brought together at the beginning of an array of which a part counts.
Invariant: elements where the mask does not hold reach no result, and no derivative.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from jitad.frontend.arrays.cells import View, wrap
from jitad.frontend.arrays.extents import Extent, extent_of
from jitad.frontend.arrays.ragged import NAMED, Ragged, taken_apart
from jitad.frontend.arrays.views import reshaped
from jitad.frontend.operations.promotion import to_atom
from jitad.frontend.tracing.trees import treat_as_sized
from jitad.ir import errors
from jitad.ir.facts import same
from jitad.ir.program import Atom
from jitad.ir.types import ArrayType
from jitad.primitives.declare import full
from jitad.primitives.elementwise.comparisons import select
from jitad.primitives.structural.shaping import broadcast

LIMITS = "functions of elements, sum, prod, mean, var, std, min, max, any, all, size, len, and assignment under the same mask"


class Selected(NDArrayOperatorsMixin):
    """The elements of `values` where `mask` holds; `values` may have more axes, `lead` before those of the mask and others behind."""

    indirect = True

    def __init__(self, values: View, mask: View, lead: int = 0):
        self.values = values
        self.mask = mask
        self.lead = lead

    @property
    def dtype(self) -> np.dtype:
        return self.values.dtype

    @property
    def ndim(self) -> int:
        return self.values.ndim - self.mask.ndim + 1

    @property
    def size(self):
        inner = self.values.size // max(self.mask.size, 1)
        return count_of(self) * inner if inner != 1 else count_of(self)

    @property
    def masked(self) -> tuple[int, ...]:
        """The axes of the values that the mask is for."""
        return tuple(range(self.lead, self.lead + self.mask.ndim))

    @property
    def behind(self) -> int:
        return self.values.ndim - self.lead - self.mask.ndim

    def condition(self) -> Atom:
        """Return the mask in the shape of the values."""
        shape = self.values.shape
        mask = reshaped(self.mask.atom, (*(1,) * self.lead, *self.mask.shape, *(1,) * self.behind))
        return mask if mask.shape == shape else broadcast(mask, shape=shape)

    def filled(self, value) -> View:
        """Return the values with a number where the mask does not hold."""
        rest = full(np.asarray(value).astype(self.dtype)[()], ArrayType(self.dtype, self.values.shape))
        return wrap(select(self.condition(), to_atom(self.values), rest), scalar=False)

    def packed(self) -> Ragged:
        """Return the elements one behind the other, as an array with room for all that there may be."""
        shape = self.values.shape
        before, after = shape[: self.lead], shape[self.lead + self.mask.ndim :]
        values = np.reshape(self.values, (*before, self.mask.size, *after))
        order = np.argsort(~np.ravel(self.mask), kind="stable")
        return Ragged(np.take(values, order, axis=self.lead), (*map(Extent, before), extent_of(count_of(self)), *map(Extent, after)))

    def same_mask(self, mask: View) -> bool:
        return same(self.mask.atom, mask.atom)

    def like(self, other) -> bool:
        """Return whether something is a selection of the same elements of an array of the same shape."""
        return isinstance(other, Selected) and other.lead == self.lead and other.same_mask(self.mask) and other.values.shape == self.values.shape

    def across(self, key) -> Selected | None:
        """Return what a key selects that takes all that the mask selects, along other axes one array of indices at most; of others, None."""
        items = list(key) if type(key) is tuple else [key]
        items += [slice(None)] * (self.lead + 1 - len(items))
        arrays = [item for item in items if not isinstance(item, int | slice)]
        whole = isinstance(items[self.lead], slice) and items[self.lead] == slice(None)
        if not whole or len(arrays) > 1 or any(not isinstance(x, list | np.ndarray | View) or np.ndim(x) != 1 for x in arrays):
            return None
        before, after = items[: self.lead], items[self.lead + 1 :]
        lead = self.lead - sum(isinstance(item, int) for item in before)
        return Selected(self.values[(*before, *[slice(None)] * self.mask.ndim, *after)], self.mask, lead)

    # --- NumPy's protocols ----------------------------------------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        (out,) = kwargs.pop("out", (None,))
        if out is not None and out is not self:
            raise refused(f"the option out of np.{ufunc.__name__}")
        if method != "__call__" or ufunc.signature is not None or not self.fits(inputs):
            result = getattr(ufunc, method)(*map(packed, inputs), **kwargs)
        else:
            result = self.elementwise(ufunc, inputs, kwargs)
        if out is None:
            return result
        if isinstance(result, Selected):
            values = result.values
        elif isinstance(result, Ragged) and result.ndim == self.ndim:
            values = unpacked(result.values, result.extents[self.lead], self.mask, self.lead)
        else:
            raise refused(f"an assignment of np.{ufunc.__name__} of other elements")
        self.values[...] = values.astype(self.dtype)
        return self

    def fits(self, inputs) -> bool:
        """Return whether operands are known to be selections of the same elements, or the same for each of them."""
        return all(self.like(x) if isinstance(x, Selected) else not isinstance(x, Ragged) and self.fits_each(np.shape(x)) for x in inputs)

    def fits_each(self, shape: tuple[int, ...]) -> bool:
        return len(shape) <= self.behind or len(shape) <= self.ndim and shape[-self.behind - 1] == 1

    def spread(self, x):
        """Return an operand as one of the whole array."""
        if isinstance(x, Selected):
            return x.values
        cut = np.ndim(x) - self.behind
        shape = np.shape(x)
        return x if cut <= 0 else np.reshape(x, (*shape[: cut - 1], *(1,) * self.mask.ndim, *shape[cut:]))

    def elementwise(self, function: Callable, inputs, kwargs):
        result = function(*map(self.spread, inputs), **kwargs)
        return tuple(Selected(x, self.mask, self.lead) for x in result) if isinstance(result, tuple) else Selected(result, self.mask, self.lead)

    def __array_function__(self, function, types, args, kwargs):
        if function in REDUCTIONS and args and args[0] is self and not any(isinstance(x, Selected) for x in args[1:]):
            return getattr(self, REDUCTIONS[function])(*args[1:], **kwargs)
        if function in ELEMENTWISE and self.fits(args):
            return self.elementwise(function, args, kwargs)
        return function(*map(packed, args), **{name: packed(x) for name, x in kwargs.items()})

    def __array__(self, dtype=None, copy=None):
        raise refused("the conversion to an ndarray")

    # --- what becomes of all of them --------------------------------------------------------------------------------------------------

    def reduced(self, function: Callable, axis, kwargs) -> View:
        axes = self.axes_of(axis)
        if axes is not None and axes != self.masked and not kwargs:
            return self.along(function, self.values, axes)
        if axes is not None and axes != self.masked or kwargs.get("keepdims"):
            return function(self.packed(), axis, **kwargs)
        condition = wrap(self.condition(), scalar=False)
        return function(self.filled(1) if function is not np.sum else self.filled(0), axes, where=condition, **kwargs)

    def axes_of(self, axis: int | None) -> tuple[int, ...] | None:
        """Return the axes of the values that one of the selection stands for; None stands for all of them."""
        if axis is None or self.ndim == 1:
            return None
        axis = range(self.ndim)[axis]
        return self.masked if axis == self.lead else (axis if axis < self.lead else axis + self.mask.ndim - 1,)

    def along(self, function: Callable, values: View, axes: tuple[int, ...]) -> Selected:
        """Return a reduction along another axis than those of the mask."""
        return Selected(function(values, *axes), self.mask, self.lead - (axes[0] < self.lead))

    def sum(self, axis=None, **kwargs):
        return self.reduced(np.sum, axis, kwargs)

    def prod(self, axis=None, **kwargs):
        return self.reduced(np.prod, axis, kwargs)

    def mean(self, axis=None, **kwargs):
        return self.reduced(np.mean, axis, kwargs)

    def var(self, axis=None, **kwargs):
        return self.reduced(np.var, axis, kwargs)

    def std(self, axis=None, **kwargs):
        return self.reduced(np.std, axis, kwargs)

    def any(self, axis=None, **kwargs):
        return self.reduced(np.any, axis, kwargs)

    def all(self, axis=None, **kwargs):
        return self.reduced(np.all, axis, kwargs)

    def max(self, axis=None, **kwargs):
        return self.extreme(np.max, lowest(self.dtype), axis, kwargs)

    def min(self, axis=None, **kwargs):
        return self.extreme(np.min, highest(self.dtype), axis, kwargs)

    def extreme(self, function: Callable, filling, axis, kwargs):
        axes = self.axes_of(axis)
        if axes is not None and axes != self.masked:
            return self.along(function, self.values, axes) if not kwargs else function(self.packed(), axis, **kwargs)
        return function(self.filled(filling), axes, **kwargs)

    def astype(self, dtype, **kwargs) -> Selected:
        return Selected(self.values.astype(dtype, **kwargs), self.mask, self.lead)

    def copy(self, order="C") -> Selected:
        return Selected(self.values.copy(), self.mask, self.lead)

    def length(self):
        """Return ``len`` of it."""
        return self.shape[0]

    def __len__(self):
        return int(self.length())

    def __bool__(self):
        raise refused("a decision")

    def __iter__(self):
        raise refused("the iteration by other than a for statement")

    def __getitem__(self, key):
        if isinstance(key, Selected) and key.dtype == bool and key.same_mask(self.mask) and key.values.shape == self.mask.shape and not self.lead:
            return Selected(self.values, self.mask & key.values)
        found = self.across(key)
        return self.packed()[key] if found is None else found

    @property
    def shape(self) -> tuple:
        return (*self.values.shape[: self.lead], count_of(self), *self.values.shape[self.lead + self.mask.ndim :])

    def __setitem__(self, key, value):
        if self.lead or not (isinstance(key, Selected) and key.dtype == bool and self.fits([key, value]) and key.values.shape == self.mask.shape):
            raise refused("an assignment to a part")
        self.values[self.mask & key.values] = value.values if isinstance(value, Selected) else value

    def __getattr__(self, name: str):
        if name in NAMED:
            return getattr(self.packed(), name)
        raise AttributeError(str(refused(f"the attribute {name}")), name=name, obj=self)


def packed(x):
    """Return an operand with the elements of selections one behind the other."""
    if isinstance(x, Selected):
        return x.packed()
    return list(map(packed, x)) if isinstance(x, list | tuple) and any(isinstance(y, Selected) for y in x) else x


def unpacked(values: View, count: Extent, mask: View, lead: int) -> View:
    """Return an array with the elements of an axis, of which there are as many as places where the mask holds, at these places."""
    ranks = np.minimum(np.cumsum(np.ravel(mask)), wrap(count.atom())) - 1
    found = np.take(values, np.maximum(ranks, 0), axis=lead)
    return np.reshape(found, (*values.shape[:lead], *mask.shape, *values.shape[lead + 1 :]))


def count_of(x: Selected) -> View:
    return wrap(to_atom(np.sum(x.mask, dtype=np.int64)), weak=True)


def refused(what: str) -> errors.ConcreteValueError:
    return errors.ConcreteValueError(f"{what} of a[mask], whose shape depends on values that are only known when the compiled function "
                                     f"runs; jitad knows {LIMITS}; or compute on whole arrays with np.where(mask, ..., ...)")


def lowest(dtype: np.dtype):
    return -np.inf if dtype.kind == "f" else np.iinfo(dtype).min if dtype.kind in "iu" else False


def highest(dtype: np.dtype):
    return np.inf if dtype.kind == "f" else np.iinfo(dtype).max if dtype.kind in "iu" else True


def parts_when_packed(x: Selected) -> tuple[tuple, list]:
    """Return a selection as a node; of one whose trace has ended, only the array that it was made of."""
    alive = x.values.cell.trace.alive and x.mask.cell.trace.alive
    return taken_apart(x.packed()) if alive else ((), [x.values])


treat_as_sized(Selected, parts_when_packed, plain=Ragged)
REDUCTIONS = {np.sum: "sum", np.prod: "prod", np.mean: "mean", np.var: "var", np.std: "std", np.any: "any", np.all: "all", np.max: "max",
              np.amax: "max", np.min: "min", np.amin: "min", np.copy: "copy"}
ELEMENTWISE = frozenset([np.clip, np.real, np.imag, np.round, np.around, np.nan_to_num, np.angle, np.sinc])


def mask_of_places(key: tuple, shape: tuple[int, ...]):
    """Return the mask of the first axes of an array of which `np.nonzero` gave all items of a key; any other key as it is."""
    places = [item.where for item in key if isinstance(item, Ragged) and item.where is not None]
    if not places or len(places) < len(key):
        return key
    mask, axes = places[0][0], [axis for _, axis in places]
    whole = axes == list(range(mask.ndim)) and mask.shape == shape[: mask.ndim] and all(x is mask for x, _ in places)
    return mask if whole else key
