"""``scipy.integrate.quad``: integrals of functions that take traced values, by adaptive bisection as in QUADPACK, without its extrapolation.

The intervals are chosen while the compiled function runs. The derivatives are those of the sum that they lead to;
of a jump of the integrand that moves they do not know.
"""

from __future__ import annotations

import math

import numpy as np

from jitad.frontend.arrays.array import Array
from jitad.frontend.hooks.own_code import traced_as_users
from jitad.frontend.scipy_api.options import refuse

# Gauss and Kronrod's rule of 21 points: the positive nodes and the one in the middle; the weights, 0 for nodes that Gauss' rule of 10 points has not.
HALF = np.array([
    0.995657163025808080, 0.973906528517171720, 0.930157491355708226, 0.865063366688984510,
    0.780817726586416897, 0.679409568299024406, 0.562757134668604683, 0.433395394129247190,
    0.294392862701460198, 0.148874338981631210, 0.0])  # fmt: skip
KRONROD = np.array([
    0.011694638867371874, 0.032558162307964727, 0.054755896574351996, 0.075039674810919952,
    0.093125454583697605, 0.109387158802297641, 0.123491976262065851, 0.134709217311473325,
    0.142775938577060080, 0.147739104901338491, 0.149445554002916905])  # fmt: skip
GAUSS = np.array([
    0.0, 0.066671344308688137, 0.0, 0.149451349150580593, 0.0, 0.219086362515982043, 0.0,
    0.269266719309996355, 0.0, 0.295524224714752870, 0.0])  # fmt: skip
NODES, WEIGHTS, COARSE = (np.concatenate([sign * x, x[-2::-1]]) for sign, x in ((-1.0, HALF), (1.0, KRONROD), (1.0, GAUSS)))


@traced_as_users
def rule(f, a, b):
    """Return the integral over an interval, and an estimate of its error."""
    middle, half = 0.5 * (a + b), 0.5 * (b - a)
    fine, coarse, size = 0.0, 0.0, 0.0
    for i in range(21):
        y = f(middle + half * NODES[i])
        fine = fine + WEIGHTS[i] * y
        coarse = coarse + COARSE[i] * y
        size = size + WEIGHTS[i] * abs(y)
    size = abs(half) * size + 1e-300
    share = abs(half * (fine - coarse)) / size
    return half * fine, size * np.minimum(share, (200 * share) ** 1.5)


@traced_as_users
def adaptive(f, a, b, absolute, relative, limit):
    """Halve the interval of the largest error until their sum is small."""
    lows, highs, values, mistakes = np.zeros(limit), np.zeros(limit), np.zeros(limit), np.zeros(limit)
    total, error = rule(f, a, b)
    lows[0], highs[0], values[0], mistakes[0] = a, b, total, error
    count = 1
    while count < limit and error > np.maximum(absolute, relative * abs(total)):
        k = np.argmax(mistakes)
        low, high = lows[k], highs[k]
        middle = 0.5 * (low + high)
        values[k], mistakes[k] = rule(f, low, middle)
        values[count], mistakes[count] = rule(f, middle, high)
        highs[k] = middle
        lows[count], highs[count] = middle, high
        count += 1
        total, error = np.sum(values), np.sum(mistakes)
    return total, error


def is_infinite(x) -> bool:
    return not isinstance(x, Array) and math.isinf(x)


def quad(func, a, b, args=(), full_output=0, epsabs=1.49e-8, epsrel=1.49e-8, limit=50, points=None, weight=None, wvar=None, wopts=None, maxp1=50,
         limlst=50, complex_func=False):
    """Limits that are traced are finite."""
    refuse("integrate.quad", weight=(weight, None), points=(points, None), full_output=(full_output, 0), complex_func=(complex_func, False))
    args = args if isinstance(args, tuple) else (args,)
    if is_infinite(a) and is_infinite(b):
        if a == b:
            return 0.0, 0.0
        value, error = adaptive(both_ways(func, args), 0.0, 1.0, epsabs, epsrel, limit)
        return (value if b > a else -value), error
    if is_infinite(b):
        value, error = adaptive(outwards(func, args, a, math.copysign(1.0, b)), 0.0, 1.0, epsabs, epsrel, limit)
        return (value if b > 0 else -value), error
    if is_infinite(a):
        value, error = adaptive(outwards(func, args, b, math.copysign(1.0, a)), 0.0, 1.0, epsabs, epsrel, limit)
        return (-value if a > 0 else value), error
    return adaptive(inside(func, args), a, b, epsabs, epsrel, limit)


def inside(func, args):
    @traced_as_users
    def f(x):
        return func(x, *args)

    return f


def outwards(func, args, start, sign):
    """The function of t in (0, 1) whose integral is that of `func` from `start` to infinity."""
    @traced_as_users
    def f(t):
        return func(start + sign * (1 - t) / t, *args) / (t * t)

    return f


def both_ways(func, args):
    @traced_as_users
    def f(t):
        x = (1 - t) / t
        return (func(x, *args) + func(-x, *args)) / (t * t)

    return f

