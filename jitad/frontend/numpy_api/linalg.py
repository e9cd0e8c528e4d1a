"""``np.linalg``: systems of equations, determinants, factors, norms."""

from __future__ import annotations

import math
import numbers

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from jitad.frontend.arrays.array import Array, to_atom, wrap
from jitad.frontend.numpy_api.operands import asarray
from jitad.frontend.numpy_api.reductions import squared_magnitude
from jitad.frontend.numpy_api.table import implements
from jitad.ir import errors
from jitad.ir.types import complex_dtype, real_dtype
from jitad.primitives.linalg import eigen, singular, spectral
from jitad.primitives.linalg import systems as primitives
from jitad.primitives.linalg.cholesky import cholesky as cholesky_factor
from jitad.primitives.linalg.matrices import check_square

EigResult = type(np.linalg.eig(np.eye(1)))
EighResult = type(np.linalg.eigh(np.eye(1)))
QRResult = type(np.linalg.qr(np.eye(1)))
SVDResult = type(np.linalg.svd(np.eye(1)))
SlogdetResult = type(np.linalg.slogdet(np.eye(1)))


def inexact(*xs) -> list[Array]:
    """Return the operands with the dtype in which LAPACK works on them."""
    arrays = [asarray(x) for x in xs]
    dtype = np.result_type(*[a.dtype if a.dtype.kind in "fc" else np.float64 for a in arrays])
    return [a.astype(dtype) for a in arrays]


def square(a) -> Array:
    (a,) = inexact(a)
    check_square("np.linalg", to_atom(a).type)
    return a


# --- systems, determinants, factors -----------------------------------------------------------------------------------------


@implements(np.linalg.solve)
def solve(a, b):
    a, b = inexact(a, b)
    square(a)
    vector = b.ndim == 1
    columns = b[:, None] if vector else b
    if columns.ndim < 2 or columns.shape[-2] != a.shape[-1]:
        name, signature = ("solve1", "(m,m),(m)->(m)") if vector else ("solve", "(m,m),(m,n)->(m,n)")
        raise errors.ValueError(f"{name}: Input operand 1 has a mismatch in its core dimension 0, with gufunc signature {signature} "
                                f"(size {columns.shape[-2]} is different from {a.shape[-1]})")
    stack = np.broadcast_shapes(a.shape[:-2], columns.shape[:-2])
    a, columns = (x if x.shape[:-2] == stack else np.broadcast_to(x, stack + x.shape[-2:]) for x in (a, columns))
    x = wrap(primitives.solve(to_atom(a), to_atom(columns)))
    return x[..., 0] if vector else x


@implements(np.linalg.tensorsolve)
def tensorsolve(a, b, axes=None):
    a, b = asarray(a), asarray(b)
    if axes is not None:
        a = np.moveaxis(a, axes, range(a.ndim - len(axes), a.ndim))
    shape = a.shape[b.ndim:]
    size = math.prod(shape)
    if a.size != size**2:
        raise errors.LinAlgError("Input arrays must satisfy the requirement prod(a.shape[b.ndim:]) == prod(a.shape[:b.ndim])")
    return np.linalg.solve(a.reshape(size, size), b.ravel()).reshape(shape)


@implements(np.linalg.inv)
def inv(a):
    return wrap(primitives.inv(to_atom(square(a))))


@implements(np.linalg.slogdet)
def slogdet(a):
    sign, logarithm = primitives.slogdet(to_atom(square(a)))
    return SlogdetResult(wrap(sign), wrap(logarithm))


@implements(np.linalg.det)
def det(a):
    sign, logarithm = np.linalg.slogdet(asarray(a))
    return sign * np.exp(logarithm)


@implements(np.linalg.cholesky)
def cholesky(a, /, *, upper=False):
    a = square(a)
    return conjugate_transpose(np.linalg.cholesky(conjugate_transpose(a))) if upper else wrap(cholesky_factor(to_atom(a)))


@implements(np.linalg.eigh)
def eigh(a, UPLO="L"):  # noqa: N803
    uplo = str(UPLO).upper()
    if uplo not in ("L", "U"):
        raise errors.ValueError("UPLO argument must be 'L' or 'U'")
    a = square(a)
    values, vectors, *_ = spectral.eigh(to_atom(in_double(a)), uplo=uplo)
    return EighResult(wrap(values).astype(real_dtype(a.dtype)), wrap(vectors).astype(a.dtype))


@implements(np.linalg.eigvalsh)
def eigvalsh(a, UPLO="L"):  # noqa: N803
    return eigh(a, UPLO).eigenvalues


@implements(np.linalg.eig)
def eig(a):
    """Complex, as in NumPy where an eigenvalue is not real."""
    a = square(a)
    values, vectors, *_ = eigen.eig(to_atom(in_double(a)))
    return EigResult(*[wrap(x).astype(complex_dtype(real_dtype(a.dtype))) for x in (values, vectors)])


@implements(np.linalg.eigvals)
def eigvals(a):
    a = square(a)
    return wrap(eigen.eigvals(to_atom(in_double(a)))[0]).astype(complex_dtype(real_dtype(a.dtype)))


def in_double(a: Array) -> Array:
    """Return matrices in the precision in which NumPy finds eigenvalues."""
    return a.astype(np.complex128 if a.dtype.kind == "c" else np.float64)


def conjugate_transpose(a: Array) -> Array:
    return np.conj(a.swapaxes(-1, -2))


# --- singular values ----------------------------------------------------------------------------------------------------------


def oblong(name: str, a) -> Array:
    (a,) = inexact(a)
    singular.check_matrix(name, to_atom(a).type)
    return a


@implements(np.linalg.svd)
def svd(a, full_matrices=True, compute_uv=True, hermitian=False):
    a = square(a) if hermitian else oblong("svd", a)
    m, n = a.shape[-2:]
    if not m or not n:
        raise errors.NotImplementedError("np.linalg.svd: jitad does not decompose matrices without elements")
    if not compute_uv:
        return wrap(singular.svdvals(to_atom(a))[0])
    u, s, vh, *_ = singular.svd(to_atom(a), complete=bool(full_matrices and m != n))
    return SVDResult(wrap(u), wrap(s), wrap(vh))


@implements(np.linalg.svdvals)
def svdvals(x, /):
    return np.linalg.svd(x, compute_uv=False)


@implements(np.linalg.matrix_rank)
def matrix_rank(A, tol=None, hermitian=False, *, rtol=None):  # noqa: N803
    a = asarray(A)
    if a.ndim < 2:
        return np.any(a != 0).astype(np.int64)
    if tol is not None and rtol is not None:
        raise errors.ValueError("`tol` and `rtol` can't be both set.")
    s = np.linalg.svd(a, compute_uv=False, hermitian=hermitian)
    if tol is None:
        relative = max(a.shape[-2:]) * np.finfo(s.dtype).eps if rtol is None else asarray(rtol)[..., None]
        tol = np.max(s, axis=-1, keepdims=True) * relative
    else:
        tol = asarray(tol)[..., None]
    return np.sum(s > tol, axis=-1)


@implements(np.linalg.pinv)
def pinv(a, rcond=None, hermitian=False, *, rtol=np._NoValue):
    a = square(a) if hermitian else oblong("pinv", a)
    if rcond is not None and rtol is not np._NoValue:
        raise errors.ValueError("`rtol` and `rcond` can't be both set.")
    usual = 1e-15 if rtol is np._NoValue else max(a.shape[-2:]) * np.finfo(a.dtype).eps
    cutoff = rcond if rtol is np._NoValue else rtol
    cutoff = usual if cutoff is None else cutoff
    if not a.size:
        return np.zeros((*a.shape[:-2], a.shape[-1], a.shape[-2]), a.dtype)
    cutoff = np.broadcast_to(asarray(cutoff).astype(real_dtype(a.dtype)), a.shape[:-2])
    return wrap(singular.pinv(to_atom(a), to_atom(cutoff)))


@implements(np.linalg.lstsq)
def lstsq(a, b, rcond=None):
    """Residuals are those of matrices of full column rank; NumPy gives none, and this NaN, where the rank turns out to be smaller."""
    a, b = inexact(a, b)
    vector = b.ndim == 1
    columns = b[:, None] if vector else b
    if a.ndim != 2 or columns.ndim != 2:
        raise errors.LinAlgError(f"{(a if a.ndim != 2 else columns).ndim}-dimensional array given. Array must be two-dimensional")
    (m, n), dtype = a.shape, real_dtype(a.dtype)
    if m != columns.shape[0]:
        raise errors.LinAlgError("Incompatible dimensions")
    if rcond is None:
        rcond = np.finfo(dtype).eps * max(n, m)
    elif rcond == -1:
        rcond = np.finfo(dtype).eps
    s = np.linalg.svdvals(a)
    x = np.linalg.pinv(a, rcond) @ columns
    rank = np.sum(s > rcond * s[0])
    residuals = np.zeros(0, dtype)
    if m > n:
        residuals = np.where(rank == n, np.sum(squared_magnitude(columns - a @ x), 0), np.nan)
    return x[:, 0] if vector else x, residuals, rank, s


@implements(np.linalg.qr)
def qr(a, mode="reduced"):
    if mode not in ("reduced", "complete", "r", "raw"):
        raise errors.ValueError(f"Unrecognized mode '{mode}'")
    a = oblong("qr", a)
    m, n = a.shape[-2:]
    if mode == "raw" or (mode == "complete" and m > n) or not m or not n:
        raise errors.NotImplementedError(f"np.linalg.qr: jitad does not know mode='{mode}' for matrices of shape {(m, n)}; use mode='reduced'")
    k = min(m, n)
    q, r = (wrap(x) for x in singular.qr(to_atom(a[..., :k]))[:2])
    if m < n:
        r = np.concatenate([r, conjugate_transpose(q) @ a[..., k:]], axis=-1)
    return r if mode == "r" else QRResult(q, r)


# --- norms --------------------------------------------------------------------------------------------------------------------


@implements(np.linalg.norm)
def norm(x, ord=None, axis=None, keepdims=False):
    x = asarray(x)
    if x.dtype.kind not in "fc":
        x = x.astype(np.float64)
    if axis is None and (ord is None or (ord in ("f", "fro") and x.ndim == 2) or (ord == 2 and x.ndim == 1)):
        return np.sqrt(np.sum(squared_magnitude(x), keepdims=keepdims))
    axes = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    if not all(isinstance(k, numbers.Integral) for k in axes):
        raise errors.TypeError("'axis' must be None, an integer or a tuple of integers")
    if len(axes) == 1:
        return vector_length(x, ord, axes[0], keepdims)
    if len(axes) != 2:
        raise errors.ValueError("Improper number of dimensions to norm.")
    row, column = (normalize_axis_index(k, x.ndim) for k in axes)
    if row == column:
        raise errors.ValueError("Duplicate axes given.")
    return matrix_size(x, ord, row, column, keepdims)


def vector_length(x: Array, ord, axis: int, keepdims: bool) -> Array:
    if ord is None or ord == 2:
        return np.sqrt(np.sum(squared_magnitude(x), axis, keepdims=keepdims))
    if isinstance(ord, str):
        raise errors.ValueError(f"Invalid norm order '{ord}' for vectors")
    if ord == np.inf:
        return np.max(abs(x), axis, keepdims=keepdims, initial=None if x.size else 0)
    if ord == -np.inf:
        return np.min(abs(x), axis, keepdims=keepdims)
    if ord == 0:
        return np.sum((x != 0).astype(real_dtype(x.dtype)), axis, keepdims=keepdims)
    if ord == 1:
        return np.sum(abs(x), axis, keepdims=keepdims)
    return np.sum(abs(x) ** ord, axis, keepdims=keepdims) ** (1.0 / ord)


def matrix_size(x: Array, ord, row: int, column: int, keepdims: bool) -> Array:
    if ord in (None, "fro", "f"):
        return np.sqrt(np.sum(squared_magnitude(x), (row, column), keepdims=keepdims))
    if ord in (2, -2, "nuc"):
        values = np.linalg.svdvals(np.moveaxis(x, (row, column), (-2, -1)))
        found = np.sum(values, -1) if ord == "nuc" else values[..., 0 if ord == 2 else -1]
        return np.expand_dims(found, (row, column)) if keepdims else found
    if ord not in (1, -1, np.inf, -np.inf):
        raise errors.ValueError("Invalid norm order for matrices.")
    summed, compared = (row, column) if abs(ord) == 1 else (column, row)
    best = np.max if ord > 0 else np.min
    return best(np.sum(abs(x), summed, keepdims=True), compared, keepdims=True).squeeze(() if keepdims else (row, column))


@implements(np.linalg.cond)
def cond(x, p=None):
    if p in (None, 2, -2):
        s = np.linalg.svdvals(x)
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    x = square(x)
    return np.linalg.norm(x, p, (-2, -1)) * np.linalg.norm(np.linalg.inv(x), p, (-2, -1))
