"""Functions that call themselves until a condition holds that is only known when the compiled function runs."""

import numpy as np
import pytest
from staged import check_at

import jitad
from jitad.ir import errors


def simpson(f, a, b, fa, fm, fb, whole, tolerance):
    m = (a + b) / 2
    left_middle, right_middle = f((a + m) / 2), f((m + b) / 2)
    left, right = (m - a) / 6 * (fa + 4 * left_middle + fm), (b - m) / 6 * (fm + 4 * right_middle + fb)
    more = left + right - whole
    if abs(more) < 15 * tolerance:
        return left + right + more / 15
    return simpson(f, a, m, fa, left_middle, fm, left, tolerance / 2) + simpson(f, m, b, fm, right_middle, fb, right, tolerance / 2)


def integral(x):
    def f(t):
        return np.exp(-t * t * x**2) * np.sin(5 * t) + x

    fa, fm, fb = f(0.0), f(1.5), f(3.0)
    return simpson(f, 0.0, 3.0, fa, fm, fb, 0.5 * (fa + 4 * fm + fb), 1e-6)


def mean(a, g=1.0):
    if abs(a - g) < 1e-12:
        return a
    return mean((a + g) / 2, g=np.sqrt(a * g))


def factorial(n):
    return 1.0 if n <= 1 else n * factorial(n - 1)


def bracketed(x):
    def root(low, high, steps=0):
        middle = (low + high) / 2
        if high - low < 1e-6:
            return middle, steps
        elif middle * middle > x:
            return root(low, middle, steps + 1)
        else:
            return root(middle, high, steps + 1)

    start, steps = root(0.0, 3.0)
    for _ in range(2):  # bisection is a step function, Newton's steps have the derivative of the root
        start = (start + x / start) / 2
    return start * steps


def rays(x):
    """Weights, differences and quotients of calls, in a function inside."""
    def light(origin, depth):
        if depth < 0.1:
            return origin
        if origin > 2:
            return -(0.4 * light(origin * 0.5, depth * 0.7) - origin) / 2
        return origin + 0.3 * light(origin * 0.9, depth * 0.7) - light(origin * 1.1, depth * 0.4) / 4

    return light(x, x / 2 + 1)


def power(x, n):
    """Recursion that is ended by what is known stays what it is."""
    if n == 0:
        return 1.0
    return power(x * x, n // 2) if n % 2 == 0 else x * power(x, n - 1)


def transform(a):
    n = len(a)
    if n == 1:
        return a + 0j
    even, odd = transform(a[::2]), transform(a[1::2])
    twiddled = np.exp(-2j * np.pi * np.arange(n // 2) / n) * odd
    return np.concatenate([even + twiddled, even - twiddled])


def known(x):
    spectrum = transform(np.arange(8.0) * x) if x > 1 else transform(np.sin(np.arange(8.0) * x))
    return power(x, 13) + abs(spectrum[1])


PROGRAMS = [(integral, [0.5, -1.2]), (mean, [2.0, 7.0]), (factorial, [3.2, 6.7]), (bracketed, [2.5, 3.7]), (rays, [0.8, 1.9]), (known, [0.9, 1.1])]


@pytest.mark.parametrize(("program", "points"), PROGRAMS, ids=lambda x: getattr(x, "__name__", ""))
def test_recursion(program, points):
    check_at(program, points)


def maximum(x, depth):
    if x * depth > 3:
        return x
    return max(maximum(x * 1.3, depth + 1), maximum(x * 1.2, depth + 2))


def is_even(n):
    return True if n < 1 else is_odd(n - 1)


def is_odd(n):
    return False if n < 1 else is_even(n - 1)


def halves(x):
    return [x] if x < 1 else [*halves(x / 2), x] + halves(x / 3)


def sorted_by_parts(a):
    if len(a) < 2:
        return a
    return sorted_by_parts([x for x in a[1:] if x < a[0]]) + [a[0]] + sorted_by_parts([x for x in a[1:] if x >= a[0]])


@pytest.mark.parametrize(
    "function", [lambda x: maximum(x, 1), lambda x: is_even(x) * x, lambda x: len(halves(x)), lambda x: sorted_by_parts([x, 1 - x, x * x])[0]])
def test_other_recursion_is_refused(function):
    with pytest.raises(errors.ControlFlowError, match=r"calls itself until .* write a loop.*\n.*test_recursion.py"):
        jitad.jit(function)(0.5)
