"""The complex error function w(z) = exp(-z^2) erfc(-i z) and the profiles made of it, as functions of atoms.

In: complex or real atoms. Out: values with an error of 1e-13 |w| by a rational function, through which derivatives go.
J. A. C. Weideman, "Computation of the complex error function", SIAM Journal on Numerical Analysis 31 (1994) 1497.
"""

from __future__ import annotations

import numpy as np

from jitad.ir.program import Atom
from jitad.primitives.declare import full
from jitad.primitives.elementwise import comparisons as co
from jitad.primitives.elementwise.complexes import complex_, imag, real
from jitad.primitives.elementwise.transcendental import exp

DEGREE = 40
LENGTH = np.sqrt(DEGREE / np.sqrt(2.0))


def coefficients() -> list[float]:
    """Return those of the polynomial, the highest first."""
    t = LENGTH * np.tan(np.arange(1 - 2 * DEGREE, 2 * DEGREE) * (np.pi / (4 * DEGREE)))
    samples = np.concatenate([[0.0], np.exp(-t * t) * (LENGTH**2 + t * t)])
    return (np.fft.fft(np.fft.fftshift(samples)).real / (4 * DEGREE))[DEGREE:0:-1].tolist()


COEFFICIENTS = coefficients()


def upper(z: Atom) -> Atom:
    """w for imaginary parts that are not negative."""
    turned = z * 1j
    below = 1 / (LENGTH - turned)
    ratio = (LENGTH + turned) * below
    total = full(COEFFICIENTS[0], z.type)
    for coefficient in COEFFICIENTS[1:]:
        total = total * ratio + coefficient
    return below * (2 * total * below + 1 / np.sqrt(np.pi))


def wofz(z: Atom) -> Atom:
    if z.type.dtype.kind != "c":
        z = complex_(z, full(0, z.type))
    vanishes = co.isinf(real(z)) | co.eq(imag(z), np.inf)
    z = co.select(vanishes, 0.0, z)
    reflected = imag(z) < 0
    w = upper(co.select(reflected, -z, z))
    safe = co.select(reflected, z, 0.0)
    return co.select(vanishes, 0.0, co.select(reflected, 2 * exp(-safe * safe) - w, w))


def voigt_profile(x: Atom, sigma: Atom, gamma: Atom) -> Atom:
    """The normal distribution of width sigma, convolved with the Cauchy distribution of width gamma."""
    sharp = co.eq(sigma, 0)
    width = co.select(sharp, 1.0, sigma) * np.sqrt(2.0)
    smooth = real(upper(complex_(x / width, gamma / width))) / (width * np.sqrt(np.pi))
    apart = co.select(sharp, x * x + gamma * gamma, 1.0)
    return co.select(sharp, gamma / (np.pi * apart), smooth)
