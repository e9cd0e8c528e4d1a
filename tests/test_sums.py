"""Sums of products are products of sums where nothing else uses the product."""

import numpy as np
import pytest

import jitad
from jitad.pipeline import optimize

RNG = np.random.default_rng(0)


def shapes_of_products(function, *args):
    program = optimize(jitad.trace(function)(*args))
    return [equation.outputs[0].shape for equation in program.equations if equation.primitive.name == "dot"]


CASES = {
    "rows": (lambda x, y: np.sum(x @ y, axis=0), (30, 4), (4, 6), [(6,)]),
    "columns": (lambda x, y: np.sum(x @ y, axis=1), (30, 4), (4, 6), [(30,)]),
    "all": (lambda x, y: np.sum(x @ y), (30, 4), (4, 6), [()]),
    "transposed": (lambda x, y: np.sum((y.T @ x.T).T, axis=0), (30, 4), (4, 6), [(6,)]),
    "stacked": (lambda x, y: np.sum(np.einsum("bij,bjk->ibk", x, y), axis=(0, 1)), (3, 20, 4), (3, 4, 5), [(3, 5)]),
    "sum of products": (lambda x, y: np.sum(x @ y + (2 * x) @ y, axis=0), (30, 4), (4, 6), [(6,), (6,)]),
    "product without a sum": (lambda x, y: np.sum(np.einsum("ij,kj->ikj", x, y), axis=(0, 1)), (30, 4), (6, 4), []),
}


@pytest.mark.parametrize("name", CASES)
def test_operands_are_summed(name):
    function, x_shape, y_shape, shapes = CASES[name]
    x, y = RNG.normal(size=x_shape), RNG.normal(size=y_shape)
    assert shapes_of_products(function, x, y) == shapes
    assert np.allclose(jitad.jit(function)(x, y), function(x, y), rtol=1e-13)


REPEATED = {
    "free": (lambda x, y: x @ np.broadcast_to(y[:, None], (4, 7)), (30, 4), (4,), [(30,)]),
    "free, stacked": (lambda x, y: np.einsum("kij,nkj->nki", x, np.broadcast_to(y, (20, 3, 5))), (3, 4, 5), (3, 5), [(3, 4)]),
    "contracted": (lambda x, y: x @ np.broadcast_to(y, (4, 6)), (30, 4), (6,), []),
    "ones": (lambda x, y: x @ np.ones(4) + np.vdot(np.ones(6), y), (30, 4), (6,), []),
    "both": (lambda x, y: x @ np.broadcast_to(y[0], (4, 6)) @ np.ones((6, 2)), (30, 4), (2,), []),
}


@pytest.mark.parametrize("name", REPEATED)
def test_what_is_repeated_is_multiplied_once(name):
    function, x_shape, y_shape, shapes = REPEATED[name]
    x, y = RNG.normal(size=x_shape), RNG.normal(size=y_shape)
    assert shapes_of_products(function, x, y) == shapes
    assert np.allclose(jitad.jit(function)(x, y), function(x, y), rtol=1e-12)
    jitad.testing.check_grads(function, (x, y), order=2)


def test_products_that_are_used_are_kept():
    x, y = RNG.normal(size=(30, 4)), RNG.normal(size=(4, 6))

    def function(x, y):
        product = x @ y
        return np.sum(product, axis=0), product

    assert shapes_of_products(function, x, y) == [(30, 6)]


def test_gradient_by_a_mean():
    x, mean, a = RNG.normal(size=(50, 4)), RNG.normal(size=4), RNG.normal(size=(4, 4))

    def distance(mean):
        return np.sum(np.square((x - mean) @ a))

    slope = jitad.grad(distance)
    assert (50, 4) not in shapes_of_products(slope, mean)[1:]
    jitad.testing.check_grads(distance, (mean,), order=2)


def normalised(x, gain, weights):
    centred = x - np.mean(x, axis=1, keepdims=True)
    return np.sum(weights * np.tanh(gain * centred / np.sqrt(np.mean(centred**2, axis=1, keepdims=True) + 1e-5)))


def standardised(x, gain, weights):
    centred = x - np.mean(x, axis=0)
    return np.sum(weights * (gain * centred / np.sqrt(np.mean(centred**2, axis=0) + 1e-5)))


def removed(x, gain, weights):
    """The sum of a combination with minus signs and numbers, of which a part is taken away."""
    y = 3.0 * x - gain[0] * weights
    return np.sum(np.square(y - np.sum(y, axis=1, keepdims=True) / 7))


def reads_of_sums(program, shape):
    """Return how the arrays of a shape that are summed up are computed."""
    return {e.inputs[0].equation.primitive.name for e in program.equations if e.primitive.name == "reduce_sum" and e.inputs[0].shape == shape
            and e.inputs[0].equation}  # fmt: skip


@pytest.mark.parametrize("function", [normalised, standardised, removed])
def test_arrays_are_combined_with_their_sums_in_one_pass(function):
    args = RNG.normal(size=(30, 20)), RNG.uniform(0.5, 1.5, 20), RNG.normal(size=(30, 20))
    slope = jitad.grad(function)
    assert "add" not in reads_of_sums(optimize(jitad.trace(slope)(*args)), (30, 20))
    jitad.testing.check_grads(lambda x: function(x, *args[1:]), args[:1], order=2)
    exact = [x.astype(np.longdouble) for x in args]
    step = RNG.normal(size=(30, 20)) * np.longdouble(1e-6)
    slope_along = (function(exact[0] + step, *exact[1:]) - function(exact[0] - step, *exact[1:])) / 2
    assert abs(float(np.sum(slope(*args) * step) - slope_along)) < 1e-8 * float(np.sum(np.abs(slope(*args) * step)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("terms", [100, 300, 1000, 2999])
def test_rows_are_summed_as_accurately_as_numpy_does(terms, dtype):
    x = RNG.random((200, terms)).astype(dtype)
    exact = np.sum(x.astype(np.longdouble), axis=1)

    def error(sums):
        return np.sqrt(np.mean(((sums - exact) / exact).astype(float) ** 2)) / np.finfo(dtype).eps

    assert error(jitad.jit(lambda x: np.sum(x, axis=1))(x)) < max(1.6 * error(np.sum(x, axis=1)), 0.45)
