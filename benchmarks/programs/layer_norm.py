"""Layer normalisation, contracted with given cotangents: reductions along rows, in the gradient along columns too."""

import numpy as np

from benchmarks.benchmark import Benchmark

EPSILON = 1e-5


def layer_norm(x, gain, bias, cotangents):
    centred = x - np.mean(x, axis=1, keepdims=True)
    variance = np.mean(centred**2, axis=1, keepdims=True)
    return np.sum(cotangents * (gain * centred / np.sqrt(variance + EPSILON) + bias))


def by_hand(x, gain, bias, cotangents):
    n, d = x.shape
    value = 0.0
    g_x, g_gain, g_bias = np.empty((n, d)), np.zeros(d), np.zeros(d)
    for i in range(n):
        total = 0.0
        for j in range(d):
            total += x[i, j]
        mean = total / d
        total = 0.0
        for j in range(d):
            total += (x[i, j] - mean) ** 2
        scale = 1 / np.sqrt(total / d + EPSILON)
        first = second = 0.0
        for j in range(d):
            normal, c = (x[i, j] - mean) * scale, cotangents[i, j]
            value += c * (gain[j] * normal + bias[j])
            g_gain[j] += c * normal
            g_bias[j] += c
            first += c * gain[j]
            second += c * gain[j] * normal
        first, second = first / d, second / d
        for j in range(d):
            g_x[i, j] = scale * (cotangents[i, j] * gain[j] - first - (x[i, j] - mean) * scale * second)
    return value, g_x, g_gain, g_bias


def make(n, d):
    rng = np.random.default_rng(0)
    arguments = rng.normal(size=(n, d)), rng.uniform(0.5, 1.5, size=d), rng.normal(size=d), rng.normal(size=(n, d))
    return Benchmark(f"Layer normalisation, {n:,} × {d}", layer_norm, by_hand, arguments, differentiated=3)
