"""What conditions add to numbers: the sum stays a sum, exactly, and its cotangent is handed on as it is."""

import numpy as np
import pytest

import jitad
from jitad.pipeline import optimize
from jitad.testing import check_grads

X = np.random.default_rng(0).uniform(-1, 1, 40)
EDGES = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0])


def within_reach(x):
    total, lost = 0.0, 1.0
    for i in range(len(x)):
        r = x[i] * x[i]
        if r < 0.5:
            total += 1 / (r + 0.1)
            total -= r
        elif x[i] > 0:
            total -= r
            lost -= x[i]
        else:
            lost += r
    return total * lost


def masked(x):
    y = np.sin(x)
    y = np.where(x > 0, y + x, y)
    y = np.where(x < 0.5, x + y * y, y - x)
    y[x > 0.2] -= np.exp(x)[x > 0.2]
    return y


def doubled(x):
    """The number may be what is added to it."""
    y = np.where(x > 0, x + x, x)
    return np.where(y > 1, (y + x) + x, y + x)


@pytest.mark.parametrize("f", [within_reach, masked, doubled])
def test_values_and_derivatives(f):
    np.testing.assert_allclose(jitad.jit(f)(X), f(X), rtol=1e-13)
    check_grads(f, (X,))


def test_bits():
    """Signs of zeros, and what is not finite, where nothing is added."""
    def f(m, x, y):
        return np.where(m, x + y, x), np.where(m, x, x - y), np.where(m, x + y, x - y)

    x, y = (a.ravel() for a in np.meshgrid(EDGES, EDGES))
    for m in (x > 2 * y, x == x, x != x):
        with np.errstate(invalid="ignore"):
            expected = f(m, x, y)
        for got, wanted in zip(jitad.jit(f)(m, x, y), expected, strict=True):
            np.testing.assert_array_equal(got, wanted)
            np.testing.assert_array_equal(np.signbit(got[wanted == 0]), np.signbit(wanted[wanted == 0]))


def test_what_was_not_added_contributes_nothing():
    def f(x):
        return np.sum(np.where(x > 0, x + np.sqrt(x), x))

    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(jitad.grad(f)(np.array([-1.0, 4.0])), [1.0, 1.25])


def test_integers():
    def f(k):
        n = 0
        for i in range(len(k)):
            if k[i] % 3 == 0:
                n += k[i]
            else:
                n -= 1
        return n

    k = np.arange(50)
    assert jitad.jit(f)(k) == f(k)


def test_the_cotangent_of_a_sum_is_not_carried():
    order = np.random.default_rng(1).permutation(len(X))

    def f(x, k):
        total = 0.0
        for i in range(len(x)):
            y = x[k[i]]
            if y < 0.5:
                total += y**3
        return total

    loops = [equation for equation in optimize(jitad.trace(jitad.grad(f))(X, order)).equations if "length" in equation.params]
    assert [[x.shape for x in loop.outputs] for loop in loops] == [[X.shape]]


def choices(program):
    """Return the equations of a Program that choose between bodies, in loops too."""
    found = []
    for equation in program.equations:
        found += [equation] if "branches" in equation.params else []
        found += choices(equation.params["body"]) if "body" in equation.params else []
    return found


def test_elements_that_are_there_are_read_in_any_case():
    def f(x, k):
        total = 0.0
        for i in range(1, len(x) - 1):
            if x[i, 0] < 0:
                total += x[i + 1, 1] * x[i - 1, 0]
            if x[k[i], 1] < 0:
                total -= x[k[i], 1] * x[i, -1]
        return total

    x, k = X.reshape(20, 2), np.arange(20)[::-1].copy()
    assert not choices(jitad.trace(f)(x, k))
    np.testing.assert_allclose(jitad.jit(f)(x, k), f(x, k), rtol=1e-13)
    check_grads(lambda x: f(x, k), (x,))


def test_elements_that_may_not_be_there_are_read_if_they_are():
    def f(x, k):
        total = 0.0
        for i in range(len(x)):
            if i + 1 < len(x):
                total += x[i + 1]
            if k[i] < len(x):
                total += x[k[i]]
        return total

    k = np.arange(len(X)) + 3
    assert len(choices(jitad.trace(f)(X, k))) == 2
    np.testing.assert_allclose(jitad.jit(f)(X, k), f(X, k), rtol=1e-13)


def limited(x):
    slope, kind, grid = np.zeros(30), np.zeros(30, dtype=int), np.empty((30, 2))
    for i in range(1, 29):
        a, b = x[i] - x[i - 1], x[i + 1] - x[i]
        if a * b <= 0:
            slope[i] = 0.0
        elif abs(a) < abs(b):
            slope[i] = a
        else:
            slope[i] = b
        if a > 0:
            kind[i] = 2
            grid[i, 0] = a * b
        else:
            kind[i] = i
            grid[i, 0] = -1.0
        grid[i, 1] = slope[i] * kind[i]
    return slope, kind, grid[1:-1]


def test_elements_that_are_written_in_any_case():
    assert not choices(jitad.trace(limited)(X))
    for got, wanted in zip(jitad.jit(limited)(X), limited(X), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-14)
    check_grads(lambda x: limited(x)[::2], (X,))


def test_elements_that_are_written_in_some_cases():
    def f(x, k):
        y = np.zeros(20)
        for i in range(len(x) // 2):
            if x[i] < 0:
                y[k[i]] += x[i]
            if x[i] > 0.5:
                y[i] = x[i]
            else:
                y[i - 1] = x[i]
            if x[i] < 0.2:
                y[i // 2] = x[i]
                y[i // 3] = y[i // 2] * 2
            else:
                y[i // 3] = 0.0
        return y

    k = np.arange(20)[::-1].copy()
    assert len(choices(jitad.trace(f)(X, k))) == 3
    np.testing.assert_allclose(jitad.jit(f)(X, k), f(X, k), rtol=1e-14)
    check_grads(lambda x: f(x, k), (X,))
