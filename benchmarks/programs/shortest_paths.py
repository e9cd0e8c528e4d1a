"""The lengths of the shortest paths between all nodes of a graph, after Floyd and Warshall: a branch in a triple loop."""

import numpy as np

from benchmarks.benchmark import Benchmark


def shortest_paths(lengths):
    d = lengths.copy()
    n = d.shape[0]
    for k in range(n):
        for i in range(n):
            for j in range(n):
                through = d[i, k] + d[k, j]
                if through < d[i, j]:
                    d[i, j] = through
    return np.sum(d)


def by_hand(lengths):
    """Which way each branch went is kept."""
    d = lengths.copy()
    n = d.shape[0]
    shorter = np.zeros((n, n, n), np.bool_)
    for k in range(n):
        for i in range(n):
            for j in range(n):
                through = d[i, k] + d[k, j]
                if through < d[i, j]:
                    d[i, j] = through
                    shorter[k, i, j] = True
    value = 0.0
    for i in range(n):
        for j in range(n):
            value += d[i, j]
    gradient = np.ones((n, n))
    for k in range(n - 1, -1, -1):
        for i in range(n - 1, -1, -1):
            for j in range(n - 1, -1, -1):
                if shorter[k, i, j]:
                    share = gradient[i, j]
                    gradient[i, j] = 0.0
                    gradient[i, k] += share
                    gradient[k, j] += share
    return value, gradient


def make(n):
    lengths = np.random.default_rng(0).uniform(0.1, 1, size=(n, n))
    return Benchmark(f"Shortest paths, {n} nodes", shortest_paths, by_hand, (lengths,), differentiated=1, plain=())
