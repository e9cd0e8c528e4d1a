"""Arrays that a function makes, in whatever way, and writes traced values into: the same as NumPy's, under every name they have."""

import ast

import numpy as np
import pytest
from staged import check, primitives

import jitad
from jitad.frontend.source.buffers import buffers


def smooth(u, x):
    u[1:-1] += x * (u[2:] - u[:-2])


def profile(n):
    return np.sin(np.linspace(0, 1, n))


class Model:
    def __init__(self, n):
        self.u = np.exp(-np.arange(float(n)))

    def advance(self, x):
        self.u[1:] = self.u[:-1] * x
        return self.u.sum()


def changed_by_a_helper(x):
    u = profile(6)
    smooth(u, x)
    smooth(u, x)
    return np.sum(u * u)


def under_another_name(x):
    u = np.cos(np.arange(6.0))
    v = u
    v[2] = x
    return np.sum(u * u)


def through_a_view(x):
    u = np.linspace(0, 1, 5) * 2
    v = u[1:3]
    v[0] = x
    return np.sum(u * u)


def in_a_dictionary(x):
    state = {"u": np.cos(np.arange(6.0)), "n": 3}
    state["u"][state["n"]] *= x
    return np.sum(state["u"] ** 2)


def in_lists(x):
    first = np.ones(5) * 2
    arrays = [first, np.arange(3.0), *[np.linspace(0, 1, 4) * k for k in range(2)]]
    arrays[0][1] = x
    arrays[3][2] = x
    return sum(np.sum(a**2) for a in arrays) + first.sum()


def in_an_object(x):
    model = Model(5)
    model.advance(x)
    return model.advance(x)


def several_at_once(x):
    grid, other = np.meshgrid(np.linspace(0, 1, 3), np.linspace(0, 1, 4))
    grid[1, :] = x
    return np.sum(grid * other)


def kept_in_a_tuple(x):
    kept = []

    def pair():
        if not kept:
            kept.append((np.zeros(3), np.arange(3.0)))
        return kept[0]

    a, _ = pair()
    a[1:] = x
    return np.sum(np.multiply(*pair()))


def rotated_in_a_loop(x):
    u = np.linspace(0, 1, 8)
    following = np.zeros_like(u)
    for _ in range(30):
        following[1:-1] = u[1:-1] + x * (u[2:] - 2 * u[1:-1] + u[:-2])
        u, following = following, u
    return np.sum(u * u)


def seen_under_another_name_after_a_loop(x):
    c = np.arange(10.0)
    b = c
    for i in range(20):
        c[i % 5] += x
    return b.sum()


def rows_of_a_matrix(x):
    a = np.random.default_rng(3).random((4, 4)) + np.eye(4)
    for k in range(4):
        a[k] /= a[k, k] * (1 + x)
        for i in range(k + 1, 4):
            a[i] -= a[i, k] * a[k]
    return np.trace(a) + a[0, 3]


def where_a_known_mask_holds(x):
    g = np.hypot(*np.meshgrid(np.arange(3.0), np.arange(2.0)))
    g[g > 1] *= x
    h = np.arange(5.0)
    h[h > 2] = x * np.arange(2.0)
    return g.sum() + np.sum(h**2)


def decides_before_it_is_changed(x):
    u = np.linspace(0, 1, 8)
    out = np.zeros(int(u[-1] * 4))
    for i in range(len(out)):
        out[i] = u[i] * x
    if u[2] > 0.1:
        out *= 2
    u[0] = x
    return out.sum() + u.sum()


def sorted_and_added_to(x):
    a = np.arange(5.0) ** 2
    a *= x
    a.sort()
    np.add.at(a, [0, 0, 1], x)
    return a @ np.arange(5.0)


def counted(x):
    counts, best = np.zeros(5, int), np.zeros(3, dtype=np.int64)
    for k in range(6):
        counts[int(np.floor(x * k * 4.3))] += 1
    best[0] = np.argmax(counts)
    times = np.zeros(5, int)
    np.add.at(times, np.floor(x * np.arange(4)).astype(int), 1)
    np.subtract.at(times, [3, 3], 2)
    counts = counts + times * times
    order = np.arange(4)
    order[0], order[1] = order[1], order[0]
    return np.sum(counts * np.arange(5.0)) * x + [1.0, 2.0, 3.0, 4.0][order[0]] + best.sum()


def mean_of_a_selection(x):
    u = np.sin(np.arange(7.0) + x)
    chosen = u[u > 0.2]
    return chosen.sum() / len(chosen)


PROGRAMS = [
    changed_by_a_helper, under_another_name, through_a_view, in_a_dictionary, in_lists, in_an_object, several_at_once, rotated_in_a_loop,
    seen_under_another_name_after_a_loop, rows_of_a_matrix, where_a_known_mask_holds, decides_before_it_is_changed, sorted_and_added_to,
    counted, mean_of_a_selection, kept_in_a_tuple,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_buffers_hold_traced_values(program):
    check(program, 0.15)


def test_what_is_only_read_is_computed_once():
    def f(x):
        weights = np.exp(-np.linspace(0, 1, 5))
        return np.sum(weights * x)

    assert "exp" not in primitives(f, np.ones(5))


@pytest.mark.parametrize(("source", "names"), [
    ("a[0] = 1", "a"), ("a += b", "a"), ("a.sort()", "a"), ("np.copyto(a, b)", "a b"), ("np.sin(b, out=a)", "a"), ("b = a; b[0] = 1", "a b"),
    ("b = a.T[1:]; b[0] = 1", "a b"), ("b = a.copy(); b[0] = 1", "b"), ("b = np.sin(a); b[0] = 1", "b"), ("b = np.ravel(a); b[0] = 1", "a b"),
    ("helper(a, len(b))", "a"), ("for row in a: row[0] = 1", "a row"), ("a, b = b, c; a[0] = 1", "a b c"), ("c = sum(a)", ""),
])  # fmt: skip
def test_names_under_which_arrays_are_written(source, names):
    assert buffers(ast.parse(source), {"np"}) == set(names.split())


def exchanged(u, v):
    """The first trips change the arguments, the others what takes their names."""
    for _ in range(50):
        u[0] = 0.0
        w = 0.9 * u
        w[1:-1] += 0.1 * (v[2:] + v[:-2])
        u, v = v, w
    return np.sum(u**2) + np.sum(v)


def rebound(a):
    for _ in range(40):
        np.fill_diagonal(a, a.diagonal() * 0.5 + 0.1)
        a = a @ np.eye(4) * 0.9 + 0.05 * a.T
    return np.trace(a)


@pytest.mark.parametrize("function, shapes", [(exchanged, [(9,), (9,)]), (rebound, [(4, 4)])])
def test_arguments_that_only_the_first_trips_change(function, shapes):
    rng = np.random.default_rng(5)
    mine = [rng.random(shape) for shape in shapes]
    his = [x.copy() for x in mine]
    jitad.testing.check_grads(function, mine)
    np.testing.assert_allclose(jitad.jit(function)(*mine), function(*his), rtol=1e-12)
    for x, y in zip(mine, his, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-14)


def test_masks_filled_by_element():
    def f(x):
        signs, fixed = np.empty(3, dtype=np.bool_), np.zeros(3, bool)
        fixed[1] = True
        for i in range(3):
            signs[i] = True if x[i] >= 0 else False  # noqa: SIM210  written as in others' code
        return np.where(signs, x, x**2), x[fixed], np.zeros(fixed.sum()), x[signs].sum()

    x = np.array([1.0, -2.0, 3.0])
    for result, expected in zip(jitad.jit(f)(x), f(x), strict=True):
        np.testing.assert_array_equal(result, expected)
