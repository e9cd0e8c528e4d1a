"""A two-layer perceptron with softmax cross-entropy: matrix products, with elementwise work around them."""

import numpy as np

from benchmarks.benchmark import Benchmark


def perceptron(w1, b1, w2, b2, x, target):
    hidden = np.tanh(x @ w1 + b1)
    logits = hidden @ w2 + b2
    shifted = logits - np.amax(logits, axis=1, keepdims=True)
    log_probability = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    return -np.sum(target * log_probability) / x.shape[0]


def by_hand(w1, b1, w2, b2, x, target):
    batch, classes = target.shape
    hidden = x @ w1
    for i in range(batch):
        for j in range(hidden.shape[1]):
            hidden[i, j] = np.tanh(hidden[i, j] + b1[j])
    logits = hidden @ w2
    value = 0.0
    for i in range(batch):
        top = -np.inf
        for j in range(classes):
            logits[i, j] += b2[j]
            top = max(top, logits[i, j])
        total = weight = 0.0
        for j in range(classes):
            logits[i, j] -= top
            total += np.exp(logits[i, j])
            weight += target[i, j]
        log_total = np.log(total)
        for j in range(classes):
            log_probability = logits[i, j] - log_total
            value -= target[i, j] * log_probability / batch
            logits[i, j] = (weight * np.exp(log_probability) - target[i, j]) / batch
    g_hidden = logits @ w2.T
    g_b1, g_b2 = np.zeros(b1.size), np.zeros(b2.size)
    for i in range(batch):
        for j in range(hidden.shape[1]):
            g_hidden[i, j] *= 1 - hidden[i, j] * hidden[i, j]
            g_b1[j] += g_hidden[i, j]
        for j in range(classes):
            g_b2[j] += logits[i, j]
    return value, x.T @ g_hidden, g_b1, hidden.T @ logits, g_b2


def make(batch, inputs, hidden, classes):
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(inputs, hidden)) / np.sqrt(inputs), np.zeros(hidden), rng.normal(size=(hidden, classes)), np.zeros(classes)
    target = np.eye(classes)[rng.integers(classes, size=batch)]
    name = f"Perceptron, {batch} × {inputs}–{hidden}–{classes}"
    return Benchmark(name, perceptron, by_hand, (*weights, rng.normal(size=(batch, inputs)), target), differentiated=4)
