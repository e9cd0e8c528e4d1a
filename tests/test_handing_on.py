"""What trips hand on to the next: computed later or earlier, and only the part that is read; also by loops in loops, and by loops run again."""

import math

import numpy as np
import pytest

import jitad
from jitad.lower.grammar.loops import Nest, Parallel, Repeat, Strips
from jitad.lower.grammar.walk import children
from jitad.pipeline import to_loops
from jitad.testing import check_grads

STEPS = 60
RNG = np.random.default_rng(3)
SPEED, DAMPING = 0.2 * RNG.random((14, 15)), 0.9 + 0.1 * RNG.random((14, 15))


def advanced(before, u, speed, damping):
    """One step of damped waves; what is handed on is damped, and only the interior is computed from."""
    after = np.zeros_like(u)
    around = u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1]
    after[1:-1, 1:-1] = 2 * u[1:-1, 1:-1] - before[1:-1, 1:-1] + speed[1:-1, 1:-1] * around
    after[6, 7] += 1
    return u * damping, after * damping


def waves(speed, damping, both=False):
    before, u = np.zeros_like(speed), np.zeros_like(speed)
    for _ in range(STEPS):
        before, u = advanced(before, u, speed, damping)
    return np.sum(u**2) + (np.sum(before * speed) if both else 0)


def waves_in_bursts(speed, damping):
    before, u, energy = np.zeros_like(speed), np.zeros_like(speed), 0.0
    for _ in range(STEPS // 4):
        for _ in range(4):
            before, u = advanced(before, u, speed, damping)
        energy += u[3, 4] ** 2
    return energy + np.sum(u**2)


def waves_counted(speed, damping, count):
    before, u = np.zeros_like(speed), np.zeros_like(speed)
    for _ in range(count):
        before, u = advanced(before, u, speed, damping)
    return np.sum(u * speed) + np.sum(before)


def stores_per_trip(steps, reverse):
    """Iterate over the elements that innermost loops of one direction store to arrays in a trip."""
    for step in steps:
        if isinstance(step, Repeat) and step.reverse == reverse and not any(isinstance(inner, Repeat) for inner in step.steps):
            yield sum(map(stores, step.steps))
        for inner in children(step):
            yield from stores_per_trip(inner, reverse)


def stores(step):
    if isinstance(step, Parallel | Strips):
        return sum(map(stores, step.steps))
    if not isinstance(step, Nest) or math.prod(step.box) == 1:
        return 0
    return sum(len(region.statements) * math.prod(high - low + 1 for low, high in region.ranges) for region in step.regions)


@pytest.mark.parametrize("function", [waves, lambda speed, damping: waves(speed, damping, True), waves_in_bursts])
def test_values_and_derivatives(function):
    assert jitad.jit(function)(SPEED, DAMPING) == pytest.approx(function(SPEED, DAMPING), rel=1e-12)
    check_grads(function, (SPEED, DAMPING), order=2)
    stored = jitad.grad(function, argnums=(0, 1))(SPEED, DAMPING)
    for x, y in zip(jitad.grad(function, argnums=(0, 1), memory="60kB")(SPEED, DAMPING), stored, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_any_number_of_trips(count):
    """What a loop that may not run at all gives is what it started from."""
    counted = np.int64(count)
    assert jitad.jit(waves_counted)(SPEED, DAMPING, counted) == pytest.approx(waves_counted(SPEED, DAMPING, count), rel=1e-12)
    check_grads(lambda speed, damping: waves_counted(speed, damping, counted), (SPEED, DAMPING))
    slopes = [jitad.grad(waves_counted, argnums=(0, 1), memory=memory)(SPEED, DAMPING, counted) for memory in (None, "200kB")]
    for x, y in zip(*slopes, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-13)


def test_what_is_handed_on_is_not_stored():
    """A trip stores one field, not the damped one beside it, whether that is asked for at the end or not."""
    for function in (waves, lambda speed, damping: waves(speed, damping, True)):
        loops = to_loops(jitad.trace(jitad.jit(function))(SPEED, DAMPING))
        assert list(stores_per_trip(loops.steps, False)) == [SPEED.size]


def test_loops_run_again_store_what_others_do():
    """Within a budget a trip stores no more, neither in the first run, nor in the one that keeps values, nor in reverse."""
    small, wide = SPEED.shape[0] - 2, SPEED.shape[1] - 2
    stored, within = [to_loops(jitad.trace(jitad.value_and_grad(waves, memory=memory))(SPEED, DAMPING)) for memory in (None, "60kB")]
    (forward,), (backward,) = stores_per_trip(stored.steps, False), stores_per_trip(stored.steps, True)
    again = [count for count in stores_per_trip(within.steps, False) if count > small * wide]
    assert max(again) <= forward and again.count(SPEED.size) >= 2
    assert list(stores_per_trip(within.steps, True)) == [backward]
