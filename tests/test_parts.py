"""Small parts of arrays in loops: what a trip reads, writes and keeps is what its statements name."""

import numpy as np
import pytest
from counted import work_of_trips

import jitad
from jitad.lower.grammar.loops import Repeat
from jitad.lower.grammar.walk import children
from jitad.pipeline import bytes_taken, optimize, to_loops
from jitad.testing import check_grads

N, TRIPS = 600, 50
RNG = np.random.default_rng(0)
X, PLACES = RNG.uniform(0.2, 1, TRIPS), RNG.integers(0, N, TRIPS)


# --- constant places -----------------------------------------------------------------------------------------------------------------------


def first(x):
    y = np.ones(N)
    for i in range(len(x)):
        y[0] = y[0] * 0.9 + x[i]
    return np.sum(y**2)


def last_by_another(x):
    y = np.ones(N)
    for i in range(len(x)):
        y[-1] += np.sin(x[i]) * y[3]
        y[3] = x[i]
    return np.sum(y**2)


def in_nested_loops(x):
    y = np.ones(N)
    for i in range(len(x)):
        for k in range(30):
            y[5] = np.sin(y[5]) + x[k]
        y[-1] = y[5] * y[i]
    return np.sum(y**2)


def columns(x):
    y = np.ones((N // 20, 20))
    for i in range(len(x)):
        y[:2, -1] = y[:2, -1] * 0.9 + x[i]
        y[1, 1] *= y[0, -1]
    return np.sum(y**2)


@pytest.mark.parametrize("function", [first, last_by_another, in_nested_loops, columns])
def test_constant_places_are_written_where_they_are(function):
    for derived in (jitad.jit(function), jitad.value_and_grad(function)):
        assert max(work_of_trips(to_loops(jitad.trace(derived)(X)).steps)) <= 2
    np.testing.assert_allclose(jitad.jit(function)(X), function(X), rtol=1e-13)
    check_grads(function, (X,), order=2)


def test_what_is_also_used_whole_is_computed_in_one_pass():
    """A condition at the rim of a stencil stays in the pass over all elements."""
    def heat(x):
        u = np.ones(N) * x[0]
        for i in range(len(x)):
            u[0] = x[i]
            u[1:-1] = u[1:-1] + 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2])
        return np.sum(u**2)

    (loop,) = [step for step in to_loops(jitad.trace(heat)(X)).steps if isinstance(step, Repeat)]
    assert len(loop.steps) == 1
    np.testing.assert_allclose(jitad.jit(heat)(X), heat(X), rtol=1e-13)


# --- what is kept --------------------------------------------------------------------------------------------------------------------------


def walk(a):
    a, at = a.copy(), 0
    for p in PLACES:
        at = (at + p) % N
        a[at] = np.cos(a[at]) + 0.5 * a[(at + 1) % N]
    return np.sum(a**3)


def avalanches(a):
    a = a.copy()
    for i in PLACES:
        if a[i] > 0.5:
            part = np.sqrt(a[i])
            a[i] -= part
            a[i - 1] += 0.5 * part
            a[(i + 1) % N] += 0.5 * part
    return np.sum(a**2)


def windows(a):
    a = a.copy()
    for i in PLACES:
        a[i : i + 4] = np.tanh(a[i : i + 4]) * 1.5
    return np.sum(a**2)


def transform(a):
    """Butterflies, with squares so that it is not linear."""
    a, half = a.copy(), 1
    for _ in range(6):
        for k in range(32):
            i = k // half * 2 * half + k % half
            b = np.cos(np.pi * (k % half) / half) * a[i + half]
            a[i + half] = 0.5 * (a[i] * a[i] - b)
            a[i] = 0.5 * (a[i] + b)
        half = half * 2
    return np.sum(np.sin(a))


def spins(a):
    s = a.copy().reshape(20, 30)
    for _ in range(3):
        for i in range(20):
            for j in range(30):
                s[i, j] = np.tanh(0.4 * (s[(i + 1) % 20, j] + s[i - 1, j] + s[i, (j + 1) % 30] + s[i, j - 1]) + 0.1 * s[i, j])
    return np.sum(s**2)


@pytest.mark.parametrize("function, numbers", [(walk, 2 * TRIPS), (avalanches, 2 * TRIPS), (windows, 5 * TRIPS), (transform, 4 * 6 * 32),
                                               (spins, 4 * 1800)])
def test_loops_keep_what_they_overwrite(function, numbers):
    """Of each trip a few elements, not the array."""
    a = 0.5 + 0.1 * np.sin(np.arange(float(N)))
    assert bytes_taken(jitad.trace(jitad.grad(function))(a)) < 8 * (numbers + 4 * N)
    v = np.cos(np.arange(N) ** 1.5)
    slope = (function(a + 1e-6 * v) - function(a - 1e-6 * v)) / 2e-6
    assert np.sum(jitad.grad(function)(a) * v) == pytest.approx(slope, rel=1e-6)


# --- what is read ---------------------------------------------------------------------------------------------------------------------------


def interpolated(u, shift):
    """Each element of the next state from sixteen of the last, at places that follow from numbers."""
    n, u, weights = len(u), u.copy(), np.zeros(4)
    for _ in range(3):
        following = np.empty((n, n))
        for i in range(n):
            for j in range(n):
                x, y = i - shift, j + shift
                k, l = int(np.floor(x)), int(np.floor(y))
                weights[1], weights[2], total = 1 - (x - k), (y - l) ** 2, 0.0
                for a in range(4):
                    for b in range(4):
                        total += weights[a] * weights[b] * u[(k + a) % n, (l + b) % n]
                following[i, j] = total
        u = following
    return np.sum(u**2)


def test_many_single_elements_are_read_where_they_are():
    u = RNG.normal(size=(25, 25))
    loops = to_loops(jitad.trace(jitad.value_and_grad(interpolated, argnums=(0, 1)))(u, 0.3))

    def innermost(steps, depth=0):
        for step in steps:
            for inner in children(step):
                yield from innermost(inner, depth + isinstance(step, Repeat))
            if depth == 3 and not children(step):
                yield step.trips

    assert max(innermost(loops.steps)) <= 16
    np.testing.assert_allclose(jitad.jit(interpolated)(u, 0.3), interpolated(u, 0.3), rtol=1e-13)
    check_grads(interpolated, (u, 0.3), order=1)


def test_what_is_added_to_parts_leaves_their_cotangents_where_they_are():
    def residual(x, w):
        y = np.zeros_like(x)
        fluxes = w * (x[1:] - x[:-1])
        y[1:] += fluxes
        y[:-1] -= fluxes
        y[:, ::2] += x[:, ::2] ** 2
        for i in range(len(x)):
            y[i, 2:] += y[i, 3] * x[i, 2:]
            y[i, 0] += x[i, 1]
        return np.sum(y**2)

    x, w = RNG.normal(size=(6, 7)), RNG.normal(size=(5, 7))
    updates = [equation.primitive.name for equation in optimize(jitad.trace(jitad.grad(with_neighbours))(x)).equations].count("update")
    assert updates == [equation.primitive.name for equation in optimize(jitad.trace(with_neighbours)(x)).equations].count("update")
    np.testing.assert_allclose(jitad.jit(residual)(x, w), residual(x, w), rtol=1e-13)
    check_grads(residual, (x, w), order=2)


def with_neighbours(x):
    y = 2 * x
    y[1:] += x[:-1] ** 2
    y[:, 1:] += x[:, :-1] ** 3
    return np.sum(y**2)
