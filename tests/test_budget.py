"""Derivatives within a memory budget: schedules, loops that are run again, what is chosen and what is refused."""

import functools

import numpy as np
import pytest
from differences import check_derivatives, program_of

import jitad
from jitad.ir import errors
from jitad.ir.interpreter import evaluate
from jitad.ir.program import Program, literal
from jitad.ir.recorder import build
from jitad.ir.types import ArrayType
from jitad.ir.verifier import verify
from jitad.pipeline import bytes_filled, bytes_taken, to_kernel
from jitad.primitives.control import loop
from jitad.primitives.control.schedules import least_steps, repetitions, route
from jitad.primitives.elementwise.transcendental import sin
from jitad.primitives.structural.indexing import gather
from jitad.runtime.config import byte_count
from jitad.runtime.execute import runner
from jitad.transform.batch import batch
from jitad.transform.budget import Choice, Loop, fit, loops_of, replayed
from jitad.transform.jvp import jvp
from jitad.transform.vjp import gradient, pullback

TRIPS = 40
X, SOURCE = np.linspace(0.1, 1, 50), np.cos(np.arange(1.0 * TRIPS))


def waves(x, source):
    """A leapfrog scheme: two fields that change places, a source, a trace that is recorded."""
    u, v, trace = x * 1.0, np.zeros_like(x), np.zeros(TRIPS)
    for t in range(TRIPS):
        v[1:-1] = 2 * u[1:-1] - v[1:-1] + 0.1 * np.sin(u[2:] + u[:-2]) * source[t]
        u, v = v, u
        trace[t] = u[3]
    return np.sum(trace**2) + np.sum(u)


@functools.cache
def slopes(function, *, memory=None):
    return jitad.grad(function, argnums=(0, 1), memory=memory)(X, SOURCE)


def assert_same(found, wanted):
    for x, y in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(x, y)


# --- schedules ---------------------------------------------------------------------------------------------------------------------


@functools.cache
def fewest(steps: int, snapshots: int) -> int:
    """The fewest steps that reverse a chain, by trying every place for the next snapshot."""
    if steps == 1:
        return 0
    if snapshots == 1:
        return steps * (steps - 1) // 2
    return min(gap + fewest(steps - gap, snapshots - 1) + fewest(gap, snapshots) for gap in range(1, steps))


def test_no_schedule_runs_fewer_steps():
    for steps in range(1, 61):
        for snapshots in range(1, 9):
            assert least_steps(steps, snapshots) == fewest(steps, snapshots)


def test_binomial_numbers():
    """Griewank and Walther, Algorithm 799 (2000): a chain of comb(s + r, s) steps; for 1000 of them a tenth of the memory costs one run."""
    assert [repetitions(n, 3) for n in (1, 4, 5, 10, 11, 20, 21)] == [0, 1, 2, 2, 3, 3, 4]
    assert least_steps(10, 3) == 2 * 10 - 5
    assert least_steps(1000, 100) == 2 * 1000 - 102
    assert least_steps(1000, 1) == 1000 * 999 // 2


@pytest.mark.parametrize("steps, snapshots, forward", [(10, 3, 25), (50, 5, 172), (100, 10, 322), (250, 4, 1538), (1000, 30, 3472)])
def test_as_many_steps_as_checkpoint_schedules(steps, snapshots, forward):
    """The forward steps of `Revolve` and `MultistageCheckpointSchedule` of checkpoint_schedules, those in which a step is reversed included."""
    assert least_steps(steps, snapshots) + steps == forward


@pytest.mark.parametrize("snapshots", [1, 2, 3, 6])
def test_schedules_do_what_they_promise(snapshots):
    """The way to each step is found when it is reversed, whatever the number of steps."""
    way = program_of(lambda top, target, places: list(route(places, top, target)), [np.int64(0), np.int64(0), np.zeros(snapshots + 1, int)])
    for steps in range(1, 40):
        held, places, ran = 0, np.zeros(snapshots + 1, int), 0
        for target in reversed(range(steps + 1)):  # the first run goes on to the end of the chain, as if that were one more step
            held -= places[held] > target
            found, end = evaluate(way, np.int64(held), np.int64(target), places)
            assert list(found[: held + 1]) == list(places[: held + 1]) and found[end] == target
            assert np.all(np.diff(found[: end + 1]) > 0)
            ran += target - places[held]
            held, places = max(end - 1, held), found
            assert held < snapshots
        assert ran == least_steps(steps + 1, snapshots)


# --- loops that are run again --------------------------------------------------------------------------------------------------------


def replayed_everywhere(program: Program, segment: int, snapshots: int) -> Program:
    return replayed(program, {loop.path: Choice(segment, snapshots) for loop in loops_of(program)})


@pytest.mark.parametrize("segment, snapshots", [(1, 1), (1, 4), (7, 2), (8, 3), (40, 1)])
def test_replayed_loops_give_the_same_bits(segment, snapshots):
    program = jitad.trace(waves)(X, SOURCE)
    smaller = verify(gradient(replayed_everywhere(program, segment, snapshots), [True, True]))
    found = runner(to_kernel(smaller))(X, SOURCE)[1:]
    assert_same(found, slopes(waves))


@pytest.mark.parametrize("reverse", [False, True])
def test_derivatives_of_replayed_loops(reverse):
    """Forward, reverse, second order, batches; with constants that move, and a carried value that nothing depends on."""

    def body(i, rows, scale, x, y):
        new = sin(x * scale) * gather(rows, i) + y
        return [new, x * x]

    rows, x = X[:21].reshape(7, 3), X[:3]
    types = [ArrayType(np.dtype("l")), *[ArrayType(a.dtype, a.shape) for a in (rows, x, x, x)]]
    params = {"body": build(body, types), "length": 7, "consts": 2, "reverse": reverse}
    inputs = [rows, 2 * x, x, x + 1]
    program = program_of(lambda *atoms: loop(literal(7, "l"), *atoms, **params), inputs)
    again = verify(replayed_everywhere(program, 3, 2))
    assert_same(evaluate(again, *inputs), evaluate(program, *inputs))
    check_derivatives(again, inputs)
    check_derivatives(jvp(again, [True] * 4), [*inputs, *[np.cos(a) for a in inputs]])
    first, second = pullback(again, [True] * 4)
    check_derivatives(first, inputs)
    residuals = evaluate(first, *inputs)[2:]
    check_derivatives(second, [*residuals, x, 3 * x])
    members = [np.stack([a, a / 2]) for a in inputs]
    many = evaluate(batch(first, [0] * 4, 2), *members)
    np.testing.assert_allclose(many[0][1], evaluate(program, *[a[1] for a in members])[0], rtol=1e-14)
    slopes = evaluate(batch(second, [0] * len(second.inputs), 2), *many[2:], *[np.stack([x, x])] * 2)
    _, plain = pullback(program, [True] * 4)
    wanted = evaluate(plain, *evaluate(pullback(program, [True] * 4)[0], *[a[1] for a in members])[2:], x, x)
    for found, value in zip(slopes, wanted, strict=True):
        np.testing.assert_allclose(found[1], value, rtol=1e-13)


@pytest.mark.parametrize("depths", [(0,), (1,), (0, 1)])
def test_loops_inside_loops_may_be_replayed(depths):
    def f(x, source):
        for k in range(30):
            for t in range(TRIPS):
                x = np.sin(x) * x[::-1] + source[t] / 10
            x = x + source[k]
        return np.sum(x)

    program = jitad.trace(f)(X, SOURCE)
    loops = list(loops_of(program))
    assert [(loop.depth, loop.trips) for loop in loops] == [(0, 30), (1, TRIPS)]
    smaller = replayed(program, {loop.path: Choice(6, 3) for loop in loops if loop.depth in depths})
    assert bytes_taken(gradient(smaller, [True] * 2)) < bytes_taken(gradient(program, [True] * 2)) / 2
    (x, source), wanted = runner(to_kernel(gradient(smaller, [True] * 2)))(X, SOURCE)[1:], slopes(f)
    np.testing.assert_array_equal(x, wanted[0])
    np.testing.assert_allclose(source, wanted[1], rtol=1e-13)  # sums, in the order that LLVM chose


# --- budgets -----------------------------------------------------------------------------------------------------------------------


def test_gradients_within_a_budget_are_the_same_and_fit():
    stored = bytes_taken(jitad.trace(jitad.grad(waves))(X, SOURCE))
    for part in (1.5, 2.2):
        within = jitad.grad(waves, argnums=(0, 1), memory=int(stored / part))
        assert bytes_taken(jitad.trace(within)(X, SOURCE)) <= stored / part
        assert_same(within(X, SOURCE), slopes(waves))
    assert "snapshots" not in str(jitad.trace(jitad.grad(waves, memory=stored))(X, SOURCE))


def test_a_tenth_of_the_memory_costs_one_more_run():
    def f(x):
        for _ in range(1000):
            x = np.sin(x) * x[::-1]
        return np.sum(x)

    program = jitad.trace(f)(np.ones(1000))

    def taken(program):
        return bytes_taken(gradient(program, [True]))

    stored, (loop,) = taken(program), loops_of(program)
    smaller = fit(program, stored // 10, taken, lambda candidate: bytes_filled(gradient(candidate, [True])))
    (choice,) = [Choice(e.params["segment"], e.params["snapshots"]) for e in smaller.equations if e.primitive.name == "replayed"]
    assert taken(smaller) <= stored // 10
    assert loop.trips_run(choice) <= 1.05 * loop.trips


def test_work_grows_as_memory_shrinks():
    loop = Loop((), 0, 1000)
    work = [loop.trips_run(Choice(1, snapshots)) for snapshots in (1000, 300, 100, 30, 10, 3, 1)]
    assert work[0] == 1000 and work == sorted(work) and work[-1] == 1000 + 1001 * 1000 // 2 - 1000


def test_budgets_of_other_derivatives():
    def pair(x, source):
        value = waves(x, source)
        return np.array([value, value**2])

    value, pullback = jitad.vjp(waves, X, SOURCE, memory="20kB")
    assert value == waves(X, SOURCE) or value == pytest.approx(waves(X, SOURCE), rel=1e-14)
    assert_same(pullback(1.0), slopes(waves))
    rows = jitad.jacrev(lambda x: pair(x, SOURCE), memory="40kB")(X)
    np.testing.assert_allclose(rows, jitad.jacrev(lambda x: pair(x, SOURCE))(X), rtol=1e-14)
    few = X[:5]
    matrix = jitad.hessian(waves, memory="25kB")(few, SOURCE)
    np.testing.assert_allclose(matrix, jitad.hessian(waves)(few, SOURCE), rtol=1e-13, atol=1e-13)


def test_loops_in_loops_and_beside_one_another():
    def f(x, source):
        for _ in range(30):
            for t in range(TRIPS):
                x = np.sin(x) * x[::-1] + source[t] / 10
        for t in range(TRIPS):
            x = np.cos(x) * x[::-1] - source[t]
        return np.sum(x)

    wanted = slopes(f)
    stored = bytes_taken(jitad.trace(jitad.grad(f, argnums=(0, 1)))(X, SOURCE))
    for part in (2, 6):
        for found, value in zip(slopes(f, memory=stored // part), wanted, strict=True):
            np.testing.assert_allclose(found, value, rtol=1e-13)
    text = jitad.show(jitad.grad(f, argnums=(0, 1), memory=stored // 6), X, SOURCE)
    assert "kept by loops" in text


def test_what_decides_which_branch_is_taken_is_found_again():
    def f(x, source):
        x = x.copy()
        for t in range(TRIPS):
            for j in range(len(x) - 1):
                if x[j] * source[t] > x[j + 1]:
                    x[j], x[j + 1] = x[j + 1] * 1.1, x[j]
        return np.sum(x[1:] * x[:-1] ** 2)

    program = replayed_everywhere(jitad.trace(f)(X, SOURCE), 8, 2)
    for found, value in zip(evaluate(gradient(program, [True, True]), X, SOURCE)[1:], slopes(f), strict=True):
        np.testing.assert_allclose(found, value, rtol=1e-13)


def test_a_budget_that_cannot_be_met_says_what_would_do():
    with pytest.raises(errors.MemoryError, match=r"1 kB cannot be met.* takes [\d.]+ kB, .* again [\d.]+ kB") as caught:
        jitad.grad(waves, memory="1kB")(X, SOURCE)
    assert isinstance(caught.value, MemoryError)
    least = str(caught.value).split("again ")[1].split("\n")[0]
    np.testing.assert_array_equal(jitad.grad(waves, memory=least)(X, SOURCE), jitad.grad(waves)(X, SOURCE))
    with pytest.raises(errors.MemoryError):
        jitad.grad(lambda x: np.sum(np.sort(x) ** 2), memory=100)(X)


def test_the_budget_of_the_settings(monkeypatch):
    slope = jitad.grad(waves)
    first = slope(X, SOURCE)
    monkeypatch.setattr(jitad.config, "memory", "1kB")
    with pytest.raises(errors.MemoryError):
        slope(X, SOURCE)
    assert_same([jitad.grad(waves, memory="1MB")(X, SOURCE)], [first])
    monkeypatch.setattr(jitad.config, "memory", "12kB")
    np.testing.assert_array_equal(slope(X, SOURCE), first)


def test_amounts_of_memory():
    assert [byte_count(x) for x in (7, "200MB", "1.5 GiB", "3k", " 10 bytes ", ".5mb")] == [
        7, 200_000_000, 3 << 29, 3000, 10, 500_000]
    for wrong in ("much", "3 furlongs", 1.5, True):
        with pytest.raises(errors.ValueError, match="200MB"):
            byte_count(wrong)
        with pytest.raises(errors.ValueError, match="200MB"):
            jitad.grad(waves, memory=wrong)


# --- what is shown -------------------------------------------------------------------------------------------------------------------


def test_what_loops_keep_is_shown():
    line = waves.__code__.co_firstlineno + 3
    text = jitad.show(jitad.grad(waves), X, SOURCE)
    assert f"# test_budget.py:{line} " in text and f"{TRIPS} x f64[48]" in text and f"{TRIPS * 48 * 8 / 1000:g} kB" in text
    assert "in a call, results included" in text
    assert "kept by loops" not in jitad.show(waves, X, SOURCE)
    assert "kept by loops" in jitad.show(waves, X, SOURCE, stage="derivative")
