"""Elementary functions of complex scalars, in terms of real ones.

Formulas: Abramowitz and Stegun, 4.2 to 4.5; division by R. L. Smith (Communications of the ACM 5 (1962) 435); square root
without overflow and with the sign of the imaginary part kept, as in C99.
"""

from __future__ import annotations

import numpy as np

from jitad.ir import errors


def call(b, name: str, *args):
    """Apply the elementwise primitive `name` to complex scalars."""
    rule = RULES.get(name)
    if rule is None:
        raise errors.NotImplementedError(f"{name} of complex numbers has no compiled form")
    return rule(b, *args)


def divide(b, x, y):
    """Smith's division: scale by the larger part of the divisor."""
    if y.imag.op == "zero":
        return b.complex(x.real / y.real, x.imag / y.real)
    wide = b.call("ge", b.call("abs", y.real), b.call("abs", y.imag))
    large, small = b.select(wide, y.real, y.imag), b.select(wide, y.imag, y.real)
    ratio = small / large
    ratio = b.select(b.call("eq", small, b.const(0, small)), small, ratio)
    scale = large + small * ratio
    real = b.select(wide, x.real + x.imag * ratio, x.real * ratio + x.imag)
    imag = b.select(wide, x.imag - x.real * ratio, x.imag * ratio - x.real)
    return b.complex(real / scale, imag / scale)


def exponential(base):
    def rule(b, z):
        growth = b.call(base, z.real)
        angle = z.imag if base == "exp" else z.imag * b.const(float(np.log(2.0)), z.imag)
        return b.complex(growth * b.call("cos", angle), growth * b.call("sin", angle))

    return rule


def absolute(b, z):
    return b.call("hypot", z.real, z.imag)


def logarithm(scale: float):
    def rule(b, z):
        factor = b.const(scale, z.real)
        return b.complex(b.call("log", absolute(b, z)) * factor, b.call("arctan2", z.imag, z.real) * factor)

    return rule


def square_root(b, z):
    """Principal root: the larger part by a stable formula, the other by division."""
    zero, half = b.const(0, z.real), b.const(0.5, z.real)
    larger = b.call("sqrt", half * (absolute(b, z) + b.call("abs", z.real)))
    smaller = b.select(b.call("eq", larger, zero), zero, half * b.call("abs", z.imag) / larger)
    right = b.call("ge", z.real, zero)
    imag = b.select(right, smaller, larger)
    return b.complex(b.select(right, larger, smaller), b.call("copysign", imag, z.imag))


def sine(b, z):
    return b.complex(b.call("sin", z.real) * b.call("cosh", z.imag), b.call("cos", z.real) * b.call("sinh", z.imag))


def cosine(b, z):
    return b.complex(b.call("cos", z.real) * b.call("cosh", z.imag), -(b.call("sin", z.real) * b.call("sinh", z.imag)))


def hyperbolic_sine(b, z):
    return b.complex(b.call("sinh", z.real) * b.call("cos", z.imag), b.call("cosh", z.real) * b.call("sin", z.imag))


def hyperbolic_cosine(b, z):
    return b.complex(b.call("cosh", z.real) * b.call("cos", z.imag), b.call("sinh", z.real) * b.call("sin", z.imag))


def hyperbolic_tangent(b, z):
    """With t = tanh x and s = sin y, c = cos y, s2 = 1/cosh(x)^2: (t + i s c s2) / (1 - s^2 s2), which cannot overflow."""
    t, s, c = b.call("tanh", z.real), b.call("sin", z.imag), b.call("cos", z.imag)
    h = b.call("exp", -b.call("abs", z.real))
    one = b.const(1, z.real)
    sech = (h + h) / (one + h * h)
    squared = sech * sech
    scale = one - s * s * squared
    return b.complex(t / scale, s * c * squared / scale)


def tangent(b, z):
    """tan z = -i tanh(i z)"""
    w = hyperbolic_tangent(b, b.complex(-z.imag, z.real))
    return b.complex(w.imag, -w.real)


def power(b, x, y):
    """exp(y log x), with 0**y = 0 for a positive real part of y and x**0 = 1."""
    general = call(b, "exp", y * call(b, "log", x))
    zero = b.const(0, x.real)
    at_zero = b.call("and", b.call("eq", x.real, zero), b.call("eq", x.imag, zero))
    trivial = b.call("and", b.call("eq", y.real, zero), b.call("eq", y.imag, zero))
    one = b.complex(b.const(1, x.real), zero)
    return b.select(trivial, one, b.select(at_zero, b.complex(zero, zero), general))


def equal(b, x, y):
    return b.call("and", b.call("eq", x.real, y.real), b.call("eq", x.imag, y.imag))


def unequal(b, x, y):
    return b.call("or", b.call("ne", x.real, y.real), b.call("ne", x.imag, y.imag))


RULES = {
    "div": divide, "abs": absolute, "eq": equal, "ne": unequal, "sqrt": square_root, "pow": power,
    "exp": exponential("exp"), "exp2": exponential("exp2"),
    "log": logarithm(1.0), "log2": logarithm(float(1 / np.log(2.0))), "log10": logarithm(float(1 / np.log(10.0))),
    "sin": sine, "cos": cosine, "tan": tangent, "sinh": hyperbolic_sine, "cosh": hyperbolic_cosine, "tanh": hyperbolic_tangent,
}  # fmt: skip
