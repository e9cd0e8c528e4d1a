"""Error functions: erf, erfc."""

from __future__ import annotations

from jitad.codegen.elementary.arithmetic import Arithmetic, Scalar
from jitad.codegen.elementary.exponential import exp_pair, near_one, reduce

# erf(x) / x in powers of x**2 for |x| <= 1: minimax (Remez) for the relative error, 2**-55.6, in single precision 2**-24.1 (these are the
# errors of the rounded first coefficients).
INNER = (
    1.1283791670955126, -0.3761263890318332, 0.11283791670934928, -0.02686617064141736, 0.005223977590061718, -0.0008548325029677769,
    0.00012055261574089079, -1.4923961942584454e-05, 1.6435382739657885e-06, -1.6084699600119032e-07, 1.2912049893907083e-08,
    -4.762398953908578e-10, -4.987662148870087e-11,
)  # fmt: skip
INNER_SINGLE = (
    1.1283791065216064, -0.3761221766471863, 0.11278967559337616, -0.02666136622428894, 0.004824028350412846, -0.0004821250040549785,
    -2.6388472178950906e-05,
)  # fmt: skip
# -log(erfc x) on [1, 6], in single precision on [1, 4]: minimax for the relative error that follows for erf, 2**-56 and 2**-28.
OUTER = (
    1.7731195110318884e-07, 1.1283773512292488, 0.636628391779467, 0.10274751726710628, -0.019078655266082732, -0.00027979714842263473,
    0.0017682731629625127, -0.000640578201156496, 4.444022215802442e-05, 7.056127055954172e-05, -4.511597018772723e-05,
    1.653901968127182e-05, -4.333311893075256e-06, 8.517830366796404e-07, -1.258801989326225e-07, 1.364505212991936e-08,
    -1.0269977740209298e-09, 4.801492971476869e-11, -1.0506259005678867e-12,
)  # fmt: skip
OUTER_SINGLE = (
    -0.00018846582679543644, 1.1295802593231201, 0.6332164406776428, 0.10842207819223404, -0.025210324674844742, 0.004205279517918825,
    -0.00044147155131213367, 2.1697520423913375e-05,
)  # fmt: skip
# (1 + 2x) exp(x**2) erfc(x) - 1.25 in powers of t = (x - K) / (x + K) for 0 <= x <= 28 and K = 4, in single precision up to 10.3 and K = 3
# (Shepherd and Laframboise, Mathematics of Computation 36 (1981) 249): minimax for the relative error of erfc, 2**-56.4 and 2**-27.6.
COMPLEMENT = (
    -0.01700488137444749, -0.13962111684056253, 0.015379652102619622, 0.06809705425469532, -0.10103906603629773, 0.09373283499825624,
    -0.0663303658123599, 0.03716751553897807, -0.016197734056209695, 0.005031969964878284, -0.0007577732992347488, -0.00019925662548737343,
    0.00015062172346135526, -2.439944237363382e-05, -1.1222183035181177e-05, 5.7101970731937e-06, 2.941619440623881e-07,
    -8.259668348354833e-07, 7.41050824334627e-08, 1.1033313252552349e-07, -1.746943375900626e-08, -1.4070584114244525e-08,
    1.6771924532094211e-09, 1.1981102710183399e-09,
)  # fmt: skip
COMPLEMENT_SINGLE = (
    0.0030080589931458235, -0.1356211155653, -0.047562386840581894, 0.12964540719985962, -0.11927157640457153, 0.06830612570047379,
    -0.02378789894282818, 0.0025288749020546675, 0.0019499781774356961, -0.0007401879993267357, -0.00018124995403923094,
    3.582587305572815e-05,
)  # fmt: skip


def inner_erf(m: Arithmetic, size: Scalar) -> Scalar:
    lead, *rest = m.pick(INNER, INNER_SINGLE)
    return m.fma(size, m.polynomial(size * size, [lead - 1.0, *rest]), size)


def erf(m: Arithmetic, x: Scalar) -> Scalar:
    """An odd polynomial for |x| < 1; beyond, 1 - exp(-p) with a polynomial p, whose relative error shrinks by that exponential."""
    size = m.at_most(abs(x), m.pick(6.0, 4.0))
    n, r, _ = reduce(m, -m.polynomial(size, m.pick(OUTER, OUTER_SINGLE)))
    outer = m.fma(-near_one(m, r), m.power_of_two(n), 1.0)
    return m.copysign(m.select(size < 1.0, inner_erf(m, size), outer), x)


def erfc(m: Arithmetic, x: Scalar) -> Scalar:
    """exp(-x**2) (1.25 + p(t)) / (1 + 2x) for x >= 0, and what that of -x lacks from 2 for x < 0.

    The quotient is corrected by its remainder, with the divisor in two parts.
    """
    size = m.at_most(abs(x), m.pick(28.0, 10.3))
    y, rest, n = exp_pair(m, *m.two_product(size, -size))
    t = m.fma(size / (size + m.pick(4.0, 3.0)), 2.0, -1.0)
    series = m.polynomial(t, m.pick(COMPLEMENT, COMPLEMENT_SINGLE))
    numerator = m.fma(y, 1.25, m.fma(rest, series + 1.25, y * series))
    divisor = m.fma(size, 2.0, 1.0)
    inverse = 1.0 / divisor
    quotient = numerator * inverse
    remainder = m.fma(-quotient, m.fma(size, 2.0, 1.0 - divisor), m.fma(-quotient, divisor, numerator))
    value = m.scale(m.fma(remainder, inverse, quotient), n)
    return m.select(x < 0.0, 2.0 - value, value)


TABLE = {"erf": erf, "erfc": erfc}
