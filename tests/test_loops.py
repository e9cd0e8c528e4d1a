"""The shape of compiled loops: what is carried stays where it is, what is not needed is not kept."""

import functools
import math
import re

import numpy as np
import pytest

import jitad
from jitad.lower.grammar.loops import Nest, Repeat
from jitad.lower.grammar.walk import leaves, reachable, roots
from jitad.pipeline import optimize, to_loops
from jitad.transform import residuals

N = 50


def recurrence(x):
    a = np.zeros(N)
    a[0] = x[0]
    for i in range(1, N):
        a[i] = np.sin(a[i - 1]) + x[i] ** 2
    return np.sum(a)


def thomas(d):
    c, y = np.zeros(N), np.zeros(N)
    c[0], y[0] = -0.4, d[0] / 2.5
    for i in range(1, N):
        pivot = 2.5 + c[i - 1]
        c[i] = -1 / pivot
        y[i] = (d[i] + y[i - 1]) / pivot
    for i in range(N - 2, -1, -1):
        y[i] = y[i] - c[i] * y[i + 1]
    return np.sum(y**2)


def leapfrog(x):
    before, now = x * 0.5, x
    for _ in range(N):
        following = 1.9 * now - before
        before, now = now, following
    return np.sum(now**2)


def loops_of(function, x):
    return to_loops(jitad.trace(function)(x))


def repeats(loops):
    return [step for step in loops.steps if isinstance(step, Repeat)]


@pytest.mark.parametrize("function", [recurrence, thomas])
@pytest.mark.parametrize("transform", [jitad.jit, jitad.value_and_grad])
def test_element_recurrences_touch_single_elements(function, transform):
    x = np.linspace(0.1, 1, N)
    for step in repeats(loops_of(transform(function), x)):
        assert all(isinstance(inner, Nest) and inner.trips == 1 for inner in leaves(step.steps))
        assert not any(expr.op == "checked" for inner in leaves(step.steps) for expr in expressions(inner))


def expressions(nest):
    return [expr for region in nest.regions for expr in reachable(roots(region))]


def test_time_steps_change_places_or_overwrite():
    loops = loops_of(jitad.jit(leapfrog), np.ones(100))
    (step,) = repeats(loops)
    assert sum(1 for _ in leaves(step.steps)) == 1
    assert loops.work_bytes <= 2 * 100 * 8 + 64


def test_linear_loops_keep_nothing():
    loops = loops_of(jitad.value_and_grad(leapfrog), np.ones(1000))
    assert loops.work_bytes < 8 * 1000 * 8


def test_the_same_loop_compiles_once_for_any_number_of_trips():
    def total(x, n):
        s = 0.0
        for i in range(n):
            s = 0.5 * s + np.sin(x * i)
        return s

    sizes = [len(str(jitad.trace(lambda x, n=n: total(x, n))(1.0)).splitlines()) for n in (100, 100_000)]
    assert sizes[0] == sizes[1]
    np.testing.assert_allclose(jitad.jit(lambda x: total(x, 1000))(0.3), total(0.3, 1000), rtol=1e-12)


def test_while_loops():
    def root(a):
        x, trips = a, 0
        while abs(x * x - a) > 1e-12:
            x, trips = 0.5 * (x + a / x), trips + 1
        return x, trips

    value, trips = jitad.jit(root)(2.0)
    assert (float(value), int(trips)) == root(2.0)
    slope = jitad.jvp(lambda a: root(a)[0], (2.0,), (1.0,))[1]
    np.testing.assert_allclose(slope, 0.5 / np.sqrt(2), rtol=1e-10)
    batch = jitad.vmap(lambda a: root(a)[0])(np.array([2.0, 9.0, 25.0]))
    np.testing.assert_allclose(batch, np.sqrt([2.0, 9.0, 25.0]), rtol=1e-12)

def test_functions_of_numpy_that_map_calls():
    def f(x):
        a, b = map(np.asanyarray, (x, 2))
        return a * b + sum(map(np.abs, list(x))) * functools.reduce(np.maximum, list(map(math.sin, x)))

    np.testing.assert_allclose(jitad.jit(f)(np.array([1.0, -2.0])), f(np.array([1.0, -2.0])))
    jitad.testing.check_grads(f, (np.array([1.0, -2.0]),))


def test_short_rows_stay_in_registers():
    """Loops over the vectors of a short row are unrolled, once LLVM has vectorised them."""
    def function(w, a, b):
        for k in range(200):
            w = w + a[k][:, None] * b[k]
        return w

    arguments = np.ones((56, 28)), np.ones((200, 56)), np.ones((200, 28))
    np.testing.assert_array_equal(jitad.jit(function)(*arguments), np.full((56, 28), 201.0))
    text = jitad.show(function, *arguments, stage="llvm")
    assert re.search(r"<\d+ x double>", text) and not re.search(r"icmp eq i64 %index\.next\S*, 28", text)


def test_nests_of_one_form_share_their_code():
    """Those that differ in a number do not."""
    def steps(factors):
        def function(x):
            for factor in jitad.unroll(factors):
                x = x + factor * np.sin(x) * np.roll(x, 1)
            return np.sum(x)

        return jitad.show(jitad.grad(function), np.ones(50), stage="llvm").count("\ndefine ")

    shared = steps([0.01] * 8)
    x = np.linspace(0.1, 1, 50)
    jitad.testing.check_grads(lambda x: functools.reduce(lambda y, k: y + 0.01 * np.sin(y) * np.roll(y, k % 2), range(6), x), (x,))
    assert steps([0.01] * 12) <= shared + 3  # parts of what was too long for one function
    assert steps([0.01 * k for k in range(1, 13)]) > shared + 12


def damped(u, a, n):
    """What does not change is written inside the loop, as one writes it."""
    for _ in range(N):
        decay = np.exp(-a)
        seen = np.zeros(len(n))
        seen[n % 4] = 0.1
        u = u * decay + 0.1 * np.roll(u, 1) * np.sqrt(a[0]) + seen[0] * u[np.argsort(a)]
    return np.sum(u**2)


def test_what_does_not_change_is_computed_before_the_loop():
    u, a, n = np.linspace(0.2, 1, 6), np.linspace(0.5, 1, 6)[[2, 0, 1, 4, 5, 3]], np.arange(6)
    for program in (jitad.trace(damped)(u, a, n), jitad.trace(jitad.grad(damped, argnums=(0, 1)))(u, a, n)):
        bodies = [equation.params["body"] for equation in optimize(program).equations if "body" in equation.params]
        assert bodies
        assert not {"exp", "sqrt", "argsort"} & {equation.primitive.name for body in bodies for equation in body.equations}
    jitad.testing.check_grads(functools.partial(damped, n=n), (u, a))
    np.testing.assert_allclose(jitad.jit(damped)(u, a, n), damped(u, a, n), rtol=1e-13)


def test_what_is_read_instead_of_what_it_is_made_of_is_computed_before_the_loop():
    def diffused(u, k, c):
        for _ in range(N):
            u = u + 0.1 * k / c * np.roll(u, 1)
        return u

    def also_read(u, k):
        for _ in range(N):
            u = u * (0.1 * k) + k
        return u

    def in_loops(function, *args):
        (loop,) = [equation for equation in optimize(jitad.trace(function)(*args)).equations if "body" in equation.params]
        return [equation.primitive.name for equation in loop.params["body"].equations]

    u, k, c = np.random.default_rng(0).uniform(0.5, 1.0, (3, 20))
    assert not {"mul", "div"} & set(in_loops(diffused, u, k, c))
    assert "mul" in in_loops(also_read, u, k)  # one array is read, not two
    jitad.testing.check_grads(diffused, (u, k, c))
    jitad.testing.check_grads(also_read, (u, k))


def strained(u, v, k):
    """Three products of what two fields give, which costs more than keeping a few bytes and less than keeping many."""
    def slope(x):
        return (1.125 * (x[1:-1] - x[:-2]) / 3 + 0.25 * (x[2:] - x[:-2]) / 7) / 1.1

    for _ in range(N):
        first, second, third = slope(u), slope(v), slope(u) / 3 + slope(v[::-1])
        u[1:-1] += 0.1 * k[0] * first + 0.1 * k[1] * third
        v[1:-1] += 0.1 * k[1] * second - 0.1 * k[2] * third
    return np.sum(u * v)


def test_loops_that_keep_much_keep_less(monkeypatch):
    u, v, k = np.random.default_rng(0).uniform(0.2, 1.0, (3, 9))
    slope = jitad.grad(lambda k: strained(u.copy(), v.copy(), k.reshape(3, 3)[:, :1]))
    kept, gradient = jitad.show(slope, k).count(" x f64["), slope(k)
    monkeypatch.setattr(residuals, "PLENTY", 1000)
    again = jitad.grad(lambda k: strained(u.copy(), v.copy(), k.reshape(3, 3)[:, :1]))
    assert jitad.show(again, k).count(" x f64[") < kept
    np.testing.assert_array_equal(again(k), gradient)
    jitad.testing.check_grads(again, (k,))


def relaxed(v, a, b):
    """Sweeps in which each element waits for the one before it."""
    u = v.copy()
    for _ in range(20):
        for k in range(1, 29):
            u[k] = max(v[k], 0.3 * u[k] + a[k] * u[k - 1] / (b[k] + u[k + 1] ** 2))
    return np.sum(u**2)


def test_sweeps_element_by_element_are_not_run_again():
    v, a, b = np.random.default_rng(0).uniform(0.2, 1.0, (3, 30))
    loops = [line.strip() for line in str(jitad.show(jitad.grad(relaxed), v, a, b, stage="loops")).splitlines() if line.strip().startswith("for t")]
    assert [("reversed" in line) for line in loops] == [False, False, True, True]
    jitad.testing.check_grads(relaxed, (v, a, b))


def test_a_loop_without_trips_does_not_fail_before_it():
    def function(x, n, k):
        s = 0.0
        for _ in range(n):
            s = s + np.linalg.cholesky(x)[0, 0] + x[k, 0]
        return s

    compiled = jitad.jit(function)
    assert compiled(-np.eye(2), 0, 7) == 0.0
    assert compiled(4 * np.eye(2), 3, 0) == 18.0
    with pytest.raises(IndexError):
        compiled(4 * np.eye(2), 3, 7)
