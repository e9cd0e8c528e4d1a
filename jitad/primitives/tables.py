"""Numbers that passes put into Programs: `table`, a row of integers, and `bounded`, an integer that is known to be small."""

from __future__ import annotations

import numpy as np

from jitad.ir.lowering import Library
from jitad.ir.primitive import Primitive
from jitad.ir.types import INT, ArrayType
from jitad.primitives.declare import elementwise

table = Primitive(
    "table",
    type=lambda values: ArrayType(INT, (len(values),)),
    evaluate=lambda values: np.array(values, INT),
    batch=lambda size, inputs, axes, values: ([table(values=values)], [None]),
    lower=Library("table"),
    samples=lambda rng, dtype: [([], {"values": (3, -1, 4)}), ([], {"values": ()})],
    dtypes="l",
)

bounded = elementwise(
    "bounded",
    lambda i, extent: np.clip(i, 0, extent - 1),
    kinds="i",
    cost=0.5,
    element=lambda b, i, extent: b.bounded(i, extent),
    bounds=lambda equation, i: (0, equation.params["extent"] - 1),
    samples=lambda rng, dtype: [([rng.integers(0, 5, shape)], {"extent": 5}) for shape in ((), (2, 3))],
)
