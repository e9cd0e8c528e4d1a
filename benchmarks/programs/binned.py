"""A misfit of sums over cells: numbers are added up by the cell they belong to, and the gradient is read from there."""

import numpy as np

from benchmarks.benchmark import Benchmark


def misfit(values, cells, observed):
    total = np.zeros_like(observed)
    np.add.at(total, cells, np.sin(values))
    return 0.5 * np.sum((total - observed) ** 2)


def in_jax(jax, values, cells, observed):
    total = jax.numpy.zeros_like(observed).at[cells].add(jax.numpy.sin(values))
    return 0.5 * jax.numpy.sum((total - observed) ** 2)


def by_hand(values, cells, observed):
    """Keep the differences, which the gradient needs, in place of the sums."""
    difference, gradient = -observed, np.empty_like(values)
    for i in range(values.size):
        difference[cells[i]] += np.sin(values[i])
    for i in range(values.size):
        gradient[i] = difference[cells[i]] * np.cos(values[i])
    return 0.5 * np.sum(difference**2), gradient


def make(n, count):
    rng = np.random.default_rng(0)
    arguments = rng.normal(size=n), rng.integers(0, count, n), rng.normal(size=count)
    name = f"sums over {count:,} cells, {n:,} numbers"
    return Benchmark(name, misfit, by_hand, arguments, differentiated=1, plain=(), written={"JAX": in_jax})
