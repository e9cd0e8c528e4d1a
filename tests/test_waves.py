"""Trips of loops over grids that trail one another: the results are, to the last bit, those of one trip after another."""

from dataclasses import replace

import numpy as np
import pytest
from loops_interpreter import run_loops
from test_stencils import check_stencils

import jitad
from jitad.lower.grammar.loops import Repeat, Wave
from jitad.lower.schedule import trailing, waves
from jitad.pipeline import to_loops

N, STEPS = 40, 21
RNG = np.random.default_rng(0)
FIELD, OTHER = RNG.random((2, N, N))


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Nests and trips trail however small the arrays are."""
    for module in (trailing, waves):
        monkeypatch.setattr(module, "LARGE", 0)
    monkeypatch.setattr(waves, "AGAIN", 0)
    monkeypatch.setattr(waves, "REPEATED", 1)
    monkeypatch.setattr(trailing, "ROW", 1)
    monkeypatch.setattr(jitad.config, "verify", True)
    monkeypatch.setattr(jitad.config, "cache_dir", None)


def upwinded(a, b):
    """Memory changes places; the rim stays."""
    for t in range(STEPS):
        new = a.copy()
        new[1:-1, 1:-1] = a[1:-1, 1:-1] - 0.1 * np.cos(0.1 * t) * b[1:-1, 1:-1] * (a[1:-1, 1:-1] - a[:-2, 1:-1] + a[2:, 1:-1] * a[1:-1, 2:])
        a = new
    return a


def of_second_order_in_time(a, b):
    """Three arrays change places, and what is read is two rows away."""
    before, now = a, b
    for _ in range(STEPS):
        after = np.zeros((N, N))
        after[2:-2] = 1.9 * now[2:-2] - 0.9 * before[2:-2] + 0.01 * (now[4:] + now[:-4] - 2 * now[2:-2]) * a[2:-2]
        before, now = now, after
    return now + before


def on_a_torus(a, b):
    """The first row is next to the last one."""
    for _ in range(STEPS):
        across = np.roll(a, 1, 0) + np.roll(a, -1, 0) + np.roll(a, 1, 1) + np.roll(a, -1, 1) - 4 * a
        a, b = a + 0.1 * across - 0.1 * a * b, b + 0.1 * (a * b - b)
    return a + b


def far_on_a_torus(a, b):
    for _ in range(STEPS):
        a = a + 0.1 * b * (np.roll(a, 2, 0) - np.roll(a, -1, 0))
    return a


def faces(height, depth):
    """Two nests that trail in each trip."""
    u, v = np.zeros((N + 1, N)), np.zeros((N, N + 1))
    for _ in range(STEPS):
        u[1:-1] -= 0.1 * (height[1:] - height[:-1])
        v[:, 1:-1] -= 0.1 * (height[:, 1:] - height[:, :-1])
        height = height - 0.1 * depth * (u[1:] - u[:-1] + v[:, 1:] - v[:, :-1])
    return height


def with_sources_and_receivers(a, b):
    """What happens in single rows, before the others and after them, and what is the same in all rows."""
    a, seen = a.copy(), np.zeros((STEPS, a.shape[1]))
    for t in range(STEPS):
        a[7, 3] += 0.5 * np.sin(t)
        a[1:-1] += 0.1 * b[1:-1] * (a[:-2] - a[2:])
        a[0] = 0.5 * a[2]
        seen[t] = a[10] + a[11]
    return a + b * np.sum(seen**2)


def at_times(a, b):
    """Numbers are handed on from step to step, besides the grid; one is made of what the grid was at one place."""
    time, seen, phases = 0.0, 0.0, 0.1 * a[0, :3]
    for _ in range(STEPS):
        new = a.copy()
        new[1:-1] = a[1:-1] + 0.1 * np.cos(time) * phases[2] * b[1:-1] * (a[:-2] - a[2:])
        a = new
        seen = 0.5 * seen + a[7, 3]
        phases = np.array([phases[1], phases[2] + time, phases[0]])
        time += 0.05
    return a * seen + time * np.sum(phases)


def upside_down(a, b):
    """What is read in another order of the rows has to be there."""
    for _ in range(STEPS):
        a = a + 0.01 * b * np.sin(a[::-1])
    return a


def from_a_row_that_is_summed(a, b):
    """All rows need a number that all rows of the trip before make."""
    for _ in range(STEPS):
        a = a + 0.01 * b * np.sum(a * a) / N**2
    return a


PROGRAMS = {
    upwinded: Wave(8, 1), of_second_order_in_time: Wave(8, 2), on_a_torus: Wave(8, 1, 1), far_on_a_torus: Wave(8, 2, 2), faces: Wave(8, 1),
    with_sources_and_receivers: Wave(8, 3), at_times: Wave(8, 2), upside_down: None, from_a_row_that_is_summed: None,
}  # fmt: skip


def first_loop(function, *args) -> Repeat:
    return next(step for step in to_loops(jitad.trace(jitad.jit(function))(*args)).steps if isinstance(step, Repeat))


@pytest.mark.parametrize(("function", "wave"), PROGRAMS.items(), ids=lambda x: getattr(x, "__name__", ""))
def test_how_far_trips_are_behind(function, wave):
    found = first_loop(function, FIELD, OTHER).wave
    assert (found and replace(found, kept=())) == wave
    assert found is None or len(found.kept) == (2 if function is at_times else 0)


def derivatives(function, number):
    tangent = jitad.jit(lambda x, way: jitad.jvp(lambda *y: function(*y) * number, x, way))
    gradient = jitad.grad(lambda a, b: np.sum(function(a, b) ** 2) * number, argnums=(0, 1))
    pair = FIELD, OTHER
    return [*tangent(pair, pair[::-1]), *gradient(*pair)]


@pytest.mark.parametrize("rows", [4, 13, 1000])
@pytest.mark.parametrize("function", PROGRAMS)
def test_same_bits(function, rows, monkeypatch):
    """However many rows there is room for."""
    monkeypatch.setattr(waves, "WINDOW", rows * 8 * 8 * N)
    found = derivatives(function, 1.5)
    monkeypatch.setattr(waves, "LARGE", 1e18)
    for one, other in zip(found, derivatives(function, -1.5), strict=True):
        assert np.array_equal(one, -other)
    np.testing.assert_allclose(found[0], 1.5 * function(FIELD, OTHER), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("function", [upwinded, on_a_torus, far_on_a_torus, with_sources_and_receivers, at_times])
def test_loops_do_what_is_asked(function):
    """Nothing is read that is not written yet, or has been overwritten."""
    gradient, pair = jitad.grad(lambda a, b: np.sum(function(a, b) ** 2)), (FIELD[:20, :5], OTHER[:20, :5])
    loops = to_loops(jitad.trace(gradient)(*pair))
    assert any(step.wave for step in loops.steps if isinstance(step, Repeat))
    np.testing.assert_allclose(run_loops(loops, *pair)[0], gradient(*pair), rtol=1e-10)


@pytest.mark.parametrize("steps", [0, 1, 7, 8, 17])
def test_numbers_of_trips_that_are_known_late(steps):
    @jitad.jit
    def diffused(a, b, steps):
        for _ in range(steps):
            a = a + 0.1 * b * (np.roll(a, 1, 0) - a)
        return a

    wanted = FIELD
    for _ in range(steps):
        wanted = wanted + 0.1 * OTHER * (np.roll(wanted, 1, 0) - wanted)
    np.testing.assert_allclose(diffused(FIELD, OTHER, steps), wanted, rtol=1e-13)


def test_threads_run_the_trips_one_by_one(monkeypatch):
    monkeypatch.setattr("jitad.lower.schedule.threads.LEAST_WORK_OF_TRIP", 0)
    monkeypatch.setattr("jitad.lower.schedule.threads.PIECE_WORK", 1)
    compiled = jitad.jit(lambda a, b: on_a_torus(a, b) + 1)
    monkeypatch.setattr(jitad.config, "threads", 1)
    alone = compiled(FIELD, OTHER)
    monkeypatch.setattr(jitad.config, "threads", 2)
    assert np.array_equal(compiled(FIELD, OTHER), alone)
    loop = first_loop(on_a_torus, FIELD, OTHER)
    assert loop.wave and loop.steps[-1].apart
    np.testing.assert_allclose(alone, on_a_torus(FIELD, OTHER) + 1, rtol=1e-12)


@pytest.mark.parametrize(("name", "value"), [("LARGE", 2**20), ("AGAIN", 0.9)])
def test_small_grids_and_loops_that_keep_much_stay_as_they_are(name, value, monkeypatch):
    """Whether what is kept is found in rows of its own, or at places that are computed from the number of a trip."""
    def waves_of(function):
        loops = to_loops(jitad.trace(jitad.grad(lambda a, b: np.sum(function(a, b) ** 2), argnums=(0, 1)))(FIELD, OTHER))
        return [step.wave for step in loops.steps if isinstance(step, Repeat)]

    assert any(waves_of(upwinded)) and all(waves_of(on_a_torus))
    monkeypatch.setattr(waves, name, value)
    assert not any(waves_of(upwinded)) and not any(waves_of(on_a_torus))


def test_it_is_printed():
    text = jitad.show(on_a_torus, FIELD, OTHER, stage="loops")
    assert "# 8 trips at a time, rows of each 1 behind those of the one before, each from 1 before the next one's first" in text


@pytest.mark.parametrize("seed", range(200, 206))
def test_random_stencils(seed, tmp_path):
    check_stencils(seed, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(206, 290))
def test_many_random_stencils(seed, tmp_path):
    check_stencils(seed, tmp_path)
