"""What only the kernel finds out: the errors name the line of the user's that the operation came from."""


import numpy as np
from refused import check

import jitad
from jitad import grad, jit, value_and_grad, vmap

X = np.array([0.3, 0.7, 1.1])


def at_places(x, i):
    return np.sum(
        x[i] ** 2)  # the indexing


def test_indices_out_of_range_name_their_line():
    function = value_and_grad(at_places)
    function(X, np.array([0, 2]))
    message = "index out of bounds for axis 0 with size 3"
    for places in (np.array([0, 3]), np.array([-4, 0])):
        check(IndexError, message, function, X, places, line="x[i] ** 2)  # the indexing")
        check(IndexError, message, vmap(at_places, in_axes=(None, 0)), X, np.stack([places, places]), line="the indexing")
    np.testing.assert_allclose(function(X, np.array([0, -1]))[0], 0.3**2 + 1.1**2)

    def store(x, i):
        y = np.zeros(3) * x[0]
        y[i] = x
        return y

    check(IndexError, "out of bounds for axis 0 with size 3", jit(store), X, np.array([0, 1, 7]), line="y[i] = x")
    check(IndexError, "out of bounds", lambda: jit(np.take)(X, np.array([7])))


def test_singular_matrices_name_their_line():
    check(np.linalg.LinAlgError, "Singular matrix", jit(lambda a: np.linalg.inv(a)), np.zeros((2, 2)), line="np.linalg.inv(a)")
    check(ValueError, "Singular matrix", grad(lambda a: np.sum(np.linalg.solve(a, np.ones(2)))), np.ones((2, 2)), line="linalg.solve")
    check(np.linalg.LinAlgError, "not positive definite", jit(lambda a: np.linalg.cholesky(a)), -np.eye(2), line="cholesky")

    def repeated(a, n):
        x = np.ones(2)
        for _ in range(n):
            x = np.linalg.solve(a, x)  # in a staged loop
        return x

    check(np.linalg.LinAlgError, "Singular matrix", jit(repeated), np.zeros((2, 2)), 30, line="in a staged loop")


def test_nan_checks():
    function = jit(lambda x: np.log(x))
    assert np.isnan(function(-1.0))
    try:
        jitad.config.check_nan = True
        check(FloatingPointError, "returned NaN", lambda: function(-1.0), line="function(-1.0)")
        assert function(1.0) == 0
    finally:
        jitad.config.check_nan = False
