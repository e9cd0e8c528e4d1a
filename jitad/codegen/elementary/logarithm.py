"""Logarithms: log, log2, log10, log1p.

x = 2**k z with z in [sqrt(1/2), sqrt(2)), f = z - 1, s = f / (2 + f): log z = f - (h - s (h + R(s**2))) with h = f**2 / 2, an arrangement
(that of fdlibm's e_log.c) in which everything after f is small. What is not a positive finite number is put right at the end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from jitad.codegen.elementary.arithmetic import Arithmetic, Scalar

# (log((1+s)/(1-s)) - 2s) / s**3 in powers of s**2 for |s| <= 0.1716: minimax (Remez) for the relative error of the logarithm, 2**-59.5, in
# single precision 2**-30.2.
SERIES = (
    0.6666666666666734, 0.3999999999941653, 0.28571428742107574, 0.22222198591103165, 0.1818356385942602, 0.1531405237443181,
    0.14796019798779428,
)  # fmt: skip
SERIES_SINGLE = (0.6666677594184875, 0.39977580308914185, 0.2987086772918701)

RAISED = 64  # added to exponents, so that those of subnormal numbers are positive


@dataclass(frozen=True)
class Split:
    """x = 2**k z; `inverse_doubled` is 2**(1 - k)."""

    z: Scalar
    k: Scalar
    inverse_doubled: Scalar


def split(m: Arithmetic, x: Scalar, subnormal: bool = True) -> Split:
    """Take a positive finite number apart; z lies in its range for every other x too."""
    root = m.pick(0x3FE6A09E667F3BCD, 0x3F3504F3)
    bias = m.bias + RAISED
    offset = (bias << m.mantissa) - root
    bits = m.bits(x) + offset
    if subnormal:
        digits = m.mantissa + 2
        bits = m.select(x < m.smallest_normal, m.bits(x * 2.0**digits) + (offset - (digits << m.mantissa)), bits)
    exponent = bits >> m.mantissa
    z = m.from_bits((bits & ((1 << m.mantissa) - 1)) + root)
    k = m.from_bits(exponent | ((m.bias + m.mantissa) << m.mantissa)) - (2.0**m.mantissa + bias)
    return Split(z, k, m.from_bits((m.bias + bias + 1 - exponent) << m.mantissa))


def ln2_parts(m: Arithmetic) -> tuple[float, float]:
    """ln 2 with so many zeros at its end that its multiples are exact, and the rest."""
    return m.pick((0.6931471805598903, 5.497923018708371e-14), (0.693145751953125, 1.428606765330187e-06))


def series(m: Arithmetic, f: Scalar) -> tuple[Scalar, Scalar]:
    """s / 2 and f**2 + 2 R: half their product is s (h + R)."""
    half_s = f / m.fma(f, 2.0, 4.0)
    square = half_s * half_s
    coefficients = [2.0 * 4.0 ** (k + 1) * c for k, c in enumerate(m.pick(SERIES, SERIES_SINGLE))]
    return half_s, m.fma(square, m.polynomial(square, coefficients), f * f)


def finish(m: Arithmetic, result: Scalar, x: Scalar, lowest: Scalar | float = 0.0) -> Scalar:
    """The result for x > lowest; -inf at `lowest`, NaN below; inf and NaN as they are."""
    result = m.select(x < math.inf, result, x)
    return m.select(x > lowest, result, m.select(x.equals(lowest), -math.inf, math.nan))


def natural_parts(m: Arithmetic, z: Scalar, k: Scalar, correction: Scalar | None = None) -> tuple[Scalar, Scalar]:
    """k ln 2 + log(z + correction) in two parts, for a correction below the last place of z."""
    high, low = ln2_parts(m)
    f = z - 1.0
    half_s, rest = series(m, f)
    small = k * low if correction is None else m.fma(k, low, correction)
    small = m.fma(half_s, rest, small)
    total = m.fma(k, high, f)
    error = f + m.fma(k, high, -total)
    return total, error - m.fma(0.5 * f, f, -small)


def natural(m: Arithmetic, z: Scalar, k: Scalar, correction: Scalar | None = None) -> Scalar:
    total, rest = natural_parts(m, z, k, correction)
    return total + rest


def log(m: Arithmetic, x: Scalar) -> Scalar:
    parts = split(m, x)
    return finish(m, natural(m, parts.z, parts.k), x)


def other_base(base_inverse, base_two):
    """A logarithm whose base is not e: log(z) in two parts times 1 / log(base), in two parts, plus k log(2) / log(base)."""

    def logarithm(m: Arithmetic, x: Scalar) -> Scalar:
        parts = split(m, x)
        f = parts.z - 1.0
        half_s, rest = series(m, f)
        h, h_low = m.two_product(0.5 * f, f)
        value, value_low = m.fast_two_sum(f, -h)
        value_low = value_low + m.fma(half_s, rest, -h_low)
        factor, factor_low = m.pick(*base_inverse)
        step, step_low = m.pick(*base_two)
        product, product_low = m.two_product(value, factor)
        product_low = product_low + m.fma(value, factor_low, value_low * factor)
        total, error = m.fast_two_sum(parts.k * step, product)
        return finish(m, total + (error + m.fma(parts.k, step_low, product_low)), x)

    return logarithm


log2 = other_base(
    ((1.4426950408889634, 2.0355273740931033e-17), (1.4426950216293335, 1.925963033500011e-08)),
    ((1.0, 0.0), (1.0, 0.0)),
)
log10 = other_base(
    ((0.4342944819032518, 1.098319650216765e-17), (0.4342944920063019, -1.0103049952192578e-08)),
    ((0.30102999566395283, 2.8363394551044964e-14), (0.30103302001953125, -3.024355464731343e-06)),
)


def log1p_parts(m: Arithmetic, x: Scalar, doublings: Scalar | float = 0.0) -> Scalar:
    """log(1 + x) + doublings * ln 2 for finite x > -1: what is lost in 1 + x is put back as c / (1 + x)."""
    total, error = m.two_sum(m.const(1.0), x)
    parts = split(m, total, subnormal=False)
    half = 0.5 * (parts.z - 1.0)
    reciprocal_halved = m.fma(half, 2.0 * half - 1.0, 0.5)
    correction = (error * parts.inverse_doubled) * reciprocal_halved
    return natural(m, parts.z, parts.k + doublings, correction)


def log1p(m: Arithmetic, x: Scalar) -> Scalar:
    return m.copysign(finish(m, log1p_parts(m, x), x, -1.0), x)


TABLE = {"log": log, "log2": log2, "log10": log10, "log1p": log1p}
