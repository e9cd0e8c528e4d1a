"""Elliptic integrals and Jacobi's elliptic functions, one row each.

Meanings are those of ``scipy.special``, whose parameter m is the square of the modulus. Derivatives: NIST Digital Library of Mathematical Functions,
chapters 19 and 22, with D = (F - E) / m, so that nothing is divided by m where that can be avoided.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from jitad.ir.primitive import Primitive
from jitad.ir.program import Atom
from jitad.primitives.declare import elementwise, from_scipy
from jitad.primitives.elementwise.arithmetic import POSITIVE, sqrt
from jitad.primitives.elementwise.comparisons import select
from jitad.primitives.elementwise.foreign import COST, DOUBLE, library, parameters
from jitad.primitives.elementwise.transcendental import sin

UNIT = (0.1, 0.9)
SMALL = 1e-5  # below which moduli are 0 in quotients by them
MODULUS = (-0.8, 0.8)
MODULI = {"domains": (MODULUS,)}
ANGLES = {"domains": ((-1.4, 1.4), MODULUS)}
elliprd = library("elliprd", *parameters("elliprd", "x", "y", "z"), domains=(POSITIVE,) * 3)
elliprf = library("elliprf", lambda r, x, y, z: elliprd(y, z, x) * (-1 / 6), lambda r, x, y, z: elliprd(x, z, y) * (-1 / 6),
                  lambda r, x, y, z: elliprd(x, y, z) * (-1 / 6), domains=(POSITIVE,) * 3)


def over_modulus(numerator: Atom, m: Atom, limit: Atom | float) -> Atom:
    small = (m < SMALL) & (m > -SMALL)
    return select(small, limit, numerator / select(small, 1.0, m))


ellipd = elementwise("ellipd", lambda m: (from_scipy("elliprd")(0, 1 - m, 1) / 3).astype(m.dtype),
                     lambda r, m: over_modulus(ellipk(m) - (2 - m) * r, 2 * m * (1 - m), 3 * math.pi / 32),
                     element=lambda b, m: elliptic_element(b, m), cost=COST, kinds="f", **MODULI)


def elliptic_element(b, m):
    x = b.convert(m, DOUBLE)
    one = b.const(1, DOUBLE)
    return b.convert(b.call("elliprd:elliprd:ddd", b.const(0, DOUBLE), one - x, one) * b.const(1 / 3, DOUBLE), m.dtype)


ellipk = library("ellipk", lambda r, m: (r - ellipd(m)) / (2 * (1 - m)), **MODULI)
ellipkm1 = library("ellipkm1", lambda r, p: (ellipd(1 - p) - r) / (2 * p), domains=(POSITIVE,))
ellipe = library("ellipe", lambda r, m: -0.5 * ellipd(m), **MODULI)


def delta(phi: Atom, m: Atom) -> Atom:
    return sqrt(1 - m * sin(phi) * sin(phi))


def first_by_modulus(f: Atom, d: Atom, phi: Atom, m: Atom) -> Atom:
    return (f - d) / (2 * (1 - m)) - sin(2 * phi) / (4 * (1 - m) * delta(phi, m))


def incomplete_third(phi: Atom, m: Atom) -> Atom:
    """D(phi, m) = (F - E) / m; for small m its limit."""
    limit = 0.5 * phi - 0.25 * sin(2 * phi)
    return over_modulus(ellipkinc(phi, m) - ellipeinc(phi, m), m, limit)


ellipkinc = library("ellipkinc", lambda r, phi, m: 1 / delta(phi, m),
                    lambda r, phi, m: first_by_modulus(r, incomplete_third(phi, m), phi, m), **ANGLES)
ellipeinc = library("ellipeinc", lambda r, phi, m: delta(phi, m), lambda r, phi, m: -0.5 * incomplete_third(phi, m), **ANGLES)


def amplitude_by_modulus(u: Atom, m: Atom) -> Atom:
    """The derivative by m of the angle phi at which F(phi, m) is u."""
    phi = ellipj_ph(u, m)
    return -delta(phi, m) * first_by_modulus(u, incomplete_third(phi, m), phi, m)


def jacobi(name: str, k: int, *partials: Callable) -> Primitive:
    return library(name, *partials, function="ellipj", letters="ddpppp", k=k, domains=((0.1, 1.2), UNIT))


ellipj_sn = jacobi("ellipj_sn", 0, lambda r, u, m: ellipj_cn(u, m) * ellipj_dn(u, m), lambda r, u, m: ellipj_cn(u, m) * amplitude_by_modulus(u, m))
ellipj_cn = jacobi("ellipj_cn", 1, lambda r, u, m: -ellipj_sn(u, m) * ellipj_dn(u, m), lambda r, u, m: -ellipj_sn(u, m) * amplitude_by_modulus(u, m))
ellipj_dn = jacobi(
    "ellipj_dn", 2, lambda r, u, m: -m * ellipj_sn(u, m) * ellipj_cn(u, m),
    lambda r, u, m: -0.5 * ellipj_sn(u, m) * (ellipj_sn(u, m) + 2 * m * ellipj_cn(u, m) * amplitude_by_modulus(u, m)) / r)
ellipj_ph = jacobi("ellipj_ph", 3, lambda r, u, m: ellipj_dn(u, m), lambda r, u, m: amplitude_by_modulus(u, m))
