"""Hyperbolic functions and their inverses."""

from __future__ import annotations

from jitad.codegen.elementary.arithmetic import Arithmetic, Scalar
from jitad.codegen.elementary.exponential import expm1_unscaled, near_one, reduce, tail_series


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


TABLE = {"sinh": sinh, "cosh": cosh, "tanh": tanh}
