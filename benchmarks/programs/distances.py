"""The stress of multidimensional scaling: all pairwise distances of points, compared with given ones."""

import numpy as np

from benchmarks.benchmark import Benchmark

EPSILON = 1e-12


def stress(points, given):
    difference = points[:, None, :] - points[None, :, :]
    distance = np.sqrt(np.sum(difference**2, axis=2) + EPSILON)
    return 0.5 * np.sum((distance - given) ** 2)


def by_hand(points, given):
    n = points.shape[0]
    x, y, z = points[:, 0].copy(), points[:, 1].copy(), points[:, 2].copy()
    g_x, g_y, g_z = np.zeros(n), np.zeros(n), np.zeros(n)
    value = 0.0
    for i in range(n):
        x_i, y_i, z_i = x[i], y[i], z[i]
        sum_x = sum_y = sum_z = 0.0
        for j in range(n):
            d_x, d_y, d_z = x_i - x[j], y_i - y[j], z_i - z[j]
            distance = np.sqrt(d_x * d_x + d_y * d_y + d_z * d_z + EPSILON)
            residual = distance - given[i, j]
            value += 0.5 * residual * residual
            pull = residual / distance
            sum_x += pull * d_x
            sum_y += pull * d_y
            sum_z += pull * d_z
            g_x[j] -= pull * d_x
            g_y[j] -= pull * d_y
            g_z[j] -= pull * d_z
        g_x[i] += sum_x
        g_y[i] += sum_y
        g_z[i] += sum_z
    return value, np.stack((g_x, g_y, g_z), 1)


def make(n):
    rng = np.random.default_rng(0)
    points = rng.normal(size=(n, 3))
    given = np.linalg.norm(points[:, None] - points, axis=2) + 0.1 * rng.normal(size=(n, n))
    return Benchmark(f"Pairwise distances, {n} points", stress, by_hand, (rng.normal(size=(n, 3)), given), differentiated=1)
