"""Powers: by a traced exponent, and by integers, halves and quarters known at trace time (which never go through logarithms)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from jitad.ir.facts import nonnegative
from jitad.ir.program import literal
from jitad.ir.types import ArrayType
from jitad.primitives.declare import common_dtype, elementwise, sample
from jitad.primitives.elementwise.arithmetic import POSITIVE, sqrt
from jitad.primitives.elementwise.comparisons import eq, ge, lt, select
from jitad.primitives.elementwise.transcendental import log


def pow_by_base(r, x, y):
    """d(x**y)/dx = y x**(y-1), where x**0 is the constant 1 and a vanishing non-negative base under a root is a minimum."""
    slope = select(eq(y, 0), 0.0, y * pow(x, y - 1.0))
    return select(eq(x, 0) & lt(y, 1.0), 0.0, slope) if nonnegative(x) else slope


def pow_by_exponent(r, x, y):
    """d(x**y)/dy = x**y log x, which tends to 0 at x = 0 for y >= 0."""
    at_zero = eq(x, 0) if x.dtype.kind == "c" else eq(x, 0) & ge(y, 0)
    return select(at_zero, 0.0, r * log(x))


def integer_pow_type(x, n):
    return ArrayType(common_dtype("integer_pow", [x], "iufc"), x.shape)


def integer_pow_partial(r, x, n):
    return None if n == 0 else 1 if n == 1 else 2 * x if n == 2 else n * integer_pow(x, n=n - 1)


def integer_pow_element(b, x, n):
    """Multiply by repeated squaring; one division at the end for a negative exponent."""
    result, square, rest = None, x, abs(n)
    while rest:
        if rest & 1:
            result = square if result is None else result * square
        rest >>= 1
        square = square * square if rest else None
    one = b.const(1, x)
    return one if n == 0 else one / result if n < 0 else result


def by_quarters(x, n):
    """Return x**(n/4): by roots where that is as exact as by logarithms."""
    if n % 4 == 0:
        return integer_pow(x, n=n // 4)
    return sqrt(x) if n == 2 else quarter_pow(x, n=n) if n in QUARTERS else pow(x, literal(n / 4, x.dtype))


def quarter_pow_partial(r, x, n):
    """As `pow_by_base`, from the result where that takes no logarithms and is as good at 0."""
    slope = (n / 4) * (r / x) if n < 0 else 0.25 / (r * sqrt(x)) if n == 1 else (n / 4) * by_quarters(x, n - 4)
    return select(eq(x, 0), 0.0, slope) if n < 4 and nonnegative(x) else slope


def quarter_pow_element(b, x, n):
    """By C99's Annex F, -0 and -inf are raised to such powers as 0 and inf are."""
    for value in (0.0, math.inf):
        x = b.select(b.call("eq", x, b.const(-value, x)), b.const(value, x), x)
    square_root = b.call("sqrt", x)
    return QUARTERS[n](b.const(1, x), x, square_root, b.call("sqrt", square_root))


# x**(n/4) from 1, x, its square root and its fourth root: what has an error below 2 ulp, and overflows no earlier than the result.
QUARTERS: dict[int, Callable] = {
    1: lambda one, x, s, q: q, 5: lambda one, x, s, q: x * q, 6: lambda one, x, s, q: x * s,
    10: lambda one, x, s, q: x * x * s, -1: lambda one, x, s, q: one / q, -2: lambda one, x, s, q: one / s, -6: lambda one, x, s, q: one / x / s,
}  # fmt: skip
quarter_pow = elementwise("quarter_pow", lambda x, n: np.power(x, x.dtype.type(n / 4)), quarter_pow_partial,
                          element=quarter_pow_element, cost=12, kinds="f", nonnegative=lambda equation, known: True)
quarter_pow.samples = lambda rng, dtype: [([sample(rng, dtype, POSITIVE)], {"n": n}) for n in QUARTERS]
pow = elementwise("pow", np.power, pow_by_base, pow_by_exponent, cost=40, kinds="iufc", domains=(POSITIVE, (0.0, 2.5)),
                  nonnegative=lambda equation, known: known(equation.inputs[0]))
integer_pow = elementwise("integer_pow", lambda x, n: np.power(x, n) if n >= 0 else np.reciprocal(np.power(x, -n)),
                          integer_pow_partial, element=integer_pow_element, cost=3, kinds="iufc", type=integer_pow_type,
                          nonnegative=lambda equation, known: equation.params["n"] % 2 == 0 or known(equation.inputs[0]))
integer_pow.samples = lambda rng, dtype: [
    ([sample(rng, dtype, POSITIVE)], {"n": n}) for n in ((0, 1, 2, 3, 7) if np.dtype(dtype).kind in "iu" else (-2, -1, 0, 1, 2, 3, 7))
]
