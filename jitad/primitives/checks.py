"""Checks of numbers when the kernel runs.

In: an int64 scalar and a condition on it. Out: the scalar; where the condition does not hold, an exception with a message.
"""

from __future__ import annotations

import numpy as np

from jitad.ir import errors
from jitad.ir.lowering import Pull
from jitad.ir.primitive import Primitive
from jitad.ir.program import Literal
from jitad.ir.symbolic import Zero
from jitad.ir.types import BOOL, INT, ArrayType
from jitad.primitives.declare import full, to_front
from jitad.primitives.reductions import reduce_and
from jitad.primitives.shaping import broadcast

ERRORS = {"value": errors.ValueError, "index": errors.IndexError, "room": errors.RoomError}


def require_type(x, condition, message, error):
    if x != ArrayType(INT) or condition != ArrayType(BOOL):
        raise errors.InternalError(f"require: {x}, {condition}")
    return x


def evaluate_require(x, condition, message, error):
    if not condition:
        raise ERRORS[error](message)
    return x


def require_element(b, index, operands, type, message, error):
    x, condition = operands
    wrong = b.select(condition(()), b.const(0, INT), b.const(1, INT))
    return x(()) + b.index(b.checked(wrong, 1, text=message, error=ERRORS[error]))


def jvp_require(inputs, tangents, **params):
    result = require(*inputs, **params)
    return [result], [Zero(result.type)]


def batch_require(size, inputs, axes, **params):
    """All members have to meet the condition."""
    x, condition = (x if axis is None else to_front(x, axis) for x, axis in zip(inputs, axes, strict=True))
    if condition.shape:
        condition = reduce_and(condition, axes=(0,))
    certain = require(full(0, ArrayType(INT)), condition, **params)
    return [broadcast(x, shape=(size,)) + certain if not x.shape else x + certain], [0]


def simplify_require(inputs, message, error):
    x, condition = inputs
    return x if isinstance(condition, Literal) and condition.value else None


require = Primitive(
    "require",
    type=require_type,
    evaluate=evaluate_require,
    jvp=jvp_require,
    batch=batch_require,
    simplify=simplify_require,
    lower=Pull(require_element),
    samples=lambda rng, dtype: [([np.int64(rng.integers(3, 9)), np.bool_(True)], {"message": "too small", "error": "value"})],
    nonnegative=lambda equation, known: known(equation.inputs[0]),
    dtypes="d",
)
