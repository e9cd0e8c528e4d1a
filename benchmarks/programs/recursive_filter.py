"""A recursive filter along the rows and then along the columns of an image."""

import numpy as np

from benchmarks.benchmark import Benchmark


def recursive_filter(image):
    n, m = image.shape
    y = np.zeros((n, m))
    for i in range(n):
        for j in range(1, m):
            y[i, j] = 0.7 * y[i, j - 1] + 0.3 * image[i, j]
    for j in range(m):
        for i in range(1, n):
            y[i, j] = 0.6 * y[i - 1, j] + 0.4 * y[i, j]
    return np.sum(y**3)


def by_hand(image):
    """The filters run backwards over the cotangent, in place; the second along rows, since the order of the columns is free."""
    n, m = image.shape
    y = np.zeros((n, m))
    for i in range(n):
        for j in range(1, m):
            y[i, j] = 0.7 * y[i, j - 1] + 0.3 * image[i, j]
    for i in range(1, n):
        for j in range(m):
            y[i, j] = 0.6 * y[i - 1, j] + 0.4 * y[i, j]
    value = 0.0
    for i in range(n):
        for j in range(m):
            value += y[i, j] ** 3
            y[i, j] = 3 * y[i, j] ** 2
    for i in range(n - 1, 0, -1):
        for j in range(m):
            y[i - 1, j] += 0.6 * y[i, j]
            y[i, j] *= 0.4
    for i in range(n):
        for j in range(m - 1, 0, -1):
            y[i, j - 1] += 0.7 * y[i, j]
            y[i, j] *= 0.3
        y[i, 0] = 0.0
    return value, y


def make(n, m):
    image = np.random.default_rng(0).uniform(size=(n, m))
    return Benchmark(f"Recursive filter, {n} × {m}", recursive_filter, by_hand, (image,), differentiated=1, plain=())
