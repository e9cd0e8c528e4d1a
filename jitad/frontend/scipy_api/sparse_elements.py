"""``scipy.sparse``: matrices with traced elements, made in the traced function, and their products.

Where the elements are is known when the function is traced. Those of one place are added up.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable

import numpy as np

from jitad.frontend.arrays.array import Array
from jitad.frontend.numpy_api.operands import asarray, concrete
from jitad.frontend.tracing.trace import pin
from jitad.ir import errors


def structure(x) -> np.ndarray:
    return concrete(x, "a sparse matrix", "the structure")


def spread_out(indptr: np.ndarray) -> np.ndarray:
    """Return the row (or column) of each element."""
    return np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))


def operand(x, shape: tuple[int, int]) -> Array:
    """Return what a sparse matrix of a shape is multiplied with, which has one axis or two."""
    x = asarray(x)
    if x.ndim not in (1, 2):
        raise errors.NotImplementedError(f"the product of a sparse matrix with a traced array of {x.ndim} dimensions; write one for each matrix")
    if x.shape[0] != shape[1]:
        raise errors.ValueError(f"dimension mismatch: a sparse matrix of shape {shape} times an array of shape {x.shape}")
    return x


def spread(elements, x: Array):
    """Return elements with as many axes as `x`, the first of which is theirs."""
    return elements.reshape(-1, *(1,) * (x.ndim - 1))


def product(shape: tuple[int, int], rows, columns, values, x: Array) -> Array:
    """Return the product with a vector, or with the columns of a matrix; elements of one place are added up."""
    terms = spread(values, x) * x[columns]
    total = np.zeros_like(terms, shape=(shape[0], *x.shape[1:]))
    np.add.at(total, rows, terms)
    return total


class Sparse:
    """A matrix with traced elements; those of one place are added up."""

    __array_ufunc__ = None

    def __init__(self, rows, columns, values, shape, matrix: bool):
        self.rows, self.columns, self.values, self.shape, self.matrix = rows, columns, asarray(values), tuple(shape), matrix

    def __getattr__(self, name):
        raise errors.AttributeError(f"jitad does not know the attribute {name!r} of sparse matrices with traced elements; it knows products, sums, "
                                    "multiples, T, diagonal, sum and toarray")

    ndim, format = 2, "coo"

    @property
    def dtype(self):
        return self.values.dtype

    def with_values(self, values):
        return Sparse(self.rows, self.columns, values, self.shape, self.matrix)

    def __matmul__(self, x):
        if is_sparse(x):
            return joined(self, x)
        return product(self.shape, self.rows, self.columns, self.values, operand(x, self.shape))

    def __rmatmul__(self, x):
        if is_sparse(x):
            return joined(x, self)
        return (self.T @ asarray(x).T).T

    dot = __matmul__

    def refuse(self, name: str):
        raise errors.NotImplementedError(f"jitad does not know {name} of sparse arrays with traced elements; use @, or .toarray()")

    def __mul__(self, x):
        if np.ndim(x) == 0 and not is_sparse(x):
            return self.with_values(self.values * x)
        return self @ x if self.matrix else self.refuse("*")

    def __rmul__(self, x):
        return self * x if np.ndim(x) == 0 and not is_sparse(x) else x @ self if self.matrix else self.refuse("*")

    def __truediv__(self, x):
        return self.with_values(self.values / x) if np.ndim(x) == 0 else self.refuse("/")

    def __neg__(self):
        return self.with_values(-self.values)

    def __add__(self, x):
        if not is_sparse(x):
            return self.toarray() + x
        x = sparse_of(x)
        return Sparse(np.concatenate([self.rows, x.rows]), np.concatenate([self.columns, x.columns]), np.concatenate([self.values, x.values]),
                      same_shape(self, x), self.matrix)

    __radd__ = __add__

    def __sub__(self, x):
        return self + -x

    def __rsub__(self, x):
        return -self + x

    def diagonal(self, k=0):
        return np.diagonal(self.toarray(), k)

    def sum(self, axis=None):
        return self.toarray().sum(axis)

    def transpose(self):
        return self.T

    def copy(self):
        return self

    @property
    def T(self):  # noqa: N802
        return Sparse(self.columns, self.rows, self.values, self.shape[::-1], self.matrix)

    def toarray(self):
        total = np.zeros_like(self.values, shape=self.shape)
        np.add.at(total, (self.rows, self.columns), self.values)
        return total

    def tocsr(self, copy=False):
        return self

    tocsc = tocoo = asformat = tocsr
    todense = toarray


def is_sparse(x) -> bool:
    """Return whether `x` is a matrix of SciPy's, which is not imported for that, or one of traced elements."""
    module = sys.modules.get("scipy.sparse")
    return isinstance(x, Sparse) or module is not None and module.issparse(x)


def sparse_of(x) -> Sparse:
    """Return a matrix of SciPy's, or an array, as one of elements that are traced or might be."""
    if isinstance(x, Sparse):
        return x
    if not is_sparse(x):
        dense = asarray(x)
        rows, columns = (k.ravel() for k in np.indices(dense.shape))
        return Sparse(rows, columns, dense.ravel(), dense.shape, True)
    x = x.tocoo()
    for array in (x.row, x.col, x.data):
        pin(array)
    return Sparse(x.row, x.col, x.data, x.shape, True)


def same_shape(one, other) -> tuple[int, int]:
    if one.shape != other.shape:
        raise errors.ValueError("inconsistent shapes")
    return one.shape


def joined(one, other) -> Sparse:
    """Return the product of two matrices: an element for each pair of elements that meet."""
    one, other = sparse_of(one), sparse_of(other)
    if one.shape[1] != other.shape[0]:
        raise errors.ValueError("dimension mismatch")
    order = np.argsort(other.rows, kind="stable")
    starts = np.searchsorted(other.rows[order], np.arange(other.shape[0] + 1))
    counts = np.diff(starts)[one.columns]
    first = np.repeat(np.arange(len(one.rows)), counts)
    second = order[np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts - starts[one.columns], counts)]
    return Sparse(one.rows[first], other.columns[second], one.values[first] * other.values[second], (one.shape[0], other.shape[1]), one.matrix)


def kron(A, B, format=None):  # noqa: N803
    one, other = sparse_of(A), sparse_of(B)
    (m, n), first, second = other.shape, np.arange(len(one.rows)).repeat(len(other.rows)), np.tile(np.arange(len(other.rows)), len(one.rows))
    return Sparse(one.rows[first] * m + other.rows[second], one.columns[first] * n + other.columns[second],
                  one.values[first] * other.values[second], (one.shape[0] * m, one.shape[1] * n), one.matrix)


def bmat(blocks, format=None, dtype=None):
    """The matrix made of blocks; None stands for zeros."""
    blocks = [[None if x is None else sparse_of(x) for x in row] for row in blocks]
    heights = [next(x.shape[0] for x in row if x is not None) for row in blocks]
    widths = [next(x.shape[1] for x in column if x is not None) for column in zip(*blocks, strict=True)]
    tops, lefts = np.cumsum([0, *heights]), np.cumsum([0, *widths])
    known = [(i, j, x) for i, row in enumerate(blocks) for j, x in enumerate(row) if x is not None]
    if any(x.shape != (heights[i], widths[j]) for i, j, x in known):
        raise errors.ValueError("blocks have incompatible dimensions")
    return Sparse(np.concatenate([x.rows + tops[i] for i, _, x in known]), np.concatenate([x.columns + lefts[j] for _, j, x in known]),
                  np.concatenate([x.values for *_, x in known]), (int(tops[-1]), int(lefts[-1])), True)


def vstack(blocks, format=None, dtype=None):
    return bmat([[x] for x in blocks])


def hstack(blocks, format=None, dtype=None):
    return bmat([list(blocks)])


def block_diag(mats, format=None, dtype=None):
    return bmat([[x if i == j else None for j in range(len(mats))] for i, x in enumerate(mats)])


def made(form: str, kind: str) -> Callable:
    """What makes a matrix of traced elements: ``(values, (rows, columns))``, ``(values, indices, indptr)``, or an array."""

    def make(arg1, shape=None, dtype=None, copy=False, **options):
        if isinstance(arg1, Sparse):
            return arg1
        with contextlib.suppress(errors.ConcreteValueError):
            numbers = concrete(arg1, "a sparse matrix", "the elements")
            return getattr(sys.modules["scipy.sparse"], f"{form}_{kind}")(numbers, shape, dtype, copy, **options)
        if isinstance(arg1, tuple) and len(arg1) == 2 and isinstance(arg1[1], tuple | list):
            values, (rows, columns) = arg1
            rows, columns = (structure(np.asarray(k)) for k in (rows, columns))
        elif isinstance(arg1, tuple) and len(arg1) == 3:
            values, indices, indptr = arg1
            indices, along = structure(np.asarray(indices)), spread_out(structure(np.asarray(indptr)))
            rows, columns = (along, indices) if form != "csc" else (indices, along)
            if shape is None:
                raise errors.NotImplementedError("scipy.sparse of traced elements: pass the shape")
        else:
            dense = asarray(arg1)
            rows, columns = (k.ravel() for k in np.indices(dense.shape))
            values, shape = dense.ravel(), dense.shape
        if shape is None:
            shape = (int(rows.max()) + 1, int(columns.max()) + 1)
        return Sparse(rows, columns, values, shape, kind == "matrix")

    return make


def diags(diagonals, offsets=0, shape=None, format=None, dtype=None, matrix=True):
    one = np.ndim(offsets) == 0
    diagonals = [diagonals if np.ndim(diagonals) == 1 or isinstance(diagonals, Array) else diagonals[0]] if one else list(diagonals)
    offsets = [int(k) for k in np.atleast_1d(offsets)]
    size = len(asarray(diagonals[0])) + abs(offsets[0])
    shape = (size, size) if shape is None else shape
    rows, columns, values = [], [], []
    for k, diagonal in zip(offsets, diagonals, strict=True):
        count = min(shape[0] + min(k, 0), shape[1] - max(k, 0))
        place = np.arange(count)
        rows.append(place - min(k, 0))
        columns.append(place + max(k, 0))
        values.append(np.broadcast_to(asarray(diagonal), (count,)) if np.size(diagonal) == 1 else asarray(diagonal)[:count])
    return Sparse(np.concatenate(rows), np.concatenate(columns), np.concatenate(values), shape, matrix)


def spdiags(data, diags, m=None, n=None, format=None):
    raise errors.NotImplementedError("scipy.sparse.spdiags of traced elements; write scipy.sparse.diags(diagonals, offsets), whose diagonals are as "
                                     "long as those of the matrix")


def diags_array(diagonals, /, *, offsets=0, shape=None, format=None, dtype=None):
    return diags(diagonals, offsets, shape, matrix=False)


FUNCTIONS: dict[str, Callable] = {
    "kron": kron, "bmat": bmat, "block_array": bmat, "vstack": vstack, "hstack": hstack, "block_diag": block_diag, "spdiags": spdiags,
    "diags": diags, "diags_array": diags_array,
    **{f"{form}_{kind}": made(form, kind) for form in ("csr", "csc", "coo") for kind in ("matrix", "array")},
}  # fmt: skip
