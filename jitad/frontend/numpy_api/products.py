"""Products of vectors, matrices and tensors. What sums over an axis goes through the `dot` primitive, and so to BLAS."""

from __future__ import annotations

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from jitad.frontend.arrays.array import Array, promote, wrap
from jitad.frontend.numpy_api.operands import asarray
from jitad.frontend.numpy_api.table import implements, named
from jitad.frontend.operations.promotion import cast
from jitad.ir import errors
from jitad.ir.program import Atom
from jitad.ir.types import INT
from jitad.primitives.products import dot as dot_product
from jitad.primitives.structural.shaping import broadcast, shape_text


def contract(x: Atom, y: Atom, x_axes=(), y_axes=(), x_batch=(), y_batch=()) -> Atom:
    """Sum products over pairs of axes; the result has the batch axes, the rest of `x`, the rest of `y`."""
    if x.dtype.kind == "b":
        counts = contract(cast(x, INT), cast(y, INT), x_axes, y_axes, x_batch, y_batch)
        return cast(counts, np.bool_)
    return dot_product(x, y, contract=(tuple(x_axes), tuple(y_axes)), batch=(tuple(x_batch), tuple(y_batch)))


def operands(a, b) -> list[Atom]:
    return promote(asarray(a), asarray(b))


def check_aligned(x: tuple[int, ...], y: tuple[int, ...]) -> None:
    """Check that the last axis of an array of shape `x` fits the last but one, or the only one, of one of shape `y`."""
    i, j = len(x) - 1, max(len(y) - 2, 0)
    if x[i] != y[j]:
        raise errors.ValueError(f"shapes {shape_text(x)} and {shape_text(y)} not aligned: {x[i]} (dim {i}) != {y[j]} (dim {j})")


@implements(np.dot)
def dot(a, b, out=None):
    x, y = operands(a, b)
    if x.ndim == 0 or y.ndim == 0:
        return wrap(x) * wrap(y)
    check_aligned(x.shape, y.shape)
    return wrap(contract(x, y, [x.ndim - 1], [max(y.ndim - 2, 0)]))


@implements(np.inner)
def inner(a, b, /):
    x, y = operands(a, b)
    if x.ndim == 0 or y.ndim == 0:
        return wrap(x) * wrap(y)
    check_aligned(x.shape, (*y.shape[:-2], *y.shape[:-3:-1]))
    return wrap(contract(x, y, [x.ndim - 1], [y.ndim - 1]))


@implements(np.vdot)
def vdot(a, b, /):
    a, b = asarray(a).ravel(), asarray(b).ravel()
    if a.size != b.size:
        raise errors.ValueError("cannot reshape array of size {} into shape {}".format(*sorted((a.size, b.size), reverse=True)))
    return np.dot(a.conj() if a.dtype.kind == "c" else a, b)


@implements(np.outer)
def outer(a, b, out=None):
    return asarray(a).ravel()[:, None] * asarray(b).ravel()[None, :]


@implements(np.linalg.outer)
def linalg_outer(x1, x2, /):
    x1, x2 = asarray(x1), asarray(x2)
    if x1.ndim != 1 or x2.ndim != 1:
        raise errors.ValueError(f"Input arrays must be one-dimensional, but they are x1.ndim={x1.ndim!r} and x2.ndim={x2.ndim!r}.")
    return np.outer(x1, x2)


# --- matrix products of stacks ----------------------------------------------------------------------------------------------


def stacked_product(name: str, signature: str, a, b, x_core: int, y_core: int) -> Array:
    """A product over the last axes, with NumPy broadcasting of the axes before them.

    `x` ends in [.., k] and `y` in [.., k, ..], as `x_core` and `y_core` (1: a vector, 2: a matrix) say.
    """
    x, y = operands(a, b)
    for number, operand, core in ((0, x, x_core), (1, y, y_core)):
        if operand.ndim < core:
            raise errors.ValueError(f"{name}: Input operand {number} does not have enough dimensions (has {operand.ndim}, gufunc core "
                                    f"with signature {signature} requires {core})")
    i, j = x.ndim - 1, y.ndim - y_core
    if x.shape[i] != y.shape[j]:
        raise errors.ValueError(f"{name}: Input operand 1 has a mismatch in its core dimension 0, with gufunc signature {signature} "
                                f"(size {y.shape[j]} is different from {x.shape[i]})")
    x_stack, y_stack = x.shape[:x.ndim - x_core], y.shape[:j]
    if not y_stack:
        return wrap(contract(x, y, [i], [j]))
    try:
        stack = np.broadcast_shapes(x_stack, y_stack)
    except ValueError:
        raise errors.ValueError("operands could not be broadcast together with remapped shapes [original->remapped]: "
                                f"{shape_text(x.shape)}->({','.join(map(str, x_stack))},newaxis,newaxis) "
                                f"{shape_text(y.shape)}->({','.join(map(str, y_stack))},newaxis,newaxis)") from None
    x, y = (z if z.shape == shape else broadcast(z, shape=shape)
            for z, shape in ((x, stack + x.shape[len(x_stack):]), (y, stack + y.shape[len(y_stack):])))
    batch = range(len(stack))
    return wrap(contract(x, y, [x.ndim - 1], [len(stack)], batch, batch))


@implements(np.matmul, np.linalg.matmul)
def matmul(x1, x2, /, out=None):
    x1, x2 = asarray(x1), asarray(x2)
    for number, x in enumerate((x1, x2)):
        if x.ndim == 0:
            raise errors.ValueError(f"matmul: Input operand {number} does not have enough dimensions (has 0, gufunc core with "
                                    "signature (n?,k),(k,m?)->(n?,m?) requires 1)")
    return stacked_product("matmul", "(n?,k),(k,m?)->(n?,m?)", x1, x2, min(x1.ndim, 2), min(x2.ndim, 2))


@implements(*named("matvec"))
def matvec(x1, x2, /, out=None):
    return stacked_product("matvec", "(m,n),(n)->(m)", x1, x2, 2, 1)


@implements(*named("vecmat"))
def vecmat(x1, x2, /, out=None):
    return stacked_product("vecmat", "(n),(n,m)->(m)", np.conj(x1), x2, 1, 2)


@implements(np.vecdot)
def vecdot(x1, x2, /, out=None, *, axis=-1):
    x1, x2 = asarray(x1), asarray(x2)
    x1, x2 = (np.moveaxis(x, normalize_axis_index(axis, x.ndim), -1) for x in (x1, x2))
    return stacked_product("vecdot", "(n),(n)->()", np.conj(x1), x2, 1, 1)


@implements(np.linalg.vecdot)
def linalg_vecdot(x1, x2, /, *, axis=-1):
    return vecdot(x1, x2, axis=axis)


# --- tensors ------------------------------------------------------------------------------------------------------------------


@implements(np.tensordot, np.linalg.tensordot)
def tensordot(a, b, axes=2):
    x, y = operands(a, b)
    if np.ndim(axes) == 0 and not isinstance(axes, list | tuple):
        x_axes, y_axes = list(range(x.ndim - axes, x.ndim)), list(range(axes))
    else:
        x_axes, y_axes = ([k] if np.ndim(k) == 0 else list(k) for k in axes)
    if len(x_axes) != len(y_axes) or any(x.shape[i] != y.shape[j] for i, j in zip(x_axes, y_axes, strict=True)):
        raise errors.ValueError("shape-mismatch for sum")
    return wrap(contract(x, y, [i % x.ndim for i in x_axes], [j % y.ndim for j in y_axes]))


@implements(np.kron)
def kron(a, b):
    a, b = asarray(a), asarray(b)
    ndim = max(a.ndim, b.ndim)
    rows, columns = ((1,) * (ndim - x.ndim) + x.shape for x in (a, b))
    spread = a.reshape([n for extent in rows for n in (extent, 1)]) * b.reshape([n for extent in columns for n in (1, extent)])
    return spread.reshape([m * n for m, n in zip(rows, columns, strict=True)])


@implements(np.cross)
def cross(a, b, axisa=-1, axisb=-1, axisc=-1, axis=None):
    a, b = asarray(a), asarray(b)
    if a.ndim < 1 or b.ndim < 1:
        raise errors.ValueError("At least one array has zero dimension")
    if axis is not None:
        axisa = axisb = axisc = axis
    a = np.moveaxis(a, normalize_axis_index(axisa, a.ndim, "axisa"), -1)
    b = np.moveaxis(b, normalize_axis_index(axisb, b.ndim, "axisb"), -1)
    if not {a.shape[-1], b.shape[-1]} <= {2, 3}:
        raise errors.ValueError("incompatible dimensions for cross product\n(dimension must be 2 or 3)")
    (a0, a1, a2), (b0, b1, b2) = ([x[..., k] if k < x.shape[-1] else None for k in range(3)] for x in (a, b))

    def minus(x, y, z, w):
        """x y - z w, where a factor that is None stands for 0."""
        if x is None or y is None:
            return -(z * w)
        return x * y if z is None or w is None else x * y - z * w

    last = minus(a0, b1, a1, b0)
    if a2 is None and b2 is None:
        return last
    result = np.stack([minus(a1, b2, a2, b1), minus(a2, b0, a0, b2), last], -1)
    return np.moveaxis(result, -1, normalize_axis_index(axisc, result.ndim, "axisc"))
