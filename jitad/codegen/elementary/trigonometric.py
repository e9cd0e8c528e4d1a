"""Sine, cosine and tangent.

With n the integer nearest to |x| / (pi/2), r = |x| - n pi/2 in two parts. n times the leading part of pi/2 is subtracted exactly (the
difference is a multiple of the last place of that part, and below 1), and so is the second product with its error; after the third part
an error of n 2**-161 is left (single precision: n 2**-76). No double comes closer to a multiple of pi/2 than 2**-62 or so. Larger
arguments are reduced by the binary expansion of 2/pi, out of line.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from jitad.codegen.elementary.arithmetic import Arithmetic, Scalar
from jitad.codegen.elementary.guard import Guard
from jitad.codegen.elementary.payne_hanek import reduce_huge

# (sin r - r) / r**3 and (cos r - 1 + r**2 / 2) / r**4 in powers of r**2 for |r| <= pi/4: minimax (Remez) for the relative errors of the
# sine and the cosine, 2**-57.8 and 2**-63.9; in single precision 2**-27.9 and 2**-32.9.
SINE = (
    -0.1666666666666663, 0.00833333333332184, -0.0001984126982937955, 2.7557313553502406e-06, -2.5050737817427342e-08,
    1.5895686545515921e-10,
)  # fmt: skip
COSINE = (
    0.041666666666666595, -0.0013888888888873325, 2.4801587288983736e-05, -2.7557314210110004e-07, 2.087570427821702e-09,
    -1.1358683817078958e-11,
)  # fmt: skip
SINE_SINGLE = (-0.16666655242443085, 0.008332188241183758, -0.0001951812591869384)
COSINE_SINGLE = (0.04166664555668831, -0.0013887309469282627, 2.4432425561826676e-05)
HALF_PI = (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33)
HALF_PI_SINGLE = (1.5707963705062866, -4.371138828673793e-08, -1.7151245100058819e-15)
LIMIT, LIMIT_SINGLE = 2.0**37, 2.0**17


def reduce(m: Arithmetic, x: Scalar) -> tuple[Scalar, Scalar, Scalar]:
    """n as an integer, and both parts of r."""
    first, second, third = m.pick(HALF_PI, HALF_PI_SINGLE)
    whole, n = m.round(x, 2 / math.pi)
    exact = m.fma(whole, -first, x)
    product, product_low = m.two_product(whole, second)
    r, low = m.fast_two_sum(exact, -product)
    return n, r, m.fma(whole, -third, low - product_low)


def sine_cosine(m: Arithmetic, r: Scalar, low: Scalar) -> tuple[Scalar, Scalar]:
    """Sine and cosine of r + low, 0.8 ulp."""
    square = r * r
    sine = r + m.fma(square * r, m.polynomial(square, m.pick(SINE, SINE_SINGLE)), low)
    lead = m.fma(square, -0.5, 1.0)
    rest = m.fma(-r, low, m.fma(square, -0.5, 1.0 - lead))
    cosine = lead + m.fma(square * square, m.polynomial(square, m.pick(COSINE, COSINE_SINGLE)), rest)
    return sine, cosine


def with_sign(m: Arithmetic, x: Scalar, sign: Scalar) -> Scalar:
    """x, its sign changed where the leading bit of an integer is set."""
    return m.from_bits(m.bits(x) ^ (sign & m.sign_bit))


def sin(m: Arithmetic, x: Scalar, n: Scalar, sine: Scalar, cosine: Scalar) -> Scalar:
    return with_sign(m, m.select(even(n), sine, cosine), m.bits(x) ^ (n << (m.width - 2)))


def cos(m: Arithmetic, x: Scalar, n: Scalar, sine: Scalar, cosine: Scalar) -> Scalar:
    return with_sign(m, m.select(even(n), cosine, sine), (n + 1) << (m.width - 2))


def tan(m: Arithmetic, x: Scalar, n: Scalar, sine: Scalar, cosine: Scalar) -> Scalar:
    quotient = m.select(even(n), sine, cosine) / m.select(even(n), cosine, sine)
    return with_sign(m, quotient, m.bits(x) ^ (n << (m.width - 1)))


def even(n: Scalar) -> Scalar:
    return (n & 1).equals(0)


def periodic(name: str, finish: Callable[..., Scalar]) -> Callable[[Arithmetic, Scalar], Scalar]:
    """The function that `finish` makes of n, the sine and the cosine of r."""

    def huge(m: Arithmetic, x: Scalar) -> Scalar:
        n, r, low = reduce_huge(m, abs(x))
        return m.select(abs(x) < math.inf, finish(m, x, n, *sine_cosine(m, r, low)), math.nan)

    guard = Guard(name, lambda x: abs(x) > x.m.pick(LIMIT, LIMIT_SINGLE), huge)

    def function(m: Arithmetic, x: Scalar) -> Scalar:
        n, r, low = reduce(m, abs(x))
        return guard(m, x, finish(m, x, n, *sine_cosine(m, r, low)))

    return function


TABLE = {"sin": periodic("sin", sin), "cos": periodic("cos", cos), "tan": periodic("tan", tan)}
