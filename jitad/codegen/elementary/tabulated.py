"""Functions by table, for processors that hold a table in registers (`jitad.codegen.elementary.avx512`): log, log2, log10.

x = 2**k z with z in [1, 2), and c is 1 / z rounded to five bits after the point: with r = z c - 1, which is exact and at most 1/32, log x is
k ln 2 - log c + log(1 + r), and so to other bases. Of c, a power of two goes to k: what is left of it is one of 16 numbers. So x near 1 has
k = 0 and log c = 0.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from decimal import Context, Decimal
from functools import cache

from jitad.codegen.elementary import avx512
from jitad.codegen.elementary.arithmetic import Arithmetic, Scalar

# (log(1 + r) - r) / r**2 on |r| <= 1/32: minimax (Remez) for the relative error of log(1 + r), 2**-56.2, in single precision 2**-30.6.
SERIES = (
    -0.4999999999999966, 0.3333333333333265, -0.2500000000457106, 0.20000000006344204, -0.16666650056704896, 0.1428569547657681,
    -0.12522335145054256, 0.11133330632698088,
)  # fmt: skip
SERIES_SINGLE = (-0.4999999403953552, 0.333333283662796, -0.2502065598964691, 0.20020103454589844)
CONTEXT = Context(prec=50)


@cache
def logarithm_of(number: Decimal, base: Decimal | None, digits: int) -> tuple[float, float]:
    """The logarithm, natural if there is no base, as a number with so many binary digits after the point, and the rest."""
    exact = CONTEXT.ln(number)
    if base is not None:
        exact = CONTEXT.divide(exact, CONTEXT.ln(base))
    high = round(CONTEXT.multiply(exact, Decimal(2**digits))) / 2**digits
    return high, float(CONTEXT.subtract(exact, Decimal(high)))


@cache
def reciprocal_logarithm(base: Decimal, double: bool) -> tuple[float, float]:
    """1 / ln(base), rounded, and the rest."""
    exact = CONTEXT.divide(1, CONTEXT.ln(base))
    high = float(exact) if double else struct.unpack("f", struct.pack("f", exact))[0]
    return high, float(CONTEXT.subtract(exact, Decimal(high)))


def logarithm(name: str, number: int | None = None) -> Callable[[Arithmetic, Scalar], Scalar]:
    """The logarithm to a base, by default the natural one."""
    base = None if number is None else Decimal(number)

    def function(m: Arithmetic, x: Scalar) -> Scalar:
        """Where k is infinite or NaN, as for x = 0, inf and x < 0, it is the result."""
        digits = m.pick(41, 15)
        step, step_low = logarithm_of(Decimal(2), base, digits)
        entries = [logarithm_of(1 + Decimal(j) / 16, base, digits) for j in range(avx512.ENTRIES)]
        table, table_low = ([-entry[k] for entry in entries] for k in range(2))

        z = avx512.significand(m, x)
        c = avx512.reciprocal(m, z, bits=5)
        r = m.fma(z, c, -1.0)
        k = avx512.exponent(m, x) - avx512.exponent(m, c)
        index = m.bits(c) >> (m.mantissa - 4)
        start = m.fma(k, step, avx512.lookup(m, f"{name}.table", table, index))
        low = m.fma(k, step_low, avx512.lookup(m, f"{name}.table.low", table_low, index))
        first, square = r, r * r
        if base is not None:
            factor, factor_low = reciprocal_logarithm(base, m.double)
            first, rest = m.two_product(r, factor)
            low, square = low + m.fma(r, factor_low, rest), square * factor
        total, rest = m.fast_two_sum(start, first)
        result = total + m.fma(square, m.polynomial(r, m.pick(SERIES, SERIES_SINGLE)), low + rest)
        return m.select((k - k).equals(0.0), result, start)

    return function


TABLE = {"log": logarithm("log"), "log2": logarithm("log2", 2), "log10": logarithm("log10", 10)}
