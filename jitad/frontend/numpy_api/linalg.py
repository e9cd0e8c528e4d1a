"""``np.linalg``: systems of equations, determinants, factors, norms."""

from __future__ import annotations

import math
import numbers

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from jitad.frontend.array import Array, to_atom, wrap
from jitad.frontend.numpy_api.operands import asarray
from jitad.frontend.numpy_api.reductions import squared_magnitude
from jitad.frontend.numpy_api.table import implements
from jitad.ir import errors
from jitad.ir.types import real_dtype
from jitad.primitives import linalg as primitives
from jitad.primitives import spectral

EighResult = type(np.linalg.eigh(np.eye(1)))
SlogdetResult = type(np.linalg.slogdet(np.eye(1)))


def inexact(*xs) -> list[Array]:
    """Return the operands with the dtype in which LAPACK works on them."""
    arrays = [asarray(x) for x in xs]
    dtype = np.result_type(*[a.dtype if a.dtype.kind in "fc" else np.float64 for a in arrays])
    return [a.astype(dtype) for a in arrays]


def square(a) -> Array:
    (a,) = inexact(a)
    primitives.check_square("np.linalg", to_atom(a).type)
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
    return conjugate_transpose(np.linalg.cholesky(conjugate_transpose(a))) if upper else wrap(primitives.cholesky(to_atom(a)))


@implements(np.linalg.eigh)
def eigh(a, UPLO="L"):  # noqa: N803
    uplo = str(UPLO).upper()
    if uplo not in ("L", "U"):
        raise errors.ValueError("UPLO argument must be 'L' or 'U'")
    a = square(a)
    double = a.astype(np.complex128 if a.dtype.kind == "c" else np.float64)  # as NumPy does
    values, vectors, *_ = spectral.eigh(to_atom(double), uplo=uplo)
    return EighResult(wrap(values).astype(real_dtype(a.dtype)), wrap(vectors).astype(a.dtype))


@implements(np.linalg.eigvalsh)
def eigvalsh(a, UPLO="L"):  # noqa: N803
    return eigh(a, UPLO).eigenvalues


def conjugate_transpose(a: Array) -> Array:
    return np.conj(a.swapaxes(-1, -2))


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
        raise errors.NotImplementedError(f"np.linalg.norm: ord={ord!r} of a matrix needs its singular values, which jitad cannot "
                                         "differentiate yet; use ord='fro', 1 or inf")
    if ord not in (1, -1, np.inf, -np.inf):
        raise errors.ValueError("Invalid norm order for matrices.")
    summed, compared = (row, column) if abs(ord) == 1 else (column, row)
    best = np.max if ord > 0 else np.min
    return best(np.sum(abs(x), summed, keepdims=True), compared, keepdims=True).squeeze(() if keepdims else (row, column))


@implements(np.linalg.cond)
def cond(x, p=None):
    x = square(x)
    if p in (None, 2, -2):
        raise errors.NotImplementedError(f"np.linalg.cond: p={p!r} needs singular values, which jitad cannot differentiate yet; use "
                                         "p='fro', 1 or inf")
    return np.linalg.norm(x, p, (-2, -1)) * np.linalg.norm(np.linalg.inv(x), p, (-2, -1))


# --- what is missing ----------------------------------------------------------------------------------------------------------

ADVICE = {
    np.linalg.pinv: "for full column rank, np.linalg.solve(a.T @ a, a.T) is the same",
    np.linalg.lstsq: "for full column rank, np.linalg.solve(a.T @ a, a.T @ b) is the same",
    np.linalg.matrix_rank: "compute it outside of the traced function",
    **dict.fromkeys((np.linalg.eig, np.linalg.eigvals, np.linalg.svd, np.linalg.svdvals, np.linalg.qr),
                    "use np.linalg.eigh, solve, inv, slogdet or cholesky where they can serve"),
}


def refuse(function, advice: str) -> None:
    name = f"np.linalg.{function.__name__}"

    @implements(function)
    def missing(*args, **kwargs):
        raise errors.NotImplementedError(f"jitad does not know {name} yet; {advice}")


for function, advice in ADVICE.items():
    refuse(function, advice)
