"""Eigenvalues and eigenvectors of symmetric and Hermitian matrices and stacks of them.

Derivatives: M. B. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation" (2008). Where
eigenvalues are equal, those of the eigenvectors do not exist: they are infinite or NaN. The phases of complex eigenvectors are LAPACK's choice;
their derivatives are those at phases that stay.
"""

from __future__ import annotations

import numpy as np

from jitad.ir.lowering import Library
from jitad.ir.primitive import Primitive
from jitad.ir.program import Atom
from jitad.ir.symbolic import Zero, is_zero
from jitad.ir.types import INT, ArrayType, real_dtype
from jitad.primitives.declare import full, sample
from jitad.primitives.elementwise.comparisons import select
from jitad.primitives.elementwise.complexes import convert, real
from jitad.primitives.linalg.matrices import MATRICES, batch_stack, check_square, identity
from jitad.primitives.products import adjoint, matmul
from jitad.primitives.reductions import reduce_sum
from jitad.primitives.structural.shaping import broadcast, reshape


def scratch(a: ArrayType) -> list[ArrayType]:
    """Return what LAPACK's routine works with: numbers, for complex matrices real ones too, and integers."""
    n, stack, numbers = a.shape[-1], a.shape[:-2], real_dtype(a.dtype)
    if a.dtype.kind == "c":
        sizes = (a.dtype, 2 * n + n * n), (numbers, 1 + 5 * n + 2 * n * n), (INT, 3 + 5 * n)
    else:
        sizes = (numbers, 1 + 6 * n + 2 * n * n), (INT, 3 + 5 * n)
    return [ArrayType(dtype, (*stack, size if n else 0)) for dtype, size in sizes]


def eigh_type(a, uplo):
    check_square("eigh", a)
    return [ArrayType(real_dtype(a.dtype), a.shape[:-1]), a, *scratch(a)]


def evaluate_eigh(a, uplo):
    return [*np.linalg.eigh(a, uplo), *[np.zeros(x.shape, x.dtype) for x in scratch(ArrayType(a.dtype, a.shape))]]


def jvp_eigh(inputs, tangents, uplo):
    """With m = V^H dot(A) V for the Hermitian part of dot(A): the diagonal of m, and V (m_ij / (w_j - w_i)) for i != j.

    Only one triangle of A is read, but A is Hermitian by contract, as that of `cholesky`.
    """
    (a,), (tangent,) = inputs, tangents
    values, vectors, *rest = outputs = eigh(a, uplo=uplo)
    if is_zero(tangent):
        return outputs, [Zero(x.type) for x in outputs]
    turned = matmul(adjoint(vectors), matmul(0.5 * (tangent + adjoint(tangent)), vectors))
    diagonal = convert(identity(a.type), dtype=np.dtype(bool))
    gaps = across(values, a.shape, -2) - across(values, a.shape, -1)
    mixed = select(diagonal, full(0, a.type), turned / convert(select(diagonal, full(1, gaps.type), gaps), dtype=a.dtype))
    growth = real(turned) if a.dtype.kind == "c" else turned
    along = reduce_sum(select(diagonal, growth, full(0, growth.type)), axes=(a.ndim - 1,))
    return outputs, [along, matmul(vectors, mixed), *[Zero(x.type) for x in rest]]


def across(values: Atom, shape: tuple[int, ...], axis: int) -> Atom:
    """Return values of which each is the same along an axis of the matrices."""
    lead, n = values.shape[:-1], values.shape[-1]
    return broadcast(reshape(values, shape=(*lead, 1, n) if axis == -2 else (*lead, n, 1)), shape=shape)


def hermitian(rng, dtype, shape) -> np.ndarray:
    x = sample(rng, dtype, (-1, 1), shape)
    return (x + np.conj(np.swapaxes(x, -1, -2)) + np.diag(3.0 * np.arange(shape[-1]))).astype(dtype)


eigh = Primitive(
    "eigh",
    type=eigh_type,
    evaluate=evaluate_eigh,
    jvp=jvp_eigh,
    batch=batch_stack(lambda: eigh),
    lower=Library("eigh"),
    samples=lambda rng, dtype: [([hermitian(rng, dtype, shape)], {"uplo": uplo}) for shape in MATRICES for uplo in "LU"],
    dtypes="dD",
    multiple=True,
)
eigh.fails = "LinAlgError"
