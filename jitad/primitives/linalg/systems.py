"""Linear algebra of square matrices and stacks of them: LU factors, determinants, and solutions of systems of equations.

Derivatives: M. B. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation" (2008).
A matrix is factorised once: `lu_solve`, `lu_logdet` and `lu_sign` take the matrix together with its factors. They are functions
of the matrix alone, so the factors, which nothing else may read, carry no tangents.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jitad.ir import errors
from jitad.ir.lowering import Library, Reduce
from jitad.ir.primitive import Primitive
from jitad.ir.program import Atom, literal
from jitad.ir.symbolic import Zero, is_zero
from jitad.ir.types import BOOL, INT, ArrayType, real_dtype
from jitad.primitives.declare import add_tangents, common_dtype, full, sample
from jitad.primitives.elementwise.arithmetic import sign_element
from jitad.primitives.elementwise.comparisons import ne, select
from jitad.primitives.elementwise.complexes import complex_, convert, imag, real
from jitad.primitives.linalg.matrices import (
    MATRICES,
    all_of,
    batch_stack,
    check_square,
    each,
    identity,
    lapack,
    triangle,
    well_conditioned,
    where_holds,
)
from jitad.primitives.products import adjoint, dot, matmul
from jitad.primitives.reductions import reduce_and, reduce_or
from jitad.primitives.structural.indexing import move_axis
from jitad.primitives.structural.shaping import all_to_front, broadcast, reshape

SYSTEMS = (((3, 3), (3, 2)), ((2, 3, 3), (2, 3, 1)), ((2, 2), (2, 0)))

# --- LU factors ---------------------------------------------------------------------------------------------------------------


def lu_type(a):
    check_square("lu", a)
    return [a, ArrayType(INT, a.shape[:-1])]


def evaluate_lu(a):
    factors, pivots = np.empty_like(a), np.empty(a.shape[:-1], INT)
    getrf = lapack("getrf", a)
    for k in each(a):
        factors[k], pivots[k], _ = getrf(a[k])
    return [factors, pivots]


def jvp_lu(inputs, tangents):
    outputs = lu(*inputs)
    return outputs, [Zero(output.type) for output in outputs]


def factorised(rng, dtype, shape) -> list[np.ndarray]:
    a = well_conditioned(rng, dtype, shape)[..., ::-1, :].copy()
    return [a, *evaluate_lu(a)]


lu = Primitive(
    "lu",
    type=lu_type,
    evaluate=evaluate_lu,
    jvp=jvp_lu,
    batch=batch_stack(lambda: lu),
    lower=Library("lu"),
    samples=lambda rng, dtype: [([well_conditioned(rng, dtype, shape)[..., ::-1, :].copy()], {}) for shape in MATRICES],
    dtypes="dfDF",
    multiple=True,
)


def trace_of_quotient(tangent: Atom, factors: list[Atom]) -> Atom:
    """Return trace(a^-1 ta)."""
    inverse = lu_solve(*factors, identity(factors[0].type), adjoint=False)
    n, stack = tangent.ndim, tuple(range(tangent.ndim - 2))
    return dot(inverse, tangent, contract=((n - 2, n - 1), (n - 1, n - 2)), batch=(stack, stack))


def diagonal_reduction(
    name: str, result: Callable, evaluate: Callable, combine: str, element: Callable, tangent: Callable
) -> Primitive:
    """Declare a reduction over the diagonal of the LU factors; ``tangent(result, trace(a^-1 ta))`` is its derivative."""

    def type_rule(a, factors, pivots):
        check_square(name, a)
        return ArrayType(result(a.dtype), a.shape[:-2])

    def read(b, index, operands):
        (*stack, i) = index
        return element(b, operands[1]((*stack, i, i)), b.call("eq", operands[2](index), b.index(i)))

    def jvp(inputs, tangents):
        output = primitive(*inputs)
        if is_zero(tangents[0]):
            return [output], [Zero(output.type)]
        return [output], [tangent(output, lambda: trace_of_quotient(tangents[0], inputs))]

    primitive = Primitive(
        name,
        type=type_rule,
        evaluate=lambda a, factors, pivots: evaluate(np.diagonal(factors, 0, -2, -1), pivots == np.arange(pivots.shape[-1])),
        jvp=jvp,
        batch=batch_stack(lambda: primitive),
        lower=Reduce(combine, lambda a, *factors: (a.shape[:-1], (a.ndim - 2,)), read),
        samples=lambda rng, dtype: [(factorised(rng, dtype, shape), {}) for shape in MATRICES],
        dtypes="dfDF",
    )
    return primitive


def turn(result: Atom, trace: Callable[[], Atom]):
    """The sign of a complex determinant turns by the imaginary part of the trace; that of a real one stays."""
    if result.dtype.kind != "c":
        return Zero(result.type)
    angle = imag(trace())
    return result * complex_(full(0, angle.type), angle)


def unit_element(b, x, stays):
    """The sign of x, negated if its row was interchanged with another."""
    if x.dtype.kind == "c":
        size = b.call("abs", x)
        zero = b.const(0, size)
        sign = b.select(b.call("eq", size, zero), b.const(0, x), x / b.complex(size, zero))
    else:
        sign = sign_element(b, x)
    return b.select(stays, sign, -sign)


lu_logdet = diagonal_reduction(
    "lu_logdet", real_dtype, lambda diagonal, stays: np.log(np.abs(diagonal)).sum(-1), "add",
    lambda b, x, stays: b.call("log", b.call("abs", x)),
    lambda result, trace: real(trace()) if trace().dtype.kind == "c" else trace())
lu_sign = diagonal_reduction(
    "lu_sign", lambda dtype: dtype, lambda diagonal, stays: np.where(stays, np.sign(diagonal), -np.sign(diagonal)).prod(-1), "mul",
    unit_element, turn)

# --- systems of equations -------------------------------------------------------------------------------------------------------


def solution_type(name: str, a: ArrayType, b: ArrayType) -> ArrayType:
    check_square(name, a)
    common_dtype(name, [a, b], "fc")
    if b.ndim < 2 or b.shape[-2] != a.shape[-1]:
        raise errors.ValueError("solve: Input operand 1 has a mismatch in its core dimension 0, with gufunc signature "
                                f"(m,m),(m,n)->(m,n) (size {b.shape[-2] if b.ndim > 1 else 1} is different from {a.shape[-1]})")
    if b.shape[:-2] != a.shape[:-2]:
        raise errors.InternalError(f"{name}: stacks of shapes {a.shape[:-2]} and {b.shape[:-2]}")
    return b


def solver(
    name: str, evaluate: Callable, knowns: Callable, options: tuple[dict, ...], matrix: Callable = lambda a, **params: a
) -> Primitive:
    """Declare the solution x of op(a) x = b, op the adjoint if the parameter `adjoint` says so.

    The operands are a, what has been computed from it, and b. ``matrix(a, **params)`` is the part of a that is read.
    """

    def jvp(inputs, tangents, **params):
        """op(a) dot(x) = dot(b) - op(dot(a)) x"""
        ta, tb = tangents[0], tangents[-1]
        x = primitive(*inputs, **params)
        if not is_zero(ta):
            ta = matrix(ta, **params)
            tb = add_tangents(tb, -matmul(adjoint(ta) if params["adjoint"] else ta, x))
        return [x], [Zero(x.type) if is_zero(tb) else primitive(*inputs[:-1], tb, **params)]

    def transpose_rule(cotangents, inputs, **params):
        params["adjoint"] = not params["adjoint"]
        return [*[None for _ in inputs[1:]], primitive(*inputs[:-1], cotangents[0], **params)]

    def reach(mask, which, inputs, **params):
        """All elements of a solution depend on all of its right-hand side."""
        *stack, n, k = mask.shape
        return broadcast(reshape(reduce_or(mask, axes=(mask.ndim - 2,)), shape=(*stack, 1, k)), shape=mask.shape)

    def batch(size, inputs, where, **params):
        """Right-hand sides of one matrix are columns beside each other."""
        *known, b = inputs
        if any(axis is not None for axis in where[:-1]):
            return [primitive(*all_to_front(size, inputs, where), **params)], [0]
        b = move_axis(b, where[-1], b.ndim - 2)
        *stack, size, k = b.shape
        x = primitive(*known, reshape(b, shape=(*stack, size * k)), **params)
        return [reshape(x, shape=b.shape)], [b.ndim - 2]

    primitive = Primitive(
        name,
        type=lambda a, *rest, **params: solution_type(name, a, rest[-1]),
        evaluate=evaluate,
        jvp=jvp,
        transpose=transpose_rule,
        reach=reach,
        batch=batch,
        lower=Library(name),
        samples=lambda rng, dtype: [([*knowns(rng, dtype, a), sample(rng, dtype, shape=b)], params)
                                    for a, b in SYSTEMS for params in options],
        dtypes="dfDF",
    )
    return primitive


def evaluate_lu_solve(a, factors, pivots, b, adjoint):
    if (np.diagonal(factors, 0, -2, -1) == 0).any():
        raise np.linalg.LinAlgError("Singular matrix")
    x = np.empty_like(b)
    getrs = lapack("getrs", a)
    for k in each(b):
        x[k], _ = getrs(factors[k], pivots[k], b[k], trans=2 if adjoint else 0)
    return x


def evaluate_triangular_solve(a, b, lower, adjoint, unit):
    x = np.empty_like(b)
    trtrs = lapack("trtrs", a)
    for k in each(b):
        x[k], info = trtrs(a[k], b[k], lower=lower, trans=2 if adjoint else 0, unitdiag=unit)
        if info > 0:
            raise np.linalg.LinAlgError(f"singular matrix: resolution failed at diagonal {info - 1}")
    return x


lu_solve = solver("lu_solve", evaluate_lu_solve, factorised, ({"adjoint": False}, {"adjoint": True}))
triangular_solve = solver(
    "triangular_solve", evaluate_triangular_solve, lambda rng, dtype, shape: [well_conditioned(rng, dtype, shape)],
    tuple({"lower": lower, "adjoint": adjoint, "unit": unit} for lower, adjoint, unit in (
        (True, False, False), (True, True, True), (False, False, True), (False, True, False))),
    lambda a, lower, adjoint, unit: triangle(a, lower, strict=unit))


def solve(a: Atom, b: Atom) -> Atom:
    """Return the solution x of a x = b, for square matrices a [..., n, n] and right-hand sides b [..., n, k]."""
    return lu_solve(a, *lu(a), b, adjoint=False)


def inv(a: Atom) -> Atom:
    """Return the inverse of each matrix."""
    check_square("inv", a.type)
    return solve(a, identity(a.type))


def slogdet(a: Atom) -> list[Atom]:
    """Return the sign of the determinant and the logarithm of its magnitude."""
    factors = lu(a)
    return [lu_sign(a, *factors), lu_logdet(a, *factors)]


# --- what can fail --------------------------------------------------------------------------------------------------------------


def regular(factors: Atom) -> Atom:
    """Return whether no element of the diagonal is zero, for each matrix."""
    diagonal = convert(identity(factors.type), dtype=np.dtype(bool))
    return reduce_and(select(diagonal, ne(factors, 0.0), full(True, ArrayType(BOOL, factors.shape))), axes=(factors.ndim - 2, factors.ndim - 1))


def guard_lu_solve(inputs, adjoint):
    a, factors, pivots, b = inputs
    holds = regular(factors)
    return all_of(holds), (a, where_holds(holds, factors), pivots, b), errors.LinAlgError("Singular matrix")


def guard_triangular_solve(inputs, lower, adjoint, unit):
    a, b = inputs
    holds = literal(True, BOOL) if unit else regular(a)
    return all_of(holds), (a if unit else where_holds(holds, a), b), errors.LinAlgError("Singular matrix")


lu_solve.guard, triangular_solve.guard = guard_lu_solve, guard_triangular_solve
lu_solve.fails = triangular_solve.fails = "LinAlgError"
