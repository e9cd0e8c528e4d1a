"""Elementary functions of complex scalars, in terms of real ones.

In: the name of a primitive and complex scalars. Out: a complex scalar. Invariant: the error is a few units in the last place of the
result's absolute value, except for `pow`, whose error grows with the size of the logarithm; branch cuts and the signs of zeros are C99's.

Formulas: Abramowitz and Stegun, 4.2 to 4.5; division by R. L. Smith (Communications of the ACM 5 (1962) 435); inverse functions by
W. Kahan, Branch cuts for complex elementary functions (The State of the Art in Numerical Analysis, 1987, 165).
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


def times(b, small, large):
    """A product in which zero wins over infinity, as on the real axis where `small` is exactly zero."""
    return b.select(b.call("eq", small, b.const(0, small)), small, small * large)


def exponential(base):
    def rule(b, z):
        growth = b.call(base, z.real)
        angle = z.imag if base == "exp" else z.imag * b.const(float(np.log(2.0)), z.imag)
        return b.complex(growth * b.call("cos", angle), times(b, b.call("sin", angle), growth))

    return rule


def exponential_less_one(b, z):
    """The real part is expm1(x) cos(y) - 2 sin(y/2)^2, where nothing cancels."""
    half = b.call("sin", b.const(0.5, z.real) * z.imag)
    real = b.call("expm1", z.real) * b.call("cos", z.imag) - b.const(2, half) * half * half
    return b.complex(real, times(b, b.call("sin", z.imag), b.call("exp", z.real)))


def absolute(b, z):
    return b.call("hypot", z.real, z.imag)


def logarithm(scale: float):
    """log|z| from the larger part m and the ratio r of the parts: log m + log(1 + r^2)/2, which neither overflows nor loses what is near |z| = 1."""

    def rule(b, z):
        x, y = b.call("abs", z.real), b.call("abs", z.imag)
        large, small = b.call("maximum", x, y), b.call("minimum", x, y)
        ratio = b.select(b.call("eq", large, small), b.const(1, x), small / large)
        size = b.call("log", large) + b.const(0.5, x) * b.call("log1p", ratio * ratio)
        factor = b.const(scale, x)
        return b.complex(size * factor, b.call("arctan2", z.imag, z.real) * factor)

    return rule


def logarithm_of_one_more(b, z):
    """Where |1 + z|^2 = 1 + x (x + 2) + y^2 is near 1, log1p of what it exceeds 1 by."""
    one, excess = b.const(1, z.real), z.real * (z.real + b.const(2, z.real)) + z.imag * z.imag
    far = logarithm(1.0)(b, b.complex(one + z.real, z.imag))
    near = b.call("le", b.call("abs", excess), b.const(0.5, excess))
    return b.complex(b.select(near, b.const(0.5, excess) * b.call("log1p", excess), far.real), far.imag)


def square_root(b, z):
    """Principal root: the larger part by a stable formula, the other by division."""
    zero, half = b.const(0, z.real), b.const(0.5, z.real)
    larger = b.call("sqrt", half * (absolute(b, z) + b.call("abs", z.real)))
    smaller = b.select(b.call("eq", larger, zero), zero, half * b.call("abs", z.imag) / larger)
    right = b.call("ge", z.real, zero)
    imag = b.select(right, smaller, larger)
    return b.complex(b.select(right, larger, smaller), b.call("copysign", imag, z.imag))


def hyperbolic_sine(b, z):
    return b.complex(times(b, b.call("sinh", z.real), b.call("cos", z.imag)), times(b, b.call("sin", z.imag), b.call("cosh", z.real)))


def hyperbolic_cosine(b, z):
    return b.complex(b.call("cosh", z.real) * b.call("cos", z.imag), times(b, b.call("sin", z.imag), b.call("sinh", z.real)))


def hyperbolic_tangent(b, z):
    """With t = tanh x and s = sin y, c = cos y, s2 = 1/cosh(x)^2: (t + i s c s2) / (c^2 + s^2 t^2), where nothing overflows or cancels."""
    t, s, c = b.call("tanh", z.real), b.call("sin", z.imag), b.call("cos", z.imag)
    h = b.call("exp", -b.call("abs", z.real))
    one = b.const(1, z.real)
    sech = (h + h) / (one + h * h)
    squared = sech * sech
    scale = c * c + s * s * t * t
    return b.complex(t / scale, s * c * squared / scale)


def quarter_turn(b, z):
    """i z"""
    return b.complex(-z.imag, z.real)


def turned(rule):
    """The function whose argument and value are those of `rule` turned back by a quarter: -i f(i z)."""

    def turn(b, z):
        w = rule(b, quarter_turn(b, z))
        return b.complex(w.imag, -w.real)

    return turn


def cosine(b, z):
    return hyperbolic_cosine(b, quarter_turn(b, z))


def roots_around_one(b, z):
    """sqrt(1 - z) and sqrt(1 + z)."""
    one = b.const(1, z.real)
    return square_root(b, b.complex(one - z.real, -z.imag)), square_root(b, b.complex(one + z.real, z.imag))


def inverse_sine(b, z):
    below, above = roots_around_one(b, z)
    growth = below.real * above.imag - below.imag * above.real
    return b.complex(b.call("arctan2", z.real, below.real * above.real - below.imag * above.imag), b.call("arcsinh", growth))


def inverse_cosine(b, z):
    below, above = roots_around_one(b, z)
    angle = b.call("arctan2", below.real, above.real)
    return b.complex(angle + angle, b.call("arcsinh", above.real * below.imag - above.imag * below.real))


def inverse_hyperbolic_cosine(b, z):
    one = b.const(1, z.real)
    below, above = square_root(b, b.complex(z.real - one, z.imag)), square_root(b, b.complex(z.real + one, z.imag))
    angle = b.call("arctan2", below.imag, above.real)
    return b.complex(b.call("arcsinh", below.real * above.real + below.imag * above.imag), angle + angle)


def inverse_hyperbolic_tangent(b, z):
    """log((1 + z)/(1 - z))/2; its real part is log1p(4x/|1 - z|^2)/4, for the sign of x that makes it positive."""
    x, one = b.call("abs", z.real), b.const(1, z.real)
    away = one - x
    distance = away * away + z.imag * z.imag
    real = b.const(0.25, x) * b.call("log1p", b.const(4, x) * x / distance)
    angle = b.call("arctan2", z.imag + z.imag, away * (one + x) - z.imag * z.imag)
    return b.complex(b.call("copysign", real, z.real), b.const(0.5, x) * angle)


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
    "expm1": exponential_less_one, "log1p": logarithm_of_one_more,
    "sinh": hyperbolic_sine, "cosh": hyperbolic_cosine, "tanh": hyperbolic_tangent,
    "sin": turned(hyperbolic_sine), "cos": cosine, "tan": turned(hyperbolic_tangent),
    "arcsin": inverse_sine, "arccos": inverse_cosine, "arctan": turned(inverse_hyperbolic_tangent),
    "arcsinh": turned(inverse_sine), "arccosh": inverse_hyperbolic_cosine, "arctanh": inverse_hyperbolic_tangent,
}  # fmt: skip
