"""Nests that trail one another by rows: the results are, to the last bit, those of one nest after another."""

import numpy as np
import pytest
from test_stencils import check_stencils

import jitad
from jitad.lower.grammar.loops import Repeat, Strips
from jitad.lower.grammar.walk import children
from jitad.lower.schedule import trailing
from jitad.pipeline import to_loops

N, STEPS = 40, 20
RNG = np.random.default_rng(0)
FIELD, OTHER = RNG.random((2, N, N))


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Nests trail however small the arrays are."""
    monkeypatch.setattr(trailing, "LARGE", 0)
    monkeypatch.setattr(trailing, "ROW", 1)
    monkeypatch.setattr(jitad.config, "verify", True)


def faces(height, depth):
    """What is read above and below is written by the nest before, and what that reads is overwritten."""
    u, v = np.zeros((N + 1, N)), np.zeros((N, N + 1))
    for _ in range(STEPS):
        u[1:-1] -= 0.1 * (height[1:] - height[:-1])
        v[:, 1:-1] -= 0.1 * (height[:, 1:] - height[:, :-1])
        height = height - 0.1 * depth * (u[1:] - u[:-1] + v[:, 1:] - v[:, :-1])
    return height


def far_behind(a, b):
    """Fourth order, with a source in one row, and elements that are read in between."""
    a, b, seen = np.copy(a), np.copy(b), np.zeros(STEPS)
    for t in range(STEPS):
        a[2:-2] += 0.1 * (b[3:-1] - b[2:-2] - (b[4:] - b[1:-3]) / 24) * b[2:-2]
        a[7, 3] += 0.5
        seen[t] = np.sum(a[5, [1, 4, 9]])
        b[2:-2] += 0.1 * (a[2:-2] - a[1:-3] - (a[4:] - a[:-4]) / 24) * a[2:-2]
    return a + b * np.sum(seen)


def upside_down(a, b):
    """What is read in another order of the rows has to be there."""
    a, b = np.copy(a), np.copy(b)
    for _ in range(STEPS):
        a[1:-1] += 0.01 * np.sin(b[2:] - b[:-2])
        b[1:-1] += 0.01 * np.sin(a[::-1][2:] - a[::-1][:-2])
    return a + b


def trains(steps) -> list[tuple[int, ...]]:
    """The lags of the nests that trail, in loops."""
    found = [step.lags for step in steps if isinstance(step, Strips) and step.lags]
    return found + [lags for step in steps for inner in children(step) for lags in (trains(inner) if not isinstance(step, Strips) else [])]


def loops_of(function):
    (loop,) = [step for step in to_loops(jitad.trace(jitad.jit(function))(FIELD, OTHER)).steps if isinstance(step, Repeat)]
    return loop.steps


@pytest.mark.parametrize(("function", "lags"), [(faces, (0, 1)), (far_behind, (0, 2)), (upside_down, None)])
def test_how_far_nests_are_behind(function, lags):
    assert trains(loops_of(function)) == ([lags] if lags else [])


@pytest.mark.parametrize("block", [1, 3, 100])
@pytest.mark.parametrize("function", [faces, far_behind, upside_down])
def test_same_bits(function, block, monkeypatch):
    def results(number):
        tangent = jitad.jit(lambda x, way: jitad.jvp(lambda *y: function(*y) * number, x, way))
        gradient = jitad.grad(lambda a, b: np.sum(function(a, b) ** 2) * number, argnums=(0, 1))
        pair = FIELD, OTHER
        return [*tangent(pair, pair[::-1]), *gradient(*pair)]

    monkeypatch.setattr(trailing, "NEAR", block * 8 * 8 * N)
    found = results(block + 0.5)
    monkeypatch.setattr(trailing, "LARGE", 1e9)
    for one, other in zip(found, results(-block - 0.5), strict=True):
        assert np.array_equal(one, -other)
    np.testing.assert_allclose(found[0], (block + 0.5) * function(FIELD, OTHER), rtol=1e-12)


def test_threads_run_the_nests_apart(monkeypatch):
    monkeypatch.setattr("jitad.lower.schedule.threads.LEAST_WORK_OF_TRIP", 0)
    monkeypatch.setattr("jitad.lower.schedule.threads.PIECE_WORK", 1)
    compiled = jitad.jit(lambda a, b: faces(a, b) + 1)
    monkeypatch.setattr(jitad.config, "threads", 1)
    alone = compiled(FIELD, OTHER)
    monkeypatch.setattr(jitad.config, "threads", 2)
    assert np.array_equal(compiled(FIELD, OTHER), alone)
    (train,) = [step for step in loops_of(faces) if isinstance(step, Strips)]
    assert train.lags and len(train.apart) == 2
    np.testing.assert_allclose(alone, faces(FIELD, OTHER) + 1, rtol=1e-12)


def test_it_is_printed():
    text = jitad.show(faces, FIELD, OTHER, stage="loops")
    assert "for i0 in (rows - 1)" in text


@pytest.mark.parametrize("seed", range(100, 104))
def test_random_stencils(seed, tmp_path):
    check_stencils(seed, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(104, 160))
def test_many_random_stencils(seed, tmp_path):
    check_stencils(seed, tmp_path)
