"""Sorting, and what is read off sorted arrays: medians, quantiles. Equal elements keep their order, whatever `kind` asks for."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from jitad.frontend.arrays.array import Array, is_traced, to_atom, wrap
from jitad.frontend.numpy_api.operands import asarray, axes_of, flat_unless
from jitad.frontend.numpy_api.table import implements
from jitad.frontend.operations.promotion import contains_traced
from jitad.ir import errors
from jitad.ir.types import INT
from jitad.primitives import sorting as primitives


def order_of(a: Array) -> Array:
    """Return the order of the elements along the last axis; complex numbers are ordered by their real parts, then by their imaginary parts."""
    if a.dtype.kind == "c":
        return np.lexsort((a.imag, a.real))
    return wrap(primitives.argsort(to_atom(a)))


def sorted_last(a: Array) -> Array:
    return np.take_along_axis(a, order_of(a), -1)


@implements(np.argsort)
def argsort(a, axis=-1, kind=None, order=None, *, stable=None):
    a, axis = flat_unless(a, axis)
    return np.moveaxis(order_of(np.moveaxis(a, axis, -1)), -1, axis)


@implements(np.sort)
def sort(a, axis=-1, kind=None, order=None, *, stable=None):
    a, axis = flat_unless(a, axis)
    return np.moveaxis(sorted_last(np.moveaxis(a, axis, -1)), -1, axis)


@implements(np.sort_complex)
def sort_complex(a):
    a = np.sort(asarray(a))
    return a if a.dtype.kind == "c" else a.astype(np.complex64 if a.dtype.char in "bhBHf" else np.complex128)


@implements(np.partition)
def partition(a, kth, axis=-1, kind="introselect", order=None):
    return sort(a, axis)


@implements(np.argpartition)
def argpartition(a, kth, axis=-1, kind="introselect", order=None):
    return argsort(a, axis)


@implements(np.lexsort)
def lexsort(keys, axis=-1):
    """The last key decides; those before it where it is equal."""
    first, *others = (np.moveaxis(key, normalize_axis_index(axis, key.ndim), -1) for key in map(asarray, keys))
    order = order_of(first)
    for key in others:
        order = np.take_along_axis(order, order_of(np.take_along_axis(key, order, -1)), -1)
    return np.moveaxis(order, -1, axis)


# --- quantiles --------------------------------------------------------------------------------------------------------------


def fractional(alpha: float, beta: float) -> Callable:
    """Return the place of the quantile q among n sorted elements, by Hyndman and Fan's formula."""
    return lambda n, q: n * q + (alpha + q * (1 - alpha - beta)) - 1


PLACES = {
    "linear": lambda n, q: (n - 1) * q,
    "weibull": fractional(0, 0),
    "hazen": fractional(0.5, 0.5),
    "median_unbiased": fractional(1 / 3, 1 / 3),
    "normal_unbiased": fractional(3 / 8, 3 / 8),
    "interpolated_inverted_cdf": fractional(0, 1),
    "inverted_cdf": lambda n, q: np.ceil(n * q) - 1,
    "lower": lambda n, q: np.floor((n - 1) * q),
    "higher": lambda n, q: np.ceil((n - 1) * q),
    "nearest": lambda n, q: np.rint((n - 1) * q),
    "midpoint": lambda n, q: 0.5 * (np.floor((n - 1) * q) + np.ceil((n - 1) * q)),
}
DISCRETE = ("inverted_cdf", "lower", "higher", "nearest")


def quantiles(a: Array, q, axis, method: str, keepdims: bool, skip_nan: bool) -> Array:
    """Interpolate between neighbours in the sorted array. `q` is an array, between 0 and 1."""
    if method not in PLACES:
        raise errors.NotImplementedError(f"np.quantile: jitad does not know the method {method!r}; it knows {', '.join(PLACES)}")
    axes = axes_of(axis, a.ndim)
    kept = [k for k in range(a.ndim) if k not in axes]
    rest = tuple(a.shape[k] for k in kept)
    rows = a.transpose([*kept, *axes]).reshape(*rest, math.prod(a.shape[k] for k in axes))
    n = rows.shape[-1]
    if n == 0:
        raise errors.IndexError("index -1 is out of bounds for axis 0 with size 0")
    rows = sorted_last(rows)
    count = np.sum(~np.isnan(rows), -1, keepdims=True) if skip_nan and a.dtype.kind == "f" else n
    place = np.clip(PLACES[method](count, q.ravel()), 0, count - 1)
    below = np.floor(place)
    share = (place - below).astype(q.dtype)
    dtype = a.dtype if method in DISCRETE else np.result_type(a.dtype, q.dtype)
    low = result = read(rows, below.astype(INT)).astype(dtype)
    if is_traced(share) or share.any():
        high = read(rows, np.ceil(place).astype(INT)).astype(dtype)
        result = np.where(low == high, low, low + (high - low) * share)
    if a.dtype.kind == "f" and not skip_nan:
        result = np.where(np.isnan(rows[..., -1:]), np.nan, result)
    shape = [1 if k in axes else extent for k, extent in enumerate(a.shape)] if keepdims else rest
    return np.moveaxis(result, -1, 0).reshape(*q.shape, *shape)


def read(rows: Array, index) -> Array:
    """Return the elements at places along the last axis, the same in each row if `index` is a vector."""
    if not is_traced(index):
        return np.take(rows, index, -1)
    return np.take_along_axis(rows, np.broadcast_to(index, (*rows.shape[:-1], index.shape[-1])), -1)


def levels(q, a: Array, scale: float, name: str):
    """Return the levels `q` as an array between 0 and 1, in the dtype in which NumPy computes with them."""
    if contains_traced(q):
        q = asarray(q)
        return q / scale
    if isinstance(q, int | float):
        q = np.asarray(q, a.dtype if a.dtype.kind == "f" else np.float64)
    q = np.asarray(q) / (a.dtype.type(scale) if a.dtype.kind == "f" else scale)
    if not ((q >= 0) & (q <= 1)).all():
        raise errors.ValueError(f"{name} must be in the range [0, {scale}]")
    return q


def quantile_function(function: Callable, scale: int, name: str, skip_nan: bool) -> None:
    @implements(function)
    def quantile(a, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=False, *, weights=None):
        if weights is not None:
            raise errors.NotImplementedError(f"np.{function.__name__}: jitad does not know weights=")
        a = asarray(a)
        return quantiles(a, levels(q, a, scale, name), axis, method, keepdims, skip_nan)


quantile_function(np.quantile, 1, "Quantiles", skip_nan=False)
quantile_function(np.percentile, 100, "Percentiles", skip_nan=False)
quantile_function(np.nanquantile, 1, "Quantiles", skip_nan=True)
quantile_function(np.nanpercentile, 100, "Percentiles", skip_nan=True)


@implements(np.median)
def median(a, axis=None, out=None, overwrite_input=False, keepdims=False):
    a = asarray(a)
    return np.quantile(a, 0.5, axis, keepdims=keepdims) if a.size else np.mean(a, axis, keepdims=keepdims)


@implements(np.nanmedian)
def nanmedian(a, axis=None, out=None, overwrite_input=False, keepdims=False):
    a = asarray(a)
    return np.nanquantile(a, 0.5, axis, keepdims=keepdims) if a.size else np.nanmean(a, axis, keepdims=keepdims)
