"""Iterations of outer loops run side by side: every row is computed, whatever their number, and by any number of threads."""

import numpy as np
import pytest

import jitad
from jitad.lower.grammar.loops import Nest
from jitad.lower.grammar.walk import leaves
from jitad.lower.schedule import effort, jamming, threads
from jitad.pipeline import to_loops

RNG = np.random.default_rng(3)


def columns(x, gain):
    return np.sum(np.sin(x) * gain, axis=0)


def both(x, gain):
    scaled = x * gain / np.sum(x * x, axis=1, keepdims=True)
    return np.sum(scaled, axis=0), np.max(scaled, axis=0), np.sum(scaled * gain, axis=1)


def by_columns(x, gain):
    """Divisors that rows have in common."""
    return np.sum(np.square(x / gain - 1 / gain), axis=0) + np.sum(x, axis=0)


@pytest.fixture
def jam_all(monkeypatch):
    for name, value in {"LEAST_WORK": 1, "GAIN": 1.0, "CODE": 0.0}.items():
        monkeypatch.setattr(jamming, name, value)
    monkeypatch.setattr(effort, "MUCH", 10**6)


def jams(function, *args):
    return [step.jam for step in leaves(to_loops(jitad.trace(function)(*args)).steps) if isinstance(step, Nest) and step.jam]


@pytest.mark.parametrize("function", [columns, both, by_columns])
@pytest.mark.parametrize("rows", [17, 18, 23, 64])
def test_every_row_is_computed(function, rows, jam_all):
    x, gain = RNG.normal(size=(rows, 33)), RNG.uniform(0.5, 1.5, 33)
    assert jams(function, x, gain)
    found, expected = jitad.jit(lambda x, gain: function(x, gain))(x, gain), function(x, gain)
    for one, other in zip(*[y if isinstance(y, tuple) else (y,) for y in (found, expected)], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("count", [1, 2])
def test_pieces_of_rows(count, jam_all, monkeypatch):
    for name, value in {"LEAST_WORK": 1, "PIECE_WORK": 1000, "SHARE": 1, "GRAIN": 1}.items():
        monkeypatch.setattr(threads, name, value)
    monkeypatch.setattr(jitad.config, "threads", count)
    x, gain = RNG.normal(size=(101, 33)), RNG.uniform(0.5, 1.5, 33)
    np.testing.assert_allclose(jitad.jit(lambda x, gain: columns(x, gain) + count)(x, gain), columns(x, gain) + count, rtol=1e-12)


def test_gradients(jam_all):
    x, gain = RNG.normal(size=(19, 20)), RNG.uniform(0.5, 1.5, 20)
    jitad.testing.check_grads(lambda x, gain: np.sum(both(x, gain)[0] ** 2) + np.sum(by_columns(x, gain)), (x, gain), order=1)


def test_little_work_is_left_plain():
    """What takes next to none of the time is not vectorised, and what takes most of it is."""
    x, gain = RNG.normal(size=(1000, 256)), np.ones(256)
    loops = to_loops(jitad.trace(lambda x, gain: (columns(x, gain), np.exp(gain[:20])))(x, gain))
    assert {step.plain for step in leaves(loops.steps) if step.trips > 10**5} == {False}
    assert {step.plain for step in leaves(loops.steps) if step.trips <= 100} == {True}
