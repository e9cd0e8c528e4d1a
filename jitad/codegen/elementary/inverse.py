"""Inverse trigonometric functions: arcsin, arccos, arctan, arctan2."""

from __future__ import annotations

import math

from jitad.codegen.elementary.arithmetic import Arithmetic, Scalar

# (atan t - t) / t**3 in powers of t**2 for |t| <= tan(pi/8): minimax (Remez) for the relative error of the arc tangent, 2**-59.4, in single
# precision 2**-30.4.
ARCTANGENT = (
    -0.333333333333332, 0.19999999999953666, -0.1428571428019842, 0.11111110783414539, -0.09090897754618067, 0.07692060146911982,
    -0.06663103248025974, 0.05847883741768314, -0.050392822054121295, 0.03806407934271974, -0.0179068009206123,
)  # fmt: skip
ARCTANGENT_SINGLE = (-0.33333316445350647, 0.19998528063297272, -0.14244391024112701, 0.10599168390035629, -0.060900505632162094)
# (asin t - t) / t**3 in powers of t**2 for |t| <= 1/2: minimax for the relative error of the arc sine, 2**-55.9, in single precision
# 2**-27.6.
ARCSINE = (
    0.16666666666665408, 0.07500000000337155, 0.04464285682820019, 0.030381959142623854, 0.02237175790764639, 0.01735970700634101,
    0.013885212551852865, 0.012169366489005125, 0.006527288218213, 0.019530189767042943, -0.016227338712708567, 0.03191442814729666,
)  # fmt: skip
ARCSINE_SINGLE = (0.16666752099990845, 0.074953094124794, 0.04546916484832764, 0.02418462373316288, 0.04215870052576065)
STEEP = math.sqrt(2.0) + 1.0  # 1 / tan(pi/8)


def quarter_pi(m: Arithmetic) -> tuple[float, float]:
    """pi/4 in two parts."""
    return m.pick((0.7853981633974483, 3.061616997868383e-17), (0.7853981852531433, -2.1855694143368964e-08))


def series(m: Arithmetic, t: Scalar, coefficients: tuple[float, ...]) -> Scalar:
    """t + t**3 (c0 + c1 t**2 + ...)"""
    square = t * t
    return m.fma(square * t, m.polynomial(square, coefficients), t)


def arctangent_of_ratio(m: Arithmetic, y: Scalar, x: Scalar) -> tuple[Scalar, Scalar]:
    """k and r with atan(y / x) = k pi/4 + r, for finite y, x >= 0 that are not both zero, and for infinite ones.

    The smaller over the larger is in [0, 1]; (t - 1) / (t + 1) brings its upper part down to |r| <= pi/8.
    """
    steep = y > x
    large, small = m.select(steep, y, x), m.select(steep, x, y)
    upper = STEEP * small >= large
    above = m.select(small < math.inf, small - large, 0.0)
    r = series(m, m.select(upper, above, small) / m.select(upper, small + large, large), m.pick(ARCTANGENT, ARCTANGENT_SINGLE))
    k = m.select(upper, m.const(1.0), 0.0)
    return m.select(steep, 2.0 - k, k), m.select(steep, -r, r)


def angle(m: Arithmetic, k: Scalar, r: Scalar) -> Scalar:
    """k pi/4 + r"""
    high, low = quarter_pi(m)
    return m.fma(k, high, m.fma(k, low, r))


def arctan(m: Arithmetic, x: Scalar) -> Scalar:
    return m.copysign(angle(m, *arctangent_of_ratio(m, abs(x), m.const(1.0))), x)


def arctan2(m: Arithmetic, y: Scalar, x: Scalar) -> Scalar:
    high, wide = abs(y), abs(x)
    scale = m.select((high > m.huge) | (wide > m.huge), 0.25, m.const(1.0))
    high, wide = high * scale, wide * scale
    k, r = arctangent_of_ratio(m, high, m.select(high.equals(0.0) & wide.equals(0.0), 1.0, wide))
    back = m.bits(x) < 0
    return m.copysign(angle(m, m.select(back, 4.0 - k, k), m.select(back, -r, r)), y)


def arcsin(m: Arithmetic, x: Scalar) -> Scalar:
    """For |x| > 1/2: pi/2 - 2 asin(sqrt((1 - |x|) / 2))."""
    outer, r = inner_arcsine(m, abs(x))
    high, low = quarter_pi(m)
    return m.copysign(m.select(outer, 2.0 * high + m.fma(r, -2.0, 2.0 * low), r), x)


def inner_arcsine(m: Arithmetic, size: Scalar) -> tuple[Scalar, Scalar]:
    """Whether size > 1/2, and asin(sqrt((1 - size) / 2)) if so, else asin(size)."""
    outer = size > 0.5
    square = m.select(outer, m.fma(size, -0.5, 0.5), size * size)
    t = m.select(outer, m.sqrt(square), size)
    return outer, m.fma(square * t, m.polynomial(square, m.pick(ARCSINE, ARCSINE_SINGLE)), t)


def arccos(m: Arithmetic, x: Scalar) -> Scalar:
    """pi/2 - asin x, or 2 asin(sqrt((1 - x) / 2)) for x > 1/2; that of -x less than pi for x < -1/2."""
    outer, r = inner_arcsine(m, abs(x))
    r = m.copysign(r, x)
    k = m.select(outer, m.select(x < 0.0, m.const(4.0), 0.0), 2.0)
    return angle(m, k, m.select(outer, 2.0 * r, -r))


TABLE = {"arctan": arctan, "arctan2": arctan2, "arcsin": arcsin, "arccos": arccos}
