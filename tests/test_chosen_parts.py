"""Parts of arrays that a condition chooses, and that are then written to: the arrays change as NumPy's do."""

import numpy as np
import pytest

import jitad

WEIGHTS = np.arange(9.0).reshape(3, 3)


def row_of_two(x):
    a = np.outer(x, x)
    row = a[0] if x[0] > 0 else a[1]
    row[2] = 5 * x[1]
    a[0, 1] = 7.0
    return (a**2 * WEIGHTS).sum() + (row**3).sum()


def side(x):
    u = np.zeros((3, 4))
    u[:] = x[:, None]
    if x[0] > x[1]:
        column = u[:, 0]
    else:
        column = u[:, -1]
    column += x
    column *= 2
    return (u * np.arange(12.0).reshape(3, 4)).sum()


def halves_in_a_loop(x):
    u = np.outer(x, x)
    for _ in range(40):
        w = u[1:, :] if u[0, 0] > 0.5 else u[:-1, :]
        w[:] = w * 0.97
        w[0] += 0.01 * x
    return (u * WEIGHTS).sum()


def first_or_last(u, first):
    if first:
        return u[0]
    return u[2]


def returned(x):
    u = np.outer(x, x)
    row = first_or_last(u, x[0] > 0.3)
    rest = row[1:]
    rest[...] = 3 * x[0]
    u[0, 2] += 1
    return (u * WEIGHTS).sum() + rest.sum() * row.sum()


def two_at_once(x):
    u = np.outer(x, x)
    a, b = (u[0], u[1]) if x[0] > 0.3 else (u[1], u[0])
    a[1] = 2 * b[0]
    b[2] = a[1] * 3
    return (u * WEIGHTS).sum() + a.sum() - 2 * b.sum()


def chosen_twice(x):
    u = np.outer(x, x)
    row = u[0] if x[0] > 0.3 else u[1]
    other = row if x[1] > 0.3 else u[2]
    other[0] = x[2] * 3
    return (u * WEIGHTS).sum() + row.sum()


def written_in_an_arm(x):
    u = np.outer(x, x)
    if x[0] > 0.3:
        row = u[0]
        u[1, 1] = x[2]
    else:
        row = u[1] if x[1] > 0.1 else u[2]
    row = row * 1 if x[0] > 100 else row
    return (u * WEIGHTS).sum() + row.sum()


CASES = [row_of_two, side, halves_in_a_loop, returned, two_at_once, chosen_twice, written_in_an_arm]


@pytest.mark.parametrize("function", CASES)
def test_values_and_derivatives(function):
    value, gradient, forward = jitad.jit(function), jitad.grad(function), jitad.jacfwd(function)
    for x in np.array([[0.7, 1.3, 0.4], [-0.7, 0.2, 0.4], [0.9, 0.2, 0.4]]):
        slopes = [(function(x + e) - function(x - e)) / 2e-6 for e in 1e-6 * np.eye(3)]
        np.testing.assert_allclose(value(x), function(x))
        np.testing.assert_allclose(gradient(x), slopes, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(forward(x), gradient(x), rtol=1e-10, atol=1e-12)


def test_second_derivatives():
    jitad.testing.check_grads(two_at_once, (np.array([0.7, 1.3, 0.4]),), order=2)
