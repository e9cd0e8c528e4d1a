"""Cholesky factors of Hermitian matrices, and whether there are any.

Derivative: M. B. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation" (2008).
"""

from __future__ import annotations

import contextlib

import numpy as np

from jitad.ir import errors
from jitad.ir.lowering import Library
from jitad.ir.primitive import Primitive
from jitad.ir.symbolic import Zero, is_zero
from jitad.ir.types import INT, ArrayType
from jitad.primitives.declare import sample
from jitad.primitives.elementwise.comparisons import ne, select
from jitad.primitives.elementwise.complexes import convert
from jitad.primitives.linalg.matrices import MATRICES, all_of, batch_stack, check_square, identity, triangle, where_holds
from jitad.primitives.linalg.systems import triangular_solve
from jitad.primitives.products import adjoint, matmul


def cholesky_type(a):
    check_square("cholesky", a)
    return a


def jvp_cholesky(inputs, tangents):
    """dot(L) = L phi(L^-1 dot(A) L^-H), phi the lower triangle with half the diagonal, for the Hermitian part of dot(A).

    Only the lower triangle of A is read, but A is Hermitian by contract, so the derivative is that along Hermitian directions and
    the gradient is Hermitian.
    """
    (a,), (tangent,) = inputs, tangents
    factor = cholesky(a)
    if is_zero(tangent):
        return [factor], [Zero(factor.type)]

    def divide(x):
        return triangular_solve(factor, x, lower=True, adjoint=False, unit=False)

    middle = divide(adjoint(divide(0.5 * (tangent + adjoint(tangent)))))
    half = select(convert(identity(a.type), dtype=np.dtype(bool)), 0.5 * middle, middle)
    return [factor], [matmul(factor, triangle(half, lower=True))]


def positive_definite(rng, dtype, shape) -> np.ndarray:
    x = sample(rng, dtype, (-1, 1), shape)
    return x @ np.conj(np.swapaxes(x, -1, -2)) + np.eye(shape[-1], dtype=dtype)


cholesky = Primitive(
    "cholesky",
    type=cholesky_type,
    evaluate=np.linalg.cholesky,
    jvp=jvp_cholesky,
    batch=batch_stack(lambda: cholesky),
    lower=Library("cholesky"),
    samples=lambda rng, dtype: [([positive_definite(rng, dtype, shape)], {}) for shape in MATRICES],
    dtypes="dfDF",
)


def definite_type(a):
    check_square("definite", a)
    return [ArrayType(INT, a.shape[:-2]), a]


def evaluate_definite(a):
    found = np.zeros(a.shape[:-2], np.int64)
    for k in np.ndindex(a.shape[:-2]):
        with contextlib.suppress(np.linalg.LinAlgError):
            np.linalg.cholesky(a[k])
            found[k] = 1
    return [found, np.zeros_like(a)]


definite = Primitive(  # whether matrices have Cholesky factors, and what LAPACK has worked with
    "definite",
    type=definite_type,
    evaluate=evaluate_definite,
    jvp=lambda inputs, tangents: (found := definite(*inputs), [Zero(x.type) for x in found]),
    batch=batch_stack(lambda: definite),
    lower=Library("definite"),
    samples=lambda rng, dtype: [([sign * positive_definite(rng, dtype, shape)], {}) for shape in MATRICES for sign in (1, -1)],
    dtypes="dfDF",
    multiple=True,
)


def guard_cholesky(inputs):
    (a,) = inputs
    holds = ne(definite(a)[0], 0)
    return all_of(holds), (where_holds(holds, a),), errors.LinAlgError("Matrix is not positive definite")


cholesky.guard, cholesky.fails = guard_cholesky, "LinAlgError"
