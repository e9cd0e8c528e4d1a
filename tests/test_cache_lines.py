"""Where rows of arrays begin, and what goes past the caches: layout changes speed, never results."""

import math

import numpy as np
import pytest

import jitad
from jitad.lower.grammar.loops import Nest, Repeat
from jitad.lower.grammar.walk import leaves
from jitad.lower.memory.alignment import LINE, first, nests
from jitad.lower.memory.layout import positions
from jitad.lower.schedule import streams
from jitad.pipeline import to_loops
from jitad.runtime import kernels
from jitad.testing import check_grads

STEPS = 20
RNG = np.random.default_rng(0)


def waves(speed):
    """The field is read with its neighbours, what is kept for the gradient is not."""
    before, u = np.zeros_like(speed), np.zeros_like(speed)
    u[3, 4] = 1
    for _ in range(STEPS):
        after = np.zeros_like(speed)
        around = u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1]
        after[1:-1, 1:-1] = 2 * u[1:-1, 1:-1] - before[1:-1, 1:-1] + speed[1:-1, 1:-1] * around
        before, u = u, after
    return np.sum(u**2)


def loops_of(function, *arguments):
    return to_loops(jitad.trace(function)(*arguments))


def nests_in_loops(loops):
    return [nest for step in loops.steps if isinstance(step, Repeat) for nest in leaves([step]) if isinstance(nest, Nest)]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("width", [100, 104, 128])
def test_interiors_begin_at_lines(width, dtype):
    speed = 0.2 * RNG.random((20, width)).astype(dtype)
    loops = loops_of(jitad.jit(waves), speed)
    itemsize, starts = np.dtype(dtype).itemsize, []
    for nest in nests_in_loops(loops):
        largest = max(nest.regions, key=lambda region: math.prod(high - low + 1 for low, high in region.ranges))
        stores = {(s.buffer, s.position) for s in largest.statements}
        for buffer, position, ranges in positions(nest):
            if ranges == largest.ranges and (buffer, position) in stores and buffer.memory.nbytes > 2048:
                assert buffer.memory.kind == "work"
                for row in (0, 1):
                    here = [(ends[0] + row, ends[1]) if dim == 0 else ends for dim, ends in enumerate(ranges)]
                    starts.append(buffer.memory.offset + first(buffer.located(position), here, nest.loops[-1]) * itemsize)
    assert starts and all(start % LINE == 0 for start in starts)
    assert jitad.jit(waves)(speed) == pytest.approx(waves(speed), rel=1e-4 if dtype is np.float32 else 1e-12)


def last_columns(a, places):
    """Columns at the ends of rows, by number, and rows by computed numbers."""
    total, b = 0.0, np.zeros_like(a)
    for k in range(30):
        b[1:, :-1] = 0.5 * a[:-1, 1:] + 0.1 * k
        b[:, -1] = a[:, 0] - a[:, -1]
        total += np.sum(b[places, a.shape[1] - 1]) + b[-1, -2] * b[0, -1]
        a = np.sin(b)
    return total + np.sum(a)


def test_padded_rows_hold_what_they_should():
    a, places = RNG.random((9, 67)), np.array([8, 0, 3])
    assert any(buffer.padding for nest in nests_in_loops(loops_of(jitad.jit(last_columns), a, places)) for buffer, *_ in positions(nest))
    assert jitad.jit(last_columns)(a, places) == pytest.approx(last_columns(a, places), rel=1e-12)
    check_grads(lambda a: last_columns(a, places), (a,), order=1)


def result_in_out(a):
    """A result that trips change again and again is copied once."""
    out = np.zeros_like(a)
    for k in range(40):
        out[1:-1, 1:-1] += 0.01 * k * (a[2:, 1:-1] + out[:-2, 1:-1])
    return out


def test_arguments_and_results_keep_their_layout():
    a = RNG.random((11, 67))
    before = a.copy()
    out = jitad.jit(result_in_out)(a)
    assert out.flags.c_contiguous and out.shape == a.shape and np.array_equal(a, before)
    np.testing.assert_allclose(out, result_in_out(a), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("threads", [1, 2])
def test_what_is_kept_goes_past_the_caches(dtype, threads, monkeypatch):
    """However rows lie in lines, as far as the last bit."""
    monkeypatch.setattr(jitad.config, "threads", threads)
    monkeypatch.setattr("jitad.lower.schedule.threads.LEAST_WORK_OF_TRIP", 0)
    monkeypatch.setattr("jitad.lower.schedule.threads.PIECE_WORK", 500)
    speed = 0.2 * RNG.random((33, 141)).astype(dtype)
    plain = jitad.value_and_grad(waves)(speed)
    monkeypatch.setattr(streams, "FAR", 0)
    monkeypatch.setattr(streams, "FETCHED", 0)
    kept = [nest for nest in nests_in_loops(loops_of(jitad.value_and_grad(waves), speed)) if nest.streamed or nest.far]
    assert [nest.streamed for nest in kept] == [True, False]
    kernels.clear()
    value, gradient = jitad.value_and_grad(waves)(speed)
    np.testing.assert_allclose(value, plain[0], rtol=1e-4 if dtype is np.float32 else 1e-13)
    np.testing.assert_allclose(gradient, plain[1], atol=1e-12 * np.max(plain[1]) if dtype is np.float64 else 1e-3 * np.max(plain[1]))


def test_small_stacks_stay_in_the_caches():
    assert not any(nest.streamed for nest in nests_in_loops(loops_of(jitad.value_and_grad(waves), RNG.random((30, 80)))))


def test_how_often_nests_are_run():
    assert max(trips for _, trips in nests(loops_of(jitad.jit(waves), RNG.random((12, 70))).steps)) == STEPS
