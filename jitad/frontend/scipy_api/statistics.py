"""``scipy.stats``: densities and distribution functions, and statistics of samples."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np

from jitad.frontend.arrays.array import Array
from jitad.frontend.numpy_api.operands import asarray
from jitad.frontend.scipy_api.options import refuse
from jitad.ir import errors

LOG_ROOT = 0.5 * math.log(2 * math.pi)
INF = math.inf


def sp():
    from scipy import special

    return special


class Distribution:
    """A distribution of location 0 and scale 1: the logarithm of its density, and what else is known of it."""

    def __init__(self, logpdf: Callable, cdf: Callable | None = None, sf: Callable | None = None, ppf: Callable | None = None, support=(-INF, INF),
                 logcdf: Callable | None = None, valid: Callable | None = None):
        self.logpdf, self.cdf, self.sf, self.ppf, self.logcdf = logpdf, cdf, sf, ppf, logcdf
        self.support = support if callable(support) else lambda *shapes: support
        self.valid = valid or (lambda *shapes: functools.reduce(lambda x, y: x & y, [asarray(s) > 0 for s in shapes], True))


def student(x, v):
    s = sp()
    return s.gammaln(0.5 * (v + 1)) - s.gammaln(0.5 * v) - 0.5 * np.log(math.pi * v) - 0.5 * (v + 1) * np.log1p(x * x / v)


def normal(x):
    return -0.5 * x * x - LOG_ROOT


def fisher(x, m, n):
    return 0.5 * m * np.log(m) + 0.5 * n * np.log(n) + sp().xlogy(0.5 * m - 1, x) - 0.5 * (m + n) * np.log(n + m * x) - sp().betaln(0.5 * m, 0.5 * n)


def truncated(x, a, b):
    s = sp()
    low, high = s.log_ndtr(np.where(a > 0, -b, a)), s.log_ndtr(np.where(a > 0, -a, b))
    return normal(x) - (high + np.log1p(-np.exp(low - high)))


POSITIVE, UNIT = (0, INF), (0, 1)
CONTINUOUS: dict[str, Distribution] = {
    "norm": Distribution(normal, lambda x: sp().ndtr(x), lambda x: sp().ndtr(-x), lambda q: sp().ndtri(q), logcdf=lambda x: sp().log_ndtr(x)),
    "uniform": Distribution(lambda x: 0 * x, lambda x: x, lambda x: 1 - x, lambda q: q, UNIT),
    "expon": Distribution(lambda x: -x, lambda x: -np.expm1(-x), lambda x: np.exp(-x), lambda q: -np.log1p(-q), POSITIVE),
    "gamma": Distribution(lambda x, a: sp().xlogy(a - 1, x) - x - sp().gammaln(a), lambda x, a: sp().gammainc(a, x),
                          lambda x, a: sp().gammaincc(a, x), lambda q, a: sp().gammaincinv(a, q), POSITIVE),
    "beta": Distribution(lambda x, a, b: sp().xlog1py(b - 1, -x) + sp().xlogy(a - 1, x) - sp().betaln(a, b), lambda x, a, b: sp().betainc(a, b, x),
                         lambda x, a, b: sp().betaincc(a, b, x), lambda q, a, b: sp().betaincinv(a, b, q), UNIT),
    "t": Distribution(student, lambda x, v: sp().stdtr(v, x), lambda x, v: sp().stdtr(v, -x), lambda q, v: sp().stdtrit(v, q)),
    "cauchy": Distribution(lambda x: -np.log(math.pi * (1 + x * x)), lambda x: 0.5 + np.arctan(x) / math.pi, lambda x: 0.5 - np.arctan(x) / math.pi,
                           lambda q: np.tan(math.pi * (q - 0.5))),
    "laplace": Distribution(lambda x: -abs(x) - math.log(2), lambda x: np.where(x > 0, 1 - 0.5 * np.exp(-abs(x)), 0.5 * np.exp(-abs(x))),
                            lambda x: np.where(x > 0, 0.5 * np.exp(-abs(x)), 1 - 0.5 * np.exp(-abs(x))),
                            lambda q: np.where(q > 0.5, -np.log(2 * (1 - q)), np.log(2 * q))),
    "logistic": Distribution(lambda x: -abs(x) - 2 * np.log1p(np.exp(-abs(x))), lambda x: sp().expit(x), lambda x: sp().expit(-x),
                             lambda q: sp().logit(q), logcdf=lambda x: sp().log_expit(x)),
    "lognorm": Distribution(lambda x, s: normal(np.log(x) / s) - np.log(s * x), lambda x, s: sp().ndtr(np.log(x) / s),
                            lambda x, s: sp().ndtr(-np.log(x) / s), lambda q, s: np.exp(s * sp().ndtri(q)), POSITIVE),
    "chi2": Distribution(lambda x, v: sp().xlogy(0.5 * v - 1, x) - 0.5 * x - sp().gammaln(0.5 * v) - 0.5 * v * math.log(2),
                         lambda x, v: sp().chdtr(v, x), lambda x, v: sp().chdtrc(v, x), lambda q, v: 2 * sp().gammaincinv(0.5 * v, q), POSITIVE),
    "invgamma": Distribution(lambda x, a: -(a + 1) * np.log(x) - sp().gammaln(a) - 1 / x, lambda x, a: sp().gammaincc(a, 1 / x),
                             lambda x, a: sp().gammainc(a, 1 / x), lambda q, a: 1 / sp().gammainccinv(a, q), POSITIVE),
    "weibull_min": Distribution(lambda x, c: np.log(c) + sp().xlogy(c - 1, x) - x**c, lambda x, c: -np.expm1(-(x**c)), lambda x, c: np.exp(-(x**c)),
                                lambda q, c: (-np.log1p(-q)) ** (1 / c), POSITIVE),
    "gumbel_r": Distribution(lambda x: -x - np.exp(-x), lambda x: np.exp(-np.exp(-x)), lambda x: -np.expm1(-np.exp(-x)),
                             lambda q: -np.log(-np.log(q))),
    "gumbel_l": Distribution(lambda x: x - np.exp(x), lambda x: -np.expm1(-np.exp(x)), lambda x: np.exp(-np.exp(x)), lambda q: np.log(-np.log1p(-q))),
    "halfnorm": Distribution(lambda x: 0.5 * math.log(2 / math.pi) - 0.5 * x * x, lambda x: sp().erf(x * 0.5**0.5), lambda x: sp().erfc(x * 0.5**0.5),
                             lambda q: sp().ndtri(0.5 * (1 + q)), POSITIVE),
    "halfcauchy": Distribution(lambda x: math.log(2 / math.pi) - np.log1p(x * x), lambda x: 2 / math.pi * np.arctan(x),
                               lambda x: 1 - 2 / math.pi * np.arctan(x), lambda q: np.tan(0.5 * math.pi * q), POSITIVE),
    "pareto": Distribution(lambda x, b: np.log(b) - (b + 1) * np.log(x), lambda x, b: 1 - x**-b, lambda x, b: x**-b,
                           lambda q, b: (1 - q) ** (-1 / b), (1, INF)),
    "rayleigh": Distribution(lambda x: np.log(x) - 0.5 * x * x, lambda x: -np.expm1(-0.5 * x * x), lambda x: np.exp(-0.5 * x * x),
                             lambda q: np.sqrt(-2 * np.log1p(-q)), POSITIVE),
    "maxwell": Distribution(lambda x: 0.5 * math.log(2 / math.pi) + 2 * np.log(x) - 0.5 * x * x, lambda x: sp().gammainc(1.5, 0.5 * x * x),
                            lambda x: sp().gammaincc(1.5, 0.5 * x * x), lambda q: np.sqrt(2 * sp().gammaincinv(1.5, q)), POSITIVE),
    "skewnorm": Distribution(lambda x, a: math.log(2) + normal(x) + sp().log_ndtr(a * x), lambda x, a: sp().ndtr(x) - 2 * sp().owens_t(x, a),
                             lambda x, a: sp().ndtr(-x) + 2 * sp().owens_t(x, a), valid=lambda a: np.isfinite(a)),
    "f": Distribution(fisher, lambda x, m, n: sp().fdtr(m, n, x), lambda x, m, n: sp().fdtrc(m, n, x), support=POSITIVE),
    "vonmises": Distribution(lambda x, k: k * (np.cos(x) - 1) - math.log(2 * math.pi) - np.log(sp().i0e(k))),
    "truncnorm": Distribution(truncated, support=lambda a, b: (a, b), valid=lambda a, b: a < b),
    "invgauss": Distribution(lambda x, m: -LOG_ROOT - 1.5 * np.log(x) - ((x - m) / m) ** 2 / (2 * x), support=POSITIVE),
}  # fmt: skip

COUNTS = (0, INF)
DISCRETE: dict[str, Distribution] = {
    "poisson": Distribution(lambda k, m: sp().xlogy(k, m) - sp().gammaln(k + 1) - m, lambda k, m: sp().pdtr(k, m), lambda k, m: sp().pdtrc(k, m),
                            support=COUNTS, valid=lambda m: m >= 0),
    "binom": Distribution(lambda k, n, p: sp().gammaln(n + 1) - sp().gammaln(k + 1) - sp().gammaln(n - k + 1) + sp().xlogy(k, p)
                          + sp().xlog1py(n - k, -p), support=lambda n, p: (0, n), valid=lambda n, p: (n >= 0) & (p >= 0) & (p <= 1)),
    "bernoulli": Distribution(lambda k, p: sp().xlogy(k, p) + sp().xlog1py(1 - k, -p), support=UNIT, valid=lambda p: (p >= 0) & (p <= 1)),
    "geom": Distribution(lambda k, p: sp().xlog1py(k - 1, -p) + np.log(p), lambda k, p: -np.expm1(np.log1p(-p) * k),
                         lambda k, p: np.exp(np.log1p(-p) * k), support=(1, INF), valid=lambda p: (p > 0) & (p <= 1)),
    "nbinom": Distribution(lambda k, n, p: sp().gammaln(n + k) - sp().gammaln(k + 1) - sp().gammaln(n) + n * np.log(p) + sp().xlog1py(k, -p),
                           support=COUNTS, valid=lambda n, p: (n > 0) & (p > 0) & (p <= 1)),
}  # fmt: skip


# --- their methods --------------------------------------------------------------------------------------------------------------------


def number(x) -> Array:
    x = asarray(x)
    return x if x.dtype.kind == "f" and x.dtype.itemsize == 8 else x.astype(np.float64)


def known(table: dict, dist, method: str) -> Distribution:
    found = table.get(dist.name)
    if found is None or getattr(found, method, None) is None:
        names = ", ".join(name for name, one in table.items() if getattr(one, method, None) is not None)
        raise errors.NotImplementedError(f"jitad does not know scipy.stats.{dist.name}.{method} of traced arrays; it knows that of {names}")
    return found


def scaled(dist, table: dict, method: str, x, args, options):
    """Return the distribution, what it is asked at, its shapes, its scale, and whether these are valid."""
    found = known(table, dist, method)
    shapes, loc, *scale = dist._parse_args(*args, **options)
    scale = number(scale[0]) if scale else asarray(1.0)
    shapes = [number(s) for s in shapes]
    return found, (number(x) - loc) / scale if table is CONTINUOUS else number(x) - loc, shapes, scale, found.valid(*shapes) & (scale > 0)


def logpdf(dist, x, *args, **options):
    found, y, shapes, scale, valid = scaled(dist, CONTINUOUS, "logpdf", x, args, options)
    low, high = found.support(*shapes)
    inside = (y >= low) & (y <= high) & valid
    value = found.logpdf(np.where(inside, y, representative(low, high)), *shapes) - np.log(np.where(scale > 0, scale, 1.0))
    return np.where(inside, value, np.where(valid & ~np.isnan(y), -np.inf, np.nan))[()]


def representative(low, high):
    """Return a number between two."""
    low, high = asarray(low), asarray(high)
    return np.where(np.isinf(low), np.where(np.isinf(high), 0.0, high - 1.0), np.where(np.isinf(high), low + 1.0, 0.5 * (low + high)))


def pdf(dist, x, *args, **options):
    return np.exp(logpdf(dist, x, *args, **options))


def cumulative(method: str, at_low: float, at_high: float) -> Callable:
    """The distribution function (cdf), or what it lacks to 1 (sf)."""

    def function(dist, x, *args, **options):
        found, y, shapes, _, valid = scaled(dist, CONTINUOUS, method, x, args, options)
        low, high = found.support(*shapes)
        inside = (y > low) & (y < high) & valid
        value = getattr(found, method)(np.where(inside, y, representative(low, high)), *shapes)
        outside = np.where(y <= low, at_low, np.where(y >= high, at_high, np.nan))
        return np.where(inside, value, np.where(valid, outside, np.nan))[()]

    return function


cdf, sf = cumulative("cdf", 0.0, 1.0), cumulative("sf", 1.0, 0.0)


def logarithm(of: Callable, mirrored: bool = False) -> Callable:
    def function(dist, x, *args, **options):
        found = CONTINUOUS.get(dist.name)
        if found is None or found.logcdf is None:
            return np.log(of(dist, x, *args, **options))
        _, y, shapes, _, valid = scaled(dist, CONTINUOUS, "logcdf", x, args, options)
        return np.where(valid, found.logcdf(-y if mirrored else y, *shapes), np.nan)[()]  # of symmetric distributions

    return function


def ppf(dist, q, *args, **options):
    found = known(CONTINUOUS, dist, "ppf")
    shapes, loc, scale = dist._parse_args(*args, **options)
    q, shapes = number(q), [number(s) for s in shapes]
    valid = found.valid(*shapes) & (number(scale) > 0) & (q >= 0) & (q <= 1)
    low, high = found.support(*shapes)
    inner = valid & (q > 0) & (q < 1)
    value = np.where(q <= 0, low, np.where(q >= 1, high, found.ppf(np.where(inner, q, 0.5), *shapes)))
    return np.where(valid, value * scale + loc, np.nan)[()]


def isf(dist, q, *args, **options):
    return ppf(dist, 1 - number(q), *args, **options)


def logpmf(dist, k, *args, **options):
    found, y, shapes, _, valid = scaled(dist, DISCRETE, "logpdf", k, args, options)
    low, high = found.support(*shapes)
    inside = (y >= low) & (y <= high) & (y == np.floor(y)) & valid
    value = found.logpdf(np.where(inside, y, low), *shapes)
    return np.where(inside, value, np.where(valid & ~np.isnan(y), -np.inf, np.nan))[()]


def pmf(dist, k, *args, **options):
    return np.exp(logpmf(dist, k, *args, **options))


def discrete_cumulative(method: str, below: float) -> Callable:
    def function(dist, k, *args, **options):
        found, y, shapes, _, valid = scaled(dist, DISCRETE, method, k, args, options)
        low, _ = found.support(*shapes)
        value = getattr(found, method)(np.maximum(np.floor(y), low), *shapes)
        return np.where(valid, np.where(y < low, below, value), np.nan)[()]

    return function


class Frozen:
    """A distribution with its parameters."""

    def __init__(self, dist, args, options):
        self.dist, self.args, self.options = dist, args, options

    def __getattr__(self, name: str):
        function = FUNCTIONS.get(f"{'rv_continuous' if self.dist.name in CONTINUOUS else 'rv_discrete'}.{name}")
        if function is None:
            raise errors.AttributeError(f"jitad does not know {name} of a distribution with traced parameters")
        return lambda x: function(self.dist, x, *self.args, **self.options)


def freeze(dist, *args, **options):
    if dist.name not in CONTINUOUS and dist.name not in DISCRETE:
        raise errors.NotImplementedError(f"jitad does not know scipy.stats.{dist.name} with traced parameters")
    return Frozen(dist, args, options)


def of_frozen(name: str) -> Callable:
    return lambda frozen, x: FUNCTIONS[name](frozen.dist, x, *frozen.args, **frozen.kwds)


# --- of vectors -------------------------------------------------------------------------------------------------------------------------


def normal_of_vectors(dist, x, mean=None, cov=1, allow_singular=False):
    refuse("stats.multivariate_normal", allow_singular=(allow_singular, False))
    x = number(x)
    cov = np.atleast_1d(number(cov))
    size = cov.shape[-1] if cov.ndim == 2 else len(cov) if len(cov) > 1 else 1 if mean is None else np.size(mean)
    cov = cov if cov.ndim == 2 else np.diag(cov if len(cov) == size else np.broadcast_to(cov, (size,)))
    points = x[..., None] if size == 1 and (x.ndim == 0 or x.shape[-1] != 1) else x
    factor = np.linalg.cholesky(cov)
    centred = points if mean is None else points - np.atleast_1d(number(mean))
    flat = np.linalg.solve(factor, centred.reshape(-1, size).T)
    value = -0.5 * np.sum(flat * flat, 0) - np.sum(np.log(np.diagonal(factor))) - size * LOG_ROOT
    return value.reshape(centred.shape[:-1])[()]


def dirichlet(dist, x, alpha):
    x, alpha = number(x), number(alpha)
    if len(x) == len(alpha) - 1:
        x = np.concatenate([x, (1 - np.sum(x, 0))[None]])
    s = sp()
    shape = (-1, *(1,) * (x.ndim - 1))
    return s.gammaln(np.sum(alpha)) - np.sum(s.gammaln(alpha)) + np.sum(s.xlogy(alpha.reshape(shape) - 1, x), 0)


# --- of samples -------------------------------------------------------------------------------------------------------------------------


def central(a: Array, order: int, axis) -> Array:
    return np.mean((a - np.mean(a, axis, keepdims=True)) ** order, axis)


def sample_of(function: str, a, axis, keepdims, nan_policy) -> Array:
    refuse(f"stats.{function}", keepdims=(keepdims, False), nan_policy=(nan_policy, "propagate"))
    a = number(a)
    return a if axis is not None else a.ravel()


def moment(a, order=1, axis=0, nan_policy="propagate", *, center=None, keepdims=False):
    a = sample_of("moment", a, axis, keepdims, nan_policy)
    axis = 0 if axis is None else axis
    return central(a, order, axis) if center is None else np.mean((a - center) ** order, axis)


def skew(a, axis=0, bias=True, nan_policy="propagate", *, keepdims=False):
    a = sample_of("skew", a, axis, keepdims, nan_policy)
    axis = 0 if axis is None else axis
    n, value = a.shape[axis], central(a, 3, axis) / central(a, 2, axis) ** 1.5
    return value if bias else value * math.sqrt(n * (n - 1)) / (n - 2)


def kurtosis(a, axis=0, fisher=True, bias=True, nan_policy="propagate", *, keepdims=False):
    a = sample_of("kurtosis", a, axis, keepdims, nan_policy)
    axis = 0 if axis is None else axis
    n, value = a.shape[axis], central(a, 4, axis) / central(a, 2, axis) ** 2
    if not bias:
        value = ((n * n - 1) * value - 3 * (n - 1) ** 2) / ((n - 2) * (n - 3)) + 3
    return value - 3 if fisher else value


def zscore(a, axis=0, ddof=0, nan_policy="propagate"):
    refuse("stats.zscore", nan_policy=(nan_policy, "propagate"))
    a = number(a)
    return (a - np.mean(a, axis, keepdims=True)) / np.std(a, axis, ddof=ddof, keepdims=True)


def gmean(a, axis=0, dtype=None, weights=None, *, nan_policy="propagate", keepdims=False):
    a = sample_of("gmean", a, axis, keepdims, nan_policy)
    return np.exp(np.average(np.log(a), 0 if axis is None else axis, weights))


def hmean(a, axis=0, dtype=None, *, weights=None, nan_policy="propagate", keepdims=False):
    a = sample_of("hmean", a, axis, keepdims, nan_policy)
    return 1 / np.average(1 / a, 0 if axis is None else axis, weights)


def sem(a, axis=0, ddof=1, nan_policy="propagate", *, keepdims=False):
    a = sample_of("sem", a, axis, keepdims, nan_policy)
    axis = 0 if axis is None else axis
    return np.std(a, axis, ddof=ddof) / math.sqrt(a.shape[axis])


def variation(a, axis=0, nan_policy="propagate", ddof=0, *, keepdims=False):
    a = sample_of("variation", a, axis, keepdims, nan_policy)
    axis = 0 if axis is None else axis
    return np.std(a, axis, ddof=ddof) / np.mean(a, axis)


def entropy(pk, qk=None, base=None, axis=0, *, nan_policy="propagate", keepdims=False):
    p = sample_of("entropy", pk, axis, keepdims, nan_policy)
    p = p / np.sum(p, axis, keepdims=True)
    if qk is None:
        value = np.sum(sp().entr(p), axis)
    else:
        q = number(qk)
        value = np.sum(sp().rel_entr(p, q / np.sum(q, axis, keepdims=True)), axis)
    return value if base is None else value / np.log(base)


FUNCTIONS: dict[str, Callable] = {function.__name__: function for function in (
    moment, skew, kurtosis, zscore, gmean, hmean, sem, variation, entropy)}
METHODS = {"logpdf": logpdf, "pdf": pdf, "cdf": cdf, "sf": sf, "logcdf": logarithm(cdf), "logsf": logarithm(sf, True), "ppf": ppf,
           "isf": isf}
COUNTING = {"logpmf": logpmf, "pmf": pmf, "cdf": discrete_cumulative("cdf", 0.0), "sf": discrete_cumulative("sf", 1.0)}
for family, methods in (("rv_continuous", METHODS), ("rv_discrete", COUNTING)):
    for name, function in methods.items():
        FUNCTIONS[f"{family}.{name}"] = function
        FUNCTIONS[f"{family}_frozen.{name}"] = of_frozen(f"{family}.{name}")
for name in METHODS.keys() | COUNTING.keys():
    FUNCTIONS[f"rv_frozen.{name}"] = lambda frozen, x, name=name: FUNCTIONS[
        f"{'rv_continuous' if frozen.dist.name in CONTINUOUS else 'rv_discrete'}.{name}"](frozen.dist, x, *frozen.args, **frozen.kwds)
FUNCTIONS |= {
    "rv_generic.__call__": freeze,
    "multivariate_normal_gen.logpdf": normal_of_vectors,
    "multivariate_normal_gen.pdf": lambda dist, *args, **options: np.exp(normal_of_vectors(dist, *args, **options)),
    "multivariate_normal_frozen.logpdf": lambda frozen, x: normal_of_vectors(None, x, frozen.mean, frozen.cov_object.covariance),
    "multivariate_normal_frozen.pdf": lambda frozen, x: np.exp(normal_of_vectors(None, x, frozen.mean, frozen.cov_object.covariance)),
    "dirichlet_gen.logpdf": dirichlet,
    "dirichlet_gen.pdf": lambda dist, *args: np.exp(dirichlet(dist, *args)),
}
