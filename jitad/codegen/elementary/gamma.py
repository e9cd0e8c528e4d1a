"""The gamma function, its logarithm and the derivative of that: gamma, gammaln, digamma.

Polynomials where the roots are, recurrences between there and 5, asymptotic series beyond. Zero and negative arguments take the reflection
formulas, out of line. Formulas: Abramowitz and Stegun, chapter 6.
"""

from __future__ import annotations

import math

from jitad.codegen.elementary import trigonometric
from jitad.codegen.elementary.arithmetic import Arithmetic, Scalar
from jitad.codegen.elementary.exponential import exp_pair, near_one
from jitad.codegen.elementary.guard import Guard
from jitad.codegen.elementary.logarithm import log, natural_parts, split
from jitad.codegen.elementary.power import log_pair

# log(gamma(2 + t)) / (t (1 + t)) for -3/4 <= t <= 1/4: minimax (Remez) for the relative error, with rounded coefficients 2**-55.6, in single
# precision 2**-25.7.
AROUND_ROOTS = (
    0.42278433509846713, -0.10031730167435396, 0.032965000621155476, -0.012384192193359903, 0.00499864116477526, -0.0021081308349921303,
    0.0009153769150223904, -0.0004057073633344312, 0.00018255295720159714, -8.30953168812904e-05, 3.8162260590427334e-05,
    -1.7673594818961662e-05, 8.273420656483952e-06, -3.6199138273690545e-06, 1.9642304030049607e-06, -1.7596287658499341e-06,
    -2.385265682936377e-06, -3.9005835356856804e-06, -2.4760115654260923e-06, -8.382535219703778e-07,
)  # fmt: skip
AROUND_ROOTS_SINGLE = (
    0.42278432846069336, -0.10031729936599731, 0.0329655185341835, -0.012384006753563881, 0.00498161232098937, -0.002141084522008896,
    0.0010412142146378756, 6.0684458730975166e-05, 0.0006495605921372771,
)  # fmt: skip
# x (log gamma(x) - (x - 1/2) log x + x - log(2 pi) / 2) in powers of 1 / x**2 for x >= 5.25: minimax for the relative error of log gamma,
# 2**-59.3 and 2**-33.7.
STIRLING = (
    0.08333333333332832, -0.0027777777746988874, 0.000793650119581217, -0.0005951656095573093, 0.0008374429536997805,
    -0.0017705079484851031, 0.0035695887350090673,
)  # fmt: skip
STIRLING_SINGLE = (0.0833333283662796, -0.002776862820610404, 0.0007526514818891883)
LINEAR = 2.0**-28  # below, sin(pi a) and tan(pi a) are pi a
STIRLING_CONSTANT = (0.4189385332046727, 1.6728209650585413e-17)  # log(2 pi) / 2 - 1/2
STIRLING_CONSTANT_SINGLE = (0.418938547372818, -1.4168144879533884e-08)
OVERFLOW, OVERFLOW_SINGLE = 2.5599833278516383e305, 4.085003365866873e36
# digamma(y) / (y - root) in powers of y - root for 1 <= y <= 2: minimax for the relative error, 2**-53.9 and 2**-24.7 (rounded coefficients).
ROOT = (1.4616321449683622, 9.549995429965697e-17)
ROOT_SINGLE = (1.4616321325302124, 1.2438149938918909e-08)
AROUND_ROOT = (
    0.9676722454476212, -0.4427631689835921, 0.2584997609556485, -0.16394270544240813, 0.10782405069170296, -0.07219956125646909,
    0.04880428813387965, -0.03316112646222546, 0.02259764929714564, -0.01542476665265322, 0.010538769822885371, -0.007204513857023229,
    0.00492705756205574, -0.0033701223302925183, 0.002302909883894771, -0.0015738806972835572, 0.0010899251008773818,
    -0.0007560944254776543, 0.00047274587343385324, -0.00028191646417284936, 0.0002781872382637519, -0.0002806149508568712,
    0.0001211738512944555,
)  # fmt: skip
AROUND_ROOT_SINGLE = (
    0.9676722288131714, -0.44276323914527893, 0.2584992051124573, -0.16393758356571198, 0.10784345865249634, -0.07232318818569183,
    0.0485861673951149, -0.031936727464199066, 0.023374613374471664, -0.02064996398985386, 0.011118520051240921,
)  # fmt: skip
# x**2 (log x - 1 / (2x) - digamma(x)) in powers of 1 / x**2 for x >= 5: minimax for the relative error of digamma, 2**-59.9 and 2**-34.
ASYMPTOTIC = (
    0.08333333333332671, -0.008333333328366959, 0.003968252648470573, -0.004166492511176914, 0.007562710986844295, -0.0205034284199358,
    0.06693736551746698, -0.16220613881090962,
)  # fmt: skip
ASYMPTOTIC_SINGLE = (0.08333328366279602, -0.008326197043061256, 0.0036665580701082945)


def gammaln(m: Arithmetic, x: Scalar) -> Scalar:
    return GUARDS["gammaln"](m, x, gammaln_of_positive(m, x))


def near_roots(m: Arithmetic, x: Scalar) -> tuple[Scalar, Scalar, Scalar]:
    """t, factor and whether x is small: below 5.25, gamma(x) is gamma(2 + t) times the factor, or divided by it where x is small."""
    tiny, small = x < 0.25, x < 1.25
    t = m.select(tiny, x, m.select(small, x - 1.0, x - 2.0))
    factor = m.select(tiny, x * (x + 1.0), m.select(small, x, 1.0))
    for step in (1.0, 2.0, 3.0):
        active = x - step >= 1.25
        factor = m.select(active, factor * (x - step), factor)
        t = m.select(active, x - (step + 2.0), t)
    return t, factor, small


def gammaln_of_positive(m: Arithmetic, x: Scalar) -> Scalar:
    """Below 5.25: log gamma(x) = log gamma(2 + t) plus the logarithm of (x - 1)(x - 2).., or less that of x or of x (x + 1)."""
    large = x >= 5.25
    t, factor, small = near_roots(m, x)
    parts = split(m, m.select(large, x, factor))
    high, low = natural_parts(m, parts.z, parts.k)
    series = m.polynomial(t, m.pick(AROUND_ROOTS, AROUND_ROOTS_SINGLE))
    inner = m.fma(t * (1.0 + t), series, m.select(small, -high, high)) + m.select(small, -low, low)
    return m.select(x < m.pick(OVERFLOW, OVERFLOW_SINGLE), m.select(large, stirling(m, x, high, low), inner), x + math.inf)


def stirling(m: Arithmetic, x: Scalar, log: Scalar, log_low: Scalar) -> Scalar:
    """(x - 1/2)(log x - 1) + (log(2 pi) - 1) / 2 + series / x"""
    inverse = 1.0 / x
    factor = x - 0.5
    less, rest = m.fast_two_sum(log, m.const(-1.0))
    product, product_low = m.two_product(factor, less)
    constant, constant_low = m.pick(STIRLING_CONSTANT, STIRLING_CONSTANT_SINGLE)
    series = m.fma(inverse, m.polynomial(inverse * inverse, m.pick(STIRLING, STIRLING_SINGLE)), constant_low)
    return product + (constant + (series + m.fma(factor, log_low + rest, product_low)))


def gamma(m: Arithmetic, x: Scalar) -> Scalar:
    return GUARDS["gamma"](m, x, gamma_of_positive(m, x))


def gamma_of_positive(m: Arithmetic, x: Scalar) -> Scalar:
    """Below 5.25 as in `gammaln_of_positive`; beyond, x**(x - 1/2) exp(-x) sqrt(2 pi) exp(series / x), the exponent in two parts."""
    t, factor, small = near_roots(m, x)
    inner = near_one(m, t * (1.0 + t) * m.polynomial(t, m.pick(AROUND_ROOTS, AROUND_ROOTS_SINGLE)))
    inner = m.select(small, inner / factor, inner * factor)
    y = m.at_most(m.at_least(x, 5.25), 200.0)
    logarithm, logarithm_low = log_pair(m, y)
    high, low = m.two_product(y - 0.5, logarithm)
    high, rest = m.fast_two_sum(high, -y)
    inverse = 1.0 / y
    series = inverse * m.polynomial(inverse * inverse, m.pick(STIRLING, STIRLING_SINGLE))
    high, low = m.fast_two_sum(high, m.fma(y - 0.5, logarithm_low, low) + rest + (series + math.log(2 * math.pi) / 2))
    value, value_low, n = exp_pair(m, high, low)
    return m.select(x < 5.25, inner, m.select(x < math.inf, m.scale(value + value_low, n), x))


def gamma_of_negative(m: Arithmetic, x: Scalar) -> Scalar:
    """-pi / (sin(pi a) a gamma(a)) for x = -a; NaN at the poles, but infinite at zero, with its sign."""
    a = -x
    whole = m.rint(a)
    half, rest = 0.5 * whole, a - whole
    sine = m.select(abs(rest) < LINEAR, rest, trigonometric.TABLE["sin"](m, math.pi * rest) * (1 / math.pi))
    sine = m.select(m.rint(half).differs(half), -sine, sine)
    product = m.select(a < 1.0, 1.0, a) * gamma_of_positive(m, m.select(a < 1.0, a + 1.0, a))
    value = m.select(rest.equals(0.0), math.nan, -1.0 / (sine * product))
    value = m.select(a < math.inf, value, math.nan)
    return m.select(x.equals(0.0), m.copysign(math.inf, x), value)


def gammaln_of_negative(m: Arithmetic, x: Scalar) -> Scalar:
    """-log(|sin(pi a)| / pi) - log gamma(1 + a) for x = -a; infinite at the poles."""
    a = -x
    rest = abs(a - m.rint(a))
    sine = m.select(a < LINEAR, a, trigonometric.TABLE["sin"](m, math.pi * rest) * (1 / math.pi))
    value = -log(m, sine) - gammaln_of_positive(m, a + 1.0)
    value = m.select(rest.equals(0.0), math.inf, value)
    return m.select(a < math.inf, value, x)


def digamma(m: Arithmetic, x: Scalar) -> Scalar:
    return GUARDS["digamma"](m, x, digamma_of_positive(m, x))


def digamma_of_positive(m: Arithmetic, x: Scalar) -> Scalar:
    """Below 5: digamma(x) = digamma(y) + 1 / (x - 1) + 1 / (x - 2) + .. or less 1 / x, with y in [1, 2]."""
    large, small = x >= 5.0, x < 1.0
    y = m.select(small, x + 1.0, x)
    low = m.select(small, x - (y - 1.0), 0.0)
    numerator, divisor = m.select(large, m.const(1.0), m.select(small, m.const(-1.0), 0.0)), m.select(large | small, x, 1.0)
    for step in (1.0, 2.0, 3.0):
        shifted = x - step
        active = (shifted >= 1.0) & (x < 5.0)
        numerator = m.select(active, m.fma(numerator, shifted, divisor), numerator)
        divisor = m.select(active, divisor * shifted, divisor)
        y = m.select(active, shifted, y)
    quotient = numerator / divisor
    root, root_low = m.pick(ROOT, ROOT_SINGLE)
    distance = (y - root) + (low - root_low)
    inner = m.fma(distance, m.polynomial(distance, m.pick(AROUND_ROOT, AROUND_ROOT_SINGLE)), quotient)
    parts = split(m, x, subnormal=False)
    high, low = natural_parts(m, parts.z, parts.k)
    square = quotient * quotient
    series = m.fma(square, m.polynomial(square, m.pick(ASYMPTOTIC, ASYMPTOTIC_SINGLE)), 0.5 * quotient)
    return m.select(x < math.inf, m.select(large, high + (low - series), inner), x)


def digamma_of_negative(m: Arithmetic, x: Scalar) -> Scalar:
    """digamma(1 + a) + pi / tan(pi a) for x = -a; NaN at the poles, but infinite at zero, with its sign."""
    a = -x
    rest = a - m.rint(a)
    cotangent = m.select(a < LINEAR, 1.0 / a, math.pi / trigonometric.TABLE["tan"](m, math.pi * rest))
    value = digamma_of_positive(m, a + 1.0) + cotangent
    value = m.select(rest.equals(0.0), math.nan, value)
    return m.select(x.equals(0.0), m.copysign(math.inf, -x), value)


EFFORTS = {"gamma": gamma_of_negative, "gammaln": gammaln_of_negative, "digamma": digamma_of_negative}
GUARDS = {name: Guard(name, lambda x: x <= 0.0, effort) for name, effort in EFFORTS.items()}
TABLE = {"gamma": gamma, "gammaln": gammaln, "digamma": digamma}
