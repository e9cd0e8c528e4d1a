"""``scipy.sparse.linalg``: systems of equations with traced elements, by elimination, and those that products with the matrix alone solve.

In: a matrix, traced or not, or how it is applied; right-hand sides. Out: solutions to rounding. No derivative is taken of the way there: corrections
by what the equations lack, which is zero, follow what the matrix and the right-hand side depend on (see `followed`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jitad.frontend.hooks.own_code import DERIVATIVES, traced_as_users
from jitad.frontend.numpy_api.operands import asarray
from jitad.frontend.operations.promotion import contains_traced
from jitad.frontend.scipy_api.banded import factorised, substituted
from jitad.frontend.scipy_api.options import refuse
from jitad.frontend.scipy_api.sparse_elements import Sparse, is_sparse, sparse_of
from jitad.frontend.scipy_api.systems import ORDERS, constant
from jitad.ir import errors

EXACT, ENOUGH = 1e-14, 1e-10  # parts of the right-hand side that the equations may lack: at best, and for a solution to be one


def followed(apply: Callable, solve: Callable, x, b):
    """Return a solution that follows what a matrix and a right-hand side depend on: each correction makes the derivatives of one more order right."""
    for _ in range(ORDERS):
        rest = b - apply(x)
        x = x + solve(rest - constant(rest))
    return x


def solve(matrix: Sparse, b):
    """Return the solution of a system by elimination, of rows and columns in an order in which few diagonals hold all elements."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    b, n = asarray(b), matrix.shape[0]
    if matrix.shape[0] != matrix.shape[1] or b.shape[0] != n:
        raise errors.ValueError(f"matrix of shape {matrix.shape} and right-hand side of shape {b.shape}")
    pattern = coo_matrix((np.ones(len(matrix.rows)), (matrix.rows, matrix.columns)), matrix.shape).tocsr()
    order = reverse_cuthill_mckee((pattern + pattern.T).tocsr(), symmetric_mode=True)
    place = np.argsort(order)
    rows, columns = place[matrix.rows], place[matrix.columns]
    lower, upper = (int(max(np.max(k, initial=0), 0)) for k in (rows - columns, columns - rows))

    def factors():
        ab = np.zeros_like(matrix.values, np.result_type(matrix.values.dtype, b.dtype, float), shape=(lower + upper + 1, n))
        np.add.at(ab, (upper + rows - columns, columns), matrix.values)
        return factorised(ab, lower, upper)

    known = DERIVATIVES["none"](factors)

    def solve(b):
        sides = (b[:, None] if b.ndim == 1 else b)[order]
        return substituted(*known, sides + np.zeros_like(known[0], shape=()), lower)[place].reshape(b.shape)

    x = followed(lambda x: matrix @ x, solve, DERIVATIVES["none"](lambda: solve(b)), b)
    return x[:, 0] if b.ndim == 2 and b.shape[1] == 1 else x


class Factors:
    """What ``splu`` gives: the matrix, whose elimination is done once however often it is solved for, since it is the same."""

    def __init__(self, matrix: Sparse):
        self.matrix, self.shape = matrix, matrix.shape

    def solve(self, rhs, trans="N"):
        x = solve(self.matrix if trans == "N" else self.matrix.T, rhs)
        return x.reshape(np.shape(rhs))


def splu(A, *options, **others):  # noqa: N803
    return Factors(sparse_of(A))


def factorized(A):  # noqa: N803
    return splu(A).solve


# --- matrices that are applied alone ----------------------------------------------------------------------------------------------------


class Operator:
    """What ``LinearOperator`` makes of functions that take traced values."""

    __array_ufunc__ = None

    def __init__(self, shape, matvec, rmatvec=None, matmat=None, dtype=None, rmatmat=None):
        self.shape, self.matvec, self.rmatvec = tuple(shape), matvec, rmatvec

    def __matmul__(self, x):
        return np.reshape(np.asarray(self.matvec(x)), (self.shape[0],))

    dot = __matmul__


def operator_of(A):  # noqa: N803
    """Return how a matrix is applied."""
    if isinstance(A, Operator):
        return traced_as_users(lambda x: np.reshape(np.asarray(A.matvec(x)) + 0.0, (A.shape[0],)))
    if type(A).__name__ == "_CustomLinearOperator":
        matvec = vars(A)["_CustomLinearOperator__matvec_impl"]
        return traced_as_users(lambda x: np.reshape(np.asarray(matvec(x)) + 0.0, (A.shape[0],)))
    if not (is_sparse(A) or contains_traced(A) or isinstance(A, np.ndarray)):
        raise errors.NotImplementedError(f"a system of a {type(A).__name__} with traced values; write LinearOperator(shape, matvec)")
    matrix = sparse_of(A) if is_sparse(A) else A
    return lambda x: matrix @ x


def transposed(apply: Callable, n: int) -> Callable:
    return lambda y: DERIVATIVES["pullback"](apply, np.zeros(n), y)


@traced_as_users
def conjugate_gradients(apply, precondition, b, count):
    """Hestenes's and Stiefel's method, for matrices that are symmetric and positive definite."""
    x, rest = np.zeros_like(b), b
    better = precondition(rest)
    direction, square = better, np.sum(rest * better)
    aim, trips = EXACT * np.linalg.norm(b), 0
    while np.linalg.norm(rest) > aim and trips < count:
        image = apply(direction)
        length = square / np.sum(direction * image)
        x, rest = x + length * direction, rest - length * image
        better = precondition(rest)
        before, square = square, np.sum(rest * better)
        direction = better + square / before * direction
        trips += 1
    return x


@traced_as_users
def biconjugate_gradients(apply, precondition, b, count):
    """Van der Vorst's method, stabilised, for any matrices."""
    x, rest, shadow = np.zeros_like(b), b, b
    direction, square = b, np.sum(b * b)
    aim, trips, going = EXACT * np.linalg.norm(b), 0, True
    while going and np.linalg.norm(rest) > aim and trips < count:
        better = precondition(direction)
        image = apply(better)
        length = square / np.sum(shadow * image)
        half = rest - length * image
        best = precondition(half)
        turned = apply(best)
        norm = np.sum(turned * turned)
        weight = np.sum(turned * half) / np.where(norm == 0.0, 1.0, norm)
        x, rest = x + length * better + weight * best, half - weight * turned
        before, square = square, np.sum(shadow * rest)
        going = weight != 0.0 and square != 0.0
        if going:
            direction = rest + square / before * length / weight * (direction - weight * image)
        trips += 1
    return x


def iterative(name: str, method: Callable, symmetric: bool) -> Callable:
    def solver(A, b, x0=None, *, rtol=1e-5, atol=0.0, maxiter=None, M=None, callback=None, **options):  # noqa: N803
        refuse(f"sparse.linalg.{name}", callback=(callback, None))
        b = asarray(b) + 0.0
        if b.dtype.kind == "c":
            raise errors.NotImplementedError(f"scipy.sparse.linalg.{name} of complex traced values; write spsolve, or real and imaginary parts")
        shape, b = b.shape, b.reshape(-1)
        apply, better, count = operator_of(A), (lambda x: x) if M is None else operator_of(M), maxiter or 10 * len(b)
        back = (apply, better) if symmetric else (transposed(apply, len(b)), (lambda x: x) if M is None else transposed(better, len(b)))

        def refined(apply, better):
            """Once more for what is lacking after the first run, which its recursions do not see."""
            def run(b):
                x = method(apply, better, b, count)
                return x + method(apply, better, b - apply(x), count)

            return run

        there = refined(apply, better)
        x = DERIVATIVES["none"](lambda: there(b))
        lack = np.linalg.norm(constant(b - apply(x)))
        info = np.where(lack <= np.maximum(np.maximum(ENOUGH, rtol) * np.linalg.norm(b), atol), 0, count)
        x = followed(apply, lambda rest: DERIVATIVES["linear"](there, refined(*back), rest, f"scipy.sparse.linalg.{name}"), x, b)
        return x.reshape(shape), info

    return solver


SYMMETRIC, OTHERS = ("cg", "minres"), ("gmres", "lgmres", "bicg", "bicgstab", "cgs", "gcrotmk", "qmr", "tfqmr")
FUNCTIONS = {
    "LinearOperator": Operator, "splu": splu, "factorized": factorized, **{name: iterative(name, conjugate_gradients, True) for name in SYMMETRIC},
    **{name: iterative(name, biconjugate_gradients, False) for name in OTHERS},
}  # fmt: skip
