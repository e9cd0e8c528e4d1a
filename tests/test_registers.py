"""Elements that every trip of a loop adds to are carried as scalars, where nothing else in the loop reaches them."""

import numpy as np
import pytest
from test_lasting import lu_by_elements, matrix

import jitad
from jitad.lower.grammar.loops import Repeat
from jitad.lower.grammar.walk import leaves
from jitad.pipeline import to_loops
from jitad.testing import check_grads

N = 24


def row_sums(x):
    y = np.zeros(N)
    for i in range(N):
        for j in range(N):
            y[i] += x[i, j] * x[j, i]
    return y


def below_the_diagonal(x):
    """The loop of the last trip is empty, and there the place is none."""
    y = x.copy()
    for i in range(N):
        for j in range(i + 1, N):
            y[i + 1, i] += y[j, i + 1] * x[i, j]
    return y


def beside(x):
    y = x.copy()
    for i in range(N):
        for j in range(i):
            y[i, i] += y[i, j] * x[j, i]
    return y


def from_the_end(x):
    y = x[0].copy()
    for i in range(N - 1):
        for j in range(N - 1):
            y[-1] += x[i, j] * y[j]
        y[i] += y[-1]
    return y


def reached(x):
    y = x.copy()
    for i in range(N):
        for j in range(N):
            y[i, 3] += 0.01 * y[i, j]
    return y


def doubly(x):
    y = x[0].copy()
    for i in range(N):
        for j in range(N):
            y[i] += x[i, j]
            y[N - 1 - i] += 0.1 * x[j, i]
    return y


SUMS = [row_sums, below_the_diagonal, beside]
X = np.random.default_rng(0).uniform(0.1, 0.9, (N, N))


def stores(steps):
    """The arrays that the innermost of nested loops writes to."""
    for step in steps:
        if isinstance(step, Repeat):
            if any(isinstance(inner, Repeat) for inner in step.steps):
                yield from stores(step.steps)
            else:
                yield from (s.buffer for nest in leaves(step.steps) for region in nest.regions for s in region.statements
                            if s.buffer.type.size > 1)


@pytest.mark.parametrize("function", SUMS)
def test_nothing_is_written_in_a_trip(function):
    steps = to_loops(jitad.trace(jitad.jit(function))(X)).steps
    assert not list(stores([step for step in steps if isinstance(step, Repeat)]))


def test_the_adjoint_of_a_factorisation_adds_to_one_element_in_a_trip():
    *_, sweep = [step for step in to_loops(jitad.trace(jitad.grad(lu_by_elements))(matrix(N))).steps if isinstance(step, Repeat)]
    assert len(list(stores([sweep]))) == 1


@pytest.mark.parametrize("function", [*SUMS, from_the_end, reached, doubly])
def test_values_and_gradients(function):
    np.testing.assert_allclose(jitad.jit(function)(X), function(X), rtol=1e-13)
    check_grads(lambda x: np.sum(function(x) ** 2), (X,))


def forces(x):
    """What is only added to may be reached by others."""
    f = np.zeros((N, 2))
    for i in range(N):
        for j in range(i):
            push = np.sin(x[i, 0] - x[j, 1])
            f[i, 0] += push
            f[j, 0] -= push
            f[i, 1] += push * x[j, 2]
            f[i, 0] += 0.5 * x[i, j]
    return f


def looked_at(x):
    """What is read between is what it is by then."""
    f = np.zeros(N)
    for i in range(N):
        for j in range(i):
            f[i] += x[i, j]
            f[j] -= x[j, i] * f[i]
    return f


def test_sums_of_what_others_reach_are_added_after_the_loop():
    steps = [step for step in to_loops(jitad.trace(forces)(X)).steps if isinstance(step, Repeat)]
    assert len(list(stores(steps))) == 1
    *_, sweep = [step for step in to_loops(jitad.trace(jitad.grad(lambda x: np.sum(forces(x) ** 2)))(X)).steps if isinstance(step, Repeat)]
    assert len(list(stores([sweep]))) == 3


@pytest.mark.parametrize("function", [forces, looked_at])
def test_values_and_gradients_of_what_others_reach(function):
    np.testing.assert_allclose(jitad.jit(function)(X), function(X), rtol=1e-13)
    check_grads(function, (X,))


def test_the_order_is_kept_if_strict(monkeypatch):
    monkeypatch.setattr(jitad.config, "strict", True)
    np.testing.assert_array_equal(jitad.jit(forces)(X)[:, 1], forces(X)[:, 1])
    steps = [step for step in to_loops(jitad.trace(forces)(X)).steps if isinstance(step, Repeat)]
    assert len(list(stores(steps))) == 3
