"""Places that data tell and that are the same in all trips of a loop are checked before it."""

import numpy as np
import pytest

import jitad

A, B, PLACES = np.random.default_rng(0).uniform(0.5, 1.0, (8, 8)), np.random.default_rng(1).uniform(0.5, 1.0, (8, 10)), np.array([3, 0, 9, -1, 4] * 5)


def forward(a, b, places):
    """A hidden Markov model, element by element."""
    state, following = np.ones(8), np.zeros(8)
    for t in range(len(places)):
        for j in range(8):
            total = 0.0
            for i in range(8):
                total += state[i] * a[i, j]
            following[j] = total * b[j, places[t]]
        for j in range(8):
            state[j] = following[j] / 8
    return np.log(state.sum())


def moved(a, b, places):
    """A place made of one that data tell, and one that is read before the loop."""
    total = 0.0
    for t in range(1, len(places)):
        o = places[t]
        for j in range(8):
            total += np.sin(b[j, o] * a[j, 0]) * b[j, places[t - 1] // 2]
    return total


def checks_in_loops(gradient, depth, *arguments) -> int:
    """How many places are checked within so many loops."""
    lines, found, inside = str(jitad.show(gradient, *arguments, stage="loops")).splitlines(), 0, []
    for line in lines:
        level = len(line) - len(line.lstrip())
        inside = [k for k in inside if k < level]
        if line.lstrip().startswith("for "):
            inside.append(level)
        found += "checked(" in line and len(inside) >= depth
    return found


@pytest.mark.parametrize("function", [forward, moved])
def test_values_and_derivatives(function):
    np.testing.assert_allclose(jitad.jit(function)(A, B, PLACES), function(A, B, PLACES), rtol=1e-13)
    jitad.testing.check_grads(lambda a, b: function(a, b, PLACES), (A, B), order=2)


@pytest.mark.parametrize("function", [forward, moved])
def test_no_check_is_left_in_the_inner_loops(function):
    assert checks_in_loops(jitad.grad(function, argnums=(0, 1)), 2, A, B, PLACES) == 0


@pytest.mark.parametrize("function", [forward, moved])
def test_wrong_places_are_errors(function):
    wrong = PLACES.copy()
    wrong[7] = 10
    with pytest.raises(IndexError, match="index out of bounds for axis 1 with size 10"):
        jitad.jit(function)(A, B, wrong)
    with pytest.raises(IndexError, match="index out of bounds for axis 1 with size 10"):
        jitad.grad(function, argnums=(0, 1))(A, B, wrong)


def test_what_is_raised_before_comes_first():
    def checked(b, places):
        total = 0.0
        for t in range(len(places)):
            for j in range(8):
                if places[t] > 9:
                    raise ValueError("no such observation")
                total += b[j, places[t]]
        return total

    with pytest.raises(ValueError, match="no such observation"):
        jitad.grad(checked)(B, np.full(20, 10))


def test_loops_without_trips_look_nothing_up():
    def summed(b, places, count):
        total = b[0, 0]
        for t in range(len(places)):
            for j in range(count):
                total += b[j, places[t]]
        return total

    assert jitad.jit(summed)(B, np.full(20, 10), 0) == B[0, 0]
    assert jitad.grad(summed)(B, np.full(20, 10), 0).sum() == 1
