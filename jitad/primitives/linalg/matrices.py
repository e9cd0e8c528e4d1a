"""Square matrices and stacks of them: what the primitives of linear algebra have in common.

In: operands that are stacks, `[..., n, n]`. Out: checks of their types, the rule that batches them, triangles and unit matrices, and samples.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jitad.ir import errors
from jitad.ir.primitive import Primitive
from jitad.ir.program import Atom
from jitad.ir.types import INT, ArrayType
from jitad.primitives.declare import common_dtype, sample
from jitad.primitives.elementwise.comparisons import eq, ge, le, select
from jitad.primitives.elementwise.complexes import convert
from jitad.primitives.reductions import reduce_and
from jitad.primitives.structural.shaping import all_to_front, broadcast, iota, reshape


def triangle(x: Atom, lower: bool, strict: bool = False) -> Atom:
    """Return `x` with the elements above (`lower`) or below the diagonal zeroed; `strict`: those on it too."""
    row, column = (iota(shape=x.shape, axis=x.ndim - k, dtype=INT) for k in (2, 1))
    if strict:
        row, column = (row - 1, column) if lower else (row + 1, column)
    return select(ge(row, column) if lower else le(row, column), x, 0.0)


def identity(type: ArrayType) -> Atom:
    """Return unit matrices."""
    return convert(eq(*(iota(shape=type.shape, axis=type.ndim - k, dtype=INT) for k in (2, 1))), dtype=type.dtype)


def check_square(name: str, a: ArrayType) -> None:
    common_dtype(name, [a], "fc")
    if a.ndim < 2:
        raise errors.LinAlgError(f"{a.ndim}-dimensional array given. Array must be at least two-dimensional")
    if a.shape[-1] != a.shape[-2]:
        raise errors.LinAlgError("Last 2 dimensions of the array must be square")


def each(x: np.ndarray):
    """Iterate over the indices of the non-empty matrices of a stack."""
    return np.ndindex(x.shape[:-2]) if x.shape[-1] and x.shape[-2] else ()


def batch_stack(primitive: Callable[[], Primitive]) -> Callable:
    """The batching rule of an operation on stacks: one more axis of the stack."""

    def batch(size, inputs, where, **params):
        outputs = primitive()(*all_to_front(size, inputs, where), **params)
        outputs = outputs if primitive().multiple else [outputs]
        return outputs, [0] * len(outputs)

    return batch


def well_conditioned(rng, dtype, shape) -> np.ndarray:
    return sample(rng, dtype, (-1, 1), shape) + (2 * shape[-1] * np.eye(shape[-1])).astype(dtype)


MATRICES = ((1, 1), (3, 3), (2, 3, 3), (0, 0))


def lapack(name: str, a: np.ndarray) -> Callable:
    """Return LAPACK's routine for the dtype of `a`. SciPy is imported here, since that takes longer than importing all of jitad."""
    from scipy.linalg import get_lapack_funcs

    return get_lapack_funcs((name,), (a,))[0]


def where_holds(holds: Atom, a: Atom) -> Atom:
    """Return the matrices where a condition holds, and unit matrices elsewhere."""
    return select(broadcast(reshape(holds, shape=(*holds.shape, 1, 1)), shape=a.shape), a, identity(a.type))


def all_of(holds: Atom) -> Atom:
    return reduce_and(holds, axes=tuple(range(holds.ndim))) if holds.ndim else holds
