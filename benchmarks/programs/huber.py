"""Weighted linear least squares with Huber's loss: a product of a matrix and a vector, its transpose, and a selection between."""

import numpy as np

from benchmarks.benchmark import Benchmark

BEND = 1.5


def huber(parameters, matrix, data, weights):
    size = np.abs(matrix @ parameters - data)
    return np.sum(weights * np.where(size < BEND, 0.5 * size**2, BEND * (size - 0.5 * BEND)))


def by_hand(parameters, matrix, data, weights):
    """Use each row for the value and for the gradient while it is at hand."""
    n, d = matrix.shape
    value = 0.0
    gradient = np.zeros(d)
    for i in range(n):
        residual = -data[i]
        for j in range(d):
            residual += matrix[i, j] * parameters[j]
        slope = min(max(residual, -BEND), BEND)
        value += weights[i] * slope * (residual - 0.5 * slope)
        slope *= weights[i]
        for j in range(d):
            gradient[j] += slope * matrix[i, j]
    return value, gradient


def make(n, d):
    rng = np.random.default_rng(0)
    matrix, truth = rng.normal(size=(n, d)), rng.normal(size=d)
    data = matrix @ truth + rng.standard_t(2, size=n)
    arguments = truth + 0.1 * rng.normal(size=d), matrix, data, rng.uniform(0.5, 1, size=n)
    return Benchmark(f"Huber least squares, {n:,} × {d}", huber, by_hand, arguments, differentiated=1)
