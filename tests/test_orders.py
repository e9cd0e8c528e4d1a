"""`max`, `min` and `sorted` by the values of a function, or of what may be empty."""

import numpy as np
import pytest

import jitad
from jitad.ir import errors


def nearest(v):
    place = max(range(len(v)), key=lambda i: -(v[i] - 0.4) ** 2)
    return min(v, key=lambda t: (t - 0.4) ** 2) * 3 + v[place] ** 2 + max([(v[0], 2.0), (v[1], 3.0)], key=lambda pair: pair[0])[1] * v[2]


def ordered(v):
    by_size = sorted(v, key=abs)
    places = sorted(range(len(v)), key=lambda i: v[i], reverse=True)
    pairs = sorted([(v[k], k) for k in range(4)], key=lambda pair: pair[0])
    return by_size[0] + 2 * by_size[1] + v[places[0]] * 3 + v[places[-2]] * places[1] + pairs[1][0] * pairs[0][1]


def possibly_empty(v):
    return min((t for t in v if t > 0.5), default=0.25) * v[1] + max((t * t for t in v if t < -9), default=v[0])


@pytest.mark.parametrize("program", [nearest, ordered])
@pytest.mark.parametrize("size", [5, 40])
def test_by_key(program, size):
    x = np.random.default_rng(size).normal(size=size)
    check(program, x)


@pytest.mark.parametrize("x", [np.array([0.6, -1.2, 2.0, 0.8]), -np.ones(3), np.array([0.3, -10.0, -9.5, 0.6])])
def test_possibly_empty(x):
    check(possibly_empty, x)


def check(program, x):
    np.testing.assert_allclose(jitad.jit(program)(x), program(x), rtol=1e-12)
    direction = np.cos(np.arange(len(x)))
    slope = (program(x + 1e-7 * direction) - program(x - 1e-7 * direction)) / 2e-7
    np.testing.assert_allclose(jitad.grad(program)(x) @ direction, slope, rtol=1e-5, atol=1e-6)


def test_keys_that_are_known():
    assert jitad.jit(lambda x: x * max(["a", "bcd", "ef"], key=len).count("c"))(2.0) == 2.0
    assert jitad.jit(lambda x: x * sorted([3, -1, 2], key=abs, reverse=True)[0])(2.0) == 6.0
    assert jitad.jit(lambda x: x * max((), default=3, key=abs))(2.0) == 6.0


def test_nan_wins_only_where_it_is_first():
    def f(v):
        return max(v, key=lambda t: t * 2), min(v, key=lambda t: t)

    for x in (np.array([1.0, np.nan, 3.0]), np.array([np.nan, 1.0, 3.0])):
        np.testing.assert_array_equal(jitad.jit(f)(x), f(x))


def taken(v):
    if any((found := t) > 0.4 for t in v):
        return found
    return 0.0


def endless(x):
    def halves(y):
        while True:
            yield y
            y = y / 2

    for y in halves(x):
        if y < 1e-3:
            break
    return y


MISTAKES = [
    (taken, np.ones(3), ":= within any"), (endless, 1.0, "write while"), (lambda x: float(f"{x:.2f}") * x, 1.0, "round it by np.round")]


@pytest.mark.parametrize(("function", "x", "message"), MISTAKES)
def test_what_cannot_be_known_is_refused(function, x, message):
    with pytest.raises((errors.ControlFlowError, errors.NotImplementedError), match=rf"{message}.*\n.*test_orders.py"):
        jitad.jit(function)(x)


def test_numbers_are_scalars():
    assert jitad.jit(lambda v: v[0] * np.isscalar(v[0]) + np.isscalar(v))(np.ones(2)) == 1.0
