"""Programs in many styles of Python: what they keep in objects, containers and iterators, where names get their values, long traces."""

import io
import itertools
import math
from collections import deque
from dataclasses import dataclass

import numba
import numpy as np
import pytest
from staged import check, staged

import jitad
from jitad.ir.program import count

RNG = np.random.default_rng(11)
X = RNG.uniform(0.2, 1.0, 30)


# --- what goes on with each use -----------------------------------------------------------------------------------------------------


def iterator(x):
    weights, s = iter(np.arange(30.0)), 0.0
    for i in range(30):
        s += x[i] * next(weights)
    return s


def generator(x):
    def weights():
        k = 0.0
        while True:
            yield k
            k += 0.5

    w, s = weights(), 0.0
    for i in range(30):
        s += x[i] * next(w)
    return s


def counter(x):
    ticks, s = itertools.count(), 0.0
    for i in range(30):
        s += x[i] * ticks.__next__()
    return s


def iterated_further(x):
    rows, s = iter([[1.0, 2.0]] * 30), 0.0
    for i in range(10):
        for row in rows:
            s += row[0] * x[i]
            break
    for i in range(20):
        for row in rows:
            s += row[1] * x[i]
            break
    return s


def random_numbers(x):
    rng, s = np.random.default_rng(3), 0.0
    for i in range(30):
        s += x[i] * rng.normal()
    return s


def file(x):
    text = io.StringIO("\n".join(map(str, range(30))))
    s = 0.0
    for i in range(30):
        s += x[i] * float(text.readline())
    return s


@pytest.mark.parametrize("program", [iterator, generator, counter, iterated_further, random_numbers, file], ids=lambda f: f.__name__)
def test_what_goes_on_with_each_use(program):
    check(program, X)


def test_what_would_go_on_only_once_is_refused():
    def long(x):
        weights, s = itertools.count(), 0.0
        for _ in range(5000):
            s += x[0] * next(weights)
        return s

    def chosen(x):
        weights = iter([1.0, 2.0])
        if x[0] > 0.5:
            x = x * next(weights)
        return x * next(weights)

    def drawn(x):
        rng = np.random.default_rng(0)
        while x[0] > rng.normal():
            x = 0.5 * x
        return x

    for function, kind, line in [(long, "count", "next(weights)"), (chosen, "list_iterator", "next(weights)"), (drawn, "Generator", "while")]:
        with pytest.raises(jitad.JitadError, match=f"a {kind} is used in control flow .* make an array of its values before") as caught:
            jitad.jit(function)(X)
        assert line in str(caught.value)


# --- objects and containers ---------------------------------------------------------------------------------------------------------


class Particle:
    __slots__ = ("v", "x")

    def __init__(self, x, v):
        self.x = x
        self.v = v

    def step(self, force, dt):
        self.v += dt * force(self.x)
        self.x += dt * self.v


@dataclass(slots=True)
class Total:
    sum: float = 0.0
    number: int = 0


def slots(x):
    particle, total = Particle(x[0], x[1]), Total()
    for _ in range(40):
        particle.step(lambda q: -math.sin(q), 0.05)
        total.sum += particle.x**2
        total.number += 1
    return total.sum / total.number


def delay_line(x):
    line, s = deque([0.0, 0.0, 0.0], maxlen=3), 0.0
    for i in range(30):
        s += x[i] * line[0] - 0.1 * line[-1] ** 2
        line.append(x[i])
    return s


@pytest.mark.parametrize("program", [slots, delay_line], ids=lambda f: f.__name__)
def test_state_in_objects_and_queues(program):
    check(program, X)


# --- where names get their values -----------------------------------------------------------------------------------------------------


def found_or_not(x):
    for i in range(len(x)):
        if x[i] > 0.95:
            result = x[i] * i
            break
    else:
        result = np.sum(x)
    return result


def bound_before_continuing(x):
    s = 0.0
    for i in range(len(x)):
        if x[i] > 0.6:
            w = x[i] ** 2
        else:
            continue
        s += w
    return s


def bound_where_the_loop_ends(x):
    k = 0
    while True:
        x = 0.7 * x
        k += 1
        if np.sum(x) < 1.0:
            norm, trips = np.sqrt(np.sum(x**2)), k
            break
    return norm * trips


@pytest.mark.parametrize("program", [found_or_not, bound_before_continuing])
@pytest.mark.parametrize("x", [X, 0.5 * X], ids=["some", "none"])
def test_names_bound_on_every_path_that_reads_them(program, x):
    check(program, x)


def test_names_bound_where_an_endless_loop_ends():
    check(bound_where_the_loop_ends, X, derivatives=False)


def test_names_that_a_path_reads_without_a_value():
    def sometimes(x):
        for i in range(len(x)):
            if x[i] > 0.5:
                last = x[i]
        return last

    def caught(x):
        for v in x:
            if v > 0.5:
                found = v
                break
        else:
            x = x + 1
        return found

    for function in (sometimes, caught):
        compiled = jitad.jit(function)
        high = np.linspace(0.1, 0.9, 40)
        assert compiled(high) == function(high)
        with pytest.raises(UnboundLocalError, match="where it is not associated with a value"):
            compiled(0.1 * high)


# --- elements one by one ----------------------------------------------------------------------------------------------------------------


@numba.vectorize
def soft_threshold(x, width):
    if x > width:
        return x - width
    elif x < -width:
        return x + width
    return 0.0


def huber(r, d=0.3):
    return 0.5 * r * r if abs(r) <= d else d * (abs(r) - 0.5 * d)


def vectorized(a):
    return soft_threshold(a - 0.5, 0.1), np.vectorize(huber)(a - 0.6), soft_threshold(a[0], np.array([0.1, 0.5])[:, None]).T


def over_indices(a):
    b = np.zeros((5, 6))
    for (i, j), v in np.ndenumerate(a):
        b[i, j] = v**2 * (i + 1) - j
    for i, j in itertools.product(range(1, 5), range(6)):
        b[i, j] += 0.5 * b[i - 1, j]
    for idx in np.ndindex(2, 3):
        b[idx] *= a[idx]
    with np.nditer(b, op_flags=["readwrite"]) as elements:
        for x in elements:
            x[...] = np.sin(x)
    return b


@pytest.mark.parametrize("program", [vectorized, over_indices])
def test_elements_one_by_one(program):
    check(program, X.reshape(5, 6))


def test_iterators_of_indices_make_short_programs():
    def large(a):
        s = 0.0
        for i, j in np.ndindex(a.shape):
            s += a[i, j] * i
        return s

    assert count(staged(large, np.ones((60, 70))).program.equations) < 40


def test_iterations_that_are_not_known_are_refused():
    with pytest.raises(NotImplementedError, match=r"jitad knows np.nditer of one traced array, .*; write loops over np.ndindex"):
        jitad.jit(lambda x: sum(float(v) for v in np.nditer(x, flags=["multi_index"])))(X)


def named_in_conditions(x, c):
    s = 0.0
    while (error := x**3 - c) > 1e-10 or s < 1:
        x, s = x - error / (3 * x * x), s + 1
        if s > 50:
            break
    return (twice if (twice := 2 * x) > 1 else x) + s


def test_names_bound_in_conditions():
    check(named_in_conditions, 2.0, 1.7)


# --- short loops in short loops ---------------------------------------------------------------------------------------------------------


def first_arrivals(s):
    n, m = s.shape
    t = np.full(s.shape, 1e6)
    t[n // 2, m // 2] = 0
    for di, dj in [(1, 1), (-1, -1)]:
        for i in range(n)[::di]:
            for j in range(m)[::dj]:
                if i == n // 2 and j == m // 2:
                    continue
                a, b = min(t[max(i - 1, 0), j], t[min(i + 1, n - 1), j]), min(t[i, max(j - 1, 0)], t[i, min(j + 1, m - 1)])
                if abs(a - b) < s[i, j]:
                    new = (a + b + math.sqrt(2 * s[i, j] ** 2 - (a - b) ** 2)) / 2
                else:
                    new = min(a, b) + s[i, j]
                t[i, j] = min(t[i, j], new)
    return t


def attraction(positions, masses):
    a = np.zeros_like(positions)
    for i in range(len(masses)):
        for j in range(i + 1, len(masses)):
            d = positions[j] - positions[i]
            r3 = (d @ d + 0.01) ** 1.5
            a[i] += masses[j] * d / r3
            a[j] -= masses[i] * d / r3
    return a


def test_many_trips_of_short_loops_make_a_short_program():
    args = (1 + RNG.uniform(size=(7, 8)),)
    assert count(staged(first_arrivals, *args).program.equations) < 1500
    np.testing.assert_allclose(jitad.jit(first_arrivals)(*args), first_arrivals(*args), rtol=1e-12)
    jitad.testing.check_grads(first_arrivals, args)


def test_forces_between_pairs():
    args = RNG.normal(size=(5, 3)), RNG.uniform(1, 2, 5)
    np.testing.assert_allclose(jitad.jit(attraction)(*args), attraction(*args), rtol=1e-12)
    jitad.testing.check_grads(attraction, args)


def until_a_known_time(y):
    def slope(y):
        return np.array([y[1] - 0.1 * y[0] ** 3, -np.sin(y[0]) + 0.2 * y[1] * np.cos(y[2]), 0.3 * y[0] * y[1] - y[2]])

    t, h = 0.0, 0.05
    while t < 0.7:
        k1 = slope(y)
        k2 = slope(y + 0.5 * h * k1)
        k3 = slope(y + 0.5 * h * k2)
        k4 = slope(y + h * k3)
        y, t = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4), t + h
    return y


def test_while_loops_with_much_in_them_are_staged_early():
    assert count(staged(until_a_known_time, X[:3]).program.equations) < 700
    check(until_a_known_time, X[:3])
