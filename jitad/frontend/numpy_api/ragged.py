"""NumPy's functions on slices whose extents are only known when the compiled function runs (`jitad.frontend.arrays.ragged`).

In: operands, at least one of them a `Ragged`. Out: traced arrays, or `Ragged` ones. Invariant: before elements are combined along an axis,
those beyond the extent are replaced by what changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from jitad.frontend.arrays.array import wrap
from jitad.frontend.arrays.extents import Extent
from jitad.frontend.arrays.masks import highest, lowest, packed
from jitad.frontend.arrays.ragged import FUNCTIONS, UFUNCS, Ragged, agreed, made, nonempty, parts, refused, resized, trimmed
from jitad.frontend.numpy_api.operands import axes_of
from jitad.frontend.operations.promotion import to_atom
from jitad.frontend.operations.ufunc_methods import at
from jitad.ir import errors
from jitad.ir.source import user_source


def implements(*functions: Callable) -> Callable:
    def register(implementation: Callable) -> Callable:
        FUNCTIONS.update(dict.fromkeys(functions, implementation))
        return implementation

    return register


# --- reductions --------------------------------------------------------------------------------------------------------------------------


def remaining(extents, axes, keepdims: bool):
    return tuple(Extent(1) if axis in axes else extent for axis, extent in enumerate(extents) if keepdims or axis not in axes)


def reduction(*functions: Callable, identity: Callable, empty: str = "") -> None:
    """Declare reductions; `identity` of a dtype fills what does not count, `empty` names those that need elements."""

    for function in functions:
        @implements(function)
        def reduced(x, axis=None, dtype=None, out=None, keepdims=False, function=function, **options):
            if out is not None or set(options) - {"ddof"}:
                raise refused(f"an option of np.{function.__name__}")
            options = {} if dtype is None else {"dtype": dtype}
            axes = axes_of(axis, x.ndim)
            if empty:
                nonempty(x, axes, empty)
            result = function(x.filled(identity(x.dtype)), axis=axes, keepdims=keepdims, **options)
            return made(result, remaining(x.extents, axes, keepdims))


reduction(np.sum, identity=lambda dtype: 0)
reduction(np.prod, identity=lambda dtype: 1)
reduction(np.any, identity=lambda dtype: 0)
reduction(np.all, identity=lambda dtype: 1)
reduction(np.max, np.amax, identity=lowest, empty="np.max")
reduction(np.min, np.amin, identity=highest, empty="np.min")


def count(x: Ragged, axes):
    """Return how many elements are reduced to one, as a float that is not negative."""
    total = Extent(1).traced()
    for axis in axes:
        total = total * x.extents[axis].traced()
    return np.maximum(total * 1.0, 0.0)


@implements(np.mean)
def mean(x, axis=None, dtype=None, out=None, keepdims=False):
    if out is not None:
        raise refused("the option out")
    axes = axes_of(axis, x.ndim)
    result = np.sum(x if x.dtype.kind in "fc" else x.astype(np.float64), axis=axes, dtype=dtype, keepdims=keepdims)
    return result / count(x, axes)


@implements(np.var)
def var(x, axis=None, dtype=None, out=None, ddof=0, keepdims=False):
    if out is not None or dtype is not None:
        raise refused("an option of np.var")
    axes = axes_of(axis, x.ndim)
    distance = abs(x - mean(x, axes, keepdims=True))
    number = count(x, axes)
    return np.sum(distance * distance, axis=axes, keepdims=keepdims) / (number - ddof if ddof else number)


@implements(np.std)
def std(x, *args, **kwargs):
    return np.sqrt(var(x, *args, **kwargs))


def extreme(function: Callable, identity: Callable) -> None:
    @implements(function)
    def place(x, axis=None, out=None, *, keepdims=False):
        if out is not None or (axis is None and x.ndim > 1):
            raise refused(f"np.{function.__name__} over several axes")
        axis = normalize_axis_index(0 if axis is None else axis, x.ndim)
        nonempty(x, (axis,), f"np.{function.__name__}")
        return made(function(x.filled(identity(x.dtype)), axis=axis, keepdims=keepdims), remaining(x.extents, (axis,), keepdims))


extreme(np.argmax, lowest)
extreme(np.argmin, highest)


@implements(np.linalg.norm)
def norm(x, ord=None, axis=None, keepdims=False):
    if ord not in (None, 1, 2, np.inf, "fro") or (x.ndim > 1 and axis is None and ord not in (None, "fro")):
        raise refused("this norm")
    axes = axes_of(axis, x.ndim)
    result = np.linalg.norm(x.filled(0), ord, axes if len(axes) > 1 else axes[0], keepdims)
    return made(result, remaining(x.extents, axes, keepdims))


# --- products ----------------------------------------------------------------------------------------------------------------------------


def zero_filled(x):
    return x.filled(0) if isinstance(x, Ragged) else parts(x)[0]


def product(function: Callable, x, y, axes: tuple[int, int]):
    """Return a product that sums over an axis of each operand, and the extents of the others."""
    (_, first), (_, second) = parts(x), parts(y)
    i, j = axes[0] % len(first), axes[1] % len(second)
    common = agreed(first[i], second[j], f"np.{function.__name__} at {user_source().short}")
    operands = []
    for operand, extents, axis in ((x, first, i), (y, second, j)):
        extents = (*extents[:axis], common, *extents[axis + 1:])
        values = parts(operand)[0]
        operands.append(zero_filled(made(values if isinstance(operand, Ragged) else wrap(to_atom(values), scalar=False), extents)))
    most = min(operands[0].shape[i], operands[1].shape[j])
    operands = [trimmed(values, (*values.shape[:axis], most, *values.shape[axis + 1:]))
                for values, axis in zip(operands, (i, j), strict=True)]
    rest = (*first[:i], *first[i + 1:]), (*second[:j], *second[j + 1:])
    return function(*operands), rest


@implements(np.matmul)
def matmul(x, y):
    dims = len(parts(x)[1]), len(parts(y)[1])
    if 0 in dims:
        raise errors.ValueError("matmul: Input operand does not have enough dimensions")
    if max(dims) > 2:
        raise refused("np.matmul of stacks")
    result, (first, second) = product(np.matmul, x, y, (-1, -2 if dims[1] == 2 else -1))
    return made(result, (*first, *second))


@implements(np.dot)
def dot(x, y, out=None):
    if out is not None:
        raise refused("the option out")
    dims = len(parts(x)[1]), len(parts(y)[1])
    return x * y if 0 in dims else matmul(x, y)


@implements(np.vdot)
def vdot(x, y):
    return inner(np.conj(x), y)


@implements(np.inner)
def inner(x, y):
    if {len(parts(x)[1]), len(parts(y)[1])} != {1}:
        raise refused("np.inner of matrices")
    return matmul(x, y)


@implements(np.vecdot)
def vecdot(x, y):
    return np.sum(np.conj(x) * y, axis=-1)


@implements(np.outer)
def outer(x, y, out=None):
    x, y = (operand if isinstance(operand, Ragged) else wrap(to_atom(parts(operand)[0]), scalar=False) for operand in (x, y))
    if out is not None or (x.ndim, y.ndim) != (1, 1):
        raise refused("np.outer of other than vectors")
    return x[:, None] * y[None, :]


# --- along an axis -------------------------------------------------------------------------------------------------------------------------


def running(function: Callable, identity: int) -> None:
    @implements(function)
    def cumulated(x, axis=None, dtype=None, out=None):
        if out is not None or (axis is None and x.ndim > 1):
            raise refused(f"np.{function.__name__} over several axes")
        return Ragged(function(x.filled(identity), 0 if axis is None else axis, dtype), x.extents)


running(np.cumsum, 0)
running(np.cumprod, 1)


@implements(np.sort)
def sort(x, axis=-1, **options):
    return Ragged(np.sort(with_last(x), axis), x.extents)


@implements(np.argsort)
def argsort(x, axis=-1, kind=None, **options):
    return Ragged(np.argsort(with_last(x), axis, kind="stable"), x.extents)


def with_last(x: Ragged):
    """Return the values with what is sorted behind all others beyond the extents: NaN goes behind infinity."""
    return x.filled(np.nan if x.dtype.kind == "f" else highest(x.dtype))


@implements(np.searchsorted)
def searchsorted(a, v, side="left", sorter=None):
    if sorter is not None:
        raise refused("np.searchsorted with a sorter")
    (places, (count,)), (v, extents) = parts(a), parts(v)
    places = with_last(a) if isinstance(a, Ragged) else places
    return made(np.minimum(np.searchsorted(places, v, side), count.traced()), extents)


@implements(np.flip)
def flip(x, axis=None):
    axes = axes_of(axis, x.ndim)
    return x[tuple(slice(None, None, -1) if k in axes else slice(None) for k in range(x.ndim))]


@implements(np.diff)
def diff(x, n=1, axis=-1):
    axis = normalize_axis_index(axis, x.ndim)
    before = (slice(None),) * axis
    for _ in range(n):
        x = x[(*before, slice(1, None))] - x[(*before, slice(None, -1))]
    return x


@implements(np.trapezoid)
def trapezoid(y, x=None, dx=1.0, axis=-1):
    """Both arrays may be ragged, or one have a known extent that is checked against that of the other."""
    axis = normalize_axis_index(axis, y.ndim)
    before = (slice(None),) * axis
    widths = dx
    if x is not None:
        widths = np.diff(x, axis=axis if x.ndim > 1 else 0)
        widths = widths[(slice(None), *(None,) * (y.ndim - axis - 1))] if x.ndim == 1 < y.ndim else widths
    return np.sum(widths * (y[(*before, slice(1, None))] + y[(*before, slice(None, -1))]) / 2.0, axis)


# --- other -------------------------------------------------------------------------------------------------------------------------------

@implements(np.copy)
def copy(x, order="K", subok=False):
    return x.copy()


@implements(np.transpose)
def transpose(x, axes=None):
    return x.transpose() if axes is None else x.transpose(axes)


@implements(np.shape)
def shape(x):
    return x.shape


@implements(np.interp)
def interp(x, xp, fp, left=None, right=None, period=None):
    """Behind the data points there are others at the height of the last one."""
    if period is not None:
        raise refused("np.interp with a period")
    x, xp, fp = map(packed, (x, xp, fp))
    at, extents = (x.filled(0), x.extents) if isinstance(x, Ragged) else parts(x)
    (places, (count,)), (heights, (other,)) = parts(xp), parts(fp)
    count = agreed(count, other, f"the interpolation at {user_source().short}")
    known = Ragged(places, (count,))
    nonempty(known, (0,), "np.interp")
    room = max(places.shape[0], heights.shape[0])
    places, heights = (wrap(resized(array.atom, (room,)), scalar=False) for array in (places, heights))
    number, k = wrap(known.extents[0].atom()), np.arange(room)
    last, top = places[number - 1], heights[number - 1]
    result = np.interp(at, np.where(k < number, places, last + (k - number + 1)), np.where(k < number, heights, top), left)
    return made(result if right is None else np.where(at > last, right, result), extents)


@implements(np.iscomplexobj)
def iscomplexobj(x) -> bool:
    return x.dtype.kind == "c"


@implements(np.isrealobj)
def isrealobj(x) -> bool:
    return x.dtype.kind != "c"


@implements(np.ndim)
def ndim(x):
    return x.ndim


@implements(np.size)
def size(x, axis=None):
    return x.size if axis is None else x.shape[axis]


def alike(function: Callable) -> None:
    @implements(function)
    def like(x, *args, dtype=None, **options):
        return Ragged(function(x.values, *args, dtype=dtype), x.extents)


for _function in (np.zeros_like, np.ones_like, np.empty_like, np.full_like):
    alike(_function)


def of_ufunc(function: Callable) -> Callable:
    """Return the reduction as a method of a ufunc, which reduces the first axis by default."""
    return lambda x, axis=0, dtype=None, **options: FUNCTIONS[function](x, axis=axis, dtype=dtype, **options)


UFUNCS.update({
    (np.matmul, "__call__"): matmul, (np.vecdot, "__call__"): vecdot, (None, "at"): at,
    (np.add, "reduce"): of_ufunc(np.sum), (np.multiply, "reduce"): of_ufunc(np.prod), (np.maximum, "reduce"): of_ufunc(np.max),
    (np.minimum, "reduce"): of_ufunc(np.min), (np.logical_and, "reduce"): of_ufunc(np.all), (np.logical_or, "reduce"): of_ufunc(np.any),
    (np.add, "accumulate"): of_ufunc(np.cumsum), (np.multiply, "accumulate"): of_ufunc(np.cumprod), (np.multiply, "outer"): outer,
})  # fmt: skip
