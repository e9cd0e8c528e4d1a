"""Arrays of integers and booleans that the function makes: NumPy's, unless traced values are written to them, whichever way."""

from dataclasses import dataclass

import numpy as np
import pytest

import jitad
from jitad.ir import errors

X = np.array([0.4, 0.3, 0.5])


def augmented(x):
    seen = np.zeros(3, dtype=bool)
    seen |= x > 0.35
    return seen


def in_an_arm(x):
    seen, trips = np.zeros(3, dtype=bool), 0
    while np.sum(x) > 0.5 and trips < 80:
        x = x * 0.9
        if np.any(x > 0.3):
            seen |= x > 0.3
        trips += 1
    return seen, x


def given(x):
    mask = np.arange(3) % 2 == 0
    np.logical_or(mask, x > 0.35, out=mask)
    return mask


def through_a_view(x):
    counts = np.arange(3)
    tail = counts[1:]
    tail += x[1:] > 0.35
    return counts


def by_a_helper(x):
    def mark(mask, counts):
        mask[1] = x[1] > 0.2
        counts[x > 0.35] += 1

    mask, counts = np.zeros(3, dtype=bool), np.zeros(3, dtype=int)
    mark(mask, counts)
    return mask, counts


def in_a_dict(x):
    found = dict(count=np.zeros(3, dtype=int))  # noqa: C408
    found["count"][:] = x > 0.2
    found["count"] += x > 0.35
    return found["count"]


@dataclass
class Cells:
    heads: np.ndarray
    wet: np.ndarray


def in_a_dataclass(x):
    cells = Cells(np.ones(3), np.zeros(3, dtype=bool))
    for k in range(3):
        cells.wet[k] = x[k] > 0.35
        if cells.wet[k]:
            cells.heads[k] = x[k]
    return cells.wet, cells.heads


FUNCTIONS = [augmented, in_an_arm, given, through_a_view, by_a_helper, in_a_dict, in_a_dataclass]


@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: f.__name__)
def test_traced_values_are_written(f):
    compiled = jitad.jit(f)
    for x in (X, X[::-1] * 0.8, np.ones(3)):
        expected, got = f(x), compiled(x)
        pairs = zip(expected, got, strict=True) if isinstance(expected, tuple) else [(expected, got)]
        for one, other in pairs:
            np.testing.assert_array_equal(other, one)
            assert other.dtype == one.dtype


def test_derivatives():
    for f in (in_an_arm, in_a_dataclass):
        _, tangent = jitad.jvp(lambda x, f=f: f(x)[1], (X,), (np.ones(3),))
        gradient = jitad.grad(lambda x, f=f: np.sum(f(x)[1]))(X)
        h = 1e-6
        np.testing.assert_allclose(tangent, (f(X + h)[1] - f(X - h)[1]) / (2 * h), rtol=1e-6)
        np.testing.assert_allclose(np.sum(gradient), np.sum(tangent))


def test_what_decides_the_course_stays_known():
    def f(x):
        order = np.zeros(3, dtype=int)
        for k in range(3):
            order[k] = 2 - k
        order += 1
        return sum(x[k - 1] * k for k in order if k > 1)

    np.testing.assert_allclose(jitad.jit(f)(X), f(X))


def test_the_first_refusal_is_told():
    def f(x):
        mask = np.zeros(3, dtype=bool)
        mask |= x > 0.35
        return {"a": x}["a" if mask.all() else "b"] if np.unique(mask).size > 1 else float(str(x[0]))

    with pytest.raises(errors.TypeError, match="out= was made outside"):
        jitad.jit(f)(X)


def test_sets_of_known_numbers():
    def f(x, fixed):
        free = np.setdiff1d(np.arange(x.size), fixed)
        return np.sum(x[free] * free)

    compiled = jitad.jit(f)
    for fixed in ([0, 1], [2, 0], [1]):
        np.testing.assert_allclose(compiled(X, fixed), f(X, fixed))
    with pytest.raises(errors.ConcreteValueError, match="setdiff1d.*a tuple that is a static argument"):
        compiled(X, np.array([0, 1]))
