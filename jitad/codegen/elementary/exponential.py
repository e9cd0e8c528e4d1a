"""Exponentials: exp, exp2, expm1.

With n the integer nearest to x / ln 2 and r = x - n ln 2, exp(x) = 2**n exp(r), |r| <= ln(2)/2. The product of n with the leading part of
ln 2 is subtracted exactly: the difference is a multiple of the last place of either, and small.
"""

from __future__ import annotations

import math

from jitad.codegen.elementary.arithmetic import Arithmetic, Scalar

# (exp(r) - 1 - r) / r**2 on |r| <= ln(2)/2: minimax (Remez) for the relative error of exp(r), with rounded coefficients 2**-63.5, in
# single precision 2**-31.2.
TAIL = (
    0.5, 0.16666666666666688, 0.041666666666666824, 0.008333333333313899, 0.0013888888888778357, 0.00019841269903347932,
    2.4801587557753843e-05, 2.7557228708191985e-06, 2.755706964158908e-07, 2.5113922705960646e-08, 2.097693372763876e-09,
)  # fmt: skip
TAIL_SINGLE = (0.5, 0.16666647791862488, 0.041666481643915176, 0.008337867446243763, 0.001393345883116126, 0.00017340638441964984)
# (2**r - 1 - r ln 2) / r**2 on |r| <= 1/2, in the same way: 2**-62.7 and 2**-31.3.
TAIL_BINARY = (
    0.24022650695910072, 0.055504108664821646, 0.00961812910762787, 0.0013333558146399278, 0.00015403530394572906,
    1.5252733849654463e-05, 1.3215485800767401e-06, 1.017805347644565e-07, 7.05527569215925e-09, 4.456378076881861e-10,
    2.520538309547806e-11,
)  # fmt: skip
TAIL_BINARY_SINGLE = (
    0.24022650718688965, 0.055504050105810165, 0.009618083946406841, 0.0013340322766453028, 0.00015453630476258695, 1.3460520676744636e-05,
)  # fmt: skip


def ln2_parts(m: Arithmetic) -> tuple[float, float]:
    """ln 2 rounded, and the rest."""
    return m.pick((0.6931471805599453, 2.3190468138462996e-17), (0.6931471824645996, -1.9046542121259336e-09))


def reduce(m: Arithmetic, x: Scalar) -> tuple[Scalar, Scalar, Scalar]:
    """n as an integer, and r with its rounding error."""
    high, low = ln2_parts(m)
    whole, n = m.round(x, 1 / math.log(2.0))
    exact = m.fma(whole, -high, x)
    r = m.fma(whole, -low, exact)
    return n, r, m.fma(whole, -low, exact - r)


def tail_series(m: Arithmetic, r: Scalar) -> Scalar:
    """(exp(r) - 1 - r) / r**2"""
    return m.polynomial(r, m.pick(TAIL, TAIL_SINGLE))


def clamp(m: Arithmetic, x: Scalar, low: float, high: float) -> Scalar:
    """Keep an argument where exponents can be computed; NaN stays NaN."""
    return m.at_most(m.at_least(x, low), high)


def near_one(m: Arithmetic, r: Scalar) -> Scalar:
    """exp(r), with the rounding error of 1 + r put back: 0.8 ulp in all."""
    total = 1.0 + r
    return total + m.fma(r * r, tail_series(m, r), (1.0 - total) + r)


def exp(m: Arithmetic, x: Scalar) -> Scalar:
    n, r, _ = reduce(m, clamp(m, x, *m.pick((-746.0, 710.0), (-104.0, 89.0))))
    return m.scale(near_one(m, r), n)


def exp2(m: Arithmetic, x: Scalar) -> Scalar:
    x = clamp(m, x, *m.pick((-1076.0, 1025.0), (-151.0, 129.0)))
    whole, n = m.round(x, 1.0)
    r = x - whole
    high, low = ln2_parts(m)
    total = m.fma(r, high, 1.0)
    rest = m.fma(r, low, m.fma(r, high, 1.0 - total))
    return m.scale(total + m.fma(r * r, m.polynomial(r, m.pick(TAIL_BINARY, TAIL_BINARY_SINGLE)), rest), n)


def expm1_unscaled(m: Arithmetic, x: Scalar) -> tuple[Scalar, Scalar]:
    """y and n with exp(x) - 1 = 2**n y: y = (1 - 2**-n) + (exp(r) - 1).

    The first bracket is 1 to working precision from x = 40 on, where 2**-n need not exist any more.
    """
    n, r, error = reduce(m, x)
    offset = m.select(x > 40.0, 1.0, 1.0 - m.power_of_two(-n))
    total, rest = m.fast_two_sum(offset, r)
    return total + m.fma(r * r, tail_series(m, r), rest + error), n


def expm1(m: Arithmetic, x: Scalar) -> Scalar:
    y, n = expm1_unscaled(m, clamp(m, x, -40.0, m.pick(710.0, 89.0)))
    return m.copysign(m.scale(y, n), x)


def exp_pair(m: Arithmetic, high: Scalar, low: Scalar) -> tuple[Scalar, Scalar, Scalar]:
    """y in two parts, and n, with exp(high + low) = 2**n y; `low` counts where `high` is in the range of the exponential."""
    x = clamp(m, high, *m.pick((-746.0, 710.0), (-104.0, 89.0)))
    first, second = ln2_parts(m)
    whole, n = m.round(x, 1 / math.log(2.0))
    exact = m.fma(whole, -first, x)
    r, rest = m.fast_two_sum(exact, m.fma(whole, -second, m.select(x.equals(high), low, 0.0)))
    total = 1.0 + r
    return total, m.fma(r * r, tail_series(m, r), ((1.0 - total) + r) + rest), n


TABLE = {"exp": exp, "exp2": exp2, "expm1": expm1}
