"""Random numbers that the traced function draws after a seed of its own."""

import random

import numpy as np
import pytest

from jitad import grad, jit
from jitad.ir import errors

X = np.array([0.3, -1.2, 0.7])


def own_generator(x):
    return x + np.random.default_rng(1).normal(size=3)


def shared(x):
    np.random.seed(3)
    return x * np.random.randn(3) + np.random.choice(5, 3)


def in_a_loop(x):
    np.random.seed(seed=4)
    for _ in range(30):
        x = x * (1 + 0.1 * np.random.rand(3))
    return x


def in_each_trip(x):
    for k in range(100):
        np.random.seed(5)
        x = x + 0.001 * k * np.sin(x) * np.random.standard_normal()
    return x


def pythons(x):
    random.seed(6)
    return x * random.gauss(0, 1) + random.random()


def helper(x):
    np.random.seed(7)
    return noisy(x) - noisy(x)


def noisy(x):
    return x * np.random.uniform(0, 1, 3)


@pytest.mark.parametrize("function", [own_generator, shared, in_a_loop, in_each_trip, pythons, helper])
def test_draws_are_numpys(function):
    compiled = jit(function)
    for x in (X, 2 * X):
        np.testing.assert_allclose(compiled(x), function(x), rtol=1e-13)
    step = 1e-6
    slope = (function(X + step) - function(X - step)).sum() / (2 * step)
    np.testing.assert_allclose(grad(lambda x: function(x).sum())(X).sum(), slope, rtol=1e-7)


def test_shared_generators_are_left_alone():
    np.random.seed(1)
    wanted = np.random.rand(2)
    np.random.seed(1)
    jit(shared)(X)
    np.testing.assert_array_equal(np.random.rand(2), wanted)


def test_seeds_from_arguments():
    def drawn(x, seed):
        np.random.seed(seed)
        return x * np.random.rand(3)

    compiled = jit(drawn)
    for seed in (1, 2):
        np.testing.assert_array_equal(compiled(X, seed), drawn(X, seed))


def test_refusals():
    def until(x):
        np.random.seed(1)
        while x[0] < 3:
            x = x + np.random.rand()
        return x

    def unknown(x):
        np.random.seed()
        return x * np.random.rand()

    def before(x):
        y = x * np.random.rand()
        np.random.seed(1)
        return y

    with pytest.raises(errors.ControlFlowError, match="draw an array of them before"):
        jit(until)(X)
    with pytest.raises(errors.TypeError, match="give it a number"):
        jit(unknown)(X)
    with pytest.raises(errors.TypeError, match="draws random numbers while the function is traced"):
        jit(before)(X)
