"""Polynomials: roots, fits, and the functions of ``numpy.polynomial``, which NumPy writes in Python.

Coefficients that may be zero count: NumPy drops those of the highest powers that are, but no shape can depend on values. Roots are complex numbers.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable

import numpy as np

from jitad.frontend.numpy_api.adopted import POLYNOMIALS, in_scope
from jitad.frontend.numpy_api.creation import REDIRECTS
from jitad.frontend.numpy_api.operands import asarray
from jitad.frontend.numpy_api.table import implements
from jitad.frontend.operations.promotion import contains_traced
from jitad.ir import errors

# --- NumPy's older functions ----------------------------------------------------------------------------------------------------


@implements(np.roots)
def roots(p):
    p = np.atleast_1d(asarray(p))
    if p.ndim != 1:
        raise errors.ValueError("Input must be a rank-1 array.")
    if len(p) < 2:
        return np.zeros(0)
    p = p.astype(np.result_type(p.dtype, np.float64) if p.dtype.kind not in "fc" else p.dtype)
    first = -p[1:] / p[0]
    return np.linalg.eigvals(np.concatenate([first[None], np.eye(len(p) - 2, len(p) - 1, dtype=p.dtype)]))


@implements(np.polydiv)
def polydiv(u, v):
    """The remainder has as many coefficients as it may have."""
    u, v = (np.atleast_1d(asarray(x)) + 0.0 for x in (u, v))
    count = max(len(u) - len(v) + 1, 1)
    rest, quotient = u, []
    if len(u) < len(v):
        return np.zeros_like(u, shape=1), u
    for k in range(count):
        quotient.append(rest[k] / v[0])
        rest = np.concatenate([rest[: k + 1], rest[k + 1 : k + len(v)] - quotient[-1] * v[1:], rest[k + len(v) :]])
    return np.stack(quotient), rest[count:] if len(v) > 1 else np.zeros_like(u, shape=1)


@implements(np.polyfit)
def polyfit(x, y, deg, rcond=None, full=False, w=None, cov=False):
    x, y = asarray(x) + 0.0, asarray(y) + 0.0
    powers = np.vander(x, int(deg) + 1)
    c, *found, scale, rows = fitted(powers, y, rcond, w)
    if full:
        return c, *found
    if not cov:
        return c
    base = np.linalg.inv(rows.T @ rows) / np.outer(scale, scale)
    if cov == "unscaled":
        factor = 1
    elif len(x) <= int(deg) + 1:
        raise errors.ValueError("the number of data points must exceed order to scale the covariance matrix")
    else:
        factor = found[0] / (len(x) - int(deg) - 1)
    return c, base * factor if y.ndim == 1 else base[:, :, None] * factor


def fitted(columns, y, rcond, w) -> tuple:
    """Fit the columns, scaled to length 1, to `y`: coefficients, what ``lstsq`` says of them, ``rcond``; the lengths, the scaled columns."""
    for name, x, ndim in (("x and y", y, y.ndim), ("w and y", y if w is None else asarray(w), 1)):
        if x.ndim != ndim or len(x) != len(columns):
            raise errors.TypeError(f"expected {name} to have same length")
    if w is not None:
        w = asarray(w) + 0.0
        columns, y = columns * w[:, None], y * (w[:, None] if y.ndim == 2 else w)
    rcond = len(columns) * np.finfo(columns.dtype).eps if rcond is None else rcond
    scale = np.sqrt(np.sum((columns * np.conj(columns)).real, axis=0))
    scale = np.where(scale == 0, 1, scale)
    rows = columns / scale
    c, residuals, rank, s = np.linalg.lstsq(rows, y, rcond)
    return (c.T / scale).T, residuals, rank, s, rcond, scale, rows


# --- numpy.polynomial -----------------------------------------------------------------------------------------------------------


def trimseq(seq):
    return seq if contains_traced(seq) else np.polynomial.polyutils.trimseq(seq)


def fit(vander, x, y, deg, rcond=None, full=False, w=None):
    deg = np.asarray(deg)
    if deg.ndim > 1 or deg.dtype.kind not in "iu" or deg.size == 0:
        raise errors.TypeError("deg must be an int or non-empty 1-D array of int")
    if deg.min() < 0:
        raise errors.ValueError("expected deg >= 0")
    x, y = asarray(x) + 0.0, asarray(y) + 0.0
    if x.ndim != 1:
        raise errors.TypeError("expected 1D vector for x")
    powers = vander(x, int(deg.max()))
    chosen = np.sort(deg) if deg.ndim else np.arange(int(deg) + 1)
    c, *found, _, _ = fitted(powers[:, chosen], y, rcond, w)
    if len(chosen) < powers.shape[1]:
        whole = np.zeros_like(c, shape=(powers.shape[1], *c.shape[1:]))
        whole[chosen] = c
        c = whole
    return (c, found) if full else c


def divide(c1, c2):
    return tuple(x[::-1] for x in polydiv(asarray(c1)[::-1], asarray(c2)[::-1]))


def divide_series(multiply, c1, c2):
    c1, c2 = (np.atleast_1d(asarray(x)) + 0.0 for x in (c1, c2))
    if len(c1) < len(c2) or len(c2) == 1:
        return (c1[:1] * 0, c1) if len(c1) < len(c2) else (c1 / c2[-1], c1[:1] * 0)
    quotient, rest = [], c1
    for k in range(len(c1) - len(c2), -1, -1):
        product = multiply([0] * k + [1], c2)
        quotient.insert(0, rest[-1] / product[-1])
        rest = rest[:-1] - quotient[0] * product[:-1]
    return np.stack(quotient), rest


def value(series, arg):
    """The value of a series, ``p(x)``."""
    return of_polynomials(series._val)(of_polynomials(np.polynomial.polyutils.mapdomain)(arg, series.domain, series.window), series.coef)


def polyroots(c):
    """Roots in the order of ``numpy.polynomial.polynomial.polyroots``; NumPy 2.5 makes those real that are."""
    c = np.atleast_1d(asarray(c)) + 0.0
    if len(c) < 3:
        return -c[:-1] / c[1:]
    return np.sort(np.linalg.eigvals(of_polynomials(np.polynomial.polynomial.polycompanion)(c)))


@functools.cache
def exchange() -> None:
    """Enter what NumPy's code is to call. The package is imported with its first use, as NumPy does."""
    from numpy.polynomial import _polybase, polynomial, polyutils

    REDIRECTS[polyutils.trimseq], REDIRECTS[polyutils._fit], REDIRECTS[polyutils._div] = trimseq, fit, divide_series
    REDIRECTS[polynomial.polydiv], REDIRECTS[_polybase.ABCPolyBase.__call__] = divide, value
    REDIRECTS[polynomial.polyroots] = polyroots
    for function in (polynomial.polyval2d, polynomial.polygrid2d):
        if hasattr(function, "__wrapped__"):
            implements(function)(in_scope(function.__wrapped__))


def of_polynomials(function: types.FunctionType) -> Callable | None:
    """Return a function of ``numpy.polynomial`` as one of traced arrays; None if it is another one."""
    if not (getattr(function, "__module__", None) or "").startswith(POLYNOMIALS):
        return None
    exchange()
    found = REDIRECTS.get(function)

    def call(*args, **kwargs):
        traced = contains_traced(args) or contains_traced(list(kwargs.values()))
        return ((found or in_scope(function)) if traced else function)(*args, **kwargs)

    return call
