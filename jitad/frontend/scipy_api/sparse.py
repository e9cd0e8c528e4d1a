"""``scipy.sparse``: products of sparse matrices with traced arrays, and solutions of sparse systems with traced right-hand sides.

In: a matrix that is known when the function is traced, in any of SciPy's formats. Out: what SciPy gives, by loops over the elements that are stored.
Invariant: elements are read at each call, as those of any array are; where they lie, and what a factorisation is made of, is pinned.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jitad.frontend.arrays.array import Array
from jitad.frontend.hooks.own_code import traced_as_users
from jitad.frontend.numpy_api.operands import asarray
from jitad.frontend.operations.promotion import contains_traced
from jitad.frontend.scipy_api import sparse_elements, sparse_systems
from jitad.frontend.scipy_api.sparse_elements import Sparse, is_sparse, operand, product, spread
from jitad.frontend.tracing.captures import active
from jitad.frontend.tracing.trace import pin
from jitad.ir import errors

# --- products -------------------------------------------------------------------------------------------------------------------


def matmul(matrix, x):
    """Return ``matrix @ x`` for `x` with one or two dimensions."""
    if is_sparse(x) or not contains_traced(x):
        return NotImplemented
    x, apply = operand(x, matrix.shape), PRODUCTS.get(matrix.format)
    if apply is None:
        raise errors.NotImplementedError(f"the product of a sparse matrix of format {matrix.format!r} with a traced array; make it one of "
                                         "format 'csr' before, by matrix.tocsr()")
    pin_sources(matrix, matrix.data)
    return apply(matrix, x, np.result_type(matrix.dtype, x.dtype))


def rmatmul(matrix, x):
    """Return ``x @ matrix``."""
    if is_sparse(x) or not contains_traced(x):
        return NotImplemented
    return matmul(matrix.T, np.transpose(x)).T


def times(matrix, x):
    """Return ``matrix * x``, which for matrices, unlike sparse arrays, is a product with anything but a number."""
    if isinstance(x, Array) and x.ndim == 0:
        raise no_traced_elements()
    return matmul(matrix, x)


def rtimes(matrix, x):
    if isinstance(x, Array) and x.ndim == 0:
        raise no_traced_elements()
    return rmatmul(matrix, x)


def elementwise(matrix, x):
    raise no_traced_elements()


def no_traced_elements() -> Exception:
    return errors.NotImplementedError("a sparse matrix cannot hold traced elements; multiply the array that it is applied to, or write the "
                                      "product as a loop over the elements")


@traced_as_users
def by_rows(data, columns, starts, x, result):
    for i in range(len(starts) - 1):
        total = np.zeros_like(result[i])
        for k in range(starts[i], starts[i + 1]):
            total = total + data[k] * x[columns[k]]
        result[i] = total
    return result


@traced_as_users
def by_columns(data, rows, starts, x, result):
    for j in range(len(starts) - 1):
        for k in range(starts[j], starts[j + 1]):
            result[rows[k]] += data[k] * x[j]
    return result


def seen(array: np.ndarray):
    """Return what the trace sees of an array of a matrix."""
    return active.captures.array(array)


def room_for(matrix, x: Array, dtype: np.dtype) -> Array:
    return asarray(np.zeros((matrix.shape[0], *x.shape[1:]), dtype)) + x.dtype.type(0)


def compressed(loop: Callable) -> Callable:
    def of_compressed(matrix, x, dtype):
        return loop(*map(seen, (matrix.data, matrix.indices, matrix.indptr)), x, room_for(matrix, x, dtype))

    return of_compressed


def of_coordinates(matrix, x, dtype):
    return product(matrix.shape, *map(seen, (matrix.row, matrix.col, matrix.data)), x)


def of_diagonals(matrix, x, dtype):
    """Element (j - k, j) of the k-th diagonal is the j-th of its row of the data."""
    result, (rows, columns) = room_for(matrix, x, dtype), matrix.shape
    for diagonal, k in zip(seen(matrix.data), pin(matrix.offsets).tolist(), strict=True):
        first, end = max(k, 0), min(columns, rows + k, len(diagonal))
        if first < end:
            result[first - k : end - k] += spread(diagonal[first:end], x) * x[first:end]
    return result


def of_blocks(matrix, x, dtype):
    return PRODUCTS["csr"](pinned(matrix).tocsr(), x, dtype)


def pinned(matrix):
    """Return a matrix, noting that its elements decide the course of the trace."""
    for array in vars(matrix).values():
        if isinstance(array, np.ndarray):
            pin(array)
    return matrix


def pin_sources(x, *arrays: np.ndarray) -> None:
    """Pin the matrices that `x` may have been made from while the function was traced, unless its arrays are the same memory."""
    captures = active.captures
    outside = any(guard.value is x for guard in captures.guards.values())
    sources = [] if outside else [y for y in captures.watched.values() if is_sparse(y) and y is not x]
    if not any(np.may_share_memory(array, y.data) for array in arrays for y in sources if isinstance(y.data, np.ndarray)):
        for y in sources:
            pinned(y)


PRODUCTS = {"csr": compressed(by_rows), "csc": compressed(by_columns), "coo": of_coordinates, "dia": of_diagonals, "bsr": of_blocks}


# --- systems --------------------------------------------------------------------------------------------------------------------


def spsolve(A, b, permc_spec=None, use_umfpack=True):  # noqa: N803
    """Return the solution of ``A x = b``; the matrix is factorised when the function is traced."""
    from scipy.sparse.linalg import splu

    if isinstance(A, Sparse):
        return sparse_systems.solve(A, b)
    pin_sources(A)
    stored = pinned(A).tocsc()
    b = asarray(b)
    x = solved(splu(stored, permc_spec=permc_spec), b.reshape(len(b), -1) if b.ndim == 2 else b)
    return x[:, 0] if b.ndim == 2 and b.shape[1] == 1 else x


def solved(factors, rhs, trans="N"):
    """Return the solution of a system by factors of its matrix, which are P A Q = L U."""
    if trans != "N":
        raise errors.NotImplementedError(f"trans={trans!r} of a traced right-hand side; factorise the transposed matrix")
    b = asarray(rhs)
    if b.ndim not in (1, 2) or b.shape[0] != factors.shape[0]:
        raise errors.ValueError("rhs is of incompatible size")
    pin_sources(factors)
    lower, upper = (matrix.sorted_indices() for matrix in (factors.L, factors.U))
    x = b[np.argsort(factors.perm_r)].astype(np.result_type(lower.dtype, b.dtype))
    return substituted(lower.data, lower.indices, lower.indptr, upper.data, upper.indices, upper.indptr, x)[factors.perm_c]


@traced_as_users
def substituted(lower, lower_rows, lower_starts, upper, upper_rows, upper_starts, x):
    """The diagonal comes first in a column of the lower factor, where it is 1, and last in one of the upper factor."""
    for j in range(len(lower_starts) - 1):
        for k in range(lower_starts[j] + 1, lower_starts[j + 1]):
            x[lower_rows[k]] -= lower[k] * x[j]
    for j in range(len(upper_starts) - 2, -1, -1):
        last = upper_starts[j + 1] - 1
        x[j] = x[j] / upper[last]
        for k in range(upper_starts[j], last):
            x[upper_rows[k]] -= upper[k] * x[j]
    return x


FUNCTIONS = {
    "_spbase.__matmul__": matmul, "_spbase.__rmatmul__": rmatmul, "_spbase.dot": matmul, "_coo_base.dot": matmul, "_spbase.multiply": elementwise,
    "_dia_base.multiply": elementwise, "_spbase.__mul__": elementwise, "_spbase.__rmul__": elementwise, "spmatrix.__mul__": times,
    "spmatrix.__rmul__": rtimes, "spsolve": spsolve, **sparse_elements.FUNCTIONS, **sparse_systems.FUNCTIONS,
}  # fmt: skip
