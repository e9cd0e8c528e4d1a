"""Interpolation, searching, filtering, and the like: NumPy's numerical recipes."""

from __future__ import annotations

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from jitad.frontend.arrays.array import Array, promote, to_atom, wrap
from jitad.frontend.numpy_api.operands import asarray, concrete
from jitad.frontend.numpy_api.table import implements
from jitad.frontend.operations.promotion import contains_traced
from jitad.frontend.tracing.concrete import known
from jitad.ir import errors
from jitad.ir.program import literal
from jitad.ir.types import INT
from jitad.primitives.checks import require

SHORT_KERNEL = 16

# --- searching and interpolating --------------------------------------------------------------------------------------------


@implements(np.searchsorted)
def searchsorted(a, v, side="left", sorter=None):
    """Binary search, all elements of `v` at once."""
    a, v = asarray(a), asarray(v)
    if a.ndim != 1:
        raise errors.ValueError("object too deep for desired array" if a.ndim > 1 else "object of too small depth for desired array")
    if side not in ("left", "right"):
        raise errors.ValueError(f"search side must be 'left' or 'right' (got '{side}')")
    if sorter is not None:
        a = np.take(a, sorter)
    if len(a) == 0:
        return np.zeros_like(v, dtype=INT)

    def passed(place):
        return a[place] < v if side == "left" else a[place] <= v

    step = 1 << (len(a).bit_length() - 1)  # the first probe leaves 2 * step - 1 or fewer places, the same number on either side
    first = np.where(passed(step - 1), len(a) + 1 - step, 0)
    while step > 1:
        step //= 2
        first = np.where(passed(first + (step - 1)), first + step, first)
    return first


@implements(np.digitize)
def digitize(x, bins, right=False):
    if isinstance(bins, Array) and known(bins.atom) is None:
        return digitize_unknown(asarray(x), asarray(bins), right)
    bins = np.asarray(concrete(bins, "np.digitize", "bins"))
    steps = np.diff(bins)
    if not ((steps >= 0).all() or (steps <= 0).all()):
        raise errors.ValueError("bins must be monotonically increasing or decreasing")
    side = "left" if right else "right"
    if (steps < 0).any():
        return len(bins) - np.searchsorted(bins[::-1], asarray(x), side)
    return np.searchsorted(bins, asarray(x), side)


def digitize_unknown(x: Array, bins: Array, right: bool) -> Array:
    """The same for bins that are known when the function runs: whether they ascend is found out then."""
    steps, count = np.diff(bins), literal(len(bins), INT)
    monotonic = to_atom(np.all(steps >= 0) | np.all(steps <= 0))
    count = wrap(require(count, monotonic, message="bins must be monotonically increasing or decreasing", error="value"))
    ascending = np.all(steps >= 0)
    places = np.searchsorted(np.where(ascending, bins, bins[::-1]), x, "left" if right else "right")
    return np.where(ascending, np.minimum(places, count), count - places)


@implements(np.interp)
def interp(x, xp, fp, left=None, right=None, period=None):
    x, fp = asarray(x, np.float64), asarray(fp)
    fp = fp.astype(np.complex128 if fp.dtype.kind == "c" else np.float64)
    if period is None or contains_traced(xp):
        xp = asarray(xp, np.float64)
    else:
        xp = np.asarray(concrete(xp, "np.interp", "xp"), np.float64)
    if xp.ndim != 1 or fp.ndim != 1:
        raise errors.ValueError("Data points must be 1-D sequences" if period is not None else "object too deep for desired array")
    if len(xp) != len(fp):
        raise errors.ValueError("fp and xp are not of the same length.")
    if len(xp) == 0:
        raise errors.ValueError("array of sample points is empty")
    if period is not None:
        x, xp, fp = periodic(x, xp, fp, period)
        xp, left, right = asarray(xp), None, None
    left, right = fp[0] if left is None else left, fp[-1] if right is None else right
    if len(xp) == 1:
        return np.where(x < xp[0], left, np.where(x > xp[0], right, np.where(np.isnan(x), x, fp[0])))
    cell = np.clip(np.searchsorted(xp, x, "right") - 1, 0, len(xp) - 2)
    here, there = (np.take(xp, cell + k) for k in (0, 1))
    slope = np.take((fp[1:] - fp[:-1]) / (xp[1:] - xp[:-1]), cell)
    value = slope * (x - here) + fp[cell]
    value = np.where(x == xp[-1], fp[-1], value)
    return np.where(x < xp[0], left, np.where(x > xp[-1], right, value))


def periodic(x: Array, xp, fp: Array, period) -> tuple:
    """Return data points of one period in ascending order, with one more on either side, and `x` within them."""
    if period == 0:
        raise errors.ValueError("period must be a non-zero value")
    period = abs(period)
    x, xp = x % period, xp % period
    order = np.argsort(xp)
    xp, fp = np.take(xp, order), np.take(fp, order)
    xp = np.concatenate([xp[-1:] - period, xp, xp[:1] + period])
    return x, xp, np.concatenate([fp[-1:], fp, fp[:1]])


@implements(np.bincount)
def bincount(x, /, weights=None, minlength=0):
    if isinstance(x, Array) and known(x.atom) is None:
        return bincount_unknown(x, weights, minlength)
    x = np.asarray(concrete(x, "np.bincount", "x"))
    if weights is None or x.ndim != 1 or len(x) != len(weights) or x.min(initial=0) < 0:
        return np.bincount(x, weights if weights is None else np.zeros(len(weights)), minlength)
    total = np.zeros_like(asarray(weights), shape=max(x.max(initial=-1) + 1, minlength), dtype=np.float64)
    np.add.at(total, x, asarray(weights, np.float64))
    return total


def bincount_unknown(x: Array, weights, minlength: int) -> Array:
    """The same for numbers that are known when the function runs: `minlength` has to be the length of the result."""
    if not minlength:
        raise errors.ConcreteValueError("the length of what np.bincount gives depends on values that are only known when the compiled function "
                                        "runs; pass minlength, above all of them, or write np.add.at(np.zeros(n), x, weights)")
    text = f"np.bincount: a number is negative, or not below minlength={minlength}, which has to be the length of the result in a compiled function"
    last = require(literal(minlength - 1, INT), to_atom(np.all((x >= 0) & (x < minlength))), message=text, error="value")
    total = np.zeros_like(x, shape=minlength, dtype=INT if weights is None else np.float64)
    np.add.at(total, np.minimum(x, wrap(last)), 1 if weights is None else asarray(weights, np.float64))
    return total


# --- filters ----------------------------------------------------------------------------------------------------------------


def sliding_product(a, kernel, mode: str) -> Array:
    """The products of `kernel` with the pieces of `a`, which is not shorter, at each place that `mode` admits."""
    a, kernel = map(wrap, promote(a, kernel))
    m = len(kernel)
    if mode not in ("full", "same", "valid"):
        raise errors.ValueError(f"mode must be one of 'valid', 'same', or 'full' (got '{mode}')")
    before, after = {"full": (m - 1, m - 1), "same": (m // 2, m - m // 2 - 1), "valid": (0, 0)}[mode]
    padded = np.pad(a, (before, after))
    length = len(padded) - m + 1
    if m <= SHORT_KERNEL:
        result = padded[:length] * kernel[0]
        for k in range(1, m):
            result = result + padded[k:k + length] * kernel[k]
        return result
    places = np.arange(length)[:, None] + np.arange(m)
    return padded[places] @ kernel


def filter_operands(a, v) -> tuple[Array, Array]:
    a, v = np.atleast_1d(asarray(a), asarray(v))
    for name, x in (("a", a), ("v", v)):
        if x.ndim > 1:
            raise errors.ValueError("object too deep for desired array")
        if len(x) == 0:
            raise errors.ValueError(f"{name} cannot be empty")
    return a, v


@implements(np.convolve)
def convolve(a, v, mode="full"):
    a, v = filter_operands(a, v)
    if len(v) > len(a):
        a, v = v, a
    return sliding_product(a, v[::-1], mode)


@implements(np.correlate)
def correlate(a, v, mode="valid"):
    a, v = filter_operands(a, v)
    if len(v) > len(a):
        return np.conj(sliding_product(v, np.conj(a), mode))[::-1]
    return sliding_product(a, np.conj(v), mode)


@implements(np.polymul)
def polymul(a1, a2):
    """Leading zeros, which NumPy drops, stay: the shape of the result cannot depend on values."""
    return np.convolve(asarray(a1), a2)


# --- one slice after another ------------------------------------------------------------------------------------------------


@implements(np.apply_along_axis)
def apply_along_axis(func1d, axis, arr, *args, **kwargs):
    """The function is traced once per slice."""
    arr = asarray(arr)
    axis = normalize_axis_index(axis, arr.ndim)
    slices = np.moveaxis(arr, axis, -1)
    places = list(np.ndindex(slices.shape[:-1]))
    if not places:
        raise errors.ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    results = np.stack([asarray(func1d(slices[place], *args, **kwargs)) for place in places])
    inner = results.ndim - 1
    results = results.reshape(slices.shape[:-1] + results.shape[1:])
    lead = arr.ndim - 1
    return np.moveaxis(results, range(lead, lead + inner), range(axis, axis + inner))
