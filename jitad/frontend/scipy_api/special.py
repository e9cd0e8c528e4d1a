"""The functions of ``scipy.special`` that are not ufuncs: logsumexp, softmax, log_softmax, softplus, multigammaln."""

from __future__ import annotations

import math

import numpy as np
import scipy.special

from jitad.frontend.arrays.array import to_atom, wrap
from jitad.frontend.numpy_api.operands import asarray, concrete
from jitad.frontend.scipy_api.options import refuse
from jitad.ir import errors
from jitad.ir.registry import REGISTRY
from jitad.primitives.custom import stop_gradient
from jitad.primitives.elementwise import gamma


def softmax(x, axis=None):
    x = asarray(x)
    weights = np.exp(x - shift(x, axis))
    return weights / np.sum(weights, axis=axis, keepdims=True)


def log_softmax(x, axis=None):
    x = asarray(x)
    x = x - shift(x, axis)
    return x - np.log(np.sum(np.exp(x), axis=axis, keepdims=True))


def logsumexp(a, axis=None, b=None, keepdims=False, return_sign=False):
    a = asarray(a)
    if b is not None:
        a = np.where(b == 0, -np.inf, a)
    top = shift(a, axis)
    weights = np.exp(a - top)
    total = np.sum(weights if b is None else b * weights, axis=axis, keepdims=True)
    value = np.log(abs(total) if return_sign else total) + top
    results = [x if keepdims else np.squeeze(x, axis=axis) for x in ((value, np.sign(total)) if return_sign else (value,))]
    return tuple(results) if return_sign else results[0]


def shift(x, axis):
    """Return the greatest element, which cancels, as a constant; 0 where it is infinite."""
    top = np.max(x, axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    return wrap(stop_gradient(top.atom), scalar=False)


def softplus(x, **options):
    return np.logaddexp(0.0, x, **options)


def multigammaln(a, d):
    from scipy import special

    result = (d * (d - 1.0) * 0.25) * math.log(math.pi)
    for j in range(1, d + 1):
        result = result + special.gammaln(a - (j - 1.0) / 2)
    return result


def polygamma(n, x):
    """For orders that are known."""
    orders = np.asarray(concrete(n, "scipy.special.polygamma", "n"))
    x = asarray(x)
    x = x if x.dtype.kind == "f" and x.dtype.itemsize == 8 else x.astype(np.float64)
    total = 0
    for k in np.unique(orders):
        value = wrap(gamma.polygamma(to_atom(x), n=int(k)) if k else gamma.digamma(to_atom(x)))
        total = value if orders.ndim == 0 else total + np.where(orders == k, value, 0.0)
    return total


SHIFT, TERMS = 12, 12  # of the formula of Euler and Maclaurin


def zeta(x, q=None, out=None):
    """The sum of (k + q)^-x for x > 1, and q > 0: its first terms, and the rest by the formula of Euler and Maclaurin."""
    from scipy import special

    x, q = np.broadcast_arrays(asarray(x, np.float64), asarray(1.0 if q is None else q, np.float64))
    defined = (x > 1) & (q > 0)
    s, a = np.where(defined, x, 2.0), np.where(defined, q, 1.0)
    total = sum((a + k) ** -s for k in range(SHIFT))
    end = a + SHIFT
    total = total + end ** (1 - s) / (s - 1) + 0.5 * end**-s
    factor = s * end ** (-s - 1)
    for j, number in enumerate(special.bernoulli(2 * TERMS)[2::2], 1):
        total = total + factor * (number / math.factorial(2 * j))
        factor = factor * (s + 2 * j - 1) * (s + 2 * j) / (end * end)
    return np.where(defined, total, np.where(x == 1, np.inf, np.nan))[()]


def comb(N, k, *, exact=False, repetition=False):  # noqa: N803
    from scipy import special

    refuse("special.comb", exact=(exact, False))
    if repetition:
        return comb(N + k - 1, k)
    n, k = asarray(N), asarray(k)
    return np.where((k <= n) & (n >= 0) & (k >= 0), special.binom(n, k), 0.0)[()]


def perm(N, k, exact=False):  # noqa: N803
    from scipy import special

    refuse("special.perm", exact=(exact, False))
    n, k = asarray(N), asarray(k)
    return np.where((k <= n) & (n >= 0) & (k >= 0), special.poch(n - k + 1.0, k), 0.0)[()]


def factorial(n, exact=False, extend="zero"):
    from scipy import special

    refuse("special.factorial", exact=(exact, False), extend=(extend, "zero"))
    n = asarray(n)
    return np.where(n < 0, 0.0, special.gamma(np.where(n < 0, 0.0, n) + 1.0))[()]


def derivative_of(name: str, sign: int, outer: int = 1):
    """The n-th derivative of a Bessel function, from neighbouring orders."""

    def derivative(v, z, n=1):
        from scipy import special

        function = getattr(special, name)
        terms = [math.comb(n, i) * sign**i * function(v - n + 2 * i, z) for i in range(n + 1)]
        return outer**n * sum(terms) / 2.0**n

    return derivative


def spherical(name: str, before: int, after: int):
    primitive = REGISTRY[f"spherical_{name}"]

    def function(n, z, derivative=False):
        n, z = np.asarray(concrete(n, f"scipy.special.spherical_{name}", "n")), asarray(z)
        if z.dtype.kind == "c":
            raise errors.NotImplementedError(f"jitad does not know scipy.special.spherical_{name} of complex traced arrays")
        z = z.astype(np.float64)

        def value(n):
            return wrap(primitive(to_atom(asarray(np.asarray(n, np.float64))), to_atom(z)))

        if not derivative:
            return value(n)
        lower = np.where(n == 0, 0.0, before * n * value(np.maximum(n - 1, 0)))
        return (lower + after * (n + 1) * value(n + 1)) / (2 * n + 1)

    return function


def lambertw(z, k=0, tol=1e-8):
    """Halley's iteration. Of the last two steps derivatives are taken, which gives those of the function up to the eighth order."""
    k = np.asarray(concrete(k, "scipy.special.lambertw", "k"))
    z = asarray(z).astype(np.complex128)
    near = (abs(z + math.exp(-1)) < 0.3) & (k == 0) | ((abs(z + math.exp(-1)) < 0.3) & (k == np.where(z.imag < 0, 1, -1)))
    root = np.sqrt(np.where(near, 2 * (math.e * z + 1), 1.0)) * np.where(k == 0, 1, -1)
    branch = -1 + root - root**2 / 3 + 11 / 72 * root**3
    zero = z == 0
    inner = (k == 0) & (abs(z) < 1.5) & (z.real > -0.5)
    far = np.log(np.where(zero, 1.0, z)) + 2j * math.pi * k
    far = far - np.log(np.where(far == 0, 1.0, far))
    pade = z * (1 + 4 / 3 * z) / (1 + z * (7 / 3 + 5 / 6 * z))
    w = np.where(near, branch, np.where(inner, np.where(inner, pade, 0), far))
    w = wrap(stop_gradient(to_atom(w)))
    constant = wrap(stop_gradient(to_atom(z)))
    for _ in range(12):
        w = halley(w, constant)
    w = wrap(stop_gradient(to_atom(w)))
    w = halley(halley(w, z), z)
    return np.where(zero, np.where(k == 0, z, -np.inf), w)[()]


def halley(w, z):
    """One step towards w exp(w) = z, where w = -1 is a solution that stays."""
    power = np.exp(-w)
    rest = w - z * power
    divisor = w + 1 - (w + 2) * rest / np.where(w == -1, 1.0, 2 * w + 2)
    return np.where((rest == 0) & (w == -1), w, w - rest / np.where(divisor == 0, 1.0, divisor))


def sph_harm_y(n, m, theta, phi, *, diff_n=0):
    """For degrees and orders that are known."""
    from scipy import special

    refuse("special.sph_harm_y", "differentiate it with jitad", diff_n=(diff_n, 0))
    n, m = (int(concrete(k, "scipy.special.sph_harm_y", name)) for k, name in ((n, "n"), (m, "m")))
    if abs(m) > n:
        return 0j * asarray(theta) * asarray(phi)
    size = abs(m)
    scale = math.sqrt((2 * n + 1) / (4 * math.pi) * math.factorial(n - size) / math.factorial(n + size))
    value = scale * special.lpmv(float(size), float(n), np.cos(asarray(theta))) * np.exp(1j * size * asarray(phi))
    return value if m >= 0 else (-1) ** size * np.conj(value)


def diric(x, n):
    x, n = asarray(x), int(concrete(n, "scipy.special.diric", "n"))
    half = np.sin(0.5 * x)
    whole = abs(half) < 1e-7
    ratio = np.sin(0.5 * n * x) / (n * np.where(whole, 1.0, half))
    return np.where(whole, (-1.0) ** (np.round(x / (2 * math.pi)) * (n - 1)), ratio)


FUNCTIONS = {function.__name__: function for function in (
    softmax, log_softmax, logsumexp, softplus, multigammaln, polygamma, zeta, comb, perm, factorial, lambertw, diric)}
FUNCTIONS |= {
    "jvp": derivative_of("jv", -1), "yvp": derivative_of("yv", -1), "ivp": derivative_of("iv", 1), "kvp": derivative_of("kv", 1, -1),
    "spherical_jn": spherical("jn", 1, -1), "spherical_yn": spherical("yn", 1, -1), "spherical_in": spherical("in", 1, 1),
    "spherical_kn": spherical("kn", -1, -1), "MultiUFunc.__call__": lambda function, *args, **options: multiple(function, *args, **options),
}  # fmt: skip


def multiple(function, *args, **options):
    """A function of SciPy's that is several ufuncs."""
    (name,) = [name for name in vars(scipy.special) if getattr(scipy.special, name) is function]
    if name != "sph_harm_y":
        raise errors.NotImplementedError(f"jitad does not know scipy.special.{name} of traced arrays; it knows sph_harm_y and lpmv")
    return sph_harm_y(*args, **options)
