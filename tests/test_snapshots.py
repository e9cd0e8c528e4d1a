"""Loops that would keep much of their trips run again from snapshots, without being told to."""

import re

import numpy as np
import pytest
from staged import check

import jitad
from jitad.pipeline import bytes_taken
from jitad.transform import snapshots

pytestmark = pytest.mark.usefixtures("no_unrolling")

@pytest.fixture
def frugal(monkeypatch):
    """Small loops run again too."""
    monkeypatch.setattr(snapshots, "PLENTY", 0)
    monkeypatch.setattr(snapshots, "STATES", 0)
    monkeypatch.setattr(snapshots, "RATE", np.inf)


def matrix(n):
    rng = np.random.default_rng(0)
    b = rng.normal(size=(n, n))
    return b @ b.T / n + 2 * np.eye(n)


# --- factorisations whose updates change all that remains --------------------------------------------------------------------------------


def reflections(A):
    """QR after Householder."""
    A = A.copy()
    for k in range(A.shape[1]):
        v = A[k:, k].copy()
        v[0] += np.where(v[0] >= 0, 1.0, -1.0) * np.sqrt(np.sum(v * v))
        v /= np.sqrt(np.sum(v * v))
        A[k:, k:] -= 2 * np.outer(v, v @ A[k:, k:])
    return np.sum(np.triu(A) ** 3)


def gram_schmidt(A):
    Q, n = A.copy(), A.shape[1]
    R = np.zeros((n, n))
    for k in range(n):
        R[k, k] = np.sqrt(np.sum(Q[:, k] ** 2))
        Q[:, k] /= R[k, k]
        for j in range(k + 1, n):
            R[k, j] = np.dot(Q[:, k], Q[:, j])
            Q[:, j] -= R[k, j] * Q[:, k]
    return np.sum(R**3) + np.sum(np.sin(Q))


def rotations(A):
    """QR after Givens."""
    A, (m, n) = A.copy(), A.shape
    for j in range(n):
        for i in range(m - 1, j, -1):
            r = np.sqrt(A[i - 1, j] ** 2 + A[i, j] ** 2)
            c, s = A[i - 1, j] / r, A[i, j] / r
            t = c * A[i - 1, j:] + s * A[i, j:]
            A[i, j:] = c * A[i, j:] - s * A[i - 1, j:]
            A[i - 1, j:] = t
    return np.sum(np.triu(A) ** 3)


def inverse(A):
    """Elimination after Gauss and Jordan, row by row."""
    n = A.shape[0]
    M = np.zeros((n, 2 * n))
    M[:, :n], M[:, n:] = A, np.eye(n)
    for k in range(n):
        M[k] /= M[k, k]
        for i in range(n):
            if i != k:
                M[i] -= M[i, k] * M[k]
    return np.sum(np.sin(M[:, n:]))


def hessenberg(A):
    A, n = A.copy(), A.shape[0]
    for k in range(n - 2):
        v = A[k + 1 :, k].copy()
        v[0] += np.where(v[0] >= 0, 1.0, -1.0) * np.sqrt(np.sum(v * v))
        v /= np.sqrt(np.sum(v * v))
        A[k + 1 :, k:] -= 2 * np.outer(v, v @ A[k + 1 :, k:])
        A[:, k + 1 :] -= 2 * np.outer(A[:, k + 1 :] @ v, v)
    return np.sum(np.triu(A, -1) ** 3)


FACTORISATIONS = [reflections, gram_schmidt, rotations, inverse, hessenberg]


@pytest.mark.parametrize("function", FACTORISATIONS)
def test_memory_of_factorisations(function):
    """Keeping all would take 200 to 800 matrices."""
    A = matrix(200)
    assert bytes_taken(jitad.trace(jitad.grad(function))(A)) < 16e6 + 20 * A.nbytes


@pytest.mark.parametrize("function", FACTORISATIONS[:3])
def test_derivatives_of_factorisations(function, frugal):
    A, gradient = matrix(17), jitad.grad(function)
    check(function, A)
    assert ", snapshots" in jitad.show(gradient, A)
    v = np.random.default_rng(1).normal(size=A.shape)
    slope = (gradient(A + 1e-6 * v) - gradient(A - 1e-6 * v)) / 2e-6
    np.testing.assert_allclose(jitad.hvp(function, (A,), (v,)), slope, rtol=1e-6, atol=1e-6 * np.abs(slope).max())


def test_few_matrices_stay_enough_as_they_grow(monkeypatch):
    """The memory grows with the matrix, as do the trips run; how often one is run grows like a logarithm."""
    monkeypatch.setattr(snapshots, "PLENTY", 0)
    found = [bytes_taken(jitad.trace(jitad.grad(reflections))(matrix(n))) / matrix(n).nbytes for n in (100, 240)]
    assert max(found) < 48


def test_loops_in_branches(monkeypatch):
    """Which branch is taken is only known when the kernel runs; neither keeps more than by itself."""
    def either(A):
        if A[0, 0] > 0:
            return reflections(A)
        return gram_schmidt(-A)

    monkeypatch.setattr(snapshots, "PLENTY", 0)
    A, gradient = matrix(100), jitad.grad(either)
    alone = [bytes_taken(jitad.trace(jitad.grad(function))(A)) for function in (reflections, gram_schmidt)]
    assert bytes_taken(jitad.trace(gradient)(A)) < sum(alone) + 5 * A.nbytes
    np.testing.assert_allclose(gradient(A), jitad.grad(reflections)(A), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(gradient(-A), -jitad.grad(gram_schmidt)(A), rtol=1e-9, atol=1e-9)


def test_what_decides_is_kept(frugal):
    """Which branch is taken, and how many trips an inner loop makes, may depend on values that nothing moves with."""
    def f(x):
        a, steps = x.copy(), np.zeros(len(x))
        for t in range(9):
            for j in range(len(a) - 1):
                if a[j] > a[j + 1]:
                    a[j], a[j + 1] = a[j + 1], a[j]
                    steps[j] += 1
            if steps[t % len(x)] > 1:
                a = a * 1.1
        return np.sum(a * np.arange(len(a)))

    check(f, np.array([3.0, 1.2, 2.5, 0.3, 1.7]))


# --- the decision ------------------------------------------------------------------------------------------------------------------------


def shown(function, *args) -> str:
    """The gradient's Program, traced afresh."""
    return jitad.show(jitad.grad(lambda *xs: function(*xs)), *args)


def is_run_again(function, *args) -> bool:
    return ", snapshots" in shown(function, *args)


def test_what_is_little_cheap_to_keep_or_dear_to_compute_is_kept(monkeypatch):
    def waves(x):
        """What the loop carries is kept where it is computed."""
        for _ in range(100):
            x = x * x[::-1] + 0.1
        return np.sum(x)

    def dear(A):
        A = A.copy()
        for k in range(100):
            A[k:] *= np.exp(np.sin(A[k:]))
        return np.sum(A)

    assert not is_run_again(reflections, matrix(100))
    monkeypatch.setattr(snapshots, "PLENTY", 0)
    assert is_run_again(reflections, matrix(100))
    assert not is_run_again(waves, np.linspace(0, 1, 50))
    assert not is_run_again(dear, matrix(100))


def test_what_is_run_again_keeps_what_its_segments_need(monkeypatch):
    """A segment is not run again from snapshots of its own."""
    monkeypatch.setattr(snapshots, "PLENTY", 0)
    assert shown(reflections, matrix(100)).count(", snapshots") == 1


# --- inner loops -------------------------------------------------------------------------------------------------------------------------


def sweeps(u, k):
    """Systems along rows, then along columns, after Thomas."""
    u, n = u.copy(), u.shape[0]
    w, c, d = np.zeros((n, n)), np.zeros(n), np.zeros(n)
    for _ in range(20):
        for i in range(1, n - 1):
            for j in range(1, n - 1):
                pivot = 1 + k[i, j] * (2 - c[j - 1])
                c[j] = k[i, j] / pivot
                d[j] = (u[i, j] + k[i, j] * (u[i - 1, j] + u[i + 1, j] + d[j - 1])) / pivot
            for j in range(n - 2, 0, -1):
                w[i, j] = d[j] + c[j] * w[i, j + 1]
        for j in range(1, n - 1):
            for i in range(1, n - 1):
                pivot = 1 + k[i, j] * (2 - c[i - 1])
                c[i] = k[i, j] / pivot
                d[i] = (w[i, j] + k[i, j] * (w[i, j - 1] + w[i, j + 1] + d[i - 1])) / pivot
            for i in range(n - 2, 0, -1):
                u[i, j] = d[i] + c[i] * u[i + 1, j]
    return np.sum(u**2)


def relaxations(u, k):
    """A nonlinear equation in each step, solved by iterations."""
    for _ in range(20):
        v = u * 1.0
        for _ in range(40):
            v[1:-1] = (v[:-2] * v[1:-1] + v[2:] * k[1:-1] + u[1:-1]) / 3
        u = v
    return np.sum(u**2)


@pytest.mark.parametrize("function, shape, fields", [(sweeps, (24, 24), 3.3), (relaxations, (200,), 1.2)])
def test_inner_loops_are_run_again(function, shape, fields):
    """A step keeps what its inner loops start with."""
    rng = np.random.default_rng(0)
    u, k = rng.uniform(0.1, 1, shape), rng.uniform(0.1, 1, shape)
    both = jitad.grad(function, argnums=(0, 1))
    assert bytes_taken(jitad.trace(both)(u, k)) < (fields * 20 + 50) * u.nbytes
    v, w, e = rng.normal(size=shape), rng.normal(size=shape), 1e-6
    slope = (function(u + e * v, k + e * w) - function(u - e * v, k - e * w)) / (2 * e)
    assert sum(np.sum(a * b) for a, b in zip(both(u, k), (v, w), strict=True)) == pytest.approx(slope, rel=1e-6)
    assert jitad.jvp(function, (u, k), (v, w))[1] == pytest.approx(slope, rel=1e-6)


# --- residuals that are zero beyond counts ------------------------------------------------------------------------------------------------


def two_sided(A):
    """Hessenberg form: open slices of rows and of columns."""
    A, n = A.copy(), A.shape[0]
    for k in range(n - 2):
        v = A[k + 1:, k].copy()
        v[0] += np.copysign(np.sqrt(np.sum(v * v)), v[0])
        v /= np.sqrt(np.sum(v * v))
        A[k + 1:, k:] -= 2 * np.outer(v, v @ A[k + 1:, k:])
        A[:, k + 1:] -= 2 * np.outer(A[:, k + 1:] @ v, v)
    return np.sum(np.triu(A, -1) ** 3)


def counted_by_data(A, widths):
    """Counts that the trip number does not tell."""
    A = A.copy()
    for w in widths:
        B = A[:w, w:]
        A[:w, w:] = np.sin(B * B) + 0.1 * B @ (B.T @ B)
    return np.sum(A**2)


@pytest.mark.parametrize("f", [reflections, pytest.param(two_sided, marks=pytest.mark.slow)])
def test_residuals_are_stored_as_far_as_they_count(f):
    A = np.random.default_rng(1).normal(size=(7, 7)) + 2 * np.eye(7)
    check(f, A)
    jitad.testing.check_grads(f, (A,), order=2, rtol=1e-4)
    text = jitad.show(jitad.grad(f), matrix(40), stage="loops")
    assert re.search(r"w\d+\[t\d+\]\[40\*i0 \+ i1\] = \w+\[", text)
    assert not re.search(r"w\d+\[t\d+\]\[40\*i0 \+ i1\] = 0\.0", text)


def test_counts_that_data_decide():
    A, widths = 0.3 * matrix(8), np.array([3, 0, 8, 5, 4])
    check(lambda A: counted_by_data(A, widths), A)
    jitad.testing.check_grads(lambda A: counted_by_data(A, widths), (A,), order=2)


def test_what_lies_beyond_counts_is_not_stored():
    """The tape holds what calls before left there, which must not show."""
    f = jitad.value_and_grad(counted_by_data)
    A, widths = 0.3 * matrix(8), np.array([8, 0, 3, 5, 4])
    wanted = f(A, widths)[1]
    f(np.full((8, 8), np.nan), np.array([8, 4, 4, 4, 4]))
    np.testing.assert_array_equal(f(A, widths)[1], wanted)
