"""Numbers that loops add to, trip by trip: in another order where nothing can tell, and as they are written elsewhere."""

import math

import numpy as np
import pytest

import jitad
from jitad.lower.grammar.walk import leaves
from jitad.pipeline import to_loops
from jitad.testing import check_grads

RNG = np.random.default_rng(0)
X, Y = RNG.uniform(-1, 1, 500), RNG.uniform(0.5, 1, 500)
ORDER = RNG.permutation(500)  # what is read at such places is read by loops


def weighted(x, y):
    total = 0.0
    for i in range(len(x)):
        total += math.exp(x[ORDER[i] % len(x)]) * y[ORDER[i] % len(y)]
    return total


def several(x, y):
    total, difference, turned = 0.0, 1.0, 0j
    for i in range(len(x)):
        total = total + x[ORDER[i] % len(x)] + math.sin(y[ORDER[i] % len(y)])
        difference -= x[ORDER[i] % len(x)] * y[ORDER[i] % len(y)]
        turned += np.exp(1j * x[ORDER[i] % len(x)]) * y[ORDER[i] % len(y)]
    return total * difference + abs(turned)


def nested(x, y):
    total = 0.0
    for k in range(5):
        inner = 0.0
        for i in range(len(x)):
            inner += math.log(y[ORDER[i] % len(y)] + k)
        total += inner**2
    return total


def compensated(x, y):
    """Kahan's sum."""
    total = lost = 0.0
    for i in range(len(x)):
        term = x[i] * 1e8 - lost
        following = total + term
        lost = (following - total) - term
        total = following
    return total


def rounded(x, y):
    """Sums of multiples of 1/8."""
    total = 0.0
    for i in range(len(x)):
        total = total + x[i] + 1.5 * 2.0**49 - 1.5 * 2.0**49
    return total


def looked_at(x, y):
    total = most = 0.0
    for i in range(len(x)):
        total += x[i]
        most = max(most, total)
    return most


def stopped(x, y):
    total, i = 0.0, 0
    while total < 5 and i < len(x):
        total += y[i]
        i += 1
    return total


def sums(function):
    return sum(len(step.sums) for step in leaves(to_loops(jitad.trace(function)(X, Y)).steps) if hasattr(step, "sums"))


@pytest.mark.parametrize(("function", "count"), [(weighted, 1), (several, 5), (nested, 1)])
def test_sums_that_nothing_else_reads(function, count):
    assert sums(function) == count
    np.testing.assert_allclose(jitad.jit(function)(X, Y), function(X, Y), rtol=1e-12)
    check_grads(function, (X[:20], Y[:20]), order=2)


@pytest.mark.parametrize("function", [compensated, rounded, looked_at, stopped])
def test_sums_whose_order_counts(function):
    assert sums(function) == 0
    assert jitad.jit(function)(X, Y) == pytest.approx(function(X, Y), rel=1e-15)


def test_the_order_is_kept_if_strict(monkeypatch):
    monkeypatch.setattr(jitad.config, "strict", True)
    ones = np.full_like(Y, 0.1)

    def plain(x, y):
        total = 0.0
        for i in range(len(x)):
            total += y[i]
        return total

    assert jitad.jit(plain)(X, ones) == plain(X, ones) != math.fsum(ones)
