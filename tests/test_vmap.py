"""`vmap`: axes in and out, and batches of derivatives and derivatives of batches."""


import numpy as np
from trees_compared import Layer, Pair, close

from jitad import grad, hessian, jacfwd, jacrev, jvp, linearize, value_and_grad, vjp, vmap

X = np.array([0.3, 0.7, 1.1])


def test_vmap_axes():
    a = np.arange(24.0).reshape(2, 3, 4)
    close(vmap(np.sum)(a), a.sum((1, 2)))
    close(vmap(np.sum, in_axes=1)(a), a.sum((0, 2)))
    close(vmap(np.sum, in_axes=-1)(a), a.sum((0, 1)))
    close(vmap(lambda x: x.T, in_axes=2, out_axes=-1)(a), a.transpose(1, 0, 2))
    close(vmap(lambda x, y: x @ y, in_axes=(0, None))(a, X[[0, 1, 2, 0]]), a @ X[[0, 1, 2, 0]])
    close(vmap(lambda x, y: (x + y, y), in_axes=(None, 0), out_axes=(1, 0))(X, np.arange(2.0)),
          (X[:, None] + np.arange(2.0), np.arange(2.0)))
    close(vmap(lambda t: t["x"] * t["y"], in_axes=({"x": 0, "y": None},))({"x": a, "y": 2.0}), 2 * a)
    close(vmap(lambda t, s: t["x"] * s, in_axes=(0, None))({"x": X}, 2.0), 2 * X)
    close(vmap(lambda x: (x, 1.0, np.ones(2)))(X), (X, np.ones(3), np.ones((3, 2))))
    close(vmap(vmap(np.dot, in_axes=(None, 0)), in_axes=(0, None))(np.eye(3), np.eye(3) * X), np.diag(X))


def test_vmap_axes_of_containers():
    close(vmap(lambda d: d.weights * d.bias, in_axes=(Layer(0, None),))(Layer(X, 2.0)), 2 * X)
    close(vmap(lambda p: p.a * p.b, in_axes=(Pair(0, None),))(Pair(X, 2.0)), 2 * X)
    close(vmap(lambda t: t["a"] * t["b"], in_axes=({"b": None, "a": 0},))({"a": X, "b": 2.0}), 2 * X)
    close(vmap(lambda t: t["a"][0] * t["a"][1], in_axes=[{"a": 0}])({"a": (X, X)}), X**2)
    close(vmap(lambda x: Layer(x, x * np.ones(2)), out_axes=Layer(0, 1))(X), Layer(X, np.stack([X, X])))
    close(vmap(lambda x: Layer(x), out_axes=0)(X), Layer(X))


def test_vmap_of_shared_results():
    close(vmap(lambda x: (x, 5.0), out_axes=(0, None))(X), (X, np.float64(5)))
    close(vmap(lambda x: {"x": x, "w": 2 * X}, out_axes={"x": 0, "w": None})(np.ones(2)), {"x": np.ones(2), "w": 2 * X})
    close(vmap(lambda x, *, scale: x * scale)(X, scale=2.0), 2 * X)
    close(vmap(np.sin)(X[:0]), X[:0])


def test_vmap_of_derivatives_and_derivatives_of_vmap():
    batch = np.stack([X, X + 1])
    scalar = lambda x: np.sum(np.sin(x) * x[::-1])  # noqa: E731
    members = np.stack([grad(scalar)(x) for x in batch])
    close(vmap(grad(scalar))(batch), members)
    close(grad(lambda b: np.sum(vmap(scalar)(b)))(batch), members)
    close(vmap(hessian(scalar))(batch), np.stack([hessian(scalar)(x) for x in batch]))
    close(np.einsum("ikil->ikl", hessian(lambda b: np.sum(vmap(scalar)(b)))(batch)), vmap(hessian(scalar))(batch))
    close(jacrev(vmap(scalar))(batch), np.einsum("ij,ik->ijk", np.eye(2), members))
    close(jacfwd(vmap(scalar))(batch), np.einsum("ij,ik->ijk", np.eye(2), members))
    close(vmap(value_and_grad(scalar))(batch), (np.array([scalar(x) for x in batch]), members))
    per_example = vmap(grad(lambda w, x, y: (np.dot(w, x) - y) ** 2), in_axes=(None, 0, 0))
    y = np.array([1.0, 2.0])
    close(per_example(X, batch, y), 2 * (batch @ X - y)[:, None] * batch)
    close(vmap(lambda x, v: jvp(scalar, (x,), (v,))[1])(batch, batch), np.sum(members * batch, 1))
    close(vmap(lambda x: vjp(np.sin, x)[1](x)[0])(batch), np.cos(batch) * batch)
    close(vmap(lambda x: linearize(np.sin, x)[1](x))(batch), np.cos(batch) * batch)


def test_vmap_of_indexing_solves_and_selections():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((4, 3, 3)) + 3 * np.eye(3), rng.standard_normal((4, 3))
    close(vmap(np.linalg.solve)(a, b), np.stack([np.linalg.solve(m, v) for m, v in zip(a, b)]), 1e-10)
    places = np.array([[0, 2], [1, 1], [2, 0], [0, 0]])
    close(vmap(lambda x, i: x[i])(b, places), np.take_along_axis(b, places, 1))
    close(vmap(lambda x: np.where(x > 0, x, 0 * x).max())(b), np.where(b > 0, b, 0).max(1))

    def scatter(x, i):
        y = np.zeros(3) * x[0]
        np.add.at(y, i, x[:2])
        return y

    expected = np.zeros((4, 3))
    for k in range(4):
        np.add.at(expected[k], places[k], b[k, :2])
    close(vmap(scatter)(b, places), expected)
