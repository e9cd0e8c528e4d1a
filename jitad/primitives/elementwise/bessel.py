"""Bessel, Airy and Struve functions, one row each.

Meanings are those of ``scipy.special``. Derivatives: NIST Digital Library of Mathematical Functions, chapters 9 to 11.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from jitad.ir.primitive import Primitive
from jitad.ir.program import Atom
from jitad.primitives.declare import full
from jitad.primitives.elementwise.arithmetic import POSITIVE, always, sign
from jitad.primitives.elementwise.comparisons import eq, select
from jitad.primitives.elementwise.foreign import library, unknown
from jitad.primitives.elementwise.gamma import gammaln
from jitad.primitives.elementwise.transcendental import exp, log

ORDER = (0.6, 2.4)


def half_difference(function: Primitive) -> Callable:
    return lambda r, v, x: 0.5 * (function(v - 1, x) - function(v + 1, x))


def half_sum(function: Primitive, factor: float = 0.5) -> Callable:
    return lambda r, v, x: factor * (function(v - 1, x) + function(v + 1, x))


BESSEL, WHOLE = {"domains": (ORDER, POSITIVE)}, {"domains": ((2.0, 2.0), POSITIVE)}
jv = library("jv", unknown("jv", "the order"), lambda r, v, x: half_difference(jv)(r, v, x), **BESSEL)
yv = library("yv", unknown("yv", "the order"), lambda r, v, x: half_difference(yv)(r, v, x), **BESSEL)
iv = library("iv", unknown("iv", "the order"), lambda r, v, x: half_sum(iv)(r, v, x), **BESSEL)
kv = library("kv", unknown("kv", "the order"), lambda r, v, x: half_sum(kv, -0.5)(r, v, x), **BESSEL)
ive = library("ive", unknown("ive", "the order"), lambda r, v, x: half_sum(ive)(r, v, x) - sign(x) * r, **BESSEL)
kve = library("kve", unknown("kve", "the order"), lambda r, v, x: r + half_sum(kve, -0.5)(r, v, x), **BESSEL)
kn = library("kn", unknown("kn", "the order"), lambda r, n, x: half_sum(kv, -0.5)(r, n, x), letters="ld", **WHOLE)
yn = library("yn", unknown("yn", "the order"), lambda r, n, x: half_difference(yv)(r, n, x), letters="ld", **WHOLE)

j0 = library("j0", lambda r, x: -j1(x))
j1 = library("j1", lambda r, x: 0.5 * (j0(x) - jv(full(2, x.type), x)))
y0 = library("y0", lambda r, x: -y1(x), domains=(POSITIVE,))
y1 = library("y1", lambda r, x: 0.5 * (y0(x) - yv(full(2, x.type), x)), domains=(POSITIVE,))
i0 = library("i0", lambda r, x: i1(x), nonnegative=always)
i1 = library("i1", lambda r, x: 0.5 * (i0(x) + iv(full(2, x.type), x)))
i0e = library("i0e", lambda r, x: i1e(x) - sign(x) * r, nonnegative=always)
i1e = library("i1e", lambda r, x: 0.5 * (i0e(x) + ive(full(2, x.type), x)) - sign(x) * r)
k0 = library("k0", lambda r, x: -k1(x), domains=(POSITIVE,))
k1 = library("k1", lambda r, x: -0.5 * (k0(x) + kv(full(2, x.type), x)), domains=(POSITIVE,))
k0e = library("k0e", lambda r, x: r - k1e(x), domains=(POSITIVE,))
k1e = library("k1e", lambda r, x: r - 0.5 * (k0e(x) + kve(full(2, x.type), x)), domains=(POSITIVE,))


def spherical(before: float, after: float) -> Callable:
    """(before n f_(n-1) + after (n + 1) f_(n+1)) / (2n + 1), in which the first term is not asked for where n = 0."""

    def partial(r, n, x, function):
        lower = select(eq(n, 0), 0.0, before * n * function(select(eq(n, 0), 1.0, n - 1), x))
        return (lower + after * (n + 1) * function(n + 1, x)) / (2 * n + 1)

    return partial


DEGREES = {"letters": "ldo", "domains": ((1.0, 1.0), POSITIVE)}
spherical_jn = library("spherical_jn", unknown("spherical_jn", "n"), lambda r, n, x: spherical(1, -1)(r, n, x, spherical_jn), **DEGREES)
spherical_yn = library("spherical_yn", unknown("spherical_yn", "n"), lambda r, n, x: spherical(1, -1)(r, n, x, spherical_yn), **DEGREES)
spherical_in = library("spherical_in", unknown("spherical_in", "n"), lambda r, n, x: spherical(1, 1)(r, n, x, spherical_in), **DEGREES)
spherical_kn = library("spherical_kn", unknown("spherical_kn", "n"), lambda r, n, x: spherical(-1, -1)(r, n, x, spherical_kn), **DEGREES)

airy_ai = library("airy_ai", lambda r, x: airy_aip(x), function="airy", letters="dpppp", k=0)
airy_aip = library("airy_aip", lambda r, x: x * airy_ai(x), function="airy", letters="dpppp", k=1)
airy_bi = library("airy_bi", lambda r, x: airy_bip(x), function="airy", letters="dpppp", k=2)
airy_bip = library("airy_bip", lambda r, x: x * airy_bi(x), function="airy", letters="dpppp", k=3)


def struve_term(v: Atom, x: Atom) -> Atom:
    """(x / 2)^v / (sqrt(pi) gamma(v + 3/2))"""
    return exp(v * log(0.5 * x) - gammaln(v + 1.5)) * (1 / math.sqrt(math.pi))


struve = library("struve", unknown("struve", "the order"), lambda r, v, x: 0.5 * (struve(v - 1, x) - struve(v + 1, x) + struve_term(v, x)),
                 **BESSEL)
modstruve = library("modstruve", unknown("modstruve", "the order"),
                    lambda r, v, x: 0.5 * (modstruve(v - 1, x) + modstruve(v + 1, x) + struve_term(v, x)), **BESSEL)
