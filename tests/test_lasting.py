"""What a loop reads of an array that it updates in place, and does not overwrite later, is read again from the array that it leaves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from staged import check

import jitad
from jitad.pipeline import bytes_taken

pytestmark = pytest.mark.usefixtures("no_unrolling")

# --- factorisations ------------------------------------------------------------------------------------------------------------------


def cholesky_by_rows(A):
    n = A.shape[0]
    L = np.zeros((n, n))
    for i in range(n):
        for j in range(i):
            L[i, j] = (A[i, j] - np.dot(L[i, :j], L[j, :j])) / L[j, j]
        L[i, i] = np.sqrt(A[i, i] - np.dot(L[i, :i], L[i, :i]))
    return np.sum(L**2)


def cholesky_by_elements(A):
    L = A.copy()
    n = A.shape[0]
    for j in range(n):
        for k in range(j):
            L[j, j] -= L[j, k] * L[j, k]
        L[j, j] = np.sqrt(L[j, j])
        for i in range(j + 1, n):
            for k in range(j):
                L[i, j] -= L[i, k] * L[j, k]
            L[i, j] /= L[j, j]
    return np.sum(np.tril(L) ** 2)


def cholesky_of_what_remains(A):
    L = A.copy()
    n = A.shape[0]
    for k in range(n):
        L[k, k] = np.sqrt(L[k, k])
        L[k + 1 :, k] /= L[k, k]
        L[k + 1 :, k + 1 :] -= np.outer(L[k + 1 :, k], L[k + 1 :, k])
    return np.sum(np.tril(L) ** 2)


def lu_by_rows(A):
    A = A.copy()
    n = A.shape[0]
    for i in range(n):
        for j in range(i):
            A[i, j] = (A[i, j] - np.dot(A[i, :j], A[:j, j])) / A[j, j]
        for j in range(i, n):
            A[i, j] -= np.dot(A[i, :i], A[:i, j])
    return np.sum(A**2)


def lu_by_elements(A):
    A = A.copy()
    n = A.shape[0]
    for k in range(n - 1):
        for i in range(k + 1, n):
            A[i, k] /= A[k, k]
            for j in range(k + 1, n):
                A[i, j] -= A[i, k] * A[k, j]
    return np.sum(A**2)


def backwards(A):
    """The factor from the last row to the first."""
    U = A.copy()
    n = A.shape[0]
    for i in range(n - 1, -1, -1):
        for j in range(n - 1, i, -1):
            U[i, j] = (U[i, j] - np.dot(U[i, j + 1 :], U[j, j + 1 :])) / U[j, j]
        U[i, i] = np.sqrt(U[i, i] - np.dot(U[i, i + 1 :], U[i, i + 1 :]))
    return np.sum(np.triu(U) ** 2)


FACTORISATIONS = [cholesky_by_rows, cholesky_by_elements, cholesky_of_what_remains, lu_by_rows, lu_by_elements, backwards]


def matrix(n):
    B = np.random.default_rng(0).normal(size=(n, n))
    return B @ B.T / n + np.eye(n)


@pytest.mark.parametrize("function", FACTORISATIONS)
def test_factorisations_keep_a_few_matrices(function):
    A = matrix(40)
    assert bytes_taken(jitad.trace(jitad.value_and_grad(function))(A)) < 6.5 * A.nbytes
    check(function, matrix(5))


@pytest.mark.parametrize("function", FACTORISATIONS)
def test_factorisations_compiled_and_to_second_order(function):
    A, gradient = matrix(6), jitad.grad(function)
    v = np.random.default_rng(1).normal(size=A.shape)
    slope = (gradient(A + 1e-6 * v) - gradient(A - 1e-6 * v)) / 2e-6
    np.testing.assert_allclose(jitad.hvp(function, (A,), (v,)), slope, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(jitad.value_and_grad(function)(A)[0], function(A), rtol=1e-12)


# --- what is overwritten later ---------------------------------------------------------------------------------------------------------


def read_before_it_is_overwritten(x):
    a = x.copy()
    for i in range(1, 8):
        a[i] = a[i - 1] * a[i] + np.sin(a[i - 1])
        a[i - 1] = 0.5 * a[i]
    return np.sum(a**2)


def negative_places(x):
    """In the first trip the place before the first is the last, which the last trip overwrites."""
    a = x.copy()
    for i in range(8):
        a[i] = a[i - 1] * a[i - 1] + a[i]
    return np.sum(a**2)


def down(x):
    a = x.copy()
    for i in range(6, -1, -1):
        a[i] = a[i + 1] * a[i + 1] + a[i]
    return np.sum(a**2)


def again_and_again(x):
    a = x.copy()
    for _ in range(3):
        for i in range(1, 8):
            a[i] = np.sin(a[i - 1]) * a[i]
    return np.sum(a**2)


def exchanged(x):
    a, b = x.copy(), x * 2.0
    for i in range(1, 8):
        a[i] = np.sin(a[i - 1]) * b[i]
        a, b = b, a
    return np.sum(a**2) + np.sum(b)


def renewed(x):
    a = x.copy()
    for i in range(1, 8):
        a[i] = np.sin(a[i - 1]) * a[i]
        a = a * 0.9
    return np.sum(a**2)


def in_branches(x):
    a = x.copy()
    for i in range(1, 8):
        if x[i] > 0.5:
            a[i] = a[i - 1] * a[i - 1]
        else:
            a[i - 1] = a[i] * a[i]
    return np.sum(a**2)


def old_state(x):
    a = x.copy()
    for i in range(1, 8):
        old = a.copy()
        a[i] = a[i] * a[i - 1]
        for j in range(i, 8):
            a[j] += old[j] * old[j]
    return np.sum(a**2)


def at_computed_places(x):
    a, places = x.copy(), np.array([3, 1, 4, 1, 5, 2, 6, 5])
    for i in range(8):
        a[places[i]] = a[places[i]] * a[i] + a[i] * a[i]
    return np.sum(a**2)


def every_other(x):
    a = x.copy()
    for i in range(2, 8, 2):
        a[i] = a[i - 2] * a[i - 1]
        a[i - 1] = a[i] * a[i - 1]
    return np.sum(a**2)


def blocks(x):
    a = x.copy()
    for i in range(2, 6):
        a[i : i + 3] = a[i : i + 3] * a[i - 2 : i + 1] + a[i - 2 : i + 1] ** 2
    return np.sum(a**2)


@pytest.mark.parametrize("function", [read_before_it_is_overwritten, negative_places, down, again_and_again, exchanged, renewed, in_branches,
                                      old_state, at_computed_places, every_other, blocks])
def test_what_is_overwritten_is_kept(function):
    check(function, np.random.default_rng(0).uniform(0.2, 0.9, 8))


def test_a_recurrence_in_an_array_keeps_the_array_alone():
    def recurrence(x):
        a = np.zeros(1000)
        for i in range(1, 1000):
            a[i] = np.sin(a[i - 1]) + 0.5 * a[i - 1] * x[i]
        return a[-1]

    x = np.random.default_rng(0).uniform(size=1000)
    assert bytes_taken(jitad.trace(jitad.value_and_grad(recurrence))(x)) < 3.1 * x.nbytes
    check(recurrence, x)


SIZE = 5
place = st.tuples(st.integers(-1, 1), st.integers(-1, 1), st.integers(0, SIZE - 1))
row = st.tuples(place, place)


@settings(max_examples=60, deadline=None)
@given(first=row, second=row, third=row, target=row, down=st.tuples(st.booleans(), st.booleans()), triangular=st.booleans())
def test_random_nests(first, second, third, target, down, triangular):
    """``a[affine, affine] = f(a[affine, affine], ...)`` in two loops of either direction, two statements, places modulo the extent or not."""

    def at(place, i, j):
        p, q, r = place
        return min(max(p * i + q * j + r, -SIZE), SIZE - 1)

    def function(x):
        a = x.copy()
        for s in range(SIZE):
            i = SIZE - 1 - s if down[0] else s
            for t in range(s if triangular else SIZE):
                j = SIZE - 1 - t if down[1] else t
                a[place_of(target, i, j)] = np.sin(a[place_of(first, i, j)]) * a[place_of(second, i, j)] + 0.1
            a[place_of(third, i, 0)] = a[place_of(first, i, 0)] * a[place_of(second, i, 0)]
        return np.sum(a**2)

    def place_of(both, i, j):
        return tuple(p * i + q * j + r for p, q, r in both)

    corners = [(i, j) for i in range(SIZE) for j in range(SIZE)]
    if all(-SIZE <= k < SIZE for both in (first, second, third, target) for i, j in corners for k in place_of(both, i, j)):
        check(function, np.random.default_rng(0).uniform(0.2, 0.9, (SIZE, SIZE)), rtol=1e-10)
