"""Rules of the user's: `custom_jvp` and `custom_vjp`."""


import numpy as np
import pytest
from trees_compared import close

import jitad
from jitad import custom_jvp, grad, hessian, jacfwd, jacrev, jit, jvp, value_and_grad, vjp, vmap

X = np.array([0.3, 0.7, 1.1])


@custom_jvp
def log1pexp(x):
    return np.log(1 + np.exp(x))


@log1pexp.defjvp
def log1pexp_rule(primals, tangents):
    (x,), (t,) = primals, tangents
    return log1pexp(x), t / (1 + np.exp(-x))


@custom_jvp
def doubled(x, y):
    """x * y with a rule that doubles the derivative by x, so that its use can be seen, and calls the function itself."""
    return x * y


@doubled.defjvp
def doubled_rule(primals, tangents):
    (x, y), (tx, ty) = primals, tangents
    return doubled(x, y), 2 * doubled(tx, y) + x * ty


@jitad.custom_vjp
def tripled(x, y):
    return np.sin(x) * y


def tripled_forward(x, y):
    return tripled(x, y), {"x": x, "y": y, "name": "residuals"}


def tripled_backward(kept, ct):
    assert kept["name"] == "residuals"
    return 3 * ct * np.cos(kept["x"]) * kept["y"], ct * np.sin(kept["x"])


tripled.defvjp(tripled_forward, tripled_backward)


def test_forward_rule():
    assert grad(log1pexp)(100.0) == 1
    assert grad(log1pexp)(0.0) == 0.5
    close(grad(grad(log1pexp))(0.0), np.float64(0.25))
    close(grad(grad(grad(log1pexp)))(0.0), np.float64(0))
    close(vmap(grad(log1pexp))(X), 1 / (1 + np.exp(-X)))
    close(grad(lambda x: np.sum(vmap(log1pexp)(x)))(X), 1 / (1 + np.exp(-X)))
    close(jacfwd(log1pexp)(X), np.diag(1 / (1 + np.exp(-X))))
    close(log1pexp(X), np.log1p(np.exp(X)))
    close(jit(log1pexp)(X), np.log1p(np.exp(X)))
    close(hessian(lambda x: np.sum(log1pexp(x)))(X), np.diag(np.exp(-X) / (1 + np.exp(-X)) ** 2))


def test_forward_rule_that_calls_the_function_on_tangents():
    close(grad(doubled, (0, 1))(3.0, 5.0), (np.float64(10), np.float64(3)))
    assert grad(grad(doubled, 0), 1)(3.0, 5.0) == 2
    assert grad(grad(doubled, 1), 0)(3.0, 5.0) == 1
    close(jvp(doubled, (3.0, 5.0), (1.0, 1.0)), (np.float64(15), np.float64(13)))
    close(vmap(grad(doubled), in_axes=(0, None))(X, 5.0), np.full(3, 10.0))
    close(jacrev(doubled)(X, X), 2 * np.diag(X))


def test_reverse_rule():
    close(tripled(0.5, 2.0), np.sin(0.5) * 2)
    close(grad(tripled, (0, 1))(0.5, 2.0), (6 * np.cos(0.5), np.sin(0.5)))
    close(value_and_grad(tripled)(0.5, 2.0), (2 * np.sin(0.5), 6 * np.cos(0.5)))
    close(grad(grad(tripled))(0.5, 2.0), -6 * np.sin(0.5))  # what the backward rule computes is differentiated as it is written
    close(grad(grad(tripled), 1)(0.5, 2.0), 3 * np.cos(0.5))
    close(vmap(grad(tripled), in_axes=(0, None))(X, 2.0), 6 * np.cos(X))
    close(grad(lambda x: np.sum(vmap(tripled, in_axes=(0, None))(x, 2.0)))(X), 6 * np.cos(X))
    close(vmap(grad(lambda x: np.sum(tripled(x, X))))(np.stack([X, X + 1])), 3 * np.cos(np.stack([X, X + 1])) * X)
    close(jacrev(lambda x: tripled(x, X))(X), np.diag(3 * np.cos(X) * X))
    _, pullback = vjp(tripled, 0.5, 2.0)
    close(pullback(2.0), (12 * np.cos(0.5), 2 * np.sin(0.5)))
    with pytest.raises(NotImplementedError, match="tripled has a custom_vjp rule"):
        jvp(tripled, (0.5, 2.0), (1.0, 0.0))


def test_reverse_rule_with_containers_and_constants():
    @jitad.custom_vjp
    def weighted(tree, n, name, scale):
        return {"sum": np.sum(tree["x"]) * n * scale, "same": tree["x"]}

    def forward(tree, n, name, scale):
        return weighted(tree, n, name, scale), (tree["x"], n, None)

    def backward(kept, ct):
        x, n, _ = kept
        return {"x": 10 * n * ct["sum"] * np.ones_like(x) + ct["same"]}, None, None, None

    weighted.defvjp(forward, backward)
    close(grad(lambda t: weighted(t, 2, "name", 1.0)["sum"])({"x": X}), {"x": np.full(3, 20.0)})
    close(grad(lambda t, s: weighted(t, 2, "name", s)["sum"], (0, 1))({"x": X}, 1.0), ({"x": np.full(3, 20.0)}, np.float64(0)))
    _, pullback = vjp(lambda t: weighted(t, 3, "name", 1.0), {"x": X})
    close(pullback({"sum": 1.0, "same": X}), ({"x": 30 + X},))


def test_rules_in_closures_and_helpers():
    def make(scale):
        @custom_jvp
        def scaled(x):
            return scale * x

        @scaled.defjvp
        def rule(primals, tangents):
            return scaled(*primals), -scale * tangents[0]

        return scaled

    first, second = make(2.0), make(3.0)
    assert grad(lambda x: first(x) + second(x))(1.0) == -5
    assert grad(lambda x: first(second(x)))(1.0) == 6
    close(jit(lambda x: grad(lambda x: np.sum(first(x)))(x))(X), np.full(3, -2.0))
    captured = np.array([1.0, 2, 3])
    third = make(captured)
    close(grad(lambda x: np.sum(third(x)))(X), -captured)
    captured[0] = 7
    close(grad(lambda x: np.sum(third(x)))(X), -captured)


def test_a_rule_may_not_hide_a_differentiated_value():
    def outer(x):
        @custom_jvp
        def inner(y):
            return x * y

        inner.defjvp(lambda primals, tangents: (inner(*primals), x * tangents[0]))
        return inner(2.0)

    with pytest.raises(TypeError, match="uses a differentiated value that is not among its arguments"):
        grad(outer)(3.0)


def test_gradient_clipping_rule():
    @jitad.custom_vjp
    def clip_gradient(x):
        return x

    clip_gradient.defvjp(lambda x: (x, None), lambda _, ct: (np.clip(ct, -1, 1),))
    close(grad(lambda x: np.sum(clip_gradient(x) ** 2 * np.array([0.1, 10, -10])))(X), np.clip(2 * X * np.array([0.1, 10, -10]), -1, 1))


def test_implicit_function_rule():
    """Newton's square root, whose rule comes from the implicit function theorem, to third order."""

    @custom_jvp
    def root(a):
        x = a
        for _ in range(20):
            x = 0.5 * (x + a / x)
        return x

    @root.defjvp
    def rule(primals, tangents):
        x = root(*primals)
        return x, tangents[0] / (2 * x)

    close(grad(root)(2.0), 0.5 / np.sqrt(2.0))
    close(grad(grad(root))(2.0), -0.25 * 2.0**-1.5)
    close(grad(grad(grad(root)))(2.0), 0.375 * 2.0**-2.5)
