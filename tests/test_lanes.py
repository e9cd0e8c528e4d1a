"""Loops with independent trips along what lies together in memory: all trips side by side."""

import numpy as np
import pytest

import jitad
from jitad.optimize.independence import has_loops
from jitad.optimize.lanes import side_by_side
from jitad.primitives.control.loops import loop
from jitad.testing import check_grads

RNG = np.random.default_rng(0)
N, M = 30, 20
X, K = RNG.uniform(0.5, 1.5, (N, M)), RNG.uniform(0.2, 0.8, (N, M))


def thomas(c, d, k, x, j):
    for i in range(1, N):
        pivot = 1 + k[i, j] * (2 - c[i - 1])
        c[i] = k[i, j] / pivot
        d[i] = (x[i, j] + k[i, j] * d[i - 1]) / pivot


def columns_after_thomas(x, k):
    y, c, d = x.copy(), np.zeros(N), np.zeros(N)
    c[0] = 0.3
    for j in range(M):
        thomas(c, d, k, x, j)
        for i in range(N - 2, 0, -1):
            y[i, j] = d[i] + c[i] * y[i + 1, j]
    return np.sum(y**3) + np.sum(c) * d[-1]


def alternating(x, k):
    y, w, c = x.copy(), np.ones((N, M)), np.zeros(N + M)
    for _ in range(3):
        for i in range(N):
            for j in range(1, M):
                c[j] = k[i, j] * c[j - 1] + y[i, j]
            for j in range(M - 1, -1, -1):
                w[i, j] = 0.5 * w[i, j] + np.sin(c[j])
        for j in range(1, M - 1):
            for i in range(1, N):
                c[i] = w[i, j - 1] - w[i, j + 1] + 0.5 * c[i - 1] * k[i, j]
            for i in range(N - 2, -1, -1):
                y[i, j] = 0.1 * y[i + 1, j] * c[i + 1] + w[i, j]
    return np.sum(y**2) + np.sum(c[:N])


def filtered_backwards(x, k):
    y = x.copy()
    for j in range(M - 1, -1, -1):
        s = k[0, j] * j
        for i in range(1, N):
            s = 0.5 * s + y[i - 1, j]
            y[i, j] = s * k[i, j]
        y[0, j] += s
    return np.sum(y**2) + s


def work_in_two_rows(x, k):
    y, c = np.zeros((N, M)), np.zeros((2, N))
    for j in range(M):
        for i in range(N):
            c[0, i] = x[i, j] * 2
            c[1, i] = k[i, j] + i * j
        for i in range(1, N):
            c[0, i] += c[0, i - 1] * c[1, i]
            y[i, j] = c[0, i]
    return np.sum(y**2) + np.sum(c**2)


def adding_to_shares(x, k):
    y = x.copy()
    for j in range(M):
        for i in range(N):
            for m in range(N):
                y[i, j] += k[m, j] * x[m, j] * 0.02
    return np.sum(y**2)


def first_and_last_by_themselves(x, k):
    """As a solver of tridiagonal systems is often written, here one for each row."""
    u, c, d = x.copy(), np.zeros(M), np.zeros(M)
    for i in range(N):
        c[0] = -k[i, 0] / (1 + 2 * k[i, 0])
        d[0] = u[i, 0] / (1 + 2 * k[i, 0])
        for j in range(1, M):
            pivot = 1 + k[i, j] * (2 + c[j - 1])
            c[j] = -k[i, j] / pivot
            d[j] = (u[i, j] + k[i, j] * d[j - 1]) / pivot
        u[i, M - 1] = d[M - 1]
        for j in range(M - 2, -1, -1):
            u[i, j] = d[j] - c[j] * u[i, j + 1]
    return np.sum(u**2)


INDEPENDENT = [columns_after_thomas, alternating, filtered_backwards, work_in_two_rows, adding_to_shares]
IN_BLOCKS = [first_and_last_by_themselves]


def neighbours(x, k):
    """A column reads what the one before it has written."""
    y = x.copy()
    for j in range(1, M):
        for i in range(1, N):
            y[i, j] = 0.5 * y[i, j - 1] + k[i, j] * y[i - 1, j]
    return np.sum(y**2)


def handed_on(x, k):
    """The last element that a trip works with is read by the next trip before it is written."""
    y, c = np.zeros((N, M)), np.zeros(N)
    for j in range(M):
        for i in range(N - 1):
            c[i] = 0.3 * c[i + 1] + x[i, j]
        for i in range(N):
            y[i, j] = c[i] * k[i, j]
            c[i] = y[i, j] + 1
    return np.sum(y**2)


def partly_written(x, k):
    """What a trip does not write is what an earlier one has left."""
    y, c = np.zeros((N, M)), np.zeros(N)
    for j in range(M):
        for i in range(1, N):
            c[i] = x[i, j] + c[0]
        for i in range(N):
            y[i, j] = c[i] * k[i, j]
        c[0] = y[1, j]
    return np.sum(y**2)


def counted_down(x, k):
    """As in the elimination of a system, read against the direction in which it is written."""
    y, c = np.zeros((N, M)), np.ones(N)
    for j in range(M):
        for i in range(N - 2, -1, -1):
            c[i] = 0.5 * c[i] + x[i, j]
            y[i, j] = c[i + 1] * k[i, j]
    return np.sum(y**2)


DEPENDENT = [neighbours, handed_on, partly_written, counted_down]


def loops_in_loops(program):
    """How many loops there are that hold others, however deep."""
    bodies = [equation.params["body"] for equation in program.equations if equation.primitive is loop]
    return sum(has_loops(body) + loops_in_loops(body) for body in bodies)


@pytest.mark.parametrize("f", INDEPENDENT + IN_BLOCKS + DEPENDENT, ids=lambda f: f.__name__)
def test_value_and_derivatives(f):
    np.testing.assert_allclose(jitad.jit(f)(X, K), f(X, K), rtol=1e-13)
    check_grads(f, (X, K), order=2)


@pytest.mark.parametrize("f", INDEPENDENT, ids=lambda f: f.__name__)
def test_trips_run_side_by_side(f):
    program = jitad.trace(f)(X, K)
    assert loops_in_loops(side_by_side(program)) == loops_in_loops(program) - 1


@pytest.mark.parametrize("f", IN_BLOCKS, ids=lambda f: f.__name__)
def test_rows_run_in_blocks(f):
    program = jitad.trace(f)(X, K)
    outer, blocks = [[e.params["length"] for e in p.equations if e.primitive is loop] for p in (program, side_by_side(program))]
    assert (outer, blocks) == ([N], [N // 5])


@pytest.mark.parametrize("f", DEPENDENT, ids=lambda f: f.__name__)
def test_trips_that_depend_on_each_other_run_in_order(f):
    program = jitad.trace(f)(X, K)
    assert loops_in_loops(side_by_side(program)) == loops_in_loops(program) == 1


def test_work_arrays_hold_what_the_last_trip_left():
    def work(x, k):
        c, d = np.full(N, 7.0), np.zeros(N)
        for j in range(M - 1, 1, -1):
            thomas(c, d, k, x, j)
        return c, d

    for found, expected in zip(jitad.jit(work)(X, K), work(X, K), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-14)


@pytest.mark.parametrize("f", INDEPENDENT + IN_BLOCKS + DEPENDENT, ids=lambda f: f.__name__)
def test_bundles_of_tangents(f):
    """Trips with arrays to work in run in lanes in each member of a batch, as they do without one; the others leave that to the members."""
    dots = np.random.default_rng(1).standard_normal((3, N, M))
    bundle = jitad.vmap(lambda dx: jitad.jvp(f, (X, K), (dx, K))[1])
    one_by_one = np.array([jitad.jvp(f, (X, K), (dx, K))[1] for dx in dots])
    np.testing.assert_allclose(jitad.jit(bundle)(dots), one_by_one, rtol=1e-12)


def test_sweeps_of_members_run_in_lanes():
    tangent, dots = jitad.trace(lambda dx: jitad.jvp(alternating, (X, K), (dx, K))[1]), np.ones((3, N, M))
    bundle = jitad.trace(jitad.vmap(lambda dx: jitad.jvp(alternating, (X, K), (dx, K))[1]))
    assert loops_in_loops(bundle(dots)) == loops_in_loops(tangent(X))
