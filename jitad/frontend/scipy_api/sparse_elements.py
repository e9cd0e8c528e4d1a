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

    def __matmul__(self, x):
        return product(self.shape, self.rows, self.columns, self.values, operand(x, self.shape))

    def __rmatmul__(self, x):
        return (self.T @ asarray(x).T).T

    dot = __matmul__

    def refuse(self, name: str):
        raise errors.NotImplementedError(f"jitad does not know {name} of sparse arrays with traced elements; use @, or .toarray()")

    def __mul__(self, x):
        return self @ x if self.matrix else self.refuse("*")

    def __rmul__(self, x):
        return x @ self if self.matrix else self.refuse("*")

    @property
    def T(self):  # noqa: N802
        return Sparse(self.columns, self.rows, self.values, self.shape[::-1], self.matrix)

    def toarray(self):
        total = np.zeros_like(self.values, shape=self.shape)
        np.add.at(total, (self.rows, self.columns), self.values)
        return total

    def tocsr(self):
        return self

    tocsc = tocoo = tocsr


def made(form: str, kind: str) -> Callable:
    """What makes a matrix of traced elements: ``(values, (rows, columns))``, ``(values, indices, indptr)``, or an array."""

    def make(arg1, shape=None, dtype=None, copy=False, **options):
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


def diags_array(diagonals, /, *, offsets=0, shape=None, format=None, dtype=None):
    return diags(diagonals, offsets, shape, matrix=False)


FUNCTIONS: dict[str, Callable] = {
    "diags": diags, "diags_array": diags_array,
    **{f"{form}_{kind}": made(form, kind) for form in ("csr", "csc", "coo") for kind in ("matrix", "array")},
}  # fmt: skip
