"""Functions of ``scipy.linalg``: systems with triangular matrices and Cholesky factors, and those that NumPy has too."""

from __future__ import annotations

import numpy as np

from jitad.frontend.array import to_atom, wrap
from jitad.frontend.numpy_api.linalg import inexact, square
from jitad.frontend.numpy_api.operands import asarray
from jitad.ir import errors
from jitad.primitives.linalg import triangular_solve

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


FUNCTIONS = {function.__name__: function for function in (
    solve_triangular, cholesky, cho_factor, cho_solve, solve, inv, det, norm, block_diag, toeplitz)}
