"""Exponentials, logarithms, trigonometric and hyperbolic functions, one row each, and special functions.

Derivatives: Abramowitz and Stegun, Handbook of Mathematical Functions, chapters 4, 6 and 7. Each is written in the form
that loses no accuracy where the function itself does not.
"""

from __future__ import annotations

import numpy as np

from jitad.primitives.declare import elementwise, from_scipy
from jitad.primitives.elementwise.arithmetic import POSITIVE, always, sqrt
from jitad.primitives.elementwise.comparisons import eq, select

LOG2, LOG10 = float(np.log(2.0)), float(np.log(10.0))
INNER = (-0.9, 0.9)
ABOVE_ONE = (1.2, 3.0)

exp = elementwise("exp", np.exp, lambda r, x: r, cost=12, nonnegative=always)
exp2 = elementwise("exp2", np.exp2, lambda r, x: LOG2 * r, cost=12, nonnegative=always)
expm1 = elementwise("expm1", np.expm1, lambda r, x: r + 1, cost=20)
log = elementwise("log", np.log, lambda r, x: 1 / x, cost=15, domains=(POSITIVE,))
log2 = elementwise("log2", np.log2, lambda r, x: (1 / LOG2) / x, cost=15, domains=(POSITIVE,))
log10 = elementwise("log10", np.log10, lambda r, x: (1 / LOG10) / x, cost=15, domains=(POSITIVE,))
log1p = elementwise("log1p", np.log1p, lambda r, x: 1 / (1 + x), cost=20, domains=((-0.5, 2.0),),
                    nonnegative=lambda equation, known: known(equation.inputs[0]))

sin = elementwise("sin", np.sin, lambda r, x: cos(x), cost=15)
cos = elementwise("cos", np.cos, lambda r, x: -sin(x), cost=15)
tan = elementwise("tan", np.tan, lambda r, x: 1 + r * r, cost=25, domains=((-1.2, 1.2),))
arcsin = elementwise("arcsin", np.arcsin, lambda r, x: 1 / sqrt((1 - x) * (1 + x)), cost=20, domains=(INNER,))
arccos = elementwise("arccos", np.arccos, lambda r, x: -1 / sqrt((1 - x) * (1 + x)), cost=20, domains=(INNER,), nonnegative=always)
arctan = elementwise("arctan", np.arctan, lambda r, x: 1 / (1 + x * x), cost=20)
arctan2 = elementwise("arctan2", np.arctan2, lambda r, y, x: x / (x * x + y * y), lambda r, y, x: -y / (x * x + y * y), cost=30,
                      kinds="f", domains=(POSITIVE, POSITIVE))

sinh = elementwise("sinh", np.sinh, lambda r, x: cosh(x), cost=20)
cosh = elementwise("cosh", np.cosh, lambda r, x: sinh(x), cost=20, nonnegative=always)
tanh = elementwise("tanh", np.tanh, lambda r, x: 1 - r * r, cost=20)
arcsinh = elementwise("arcsinh", np.arcsinh, lambda r, x: 1 / hypot_one(x), cost=25)
arccosh = elementwise("arccosh", np.arccosh, lambda r, x: 1 / (sqrt(x - 1) * sqrt(x + 1)), cost=25, domains=(ABOVE_ONE,), nonnegative=always)
arctanh = elementwise("arctanh", np.arctanh, lambda r, x: 1 / ((1 - x) * (1 + x)), cost=25, domains=(INNER,))


def hypot_one(x):
    """sqrt(1 + x**2)"""
    return sqrt(1 + x * x)


def softmax_weight(r, x, exponential):
    """exp(x - r), the share of one operand in a log-sum-exp; 0 where both operands vanish in the logarithm (r = -inf)."""
    return select(eq(r, -np.inf), 0.0, exponential(x - r))


logaddexp = elementwise("logaddexp", np.logaddexp, lambda r, x, y: softmax_weight(r, x, exp),
                        lambda r, x, y: softmax_weight(r, y, exp), cost=35, kinds="f")
logaddexp2 = elementwise("logaddexp2", np.logaddexp2, lambda r, x, y: softmax_weight(r, x, exp2),
                         lambda r, x, y: softmax_weight(r, y, exp2), cost=35, kinds="f")

TWO_OVER_ROOT_PI = float(2 / np.sqrt(np.pi))
erf = elementwise("erf", from_scipy("erf"), lambda r, x: TWO_OVER_ROOT_PI * exp(-(x * x)), cost=25, kinds="f")
erfc = elementwise("erfc", from_scipy("erfc"), lambda r, x: -TWO_OVER_ROOT_PI * exp(-(x * x)), cost=25, kinds="f", nonnegative=always)
expit = elementwise("expit", from_scipy("expit"), lambda r, x: r * (1 - r), cost=20, kinds="f", nonnegative=always)
