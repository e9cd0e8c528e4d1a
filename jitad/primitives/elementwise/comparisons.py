"""Comparisons, logic, classification and selection, one row each. Their results are boolean but for `select` and the extrema."""

from __future__ import annotations

import numpy as np

from jitad.ir.intervals import of_choice
from jitad.ir.program import Atom
from jitad.ir.symbolic import Masked, Zero, is_zero
from jitad.ir.types import BOOL, ArrayType, broadcast_shapes
from jitad.primitives.declare import (
    add_tangents,
    common_dtype,
    elementwise,
    fit,
    full,
    in_shape_of,
    is_linear,
    sample,
    to_bool,
    uniform,
)

ALL = "biufc"
ORDERED = "biuf"
INTEGERS = "biu"

eq = elementwise("eq", np.equal, kinds=ALL, result=to_bool, arity=2)
ne = elementwise("ne", np.not_equal, kinds=ALL, result=to_bool, arity=2, simplify=lambda inputs: simplify_ne(inputs))
lt = elementwise("lt", np.less, kinds=ORDERED, result=to_bool, arity=2)
le = elementwise("le", np.less_equal, kinds=ORDERED, result=to_bool, arity=2)
gt = elementwise("gt", np.greater, kinds=ORDERED, result=to_bool, arity=2)
ge = elementwise("ge", np.greater_equal, kinds=ORDERED, result=to_bool, arity=2)


def simplify_logic(neutral):
    """`neutral` and x is x; the opposite of it absorbs."""

    def rule(inputs):
        for x, y in (inputs, inputs[::-1]):
            value = uniform(y)
            if x.dtype.kind == "b" and value is not None:
                return in_shape_of(x, y) if value == neutral else in_shape_of(y, x)
        return inputs[0] if inputs[0] is inputs[1] else None

    return rule


and_ = elementwise("and", np.bitwise_and, kinds=INTEGERS, arity=2, simplify=simplify_logic(True))
or_ = elementwise("or", np.bitwise_or, kinds=INTEGERS, arity=2, simplify=simplify_logic(False))
xor = elementwise("xor", np.bitwise_xor, kinds=INTEGERS, arity=2)
not_ = elementwise("not", np.invert, kinds=INTEGERS)
left_shift = elementwise("left_shift", np.left_shift, kinds="iu", domains=((0, 9), (0, 5)))
right_shift = elementwise("right_shift", np.right_shift, kinds="iu", domains=((-9, 9), (0, 5)))

isnan = elementwise("isnan", np.isnan, element=lambda b, x: b.call("ne", x, x), kinds="fc", result=to_bool)
isfinite = elementwise("isfinite", np.isfinite, element=lambda b, x: b.call("eq", x - x, b.const(0, x)), kinds="fc", result=to_bool)
isinf = elementwise("isinf", np.isinf, kinds="f", result=to_bool,
                    element=lambda b, x: b.call("eq", b.call("abs", x), b.const(np.inf, x)))
signbit = elementwise("signbit", np.signbit, kinds="f", result=to_bool,
                      element=lambda b, x: b.call("lt", b.call("copysign", b.const(1, x), x), b.const(0, x)))


def select_type(condition, x, y):
    dtype = common_dtype("select", [x, y], ALL)
    return ArrayType(dtype, broadcast_shapes(condition.shape, x.shape, y.shape))


def jvp_select(inputs, tangents):
    condition, x, y = inputs
    _, tx, ty = tangents
    result = select(*inputs)
    if is_zero(tx) and is_zero(ty):
        return [result], [Zero(result.type)]
    tangent = select(condition, 0.0 if is_zero(tx) else tx, 0.0 if is_zero(ty) else ty)
    return [result], [fit(tangent, result.type)]


def transpose_select(cotangents, inputs):
    (ct,), (condition, x, y) = cotangents, inputs
    if condition.shape != ct.shape:
        condition = full_mask(condition, ct)
    taken = Masked(ct, condition) if is_linear(x) else None
    return [None, taken, Masked(ct, ~condition) if is_linear(y) else None]


def full_mask(condition: Atom, like: Atom) -> Atom:
    return condition & full(True, ArrayType(BOOL, like.shape))


def simplify_select(inputs):
    condition, x, y = inputs
    chosen = uniform(condition)
    if chosen is not None:
        return in_shape_of(x, y, condition) if chosen else in_shape_of(y, x, condition)
    return x if x is y and x.shape == broadcast_shapes(x.shape, condition.shape) else None


def simplify_ne(inputs):
    """A selection between different numbers, compared with one of them, is its condition or the opposite."""
    x, y = inputs
    inner, number = getattr(x, "equation", None), uniform(y)
    if number is None or (uniform(x) is None and (inner is None or inner.primitive is not select)):
        return None
    if uniform(x) is not None:
        return full(bool(uniform(x) != number), ArrayType(BOOL, broadcast_shapes(x.shape, y.shape)))
    condition, *values = inner.inputs
    taken, other = (uniform(value) for value in values)
    if taken is None or other is None or (taken != number) == (other != number):
        return None
    condition = in_shape_of(condition, x, y)
    return condition if taken != number else ~condition


select = elementwise("select", np.where, kinds=ALL, type=select_type, jvp=jvp_select, transpose=transpose_select,
                     element=lambda b, c, x, y: b.select(c, x, y),
                     simplify=simplify_select, nonnegative=lambda equation, known: all(map(known, equation.inputs[1:])),
                     bounds=of_choice)
select.samples = lambda rng, dtype: [([rng.random((2, 3)) < 0.5, sample(rng, dtype), sample(rng, dtype)], {})]


def either(equation, known) -> bool:
    return any(map(known, equation.inputs))


def both(equation, known) -> bool:
    return all(map(known, equation.inputs))


def extremum(name, evaluate, wins, nonnegative, bounds=None):
    """Declare the larger or smaller of two: its tangent is that of the operand selected, the mean of both where they are equal."""

    def jvp(inputs, tangents):
        (x, y), (tx, ty) = inputs, tangents
        result = primitive(x, y)
        if is_zero(tx) and is_zero(ty):
            return [result], [Zero(result.type)]
        first, same = wins(x, y), eq(x, y)
        share = select(same, full(0.5, result.type), 1.0)
        parts = [t if is_zero(t) else select(taken, t * share, 0.0) for t, taken in ((tx, first | same), (ty, ~first))]
        return [result], [fit(add_tangents(*parts), result.type)]

    primitive = elementwise(name, evaluate, kinds=ORDERED, arity=2, jvp=jvp, nonnegative=nonnegative, bounds=bounds)
    return primitive


maximum = extremum("maximum", np.maximum, gt, either, bounds=lambda equation, x, y: (max(x[0], y[0]), max(x[1], y[1])))
minimum = extremum("minimum", np.minimum, lt, both, bounds=lambda equation, x, y: (min(x[0], y[0]), min(x[1], y[1])))
fmax = extremum("fmax", np.fmax, lambda x, y: gt(x, y) | isnan(y), either)
fmin = extremum("fmin", np.fmin, lambda x, y: lt(x, y) | isnan(y), both)
