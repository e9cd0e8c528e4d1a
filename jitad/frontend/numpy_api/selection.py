"""Choosing elements by index or condition, and writing to those chosen."""

from __future__ import annotations

import numpy as np

from jitad.frontend.arrays.array import Array, is_traced, promote, wrap
from jitad.frontend.arrays.ragged import Ragged
from jitad.frontend.numpy_api.operands import along, asarray, flat_unless, rearranged
from jitad.frontend.numpy_api.reductions import truth
from jitad.frontend.numpy_api.table import implements, named
from jitad.frontend.operations.promotion import contains_traced, to_atom, whole
from jitad.frontend.tracing.concrete import values
from jitad.ir import errors
from jitad.ir.types import broadcast_shapes
from jitad.primitives.selections import select_terms

MASK_ADVICE = ("its shape depends on values that are only known when the kernel runs; compute on whole arrays and select with "
               "np.where(mask, ..., ...), reduce with the argument where=mask, or give indices as a tuple that is a static argument")

# --- by condition -----------------------------------------------------------------------------------------------------------


@implements(np.where)
def where(condition, x=None, y=None, /):
    if x is None and y is None:
        return np.nonzero(condition)
    if x is None or y is None:
        raise errors.ValueError("either both or neither of x and y should be given")
    return wrap(select_terms(truth(to_atom(condition)), *promote(x, y))).lie_as((condition, x, y))


@implements(np.select)
def select(condlist, choicelist, default=0):
    if len(condlist) != len(choicelist):
        raise errors.ValueError("list of cases must be same length as list of conditions")
    if len(condlist) == 0:
        raise errors.ValueError("select with an empty condition list is not possible")
    for number, condition in enumerate(condlist):
        if asarray(condition).dtype != bool:
            raise errors.TypeError(f"invalid entry {number} in condlist: should be boolean ndarray")
    choices = promote(*choicelist, default)
    result = wrap(choices.pop())
    for condition, choice in zip(reversed(condlist), reversed(choices), strict=True):
        result = np.where(asarray(condition), wrap(choice), result)
    return result


@implements(np.piecewise)
def piecewise(x, condlist, funclist, *args, **kw):
    """Every function is evaluated everywhere; the conditions select."""
    x = asarray(x)
    if np.isscalar(condlist) or (not isinstance(condlist[0], list | np.ndarray | Array) and x.ndim != 0):
        condlist = [condlist]
    conditions = [asarray(condition, bool) for condition in condlist]
    if len(funclist) not in (len(conditions), len(conditions) + 1):
        raise errors.ValueError(f"with {len(conditions)} condition(s), either {len(conditions)} or {len(conditions) + 1} functions "
                                "are expected")
    values = [function(x, *args, **kw) if callable(function) else function for function in funclist]
    result = asarray(values.pop(), x.dtype) if len(values) > len(conditions) else np.zeros_like(x)
    for condition, value in zip(conditions, values, strict=True):
        result = np.where(condition, asarray(value, x.dtype), result)
    return np.broadcast_to(result, x.shape)


def only_of_known(function) -> None:
    """Let a function whose result has a shape that depends on values be called with those that are known while the function is traced."""
    name = f"np.{function.__name__}"

    @implements(function)
    def shape_unknown(*args, **kwargs):
        try:
            return function(*values(args, name), **values(kwargs, name))
        except errors.ConcreteValueError:
            raise errors.ConcreteValueError(f"{name} of a traced array: {MASK_ADVICE}") from None


for function in named("unique_all", "unique_counts", "unique_inverse", "unique_values",
                      "trim_zeros", "union1d", "intersect1d", "setdiff1d", "setxor1d"):
    only_of_known(function)

# --- by index ---------------------------------------------------------------------------------------------------------------


@implements(np.take)
def take(a, indices, axis=None, out=None, mode="raise"):
    a, axis = flat_unless(a, axis)
    extent, indices = a.shape[axis], whole(indices)
    if not isinstance(indices, Ragged) and not contains_traced(indices):
        indices = np.asarray(indices)
    if mode == "wrap":
        indices = indices % extent
    elif mode == "clip":
        indices = np.clip(indices, 0, extent - 1)
    elif mode != "raise":
        raise errors.ValueError(f"clipmode must be one of 'clip', 'raise', or 'wrap' (got '{mode}')")
    if is_traced(indices) or isinstance(indices, Ragged):
        return a[along(axis, indices)]
    if indices.ndim != 1 or not len(indices) or indices.min() < -extent or indices.max() >= extent:
        return a[along(axis, indices)]
    return rearranged(a, indices % extent, axis)


@implements(np.choose)
def choose(a, choices, out=None, mode="raise"):
    a = asarray(a)
    choices = [wrap(x) for x in promote(*(choices if isinstance(choices, list | tuple) else list(asarray(choices))))]
    shape = broadcast_shapes(a.shape, *[x.shape for x in choices])
    stack = np.stack([np.broadcast_to(x, shape) for x in choices])
    if mode == "wrap":
        a = a % len(stack)
    elif mode == "clip":
        a = np.clip(a, 0, len(stack) - 1)
    return np.take_along_axis(stack, np.broadcast_to(a, shape)[None], 0)[0]


# --- writing ----------------------------------------------------------------------------------------------------------------


def target(name: str, a) -> Array:
    if not is_traced(a):
        raise errors.TypeError(f"{name}: an array made outside of the traced function cannot hold traced values; make it inside, with "
                               "np.zeros or np.empty, or compute the result without writing in place")
    return a


@implements(np.copyto)
def copyto(dst, src, casting="same_kind", where=True):
    target("np.copyto", dst)
    src_dtype = getattr(src, "dtype", None)
    if src_dtype is not None and not np.can_cast(src_dtype, dst.dtype, casting):
        raise errors.TypeError(f"Cannot cast array data from {src_dtype!r} to {dst.dtype!r} according to the rule '{casting}'")
    dst[...] = src if where is True else np.where(where, asarray(src, dst.dtype), dst)


@implements(np.putmask)
def putmask(a, /, mask, values):
    target("np.putmask", a)
    values = np.resize(asarray(values, a.dtype), a.shape)
    a[...] = np.where(mask, values, a)


@implements(np.put)
def put(a, ind, v, mode="raise"):
    target("np.put", a)
    ind = asarray(ind).ravel()
    if mode == "wrap":
        ind = ind % a.size
    elif mode == "clip":
        ind = np.clip(ind, 0, a.size - 1)
    flat = a.ravel().copy()
    flat[ind] = np.resize(asarray(v, a.dtype), ind.shape)
    a[...] = flat.reshape(a.shape)


@implements(np.fill_diagonal)
def fill_diagonal(a, val, wrap=False):
    target("np.fill_diagonal", a)
    if a.ndim < 2:
        raise errors.ValueError("array must be at least 2-d")
    if a.ndim > 2 and len(set(a.shape)) > 1:
        raise errors.ValueError("All dimensions of input must be of equal length")
    rows, columns = a.shape[0], a.shape[1]
    step = columns + 1 if a.ndim == 2 else 1 + sum(rows**k for k in range(1, a.ndim))
    end = a.size if wrap or a.ndim > 2 else columns * columns
    places = np.unravel_index(np.arange(0, min(end, a.size), step), a.shape)
    a[places] = np.resize(asarray(val, a.dtype), places[0].shape)
