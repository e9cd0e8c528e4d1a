"""The ways of writing the acoustic misfit by hand that its table compares: they agree, on a small grid. Nothing is timed."""

import numpy as np
import pytest

from benchmarks.acoustic import by_hand
from benchmarks.programs import acoustic

N, STEPS = 16, 70


def test_checkpoints_give_the_same_gradient():
    benchmark = acoustic.make(N, STEPS, 3)
    value, gradient = benchmark.by_hand(*benchmark.arguments, *benchmark.workspace)
    assert by_hand.forward.py_func(*benchmark.arguments) == pytest.approx(value, rel=1e-12)
    room = by_hand.room_for_checkpoints(STEPS, N, np.float64)
    again = by_hand.with_checkpoints.py_func(*benchmark.arguments, *room)
    assert again[0] == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(again[1], gradient, rtol=0, atol=1e-12 * np.max(np.abs(gradient)))


def test_checkpoints_need_a_fraction_of_the_memory():
    tape, _ = acoustic.make(100, 1000, 100).workspace
    assert sum(x.nbytes for x in by_hand.room_for_checkpoints(1000, 100, np.float64)) < tape.nbytes / 8
