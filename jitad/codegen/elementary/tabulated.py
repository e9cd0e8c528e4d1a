"""Functions by table, for processors that hold a table in registers (`jitad.codegen.elementary.avx512`): log.

x = 2**k z with z in [1, 2), and c is 1 / z rounded to five bits after the point: with r = z c - 1, which is exact and at most 1/32, log x is
k ln 2 - log c + log(1 + r). Of c, a power of two goes to k: what is left of it is one of 16 numbers. So x near 1 has k = 0 and log c = 0.
"""

from __future__ import annotations

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
def logarithm_of(number: Decimal, digits: int) -> tuple[float, float]:
    """The logarithm as a number with so many binary digits after the point, and the rest."""
    exact = CONTEXT.ln(number)
    high = round(CONTEXT.multiply(exact, Decimal(2**digits))) / 2**digits
    return high, float(CONTEXT.subtract(exact, Decimal(high)))


def log(m: Arithmetic, x: Scalar) -> Scalar:
    """Where k is infinite or NaN, as for x = 0, inf and x < 0, it is the result."""
    digits = m.pick(41, 15)
    ln2, ln2_low = logarithm_of(Decimal(2), digits)
    entries = [logarithm_of(1 + Decimal(j) / 16, digits) for j in range(16)]
    table, table_low = ([-entry[k] for entry in entries] for k in range(2))

    z = avx512.significand(m, x)
    c = avx512.reciprocal(m, z, bits=5)
    r = m.fma(z, c, -1.0)
    k = avx512.exponent(m, x) - avx512.exponent(m, c)
    index = m.bits(c) >> (m.mantissa - 4)
    start = m.fma(k, ln2, avx512.lookup(m, "log.table", table, index))
    total, rest = m.fast_two_sum(start, r)
    rest = rest + m.fma(k, ln2_low, avx512.lookup(m, "log.table.low", table_low, index))
    result = total + m.fma(r * r, m.polynomial(r, m.pick(SERIES, SERIES_SINGLE)), rest)
    return m.select((k - k).equals(0.0), result, start)


TABLE = {"log": log}
