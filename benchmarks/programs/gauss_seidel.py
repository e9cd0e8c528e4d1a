"""Sweeps of Gauss and Seidel over a grid: each element from its neighbours, two of which the same sweep has changed already."""

import numpy as np

from benchmarks.benchmark import Benchmark


def gauss_seidel(u, sweeps):
    u = u.copy()
    for _ in range(sweeps):
        for i in range(1, u.shape[0] - 1):
            for j in range(1, u.shape[1] - 1):
                u[i, j] = 0.25 * (u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1])
    return np.sum(u**2)


def by_hand(u, sweeps):
    """Linear but for the sum at the end: nothing is kept."""
    u = u.copy()
    n, m = u.shape
    for _ in range(sweeps):
        for i in range(1, n - 1):
            for j in range(1, m - 1):
                u[i, j] = 0.25 * (u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1])
    value = 0.0
    gradient = np.empty((n, m))
    for i in range(n):
        for j in range(m):
            value += u[i, j] ** 2
            gradient[i, j] = 2 * u[i, j]
    for _ in range(sweeps):
        for i in range(n - 2, 0, -1):
            for j in range(m - 2, 0, -1):
                share = 0.25 * gradient[i, j]
                gradient[i, j] = 0.0
                gradient[i + 1, j] += share
                gradient[i - 1, j] += share
                gradient[i, j + 1] += share
                gradient[i, j - 1] += share
    return value, gradient


def make(n, sweeps):
    u = np.random.default_rng(0).normal(size=(n, n))
    return Benchmark(f"Gauss-Seidel, {n} × {n}, {sweeps} sweeps", gauss_seidel, by_hand, (u, sweeps), differentiated=1, plain=())
