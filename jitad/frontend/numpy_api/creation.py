"""Making arrays: functions like ``zeros_like`` that NumPy dispatches, and replacements for those that it does not.

`READERS` maps NumPy functions that would ask a traced array for its numbers to functions that give `Array`; `REDIRECTS` also those
that make the buffers which a traced function writes to. The syntax rewriter calls what is in the second, adopted code what is in the
first. Invariant: outside of a trace the replacements do what NumPy's do.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable

import numpy as np

from jitad.frontend.arrays.array import Array, is_traced, to_atom, wrap
from jitad.frontend.arrays.cells import entangle
from jitad.frontend.arrays.masks import Selected
from jitad.frontend.arrays.ragged import Ragged
from jitad.frontend.numpy_api.operands import asarray, filled
from jitad.frontend.numpy_api.table import implements
from jitad.frontend.operations.promotion import contains_traced, whole
from jitad.frontend.tracing.trace import counts_are_results, current_trace
from jitad.ir import errors

READERS: dict[Callable, Callable] = {}
REDIRECTS: dict[Callable, Callable] = {}


def redirects(function: Callable, table: dict = REDIRECTS) -> Callable:
    """Enter the decorated function in a table as the replacement of a NumPy function."""

    def register(replacement: Callable) -> Callable:
        table[function] = replacement
        return replacement

    return register


# --- from values --------------------------------------------------------------------------------------------------------------


@redirects(np.array, READERS)
def array(object, dtype=None, *, copy=True, order="K", subok=False, ndmin=0, like=None):
    """``np.array`` that also reads traced arrays and nests of lists and tuples around them."""
    object = whole(object)
    if isinstance(object, Ragged | Selected) and not ndmin:
        return object.copy() if dtype is None else object.astype(dtype)
    if not contains_traced(object):
        return np.array(object, dtype, copy=copy, order=order, subok=subok, ndmin=ndmin)
    result = asarray(object, dtype)
    if copy and result is object:
        result = result.copy(order)
    return result.reshape((1,) * (ndmin - result.ndim) + result.shape)


ORDERS = {np.ascontiguousarray: "C", np.asfortranarray: "F"}


def redirect_reader(function: Callable) -> None:
    """Redirect a function that returns its argument as an array, copied only if it must be."""

    @redirects(function, READERS)
    @functools.wraps(function)
    def read(a, dtype=None, *args, **kwargs):
        a = whole(a)
        if isinstance(a, Ragged | Selected):
            return a if dtype is None else a.astype(dtype)
        if not contains_traced(a):
            return function(a, dtype, *args, **kwargs)
        result = asarray(a, dtype)
        order = ORDERS.get(function)
        if order is None or not result.ndim:
            return result
        flat = (result if order == "C" else result.T).flat_in_memory()
        if flat:
            return result
        result, former = result.copy(order), result
        if flat is None:
            entangle(former.cell, result.cell)
        return result


for function in (np.asarray, np.asanyarray, np.ascontiguousarray, np.asfortranarray, np.asarray_chkfinite, np.require):
    redirect_reader(function)
REDIRECTS.update(READERS)


def redirect_scalar(kind: type) -> None:
    """Redirect a class of scalars, which converts what it is called with."""

    @redirects(kind)
    @functools.wraps(kind, updated=())
    def make(*args):
        return wrap(to_atom(asarray(args[0], np.dtype(kind)))) if contains_traced(list(args)) else kind(*args)


for kind in {np.dtype(code).type for code in "?bhilqBHILQfdFD"}:
    redirect_scalar(kind)


# --- buffers -----------------------------------------------------------------------------------------------------------------


def holds_numbers(dtype: np.dtype) -> bool:
    """Return whether arrays of a dtype are for results. Those of integers and booleans are for indices and masks: they stay NumPy's,
    since the course of a trace may depend on what they hold, unless it has turned out that traced values are written to some.
    """
    return dtype.kind in ("fciub" if counts_are_results() else "fc")


def redirect_buffer(function: Callable) -> None:
    """Redirect a function that makes an array of one value: within a trace, one to which traced values can be written."""

    @redirects(function)
    @functools.wraps(function)
    def make(shape, *args, **kwargs):
        if current_trace() is None or contains_traced(list(args)):
            return function(shape, *args, **kwargs)
        element = function((), *args, **kwargs)
        if not holds_numbers(element.dtype):
            return function(shape, *args, **kwargs)
        value = 0 if function is np.empty else element[()]
        extents = np.empty(shape, []).shape  # elements of the empty structured dtype take no memory
        made = wrap(filled(value, extents, element.dtype), scalar=False)
        return made.laid_out("F" if "F" in (kwargs.get("order"), *args[1:2]) else "C", made)


for function in (np.zeros, np.ones, np.empty):
    redirect_buffer(function)


@redirects(np.full)
def full(shape, fill_value, dtype=None, order="C", *, device=None, like=None):
    value = asarray(fill_value, dtype) if contains_traced(fill_value) else np.asarray(fill_value, dtype)
    if current_trace() is None or not (is_traced(value) or holds_numbers(value.dtype)):
        return np.full(shape, fill_value, dtype, order)
    return np.broadcast_to(asarray(value), shape).copy(order)


def redirect_constant(function: Callable) -> None:
    """Redirect a function that makes an array, or copies one: within a trace, one to which traced values can be written."""

    @redirects(function)
    @functools.wraps(function)
    def make(*args, **kwargs):
        result = function(*args, **kwargs)
        if isinstance(result, Ragged):
            return result
        return asarray(result).copy("K") if current_trace() is not None and holds_numbers(result.dtype) else result


for function in (np.eye, np.identity, np.copy, np.zeros_like, np.ones_like, np.empty_like, np.full_like):
    redirect_constant(function)


# --- like existing ones -------------------------------------------------------------------------------------------------------


def like(value, a, dtype, order, shape) -> Array:
    a = asarray(a)
    extents = a.shape if shape is None else tuple(shape) if np.iterable(shape) else (shape,)
    made = wrap(filled(value, extents, a.dtype if dtype is None else dtype), scalar=False)
    return made.laid_out("C" if order == "K" and len(extents) != a.ndim else order, a)


@implements(np.zeros_like)
def zeros_like(a, dtype=None, order="K", subok=True, shape=None, *, device=None):
    return like(0, a, dtype, order, shape)


@implements(np.ones_like)
def ones_like(a, dtype=None, order="K", subok=True, shape=None, *, device=None):
    return like(1, a, dtype, order, shape)


@implements(np.empty_like)
def empty_like(prototype, dtype=None, order="K", subok=True, shape=None, *, device=None):
    return like(0, prototype, dtype, order, shape)


@implements(np.full_like)
def full_like(a, fill_value, dtype=None, order="K", subok=True, shape=None, *, device=None):
    a = asarray(a)
    made = like(0, a, dtype, order, shape)
    made[...] = asarray(fill_value).astype(made.dtype)
    return made


@implements(np.copy)
def copy(a, order="K", subok=False):
    return asarray(a).copy(order)


# --- grids ----------------------------------------------------------------------------------------------------------------------


@implements(np.linspace)
def linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0, *, device=None):
    num = operator.index(num)
    if num < 0:
        raise errors.ValueError(f"Number of samples, {num}, must be non-negative.")
    start, stop = (x * 1.0 for x in np.broadcast_arrays(asarray(start), asarray(stop)))
    intervals = num - 1 if endpoint else num
    fractions = np.arange(num).reshape(-1, *(1,) * start.ndim)
    step = (stop - start) / intervals if intervals > 0 else np.full_like(start, np.nan)
    result = start + (fractions * step if intervals > 0 else fractions * (stop - start))
    if endpoint and num > 1:
        result = np.concatenate([result[:-1], stop[None].astype(result.dtype)])
    if dtype is not None:
        result = (np.floor(result) if np.issubdtype(dtype, np.integer) else result).astype(dtype)
    result = np.moveaxis(result, 0, axis)
    return (result, step) if retstep else result


@implements(np.logspace)
def logspace(start, stop, num=50, endpoint=True, base=10.0, dtype=None, axis=0):
    result = np.power(base, linspace(start, stop, num, endpoint, axis=axis))
    return result if dtype is None else result.astype(dtype)


@implements(np.geomspace)
def geomspace(start, stop, num=50, endpoint=True, dtype=None, axis=0):
    """Between numbers of the same sign, as in NumPy; where they differ, which NumPy refuses, NaN."""
    start, stop = asarray(start), asarray(stop)
    if "c" in (start.dtype.kind, stop.dtype.kind):
        raise errors.NotImplementedError("np.geomspace of traced complex numbers; write np.exp(np.linspace(np.log(a), np.log(b), num))")
    sign = np.sign(start)
    result = sign * logspace(np.log10(start * sign), np.log10(stop * sign), num, endpoint, axis=axis)
    return result if dtype is None else result.astype(dtype)


@implements(np.meshgrid)
def meshgrid(*xi, copy=True, sparse=False, indexing="xy"):
    if indexing not in ("xy", "ij"):
        raise errors.ValueError("Valid values for `indexing` are 'xy' and 'ij'.")
    axes = list(range(len(xi)))
    if indexing == "xy" and len(xi) > 1:
        axes[:2] = 1, 0
    grids = [asarray(x).reshape([-1 if k == axis else 1 for k in range(len(xi))]) for x, axis in zip(xi, axes, strict=True)]
    grids = grids if sparse else np.broadcast_arrays(*grids)
    return tuple(grid.copy() for grid in grids) if copy else tuple(grids)
