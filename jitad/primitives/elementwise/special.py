"""Error functions and integrals, incomplete gamma and beta functions, hypergeometric functions and orthogonal polynomials, one row each.

Meanings are those of ``scipy.special``. Derivatives: NIST Digital Library of Mathematical Functions, chapters 6 to 8, 13, 15 and 18.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from jitad.ir.primitive import Primitive
from jitad.ir.program import Atom
from jitad.primitives.declare import full
from jitad.primitives.elementwise.arithmetic import POSITIVE, always, floor
from jitad.primitives.elementwise.comparisons import eq, select
from jitad.primitives.elementwise.foreign import library, parameters, unknown
from jitad.primitives.elementwise.gamma import digamma, gammaln
from jitad.primitives.elementwise.powers import pow
from jitad.primitives.elementwise.transcendental import cos, cosh, erf, exp, log, log1p, sin, sinh

SMALL = 1e-5  # exponents below which quotients by them are taken from their series
ROOT_PI = math.sqrt(math.pi)
INNER, UNIT = (-0.9, 0.9), (0.1, 0.9)

# --- error functions and integrals ------------------------------------------------------------------------------------------------

erfcx = library("erfcx", lambda r, x: 2 * x * r - 2 / ROOT_PI, nonnegative=always)
erfi = library("erfi", lambda r, x: (2 / ROOT_PI) * exp(x * x))
dawsn = library("dawsn", lambda r, x: 1 - 2 * x * r)
erfinv = library("erfinv", lambda r, x: (0.5 * ROOT_PI) * exp(r * r), domains=(INNER,))
erfcinv = library("erfcinv", lambda r, x: (-0.5 * ROOT_PI) * exp(r * r), domains=((0.1, 1.9),))
ndtri = library("ndtri", lambda r, x: math.sqrt(2 * math.pi) * exp(0.5 * r * r), domains=(UNIT,))
ndtri_exp = library("ndtri_exp", lambda r, x: math.sqrt(2 * math.pi) * exp(x + 0.5 * r * r), domains=((-2.0, -0.2),))
owens_t = library("owens_t", lambda r, h, a: exp(-0.5 * h * h) * erf(a * h * math.sqrt(0.5)) * (-0.5 / math.sqrt(2 * math.pi)),
                  lambda r, h, a: exp(-0.5 * h * h * (1 + a * a)) / (2 * math.pi * (1 + a * a)))

exp1 = library("exp1", lambda r, x: -exp(-x) / x, domains=(POSITIVE,))
expi = library("expi", lambda r, x: exp(x) / x, domains=(POSITIVE,))
expn = library("expn", unknown("expn", "the order"), lambda r, n, x: -expn(n - 1, x), letters="ld", domains=((2.0, 2.0), POSITIVE))


def over_argument(numerator: Callable) -> Callable:
    """sin(x) / x, or that of sinh."""
    return lambda r, x: select(eq(x, 0), 1.0, numerator(x) / select(eq(x, 0), 1.0, x))


sine_integral = library("sine_integral", over_argument(sin), function="sici", letters="dpp", k=0)
cosine_integral = library("cosine_integral", lambda r, x: cos(x) / x, function="sici", letters="dpp", k=1, domains=(POSITIVE,))
sinh_integral = library("sinh_integral", over_argument(sinh), function="shichi", letters="dpp", k=0)
cosh_integral = library("cosh_integral", lambda r, x: cosh(x) / x, function="shichi", letters="dpp", k=1, domains=(POSITIVE,))
fresnel_s = library("fresnel_s", lambda r, x: sin((0.5 * math.pi) * x * x), function="fresnel", letters="dpp", k=0)
fresnel_c = library("fresnel_c", lambda r, x: cos((0.5 * math.pi) * x * x), function="fresnel", letters="dpp", k=1)
spence = library("spence", lambda r, x: select(eq(x, 1), -1.0, log1p(x - 1) / select(eq(x, 1), 1.0, 1 - x)), domains=(POSITIVE,))
wrightomega = library("wrightomega", lambda r, x: r / (1 + r))

# --- relatives of the gamma and beta functions --------------------------------------------------------------------------------------


def gamma_density(a: Atom, x: Atom) -> Atom:
    """x^(a - 1) exp(-x) / gamma(a)"""
    return exp(times_log(a - 1, x) - x - gammaln(a))


def times_log(x: Atom, y: Atom) -> Atom:
    return select(eq(x, 0), 0.0, x * log(select(eq(x, 0), 1.0, y)))


def beta_density(a: Atom, b: Atom, x: Atom) -> Atom:
    """x^(a - 1) (1 - x)^(b - 1) / B(a, b)"""
    return exp(times_log(a - 1, x) + times_log(b - 1, 1 - x) - gammaln(a) - gammaln(b) + gammaln(a + b))


GAMMA, BETA = {"domains": (POSITIVE, POSITIVE)}, {"domains": (POSITIVE, POSITIVE, UNIT)}
INVERSE_GAMMA = {"domains": (POSITIVE, UNIT)}
gammainc = library("gammainc", *parameters("gammainc", "a"), lambda r, a, x: gamma_density(a, x), nonnegative=always, **GAMMA)
gammaincc = library("gammaincc", *parameters("gammaincc", "a"), lambda r, a, x: -gamma_density(a, x), nonnegative=always, **GAMMA)
gammaincinv = library("gammaincinv", *parameters("gammaincinv", "a"), lambda r, a, y: 1 / gamma_density(a, r), **INVERSE_GAMMA)
gammainccinv = library("gammainccinv", *parameters("gammainccinv", "a"), lambda r, a, y: -1 / gamma_density(a, r), **INVERSE_GAMMA)
betainc = library("betainc", *parameters("betainc", "a", "b"), lambda r, a, b, x: beta_density(a, b, x), nonnegative=always, **BETA)
betaincc = library("betaincc", *parameters("betaincc", "a", "b"), lambda r, a, b, x: -beta_density(a, b, x), nonnegative=always, **BETA)
betaincinv = library("betaincinv", *parameters("betaincinv", "a", "b"), lambda r, a, b, y: 1 / beta_density(a, b, r), **BETA)
betainccinv = library("betainccinv", *parameters("betainccinv", "a", "b"), lambda r, a, b, y: -1 / beta_density(a, b, r), **BETA)


def fisher_density(m: Atom, n: Atom, x: Atom) -> Atom:
    divisor = n + m * x
    return beta_density(0.5 * m, 0.5 * n, m * x / divisor) * m * n / (divisor * divisor)


def binomial_slope(k: Atom, n: Atom, p: Atom) -> Atom:
    """The derivative by p of the probability of more than k successes; 0 for k = n."""
    k, whole = floor(k), eq(floor(k), n)
    return select(whole, 0.0, beta_density(k + 1, select(whole, 1.0, n - k), p))


COUNTS = {"domains": ((2.2, 2.8), POSITIVE)}
BINOMIAL = {"domains": ((2.2, 2.8), (4.0, 4.0), UNIT), "letters": "dld"}
pdtr = library("pdtr", lambda *_: None, lambda r, k, m: -gamma_density(floor(k) + 1, m), **COUNTS)
pdtrc = library("pdtrc", lambda *_: None, lambda r, k, m: gamma_density(floor(k) + 1, m), **COUNTS)
bdtr = library("bdtr", lambda *_: None, *parameters("bdtr", "n"), lambda r, k, n, p: -binomial_slope(k, n, p), **BINOMIAL)
bdtrc = library("bdtrc", lambda *_: None, *parameters("bdtrc", "n"), lambda r, k, n, p: binomial_slope(k, n, p), **BINOMIAL)
chdtr = library("chdtr", *parameters("chdtr", "v"), lambda r, v, x: 0.5 * gamma_density(0.5 * v, 0.5 * x), **GAMMA)
chdtrc = library("chdtrc", *parameters("chdtrc", "v"), lambda r, v, x: -0.5 * gamma_density(0.5 * v, 0.5 * x), **GAMMA)
fdtr = library("fdtr", *parameters("fdtr", "dfn", "dfd"), lambda r, m, n, x: fisher_density(m, n, x), domains=(POSITIVE,) * 3)
fdtrc = library("fdtrc", *parameters("fdtrc", "dfn", "dfd"), lambda r, m, n, x: -fisher_density(m, n, x), domains=(POSITIVE,) * 3)
gdtr = library("gdtr", lambda r, a, b, x: x * gamma_density(b, a * x), *parameters("gdtr", "b"), lambda r, a, b, x: a * gamma_density(b, a * x),
               domains=(POSITIVE,) * 3)
gdtrc = library("gdtrc", lambda r, a, b, x: -x * gamma_density(b, a * x), *parameters("gdtrc", "b"), lambda r, a, b, x: -a * gamma_density(b, a * x),
                domains=(POSITIVE,) * 3)
gammasgn = library("gammasgn", lambda r, x: None)
loggamma = library("loggamma", lambda r, x: digamma(x), domains=(POSITIVE,))
rgamma = library("rgamma", lambda r, x: -digamma(x) * r, domains=(POSITIVE,))
poch = library("poch", lambda r, z, m: r * (digamma(z + m) - digamma(z)), lambda r, z, m: r * digamma(z + m), domains=(POSITIVE, POSITIVE))
binom = library("binom", lambda r, n, k: r * (digamma(n + 1) - digamma(n - k + 1)),
                lambda r, n, k: r * (digamma(n - k + 1) - digamma(k + 1)), domains=((3.1, 5.0), POSITIVE))


def student_density(v: Atom, t: Atom) -> Atom:
    return exp(gammaln(0.5 * (v + 1)) - gammaln(0.5 * v) - 0.5 * log(math.pi * v) - 0.5 * (v + 1) * log1p(t * t / v))


stdtr = library("stdtr", unknown("stdtr", "the degrees of freedom"), lambda r, v, t: student_density(v, t), domains=(POSITIVE, (-2.0, 2.0)))
stdtrit = library("stdtrit", unknown("stdtrit", "the degrees of freedom"), lambda r, v, p: 1 / student_density(v, r), domains=(POSITIVE, UNIT))

# --- powers -----------------------------------------------------------------------------------------------------------------------


def boxcox_by_power(r: Atom, x: Atom, p: Atom, size: Atom) -> Atom:
    """The derivative by p of (x^p - 1) / p, for the logarithm of x."""
    exponent = p * size
    small = (exponent < SMALL) & (exponent > -SMALL)
    return select(small, size * size * (0.5 + exponent * (1 / 3)), (exp(exponent) * size - r) / select(small, 1.0, p))


boxcox = library("boxcox", lambda r, x, p: pow(x, p - 1), lambda r, x, p: boxcox_by_power(r, x, p, log(x)), domains=(POSITIVE, POSITIVE))
boxcox1p = library("boxcox1p", lambda r, x, p: pow(1 + x, p - 1), lambda r, x, p: boxcox_by_power(r, x, p, log1p(x)), domains=(POSITIVE, POSITIVE))
powm1 = library("powm1", lambda r, x, p: p * pow(x, p - 1), lambda r, x, p: pow(x, p) * log(x), domains=(POSITIVE, POSITIVE))

# --- hypergeometric functions and orthogonal polynomials ----------------------------------------------------------------------------

hyp2f1 = library("hyp2f1", *parameters("hyp2f1", "a", "b", "c"), lambda r, a, b, c, z: a * b / c * hyp2f1(a + 1, b + 1, c + 1, z),
                 domains=(POSITIVE, POSITIVE, POSITIVE, (-0.8, 0.8)))
hyp1f1 = library("hyp1f1", *parameters("hyp1f1", "a", "b"),
                 lambda r, a, b, z: a / b * hyp1f1(a + 1, b + 1, z), domains=(POSITIVE, POSITIVE, (-1.5, 1.5)))
hyp0f1 = library("hyp0f1", *parameters("hyp0f1", "v"), lambda r, v, z: hyp0f1(v + 1, z) / v, domains=(POSITIVE, (-1.5, 1.5)))
hyperu = library("hyperu", *parameters("hyperu", "a", "b"), lambda r, a, b, z: -a * hyperu(a + 1, b + 1, z), domains=(POSITIVE, POSITIVE, POSITIVE))


def of_degree(n: Atom, slope: Callable) -> Atom:
    """0 for degree 0, else what `slope` gives."""
    constant = eq(n, 0)
    return select(constant, 0.0, slope(select(constant, 1.0, n)))


def polynomial(name: str, slope: Callable, others: str = "") -> Primitive:
    """Declare a family of polynomials; ``slope(n, *others, x)`` is the derivative for n > 0."""
    letters = "l" + "d" * len(others) + "d"
    return library(name, *parameters(name, "n", *others), lambda r, n, *xs: of_degree(n, lambda n: slope(n, *xs)), letters=letters,
                   domains=((2.0, 2.0), *[POSITIVE] * len(others), INNER))


eval_jacobi = polynomial("eval_jacobi", lambda n, a, b, x: 0.5 * (n + a + b + 1) * eval_jacobi(n - 1, a + 1, b + 1, x), "ab")
eval_gegenbauer = polynomial("eval_gegenbauer", lambda n, a, x: 2 * a * eval_gegenbauer(n - 1, a + 1, x), "a")
eval_legendre = polynomial("eval_legendre", lambda n, x: eval_gegenbauer(n - 1, full(1.5, x.type), x))
eval_chebyt = polynomial("eval_chebyt", lambda n, x: n * eval_chebyu(n - 1, x))
eval_chebyu = polynomial("eval_chebyu", lambda n, x: 2 * eval_gegenbauer(n - 1, full(2, x.type), x))
eval_genlaguerre = polynomial("eval_genlaguerre", lambda n, a, x: -eval_genlaguerre(n - 1, a + 1, x), "a")
eval_laguerre = polynomial("eval_laguerre", lambda n, x: -eval_genlaguerre(n - 1, full(1, x.type), x))
eval_hermite = polynomial("eval_hermite", lambda n, x: 2 * n * eval_hermite(n - 1, x))
eval_hermitenorm = polynomial("eval_hermitenorm", lambda n, x: n * eval_hermitenorm(n - 1, x))
lpmv = library("lpmv", *parameters("lpmv", "m", "v"), lambda r, m, v, x: (v * x * r - (v + m) * lpmv(m, v - 1, x)) / (x * x - 1),
               domains=((1.0, 1.0), (3.0, 3.0), INNER))
