"""The softmax cross-entropy of rows of logits: reductions along rows and an exponential per element."""

import numpy as np

from benchmarks.benchmark import Benchmark


def cross_entropy(logits, rows, labels):
    shifted = logits - np.amax(logits, axis=1, keepdims=True)
    log_probability = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    return -np.sum(log_probability[rows, labels]) / logits.shape[0]


def by_hand(logits, rows, labels):
    n, classes = logits.shape
    gradient = np.empty((n, classes))
    value = 0.0
    for i in range(n):
        top = logits[i, 0]
        for j in range(1, classes):
            top = max(top, logits[i, j])
        total = 0.0
        for j in range(classes):
            gradient[i, j] = np.exp(logits[i, j] - top)
            total += gradient[i, j]
        value -= logits[i, labels[i]] - top - np.log(total)
        scale = 1 / (total * n)
        for j in range(classes):
            gradient[i, j] *= scale
        gradient[i, labels[i]] -= 1 / n
    return value / n, gradient


def make(n, classes):
    rng = np.random.default_rng(0)
    arguments = 3 * rng.normal(size=(n, classes)), np.arange(n), rng.integers(classes, size=n)
    return Benchmark(f"Softmax cross-entropy, {n:,} × {classes}", cross_entropy, by_hand, arguments, differentiated=1)
