"""Sorting: the order of the elements along the last axis.

A sorted array is the array read in that order, so everything else about sorting, derivatives included, is that of `gather`.
"""

from __future__ import annotations

import numpy as np

from jitad.ir.lowering import Library
from jitad.ir.primitive import Primitive
from jitad.ir.symbolic import Zero
from jitad.ir.types import INT, ArrayType
from jitad.primitives.declare import common_dtype, sample, to_front


def argsort_type(x):
    common_dtype("argsort", [x], "biuf")
    return ArrayType(INT, x.shape)


def jvp_argsort(inputs, tangents):
    result = argsort(*inputs)
    return [result], [Zero(result.type)]


def samples(rng, dtype):
    """Some with ties, some with NaN."""
    arrays = [sample(rng, dtype, shape=shape) for shape in ((5,), (3, 4), (2, 1, 7), (1,), (2, 0), (40,))]
    arrays.append(np.round(sample(rng, dtype, shape=(2, 17)).astype(float)).astype(dtype))
    if np.dtype(dtype).kind == "f":
        arrays.append(np.where(rng.random((2, 9)) < 0.3, np.nan, sample(rng, dtype, shape=(2, 9))).astype(dtype))
    return [([x], {}) for x in arrays]


argsort = Primitive(
    "argsort",
    type=argsort_type,
    evaluate=lambda x: np.argsort(x, -1, kind="stable"),
    jvp=jvp_argsort,
    batch=lambda size, inputs, axes: ([argsort(to_front(inputs[0], axes[0]))], [0]),
    lower=Library("argsort"),
    samples=samples,
    bounds=lambda equation, x: (0, equation.inputs[0].shape[-1] - 1),
    dtypes="dfl?",
)
