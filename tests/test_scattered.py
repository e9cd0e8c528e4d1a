"""Additions to one array at computed places are made in one loop, in sums that differ by rounding only."""

import numpy as np
import pytest

import jitad
from jitad.testing import check_grads

RNG = np.random.default_rng(0)
CELLS, EDGES = 40, 150
LEFT, RIGHT = RNG.integers(0, CELLS, (2, EDGES))
WEIGHTS, START = RNG.random(EDGES), RNG.random(CELLS)


def exchange(u, weights, left, right):
    flux = weights * (u[right] - u[left])
    change = np.zeros_like(u)
    np.add.at(change, left, flux)
    np.add.at(change, right, -flux)
    return u + 0.1 * change


def diffused(u, weights, left, right):
    for _ in range(30):
        u = exchange(u, weights, left, right)
    return np.sum(u**3)


def additions(f, *args):
    """Return how many additions at computed places there are after one another, without another line between."""
    lines = [line.strip() for line in jitad.show(f, *args, stage="loops").splitlines()]
    marks = "".join("a" if "] +=" in line and "checked(" in line else " " for line in lines)
    return sorted(map(len, marks.split()))


def test_both_sides_in_one_loop():
    np.testing.assert_allclose(jitad.jit(diffused)(START, WEIGHTS, LEFT, RIGHT), diffused(START, WEIGHTS, LEFT, RIGHT), rtol=1e-12)
    assert additions(exchange, START, WEIGHTS, LEFT, RIGHT) == [2]
    assert additions(jitad.grad(lambda x: np.sum((x[LEFT] - x[RIGHT]) ** 3)), START) == [2]
    check_grads(lambda u, w: diffused(u, w, LEFT, RIGHT), (START, WEIGHTS), order=2)


def test_what_is_read_in_between_is_there():
    def f(u, left, right):
        sums = np.zeros_like(u)
        np.add.at(sums, left, u[left] ** 2)
        before = sums.copy()
        np.add.at(sums, right, before[left] * u[right])
        np.add.at(sums, left, sums[right])
        return sums @ before

    np.testing.assert_allclose(jitad.jit(f)(START, LEFT, RIGHT), f(START, LEFT, RIGHT), rtol=1e-12)
    assert additions(f, START, LEFT, RIGHT) == [1, 1, 1]
    check_grads(lambda u: f(u, LEFT, RIGHT), (START,))


def test_rows_and_complex_numbers():
    def f(u, left, right):
        sums = np.ones_like(u)
        np.add.at(sums, left, u[right] * 2)
        np.add.at(sums, (right, left % 3), u[left, 0])
        np.add.at(sums, right, u[left] * 1j)
        np.add.at(sums, left, -u[left])
        return sums

    u = RNG.normal(size=(CELLS, 3)) + 1j * RNG.normal(size=(CELLS, 3))
    np.testing.assert_allclose(jitad.jit(f)(u, LEFT, RIGHT), f(u, LEFT, RIGHT), rtol=1e-12)
    np.testing.assert_allclose(jitad.jit(f)(u.real + 0j, LEFT, RIGHT), f(u.real + 0j, LEFT, RIGHT), rtol=1e-12)


def test_strictly_one_after_the_other():
    jitad.config.strict = True
    try:
        assert np.array_equal(jitad.jit(exchange)(START, WEIGHTS, LEFT, RIGHT), exchange(START, WEIGHTS, LEFT, RIGHT))
    finally:
        jitad.config.strict = False


@pytest.mark.parametrize("line", [2, 3])
def test_wrong_places_are_told_apart(line):
    wrong = RIGHT.copy()
    wrong[77] = CELLS
    places = (wrong, LEFT) if line == 2 else (LEFT, wrong)

    def both(x, left, right):
        change = np.zeros_like(START)
        np.add.at(change, left, x)
        np.add.at(change, right, -x)
        return change

    with pytest.raises(IndexError, match=f"test_scattered.py:{both.__code__.co_firstlineno + line}") as caught:
        jitad.jit(both)(WEIGHTS, *places)
    assert "out of bounds" in str(caught.value)
