"""Diffusion by alternating directions: in each step a tridiagonal system along each row, then one along each column, after Thomas."""

import numpy as np
from numba import njit

from benchmarks.benchmark import Benchmark


def adi(u, k, steps):
    u, n = u.copy(), u.shape[0]
    w, c, d = np.zeros((n, n)), np.zeros(n), np.zeros(n)
    for _ in range(steps):
        for i in range(1, n - 1):
            for j in range(1, n - 1):
                right = u[i, j] + k[i, j] * (u[i - 1, j] - 2 * u[i, j] + u[i + 1, j])
                pivot = 1 + k[i, j] * (2 - c[j - 1])
                c[j] = k[i, j] / pivot
                d[j] = (right + k[i, j] * d[j - 1]) / pivot
            for j in range(n - 2, 0, -1):
                w[i, j] = d[j] + c[j] * w[i, j + 1]
        for j in range(1, n - 1):
            for i in range(1, n - 1):
                right = w[i, j] + k[i, j] * (w[i, j - 1] - 2 * w[i, j] + w[i, j + 1])
                pivot = 1 + k[i, j] * (2 - c[i - 1])
                c[i] = k[i, j] / pivot
                d[i] = (right + k[i, j] * d[i - 1]) / pivot
            for i in range(n - 2, 0, -1):
                u[i, j] = d[i] + c[i] * u[i + 1, j]
    return np.sum(u**2)


def by_hand(u, k, steps):
    """What goes into each sweep is kept, the factors are computed again; columns advance side by side."""
    u, n = u.copy(), u.shape[0]
    w, c, d, p = np.zeros((n, n)), np.zeros((n, n)), np.zeros((n, n)), np.ones((n, n))
    before, between = np.empty((steps, n, n)), np.empty((steps + 1, n, n))
    between[0] = w
    for t in range(steps):
        before[t] = u
        for i in range(1, n - 1):
            rows(u, k, c, d, p, i)
            for j in range(n - 2, 0, -1):
                w[i, j] = d[i, j] + c[i, j] * w[i, j + 1]
        between[t + 1] = w
        columns(w, k, c, d, p)
        for i in range(n - 2, 0, -1):
            for j in range(1, n - 1):
                u[i, j] = d[i, j] + c[i, j] * u[i + 1, j]
    value = 0.0
    for i in range(n):
        for j in range(n):
            value += u[i, j] ** 2
    u_, k_, w_, c_, d_ = 2 * u, np.zeros((n, n)), np.zeros((n, n)), np.zeros((n, n)), np.zeros((n, n))
    for t in range(steps - 1, -1, -1):
        x = before[t + 1] if t + 1 < steps else u
        w, u = between[t + 1], before[t]
        columns(w, k, c, d, p)
        for i in range(1, n - 1):
            for j in range(1, n - 1):
                share, u_[i, j] = u_[i, j], 0.0
                d_[i, j] = share
                c_[i, j] = share * x[i + 1, j]
                u_[i + 1, j] += share * c[i, j]
        for i in range(n - 2, 0, -1):
            for j in range(1, n - 1):
                r = d_[i, j] / p[i, j]
                e = c_[i, j] / p[i, j]
                q = -r * d[i, j] - e * c[i, j]
                if i > 1:
                    d_[i - 1, j] += k[i, j] * r
                    c_[i - 1, j] -= k[i, j] * q
                k_[i, j] += r * (d[i - 1, j] + w[i, j - 1] - 2 * w[i, j] + w[i, j + 1]) + e + q * (2 - c[i - 1, j])
                w_[i, j - 1] += k[i, j] * r
                w_[i, j] += (1 - 2 * k[i, j]) * r
                w_[i, j + 1] += k[i, j] * r
        for i in range(n - 2, 0, -1):
            rows(u, k, c, d, p, i)
            for j in range(1, n - 1):
                share, w_[i, j] = w_[i, j], 0.0
                d_[i, j] = share
                c_[i, j] = share * w[i, j + 1]
                w_[i, j + 1] += share * c[i, j]
            for j in range(n - 2, 0, -1):
                r = d_[i, j] / p[i, j]
                e = c_[i, j] / p[i, j]
                q = -r * d[i, j] - e * c[i, j]
                if j > 1:
                    d_[i, j - 1] += k[i, j] * r
                    c_[i, j - 1] -= k[i, j] * q
                k_[i, j] += r * (d[i, j - 1] + u[i - 1, j] - 2 * u[i, j] + u[i + 1, j]) + e + q * (2 - c[i, j - 1])
                u_[i - 1, j] += k[i, j] * r
                u_[i, j] += (1 - 2 * k[i, j]) * r
                u_[i + 1, j] += k[i, j] * r
    return value, u_, k_


@njit
def rows(u, k, c, d, p, i):
    """Eliminate along row i."""
    c[i, 0] = d[i, 0] = 0.0
    for j in range(1, u.shape[0] - 1):
        p[i, j] = 1 + k[i, j] * (2 - c[i, j - 1])
        c[i, j] = k[i, j] / p[i, j]
        d[i, j] = (u[i, j] + k[i, j] * (u[i - 1, j] - 2 * u[i, j] + u[i + 1, j] + d[i, j - 1])) / p[i, j]


@njit
def columns(w, k, c, d, p):
    """Eliminate along all columns."""
    c[0], d[0] = 0.0, 0.0
    for i in range(1, w.shape[0] - 1):
        for j in range(1, w.shape[0] - 1):
            p[i, j] = 1 + k[i, j] * (2 - c[i - 1, j])
            c[i, j] = k[i, j] / p[i, j]
            d[i, j] = (w[i, j] + k[i, j] * (w[i, j - 1] - 2 * w[i, j] + w[i, j + 1] + d[i - 1, j])) / p[i, j]


def make(n, steps):
    rng = np.random.default_rng(0)
    arguments = rng.normal(size=(n, n)), rng.uniform(0.1, 1, size=(n, n)), steps
    return Benchmark(f"Alternating directions, {n} × {n}, {steps} steps", adi, by_hand, arguments, differentiated=2, plain=())
