"""Singular values, orthogonal factors and pseudo-inverses of matrices of any shape and stacks of them.

Derivatives: M. B. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation" (2008); for complex
matrices, Z.-Q. Wan and S.-X. Zhang, "Automatic differentiation for complex valued SVD" (2019); for pseudo-inverses, G. H. Golub and V. Pereyra,
"The differentiation of pseudo-inverses and nonlinear least squares problems whose variables separate" (1973). Where singular values are equal,
derivatives of the vectors do not exist, nor do those of a matrix's vectors for the value 0 unless it is square and real: they are infinite or NaN.
The phases of complex vectors, and the bases of the spaces that only full factors span, are LAPACK's choice; their derivatives are those at bases
that stay.
"""

from __future__ import annotations

import numpy as np

from jitad.ir import errors
from jitad.ir.lowering import Library
from jitad.ir.primitive import Primitive
from jitad.ir.program import Atom
from jitad.ir.symbolic import Zero, is_zero
from jitad.ir.types import INT, ArrayType, real_dtype
from jitad.primitives.declare import common_dtype, full, sample
from jitad.primitives.elementwise.comparisons import gt, select
from jitad.primitives.elementwise.complexes import complex_, convert, imag, real
from jitad.primitives.linalg.matrices import batch_stack, identity, triangle
from jitad.primitives.linalg.spectral import across
from jitad.primitives.linalg.systems import triangular_solve
from jitad.primitives.products import adjoint, matmul
from jitad.primitives.reductions import reduce_max, reduce_sum
from jitad.primitives.structural.boxes import concatenate, slice_
from jitad.primitives.structural.shaping import broadcast, reshape

OBLONG = ((3, 3), (4, 2), (2, 4), (2, 3, 2), (1, 1))


def check_matrix(name: str, a: ArrayType) -> None:
    common_dtype(name, [a], "fc")
    if a.ndim < 2:
        raise errors.LinAlgError(f"{a.ndim}-dimensional array given. Array must be at least two-dimensional")


def matrix(a: ArrayType, rows: int, columns: int) -> ArrayType:
    return ArrayType(a.dtype, (*a.shape[:-2], rows, columns))


def columns_of(x: Atom, start: int, stop: int) -> Atom:
    """Return the columns start .. stop - 1 of each matrix."""
    return slice_(x, start=(0,) * (x.ndim - 1) + (start,), shape=(*x.shape[:-1], stop - start), step=(1,) * x.ndim)


def diagonal_of(type: ArrayType) -> Atom:
    """Return where the diagonals of square matrices are."""
    return convert(identity(type), dtype=np.dtype(bool))


def evaluated(function):
    """Return the NumPy evaluation of a factorisation: what `function` gives, and zeros where LAPACK has worked."""

    def evaluate(a, **params):
        found = function(a, **params)
        return [*found, *[np.zeros(x.shape, x.dtype) for x in evaluate.type(ArrayType(a.dtype, a.shape), **params)[len(found) :]]]

    return evaluate


# --- singular values ------------------------------------------------------------------------------------------------------------


def svd_type(a, complete):
    """The factors, and what LAPACK's routine works with: the matrices by columns, numbers, for complex matrices real ones too, and integers."""
    check_matrix("svd", a)
    m, n = a.shape[-2:]
    k, most = min(m, n), max(m, n)
    left, right = (m, n) if complete else (k, k)
    numbers, more = real_dtype(a.dtype), 32 * (m + n)
    if a.dtype.kind == "c":
        sizes = (a.dtype, k * k + 3 * k + most + more), (numbers, max(5 * k * k + 5 * k, 2 * most * k + 2 * k * k + k)), (INT, 8 * k)
    else:
        sizes = (numbers, 4 * k * k + 7 * k + most + more), (INT, 8 * k)
    scratch = [ArrayType(dtype, (*a.shape[:-2], size)) for dtype, size in sizes]
    factors = [matrix(a, m, left), ArrayType(numbers, (*a.shape[:-2], k)), matrix(a, right, n)]
    return [*factors, matrix(a, n, m), matrix(a, left, m), matrix(a, n, right), *scratch]


def jvp_svd(inputs, tangents, complete):
    """With p = U^H dot(A) V and f_ij = 1 / (s_j^2 - s_i^2): the diagonal of p; U f (p S + S p^H) and V f (S p + p^H S), and what leaves the
    spaces that U and V span: (1 - U U^H) dot(A) V / S, (1 - V V^H) dot(A)^H U / S."""
    (a,), (tangent,) = inputs, tangents
    u_all, s, vh_all, *rest = outputs = svd(a, complete=complete)
    if is_zero(tangent):
        return outputs, [Zero(x.type) for x in outputs]
    (m, n), k = a.shape[-2:], s.shape[-1]
    u, v = columns_of(u_all, 0, k), columns_of(adjoint(vh_all), 0, k)
    p = matmul(adjoint(u), matmul(tangent, v))
    diagonal = diagonal_of(p.type)
    first, second = across(s, p.shape, -1), across(s, p.shape, -2)  # s_i and s_j
    gaps = convert(select(diagonal, full(1, first.type), (second - first) * (second + first)), dtype=a.dtype)
    first, second = convert(first, dtype=a.dtype), convert(second, dtype=a.dtype)
    zero = full(0, p.type)
    turn_u = select(diagonal, zero, (p * second + first * adjoint(p)) / gaps)
    turn_v = select(diagonal, zero, (first * p + adjoint(p) * second) / gaps)
    if a.dtype.kind == "c":
        phases = imag(p)
        turn_u = turn_u + select(diagonal, complex_(full(0, phases.type), phases) / first, zero)
    growth = real(p) if a.dtype.kind == "c" else p
    dot_s = reduce_sum(select(diagonal, growth, full(0, growth.type)), axes=(a.ndim - 1,))
    dot_u = beyond(u, matmul(u, turn_u), matmul(tangent, v), s) if m > k else matmul(u, turn_u)
    dot_v = beyond(v, matmul(v, turn_v), matmul(adjoint(tangent), u), s) if n > k else matmul(v, turn_v)
    dot_u, dot_v = completed(u, dot_u, u_all), completed(v, dot_v, adjoint(vh_all))
    return outputs, [dot_u, dot_s, adjoint(dot_v), *[Zero(x.type) for x in rest]]


def beyond(u: Atom, within: Atom, change: Atom, s: Atom) -> Atom:
    """Add what leaves the space that u spans."""
    outside = change - matmul(u, matmul(adjoint(u), change))
    return within + outside / convert(across(s, outside.shape, -2), dtype=u.dtype)


def completed(u: Atom, dot: Atom, whole: Atom) -> Atom:
    """Return the tangents of all columns, given those of the first ones: the others turn as little as they can to stay orthogonal to them."""
    k, n = u.shape[-1], whole.shape[-1]
    if n == k:
        return dot
    others = -matmul(u, matmul(adjoint(dot), columns_of(whole, k, n)))
    return concatenate(dot, others, axis=u.ndim - 1)


def distinct(rng, dtype, shape) -> np.ndarray:
    """Return matrices whose singular values are far apart."""
    return (sample(rng, dtype, (-0.3, 0.3), shape) + np.eye(*shape[-2:]) * (1.0 + 2.0 * np.arange(shape[-1]))).astype(dtype)


svd = Primitive(
    "svd",
    type=svd_type,
    evaluate=evaluated(lambda a, complete: np.linalg.svd(a, full_matrices=complete)),
    jvp=jvp_svd,
    batch=batch_stack(lambda: svd),
    lower=Library("svd"),
    samples=lambda rng, dtype: [([distinct(rng, dtype, shape)], {"complete": complete}) for shape, complete in (
        *[(shape, False) for shape in OBLONG], ((3, 3), True))],
    dtypes="dfDF",
    multiple=True,
)
svd.evaluate.type = svd_type


def values_type(a):
    """The singular values, and what LAPACK's routine works with."""
    check_matrix("svdvals", a)
    m, n = a.shape[-2:]
    k, numbers = min(m, n), real_dtype(a.dtype)
    real_work = ([(a.dtype, 2 * k + max(m, n) + 32 * (m + n))] if a.dtype.kind == "c" else []) + [(numbers, 10 * k + max(m, n) + 32 * (m + n))]
    return [ArrayType(dtype, (*a.shape[:-2], *size)) for dtype, size in (
        (numbers, (k,)), (a.dtype, (m, n)), *[(dtype, (size,)) for dtype, size in real_work], (INT, (8 * k,)))]


def jvp_values(inputs, tangents):
    """The diagonal of U^H dot(A) V: where the derivatives are needed, so are the vectors."""
    if is_zero(tangents[0]):
        outputs = svdvals(*inputs)
        return outputs, [Zero(x.type) for x in outputs]
    (_, s, *_), (_, dot_s, *_) = jvp_svd(inputs, tangents, complete=False)
    scratch = values_type(inputs[0].type)[1:]
    return [s, *[full(0, type) for type in scratch]], [dot_s, *map(Zero, scratch)]


svdvals = Primitive(
    "svdvals",
    type=values_type,
    evaluate=evaluated(lambda a: [np.linalg.svd(a, compute_uv=False)]),
    jvp=jvp_values,
    batch=batch_stack(lambda: svdvals),
    lower=Library("svdvals"),
    samples=lambda rng, dtype: [([distinct(rng, dtype, shape)], {}) for shape in OBLONG],
    dtypes="dfDF",
    multiple=True,
)
svdvals.evaluate.type = values_type

# --- pseudo-inverses ------------------------------------------------------------------------------------------------------------


def pseudo_inverse(a: Atom, cutoff: Atom) -> Atom:
    """Return V S^+ U^H, in which singular values that are not above `cutoff` times the largest count as 0."""
    u, s, vh, *_ = svd(a, complete=False)
    largest = reduce_max(s, axes=(s.ndim - 1,))
    kept = gt(s, broadcast(reshape(largest * cutoff, shape=(*largest.shape, 1)), shape=s.shape))
    one = full(1, s.type)
    inverses = select(kept, one / select(kept, s, one), full(0, s.type))
    return matmul(adjoint(vh) * convert(across(inverses, adjoint(vh).shape, -2), dtype=a.dtype), adjoint(u))


def evaluate_pinv(a, cutoff):
    u, s, vh = np.linalg.svd(a, full_matrices=False)
    kept = s > s.max(-1, keepdims=True) * cutoff[..., None]
    inverses = np.where(kept, 1 / np.where(kept, s, 1), 0).astype(s.dtype)
    return np.conj(np.swapaxes(vh, -1, -2)) * inverses[..., None, :] @ np.conj(np.swapaxes(u, -1, -2))


def jvp_pinv(inputs, tangents):
    """-P dot(A) P + P P^H dot(A)^H (1 - A P) + (1 - P A) dot(A)^H P^H P, for matrices whose rank stays."""
    (a, cutoff), (tangent, _) = inputs, tangents
    p = pinv(a, cutoff)
    if is_zero(tangent):
        return [p], [Zero(p.type)]
    back, ph = adjoint(tangent), adjoint(p)
    change = -matmul(p, matmul(tangent, p))
    left = matmul(p, matmul(ph, back))
    change = change + left - matmul(left, matmul(a, p))
    right = matmul(matmul(back, ph), p)
    return [p], [change + right - matmul(p, matmul(a, right))]


def pinv_type(a, cutoff):
    check_matrix("pinv", a)
    return matrix(a, a.shape[-1], a.shape[-2])


pinv = Primitive(
    "pinv",
    type=pinv_type,
    evaluate=evaluate_pinv,
    jvp=jvp_pinv,
    batch=batch_stack(lambda: pinv),
    expand=lambda inputs: [pseudo_inverse(*inputs)],
)

# --- orthogonal factors ---------------------------------------------------------------------------------------------------------


def qr_type(a):
    """The factors of matrices that have no more columns than rows; the matrix by columns, scale factors, and what LAPACK's routine works with."""
    check_matrix("qr", a)
    m, n = a.shape[-2:]
    return [a, matrix(a, n, n), matrix(a, n, m), ArrayType(a.dtype, (*a.shape[:-2], n)), ArrayType(a.dtype, (*a.shape[:-2], 32 * n))]


def jvp_qr(inputs, tangents):
    """With w = Q^H dot(A) R^-1 and t = l - l^H, plus the imaginary part of w's diagonal, for the lower triangle l of w without the diagonal:
    dot(R) = (w - t) R and dot(Q) = Q t + (dot(A) R^-1 - Q w)."""
    (a,), (tangent,) = inputs, tangents
    q, r, *rest = outputs = qr(a)
    if is_zero(tangent):
        return outputs, [Zero(x.type) for x in outputs]
    divided = adjoint(triangular_solve(adjoint(r), adjoint(tangent), lower=True, adjoint=False, unit=False))
    w = matmul(adjoint(q), divided)
    below = triangle(w, lower=True, strict=True)
    turn = below - adjoint(below)
    if a.dtype.kind == "c":
        phases = imag(w)
        turn = turn + select(diagonal_of(w.type), complex_(full(0, phases.type), phases), full(0, w.type))
    dot_r = triangle(matmul(w - turn, r), lower=False)
    return outputs, [divided + matmul(q, turn - w), dot_r, *[Zero(x.type) for x in rest]]


qr = Primitive(
    "qr",
    type=qr_type,
    evaluate=evaluated(np.linalg.qr),
    jvp=jvp_qr,
    batch=batch_stack(lambda: qr),
    lower=Library("qr"),
    samples=lambda rng, dtype: [([distinct(rng, dtype, shape)], {}) for shape in OBLONG if shape[-2] >= shape[-1]],
    dtypes="dfDF",
    multiple=True,
)
qr.evaluate.type = qr_type
svd.fails = svdvals.fails = "LinAlgError"
