"""Loops in which little waits for the trip before: the rest is computed in loops of its own, ahead or afterwards."""

import math

import numpy as np
import pytest

import jitad
from jitad.lower.grammar.loops import Repeat
from jitad.lower.grammar.walk import children
from jitad.pipeline import to_loops
from jitad.testing import check_grads

RNG = np.random.default_rng(0)


def ahead(x, y):
    a = 0.5
    for i in range(1, len(x)):
        a = math.exp(x[i] - x[i - 1]) * 0.3 + 0.5 * a * y[i]
    return a


def afterwards(x, y):
    state, total, most = 0.1, 0.0, np.zeros(len(x) + 1)
    for i in range(len(x)):
        state = 0.9 * state + x[i] * x[i]
        total += math.log(state + 1) * y[i] - state
        most[i + 1] = math.sin(state)
    return total + most @ most + most[len(x)]


def both(x, y):
    """Downwards, with a complex state, the one before, and writes of which the last counts."""
    state, before, found, total = 1j, 0.0, np.zeros(7), 0.0
    for i in range(len(x) - 1, -1, -1):
        turned = state * np.exp(1j * x[i])
        total -= before * math.cos(y[i]) + np.abs(turned) ** 3
        before = turned.real
        state = 0.5 * turned + x[i]
        found[i % 7] = math.tanh(before * y[i])
    return total + found @ np.arange(7.0)


def nested(x, y):
    total = 0.0
    for k in range(3):
        a = 0.0
        for i in range(len(x)):
            a = 0.5 * a + math.exp(-k * x[i])
            total += math.sqrt(1 + a * a) * math.log(2 + y[i])
    return total


def of_any_length(x, y, count):
    a, total = 0.5, 0.0
    for i in range(count):
        a = math.exp(x[i]) * 0.3 + 0.5 * a * y[i]
        total += math.log(a)
    return total


def test_trips_that_are_counted_when_it_runs():
    x, y = RNG.uniform(0.1, 0.6, 60), RNG.uniform(0.1, 0.9, 60)

    def growing(x, y):
        total = 0.0
        for n in range(60):
            total += of_any_length(x, y, n) * y[n]
        return total

    assert jitad.jit(growing)(x, y) == pytest.approx(growing(x, y), rel=1e-12)
    check_grads(growing, (x, y))
    for count in (0, 1, 45):
        assert jitad.jit(of_any_length)(x, y, np.int64(count)) == pytest.approx(of_any_length(x, y, count), rel=1e-12)


def repeats(steps):
    return sum(isinstance(step, Repeat) + sum(map(repeats, children(step))) for step in steps)


@pytest.mark.parametrize(("function", "loops"), [(ahead, 2), (afterwards, 2), (both, 3), (nested, 9)])
@pytest.mark.parametrize("n", [40, 5000, 8192])
def test_values_and_gradients(function, loops, n):
    if n > 5000 and function is not both:
        pytest.skip("whole blocks alone")
    x, y = RNG.uniform(0.1, 0.6, n), RNG.uniform(0.1, 0.9, n)
    if n < 1000:
        assert repeats(to_loops(jitad.trace(function)(x, y)).steps) == loops
        check_grads(function, (x, y), order=2)
    value, slopes = jitad.value_and_grad(function, argnums=(0, 1))(x, y)
    assert value == pytest.approx(function(x, y), rel=1e-11)
    directions = RNG.normal(size=(2, n))
    slope, step = sum(np.vdot(a, b) for a, b in zip(slopes, directions, strict=True)), 1e-6
    across = [function(x + h * directions[0], y + h * directions[1]) for h in (step, -step)]
    assert slope == pytest.approx((across[0] - across[1]) / (2 * step), rel=1e-5, abs=1e-6)


def test_indices_are_checked_wherever_they_are_computed():
    def f(x, places):
        a = 0.0
        for i in range(len(x)):
            a = 0.5 * a + math.exp(x[places[i]])
        return a

    x = RNG.uniform(size=50)
    places = RNG.integers(-50, 50, 50)
    assert jitad.jit(f)(x, places) == pytest.approx(f(x, places), rel=1e-12)
    places[20] = 50
    with pytest.raises(IndexError, match="50"):
        jitad.jit(f)(x, places)
