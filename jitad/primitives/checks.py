"""Checks when the kernel runs.

In: an int64 scalar and a condition. Out: the scalar; where the condition does not hold, an exception. For `require` it is a number that the
condition is about; for `raise_unless`, which is what the user's `raise` and `assert` are, the *log* (see `print`), so that none is left out.
"""

from __future__ import annotations

import ast

import numpy as np

from jitad.ir import errors
from jitad.ir.intervals import of_operand
from jitad.ir.lowering import Pull
from jitad.ir.primitive import Primitive
from jitad.ir.program import Atom, Literal, literal
from jitad.ir.symbolic import Zero
from jitad.ir.types import BOOL, INT, ArrayType
from jitad.primitives.declare import full, to_front
from jitad.primitives.reductions import reduce_and
from jitad.primitives.structural.indexing import gather
from jitad.primitives.structural.shaping import broadcast

ERRORS = {"value": "ValueError", "index": "IndexError", "room": "RoomError"}


def require_type(x, condition, message, error):
    if x != ArrayType(INT) or condition != ArrayType(BOOL):
        raise errors.InternalError(f"require: {x}, {condition}")
    return x


def evaluate_require(x, condition, message, error):
    if not condition:
        raise errors.class_named(ERRORS[error])(message)
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


def guard_require(inputs, message, error):
    x, condition = inputs
    return condition, (x, literal(True, BOOL)), errors.class_named(ERRORS[error])(message)


require = Primitive(
    "require",
    type=require_type,
    evaluate=evaluate_require,
    jvp=jvp_require,
    batch=batch_require,
    simplify=simplify_require,
    guard=guard_require,
    lower=Pull(require_element),
    samples=lambda rng, dtype: [([np.int64(rng.integers(3, 9)), np.bool_(True)], {"message": "too small", "error": "value"})],
    nonnegative=lambda equation, known: known(equation.inputs[0]),
    bounds=of_operand,
    dtypes="d",
)


# --- what the user raises ---------------------------------------------------------------------------------------------------------


def evaluate_raise_unless(log, condition, error, arguments):
    if not condition:
        raise errors.class_named(error)(*ast.literal_eval(arguments))
    return log


def raising_element(b, index, operands, type, error, arguments):
    """The log is not 0 where an earlier statement has raised: then this one does not."""
    log, condition = operands
    zero = b.const(0, INT)
    wrong = b.select(b.call("eq", log(()), zero), b.select(condition(()), zero, b.const(1, INT)), zero)
    return log(()) + wrong + b.index(b.checked(wrong, 1, text=arguments, error=error))


def batch_raise_unless(size, inputs, axes, **params):
    """All members have to meet the condition."""
    log, condition = (x if axis is None else to_front(x, axis) for x, axis in zip(inputs, axes, strict=True))
    if condition.shape:
        condition = reduce_and(condition, axes=(0,))
    return [raise_unless(log_of(log), condition, **params)], [None]


def log_of(log: Atom) -> Atom:
    """Return one log of those of all members."""
    return gather(log, literal(log.shape[0] - 1, INT)) if log.shape else log


raise_unless = Primitive(
    "raise_unless",
    type=lambda log, condition, error, arguments: require_type(log, condition, arguments, error),
    evaluate=evaluate_raise_unless,
    jvp=lambda inputs, tangents, **params: ([raise_unless(*inputs, **params)], [Zero(ArrayType(INT))]),
    batch=batch_raise_unless,
    simplify=lambda inputs, **params: inputs[0] if isinstance(inputs[1], Literal) and inputs[1].value else None,
    lower=Pull(raising_element),
    samples=lambda rng, dtype: [([np.int64(0), np.bool_(True)], {"error": "builtins:ValueError", "arguments": "('too small',)"})],
    effect=True,
    dtypes="d",
)
