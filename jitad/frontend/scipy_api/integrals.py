"""``scipy.integrate``: integrals of samples, and of functions."""

from __future__ import annotations

import numpy as np

from jitad.frontend.arrays.array import Array
from jitad.frontend.numpy_api.operands import asarray
from jitad.frontend.scipy_api.initial_values import odeint, solve_ivp
from jitad.frontend.scipy_api.quadrature import quad
from jitad.ir import errors


def spacings(x, dx, ndim: int, axis: int, count: int) -> Array | np.ndarray:
    """Return the distances of samples along the last axis."""
    if x is None:
        return np.full(count - 1, float(dx)) if not isinstance(dx, Array) else dx * np.ones(count - 1)
    x = asarray(x)
    if x.shape[-1 if x.ndim == 1 else axis] != count:
        raise errors.ValueError("If given, length of x along axis must be the same as y.")
    return np.diff(x if x.ndim == 1 else np.moveaxis(x, axis, -1))


def trapezoid(y, x=None, dx=1.0, axis=-1):
    return np.trapezoid(asarray(y), x, dx, axis)


def with_initial(total: Array, initial, axis: int) -> Array:
    if initial is not None:
        total = np.concatenate([np.full_like(total, initial, shape=(*total.shape[:-1], 1)), total], -1)
    return np.moveaxis(total, -1, axis)


def cumulative_trapezoid(y, x=None, dx=1.0, axis=-1, initial=None):
    if initial is not None and initial != 0:
        raise errors.ValueError("`initial` must be `None` or `0`.")
    y = np.moveaxis(asarray(y), axis, -1)
    h = spacings(x, dx, y.ndim, axis, y.shape[-1])
    return with_initial(np.cumsum(0.5 * h * (y[..., 1:] + y[..., :-1]), -1), initial, axis)


def parabolas(y: Array, h) -> Array:
    """Simpson's rule on each pair of intervals, for an odd number of samples along the last axis."""
    h = np.broadcast_to(h, (*np.shape(h)[:-1], y.shape[-1] - 1))
    h0, h1 = h[..., :-1:2], h[..., 1::2]
    total, ratio = h0 + h1, h0 / h1
    terms = total / 6 * (y[..., :-2:2] * (2 - 1 / ratio) + y[..., 1:-1:2] * (total * total / (h0 * h1)) + y[..., 2::2] * (2 - ratio))
    return np.sum(terms, -1)


def simpson(y, x=None, *, dx=1.0, axis=-1):
    """For an even number of samples, with Cartwright's correction of the last interval."""
    y = np.moveaxis(asarray(y) + 0.0, axis, -1)
    n = y.shape[-1]
    h = spacings(x, dx, y.ndim, axis, n)
    if n % 2:
        return parabolas(y, h) if n > 1 else np.zeros_like(y, shape=y.shape[:-1])
    if n == 2:
        return 0.5 * h[..., -1] * (y[..., -1] + y[..., -2])
    a, b = h[..., -2], h[..., -1]
    last = y[..., -1] * (2 * b * b + 3 * a * b) / (6 * (b + a)) + y[..., -2] * (b * b + 3 * a * b) / (6 * a)
    last = last - y[..., -3] * b**3 / (6 * a * (a + b))
    return parabolas(y[..., :-1], h[..., :-1]) + last


def cumulative_simpson(y, *, x=None, dx=1.0, axis=-1, initial=None):
    y = np.moveaxis(asarray(y) + 0.0, axis, -1)
    n = y.shape[-1]
    if n < 3:
        return cumulative_trapezoid(np.moveaxis(y, -1, axis), x, dx, axis, initial)
    h = np.broadcast_to(spacings(x, dx, y.ndim, axis, n), (*y.shape[:-1], n - 1))

    def first_of_pairs(y, h):
        """The integral over the first of two intervals, for each pair of neighbours."""
        a, b = h[..., :-1], h[..., 1:]
        ratio, whole = a / b, a / (a + b)
        return a / 6 * ((3 - whole) * y[..., :-2] + (3 + ratio * whole + whole) * y[..., 1:-1] - ratio * whole * y[..., 2:])

    forward = first_of_pairs(y, h)
    backward = first_of_pairs(y[..., ::-1], h[..., ::-1])[..., ::-1]
    even = np.arange(n - 1) % 2 == 0
    before = np.concatenate([forward, 0 * forward[..., :1]], -1)
    after = np.concatenate([0 * backward[..., :1], backward], -1)
    pieces = np.where(even, before, after)
    if n % 2 == 0:
        pieces = np.concatenate([pieces[..., :-1], after[..., -1:]], -1)
    total = np.cumsum(pieces, -1)
    if initial is not None:
        total = total + initial
    return with_initial(total, initial, axis)


def romb(y, dx=1.0, axis=-1, show=False):
    y = np.moveaxis(asarray(y) + 0.0, axis, -1)
    intervals = y.shape[-1] - 1
    levels = intervals.bit_length() - 1
    if intervals != 1 << levels:
        raise errors.ValueError("Number of samples must be one plus a non-negative power of 2.")
    row = [0.5 * (y[..., 0] + y[..., -1]) * (intervals * dx)]
    for k in range(1, levels + 1):
        step = intervals >> k
        new = [0.5 * row[0] + np.sum(y[..., step::2 * step], -1) * (step * dx)]
        for j in range(1, k + 1):
            new.append(new[j - 1] + (new[j - 1] - row[j - 1]) / (4**j - 1))
        row = new
    return row[-1]


FUNCTIONS = {function.__name__: function for function in (
    trapezoid, cumulative_trapezoid, simpson, cumulative_simpson, romb, quad, solve_ivp, odeint)}
