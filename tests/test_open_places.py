"""Elements at places that a list or an array holds of which only the run knows how many they are."""

import numpy as np
import pytest

import jitad
from jitad.ir import errors
from jitad.testing import check_grads

X = np.array([0.12, 0.43, 0.61, 0.93, 0.27])
A = np.sin(3.0 * np.arange(25.0)).reshape(5, 5) + 0.3


def listed(x):
    return [k for k in range(len(x)) if x[k] > 0.3]


def appended(x):
    places = []
    for k in range(len(x)):
        if x[k] > 0.3:
            places.append(k)
    return places


def found(x):
    return np.flatnonzero(x > 0.3)


def read(x, a, places):
    i = places(x)
    return x[i].sum(), a[i].sum(0), a[:, i].sum(1), a[1, i].sum(), a[i, i].sum(), a[i, 2].sum(), a[:, i, None].sum(), x.take(i).sum()


def apart(x, a, places):
    i = places(x)
    return ((a.reshape(5, 1, 5)[0, :, i] ** 2).sum(1).sum(),)


def write(x, a, places):
    i, x, a = places(x), x.copy(), a * 2.0
    x[i] *= a[i, 1]
    a[i] = 0.5
    a[:, i] += x[:, None]
    a[1, i] = x[i]
    a[i, i] -= 1.0
    a[:2, i] = a[2:4, i]
    x[i] = [v * v for v in x[i]]
    return x, a


def accumulated(x, a, places):
    i, b, c = places(x), np.zeros(5), a.copy()
    np.add.at(b, i, x[i])
    np.add.at(b, i, 2.0)
    np.subtract.at(c, (i, i), x[0] * x[i])
    np.add.at(c, (slice(None), i), x[:, None])
    np.multiply.at(c, i, a[0])
    return b, c


def assembled(x, a, places):
    """Entries of a matrix in the order in which they are found, some of them more than once."""
    rows, columns, entries, matrix = [], [], [], np.zeros((5, 5))
    for i in range(5):
        for j in range(5):
            if a[i, j] > 0:
                rows += [i, j]
                columns += [i, i]
                entries += [a[i, j] * x[j], -a[i, j]]
    np.add.at(matrix, (rows, columns), entries)
    return matrix, matrix[rows, columns] @ np.array(entries), rows.count(3)


PROGRAMS = [read, apart, write, accumulated, assembled]


@pytest.mark.parametrize("places", [listed, appended, found])
@pytest.mark.parametrize("program", PROGRAMS)
def test_values_are_numpys(program, places):
    compiled = jitad.jit(lambda x, a: program(x, a, places))
    for x in (X, X - 0.2, X + 1.0):
        for got, wanted in zip(compiled(x, A), program(x, A, places), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("program", PROGRAMS)
def test_derivatives(program):
    check_grads(lambda x, a: sum(np.sum(np.sin(part)) for part in program(x, a, appended)), (X, A))


def test_refusals():
    with pytest.raises(errors.IndexError, match="axis 1 with size 2"):
        jitad.jit(lambda x, a: write_at(a, (slice(None), appended(x))))(X, A[:, :2])
    with pytest.raises(errors.ValueError, match="extents of its operands differ"):
        jitad.jit(lambda x, a: write_at(a, (appended(x), found(x + 0.1))))(X, A)
    with pytest.raises(errors.ConcreteValueError, match="side by side"):
        jitad.jit(lambda x, a: write_at(a.reshape(5, 5, 1)[:, None], (appended(x), 0, found(x))))(X, A)


def write_at(a, key):
    b = a.copy()
    b[key] = 1.0
    return b


def filled_gaps(y):
    x, bad = np.arange(5) * 1.5, y < 0.3
    z = y.copy()
    z[bad] = np.interp(x[bad], x[~bad], y[~bad])
    return z


def interpolated(y):
    x, chosen = np.arange(5.0), y > 0.3
    return (np.interp(x, x[chosen] * y[chosen], y[chosen], right=-1.0), np.interp(2.3, x[chosen], y[chosen]),
            np.interp([-0.5, 3.3, 99.0], np.flatnonzero(chosen), y[chosen], left=7.0))


@pytest.mark.parametrize("program", [filled_gaps, interpolated])
def test_interpolation_between_chosen_points(program):
    compiled = jitad.jit(program)
    for y in (X, X[::-1].copy(), X + 1.0):
        for got, wanted in zip(compiled(y), program(y), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-12)
    check_grads(lambda y: sum(np.sum(np.sin(part)) for part in program(y)), (X,))
    with pytest.raises(errors.ValueError, match=r"np.interp of an empty slice"):
        compiled(-X)


def test_known_indices_of_lists_of_run_time_length():
    def f(x):
        found = np.sort(np.array([v for v in x if v > 0.3]))
        later = found[[0, -1]] * found[np.array([[1], [0]])]
        return later.sum() + np.sum(np.searchsorted(found, x, "right") * x) + np.sum(np.searchsorted(np.sort(x), found) * found)

    np.testing.assert_allclose(jitad.jit(f)(X), f(X))
    check_grads(f, (X,))
    with pytest.raises(IndexError, match="out of bounds"):
        jitad.jit(lambda x: np.array([v for v in x if v > 0.3])[[3]])(X)
