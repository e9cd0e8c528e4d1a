"""Rosenbrock's function of n variables: the cost of a call (n = 2) and one fused pass over memory (n large)."""

import numpy as np

from benchmarks.benchmark import ARRAYS, Benchmark

MOST_NODES = 10_000


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def by_hand(x):
    n = x.size
    gradient = np.empty(n)
    t, s = x[1] - x[0] * x[0], 1 - x[0]
    value = 100 * t * t + s * s
    gradient[0] = -400 * t * x[0] - 2 * s
    for i in range(1, n - 1):
        before = x[i] - x[i - 1] * x[i - 1]
        t, s = x[i + 1] - x[i] * x[i], 1 - x[i]
        value += 100 * t * t + s * s
        gradient[i] = 200 * before - 400 * t * x[i] - 2 * s
    gradient[n - 1] = 200 * (x[n - 1] - x[n - 2] * x[n - 2])
    return value, gradient


def make(n):
    x = np.random.default_rng(0).normal(size=n)
    return Benchmark(f"Rosenbrock, n = {n:,}", rosenbrock, by_hand, (x,), differentiated=1, plain=(*ARRAYS, "CasADi") if n <= MOST_NODES else ARRAYS)
