"""Arithmetic, one row each: the four operations, roots, remainders, rounding, signs.

Operands have one dtype (the front end converts) and broadcast. Transpose rules give cotangents of the broadcast shape; the
transpose pass sums them back.
"""

from __future__ import annotations

import functools

import numpy as np

from jitad.ir import intervals
from jitad.ir.facts import nonnegative, same
from jitad.ir.program import Atom, Literal, Var, literal
from jitad.ir.symbolic import Zero, is_zero
from jitad.ir.types import broadcast_shapes
from jitad.primitives.declare import (
    REAL_LINE,
    chain_rule,
    conj,
    elementwise,
    fit,
    in_shape_of,
    is_linear,
    to_real,
    uniform,
)
from jitad.primitives.elementwise.comparisons import both, eq, ne, select, signbit
from jitad.primitives.elementwise.complexes import real

POSITIVE = (0.2, 2.5)
SMALL_POWERS = (0.25, 0.5, 2.0, 4.0, -0.25, -0.5, -2.0, -4.0)


def always(equation, known) -> bool:
    return equation.outputs[0].dtype.kind != "c"


def transpose_mul(cotangents, inputs):
    (ct,), (x, y) = cotangents, inputs
    return [ct * conj(y), None] if is_linear(x) else [None, ct * conj(x)]


def transpose_sum(sign):
    def transpose(cotangents, inputs):
        (ct,), (x, y) = cotangents, inputs
        return [ct if is_linear(x) else None, (ct if sign > 0 else -ct) if is_linear(y) else None]

    return transpose


def product_is_nonnegative(equation, known) -> bool:
    x, y = equation.inputs
    return same(x, y) or (known(x) and known(y))


def jvp_div(inputs, tangents):
    """The quotient rule, (tx - r ty) / y, without forming 1 / y where that takes as many divisions; -(r / y) ty needs none per direction."""
    (x, y), (tx, ty) = inputs, tangents
    result = div(x, y)
    repeated = isinstance(y, Var) and y.type.size < result.type.size
    over_y = functools.partial(mul, 1 / y) if repeated else lambda z: z / y
    if is_zero(ty):
        tangent = over_y(tx)
    elif is_zero(tx):
        tangent = -(result * result if uniform(x) == 1 else over_y(result)) * ty
    else:
        tangent = over_y(tx - result * ty)
    return [result], [fit(tangent, result.type)]


def simplify_add(inputs):
    x, y = inputs
    if uniform(y) == 0 or uniform(x) == 0:
        return in_shape_of(x, y) if uniform(y) == 0 else in_shape_of(y, x)
    for total, part in ((x, y), (y, x)):
        equation = getattr(part, "equation", None)
        if equation is not None and equation.primitive.add_into and total.shape == part.shape:
            return equation.primitive.add_into(equation, total)
    return None


def simplify_sub(inputs):
    x, y = inputs
    return in_shape_of(x, y) if uniform(y) == 0 else None


def simplify_mul(inputs):
    for x, y in (inputs, inputs[::-1]):
        factor = uniform(y)
        if factor == 1:
            return in_shape_of(x, y)
        if factor == -1:
            return -in_shape_of(x, y)
        if isinstance(y, Literal) and factor.dtype.kind == "f" and negated(x) is not None:
            return mul(Literal(-factor), negated(x))
        if factor is not None and y.ndim and x.shape == broadcast_shapes(x.shape, y.shape):
            return mul(Literal(factor), x)
        power, rest = power_of_two(x)
        if rest is not None and y.type.size < rest.type.size and rest.shape == broadcast_shapes(rest.shape, y.shape):
            return mul(mul(power, y), rest)
    return None


def power_of_two(x: Atom) -> tuple[Literal | None, Atom | None]:
    """Return the factors of `x` if one is a small power of two: products with it are exact, so that it may be moved to other factors."""
    equation = getattr(x, "equation", None)
    if equation is not None and equation.primitive is mul:
        for factor, rest in (equation.inputs, equation.inputs[::-1]):
            if isinstance(factor, Literal) and factor.dtype.kind == "f" and factor.value in SMALL_POWERS:
                return factor, rest
    return None, None


def simplify_div(inputs):
    x, y = inputs
    return in_shape_of(x, y) if uniform(y) == 1 else None


def simplify_neg(inputs):
    return negated(inputs[0])


def negated(x: Atom) -> Atom | None:
    """Return the atom that `x` is the opposite of, if it is one's."""
    equation = getattr(x, "equation", None)
    return equation.inputs[0] if equation is not None and equation.primitive is neg else None


def factors(x: Atom, shape: tuple[int, ...]) -> tuple[Atom, Atom] | None:
    """Return two factors of `x` if it is a product of real numbers, or the opposite of one, and of `shape`."""
    opposite = negated(x)
    equation = getattr(x if opposite is None else opposite, "equation", None)
    if equation is None or equation.primitive not in (mul, square) or x.dtype.kind != "f" or x.shape != shape:
        return None
    left, right = equation.inputs[0], equation.inputs[-1]
    return (left if opposite is None else -left), right


def contract_sum(sign):
    """Return the rule for a sum or a difference: the second operand is multiplied and added if both are products.

    Of numbers, only sums of two products or with constants are contracted: what a variable product is added to may be what a loop carries, and
    then the product is computed ahead, and the next trip waits for a sum, which takes less time than a product and a sum in one.
    """

    def worthwhile(shape, pair, addend) -> bool:
        return pair is not None and (shape or factors(addend, shape) is not None or any(isinstance(x, Literal) for x in (*pair, addend)))

    def contract(inputs):
        x, y = inputs
        if x is y:
            return None
        shape = broadcast_shapes(x.shape, y.shape)
        pair = factors(y, shape)
        if worthwhile(shape, pair, x):
            return muladd(pair[0] if sign > 0 else -pair[0], pair[1], x)
        pair = factors(x, shape)
        return muladd(*pair, y if sign > 0 else -y) if worthwhile(shape, pair, y) else None

    return contract


add = elementwise("add", np.add, lambda r, x, y: 1, lambda r, x, y: 1, element=lambda b, x, y: x + y, kinds="iufc",
                  transpose=transpose_sum(+1), nonnegative=both, bounds=intervals.of_sum, simplify=simplify_add, contract=contract_sum(+1))
sub = elementwise("sub", np.subtract, lambda r, x, y: 1, lambda r, x, y: -1, element=lambda b, x, y: x - y, kinds="iufc",
                  transpose=transpose_sum(-1), bounds=intervals.of_difference, simplify=simplify_sub, contract=contract_sum(-1))
mul = elementwise("mul", np.multiply, lambda r, x, y: y, lambda r, x, y: x, element=lambda b, x, y: x * y, kinds="iufc",
                  transpose=transpose_mul, nonnegative=product_is_nonnegative, bounds=intervals.of_product, simplify=simplify_mul)
div = elementwise("div", np.true_divide, element=lambda b, x, y: x / y, cost=4, domains=(REAL_LINE, POSITIVE), jvp=jvp_div,
                  transpose=lambda cts, inputs: [cts[0] / conj(inputs[1]), None], nonnegative=both, simplify=simplify_div)
neg = elementwise("neg", np.negative, lambda r, x: -1, element=lambda b, x: -x, kinds="iufc",
                  transpose=lambda cts, inputs: [-cts[0]], bounds=lambda equation, x: (-x[1], -x[0]), simplify=simplify_neg)
muladd = elementwise("muladd", lambda x, y, z: x * y + z, lambda r, x, y, z: y, lambda r, x, y, z: x, lambda r, x, y, z: 1, kinds="f",
                     element=lambda b, x, y, z: b.muladd(x, y, z))
square = elementwise("square", np.square, lambda r, x: 2 * x, element=lambda b, x: x * x, kinds="iufc", nonnegative=always)
reciprocal = elementwise("reciprocal", np.reciprocal, lambda r, x: -(r * r), element=lambda b, x: b.const(1, x) / x, cost=4,
                         domains=(POSITIVE,), nonnegative=both)

# --- roots ----------------------------------------------------------------------------------------------------------


def root_partial(slope):
    """The slope of a root; 0 where its radicand is provably non-negative and vanishes, since that is a minimum."""

    def partial(r, x):
        value = slope(r)
        return select(eq(x, 0), 0.0, value) if nonnegative(x) else value

    return partial


sqrt = elementwise("sqrt", np.sqrt, root_partial(lambda r: 0.5 / r), cost=6, domains=(POSITIVE,), nonnegative=always)
cbrt = elementwise("cbrt", np.cbrt, root_partial(lambda r: (1 / 3) / (r * r)), cost=20, kinds="f", domains=(POSITIVE,),
                   nonnegative=both)
hypot = elementwise("hypot", np.hypot, lambda r, x, y: select(eq(r, 0), 0.0, x / r), lambda r, x, y: select(eq(r, 0), 0.0, y / r),
                    cost=20, kinds="f", nonnegative=always)

# --- remainders and rounding --------------------------------------------------------------------------------------------


def floor_divide_element(b, x, y):
    """NumPy's floor division: of integers by zero 0; of floats through the exact remainder, as Python has it."""
    if x.dtype.kind in "iu":
        return b.call("floor_divide", x, y)
    quotient = (x - mod_element(b, x, y)) / y
    rounded = b.call("floor", quotient)
    rounded = b.select(b.call("gt", quotient - rounded, b.const(0.5, x)), rounded + b.const(1, x), rounded)
    signed_zero = b.call("copysign", b.const(0, x), x / y)
    result = b.select(b.call("eq", quotient, b.const(0, x)), signed_zero, rounded)
    return b.select(b.call("eq", y, b.const(0, x)), x / y, result)


def mod_element(b, x, y):
    """The remainder with the sign of the divisor."""
    if x.dtype.kind in "iu":
        return b.call("mod", x, y)
    remainder, zero = b.call("fmod", x, y), b.const(0, x)
    opposite = b.call("ne", b.call("lt", remainder, zero), b.call("lt", y, zero))
    shifted = b.select(opposite, remainder + y, remainder)
    return b.select(b.call("eq", remainder, zero), b.call("copysign", zero, y), shifted)


NONZERO = (0.7, 1.3)
mod = elementwise("mod", np.remainder, lambda r, x, y: 1, lambda r, x, y: -floor(x / y), element=mod_element, cost=20, kinds="iuf",
                  domains=(REAL_LINE, NONZERO), nonnegative=lambda equation, known: known(equation.inputs[1]), bounds=intervals.of_remainder)
fmod = elementwise("fmod", np.fmod, lambda r, x, y: 1, lambda r, x, y: -trunc(x / y), cost=20, kinds="iuf",
                   domains=(REAL_LINE, NONZERO), nonnegative=lambda equation, known: known(equation.inputs[0]))
floor_divide = elementwise("floor_divide", np.floor_divide, element=floor_divide_element, cost=25, kinds="iuf",
                           domains=(REAL_LINE, NONZERO), nonnegative=both, bounds=intervals.of_quotient)
floor = elementwise("floor", np.floor, kinds="f", nonnegative=both)
ceil = elementwise("ceil", np.ceil, kinds="f", nonnegative=both)
trunc = elementwise("trunc", np.trunc, kinds="f", nonnegative=both)
rint = elementwise("rint", np.rint, kinds="f", nonnegative=both)

# --- signs ----------------------------------------------------------------------------------------------------------------


def jvp_abs(inputs, tangents):
    """For complex z the derivative is Re(conj(z) dz) / |z|; at zero, where |z| has its minimum, 0."""
    (x,), (tangent,) = inputs, tangents
    if x.dtype.kind != "c":
        return chain_rule(abs, (lambda r, x: sign(x),), inputs, tangents, {})
    result = abs(x)
    if is_zero(tangent):
        return [result], [Zero(result.type)]
    along = real(conj(x) * tangent)
    return [result], [select(eq(result, 0), 0.0, along / result)]


def sign_element(b, x):
    zero, one = b.const(0, x), b.const(1, x)
    step = b.select(b.call("gt", x, zero), one, b.select(b.call("lt", x, zero), -one, zero))
    return step if x.dtype.kind in "iu" else b.select(b.call("ne", x, x), x, step)


def same_sign(r, x, y):
    return select(ne(signbit(x), signbit(y)), literal(-1, x.dtype), 1.0)


abs = elementwise("abs", np.abs, cost=1, kinds="iufc", result=to_real, jvp=jvp_abs, nonnegative=lambda equation, known: True)
sign = elementwise("sign", np.sign, element=sign_element, cost=2, kinds="iuf")
copysign = elementwise("copysign", np.copysign, same_sign, lambda r, x, y: None, kinds="f",
                       nonnegative=lambda equation, known: isinstance(equation.inputs[1], Literal) and known(equation.inputs[1]))
heaviside = elementwise("heaviside", np.heaviside, lambda r, x, y: None, lambda r, x, y: select(eq(x, 0), literal(1, x.dtype), 0.0),
                        kinds="f", cost=2,
                        element=lambda b, x, y: b.select(b.call("eq", x, b.const(0, x)), y, b.select(
                            b.call("ne", x, x), x, b.select(b.call("lt", x, b.const(0, x)), b.const(0, x), b.const(1, x)))))

gcd = elementwise("gcd", np.gcd, cost=200, kinds="iu", arity=2, nonnegative=always)
