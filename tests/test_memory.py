"""What the reverse sweep keeps and what it computes again."""

import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import jitad
from jitad.pipeline import to_loops
from jitad.runtime.workspaces import Pool, with_workspace
from jitad.testing import check_grads

X = np.array([0.3, 1.0, -0.7])


def layer(x):
    return np.sin(x * x) * x


def network(layer):
    return lambda x: np.sum(layer(layer(layer(x))))


def workspace(function, *args) -> int:
    return to_loops(jitad.trace(function)(*args)).work_bytes


# --- checkpoint --------------------------------------------------------------------------------------------------------------------


def test_checkpointed_functions_have_the_same_derivatives():
    plain, saving = network(layer), network(jitad.checkpoint(layer))
    np.testing.assert_array_equal(jitad.jit(saving)(X), jitad.jit(plain)(X))
    np.testing.assert_allclose(jitad.grad(saving)(X), jitad.grad(plain)(X), rtol=1e-14)
    np.testing.assert_allclose(jitad.hessian(saving)(X), jitad.hessian(plain)(X), rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(jitad.jacrev(jitad.grad(saving))(X), jitad.hessian(plain)(X), rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(jitad.vmap(jitad.grad(saving))(np.stack([X, 2 * X]))[1], jitad.grad(plain)(2 * X), rtol=1e-14)
    check_grads(saving, (X,), order=2)


def test_intermediate_values_are_computed_after_the_cotangents():
    text = jitad.show(jitad.grad(network(jitad.checkpoint(layer))), X)
    assert text.count("recompute[") == 3
    assert "recompute" not in jitad.show(jitad.jit(network(jitad.checkpoint(layer))), X)
    assert jitad.show(jitad.grad(network(jitad.checkpoint(layer))), np.linspace(0, 1, 30), stage="loops").count("cos(") == 3


def test_a_checkpoint_of_a_loop_keeps_only_where_it_starts():
    def steps(x):
        for _ in range(50):
            x = np.sin(x) * x[::-1]
        return x

    def twice(steps):
        return lambda x: np.sum(steps(steps(x)))

    x = np.linspace(0.5, 2, 1000)
    kept, saved = workspace(jitad.grad(twice(steps)), x), workspace(jitad.grad(twice(jitad.checkpoint(steps))), x)
    assert kept > 100 * x.nbytes
    assert saved < 60 * x.nbytes
    np.testing.assert_array_equal(jitad.grad(twice(jitad.checkpoint(steps)))(x), jitad.grad(twice(steps))(x))


def test_checkpoints_nest_and_may_be_in_loops():
    @jitad.checkpoint
    def inner(x, scale):
        return np.sin(scale * x) * x

    @jitad.checkpoint
    def outer(x, scale):
        return inner(inner(x, scale), scale) + x

    def f(x, scale):
        for _ in range(30):
            x = outer(x, scale) / 2
        return np.sum(x**2)

    def plain(x, scale):
        for _ in range(30):
            y = np.sin(scale * x) * x
            x = (np.sin(scale * y) * y + x) / 2
        return np.sum(x**2)

    for mine, other in zip(jitad.grad(f, argnums=(0, 1))(X, 0.9), jitad.grad(plain, argnums=(0, 1))(X, 0.9), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-13)
    np.testing.assert_allclose(jitad.hvp(f, (X, 0.9), (X, 1.0))[0], jitad.hvp(plain, (X, 0.9), (X, 1.0))[0], rtol=1e-12)


def test_what_a_checkpointed_function_does_around_it_is_done():
    def body(step):
        def f(x):
            y, trail, count = np.zeros(3), [], [0]

            def advance(i, scale=1.0):
                y[i] = np.sin(x[0] * scale) + y[(i + 1) % 3] ** 2
                trail.append(y[i] * 2)
                count[0] += 1
                return i, y

            for i in (0, 1, 2, 1):
                number, same = step(advance)(i, scale=0.9)
                assert number is i and same is y
            assert count == [4]
            return np.sum(y) + sum(trail)

        return f

    value, slope = jitad.value_and_grad(body(jitad.checkpoint))(X)
    assert value == pytest.approx(body(lambda f: f)(X), rel=1e-14)
    np.testing.assert_allclose(slope, jitad.grad(body(lambda f: f))(X), rtol=1e-13)


def test_checkpoints_of_containers_branches_and_constants():
    @jitad.checkpoint
    def f(tree, flag):
        return {"a": np.exp(tree["a"]), "b": (1, None, tree["b"] if flag else X)}, tree["a"] > 0

    result, positive = f({"a": X, "b": 2.0}, False)
    np.testing.assert_allclose(result["a"], np.exp(X))
    assert positive.tolist() == [True, True, False]

    def loss(x, y):
        tree, _ = f({"a": x, "b": y}, True)
        return np.sum(tree["a"] * tree["b"][2]) if tree["b"][1] is None else 0.0

    first, second = jitad.grad(loss, argnums=(0, 1))(X, 2.0)
    np.testing.assert_allclose(first, 2 * np.exp(X), rtol=1e-14)
    assert second == pytest.approx(np.exp(X).sum())
    assert jitad.grad(lambda x: jitad.checkpoint(lambda: 3.0 * x)())(1.0) == 3
    assert jitad.grad(lambda x: jitad.checkpoint(lambda y: 3.0 * y if y > 0 else y)(x))(-1.0) == 1


# --- workspaces --------------------------------------------------------------------------------------------------------------------


def steps(x):
    for _ in range(60):
        x = np.sin(x) * x[::-1]
    return np.sum(x)


def test_workspaces_are_kept_from_call_to_call_until_cleared():
    x = np.linspace(0.5, 2, 500)
    slope = jitad.grad(steps)
    expected = slope(x)
    jitad.clear_workspaces()
    for _ in range(3):
        np.testing.assert_array_equal(slope(x), expected)
    kept = jitad.clear_workspaces()
    assert 60 * x.nbytes <= kept < 70 * x.nbytes  # one, of the three calls
    assert jitad.clear_workspaces() == 0
    np.testing.assert_array_equal(slope(x), expected)
    del slope
    gc.collect()
    assert jitad.clear_workspaces() == 0  # gone with the function


def test_concurrent_calls_have_workspaces_of_their_own():
    slope, inputs = jitad.grad(steps), [np.linspace(0.5, 2 + k, 500) for k in range(4)]
    expected = [slope(x) for x in inputs]
    jitad.clear_workspaces()
    together = threading.Barrier(4)

    def call(k):
        together.wait()
        return [slope(inputs[k]) for _ in range(50)]

    with ThreadPoolExecutor(4) as threads:
        for results, wanted in zip(threads.map(call, range(4)), expected, strict=True):
            for result in results:
                np.testing.assert_array_equal(result, wanted)
    assert jitad.clear_workspaces() < 4 * 70 * inputs[0].nbytes


def test_a_call_that_fails_or_outlives_a_clearance_leaves_nothing_behind():
    freed = []

    def entry(x, workspace):
        freed.append(jitad.clear_workspaces())
        if x:
            raise ValueError
        return workspace.nbytes

    run = with_workspace(entry, Pool(10_000))
    jitad.clear_workspaces()
    assert run(0) == 10_000
    with pytest.raises(ValueError):
        run(1)
    assert freed == [0, 0] and jitad.clear_workspaces() == 0
