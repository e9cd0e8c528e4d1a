"""Nests of loops with independent trips become operations on whole arrays, with the same values and derivatives; others stay loops."""

import numpy as np
import pytest

import jitad
from jitad.ir.program import bodies
from jitad.pipeline import optimize
from jitad.testing import check_grads

RNG = np.random.default_rng(0)
X, Y, U = RNG.random((20, 18)), RNG.random((20, 18)), RNG.uniform(-1, 1, (20, 18))
V = RNG.random(20)


def upwind(x, u):
    x, y = x.copy(), np.zeros_like(x)
    n, m = x.shape
    for _ in range(2):
        for i in range(1, n - 1):
            for j in range(1, m - 1):
                flux = u[i, j] * (x[i, j] - x[i - 1, j]) if u[i, j] > 0 else u[i, j] * (x[i + 1, j] - x[i, j])
                y[i, j] = x[i, j] - 0.1 * flux
        for i in range(1, n - 1):
            for j in range(1, m - 1):
                x[i, j] = y[i, j]
    return x


def sums(x, y):
    """Of rows, and of everything; the trip's number is a number too, and what does not depend on a trip is added as often."""
    total, rows = 0.0, np.zeros(len(x))
    for i in range(x.shape[0]):
        row = y[i, 0]
        for j in range(x.shape[1]):
            row += x[i, j] * j
            total -= 0.25 * i
            total += np.sin(x[i, j]) * y[i, j]
        rows[i] = row * row
        total += row
    return rows, total


def turned(x, y):
    """Axes in another order, every other element, and places that stay the same in all trips."""
    z, w = np.zeros((x.shape[1], x.shape[0])), np.zeros((40, 2))
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            z[j, i] = x[i, j] * y[19 - 1, j]
        w[2 * i, 1] = x[i, 3] + V[i]
    return z, w


def in_a_recurrence(x, y):
    """The loop around is one: the number of its trip is a place."""
    x = x.copy()
    for i in range(1, x.shape[0]):
        for j in range(x.shape[1]):
            x[i, j] += np.sin(x[i - 1, j]) * y[i, j]
    return x


def several(x, y):
    """A trip reads what it has written; loops beside each other in one around both."""
    a, b = np.zeros_like(x), np.zeros_like(x)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            a[i, j] = x[i, j] * y[i, j]
            b[i, j] = a[i, j] ** 2
        for j in range(x.shape[1]):
            b[i, j] += a[i, j] * x[i, j]
    return a, b


def diagonal(x, y):
    z = y.copy()
    for i in range(18):
        z[i, i] = x[i, i]
    return z


def recurrence(x, y):
    z = x.copy()
    for i in range(1, 20):
        for j in range(18):
            z[i, j] = z[i - 1, (j * 3) % 18] * y[i, j]
    return z


def overwritten(x, y):
    """Many trips write one place: the last one counts."""
    z = np.zeros(20)
    for i in range(20):
        for j in range(18):
            z[i] = x[i, j] * y[i, j]
    return z


def later(x, y):
    """A trip reads what a later one writes."""
    z = x.copy()
    for i in range(20):
        for j in range(17):
            z[i, j] = z[i, j + 1] * y[i, j]
    return z


def beyond(x, y):
    z = np.zeros(20)
    for i in range(20):
        z[i] = x[i - 1, 0] + y[-1 - i, 2]
    return z


def looked_at(x, y):
    total, z = 0.0, np.zeros(20)
    for i in range(20):
        total += x[i, 0]
        z[i] = total * y[i, 0]
    return z


def depth(program):
    """Return how many loops are in each other."""
    inside = [(equation, max(map(depth, bodies(equation.params)), default=0)) for equation in program.equations]
    return max([(equation.primitive.name == "loop") + count for equation, count in inside], default=0)


GRIDS = (sums, turned, several)
LOOPS = {upwind: 1, in_a_recurrence: 1, diagonal: 1, recurrence: 2, overwritten: 2, later: 2, beyond: 1, looked_at: 1}


@pytest.mark.parametrize(("function", "loops"), [*[(function, 0) for function in GRIDS], *LOOPS.items()])
def test_same_values_and_derivatives(function, loops):
    x, y = (X, U) if function is upwind else (X, Y)
    assert depth(optimize(jitad.trace(function)(x, y))) == loops
    for got, wanted in zip(flat(jitad.jit(function)(x, y)), flat(function(x, y)), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-13)
    check_grads(function, (x, y))


def flat(results):
    return results if isinstance(results, tuple) else (results,)


def test_adjoints_are_gathers():
    def smoothed(x):
        y = x.copy()
        for i in range(1, len(x) - 1):
            y[i] = 0.5 * x[i] + 0.25 * (x[i - 1] + x[i + 1])
        return np.sum(y**2)

    assert depth(optimize(jitad.trace(jitad.grad(smoothed))(V))) == 0
    check_grads(smoothed, (V,), order=2)


def test_sums_whose_order_counts():
    def rounded(x):
        total = 0.0
        for i in range(len(x)):
            total = total + x[i] + 1.5 * 2.0**49 - 1.5 * 2.0**49
        return total

    assert depth(optimize(jitad.trace(rounded)(V))) == 1
    assert jitad.jit(rounded)(V) == rounded(V)


def test_sums_stay_in_order_if_strict(monkeypatch):
    monkeypatch.setattr(jitad.config, "strict", True)

    def plain(x):
        total = 0.0
        for i in range(len(x)):
            total += x[i]
        return total

    x = np.full(500, 0.1)
    assert jitad.jit(plain)(x) == jitad.value_and_grad(plain)(x)[0] == plain(x)


def test_integers_and_complex_numbers():
    def f(k, z):
        n, t, odd = 0, 0j, np.zeros(len(k), dtype=bool)
        for i in range(len(k)):
            n += k[i] * i
            t += z[i] * k[i]
            odd[i] = k[i] % 2 == 1
        return n, t, odd

    k, z = np.arange(20)[::-1].copy(), V + 1j * V[::-1]
    for got, wanted in zip(jitad.jit(f)(k, z), f(k, z), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-14)
