"""What each ufunc of ``scipy.special`` means, as a function of atoms."""

from __future__ import annotations

import math
from collections.abc import Callable

from jitad.frontend.operations import faddeeva
from jitad.ir.program import Atom
from jitad.ir.registry import REGISTRY
from jitad.primitives.declare import full
from jitad.primitives.elementwise import arithmetic as ar
from jitad.primitives.elementwise import bessel, elliptic, gamma, powers, special, transcendental
from jitad.primitives.elementwise import comparisons as co
from jitad.primitives.elementwise.transcendental import exp, expm1, log, log1p

LARGEST = 100.0  # sums of arguments up to which the beta function is a quotient of gamma functions
DEEP = -20.0  # below, the tail of the normal distribution is computed by its asymptotic series


def logit(x: Atom) -> Atom:
    """log(x / (1 - x)); near 1/2, where the quotient is near 1, from what is left of 1: log1p((2x - 1) / (1 - x))."""
    odds = log(x / (1 - x))
    middle = (x > 0.3) & (x < 0.65)
    safe = co.select(middle, x, 0.5)
    return co.select(middle, log1p((2 * safe - 1) / (1 - safe)), odds)


def log_expit(x: Atom) -> Atom:
    return -transcendental.logaddexp(full(0, x.type), -x)


def times_log(logarithm) -> Callable:
    """x log(y), which is 0 for x = 0 even where log(y) is not a number, unless y is NaN."""

    def rule(x, y):
        void = co.eq(x, 0) & ~co.isnan(y) & ~co.isfinite(logarithm(y))
        return co.select(void, 0.0, x * logarithm(co.select(void, 1.0, y)))

    return rule


def ndtr(x: Atom) -> Atom:
    return 0.5 * transcendental.erfc(x * -math.sqrt(0.5))


def log_ndtr(x: Atom) -> Atom:
    deep = x < DEEP
    near, far = co.select(deep, 0.0, x), co.select(deep, x, DEEP)
    inverse, series = 1 / (far * far), full(1, x.type)
    for k in (15, 13, 11, 9, 7, 5, 3, 1):
        series = 1 - k * inverse * series
    tail = -0.5 * far * far - log(-far) - 0.5 * math.log(2 * math.pi) + log(series)
    upper = x > 0
    above, below = co.select(upper, near, 0.0), co.select(upper, 0.0, near)
    return co.select(deep, tail, co.select(upper, log1p(-ndtr(-above)), log(ndtr(below))))


def entr(x: Atom) -> Atom:
    positive = x > 0
    safe = co.select(positive, x, 1.0)
    return co.select(positive, -safe * log(safe), co.select(co.eq(x, 0), 0.0, co.select(co.isnan(x), full(math.nan, x.type), -math.inf)))


def divergence(extra: Callable) -> Callable:
    """x log(x / y) and `extra` of the two, for x > 0 and y > 0."""

    def rule(x, y):
        inside = (x > 0) & (y > 0)
        a, b = co.select(inside, x, 1.0), co.select(inside, y, 1.0)
        edge = co.eq(x, 0) & (y >= 0)
        rest = co.select(edge, extra(0.0 * x, y), co.select(co.isnan(x) | co.isnan(y), full(math.nan, x.type), math.inf))
        return co.select(inside, a * log(a / b) + extra(a, b), rest)

    return rule


def huber(delta: Atom, r: Atom) -> Atom:
    size = ar.abs(r)
    value = co.select(size <= delta, 0.5 * ar.square(r), delta * (size - 0.5 * delta))
    return co.select(delta < 0, math.inf, value)


def pseudo_huber(delta: Atom, r: Atom) -> Atom:
    void = co.eq(delta, 0) | (co.eq(r, 0) & ~(delta < math.inf))
    ratio = co.select(void, 0.0, r) / co.select(void, 1.0, delta)
    delta = co.select(void, 0.0, delta)
    return co.select(delta < 0, math.inf, delta * delta * expm1(0.5 * log1p(ar.square(ratio))))


def exprel(x: Atom) -> Atom:
    small, huge = ar.abs(x) < 1e-5, co.eq(x, math.inf)
    safe = co.select(small | huge, 1.0, x)
    return co.select(small, 1 + x * (0.5 + x * (1 / 6)), co.select(huge, x, expm1(safe) / safe))


def cosm1(x: Atom) -> Atom:
    return -2 * ar.square(transcendental.sin(0.5 * x))


def is_pole(x: Atom) -> Atom:
    """Whether the gamma function has no value at `x`."""
    return (x <= 0) & co.eq(x, ar.floor(x))


def betaln(a: Atom, b: Atom) -> Atom:
    """gammaln(a) + gammaln(b) - gammaln(a + b); inf at the poles of either, -inf where one is infinite."""
    pole, far = is_pole(a) | is_pole(b), (co.eq(a, math.inf) & (b < math.inf)) | (co.eq(b, math.inf) & (a < math.inf))
    c, d = co.select(pole | far, 1.0, a), co.select(pole | far, 1.0, b)
    value = gamma.gammaln(c) + gamma.gammaln(d) - gamma.gammaln(c + d)
    return co.select(pole, math.inf, co.select(far, -math.inf, value))


def beta(a: Atom, b: Atom) -> Atom:
    pole = is_pole(a) | is_pole(b)
    few = (ar.abs(a) < LARGEST) & (ar.abs(b) < LARGEST) & (ar.abs(a + b) < LARGEST) & ~pole
    c, d = co.select(few, a, 1.0), co.select(few, b, 1.0)
    value = co.select(few, gamma.gamma(c) * gamma.gamma(d) / gamma.gamma(c + d), exp(betaln(co.select(few, 1.0, a), co.select(few, 1.0, b))))
    return co.select(pole, math.inf, value)


def airy(x: Atom) -> tuple[Atom, ...]:
    return bessel.airy_ai(x), bessel.airy_aip(x), bessel.airy_bi(x), bessel.airy_bip(x)


def ellipj(u: Atom, m: Atom) -> tuple[Atom, ...]:
    return elliptic.ellipj_sn(u, m), elliptic.ellipj_cn(u, m), elliptic.ellipj_dn(u, m), elliptic.ellipj_ph(u, m)


def inv_boxcox(y: Atom, power: Atom, exponential: Callable = exp) -> Atom:
    """exp(log(1 + p y) / p), for p = 0 exp(y)."""
    change = power * y
    small = ar.abs(change) < 1e-5
    safe = co.select(small, 1.0, change)
    return exponential(y * co.select(small, 1 - change * (0.5 - change * (1 / 3)), log1p(safe) / safe))


def in_degrees(function: Callable) -> Callable:
    return lambda x: function(x * (math.pi / 180))


LIBRARY = """
    jv yv iv kv ive kve kn yn j0 j1 y0 y1 i0 i1 i0e i1e k0 k1 k0e k1e struve modstruve erfcx erfi dawsn erfinv erfcinv ndtri ndtri_exp owens_t
    exp1 expi expn spence wrightomega gammainc gammaincc gammaincinv gammainccinv betainc betaincc betaincinv betainccinv gammasgn rgamma poch
    binom stdtr stdtrit elliprf elliprd ellipk ellipkm1 ellipe ellipkinc ellipeinc hyp2f1 hyp1f1 hyp0f1 hyperu chdtr chdtrc
    gdtr gdtrc pdtr pdtrc fdtr fdtrc bdtr bdtrc boxcox boxcox1p powm1 loggamma eval_jacobi eval_gegenbauer eval_legendre
    eval_chebyt eval_chebyu eval_genlaguerre eval_laguerre eval_hermite eval_hermitenorm lpmv
"""

DEGREES = "kn yn expn eval_jacobi eval_gegenbauer eval_legendre eval_chebyt eval_chebyu eval_genlaguerre eval_laguerre"
INTEGERS = {**dict.fromkeys(DEGREES.split(), 0), "bdtr": 1, "bdtrc": 1}  # which operands are counted with, and would be cut to integers

SCIPY_RULES: dict[str, Callable] = {
    **{name: REGISTRY[name] for name in LIBRARY.split()},
    "jve": bessel.jv,
    "yve": bessel.yv,
    "airy": airy,
    "ellipj": ellipj,
    "fresnel": lambda x: (special.fresnel_s(x), special.fresnel_c(x)),
    "sici": lambda x: (special.sine_integral(x), special.cosine_integral(x)),
    "shichi": lambda x: (special.sinh_integral(x), special.cosh_integral(x)),
    "wofz": faddeeva.wofz,
    "voigt_profile": faddeeva.voigt_profile,
    "inv_boxcox": inv_boxcox,
    "inv_boxcox1p": lambda y, power: inv_boxcox(y, power, expm1),
    "sindg": in_degrees(transcendental.sin),
    "cosdg": in_degrees(transcendental.cos),
    "tandg": in_degrees(transcendental.tan),
    "radian": lambda d, m, s: (d + m * (1 / 60) + s * (1 / 3600)) * (math.pi / 180),
    "erf": transcendental.erf,
    "erfc": transcendental.erfc,
    "ndtr": ndtr,
    "log_ndtr": log_ndtr,
    "gamma": gamma.gamma,
    "gammaln": gamma.gammaln,
    "psi": gamma.digamma,
    "beta": beta,
    "betaln": betaln,
    "expit": transcendental.expit,
    "logit": logit,
    "log_expit": log_expit,
    "xlogy": times_log(log),
    "xlog1py": times_log(log1p),
    "entr": entr,
    "rel_entr": divergence(lambda x, y: full(0, x.type)),
    "kl_div": divergence(lambda x, y: y - x),
    "huber": huber,
    "pseudo_huber": pseudo_huber,
    "exp10": lambda x: powers.pow(full(10, x.type), x),
    "exprel": exprel,
    "cosm1": cosm1,
    "cbrt": ar.cbrt,
    "exp2": transcendental.exp2,
    "expm1": expm1,
    "log1p": log1p,
    "round": ar.rint,
}
