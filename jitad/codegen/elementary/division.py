"""Division of many numbers by one: by its reciprocal in two parts, which costs three multiplications where a division takes ten times as long.

In: a divisor. Out: `Divisor`, made once, and quotients by it. Invariant: a quotient is the correctly rounded one except where the exact one lies
within 2**-50 units in the last place of the middle between two floats, and that it may be off by one unit where it is below the smallest
normal number times 2**53 (single precision: 2**24); special values are those of IEEE 754. The idea is Markstein's (IA-64 and Elementary
Functions, 2000, chapter 8); the reciprocal is rounded towards zero, so that both parts have one sign and infinite numbers do not meet
infinities of the other one.
"""

from __future__ import annotations

from jitad.codegen.elementary.arithmetic import Arithmetic, Scalar


class Divisor:
    """The reciprocal of a number as ``(high + low) * factor``, where `low` is a correction and `factor` a power of two."""

    def __init__(self, m: Arithmetic, y: Scalar):
        large, step, least = m.pick((2.0**1000, 2.0**-200, 2.0**-120), (2.0**110, 2.0**-40, 2.0**-60))
        size = abs(y)
        self.m = m
        self.factor = m.select(size > large, step, m.select(size < 1 / large, m.const(1 / step), 1.0))
        y = y * self.factor
        nearest = 1.0 / y
        above = m.fma(-nearest, y, 1.0) < 0.0
        self.high = m.select(above, m.from_bits(m.bits(nearest) - 1), nearest)
        rest = m.fma(-self.high, y, 1.0)
        self.low = m.select(rest > 0.0, rest * self.high, self.high * least)

    def divide(self, x: Scalar) -> Scalar:
        """x / y"""
        return self.m.fma(x, self.high, x * self.low) * self.factor
