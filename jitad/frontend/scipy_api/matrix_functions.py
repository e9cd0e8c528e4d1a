"""``scipy.linalg``: functions of matrices: exponential, square root, logarithm, powers, trigonometric ones.

In: a square matrix. Out: the function of it that SciPy gives, by matrix products and systems of equations alone, through which derivatives go.
N. J. Higham, Functions of Matrices (SIAM 2008).
"""

from __future__ import annotations

import operator

import numpy as np

from jitad.frontend.hooks.own_code import traced_as_users
from jitad.frontend.numpy_api.linalg import inexact, square
from jitad.frontend.scipy_api.options import refuse
from jitad.ir import errors
from jitad.ir.types import real_dtype

# Coefficients of the numerator of the Pade approximant of degree 13 (N. J. Higham, "The scaling and squaring method for the matrix exponential
# revisited", SIAM Journal on Matrix Analysis and Applications 26 (2005) 1179), which is exact for norms up to `WIDEST`.
PADE = (64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0, 129060195264000.0, 10559470521600.0, 670442572800.0,
        33522128640.0, 1323241920.0, 40840800.0, 960960.0, 16380.0, 182.0, 1.0)
WIDEST = 4.25


@traced_as_users
def squared(x, times):
    for _ in range(times):
        x = x @ x
    return x


def expm(A):  # noqa: N803
    (a,) = inexact(A)
    square(a)
    if not a.size:
        return a
    norm = np.max(np.sum(abs(a), -2))
    times = np.maximum(np.ceil(np.log2(np.maximum(norm, 1e-300) / WIDEST)), 0.0).astype(np.int64)
    a = a * np.exp2(-times.astype(np.float64)).astype(real_dtype(a.dtype))
    one = np.eye(a.shape[-1], dtype=a.dtype)
    a2 = a @ a
    a4 = a2 @ a2
    a6 = a4 @ a2
    b = PADE
    odd = a @ (a6 @ (b[13] * a6 + b[11] * a4 + b[9] * a2) + b[7] * a6 + b[5] * a4 + b[3] * a2 + b[1] * one)
    even = a6 @ (b[12] * a6 + b[10] * a4 + b[8] * a2) + b[6] * a6 + b[4] * a4 + b[2] * a2 + b[0] * one
    return squared(np.linalg.solve(even - odd, even + odd), times)


EXTRA = 3  # steps after the values have converged, which let derivatives do
NODES, WEIGHTS = (part / 2 for part in np.polynomial.legendre.leggauss(8))  # of the interval from -1/2 to 1/2


@traced_as_users
def root_of(a):
    """The iteration of Denman and Beavers, in the form of products, with determinants that scale its first steps."""
    one = np.eye(len(a), dtype=a.dtype)
    m, x = a, a
    rest, trips, after = 1.0, 0, 0
    while after < EXTRA and trips < 60:
        scale = np.exp(-np.linalg.slogdet(m)[1] / (2 * len(a))) if rest > 1e-2 else 1.0
        inverse = np.linalg.inv(m) / scale**2
        x = 0.5 * scale * (x + x @ inverse)
        m = 0.5 * (one + 0.5 * (scale**2 * m + inverse))
        rest = np.max(np.abs(m - one))
        after = after + 1 if rest < 1e-13 else after
        trips += 1
    if not rest < 1e-8:
        raise np.linalg.LinAlgError("the square root of a matrix with an eigenvalue that is zero or a negative number; write w, v = "
                                    "np.linalg.eig(a + 0j), then v * np.sqrt(w) @ np.linalg.inv(v)")
    return x


def sqrtm(A, disp=None, blocksize=None):  # noqa: N803
    (a,) = inexact(A)
    if square(a).ndim != 2:
        raise errors.NotImplementedError("scipy.linalg.sqrtm of traced stacks of matrices; write one call for each")
    return root_of(a)


@traced_as_users
def logarithm_of(a):
    """Square roots until the matrix is close to one; then Gauss's quadrature of the integral that the logarithm is, which is a Pade approximant."""
    one = np.eye(len(a), dtype=a.dtype)
    times = 0
    while np.max(np.sum(np.abs(a - one), axis=0)) > 0.25 and times < 60:
        a = root_of(a)
        times += 1
    x = a - one
    total = np.zeros_like(x)
    for node, weight in zip(NODES, WEIGHTS, strict=True):
        total = total + weight * np.linalg.solve(one + (node + 0.5) * x, x)
    return total * 2.0**times


def logm(A, disp=None):  # noqa: N803
    (a,) = inexact(A)
    if square(a).ndim != 2:
        raise errors.NotImplementedError("scipy.linalg.logm of traced stacks of matrices; write one call for each")
    return logarithm_of(a)


def fractional_matrix_power(A, t):  # noqa: N803
    (a,) = inexact(A)
    if isinstance(t, int | np.integer):
        return np.linalg.matrix_power(a, operator.index(t))
    return expm(t * logm(a))


def waves(a):
    """Return exp(i a) and exp(-i a)."""
    return expm(1j * a), expm(-1j * a)


def like(a, result):
    return result if a.dtype.kind == "c" else result.real


def cosm(A):  # noqa: N803
    (a,) = inexact(A)
    one, other = waves(a)
    return like(a, 0.5 * (one + other))


def sinm(A):  # noqa: N803
    (a,) = inexact(A)
    one, other = waves(a)
    return like(a, -0.5j * (one - other))


def tanm(A):  # noqa: N803
    return np.linalg.solve(cosm(A), sinm(A))


def coshm(A):  # noqa: N803
    (a,) = inexact(A)
    return 0.5 * (expm(a) + expm(-a))


def sinhm(A):  # noqa: N803
    (a,) = inexact(A)
    return 0.5 * (expm(a) - expm(-a))


def tanhm(A):  # noqa: N803
    return np.linalg.solve(coshm(A), sinhm(A))


def polar(a, side="right"):
    refuse("linalg.polar", side=(side, "right"))
    (a,) = inexact(a)
    w, s, vh = np.linalg.svd(a, full_matrices=False)
    return w @ vh, np.conj(vh).T * s @ vh


FUNCTIONS = {function.__name__: function for function in (
    expm, sqrtm, logm, fractional_matrix_power, cosm, sinm, tanm, coshm, sinhm, tanhm, polar)}
