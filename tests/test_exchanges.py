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


def check(function):
    compiled, gradient = jitad.jit(function), jitad.grad(function, argnums=(0, 1, 2))
    tangents = list(np.random.default_rng(1).random((3, 5)))
    for x in (-2.0, 0.5, 3.0):
        expected, found = [[*ROWS.copy(), x] for _ in range(2)]
        np.testing.assert_allclose(compiled(*found), function(*expected), rtol=1e-12)
        for one, other in zip(found[:3], expected[:3], strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12)
        slope = numerical_jvp(lambda *xs: function(*copy.deepcopy(xs), x), list(ROWS), tangents)  # noqa: B023
        np.testing.assert_allclose(sum(np.sum(g * t) for g, t in zip(gradient(*ROWS.copy(), x), tangents, strict=True)), slope, rtol=1e-6)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_owners_see_what_numpy_leaves_them(function):
    check(function)


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


def renamed_on_one_path(a, b, c, x):
    if x > 0:
        a = a * 2
    a[1] = 7 * x
    return a.sum() + b.sum()


def written_in_one_arm_and_renamed_in_the_other(a, b, c, x):
    if x < 0:
        a += b
    else:
        a = 0.5 * a
    return a @ b


def chosen_of_chosen(a, b, c, x):
    w = a if x > 0 else b
    z = w if x > 1 else a
    z[1] += b[0] * w[1]
    b[2] *= x
    return w @ z


def changed_in_an_arm(a, b, c, x):
    w = a if x > 0 else b
    s = 0.0
    if x > 1:
        w[1] += a[0]
        s = w @ a
    else:
        a[1] *= 2
        b[0] += w[1]
    a[...] = a * w
    return s + w @ b


def in_a_list(a, b, c, x):
    rows, w = ([a], a) if x > 0 else ([b], b)
    rows[0][1] = 7 * x
    return w @ c


def renamed_while(a, b, c, x):
    while a[0] > 0.04 * (1 + x * x):
        a = a * 0.5
    a[1] = 7
    return a.sum()


def renamed_to_another(a, b, c, x):
    w = a
    i = 0
    while i < 8 and a[1] < x:
        i += 1
        w = b
    w += 1
    return a @ b + w.sum()


def exchanged_while(a, b, c, x):
    i = 0
    while i < 7 and a[0] < x:
        i += 1
        a, b = b, a
    a *= 0.5
    return a.sum() * 2 + b.sum()


def kept_on_some_path(a, b, c, x):
    w = a
    for i in range(101):
        if c[i % 5] > x:
            a = c
    a[1] = 7
    return w @ c


def one_memory_by_two_names(a, b, c, x):
    a, b = a * 1, b * 1
    for _ in range(101):
        a += 1
        b[0] += 2 * x
        a = a * 0.2
        b = a
    return a @ c + b.sum()


def best_so_far(a, b, c, x):
    best = a
    for i in range(101):
        if c[i % 5] > x:
            best = b
        if c[i % 4] < 0.5:
            best = a
    best[1] += 5
    return a @ b + best.sum()


def handed_on(a, b, c, x):
    for _ in range(101):
        a = b
        b = c
    a[1] = 7
    return a.sum() * 2 + b.sum()


def of_computed_length(a, b, c, x):
    for _ in range(int(abs(x) * 2) - 1):
        a = b * 2
    a[1] = 7
    return a.sum()


def in_a_dictionary(a, b, c, x):
    rows = {"a": a, "b": b}
    for i in range(101):
        if c[i % 5] > x:
            rows["a"], rows["b"] = rows["b"], rows["a"]
    rows["a"][0] = 4
    return a @ b


def renamed_and_changed_in_each_trip(a, b, c, x):
    w = a
    for i in range(101):
        a[i % 5] += w[(i + 1) % 5] * 0.1
        if c[i % 5] > 0.4 * x:
            a = a * 0.5
        a[1] += 0.1
    return a @ b + w.sum()


def by_number(a, b, c, x):
    w = (a, b, c, a)[int(abs(x)) - 1]
    w[1] += 5 * x
    b[2] *= w[0]
    return a @ b + w @ c


CHOSEN = [one_of_two_names, chosen_in_each_trip, renamed_on_one_path, written_in_one_arm_and_renamed_in_the_other, chosen_of_chosen,
          changed_in_an_arm, in_a_list, renamed_while, renamed_to_another, exchanged_while, kept_on_some_path, one_memory_by_two_names,
          best_so_far, handed_on, of_computed_length, in_a_dictionary, by_number, renamed_and_changed_in_each_trip]  # fmt: skip


@pytest.mark.parametrize("function", CHOSEN)
def test_what_is_changed_under_one_name_is_seen_under_others(function):
    check(function)


def part_of_one(a, b, c, x):
    w = a[1:] if x > 0 else b[1:]
    w[0] = 5
    return a.sum() + b.sum()


def part_of_both(a, b, c, x):
    a, b = a * 1, b * 1
    if x > 0:
        w, z = a[1:], a
    else:
        w, z = b[1:], b
    w[1] = 7
    return z.sum()


@pytest.mark.parametrize("function", [part_of_one, part_of_both])
def test_what_is_not_known_is_refused(function):
    with pytest.raises(errors.AliasError, match="changed under another name"):
        jitad.jit(function)(*ROWS.copy(), 0.5)
