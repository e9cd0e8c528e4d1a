"""Derivatives within a memory budget through loops whose number of trips only the run decides: `while`, `break`, traced ranges."""

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from settling import settling

import jitad
from jitad.ir import errors
from jitad.pipeline import most_bytes, to_kernel
from jitad.primitives.control import loops, whiles
from jitad.primitives.control.schedules import least_steps
from jitad.runtime.execute import runner
from jitad.transform.budget import Choice, loops_of, replayed
from jitad.transform.vjp import gradient

X = np.linspace(0.1, 1, 40)


def newton(x):
    """Square roots; the loop carries a vector and counts its trips."""
    y, trips = np.ones_like(x), 0
    while np.max(np.abs(y * y - x)) > 1e-10 and trips < 500:
        y = y - 0.2 * (y * y - x) / (2 * y)
        trips += 1
    return np.sum(np.sin(y)) * trips


def adaptive(x):
    """Steps as long as the solution is smooth."""
    t, u = 0.0, x * 1.0
    while t < 2.0:
        slope = np.sin(u) * u[::-1] - u
        dt = min(0.02 / (1 + np.max(np.abs(slope))), 2.0 - t)
        u, t = u + dt * slope, t + dt
    return np.sum(u**2) + t


def broken(x):
    u = x * 1.0
    for k in range(300):
        u[1:] += 0.1 * np.sin(u[:-1]) * np.cos(0.1 * k)
        if np.sum(u) > 30:
            break
    else:
        u *= 2
    return np.sum(u**2)


def stencil(x, n):
    u, v, trace = x * 1.0, np.zeros_like(x), np.zeros(400)
    for t in range(n[0]):
        v[1:-1] = 2 * u[1:-1] - v[1:-1] + 0.1 * np.sin(u[2:] + u[:-2])
        u, v = v, u
        trace[t] = u[3]
    return np.sum(trace**2) + np.sum(u)


def inside(x):
    """Loops of unknown trips in one of known trips, and beside another."""
    u = x * 1.0
    for k in range(20):
        while np.sum(u**2) > 5:
            u = u * (0.99 - 0.001 * np.sin(u))
        u = u * 1.2 + 0.1 * np.sin(u * k)
    n = 0
    while np.max(u) > 0.1:
        u, n = u * np.cos(0.3 * u) * 0.98, n + 1
    return np.sum(u) * n


def kinds(x):
    """Integers, booleans and complex numbers are carried too."""
    z, up, k = x * (1 + 0.5j), True, 0
    while np.sum(np.abs(z)) < 60:
        z = z * (1.02 + 0.01j) + (0.01 if up else -0.02) * z[::-1] * np.conj(z)
        up = k % 3 > 0
        k += 1
    return np.sum(np.abs(z) ** 2) + k


PROGRAMS = [newton, adaptive, broken, settling, inside, kinds]


def smaller(function, segment, snapshots, *args):
    """The gradient, every loop replayed so."""
    program = jitad.trace(function)(*args)
    again = replayed(program, {loop.path: Choice(segment, snapshots) for loop in loops_of(program)})
    return gradient(again, [True] + [False] * (len(args) - 1))


def assert_close(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-12 * np.abs(wanted).max())


@pytest.mark.parametrize("function", PROGRAMS)
@pytest.mark.parametrize("segment, snapshots", [(1, 1), (7, 3), (2, 5)])
def test_replayed_gradients_are_those_that_keep_everything(function, segment, snapshots):
    program = smaller(function, segment, snapshots, X)
    value, slope = runner(to_kernel(program))(X)
    assert value == pytest.approx(function(X), rel=1e-12)
    assert_close(slope, jitad.grad(function)(X))
    assert most_bytes(program) < np.inf


@pytest.mark.parametrize("function", PROGRAMS)
def test_budgets(function):
    within = jitad.grad(function, memory="30kB")
    assert_close(within(X), jitad.grad(function)(X))
    assert most_bytes(jitad.trace(within)(X)) <= 30_000


@functools.cache
def stencil_gradient(segment, snapshots):
    return runner(to_kernel(smaller(stencil, segment, snapshots, X, np.array([0]))))


@settings(max_examples=60, deadline=None)
@given(n=st.one_of(st.integers(0, 20), st.integers(0, 400)), choice=st.sampled_from([(1, 1), (1, 3), (5, 2), (8, 4), (64, 3)]))
def test_any_number_of_trips(n, choice):
    _, slope = stencil_gradient(*choice)(X, np.array([n]))
    assert_close(slope, jitad.grad(stencil)(X, np.array([n])))


def test_memory_does_not_grow_with_the_trips():
    within = jitad.grad(stencil, memory="30kB")
    assert most_bytes(jitad.trace(within)(X, np.array([7]))) <= 30_000
    for n in (0, 1, 7, 300):
        assert_close(within(X, np.array([n])), jitad.grad(stencil)(X, np.array([n])))


@pytest.mark.parametrize("snapshots", [1, 2, 5])
def test_as_many_trips_are_run_as_the_theory_says(snapshots, monkeypatch):
    """The bodies of loops in which a sine is computed are counted by the interpreter."""
    n, segment, ran = 24, 3, 0
    evaluate = loops.evaluate

    def counting(body, *inputs):
        nonlocal ran
        ran += any(equation.primitive.name == "sin" for equation in body.equations)
        return evaluate(body, *inputs)

    monkeypatch.setattr(loops, "evaluate", counting)
    evaluate(smaller(stencil, segment, snapshots, X, np.array([0])), X, np.array([n]))
    assert ran == (least_steps(n // segment + 1, snapshots) + n // segment) * segment


def until(x, n):
    u, k = x * 1.0, 0
    while k < n[0]:
        u[1:] = 0.95 * u[1:] + 0.1 * np.sin(u[:-1])
        k += 1
    return np.sum(u**2)


@functools.cache
def gradient_until(segment, snapshots):
    return runner(to_kernel(smaller(until, segment, snapshots, X, np.array([0]))))


@settings(max_examples=60, deadline=None)
@given(n=st.one_of(st.integers(0, 20), st.integers(0, 400)), choice=st.sampled_from([(1, 4), (1, 5), (3, 6), (2, 9), (1, 40)]))
def test_snapshots_of_any_number_of_trips_kept_while_the_loop_runs(n, choice):
    value, slope = gradient_until(*choice)(X, np.array([n]))
    assert value == pytest.approx(until(X, np.array([n])), rel=1e-12)
    assert_close(slope, jitad.grad(until)(X, np.array([n])))


@pytest.mark.parametrize("n, segment, snapshots, more", [(60, 1, 61, 0.0), (60, 1, 20, 0.25), (150, 1, 8, 0.6), (150, 3, 9, 0.6)])
def test_a_loop_that_runs_until_a_test_fails_is_not_run_to_be_counted(n, segment, snapshots, more, monkeypatch):
    """The trips run beyond the least number are a fraction of those of the loop."""
    ran, evaluates = 0, {module: module.evaluate for module in (loops, whiles)}

    def counting(body, *inputs):
        nonlocal ran
        ran += any(equation.primitive.name == "sin" for equation in body.equations)
        return evaluates[loops](body, *inputs)

    for module in evaluates:
        monkeypatch.setattr(module, "evaluate", counting)
    evaluates[loops](smaller(until, segment, snapshots, X, np.array([0])), X, np.array([n]))
    least = (least_steps(n // segment + 1, snapshots) + n // segment) * segment
    assert ran <= least + more * n


def test_prints_and_writes_to_arguments_happen_once(capfd):
    def f(x):
        while np.sum(x) < 40:
            x *= 1.1
            print("sum", np.round(x[0], 3))
        return np.sum(x**2)

    wanted = X.copy()
    f(wanted)
    lines = capfd.readouterr().out
    x = X.copy()
    slope = jitad.grad(f, memory="20kB")(x)
    assert capfd.readouterr().out == lines and lines.count("sum") > 3
    np.testing.assert_array_equal(x, X)
    assert_close(slope, jitad.grad(f)(X))


def test_indices_out_of_range_are_errors():
    def f(x, n):
        for k in range(n[0]):
            x = x * 0.9 + x[k]
        return np.sum(x)

    within = jitad.grad(f, memory="20kB")
    assert_close(within(X, np.array([40])), jitad.grad(f)(X, np.array([40])))
    with pytest.raises(IndexError, match="41|out of bounds"):
        jitad.grad(f, memory="20kB")(X, np.array([41]))


def test_second_derivatives():
    v = np.cos(X)
    for function in (newton, adaptive, broken):
        def along(x, function=function):
            return np.sum(jitad.grad(function, memory="60kB")(x) * v)

        step = 1e-6
        slope = (jitad.grad(function)(X + step * v) - jitad.grad(function)(X - step * v)) / (2 * step)
        assert_close(jitad.jvp(jitad.grad(function, memory="60kB"), (X,), (v,))[1], jitad.jvp(jitad.grad(function), (X,), (v,))[1])
        np.testing.assert_allclose(jitad.grad(along)(X), slope, rtol=1e-5, atol=1e-5 * np.abs(slope).max())


def test_pullbacks_and_rows():
    value, pullback = jitad.vjp(adaptive, X, memory="30kB")
    assert value == pytest.approx(adaptive(X), rel=1e-14)
    assert_close(pullback(2.0)[0], 2 * jitad.grad(adaptive)(X))

    def pair(x):
        return np.array([broken(x), newton(x)])

    assert_close(jitad.jacrev(pair, memory="80kB")(X), jitad.jacrev(pair)(X))
    few = X[:4]
    assert_close(jitad.hessian(adaptive, memory="30kB")(few), jitad.hessian(adaptive)(few))


def test_batches():
    xs = np.stack([X, 0.5 * X, 2 * X])
    for function in (newton, broken):
        found = jitad.vmap(jitad.grad(function, memory="60kB"))(xs)
        for slope, x in zip(found, xs, strict=True):
            assert_close(slope, jitad.grad(function)(x))


def test_a_budget_that_cannot_be_met_says_what_would_do():
    with pytest.raises(errors.MemoryError, match=r"1 kB cannot be met: with as much as possible computed again .* [\d.]+ kB") as caught:
        jitad.grad(adaptive, memory="1kB")(X)
    least = str(caught.value).split("takes ")[1].split("\n")[0]
    assert_close(jitad.grad(adaptive, memory=least)(X), jitad.grad(adaptive)(X))


def test_derivatives_of_such_loops_keep_no_budget():
    """What a reverse sweep records on a tape is not run again by another one."""
    with pytest.raises(errors.MemoryError, match="known length, or leave the budget out"):
        jitad.grad(lambda x: np.sum(jitad.grad(adaptive)(x) ** 2), memory="1MB")(X)


def test_what_is_kept_is_shown():
    text = jitad.show(jitad.grad(adaptive, memory="30kB"), X)
    assert ", snapshots" in text and "test_budget_of_any_trips.py" in text
