"""An array whose elements are all written before they are read."""

from __future__ import annotations

import numpy as np

from jitad.ir.lowering import Undefined
from jitad.ir.primitive import Primitive
from jitad.ir.types import ArrayType

empty = Primitive(
    "empty",
    type=lambda shape, dtype: ArrayType(np.dtype(dtype), tuple(shape)),
    evaluate=lambda shape, dtype: np.zeros(shape, dtype),
    batch=None,
    lower=Undefined(),
)
