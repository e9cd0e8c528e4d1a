"""Hyperbolic functions and their inverses."""

from __future__ import annotations

import math

from jitad.codegen.elementary.arithmetic import Arithmetic, Scalar
from jitad.codegen.elementary.exponential import expm1_unscaled, near_one, reduce, tail_series
from jitad.codegen.elementary.logarithm import log1p_parts


def sinh(m: Arithmetic, x: Scalar) -> Scalar:
    """u + u / (1 + 2u) with u = expm1(|x|) / 2."""
    y, n = expm1_unscaled(m, m.at_most(abs(x), m.pick(711.0, 90.0)))
    u = m.scale(y, n - 1)
    return m.copysign(u + u / m.at_most(m.fma(u, 2.0, 1.0), m.pick(1e300, 1e38)), x)


def cosh(m: Arithmetic, x: Scalar) -> Scalar:
    """w + 1 / (4w) with w = exp(|x|) / 2."""
    n, r, _ = reduce(m, m.at_most(abs(x), m.pick(711.0, 90.0)))
    w = m.scale(near_one(m, r), n - 1)
    return w + 0.25 / w


def tanh(m: Arithmetic, x: Scalar) -> Scalar:
    return tanh_double(m, x) if m.double else tanh_single(m, x)


def tanh_double(m: Arithmetic, x: Scalar) -> Scalar:
    """e / (1 - e) with e = (1 - exp(-2|x|)) / 2 in two parts; 1 / (1 - e) is 1 + e / (1 - e)."""
    double = abs(x) + abs(x)
    n, r, _ = reduce(m, m.at_least(-double, m.pick(-40.0, -20.0)))
    half_power = m.power_of_two(n - 1)
    product = half_power * r
    total, rest = m.fast_two_sum(0.5 - half_power, -product)
    e, low = m.fast_two_sum(total, m.fma(-(product * r), tail_series(m, r), rest))
    divisor, divisor_low = m.fast_two_sum(m.const(1.0), -e)
    quotient = e / divisor
    return m.copysign(m.fma(m.fma(-quotient, divisor_low - low, low), 1.0 + quotient, quotient), x)


# (exp(2h) - 1 - 2h) / 2h**2 on |h| <= ln(2)/4, minimax (Lawson) for the relative error of exp(2h) - 1: 2**-26.1.
TAIL_SHORT = (0.9999999403953552, 0.6666616797447205, 0.333337664604187, 0.13386860489845276, 0.0444239005446434)


def tanh_single(m: Arithmetic, x: Scalar) -> Scalar:
    """(1 - u) / (1 + u) with u = exp(-2|x|) = s + 2s c, c = (exp(2h) - 1) / 2.

    Up to |x| = 9.1, from which on the result is 1, h need not be reduced in two parts: errors in it count u times.
    """
    size = m.at_least(-abs(x), -9.2)
    whole, s = m.round_with_power(size, 2 / math.log(2.0))
    h = m.fma(whole, -0.5 * math.log(2.0), size)
    c = m.fma(h * h, m.polynomial(h, TAIL_SHORT), h)
    twice = s + s
    return m.copysign(m.fma(-twice, c, 1.0 - s) / m.fma(twice, c, 1.0 + s), x)


def doubled(m: Arithmetic, size: Scalar, small: Scalar) -> Scalar:
    """log(1 + small), or log(2 size) for a size so large that the two agree: there squares may have overflowed."""
    large = size > m.pick(2.0**60, 2.0**30)
    return log1p_parts(m, m.select(large, size, small), m.select(large, m.const(1.0), 0.0))


def arcsinh(m: Arithmetic, x: Scalar) -> Scalar:
    """log(1 + a + a**2 / (1 + sqrt(1 + a**2))) with a = |x|"""
    size = abs(x)
    square = size * size
    value = doubled(m, size, size + square / (1.0 + m.sqrt(1.0 + square)))
    return m.copysign(m.select(size < math.inf, value, size), x)


def arccosh(m: Arithmetic, x: Scalar) -> Scalar:
    """log(1 + t + sqrt(t (t + 2))) with t = x - 1"""
    t = x - 1.0
    value = doubled(m, x, t + m.sqrt(t * (t + 2.0)))
    return m.select(x < 1.0, math.nan, m.select(x < math.inf, value, x))


def arctanh(m: Arithmetic, x: Scalar) -> Scalar:
    """log(1 + 2a / (1 - a)) / 2 with a = |x|"""
    size = abs(x)
    ratio = (size + size) / (1.0 - size)
    value = 0.5 * log1p_parts(m, ratio)
    value = m.select(size < 1.0, value, m.select(size.equals(1.0), math.inf, math.nan))
    return m.copysign(value, x)


TABLE = {"sinh": sinh, "cosh": cosh, "tanh": tanh, "arcsinh": arcsinh, "arccosh": arccosh, "arctanh": arctanh}
