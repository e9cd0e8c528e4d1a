"""`Ragged`: arrays whose extents are only known when the compiled function runs, such as the slices ``A[i, :j]``, ``x[i + 1:]``.

In: a view of the greatest extents that there may be, and how many elements of each axis count. Out: what NumPy's functions and methods make
of them. Invariant: what lies beyond the extents reaches no result, and no derivative.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from jitad.frontend.arrays.cells import View, wrap
from jitad.frontend.arrays.extents import Extent, extent_of, opaque
from jitad.frontend.arrays.views import Permutation
from jitad.frontend.operations.promotion import as_operand, to_atom
from jitad.frontend.tracing.printing import can_be_marked, mark
from jitad.frontend.tracing.trees import Sized, TreeDef, sized_nodes, treat_as_sized
from jitad.ir import errors
from jitad.ir.program import Atom
from jitad.ir.source import user_source
from jitad.ir.types import INT, ArrayType
from jitad.primitives.checks import require
from jitad.primitives.declare import full
from jitad.primitives.elementwise.comparisons import eq, gt, lt, select
from jitad.primitives.structural.boxes import embed, slice_
from jitad.primitives.structural.shaping import iota

KNOWN = ("indices and slices, functions of elements, reductions, dot, matmul, inner, vdot, outer, norm, cumsum, cumprod, flip, sort, argsort, "
         "diff, trapezoid, where, concatenate, copy, and assignment")
Extents = tuple[Extent, ...]
FUNCTIONS: dict[Callable, Callable] = {}  # by function of NumPy; `jitad.frontend.numpy_api.ragged` fills this and the next
UFUNCS: dict[tuple[np.ufunc | None, str], Callable] = {}  # by ufunc, None for any, and its method
ELEMENTWISE = frozenset([np.clip, np.real, np.imag, np.round, np.around, np.nan_to_num, np.angle, np.sinc, np.where, np.isclose])


def refused(what: str) -> errors.ConcreteValueError:
    return errors.ConcreteValueError(f"{what} of a slice whose extent is only known when the compiled function runs; jitad knows {KNOWN} of "
                                     "such slices; or compute on whole arrays with np.where(mask, ..., ...)")


class Ragged(NDArrayOperatorsMixin):
    """The elements of `values` below the `extents`.

    `where` is the mask and the axis of which `np.nonzero` gave them as indices, if it did.
    """

    indirect = True
    where: tuple[View, int] | None = None

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
        if (ufunc, method) in UFUNCS:
            result = UFUNCS[ufunc, method](*inputs, **kwargs)
        elif method == "__call__" and ufunc.signature is None:
            result = elementwise(ufunc, inputs, kwargs)
        elif (None, method) in UFUNCS:
            return UFUNCS[None, method](ufunc, *inputs)
        else:
            raise refused(f"np.{ufunc.__name__}.{method}")
        if out is None:
            return result
        return stored(result, out[0], ufunc)

    def __array_function__(self, function, types, args, kwargs):
        if function in FUNCTIONS:
            return FUNCTIONS[function](*args, **kwargs)
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
        return self.values.get_below(self.extents, key)

    def __setitem__(self, key, value) -> None:
        self.values.put_below(self.extents, key, value)

    def __repr__(self) -> str:
        return self.marked("r") if can_be_marked(self.values) else f"Ragged({self.values.type})"

    def __str__(self) -> str:
        return self.marked("") if can_be_marked(self.values) else repr(self)

    def marked(self, conversion: str, kind: str = "array") -> str:
        """Return a string in which a mark stands for the elements."""
        return mark(self.values.type, [self.values.atom, *[extent.atom() for extent in self.extents]], kind, conversion)

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
        function = getattr(np, name, None)
        if name in NAMED and function in FUNCTIONS:
            return lambda *args, **kwargs: FUNCTIONS[function](self, *args, **kwargs)
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


def resized(atom: Atom, shape: tuple[int, ...]) -> Atom:
    """Return the first elements along each axis, zeros behind them where there are not enough."""
    ones, zeros = (1,) * len(shape), (0,) * len(shape)
    common = tuple(map(min, atom.shape, shape))
    if atom.shape != common:
        atom = slice_(atom, start=zeros, step=ones, shape=common)
    return atom if common == shape else embed(atom, start=zeros, step=ones, shape=shape)


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


def nonempty(x: Ragged, axes, what: str) -> None:
    """Make sure that there are elements to choose from."""
    for axis in axes:
        extent = x.extents[axis]
        if not extent.at_least(1):
            text = f"{what} of an empty slice"
            x.extents = tuple(
                opaque(require(e.atom(), gt(e.atom(), 0), message=text, error="value")) if k == axis else e for k, e in enumerate(x.extents))


# --- as a part of results ---------------------------------------------------------------------------------------------------------------


def taken_apart(x: Ragged) -> tuple[tuple, list]:
    """Return an array of run-time extents as a node: the elements it has room for, and its extents."""
    return RUN_TIME, [x.values, *x.shape]


def put_together(keys: tuple, children: list):
    """Return the array with these elements and extents: of numbers, the array of those that count."""
    values, *shape = children
    if isinstance(values, np.ndarray):
        return values[tuple(map(slice, shape))].copy()
    if not isinstance(values, View):
        return "array of an extent known at run time"
    extents = tuple(map(extent_of, shape))
    known = [extent.number for extent in extents]
    return trimmed(values, tuple(known)) if None not in known else Ragged(values, extents)


def fill(keys: tuple, children: list, other) -> list | None:
    """Return an array of known extents as the elements and extents of one with more room."""
    room, *extents = children
    if not isinstance(other, np.ndarray):
        return None
    if other.shape != tuple(extents):
        raise errors.ValueError(f"the cotangent has shape {other.shape}; it must have that of the value, {tuple(map(int, extents))}")
    padded = np.zeros(room.shape, other.dtype)
    padded[tuple(map(slice, extents))] = other
    return [padded, *extents]


RUN_TIME = ("run-time extents",)
treat_as_sized(Ragged, taken_apart, Sized(put_together, None, fill))


def counts_among(treedef: TreeDef) -> frozenset[int]:
    """Return the numbers of the leaves that say how many elements of arrays and lists count."""
    return frozenset(number for _, _, counts in sized_nodes(treedef) for number in counts)


def refuse_sized(treedef: TreeDef, what: str) -> None:
    """Raise if arrays or lists whose extents are known at run time are among the results of a function."""
    if sized_nodes(treedef):
        raise refused(what)


def zeros_beyond(treedef: TreeDef, leaves: list, value: list) -> list:
    """Return leaves with zeros beyond the extents that arrays have in those of the value."""
    leaves = list(leaves)
    for _, arrays, counts in sized_nodes(treedef):
        for k in arrays:
            shape = [value[number] for number in counts]
            array = put_together((), [leaves[k], *shape, *leaves[k].shape[len(shape) :]])
            leaves[k] = array.filled(0) if isinstance(array, Ragged) else leaves[k]
    return leaves
