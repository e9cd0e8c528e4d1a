"""``scipy.interpolate``: B-splines, those through values that are traced, and other functions that are linear in the values at known places.

In: knots and coefficients; or places that are known when the function is traced, and values there. Coefficients are a matrix, which SciPy gives for
unit vectors, times the values. Out: values, derivatives and integrals at places that may be traced.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.interpolate

from jitad.frontend.arrays.array import Array
from jitad.frontend.numpy_api.operands import asarray, concrete
from jitad.frontend.operations.promotion import contains_traced
from jitad.frontend.scipy_api.options import refuse
from jitad.ir import errors


def spread(x, values):
    """Return numbers with as many axes as `values`, the first of which is theirs."""
    return x.reshape(-1, *(1,) * (values.ndim - 1))


def derived(t, c, k: int, nu: int):
    """Return knots, coefficients along the first axis and degree of a derivative, by differences of the coefficients."""
    c = c[: len(t) - k - 1]
    for _ in range(nu):
        if k == 0:
            return t, np.zeros_like(c), 0
        gap = spread(t[k + 1 : k + len(c)] - t[1 : len(c)], c)
        c = k * (c[1:] - c[:-1]) / np.where(gap == 0, 1.0, gap) * (gap != 0)
        t, k = t[1:-1], k - 1
    return t, c, k


def basis(t, k: int, count: int, x: Array) -> tuple[Array, list[Array]]:
    """Return the first of the k + 1 basis functions that are not zero at each place, and their values, by de Boor's recurrence."""
    cell = np.clip(np.searchsorted(t, x, "right") - 1, k, count - 1)
    values = [np.ones_like(x)]
    for degree in range(1, k + 1):
        grown = [0.0] * (degree + 1)
        for j, value in enumerate(values):
            right, left = t[cell + j + 1], t[cell + j + 1 - degree]
            gap = right - left
            share = value / np.where(gap == 0, 1.0, gap) * (gap != 0)
            grown[j] = grown[j] + (right - x) * share
            grown[j + 1] = grown[j + 1] + (x - left) * share
        values = grown
    return cell - k, values


def b_spline(t, c, k: int, x, nu: int = 0, extrapolate=True) -> Array:
    """Return a spline or a derivative at places."""
    x = asarray(x, np.float64)
    t, c, k = derived(asarray(t, np.float64), asarray(c), k, nu)
    flat, n = x.ravel(), len(c)
    if isinstance(extrapolate, str):
        flat = t[k] + (flat - t[k]) % (t[n] - t[k])
    first, weights = basis(t, k, n, flat)
    total = sum(c[first + j] * spread(weight, c) for j, weight in enumerate(weights))
    if not extrapolate:
        total = np.where(spread((flat < t[k]) | (flat > t[n]), c), np.nan, total)
    return total.reshape(*x.shape, *c.shape[1:])


class Spline:
    """``scipy.interpolate.BSpline``, and what FITPACK's classes make of values that are interpolated."""

    def __init__(self, t, c, k, extrapolate=True, axis=0):
        refuse("interpolate.BSpline", axis=(axis, 0))
        self.t, self.c, self.k, self.extrapolate, self.axis = t, c, k, extrapolate, axis

    @property
    def tck(self):
        return self.t, self.c, self.k

    def __call__(self, x, nu=0, extrapolate=None, ext=0):
        refuse("interpolate", ext=(ext, 0))
        return b_spline(self.t, self.c, self.k, x, nu, self.extrapolate if extrapolate is None else extrapolate)

    def derivative(self, nu=1, n=None):
        return Spline(*derived(asarray(self.t, np.float64), asarray(self.c), self.k, nu if n is None else n), self.extrapolate)

    def antiderivative(self, nu=1, n=None):
        t, c, k = asarray(self.t, np.float64), asarray(self.c), self.k
        for _ in range(nu if n is None else n):
            c = c[: len(t) - k - 1]
            c = np.cumsum(c * spread(t[k + 1 :] - t[: -k - 1], c), 0) / (k + 1)
            c = np.concatenate([0 * c[:1], c])
            t, k = np.concatenate([t[:1], t, t[-1:]]), k + 1
        return Spline(t, c, k, self.extrapolate)

    def integral(self, a, b):
        """Outside of the knots FITPACK counts nothing."""
        low, high = self.t[self.k], self.t[-self.k - 1]
        return self.integrate(*(np.clip(asarray(x, np.float64), low, high) for x in (a, b)))

    def integrate(self, a, b, extrapolate=None):
        refuse("interpolate.BSpline", extrapolate=(extrapolate, None))
        primitive = self.antiderivative()
        return primitive(b) - primitive(a)


# --- splines through values ---------------------------------------------------------------------------------------------------------------


def places(x, what: str) -> np.ndarray:
    """Return places, which have to be known."""
    try:
        return np.asarray(concrete(x, f"scipy.interpolate.{what}", "the places"), np.float64)
    except errors.ConcreteValueError:
        raise errors.NotImplementedError(f"scipy.interpolate.{what} with traced places of the values: jitad needs places that are known when the "
                                         "function is traced; use CubicSpline, whose places may be traced") from None


def linear_spline(make: Callable, y) -> Spline:
    """Return the spline that `make` gives for values along the first axis, to which it is linear."""
    y = asarray(y)
    found = make(np.eye(len(y)))
    return Spline(found.t, np.tensordot(asarray(found.c), y, 1), found.k)


def make_interp_spline(x, y, k=3, t=None, bc_type=None, axis=0, check_finite=True):
    refuse("interpolate.make_interp_spline", axis=(axis, 0))
    if bc_type is not None and not isinstance(bc_type, str):
        raise errors.NotImplementedError("scipy.interpolate.make_interp_spline of traced values: jitad does not know given derivatives at the ends; "
                                         "use CubicSpline(x, y, bc_type=...)")
    x = places(x, "make_interp_spline")
    return linear_spline(lambda unit: scipy.interpolate.make_interp_spline(x, unit, k, t, bc_type), y)


def make_lsq_spline(x, y, t, k=3, w=None, axis=0, check_finite=True, **options):
    refuse("interpolate.make_lsq_spline", axis=(axis, 0))
    x, t = places(x, "make_lsq_spline"), places(t, "make_lsq_spline")
    return linear_spline(lambda unit: scipy.interpolate.make_lsq_spline(x, unit, t, k, w), y)


def make_smoothing_spline(x, y, w=None, lam=None, *, axis=0):
    refuse("interpolate.make_smoothing_spline", axis=(axis, 0))
    if lam is None or contains_traced([lam]):
        raise errors.NotImplementedError("scipy.interpolate.make_smoothing_spline of traced values: pass a number as lam=")
    x = places(x, "make_smoothing_spline")
    return linear_spline(lambda unit: scipy.interpolate.make_smoothing_spline(x, unit, w, lam), y)


def univariate(x, y, w=None, bbox=(None, None), k=3, s=None, ext=0, check_finite=False):
    """FITPACK's knots depend on the values where these are not interpolated."""
    refuse("interpolate.UnivariateSpline", bbox=(list(bbox), [None, None]), ext=(ext, 0))
    if s != 0:
        raise errors.NotImplementedError("scipy.interpolate.UnivariateSpline of traced values: the knots depend on them unless s=0; pass s=0, or use "
                                         "make_lsq_spline(x, y, t), or make_smoothing_spline(x, y, lam=...)")
    return interpolated(x, y, k)


def interpolated(x, y, k=3) -> Spline:
    x, y = places(x, "InterpolatedUnivariateSpline"), asarray(y)
    units = [scipy.interpolate.InterpolatedUnivariateSpline(x, unit, k=k)._eval_args for unit in np.eye(len(x))]
    return Spline(units[0][0], np.stack([c[: len(x)] for _, c, _ in units], 1) @ y, k)


def interpolated_univariate(x, y, w=None, bbox=(None, None), k=3, ext=0, check_finite=False):
    return univariate(x, y, w, bbox, k, 0, ext)


def splrep(x, y, w=None, xb=None, xe=None, k=3, task=0, s=None, t=None, full_output=0, per=0, quiet=1):
    refuse("interpolate.splrep", xb=(xb, None), xe=(xe, None), task=(task, 0), t=(t, None), full_output=(full_output, 0), per=(per, 0))
    return univariate(x, y, None, k=k, s=0 if s is None and w is None else s).tck


def splev(x, tck, der=0, ext=0):
    refuse("interpolate.splev", ext=(ext, 0))
    return b_spline(*(tck if isinstance(tck, tuple | list) else (tck.t, tck.c, tck.k)), x, der)


def splint(a, b, tck, full_output=0):
    refuse("interpolate.splint", full_output=(full_output, 0))
    return (Spline(*tck) if isinstance(tck, tuple | list) else Spline(tck.t, tck.c, tck.k)).integral(a, b)


class Surface:
    """``scipy.interpolate.RectBivariateSpline``: a sum of products of basis functions of x and of y."""

    def __init__(self, tx, ty, c, kx, ky):
        self.tx, self.ty, self.c, self.kx, self.ky = asarray(tx), asarray(ty), c, kx, ky

    def __call__(self, x, y, dx=0, dy=0, grid=True):
        if not grid:
            return self.ev(x, y, dx, dy)
        x, y = (np.atleast_1d(asarray(v, np.float64)) for v in (x, y))
        lines = b_spline(self.tx, self.c, self.kx, clipped(x, self.tx, self.kx), dx)
        return b_spline(self.ty, lines.T, self.ky, clipped(y, self.ty, self.ky), dy).T

    def ev(self, xi, yi, dx=0, dy=0):
        x, y = np.broadcast_arrays(asarray(xi, np.float64), asarray(yi, np.float64))
        tx, c, kx = derived(self.tx, self.c, self.kx, dx)
        ty, c, ky = derived(self.ty, c.T, self.ky, dy)
        first, rows = basis(tx, kx, c.shape[1], clipped(x.ravel(), tx, kx))
        second, columns = basis(ty, ky, c.shape[0], clipped(y.ravel(), ty, ky))
        total = sum(c[second + j, first + i] * row * column for i, row in enumerate(rows) for j, column in enumerate(columns))
        return total.reshape(x.shape)


def clipped(x, t, k: int):
    return np.clip(x, t[k], t[-k - 1])


def rectangular(x, y, z, bbox=(None,) * 4, kx=3, ky=3, s=0, maxit=20):
    refuse("interpolate.RectBivariateSpline", bbox=(list(bbox), [None] * 4), s=(s, 0))
    lines = interpolated(x, z, kx)
    columns = interpolated(y, lines.c.T, ky)
    return Surface(lines.t, columns.t, columns.c.T, kx, ky)


def read_surface(found) -> Surface:
    (tx, ty, c), (kx, ky) = found.tck, found.degrees
    return Surface(tx, ty, asarray(np.reshape(c, (len(tx) - kx - 1, len(ty) - ky - 1))), kx, ky)


# --- what is linear in values at known places --------------------------------------------------------------------------------------------


class LinearInValues:
    """An interpolator whose results at known places are a matrix, which SciPy gives for unit vectors, times the values."""

    def __init__(self, make: Callable, values):
        self.make, self.values = make, asarray(values)

    def __call__(self, *x):
        try:
            x = [concrete(v, "scipy.interpolate", "the places") for v in x]
        except errors.ConcreteValueError:
            raise errors.NotImplementedError("scipy.interpolate of traced values at traced places, by this interpolator; give it places that are "
                                             "known when the function is traced") from None
        return np.tensordot(asarray(self.make(np.eye(len(self.values)))(*x)), self.values, 1)


def linear_in_values(name: str) -> Callable:
    def make(points, values, *options, **others):
        known = np.asarray(concrete(points, f"scipy.interpolate.{name}", "the places"))
        return LinearInValues(lambda unit: getattr(scipy.interpolate, name)(known, unit, *options, **others), values)

    return make


def griddata(points, values, xi, method="linear", fill_value=np.nan, rescale=False):
    if method not in ("linear", "nearest"):
        raise errors.NotImplementedError(f"scipy.interpolate.griddata of traced values by method {method!r}; write method='linear'")
    known = np.asarray(concrete(points, "scipy.interpolate.griddata", "the places"))
    return LinearInValues(lambda unit: lambda x: scipy.interpolate.griddata(known, unit, x, method, fill_value, rescale), values)(xi)


FUNCTIONS: dict[str, Callable] = {
    "BSpline": Spline, "splev": splev, "splint": splint, "splrep": splrep, "make_interp_spline": make_interp_spline,
    "make_lsq_spline": make_lsq_spline, "make_smoothing_spline": make_smoothing_spline, "UnivariateSpline": univariate,
    "InterpolatedUnivariateSpline": interpolated_univariate, "RectBivariateSpline": rectangular, "griddata": griddata,
    **{name: linear_in_values(name) for name in ("LinearNDInterpolator", "NearestNDInterpolator", "RBFInterpolator", "BarycentricInterpolator",
                                                 "KroghInterpolator")},
    **{name: lambda found, *args, **options: read_surface(found)(*args, **options)
       for name in ("_BivariateSplineBase.__call__", "BivariateSpline.__call__", "RectBivariateSpline.__call__")},
    "BivariateSpline.ev": lambda found, *args, **options: read_surface(found).ev(*args, **options),
}  # fmt: skip
