"""Slices whose extents are only known when the compiled function runs: ``A[i, :j]``, ``x[i + 1:]``.

In: an array and a key with traced bounds. Out: a `Ragged`: a view of the greatest extents that there may be, and how many elements of
each axis count. It is a view as NumPy's slices are: written to, it changes what it is a slice of. Invariant: what lies beyond the
extents reaches no result, and no derivative.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from jitad.frontend.cells import View, wrap
from jitad.frontend.concrete import known
from jitad.frontend.extents import Extent, at_least_zero, clipped, extent_of, from_end, opaque, quotient
from jitad.frontend.promotion import as_operand, cast, to_atom
from jitad.frontend.views import Box, Permutation, Window
from jitad.ir import errors
from jitad.ir.program import Atom
from jitad.ir.source import user_source
from jitad.ir.types import INT, ArrayType
from jitad.primitives.checks import require
from jitad.primitives.comparisons import eq, ge, gt, lt, select
from jitad.primitives.declare import full
from jitad.primitives.shaping import broadcast, embed, iota, slice_
from jitad.primitives.windows import Span

KNOWN = ("indices and slices, functions of elements, reductions, dot, matmul, inner, vdot, outer, norm, cumsum, cumprod, flip, sort, diff, "
         "where, concatenate, copy, and assignment")
Extents = tuple[Extent, ...]


def refused(what: str) -> errors.ConcreteValueError:
    return errors.ConcreteValueError(f"{what} of a slice whose extent is only known when the compiled function runs; jitad knows {KNOWN} of "
                                     "such slices; or compute on whole arrays with np.where(mask, ..., ...)")


class Ragged(NDArrayOperatorsMixin):
    """The elements of `values` below the `extents`."""

    indirect = True

    def __init__(self, values: View, extents: Extents):
        self.values = values
        self.extents = extents

    @property
    def dtype(self) -> np.dtype:
        return self.values.dtype

    @property
    def ndim(self) -> int:
        return len(self.extents)

    @property
    def shape(self) -> tuple:
        return tuple(extent.traced() for extent in self.extents)

    @property
    def size(self):
        return math.prod(self.shape)

    def length(self):
        """Return ``len`` of it."""
        if not self.extents:
            raise errors.TypeError("len() of unsized object")
        return self.extents[0].traced()

    def __len__(self) -> int:
        return operator.index(self.length())

    def element(self, k):
        """Return the element of the first axis at a place that is known to be there."""
        view = self.values[k]
        return made(view, self.extents[1:])

    @property
    def counted(self) -> list[int]:
        """The axes whose extents are not known."""
        return [axis for axis, extent in enumerate(self.extents) if extent.terms]

    def mask(self) -> Atom:
        """Return where the elements lie that count."""
        shape = self.values.shape
        parts = [lt(iota(shape=shape, axis=axis, dtype=INT), self.extents[axis].atom()) for axis in self.counted]
        mask = parts[0]
        for part in parts[1:]:
            mask = mask & part
        return mask

    def filled(self, value) -> View:
        """Return the values with a number beyond the extents."""
        if not self.counted:
            return self.values
        rest = full(np.asarray(value).astype(self.dtype)[()], ArrayType(self.dtype, self.values.shape))
        return wrap(select(self.mask(), self.values.atom, rest), scalar=False)

    # --- NumPy's protocols ----------------------------------------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **kwargs):
        from jitad.frontend.numpy_api.ragged import METHODS, UFUNCS

        if method == "__call__" and ufunc in UFUNCS:
            result = UFUNCS[ufunc](*inputs, **kwargs)
        elif method == "__call__" and ufunc.signature is None:
            result = elementwise(ufunc, inputs, kwargs)
        elif (ufunc, method) in METHODS:
            result = METHODS[ufunc, method](*inputs, **kwargs)
        else:
            raise refused(f"np.{ufunc.__name__}.{method}")
        if out is None:
            return result
        return stored(result, out[0], ufunc)

    def __array_function__(self, function, types, args, kwargs):
        from jitad.frontend.numpy_api.ragged import ELEMENTWISE, TABLE

        if function in TABLE:
            return TABLE[function](*args, **kwargs)
        if function in ELEMENTWISE:
            return elementwise(function, args, kwargs)
        raise refused(f"np.{function.__name__}")

    def __array__(self, dtype=None, copy=None):
        raise refused("the conversion to an ndarray")

    def __bool__(self):
        raise refused("a decision")

    def __iter__(self):
        raise refused("the iteration by other than a for statement")

    def __getitem__(self, key):
        return get(self.values, self.extents, key)

    def __setitem__(self, key, value) -> None:
        put(self.values, self.extents, key, value)

    def __repr__(self) -> str:
        return f"Ragged({self.values.type})"

    # --- methods ----------------------------------------------------------------------------------------------------------------------

    @property
    def T(self) -> Ragged:  # noqa: N802
        return self.transpose()

    @property
    def real(self) -> Ragged:
        return self if self.dtype.kind != "c" else Ragged(self.values.real, self.extents)

    @property
    def imag(self) -> Ragged:
        return Ragged(self.values.imag, self.extents)

    def transpose(self, *axes) -> Ragged:
        axes = axes[0] if len(axes) == 1 and (axes[0] is None or np.iterable(axes[0])) else axes
        order = tuple(range(self.ndim)[k] for k in axes) if axes else tuple(range(self.ndim))[::-1]
        return Ragged(self.values.stepped(Permutation(order)), tuple(self.extents[k] for k in order))

    def copy(self, order="C") -> Ragged:
        return Ragged(wrap(self.values.atom, scalar=False), self.extents)

    def astype(self, dtype, **kwargs) -> Ragged:
        return Ragged(self.values.astype(dtype, **kwargs), self.extents)

    def conj(self) -> Ragged:
        return Ragged(np.conj(self.values), self.extents)

    conjugate = conj

    def fill(self, value) -> None:
        self[...] = value

    def __getattr__(self, name: str):
        from jitad.frontend.numpy_api.ragged import TABLE

        function = getattr(np, name, None)
        if name in NAMED and function in TABLE:
            return lambda *args, **kwargs: TABLE[function](self, *args, **kwargs)
        raise AttributeError(str(refused(f"the attribute {name}")), name=name, obj=self)


NAMED = frozenset(["sum", "prod", "mean", "var", "std", "min", "max", "any", "all", "argmin", "argmax", "cumsum", "cumprod", "dot"])

# --- shapes ----------------------------------------------------------------------------------------------------------------------------


def parts(x) -> tuple[View, Extents]:
    """Return an operand as a traced array and its extents."""
    if isinstance(x, Ragged):
        return x.values, x.extents
    x = as_operand(x)
    return x, tuple(map(Extent, np.shape(x)))


def agreed(one: Extent, other: Extent, what: str) -> Extent:
    """Return the common extent of two axes; whether they are equal is found out when the function runs, if it is not known."""
    if one.equals(other):
        return one
    if one.number is not None and other.number is not None:
        raise errors.ValueError(f"{what}: extents {one.number} and {other.number} differ")
    known, unknown = (one, other) if one.number is not None else (other, one)
    text = f"{what}: the extents of its operands differ" + (f"; one is {known.const}" if known.number is not None else "")
    checked = require(unknown.atom(), eq(unknown.atom(), known.atom()), message=text, error="value")
    return opaque(checked)


def broadcast_extents(all_extents: list[Extents], what: str) -> Extents:
    """Return the extents of the result of broadcasting. An extent of 1 is one that is known."""
    ndim = max(map(len, all_extents))
    result = []
    for axis in range(-ndim, 0):
        here = [extents[axis] for extents in all_extents if len(extents) >= -axis and extents[axis].number != 1]
        common = here[0] if here else Extent(1)
        for other in here[1:]:
            common = agreed(common, other, what)
        result.append(common)
    return tuple(result)


def trimmed(values: View, shape: tuple[int, ...]) -> View:
    """Return the first elements along each axis."""
    if np.shape(values) == shape:
        return values
    return wrap(slice_(to_atom(values), start=(0,) * len(shape), step=(1,) * len(shape), shape=shape), scalar=False)


def aligned(operands, what: str) -> tuple[list[View], Extents]:
    """Return operands as arrays that broadcast, and the extents of the result."""
    pairs = [parts(x) for x in operands]
    extents = broadcast_extents([e for _, e in pairs], what)
    most = [min([x.shape[axis] for x, e in pairs if len(e) >= -axis and e[axis].number != 1], default=1) for axis in range(-len(extents), 0)]
    arrays = []
    for x, own in pairs:
        shape = tuple(1 if own[axis].number == 1 else most[axis] for axis in range(-len(own), 0))
        arrays.append(trimmed(x, shape) if own else x)
    return arrays, extents


def elementwise(function: Callable, inputs, kwargs):
    name = getattr(function, "__name__", str(function))
    arrays, extents = aligned(inputs, f"operands of {name} at {user_source().short}")
    if any(isinstance(x, Ragged) for x in kwargs.values()):
        raise refused(f"an option of np.{name}")
    result = function(*arrays, **kwargs)
    return tuple(made(x, extents) for x in result) if isinstance(result, tuple) else made(result, extents)


def made(values: View, extents: Extents):
    """Return a result with the extents that it has."""
    return Ragged(values, extents) if any(extent.terms for extent in extents) else values


def stored(result, out, ufunc):
    """Write a result to `out`."""
    if not isinstance(out, View | Ragged):
        raise errors.TypeError(f"np.{ufunc.__name__} writes to an array that is not traced")
    if not np.can_cast(result.dtype, out.dtype, "same_kind"):
        raise errors.TypeError(f"Cannot cast ufunc '{ufunc.__name__}' output from {result.dtype!r} to {out.dtype!r} with casting rule "
                               "'same_kind'")
    out[...] = result
    return out


# --- indices ---------------------------------------------------------------------------------------------------------------------------


def is_open(key) -> bool:
    """Return whether a key has slices with bounds that are not known, or ragged indices."""
    if type(key) is tuple:
        return any(map(is_open, key))
    if isinstance(key, slice):
        return is_open_bound(key.start) or is_open_bound(key.stop)
    return isinstance(key, Ragged)


def is_open_bound(x) -> bool:
    return isinstance(x, View) and x.ndim == 0 and x.origins is None and known(x.atom) is None


def get(values: View, extents: Extents, key):
    """Return what a key selects."""
    if any(isinstance(item, Ragged) for item in (key if type(key) is tuple else (key,))):
        return gathered(values, extents, key)
    view, found, scalar = selected(values, extents, key)
    if any(extent.terms for extent in found):
        return Ragged(view, found)
    return wrap(view.atom, scalar=True) if scalar else view


def put(values: View, extents: Extents, key, value) -> None:
    """Perform an assignment to what a key selects."""
    if any(isinstance(item, Ragged) for item in (key if type(key) is tuple else (key,))):
        raise refused("an assignment by an array of indices that is a slice")
    view, found, _ = selected(values, extents, key)
    if not same_place(view, value):
        assign(view, found, value)


def same_place(view: View, value) -> bool:
    """Return whether what is assigned is the very slice that it is assigned to, as ``a[i:] += x`` does in the end."""
    other = value.values if isinstance(value, Ragged) else value
    while isinstance(other, View) and view is not other:
        if view.base is None or other.base is None or not same_step(view.step, other.step):
            return False
        view, other = view.base, other.base
    return isinstance(other, View)


def same_step(one, other) -> bool:
    if isinstance(one, Window) and isinstance(other, Window):
        from jitad.ir.facts import same

        return one.spans == other.spans and all(map(same, one.scalars, other.scalars))
    return one == other


def assign(view: View, extents: Extents, value) -> None:
    """Write a value, broadcast, to the elements of `view` that count."""
    array, own = parts(value)
    surplus = max(len(own) - len(extents), 0)
    if any(extent.number != 1 for extent in own[:surplus]):
        raise errors.ValueError(f"could not broadcast an input array with {len(own)} axes into {len(extents)}")
    atom = to_atom(array)
    if surplus:
        atom = Box((0,) * len(own), (1,) * len(own), atom.shape, tuple(range(surplus, len(own)))).read(atom)
        own = own[surplus:]
    atom = cast(atom, view.type.dtype)
    what = f"the assignment at {user_source().short}"
    checks = [agreed(own[axis], extents[axis], what) if own[axis].number != 1 else own[axis] for axis in range(-len(own), 0)]
    if not all(map(Extent.equals, checks, own)):
        spans = tuple(Span(0, 1, extent, not check.equals(e)) for extent, check, e in zip(atom.shape, checks, own, strict=True))
        counts = [check.atom() for check, e in zip(checks, own, strict=True) if not check.equals(e)]
        atom = Window(spans, tuple(counts)).read(atom)
    shape = tuple(1 if own[axis].number == 1 else view.shape[axis] for axis in range(-len(own), 0))
    atom = resized(atom, shape)
    view.assign(atom if atom.shape == view.shape else broadcast(atom, shape=view.shape))


def resized(atom: Atom, shape: tuple[int, ...]) -> Atom:
    """Return the first elements along each axis, zeros behind them where there are not enough."""
    ones, zeros = (1,) * len(shape), (0,) * len(shape)
    common = tuple(map(min, atom.shape, shape))
    if atom.shape != common:
        atom = slice_(atom, start=zeros, step=ones, shape=common)
    return atom if common == shape else embed(atom, start=zeros, step=ones, shape=shape)


def selected(values: View, extents: Extents, key) -> tuple[View, Extents, bool]:
    """Return the view that a key of integers, slices, None and Ellipsis selects, its extents, and whether it is a scalar."""
    from jitad.frontend.indexing import classify, consumed, expand

    items = [classify(item) for item in key] if type(key) is tuple else [classify(key)]
    for item in items:
        if isinstance(item, np.ndarray) or isinstance(item, View) and item.ndim:
            raise errors.NotImplementedError("an array of indices together with a slice whose extent is only known when the compiled function "
                                             "runs; index in two steps, x[array][..., :k]")
    spans, scalars, counts, axes, found = [], [], [], [], []
    axis = 0
    for _, item in expand(items, values.shape):
        if item is None:
            axes.append(None)
            found.append(Extent(1))
            continue
        if isinstance(item, slice) and item == slice(None):
            start, step, count, most = Extent(0), 1, Extent(values.shape[axis]), values.shape[axis]
            axes.append(axis)
            found.append(extents[axis])
        elif isinstance(item, slice):
            start, step, count, most = resolved(item, extents[axis], values.shape[axis])
            axes.append(axis)
            found.append(count)
        else:
            start, step, count, most = index_in(item, extents[axis], axis), 1, Extent(1), 1
        spans.append(Span(start.number, step, most, count.number is None))
        scalars += [] if start.number is not None else [start.atom()]
        counts += [] if count.number is not None else [count.atom()]
        axis += 1
    view = values
    if any(span != Span(0, 1, extent) for span, extent in zip(spans, values.shape, strict=True)):
        view = values.stepped(Window(tuple(spans), (*scalars, *counts)))
    if axes != list(range(len(spans))):
        view = view.stepped(Box((0,) * len(spans), (1,) * len(spans), view.shape, tuple(axes)))
    return view, tuple(found), consumed(items) == len(items) == len(extents) and not found


def index_in(item, extent: Extent, axis: int) -> Extent:
    """Return the place of an index in an axis, checked."""
    place = extent_of(item)
    if extent.number is not None and place.number is not None:
        if not -extent.const <= place.const < extent.const:
            raise errors.IndexError(f"index {place.const} is out of bounds for axis {axis} with size {extent.const}")
        return place + (extent.const if place.const < 0 else 0)
    if extent.number is not None:
        return place
    place = from_end(place, extent)
    if place.at_least(0) and extent.at_least(place + 1):
        return place
    atom = place.atom()
    inside = ge(atom, 0) & lt(atom, extent.atom())
    text = f"index out of bounds for axis {axis} of a slice"
    return opaque(require(atom, inside, message=text, error="index"))


def resolved(item: slice, extent: Extent, most: int) -> tuple[Extent, int, Extent, int]:
    """Return start, step and count of a slice of an axis, and the greatest count that there may be.

    As in NumPy, bounds below zero count from the end, and are moved into the axis where they lie outside.
    """
    step = 1 if item.step is None else operator.index(item.step)
    if step == 0:
        raise errors.ValueError("slice step cannot be zero")
    low, high = (Extent(0), extent) if step > 0 else (Extent(-1), extent - 1)
    first, last = (low, high) if step > 0 else (high, low)
    start, stop = (default if bound is None else clipped(from_end(extent_of(bound), extent), low, high)
                   for bound, default in ((item.start, first), (item.stop, last)))
    length = stop - start if step > 0 else start - stop
    count = quotient(at_least_zero(length), abs(step))
    found = count.bounds()
    limit = min(-(-most // abs(step)), most if found is None else max(found[1], 0))
    if count.number is not None:
        limit = count.const
        start = start if limit else Extent(0)
    return start, step, count, limit


def gathered(values: View, extents: Extents, key):
    """Return the elements at indices that are a slice themselves."""
    from jitad.frontend.indexing import getitem

    items = list(key) if type(key) is tuple else [key]
    places = [k for k, item in enumerate(items) if isinstance(item, Ragged)]
    if len(places) > 1 or any(extent.terms for extent in extents) or items[places[0]].dtype.kind not in "iu":
        raise refused("an index by several arrays or masks")
    (place,) = places
    if any(not (type(item) is int or isinstance(item, slice) or isinstance(item, View) and not item.ndim) for item in items[:place]):
        raise refused("an index by arrays, None or Ellipsis")
    before = sum(isinstance(item, slice) for item in items[:place])
    index: Ragged = items[place]
    items[place] = index.filled(0)
    result = getitem(values, tuple(items))
    shape = tuple(map(Extent, result.shape))
    return made(result, (*shape[:before], *index.extents, *shape[before + index.ndim:]))


def nonempty(x: Ragged, axes, what: str) -> None:
    """Make sure that there are elements to choose from."""
    for axis in axes:
        extent = x.extents[axis]
        if not extent.at_least(1):
            text = f"{what} of an empty slice"
            x.extents = tuple(
                opaque(require(e.atom(), gt(e.atom(), 0), message=text, error="value")) if k == axis else e for k, e in enumerate(x.extents))


