"""The logarithm of a determinant, by an LU factorisation in place, row by row: updates of triangles."""

import numpy as np

from benchmarks.benchmark import Benchmark


def log_determinant(matrix):
    a = matrix.copy()
    n = len(a)
    for k in range(n):
        for i in range(k + 1, n):
            a[i, k] /= a[k, k]
            a[i, k + 1 :] -= a[i, k] * a[k, k + 1 :]
    return np.sum(np.log(np.abs(np.diag(a))))


def by_hand(matrix):
    """Nothing is kept besides the factors: what a step has read is there at the end."""
    a = matrix.copy()
    n = len(a)
    for k in range(n):
        for i in range(k + 1, n):
            a[i, k] /= a[k, k]
            factor = a[i, k]
            for j in range(k + 1, n):
                a[i, j] -= factor * a[k, j]
    value = 0.0
    gradient = np.zeros((n, n))
    for k in range(n):
        value += np.log(np.abs(a[k, k]))
        gradient[k, k] = 1 / a[k, k]
    for k in range(n - 1, -1, -1):
        for i in range(n - 1, k, -1):
            factor, share = a[i, k], gradient[i, k]
            for j in range(k + 1, n):
                share -= gradient[i, j] * a[k, j]
                gradient[k, j] -= gradient[i, j] * factor
            gradient[i, k] = share / a[k, k]
            gradient[k, k] -= share * factor / a[k, k]
    return value, gradient


def make(n):
    matrix = np.random.default_rng(0).random((n, n)) + n * np.eye(n)
    return Benchmark(f"LU factorisation, {n} × {n}", log_determinant, by_hand, (matrix,), differentiated=1, plain=())
