"""Reductions that pass over NaN: the NaN are replaced by what the reduction ignores, and not counted."""

from __future__ import annotations

import numpy as np

from jitad.frontend.arrays.array import Array
from jitad.frontend.numpy_api.operands import asarray
from jitad.frontend.numpy_api.reductions import how_many
from jitad.frontend.numpy_api.table import implements


def not_nan(a: Array, where=True):
    """Return where `a` has numbers, True if it cannot have anything else."""
    if a.dtype.kind not in "fc":
        return where
    return ~np.isnan(a) if where is True else ~np.isnan(a) & where


def without_nan(a, replacement) -> Array:
    a = asarray(a)
    return np.where(np.isnan(a), replacement, a) if a.dtype.kind in "fc" else a


@implements(np.nansum)
def nansum(a, axis=None, dtype=None, out=None, keepdims=False, initial=None, where=True):
    return np.sum(without_nan(a, 0), axis, dtype, keepdims=keepdims, initial=initial, where=where)


@implements(np.nanprod)
def nanprod(a, axis=None, dtype=None, out=None, keepdims=False, initial=None, where=True):
    return np.prod(without_nan(a, 1), axis, dtype, keepdims=keepdims, initial=initial, where=where)


@implements(np.nancumsum)
def nancumsum(a, axis=None, dtype=None, out=None):
    return np.cumsum(without_nan(a, 0), axis, dtype)


@implements(np.nancumprod)
def nancumprod(a, axis=None, dtype=None, out=None):
    return np.cumprod(without_nan(a, 1), axis, dtype)


def nan_extremum(best, ignored, a, axis, keepdims, initial, where) -> Array:
    a = asarray(a)
    if a.dtype.kind != "f":
        return best(a, axis, keepdims=keepdims, initial=initial, where=where)
    result = best(without_nan(a, ignored), axis, keepdims=keepdims, initial=initial, where=where)
    return np.where(np.all(np.isnan(a), axis, keepdims=keepdims), np.nan if initial is None else initial, result)


@implements(np.nanmax)
def nanmax(a, axis=None, out=None, keepdims=False, initial=None, where=True):
    return nan_extremum(np.max, -np.inf, a, axis, keepdims, initial, where)


@implements(np.nanmin)
def nanmin(a, axis=None, out=None, keepdims=False, initial=None, where=True):
    return nan_extremum(np.min, np.inf, a, axis, keepdims, initial, where)


@implements(np.nanargmax)
def nanargmax(a, axis=None, out=None, *, keepdims=False):
    return np.argmax(without_nan(a, -np.inf), axis, keepdims=keepdims)


@implements(np.nanargmin)
def nanargmin(a, axis=None, out=None, *, keepdims=False):
    return np.argmin(without_nan(a, np.inf), axis, keepdims=keepdims)


@implements(np.nanmean)
def nanmean(a, axis=None, dtype=None, out=None, keepdims=False, *, where=True):
    a = asarray(a)
    return np.mean(without_nan(a, 0), axis, dtype, keepdims=keepdims, where=not_nan(a, where))


@implements(np.nanvar)
def nanvar(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, where=True, mean=None, correction=None):
    a = asarray(a)
    ddof = ddof if correction is None else correction
    numbers = not_nan(a, where)
    variance = np.var(without_nan(a, 0), axis, dtype, ddof=ddof, keepdims=keepdims, where=numbers, mean=mean)
    return np.where(how_many(a, axis, keepdims, numbers) > ddof, variance, np.nan)


@implements(np.nanstd)
def nanstd(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, where=True, mean=None, correction=None):
    return np.sqrt(np.nanvar(a, axis, dtype, ddof=ddof, keepdims=keepdims, where=where, mean=mean, correction=correction))
