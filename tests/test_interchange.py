"""Loops that run across what lies together in memory change places where no trip depends on another one of the outer loop."""

import numpy as np
import pytest

import jitad
from jitad.lower.grammar.loops import Repeat
from jitad.lower.grammar.walk import leaves, reachable, roots
from jitad.pipeline import to_loops
from jitad.testing import check_grads

N, M = 40, 30


def down_columns(x):
    y = x.copy()
    for j in range(M):
        for i in range(1, N):
            y[i, j] = 0.6 * y[i - 1, j] + np.sin(y[i, j])
    return y


def up_columns(x):
    y = np.zeros((N, M))
    for j in range(1, M):
        for i in range(N - 2, -1, -1):
            y[i, j] = 0.6 * y[i + 1, j] + x[i, j] * x[i, j - 1]
    return y


def every_other_column(x):
    y = x.copy()
    for j in range(M - 1, -1, -1):
        for i in range(2, N, 2):
            y[i, j] += 0.6 * y[i - 2, j] * y[i - 1, j]
    return y


def along_rows(x):
    y = x.copy()
    for i in range(N):
        for j in range(1, M):
            y[i, j] = 0.6 * y[i, j - 1] + np.sin(y[i, j])
    return y


def diagonal(x):
    y = x.copy()
    for j in range(M - 1):
        for i in range(1, N):
            y[i, j] = 0.6 * y[i - 1, j + 1] + np.sin(y[i, j])
    return y


def from_the_column_before(x):
    y = x.copy()
    for j in range(M - 1, 0, -1):
        for i in range(1, N):
            y[i, j - 1] = 0.6 * y[i - 1, j] + y[i, j - 1]
    return y


def whole(x):
    y = x.copy()
    for j in range(M):
        for i in range(1, N):
            y[i, j] = 0.6 * y[i - 1, j] + 0.001 * np.sum(y)
    return y


def triangle(x):
    y = x.copy()
    for j in range(M):
        for i in range(j, N - 1):
            y[i + 1, j] = 0.6 * y[i, j] + y[i + 1, j]
    return y


def counted(x):
    y, total = x.copy(), 0.0
    for j in range(M):
        for i in range(1, N):
            y[i, j] = 0.6 * y[i - 1, j] + np.sin(total)
            total += y[i, j]
    return y


X = np.random.default_rng(0).uniform(0.1, 0.9, (N, M))
EXCHANGED = [down_columns, up_columns, every_other_column]
LEFT = [along_rows, diagonal, from_the_column_before, whole, triangle, counted]


def inner_strides(steps):
    """How far apart the elements are that the innermost loops read and write from trip to trip."""
    found = set()
    for outer in steps:
        if isinstance(outer, Repeat) and isinstance(outer.steps[-1], Repeat):
            inner = outer.steps[-1]
            for nest in leaves(inner.steps):
                for region in nest.regions:
                    positions = [x.args[1] for x in reachable(roots(region)) if x.op == "load"] + [s.position for s in region.statements]
                    found |= {abs(c) for p in positions for term, c in p.terms if not isinstance(term, int) and term.args[:1] == (inner.counter,)}
    return found


@pytest.mark.parametrize("function", EXCHANGED + [along_rows])
def test_the_inner_loop_runs_along_rows(function):
    for transform in (jitad.jit(function), jitad.grad(lambda x: np.sum(function(x) ** 2))):
        strides = inner_strides(to_loops(jitad.trace(transform)(X)).steps)
        assert 1 in strides and not strides & {M, 2 * M}


@pytest.mark.parametrize("function", EXCHANGED + LEFT)
def test_values_and_gradients(function):
    np.testing.assert_allclose(jitad.jit(function)(X), function(X), rtol=1e-12)
    check_grads(lambda x: np.sum(function(x) ** 2), (X,))
