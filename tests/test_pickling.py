"""Compiled functions go to other processes by their names, or by what they were made of."""

import copy
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

import jitad


def energy(x, c=2.0):
    return np.sum(np.sin(x) * c)


@jitad.grad
def slope(x):
    return np.sum(x**3)


@jitad.value_and_grad(argnums=1)
def weighted(a, x):
    return np.sum(a * x**2)


@jitad.custom_jvp
def square(x):
    return x * x


@square.defjvp
def square_jvp(primals, tangents):
    return square(*primals), 2 * primals[0] * tangents[0]


class Spring:
    def __init__(self, k):
        self.k = k

    @jitad.jit
    def force(self, x):
        return -self.k * x


def test_by_name():
    for function in (slope, weighted, square, Spring.force):
        assert pickle.loads(pickle.dumps(function)) is function
        assert copy.deepcopy([function])[0] is function


@pytest.mark.parametrize("function", [
    jitad.grad(energy), jitad.hessian(energy, memory="1GB"), jitad.vmap(jitad.grad(energy), in_axes=1), jitad.jit(energy, static_argnames="c"),
    jitad.jacobian(slope), jitad.checkpoint(energy), jitad.grad(square)])  # fmt: skip
def test_by_what_they_are_made_of(function):
    again = pickle.loads(pickle.dumps(function))
    x = 0.5 if again.__name__ == "square" else np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(again(x), function(x))
    assert again is not function


def test_methods():
    assert pickle.loads(pickle.dumps(Spring(3.0).force))(2.0) == -6.0


def test_what_has_no_name():
    with pytest.raises((AttributeError, pickle.PicklingError), match="lambda"):
        pickle.dumps(jitad.grad(lambda x: x * x))


def test_other_processes():
    x = np.arange(3.0)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        for function in (slope, jitad.grad(energy)):
            np.testing.assert_array_equal(list(pool.map(function, [x, x + 1])), [function(x), function(x + 1)])
