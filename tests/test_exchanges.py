"""Arrays that change names, in branches and in loops: what their owners see afterwards."""

import copy

import numpy as np
import pytest

import jitad
from jitad.ir import errors
from jitad.testing import numerical_jvp

ROWS = np.random.default_rng(3).random((3, 5))


def sweeps(a, b, c, x):
    for _ in range(101):
        b[1:-1] = 0.5 * (a[2:] + a[:-2])
        a, b = b, a
    return a.sum() + b[2]


def until_steady(a, b, c, x):
    b[0], b[-1] = a[0], a[-1]
    change = 1.0
    while change > 1e-3:
        b[1:-1] = 0.5 * (a[2:] + a[:-2])
        change = np.abs(b - a).max()
        a, b = b, a
    return a.sum()


def with_break(a, b, c, x):
    for _ in range(1000):
        b[1:-1] = 0.5 * (a[2:] + a[:-2])
        change = np.abs(b - a).max()
        a, b = b, a
        if change < 1e-3:
            break
    return a.sum()


def with_break_before_the_exchange(a, b, c, x):
    b[0], b[-1] = a[0], a[-1]
    while True:
        b[1:-1] = 0.5 * (a[2:] + a[:-2])
        if np.abs(b - a).max() < 1e-3:
            break
        a, b = b, a
    return a.sum() * 2 + b.sum()


def three_in_turn(a, b, c, x):
    i = 0
    while True:
        i += 1
        a[1:] = 0.5 * b[:-1]
        if i > x + 5:
            break
        a, b, c = b, c, a
    return a.sum() * 2 + b.sum()


def as_the_values_decide(a, b, c, x):
    for i in range(100):
        a[i % 4] += 0.1 * b[0]
        if b[1] > x:
            a, b = b, a
        else:
            b, c = c, b
    return a.sum() * 2 + b.sum()


def beside_another_name(a, b, c, x):
    d = a
    for i in range(50):
        a[1:] = 0.5 * b[:-1] + 0.1
        a, b = b, a
        if i > x * 10:
            c[0] += 1
    return d.sum() + a.sum() * 2 + b.sum()


def by_a_helper(a, b, c, x):
    def step(p, q):
        q[1:-1] = 0.5 * (p[2:] + p[:-2]) + 0.01
        return q, p

    for _ in range(51):
        a, b = step(a, b)
    return a.sum() * 2 + b.sum()


def in_a_branch(a, b, c, x):
    if x > 0:
        a, b = b, a
    a[0] = 5
    b[1] = 7
    return a.sum() * 2 + b.sum()


def chosen_twice(a, b, c, x):
    if x > 0:
        u, v = a, b
    else:
        u, v = b, a
    w = u if x > 1 else v
    a[0] = 5
    return w.sum() + 2 * u.sum()


FUNCTIONS = [sweeps, until_steady, with_break, with_break_before_the_exchange, three_in_turn, as_the_values_decide, beside_another_name,
             by_a_helper, in_a_branch, chosen_twice]  # fmt: skip


@pytest.mark.parametrize("function", FUNCTIONS)
def test_owners_see_what_numpy_leaves_them(function):
    compiled, gradient = jitad.jit(function), jitad.grad(function, argnums=(0, 1, 2))
    tangents = list(np.random.default_rng(1).random((3, 5)))
    for x in (-2.0, 0.5, 3.0):
        expected, found = [[*ROWS.copy(), x] for _ in range(2)]
        np.testing.assert_allclose(compiled(*found), function(*expected), rtol=1e-12)
        for one, other in zip(found[:3], expected[:3], strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12)
        slope = numerical_jvp(lambda *xs: function(*copy.deepcopy(xs), x), list(ROWS), tangents)  # noqa: B023
        np.testing.assert_allclose(sum(np.sum(g * t) for g, t in zip(gradient(*ROWS.copy(), x), tangents, strict=True)), slope, rtol=1e-6)


def one_of_two_names(a, b, c, x):
    if x > 0:
        u = a
        w = a
    else:
        u = b
        w = c
    u[0] = 5
    return w.sum() * a.sum()


def chosen_in_each_trip(a, b, c, x):
    for _ in range(50):
        w = a if b[0] > a[1] else b
        w[2] += 0.01
        a, b = b, a
    return a.sum() * 2 + b.sum()


@pytest.mark.parametrize("function", [one_of_two_names, chosen_in_each_trip])
def test_what_is_not_known_is_refused(function):
    with pytest.raises(errors.AliasError, match="changed under another name"):
        jitad.jit(function)(*ROWS.copy(), 0.5)
