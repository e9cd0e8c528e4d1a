"""Powers and roots: pow, cbrt, hypot."""

from __future__ import annotations

import math

from jitad.codegen.elementary.arithmetic import Arithmetic, Scalar
from jitad.codegen.elementary.exponential import clamp, exp_pair
from jitad.codegen.elementary.logarithm import ln2_parts, split

# (log((1+s)/(1-s)) - 2s - 2/3 s**3) / s**5 in powers of s**2 for |s| <= 0.1716: minimax (Remez) for the relative error of the logarithm,
# 2**-73.4, in single precision 2**-36.8.
SERIES = (
    0.3999999999999998, 0.2857142857144384, 0.222222222177896, 0.1818181884402978, 0.15384558424763298, 0.13336264687562793,
    0.11675776110311992, 0.1198179740798424,
)  # fmt: skip
SERIES_SINGLE = (0.40000152587890625, 0.2854709029197693, 0.2341967672109604)
TWO_THIRDS = (0.6666666666666666, 3.700743415417188e-17)
TWO_THIRDS_SINGLE = (0.6666666865348816, -1.9868215517249155e-08)


def log_pair(m: Arithmetic, x: Scalar) -> tuple[Scalar, Scalar]:
    """log x for a positive finite number in two parts, with a relative error of 2**-65, in single precision 2**-34.

    As in `logarithm`, but s, u = s**2 and the product of s u with the series g have second parts, which need a few digits only.
    """
    parts = split(m, x)
    f = parts.z - 1.0
    divisor, divisor_low = m.fast_two_sum(m.const(2.0), f)
    s = f / divisor
    s_low = m.fma(-s, divisor_low, m.fma(-s, divisor, f)) * m.fma(s, -0.5, 0.5)
    u, u_low = m.two_product(s, s)
    lead, lead_low = m.pick(TWO_THIRDS, TWO_THIRDS_SINGLE)
    g, g_low = m.fast_two_sum(m.const(lead), u * m.polynomial(u, m.pick(SERIES, SERIES_SINGLE)))
    cube, cube_low = m.two_product(s, u)
    cube_low = m.fma(3.0 * s_low, u, m.fma(s, u_low, cube_low))
    rest, rest_low = m.two_product(cube, g)
    rest_low = m.fma(cube_low, g, m.fma(cube, g_low + lead_low, rest_low))
    high, low = ln2_parts(m)
    total, first = m.fast_two_sum(parts.k * high, s + s)
    total, second = m.fast_two_sum(total, rest)
    return total, (m.fma(parts.k, low, first) + second) + m.fma(s_low, 2.0, rest_low)


def pow(m: Arithmetic, x: Scalar, y: Scalar) -> Scalar:
    """exp(y log |x|), with the sign of an odd power, and the special cases of C99's Annex F."""
    size = abs(x)
    log, log_low = log_pair(m, size)
    log = m.select(size.equals(0.0), -math.inf, m.select(size < math.inf, log, size))
    exponent = clamp(m, y, -(2.0**80), 2.0**80)  # beyond, everything but 1 overflows or underflows
    high, low = m.two_product(exponent, log)
    value, rest, n = exp_pair(m, high, m.fma(exponent, log_low, low))
    return with_special_cases(m, x, y, m.scale(value + rest, n))


def with_special_cases(m: Arithmetic, x: Scalar, y: Scalar, value: Scalar) -> Scalar:
    """The power, from that of |x|."""
    half, whole = 0.5 * y, m.rint(y)
    value = m.select(whole.equals(y) & m.rint(half).differs(half), m.copysign(value, x), value)
    value = m.select((x < 0.0) & (x > -math.inf) & whole.differs(y), math.nan, value)
    return m.select(x.equals(1.0) | y.equals(0.0), 1.0, value)


# z**(-1/3) on [sqrt(1/2), sqrt(2)]: minimax for the relative error, 2**-14.7; in single precision 2**-11.9.
INVERSE_ROOT = (1.8745192071710517, -1.8618314288666826, 1.561306011825401, -0.702386629397329, 0.12836942469519683)
INVERSE_ROOT_SINGLE = (1.7307095527648926, -1.2857316732406616, 0.7133404612541199, -0.15853972733020782)


def cbrt(m: Arithmetic, x: Scalar) -> Scalar:
    """|x| = 2**(3q) a with a in [2**-1.5, 2**1.5]: a polynomial for a**(-1/3), a step of third order, and Newton's for the root itself."""
    size = abs(x)
    parts = split(m, size)
    third, q = m.round(parts.k, 1 / 3)
    rest = m.fma(third, -3.0, parts.k)
    less, more = rest < -0.5, rest > 0.5
    a = parts.z * m.select(less, 0.5, m.select(more, 2.0, 1.0))
    shift = m.select(less, 2.0 ** (1 / 3), m.select(more, 2.0 ** (-1 / 3), 1.0))
    y = shift * m.polynomial(parts.z, m.pick(INVERSE_ROOT, INVERSE_ROOT_SINGLE))
    h = m.fma(-a * y, y * y, 1.0)
    y = m.fma(y * h, m.fma(h, 2 / 9, 1 / 3), y)
    square = y * y
    root = a * square
    root = m.fma(m.fma(-root * root, root, a) * square, 1 / 3, root) * m.power_of_two(q)
    root = m.select(size < math.inf, root, size)
    return m.copysign(m.select(size > 0.0, root, size), x)


def hypot(m: Arithmetic, x: Scalar, y: Scalar) -> Scalar:
    """sqrt(x**2 + y**2), scaled by a power of two where the squares would overflow or lose digits."""
    x, y = abs(x), abs(y)
    large, small = m.select(x < y, y, x), m.select(x < y, x, y)
    power, limit = 2.0 ** m.pick(600, 100), 2.0 ** m.pick(480, 55)
    big, tiny = large > limit, large < 1 / limit
    scale = m.select(big, 1 / power, m.select(tiny, power, 1.0))
    back = m.select(big, power, m.select(tiny, 1 / power, 1.0))
    large, small = large * scale, small * scale
    result = m.sqrt(m.fma(large, large, small * small)) * back
    return m.select(x.equals(math.inf) | y.equals(math.inf), math.inf, result)


TABLE = {"pow": pow, "cbrt": cbrt, "hypot": hypot}
