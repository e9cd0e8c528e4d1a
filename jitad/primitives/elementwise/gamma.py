"""The gamma function, its logarithm and the derivatives of that.

Formulas: Abramowitz and Stegun, Handbook of Mathematical Functions, chapters 6 and 23. Meanings are those of ``scipy.special``.
"""

from __future__ import annotations

import math

import numpy as np

from jitad.primitives.declare import elementwise, from_scipy, sample
from jitad.primitives.elementwise.arithmetic import POSITIVE

SHIFT, TERMS = 10, 10


def polygamma_element(b, x, n):
    """(-1)**(n+1) n! zeta(n + 1, x) for x > 0; for others the reflection, with the derivatives of the cotangent as polynomials in it."""
    one, positive = b.const(1, x), b.call("gt", x, b.const(0, x))
    value = hurwitz_zeta(b, b.select(positive, x, one - x), n + 1) * b.const((-1) ** (n + 1) * math.factorial(n), x)
    cotangent = one / b.call("tan", (x - b.call("rint", x)) * b.const(math.pi, x))
    slope = polynomial(b, cotangent, [math.pi ** (n + 1) * float(c) for c in cotangent_derivative(n)])
    return b.select(positive, value, (-value if n % 2 else value) - slope)


def hurwitz_zeta(b, x, s: int):
    """The sum of (x + k)**-s over k >= 0: the first terms, and the rest by the formula of Euler and Maclaurin."""
    total = None
    for k in range(SHIFT):
        term = inverse_power(b, x + b.const(k, x), s)
        total = term if total is None else total + term
    inverse = b.const(1, x) / (x + b.const(SHIFT, x))
    factor, coefficients = float(s), []
    for j, number in enumerate(from_scipy("bernoulli")(2 * TERMS)[2::2], 1):
        coefficients.append(float(number) * factor / math.factorial(2 * j))
        factor *= (s + 2 * j - 1) * (s + 2 * j)
    series = polynomial(b, inverse * inverse, coefficients)
    rest = b.const(1 / (s - 1), x) + inverse * (b.const(0.5, x) + inverse * series)
    return total + rest * inverse_power(b, x + b.const(SHIFT, x), s - 1)


def inverse_power(b, x, s: int):
    """x**-s; the division comes last, so that the smallest arguments give infinity only where the power does."""
    power = x
    for _ in range(s - 1):
        power = power * x
    return b.const(1, x) / power


def polynomial(b, x, coefficients):
    """Horner's rule; the constant term comes first."""
    total = b.const(coefficients[-1], x)
    for c in coefficients[-2::-1]:
        total = total * x + b.const(c, x)
    return total


def cotangent_derivative(n: int) -> np.ndarray:
    """Coefficients of P with d**n cot / dx**n = P(cot): each derivative is that by the cotangent times -(1 + cot**2)."""
    p = np.polynomial.Polynomial([0, 1])
    for _ in range(n):
        p = -p.deriv() * np.polynomial.Polynomial([1, 0, 1])
    return p.coef


gamma = elementwise("gamma", from_scipy("gamma"), lambda r, x: r * digamma(x), cost=60, kinds="f", domains=(POSITIVE,))
gammaln = elementwise("gammaln", from_scipy("gammaln"), lambda r, x: digamma(x), cost=60, kinds="f", domains=(POSITIVE,))
digamma = elementwise("digamma", from_scipy("digamma"), lambda r, x: polygamma(x, n=1), cost=60, kinds="f", domains=(POSITIVE,))
polygamma = elementwise("polygamma", lambda x, n: from_scipy("polygamma")(n, x).astype(x.dtype), lambda r, x, n: polygamma(x, n=n + 1),
                        element=polygamma_element, cost=80, kinds="f", nonnegative=lambda equation, known: equation.params["n"] % 2 == 1)
polygamma.samples = lambda rng, dtype: [([sample(rng, dtype, domain)], {"n": n}) for n in (1, 2, 3) for domain in (POSITIVE, (-1.9, -1.1))]
