"""Places in arrays as one number and as one number for each axis."""

from __future__ import annotations

import math

import numpy as np

from jitad.frontend.arrays.array import wrap
from jitad.frontend.numpy_api.operands import asarray
from jitad.frontend.numpy_api.table import implements
from jitad.frontend.operations.powers import required
from jitad.frontend.operations.promotion import cast
from jitad.ir import errors
from jitad.ir.types import INT
from jitad.primitives.reductions import reduce_and


def strides(shape: tuple[int, ...], order: str) -> list[int]:
    """Return how many elements neighbours along each axis are apart."""
    if order not in ("C", "F"):
        raise errors.ValueError("only 'C' or 'F' order is permitted")
    return [math.prod(shape[k + 1:] if order == "C" else shape[:k]) for k in range(len(shape))]


def within(index, extent: int, message: str):
    """Return integers that are places of an axis; others are an error when the compiled function runs."""
    inside = (index >= 0) & (index < extent)
    return wrap(required(cast(index.atom, INT), reduce_and(inside.atom, axes=tuple(range(index.ndim))), message))


@implements(np.unravel_index)
def unravel_index(indices, shape, order="C"):
    shape = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
    indices, size = asarray(indices), math.prod(shape)
    if indices.dtype.kind not in "iu":
        raise errors.TypeError("only int indices permitted")
    indices = within(indices, size, f"an index of np.unravel_index is out of bounds for array with size {size}")
    return tuple(indices // apart % extent for apart, extent in zip(strides(shape, order), shape, strict=True))


@implements(np.ravel_multi_index)
def ravel_multi_index(multi_index, dims, mode="raise", order="C"):
    dims = (dims,) if isinstance(dims, int | np.integer) else tuple(dims)
    indices = [asarray(index) for index in multi_index]
    modes = (mode,) * len(dims) if isinstance(mode, str) else tuple(mode)
    if len(indices) != len(dims):
        raise errors.ValueError(f"parameter multi_index must be a sequence of length {len(dims)}")
    places = [moved(index, extent, how) for index, extent, how in zip(indices, dims, modes, strict=True)]
    return sum(place * apart for place, apart in zip(places, strides(dims, order), strict=True))


def moved(index, extent: int, mode: str):
    """Return places of an axis; `mode` says what becomes of those that are none."""
    if index.dtype.kind not in "iu":
        raise errors.TypeError("only int indices permitted")
    if mode == "raise":
        return within(index, extent, "invalid entry in coordinates array")
    return np.clip(index, 0, extent - 1) if mode == "clip" else index % extent
