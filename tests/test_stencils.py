"""Time loops over stencils: a step is one pass over its arrays, forward, however sources, receivers and damping are written."""

import numpy as np
import pytest

import jitad
from jitad.lower.loops import Nest, Repeat
from jitad.lower.walk import leaves, writes
from jitad.pipeline import to_loops
from jitad.testing import check_grads

N, M, STEPS = 30, 24, 40
RNG = np.random.default_rng(0)
SPEED, DAMPING = 0.2 * RNG.random((N, M)), 1 - 0.1 * RNG.random((N, M))
WAVELET, PLACES = RNG.standard_normal(STEPS), np.array([3, 7, 7, -4])


def waves(speed, damping, source, places):
    before, u = np.zeros((N, M)), np.zeros((N, M))
    recorded = np.zeros((STEPS, len(places)))
    for t in range(STEPS):
        after = np.zeros((N, M))
        laplacian = u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1]
        after[1:-1, 1:-1] = 2 * u[1:-1, 1:-1] - before[1:-1, 1:-1] + speed[1:-1, 1:-1] * laplacian
        after[source, 5] += WAVELET[t]
        recorded[t] = after[places, 4]
        before, u = u * damping, after * damping
    return np.sum(recorded**2) + np.sum(u**2)


def passes(function, *args) -> list[int]:
    """How many large arrays each pass over the grid writes that the trips of the first loop make."""
    (loop, *_) = [step for step in to_loops(jitad.trace(function)(*args)).steps if isinstance(step, Repeat)]
    nests = [step for step in leaves(loop.steps) if isinstance(step, Nest) and step.trips > N]
    return [len(writes(nest)) for nest in nests]


def test_a_step_is_one_pass():
    assert passes(jitad.jit(waves), SPEED, DAMPING, 4, PLACES) == [1]
    assert passes(jitad.value_and_grad(waves), SPEED, DAMPING, 4, PLACES) == [2]  # the field and what is kept


@pytest.mark.parametrize("source", [4, 0, N - 1, -3])
def test_sources_and_receivers(source):
    value = jitad.jit(waves)(SPEED, DAMPING, source, PLACES)
    assert value == pytest.approx(waves(SPEED, DAMPING, source, PLACES), rel=1e-13)
    check_grads(lambda speed, damping: waves(speed, damping, source, PLACES), (SPEED, DAMPING), order=1)


def test_a_source_outside_is_an_error():
    with pytest.raises(IndexError, match=str(N)):
        jitad.jit(waves)(SPEED, DAMPING, N, PLACES)
