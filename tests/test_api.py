"""The public transformations: what they return, and for which arguments."""

import dataclasses
import functools
import itertools

import numpy as np
import pytest
from scipy.optimize import minimize, rosen, rosen_hess
from trees_compared import Layer, Pair, close

import jitad
from jitad import grad, hessian, hvp, jacfwd, jacobian, jacrev, jit, jvp, linearize, stop_gradient, value_and_grad, vjp, vmap

X = np.array([0.3, 0.7, 1.1])


# --- containers in and out -----------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Frozen:
    x: object


def nested(t):
    return np.sum(t["a"][1]) * t["a"][0] * t["p"].a + np.sum(t["p"].b[0] ** 2 * t["d"].weights) + t["f"].x


TREE = {"a": (1.0, X), "p": Pair(np.float32(2), [X]), "d": Layer(X, None), "f": Frozen(np.array(0.5)), "e": [], "t": ()}
TREE_GRADIENT = {
    "a": (np.float64(X.sum() * 2), np.full(3, 2.0)), "p": Pair(np.float32(X.sum()), [2 * X**2]), "d": Layer(X**2, None),
    "f": Frozen(np.array(1.0)), "e": [], "t": ()}


def test_gradient_has_the_structure_of_the_argument():
    close(grad(nested)(TREE), TREE_GRADIENT, 1e-6)
    value, gradient = value_and_grad(nested)(TREE)
    close(gradient, TREE_GRADIENT, 1e-6)
    np.testing.assert_allclose(value, nested(TREE))
    assert isinstance(gradient["f"].x, np.ndarray) and isinstance(gradient["p"].a, np.float32)
    _, pullback = vjp(nested, TREE)
    close(pullback(1.0), (TREE_GRADIENT,), 1e-6)
    _, dot = jvp(nested, (TREE,), (TREE_GRADIENT,))
    squares = [np.sum(np.square(leaf)) for leaf in jitad.frontend.tracing.trees.flatten(TREE_GRADIENT)[0]]
    np.testing.assert_allclose(dot, sum(squares), rtol=1e-6)


def test_results_have_the_structure_that_the_function_returns():
    function = jit(lambda x: {"one": x[0], "two": (x, [x + 1, None]), "p": Pair(x, 1), "d": Layer(x.sum()), "true": True})
    close(function(X), {"one": X[0], "two": (X, [X + 1, None]), "p": Pair(X, np.int64(1)), "d": Layer(X.sum()), "true": np.True_})
    assert jit(lambda x: None)(X) is None
    assert jit(lambda x: ())(X) == ()


def test_an_empty_container_has_an_empty_gradient():
    assert grad(lambda t, x: x)({}, 1.0) == {}
    close(grad(lambda t, x: x, argnums=(0, 1))([None], 1.0), ([None], np.float64(1)))


def test_argnums():
    def function(a, b, c):
        return a * np.sum(b**2) + c["k"]

    gradient = 2 * 2.0 * X
    close(grad(function, 1)(2.0, X, {"k": 1.0}), gradient)
    close(grad(function, argnums=-2)(2.0, X, {"k": 1.0}), gradient)
    close(grad(function, (1,))(2.0, X, {"k": 1.0}), (gradient,))
    close(grad(function, [2, 0])(2.0, X, {"k": 1.0}), ({"k": np.float64(1)}, np.sum(X**2)))
    close(value_and_grad(function, (1, 0))(2.0, X, {"k": 1.0}), (2 * np.sum(X**2) + 1, (gradient, np.sum(X**2))))
    close(jacrev(function, (0, 1))(2.0, X, {"k": 1.0}), (np.sum(X**2), gradient))


def test_arguments_that_are_not_differentiated_may_be_anything():
    def function(x, n, name, flag, transform, sizes):
        assert name == "mean"
        total = np.sum(transform(x)[:n]) if flag else 0.0
        return total / len(sizes)

    close(grad(function)(X, 2, "mean", True, np.sin, {"a": 1, "b": 2}), np.array([np.cos(X[0]), np.cos(X[1]), 0]) / 2)


def test_keyword_arguments():
    function = grad(lambda x, *, scale, shift=1.0: np.sum(x) * scale + shift)
    close(function(X, scale=2.0), np.full(3, 2.0))
    close(function(X, scale=X[1], shift=5), np.full(3, X[1]))
    close(grad(lambda *xs, **named: xs[0] * xs[1] * named["c"])(2.0, 3.0, c=4.0), np.float64(12))


def test_auxiliary_results():
    def function(x, name):
        y = x**2
        return np.sum(y), {"y": y, "n": 3, "none": None, "p": Pair(x[0], np.float32(1))}

    aux = {"y": X**2, "n": np.int64(3), "none": None, "p": Pair(X[0], np.float32(1))}
    close(grad(function, has_aux=True)(X, "a"), (2 * X, aux))
    close(value_and_grad(function, has_aux=True)(X, "a"), ((np.sum(X**2), aux), 2 * X))
    value, pullback, found = vjp(lambda x: function(x, ""), X, has_aux=True)
    close((value, found), (np.sum(X**2), aux))
    close(pullback(2.0), (4 * X,))
    inner = grad(lambda x: grad(lambda x: (np.sum(x**3), x), has_aux=True)(x)[0].sum())
    close(inner(X), 6 * X)
    outer = grad(lambda x: np.sum(grad(lambda x: (np.sum(x**3), x**2), has_aux=True)(x)[1]))
    close(outer(X), 2 * X)  # auxiliary results of an inner gradient are differentiated by an outer one


def test_decorators():
    @jitad.grad
    def bare(x):
        """Its own docstring."""
        return x * x

    @jitad.value_and_grad(argnums=1)
    def second(x, y):
        return x * y * y

    @jitad.jit(static_argnames="n")
    def power(x, n):
        return x**n

    assert bare(3.0) == 6 and bare.__doc__ == "Its own docstring." and bare.__name__ == "bare"
    close(second(2.0, 3.0), (np.float64(18), np.float64(12)))
    assert power(2.0, n=5) == 32


def test_arguments_changed_in_place():
    """Differentiation has its own copies; a compiled function changes what it is given, as the function itself does."""

    def change(x):
        x[0] = 5 * x[1]
        x *= 2
        return np.sum(x**2)

    gradient, x = np.array([0, 8 * 26 * X[1], 8 * X[2]]), X.copy()
    close(grad(change)(x), gradient)
    close(vjp(change, x)[1](1.0)[0], gradient)
    close(jvp(change, (x,), (X,))[1], gradient @ X)
    close(vmap(change)(np.stack([X, X])), np.full(2, 104 * X[1] ** 2 + 4 * X[2] ** 2))
    close(grad(lambda s, x: change(x) * s)(1.0, x), 104 * X[1] ** 2 + 4 * X[2] ** 2)
    close(x, X)
    jit(change)(x)
    close(x, np.array([10 * X[1], 2 * X[1], 2 * X[2]]))


def test_dtypes_are_kept():
    x = X.astype("f")
    assert grad(lambda x: np.sum(x**2))(x).dtype == np.float32
    assert jacfwd(lambda x: x**2)(x).dtype == np.float32
    assert hessian(lambda x: np.sum(x**3))(x).dtype == np.float32
    assert isinstance(grad(lambda x: x * np.float32(2))(np.float32(3)), np.float32)
    close(grad(lambda a, b: np.sum(a * b), (0, 1))(x, X), (x.astype("d").astype("f") * 0 + X.astype("f"), x.astype("d")))
    _, pullback = vjp(lambda x: x.astype("d"), x)
    assert pullback(X)[0].dtype == np.float32


def test_complex_gradients_ascend():
    z = np.array([1 + 2j, -0.5 + 0.3j])
    close(grad(lambda z: np.sum(np.abs(z) ** 2))(z), 2 * z)
    close(grad(lambda z: np.sum(z * z).real)(z), 2 * np.conj(z))
    close(grad(lambda z: np.sum((z * (1 + 1j)).imag))(z), np.full(2, 1 + 1j))
    value, pullback = vjp(lambda z: z * (2 + 1j), z)
    close(pullback(z), ((2 - 1j) * z,))  # the Hermitian adjoint
    close(jvp(lambda z: z**3, (z,), (z,))[1], 3 * z**3)
    close(grad(lambda x: np.sum(np.exp(1j * x).real))(X), -np.sin(X))


# --- Jacobians and Hessians ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transform", [jacfwd, jacrev, jacobian])
def test_jacobian_blocks(transform):
    def function(t, y):
        return {"product": t["a"] * t["b"], "sums": (np.sum(t["b"]), y[0] * t["a"] * np.ones((2, 2)))}

    arguments = {"a": 2.0, "b": X}, X
    found = transform(function, argnums=(0, 1))(*arguments)
    zeros = np.zeros((3, 3))
    e0 = np.eye(3)[0]
    close(found, {
        "product": ({"a": X, "b": 2 * np.eye(3)}, zeros),
        "sums": (({"a": np.float64(0), "b": np.ones(3)}, np.zeros(3)),
                 ({"a": np.full((2, 2), X[0]), "b": np.zeros((2, 2, 3))}, 2 * np.ones((2, 2, 1)) * e0))})
    close(transform(lambda x: np.outer(x, x))(X), np.einsum("ik,j->ijk", np.eye(3), X) + np.einsum("jk,i->ijk", np.eye(3), X))
    assert transform(lambda a: a[0] @ a[1])(np.stack([np.eye(2), 2 * np.eye(2)])).shape == (2, 2, 2, 2, 2)
    close(transform(lambda x: 3.0)(X), np.zeros(3))
    close(transform(lambda x: x[:0])(X), np.zeros((0, 3)))
    close(transform(lambda x: np.sum(x) + X)(X[:0]), np.zeros((3, 0)))
    close(transform(lambda x: x)(2.0), np.float64(1))


def test_hessians():
    matrix = np.array([[2.0, 1, 0], [0, 3, 1], [1, 0, 1]])
    close(hessian(lambda x: x @ matrix @ x)(X), matrix + matrix.T)
    close(hessian(lambda t: t["a"] * np.sum(t["b"] ** 2))({"a": 2.0, "b": X}),
          {"a": {"a": np.float64(0), "b": 2 * X}, "b": {"a": 2 * X, "b": 4 * np.eye(3)}})
    close(hessian(lambda a, b: a * np.sum(b**2), (0, 1))(2.0, X), ((np.float64(0), 2 * X), (2 * X, 4 * np.eye(3))))
    close(hessian(lambda a, b: a * np.sum(b**2), 1)(2.0, X), 4 * np.eye(3))
    rosenbrock = lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)  # noqa: E731
    for outer, inner in itertools.product([jacfwd, jacrev], [jacfwd, jacrev, grad]):
        close(outer(inner(rosenbrock))(X), rosen_hess(X))
    close(hvp(rosenbrock, (X,), (X,)), rosen_hess(X) @ X)


def test_hvp_of_several_arguments():
    close(hvp(lambda a, b: a * np.sum(b**2), (2.0, X), (1.0, X)), (2 * np.sum(X**2), 2 * X + 4 * X))
    close(hvp(lambda t: t["a"] * np.sum(t["b"] ** 2), ({"a": 2.0, "b": X},), ({"a": 1.0, "b": X},)),
          {"a": 2 * np.sum(X**2), "b": 6 * X})


# --- pullbacks and linearizations ----------------------------------------------------------------------------------------------------


def test_pullback_and_linearization_reuse_what_is_known():
    counters = jitad.config.counters
    value, pullback = vjp(lambda x: np.exp(x) * x[::-1], X)
    _, push = linearize(lambda x: np.exp(x) * x[::-1], X)
    jacobian_ = jacrev(lambda x: np.exp(x) * x[::-1])(X)
    pullback(X), push(X)
    before = counters.traces, counters.compiles
    for v in np.eye(3):
        close(pullback(v)[0], v @ jacobian_)
        close(push(v), jacobian_ @ v)
    assert (counters.traces, counters.compiles) == before
    close(value, np.exp(X) * X[::-1])


def test_pullback_keeps_its_point():
    x = X.copy()
    value, pullback = vjp(lambda x: x**2, x)
    _, push = linearize(lambda x: x**2, x)
    x[:] = 0
    close(pullback(np.ones(3)), (2 * X,))
    close(push(np.ones(3)), 2 * X)


def test_pullback_of_containers():
    function = lambda t, y: {"s": np.sum(t["x"]) * y, "v": (t["x"] * y,)}  # noqa: E731
    value, pullback = vjp(function, {"x": X}, 2.0)
    close(pullback({"s": 1.0, "v": (X,)}), ({"x": 2 + 2 * X}, np.sum(X) + np.sum(X**2)))
    value, push = linearize(function, {"x": X}, 2.0)
    close(push({"x": X}, 1.0), {"s": 3 * np.sum(X), "v": (3 * X,)})


def test_pullback_of_results_without_derivative():
    value, pullback = vjp(lambda x: (x * 2, x > 0.5, 3), X)
    close(value, (2 * X, X > 0.5, np.int64(3)))
    close(pullback((X, np.zeros(3, bool), 0)), (2 * X,))
    value, dot = jvp(lambda x: (x * 2, np.argmax(x)), (X,), (X,))
    close(dot, (2 * X, np.int64(0)))


# --- stop_gradient -------------------------------------------------------------------------------------------------------------------


def test_stop_gradient():
    assert stop_gradient(3.0) == 3 and stop_gradient(X) is X
    assert grad(lambda x: x * stop_gradient(x))(3.0) == 3
    assert grad(grad(lambda x: x**2 * stop_gradient(x)))(3.0) == 6
    assert jvp(lambda x: stop_gradient(x * x), (3.0,), (1.0,))[1] == 0
    close(grad(lambda t: np.sum(t["a"] * stop_gradient(t)["a"]))({"a": X, "b": 1.0}), {"a": X, "b": np.float64(0)})
    close(jit(lambda x: stop_gradient({"x": x, "name": None}))(X), {"x": X, "name": None})
    close(vmap(grad(lambda x: x * stop_gradient(x)))(X), X)
    straight_through = grad(lambda x: np.sum(x + stop_gradient(np.round(x) - x)))
    close(straight_through(X), np.ones(3))


# --- methods and callables -----------------------------------------------------------------------------------------------------------


class Model:
    def __init__(self, scale):
        self.scale = scale

    def __call__(self, x):
        return np.sum(x**2) * self.scale

    @grad
    def slope(self_x):  # noqa: N805
        return self_x**2

    @value_and_grad(argnums=1)
    def loss(self, x):
        return np.sum(x**2) * self.scale

    @staticmethod
    def fixed(x):
        return np.sum(x**3)

    @classmethod
    def made(cls, x):
        return np.sum(x**2)


def test_methods_and_callables():
    model = Model(3.0)
    close(grad(model)(X), 6 * X)
    close(model.loss(X)[1], 6 * X)
    close(grad(model.fixed)(X), 3 * X**2)
    close(grad(Model.made)(X), 2 * X)
    close(grad(functools.partial(lambda s, x: s * np.sum(x), 2.0))(X), np.full(3, 2.0))
    close(grad(functools.partial(lambda x, s: s * np.sum(x), s=X[0]))(X), np.full(3, X[0]))
    close(grad(np.sum)(X), np.ones(3))
    close(vmap(np.linalg.norm)(np.eye(3)), np.ones(3))


def test_results_are_numpys():
    value, gradient = value_and_grad(lambda x: np.sum(x**2))(X)
    assert type(value) is np.float64 and type(gradient) is np.ndarray and gradient.flags.writeable
    assert type(grad(lambda x: x * x)(np.array(3.0))) is np.ndarray


def test_scipy_minimizes():
    function = lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)  # noqa: E731
    with_gradient = value_and_grad(function)
    result = minimize(with_gradient, np.zeros(4), jac=True, method="BFGS")
    np.testing.assert_allclose(result.x, np.ones(4), rtol=1e-5)
    newton = minimize(with_gradient, np.zeros(4), jac=True, hessp=lambda x, p: hvp(function, (x,), (p,)), method="Newton-CG")
    np.testing.assert_allclose(newton.x, np.ones(4), rtol=1e-3)
    exact = minimize(function, np.zeros(4), jac=grad(function), hess=hessian(function), method="trust-exact")
    assert rosen(exact.x) < 1e-8
