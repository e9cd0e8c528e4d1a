"""Eigenvalues and eigenvectors of general matrices and stacks of them, as complex numbers.

Derivatives: M. B. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation" (2008), with vectors that
stay of length 1 and keep the component real that LAPACK makes real, the largest. Where eigenvalues are equal, those of the eigenvectors do not
exist, nor, where there are fewer vectors than values, those of the values: they are infinite or NaN.
"""

from __future__ import annotations

import numpy as np

from jitad.ir.lowering import Library
from jitad.ir.primitive import Primitive
from jitad.ir.program import Atom
from jitad.ir.symbolic import Zero, is_zero
from jitad.ir.types import ArrayType, complex_dtype, real_dtype
from jitad.primitives.declare import full, sample
from jitad.primitives.elementwise.comparisons import eq, select
from jitad.primitives.elementwise.complexes import complex_, convert, imag, real
from jitad.primitives.linalg.matrices import MATRICES, batch_stack, check_square
from jitad.primitives.linalg.singular import diagonal_of, evaluated
from jitad.primitives.linalg.spectral import across
from jitad.primitives.linalg.systems import solve
from jitad.primitives.products import matmul
from jitad.primitives.reductions import reduce_max, reduce_sum
from jitad.primitives.structural.shaping import broadcast, reshape

BLOCK = 34  # rows of room for LAPACK, which works with blocks of 32


def scratch(a: ArrayType) -> list[ArrayType]:
    """What LAPACK's routine works with: matrix and vectors by columns, numbers, real ones."""
    n, stack = a.shape[-1], a.shape[:-2]
    return [a, a, ArrayType(a.dtype, (*stack, BLOCK * n)), ArrayType(real_dtype(a.dtype), (*stack, 2 * n))]


def eig_type(a):
    check_square("eig", a)
    result = complex_dtype(real_dtype(a.dtype))
    return [ArrayType(result, a.shape[:-1]), ArrayType(result, a.shape), *scratch(a)]


def values_type(a):
    check_square("eigvals", a)
    return [ArrayType(complex_dtype(real_dtype(a.dtype)), a.shape[:-1]), *scratch(a)]


def diagonal_sum(x: Atom, diagonal: Atom) -> Atom:
    return reduce_sum(select(diagonal, x, full(0, x.type)), axes=(x.ndim - 1,))


def jvp_eig(inputs, tangents):
    """With m = V^-1 dot(A) V: the diagonal of m; V (m_ij / (w_j - w_i)) for i != j, and of each column what keeps its length and phase."""
    (a,), (tangent,) = inputs, tangents
    values, vectors, *rest = outputs = eig(a)
    if is_zero(tangent):
        return outputs, [Zero(x.type) for x in outputs]
    turned = solve(vectors, matmul(convert(tangent, dtype=vectors.dtype), vectors))
    diagonal = diagonal_of(turned.type)
    gaps = across(values, a.shape, -2) - across(values, a.shape, -1)
    mixed = select(diagonal, full(0, turned.type), turned / select(diagonal, full(1, gaps.type), gaps))
    dot = matmul(vectors, mixed)
    if a.shape[-1]:
        dot = dot - vectors * drift(vectors, dot)
    return outputs, [diagonal_sum(turned, diagonal), dot, *[Zero(x.type) for x in rest]]


def drift(v: Atom, dot: Atom) -> Atom:
    """Return by how much each column grows and turns: Re(v^H dot(v)), and Im(dot(v_k)) / v_k for the largest component k, which is real."""
    x, y, column = real(v), imag(v), v.ndim - 2
    growth = reduce_sum(x * real(dot) + y * imag(dot), axes=(column,))
    size = select(eq(y, 0), x * x, full(0, x.type))
    largest = eq(size, whole(reduce_max(size, axes=(column,)), v.shape))
    one = full(1, x.type)
    turn = reduce_sum(select(largest, imag(dot) / select(largest, x, one), full(0, x.type)), axes=(column,))
    turn = turn / reduce_sum(select(largest, one, full(0, x.type)), axes=(column,))
    return complex_(whole(growth, v.shape), whole(turn, v.shape))


def whole(x: Atom, shape: tuple[int, ...]) -> Atom:
    """Return one number for each column as an array of matrices."""
    return broadcast(reshape(x, shape=(*x.shape[:-1], 1, x.shape[-1])), shape=shape)


def jvp_values(inputs, tangents):
    """Where the derivatives are needed, so are the vectors."""
    if is_zero(tangents[0]):
        outputs = eigvals(*inputs)
        return outputs, [Zero(x.type) for x in outputs]
    (values, _, *rest), (dot, *_) = jvp_eig(inputs, tangents)
    return [values, *rest], [dot, *[Zero(x.type) for x in rest]]


def apart(rng, dtype, shape) -> np.ndarray:
    """Return matrices whose eigenvalues are far apart."""
    return (sample(rng, dtype, (-0.3, 0.3), shape) + np.diag(1.0 + 2.0 * np.arange(shape[-1]))).astype(dtype)


def as_complex(found, a):
    return [x.astype(complex_dtype(real_dtype(a.dtype))) for x in found]


eig = Primitive(
    "eig",
    type=eig_type,
    evaluate=evaluated(lambda a: as_complex(np.linalg.eig(a), a)),
    jvp=jvp_eig,
    batch=batch_stack(lambda: eig),
    lower=Library("eig"),
    samples=lambda rng, dtype: [([apart(rng, dtype, shape)], {}) for shape in MATRICES],
    dtypes="dD",
    multiple=True,
)
eigvals = Primitive(
    "eigvals",
    type=values_type,
    evaluate=evaluated(lambda a: as_complex([np.linalg.eigvals(a)], a)),
    jvp=jvp_values,
    batch=batch_stack(lambda: eigvals),
    lower=Library("eigvals"),
    samples=lambda rng, dtype: [([apart(rng, dtype, shape)], {}) for shape in MATRICES],
    dtypes="dD",
    multiple=True,
)
eig.evaluate.type, eigvals.evaluate.type = eig_type, values_type
eig.fails = eigvals.fails = "LinAlgError"
