"""``scipy.linalg``: systems of equations, matrices of given parts, factors, the exponential."""

from __future__ import annotations

import numpy as np

from jitad.frontend.arrays.array import to_atom, wrap
from jitad.frontend.numpy_api.linalg import inexact, square
from jitad.frontend.numpy_api.operands import asarray
from jitad.frontend.scipy_api import matrix_functions
from jitad.frontend.scipy_api.banded import solve_banded, solveh_banded
from jitad.frontend.scipy_api.options import refuse
from jitad.ir import errors
from jitad.primitives.linalg.systems import triangular_solve

TRANSPOSITIONS = {0: "N", "N": "N", 1: "T", "T": "T", 2: "C", "C": "C"}


def solve_triangular(a, b, trans=0, lower=False, unit_diagonal=False, overwrite_b=False, check_finite=True):
    a, b = inexact(a, b)
    square(a)
    kind = TRANSPOSITIONS[trans]
    columns = b[:, None] if b.ndim == 1 else b
    if columns.ndim != a.ndim or columns.shape[-2] != a.shape[-1]:
        raise errors.ValueError(f"shapes of a {a.shape} and b {b.shape} are incompatible")
    matrix = np.conj(a) if kind == "T" else a
    x = wrap(triangular_solve(to_atom(matrix), to_atom(columns), lower=bool(lower), adjoint=kind != "N", unit=bool(unit_diagonal)))
    return x[..., 0] if b.ndim == 1 else x


def cholesky(a, lower=False, overwrite_a=False, check_finite=True):
    return np.linalg.cholesky(asarray(a), upper=not lower)


def cho_factor(a, lower=False, overwrite_a=False, check_finite=True):
    return cholesky(a, lower), bool(lower)


def cho_solve(c_and_lower, b, overwrite_b=False, check_finite=True):
    c, lower = c_and_lower
    first, second = ("N", "C") if lower else ("C", "N")
    return solve_triangular(c, solve_triangular(c, b, first, lower), second, lower)


def solve(a, b, lower=False, overwrite_a=False, overwrite_b=False, check_finite=True, assume_a=None, transposed=False):
    a = asarray(a)
    if assume_a in ("pos", "positive definite"):
        return cho_solve(cho_factor(a.swapaxes(-1, -2) if transposed else a, lower), b)
    if assume_a not in (None, "gen", "general", "banded", "tridiagonal", "diagonal"):
        raise errors.NotImplementedError(f"jitad does not know scipy.linalg.solve with assume_a={assume_a!r}; leave it out")
    return np.linalg.solve(a.swapaxes(-1, -2) if transposed else a, b)


def inv(a, overwrite_a=False, check_finite=True, *, assume_a=None, lower=False):
    return np.linalg.inv(asarray(a))


def det(a, overwrite_a=False, check_finite=True):
    return np.linalg.det(asarray(a))


def norm(a, ord=None, axis=None, keepdims=False, check_finite=True):
    return np.linalg.norm(asarray(a), ord, axis, keepdims)


def block_diag(*matrices):
    blocks = [np.atleast_2d(asarray(x)) for x in matrices]
    rows, columns = (np.cumsum([0, *[x.shape[axis] for x in blocks]]) for axis in (0, 1))
    result = np.zeros_like(blocks[0], np.result_type(*[x.dtype for x in blocks]), shape=(int(rows[-1]), int(columns[-1])))
    for k, block in enumerate(blocks):
        result[rows[k] : rows[k + 1], columns[k] : columns[k + 1]] = block
    return result


def toeplitz(c, r=None):
    c = np.ravel(asarray(c))
    r = np.conj(c) if r is None else np.ravel(asarray(r))
    values = np.concatenate([c[::-1], r[1:]])
    return values[np.arange(c.size - 1, -1, -1)[:, None] + np.arange(r.size)]


def circulant(c):
    c = asarray(c)
    if c.ndim != 1:
        raise errors.NotImplementedError("scipy.linalg.circulant of traced arrays: jitad takes one column")
    place = np.arange(len(c))
    return c[(place[:, None] - place) % len(c)]


def hankel(c, r=None):
    c = np.ravel(asarray(c))
    r = np.zeros_like(c) if r is None else np.ravel(asarray(r))
    values = np.concatenate([c, r[1:]])
    return values[np.arange(c.size)[:, None] + np.arange(r.size)]


def companion(a):
    a = np.atleast_1d(asarray(a)) + 0.0
    if a.ndim != 1 or len(a) < 2:
        raise errors.NotImplementedError("scipy.linalg.companion of traced arrays: jitad takes the coefficients of one polynomial, at least two")
    return np.concatenate([(-a[1:] / a[0])[None], np.eye(len(a) - 2, len(a) - 1, dtype=a.dtype)])


def toeplitz_of(c_or_cr):
    return toeplitz(*c_or_cr) if isinstance(c_or_cr, tuple) else toeplitz(c_or_cr)


def solve_toeplitz(c_or_cr, b, check_finite=True):
    return np.linalg.solve(toeplitz_of(c_or_cr), asarray(b))


def matmul_toeplitz(c_or_cr, x, check_finite=False, workers=None):
    return toeplitz_of(c_or_cr) @ asarray(x)


def solve_circulant(c, b, singular="raise", tol=None, caxis=-1, baxis=0, outaxis=0):
    c, b = asarray(c), asarray(b)
    refuse("linalg.solve_circulant", singular=(singular, "raise"), caxis=(caxis, -1), baxis=(baxis, 0), outaxis=(outaxis, 0))
    spectrum = np.fft.fft(c).reshape(-1, *(1,) * (b.ndim - 1))
    x = np.fft.ifft(np.fft.fft(b, axis=0) / spectrum, axis=0)
    return x if c.dtype.kind == "c" or b.dtype.kind == "c" else x.real


def khatri_rao(a, b):
    a, b = asarray(a), asarray(b)
    return (a[..., :, None, :] * b[..., None, :, :]).reshape(*a.shape[:-2], a.shape[-2] * b.shape[-2], a.shape[-1])


# --- factors --------------------------------------------------------------------------------------------------------------------------


class Factored:
    """What ``lu_factor`` gives: the matrix, which is factorised once however often ``lu_solve`` takes this."""

    def __init__(self, matrix):
        self.matrix = matrix

    def __iter__(self):
        raise errors.NotImplementedError("jitad does not know the factors that scipy.linalg.lu_factor gives; hand its result to lu_solve as it is")

    __getitem__ = __len__ = lambda self, *_: iter(self)


def lu_factor(a, overwrite_a=False, check_finite=True):
    return Factored(square(a))


def lu_solve(lu_and_piv, b, trans=0, overwrite_b=False, check_finite=True):
    if not isinstance(lu_and_piv, Factored):
        raise errors.NotImplementedError("scipy.linalg.lu_solve of traced right-hand sides needs what lu_factor gives inside the traced function")
    a, kind = lu_and_piv.matrix, TRANSPOSITIONS[trans]
    turned = a if kind == "N" else a.swapaxes(-1, -2)
    return np.linalg.solve(np.conj(turned) if kind == "C" else turned, b)


def svd(a, full_matrices=True, compute_uv=True, overwrite_a=False, check_finite=True, lapack_driver="gesdd"):
    return np.linalg.svd(asarray(a), full_matrices, compute_uv)


def svdvals(a, overwrite_a=False, check_finite=True):
    return np.linalg.svd(asarray(a), compute_uv=False)


def qr(a, overwrite_a=False, lwork=None, mode="full", pivoting=False, check_finite=True):
    a = asarray(a)
    refuse("linalg.qr", pivoting=(pivoting, False))
    m, n = a.shape[-2:]
    if mode == "r":
        r = np.linalg.qr(a, "r")
        return (np.concatenate([r, np.zeros_like(r, shape=(*r.shape[:-2], m - n, n))], -2) if m > n else r,)
    return tuple(np.linalg.qr(a, {"full": "complete", "economic": "reduced"}.get(mode, mode)))


def eigh(a, b=None, *, lower=True, eigvals_only=False, overwrite_a=False, overwrite_b=False, type=1, check_finite=True, subset_by_index=None,
         subset_by_value=None, driver=None):
    refuse("linalg.eigh", "select from the result", subset_by_index=(subset_by_index, None), subset_by_value=(subset_by_value, None), type=(type, 1))
    a = asarray(a)
    if b is None:
        found = np.linalg.eigh(a, "L" if lower else "U")
        return found.eigenvalues if eigvals_only else tuple(found)
    factor = np.linalg.cholesky(asarray(b) if lower else np.conj(asarray(b)).swapaxes(-1, -2))
    half = solve_triangular(factor, a, lower=True)
    inner = solve_triangular(factor, np.conj(half).swapaxes(-1, -2), lower=True)
    values, vectors = np.linalg.eigh(np.conj(inner).swapaxes(-1, -2))
    return values if eigvals_only else (values, solve_triangular(factor, vectors, "C", lower=True))


def eigh_tridiagonal(d, e, eigvals_only=False, select="a", select_range=None, check_finite=True, tol=0.0, lapack_driver="auto"):
    refuse("linalg.eigh_tridiagonal", "select from the result", select=(select, "a"))
    d, e = asarray(d), asarray(e)
    return eigh(np.diag(d) + np.diag(e, -1) + np.diag(e, 1), eigvals_only=eigvals_only)


def eigvalsh_tridiagonal(d, e, select="a", select_range=None, check_finite=True, tol=0.0, lapack_driver="auto"):
    return eigh_tridiagonal(d, e, True, select)


def eigvalsh(a, b=None, **options):
    return eigh(a, b, eigvals_only=True, **options)


def eig(a, b=None, left=False, right=True, overwrite_a=False, overwrite_b=False, check_finite=True, homogeneous_eigvals=False):
    refuse("linalg.eig", b=(b, None), left=(left, False), homogeneous_eigvals=(homogeneous_eigvals, False))
    return tuple(np.linalg.eig(asarray(a))) if right else np.linalg.eigvals(asarray(a))


def eigvals(a, b=None, overwrite_a=False, check_finite=True, homogeneous_eigvals=False):
    return eig(a, b, right=False, homogeneous_eigvals=homogeneous_eigvals)


def pinv(a, *, atol=None, rtol=None, return_rank=False, check_finite=True):
    refuse("linalg.pinv", "use np.linalg.pinv", atol=(atol, None), return_rank=(return_rank, False))
    a = asarray(a)
    return np.linalg.pinv(a, max(a.shape[-2:]) * np.finfo(a.dtype).eps if rtol is None else rtol)


def pinvh(a, atol=None, rtol=None, lower=True, return_rank=False, check_finite=True):
    return pinv(a, atol=atol, rtol=rtol, return_rank=return_rank)


def lstsq(a, b, cond=None, overwrite_a=False, overwrite_b=False, check_finite=True, lapack_driver=None):
    a = asarray(a)
    return np.linalg.lstsq(a, b, np.finfo(a.dtype).eps if cond is None else cond)


# --- matrix equations ----------------------------------------------------------------------------------------------------------------------


def solve_sylvester(a, b, q):
    """The solution of a x + x b = q, as one system for all elements of x."""
    a, b, q = inexact(a, b, q)
    m, n = q.shape
    system = a[:, None, :, None] * np.eye(n)[:, None] + np.eye(m)[:, None, :, None] * b.T[:, None]
    return np.linalg.solve(system.reshape(m * n, m * n), q.ravel()).reshape(m, n)


def solve_continuous_lyapunov(a, q):
    a = asarray(a)
    return solve_sylvester(a, np.conj(a).T, q)


def solve_discrete_lyapunov(a, q, method=None):
    """The solution of a x a^H - x + q = 0."""
    a, q = inexact(a, q)
    n = len(a)
    system = np.eye(n * n) - (a[:, None, :, None] * np.conj(a)[:, None]).reshape(n * n, n * n)
    return np.linalg.solve(system, q.ravel()).reshape(n, n)


FUNCTIONS = {function.__name__: function for function in (
    solve_triangular, cholesky, cho_factor, cho_solve, solve, inv, det, norm, block_diag, toeplitz, circulant, hankel, companion, solve_toeplitz,
    matmul_toeplitz, solve_circulant, khatri_rao, lu_factor, lu_solve, svd, svdvals, qr, eigh, eigvalsh, eig, eigvals, pinv, pinvh, lstsq,
    solve_sylvester, solve_continuous_lyapunov, solve_discrete_lyapunov, solve_banded, solveh_banded, eigh_tridiagonal,
    eigvalsh_tridiagonal)}
FUNCTIONS.update(matrix_functions.FUNCTIONS)
