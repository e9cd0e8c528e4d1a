"""Diagonals, triangles, and matrices made from vectors."""

from __future__ import annotations

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from jitad.frontend.arrays.array import Array, to_atom, wrap
from jitad.frontend.arrays.views import Reshape
from jitad.frontend.numpy_api.operands import asarray, filled
from jitad.frontend.numpy_api.table import implements
from jitad.ir import errors
from jitad.ir.types import INT
from jitad.primitives.elementwise.comparisons import ge, select
from jitad.primitives.structural.boxes import embed
from jitad.primitives.structural.shaping import iota, reshape


@implements(np.diagonal)
def diagonal(a, offset=0, axis1=0, axis2=1):
    """In C order, the elements of a diagonal of an n x m matrix lie m + 1 apart."""
    a = asarray(a)
    if a.ndim < 2:
        raise errors.ValueError("diag requires an array of at least two dimensions")
    row, column = (normalize_axis_index(axis, a.ndim) for axis in (axis1, axis2))
    if row == column:
        raise errors.ValueError("axis1 and axis2 cannot be the same")
    a = np.moveaxis(a, (row, column), (-2, -1))
    n, m = a.shape[-2:]
    count = max(min(n + min(offset, 0), m - max(offset, 0)), 0)
    start = offset if offset >= 0 else -offset * m
    flat = a.through(Reshape((*a.shape[:-2], n * m)))
    return flat[..., start:start + max(count - 1, 0) * (m + 1) + 1:m + 1] if count else flat[..., :0]


@implements(np.linalg.diagonal)
def linalg_diagonal(x, /, *, offset=0):
    return np.diagonal(asarray(x), offset, -2, -1)


@implements(np.trace)
def trace(a, offset=0, axis1=0, axis2=1, dtype=None, out=None):
    return np.sum(np.diagonal(asarray(a), offset, axis1, axis2), -1, dtype)


@implements(np.linalg.trace)
def linalg_trace(x, /, *, offset=0, dtype=None):
    return np.trace(asarray(x), offset, -2, -1, dtype)


@implements(np.diag)
def diag(v, k=0):
    v = asarray(v)
    if v.ndim == 2:
        return np.diagonal(v, k)
    if v.ndim != 1:
        raise errors.ValueError("Input must be 1- or 2-d.")
    n = v.shape[0] + abs(k)
    flat = embed(to_atom(v), start=(k if k >= 0 else -k * n,), step=(n + 1,), shape=(n * n,))
    return wrap(reshape(flat, shape=(n, n)))


@implements(np.diagflat)
def diagflat(v, k=0):
    return np.diag(asarray(v).ravel(), k)


def triangle(m, k: int, lower: bool) -> Array:
    x = to_atom(asarray(m))
    if x.ndim == 0:
        raise errors.TypeError("tri() missing 1 required positional argument: 'N'")
    square = (*x.shape[:-2], *(x.shape * 2)[-2:]) if x.ndim == 1 else x.shape
    row, column = (iota(shape=square, axis=len(square) - back, dtype=INT) for back in (2, 1))
    inside = ge(row + k, column) if lower else ge(column, row + k)
    return wrap(select(inside, x, filled(0, (), x.dtype)))


@implements(np.tril)
def tril(m, k=0):
    return triangle(m, k, lower=True)


@implements(np.triu)
def triu(m, k=0):
    return triangle(m, k, lower=False)


@implements(np.vander)
def vander(x, N=None, increasing=False):
    x = asarray(x)
    if x.ndim != 1:
        raise errors.ValueError("x must be a one-dimensional array or sequence.")
    count = len(x) if N is None else N
    if count <= 0:
        return np.zeros_like(x, shape=(len(x), 0), dtype=np.result_type(x.dtype, int))
    powers = [np.ones_like(x, dtype=np.result_type(x.dtype, int))]
    while len(powers) < count:
        powers.append(powers[-1] * x)
    return np.stack(powers if increasing else powers[::-1], 1)
