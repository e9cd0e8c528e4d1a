"""Products of matrices with few vectors, which no library routine computes, and several of one matrix in one call."""

import numpy as np
import pytest

import jitad
from jitad.codegen.kernel import to_module
from jitad.pipeline import to_loops

RNG = np.random.default_rng(0)
SHAPES = [(40, 40, 1), (33, 47, 1), (3, 200, 1), (300, 20, 2), (20, 300, 3), (64, 16, 8), (5, 131, 4)]


def close(found, expected, terms):
    return np.max(np.abs(found - expected)) < 30 * np.finfo(found.dtype).eps * np.sqrt(terms)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("rows, terms, columns", SHAPES)
def test_products_in_all_orders_of_memory(rows, terms, columns, dtype):
    def products(a, b, v, w):
        return a @ v, b.T @ v, a @ w.T, b.T @ w.T, w @ a.T, v.T @ b

    a, v = RNG.normal(size=(rows, terms)).astype(dtype), RNG.normal(size=(terms, columns)).astype(dtype)
    b, w = np.ascontiguousarray(a.T), np.ascontiguousarray(v.T)
    expected = a.astype(float) @ v.astype(float)
    for k, found in enumerate(jitad.jit(products)(a, b, v, w)):
        assert close(found, expected if k < 4 else expected.T, terms)
    assert "gemv" not in jitad.show(products, a, b, v, w, stage="asm")
    assert "gemm" not in jitad.show(products, a, b, v, w, stage="asm")


def test_vectors_and_stacks():
    def misfit(a, x, y):
        stacked = np.einsum("bij,bj->bi", a, x)
        return np.sum(np.cos(stacked)) + np.sum(np.sin(y @ a[0])) + np.sum(np.cos(a[1] @ x[:, ::2].T[:, 0].repeat(2)))

    a, x, y = RNG.normal(size=(3, 24, 20)), RNG.normal(size=(3, 20)), RNG.normal(size=24)
    assert np.isclose(jitad.jit(misfit)(a, x, y), misfit(a, x, y), rtol=1e-13)
    jitad.testing.check_grads(misfit, (a, x, y), order=2)


def calls(f, *args):
    return [line.split("#")[0].strip() for line in jitad.show(f, *args, stage="loops").splitlines() if "= gemm(" in line]


def test_one_matrix_is_read_once():
    def both(a, x, y):
        return a @ x, a.T @ y, a @ y

    a, x, y = RNG.normal(size=(30, 30)), RNG.normal(size=30), RNG.normal(size=30)
    first, second = calls(both, a, x, y)
    assert first.count("out") == 2 and "in1" in first and "in2" in first and second.count("out") == 1
    alone = [jitad.jit(lambda a, x: a @ x)(a, v) for v in (x, y)]
    found = jitad.jit(both)(a, x, y)
    assert np.array_equal(found[0], alone[0]) and np.array_equal(found[2], alone[1]) and np.allclose(found[1], a.T @ y, rtol=1e-13)


def test_tangents_go_with_their_primal():
    def network(a, x):
        for _ in range(5):
            x = np.tanh(a @ x)
        return x

    a, x, u, v = RNG.normal(size=(20, 20)) / 5, RNG.normal(size=20), RNG.normal(size=(20, 20)), RNG.normal(size=20)
    pushed = jitad.jit(lambda a, x, u, v: jitad.jvp(network, (a, x), (u, v)))
    assert any(call.count("w") >= 4 and call.count("gemm") == 1 for call in calls(pushed, a, x, u, v))
    value, tangent = pushed(a, x, u, v)
    assert np.array_equal(value, jitad.jit(network)(a, x))
    step = 1e-6
    assert np.allclose(tangent, (network(a + step * u, x + step * v) - network(a - step * u, x - step * v)) / (2 * step), rtol=1e-7, atol=1e-8)
    w = RNG.normal(size=20)
    _, pullback = jitad.vjp(network, a, x)
    a_, x_ = pullback(w)
    assert np.isclose(np.vdot(tangent, w), np.vdot(a_, u) + np.vdot(x_, v), rtol=1e-12)


def test_products_that_wait_for_one_another_stay_apart():
    def chain(a, x):
        return a @ (a @ x)

    a, x = RNG.normal(size=(30, 30)), RNG.normal(size=30)
    assert len(calls(chain, a, x)) == 2
    assert np.allclose(jitad.jit(chain)(a, x), chain(a, x), rtol=1e-12)


def test_large_matrices_go_to_a_library():
    a, x = RNG.normal(size=(300, 300)), RNG.normal(size=300)
    assert "gemv" in jitad.show(lambda a, x: a @ x, a, x, stage="asm")
    assert "gemm" in jitad.show(lambda a: a @ a, a, stage="asm")


def test_layers_share_products():
    """Matrices of one shape are multiplied by one function, however many there are: LLVM takes its time for each."""
    def f(A, x):
        for _ in range(5):
            x = np.tanh(A @ x)
        return x.sum()

    A, x = np.random.default_rng(0).normal(size=(2, 40, 40)) / 6, np.linspace(0, 1, 40)
    text = str(to_module(to_loops(jitad.trace(f)(A[0], x)), "kernel", strict=False))
    assert text.count('define internal void @"product') == 1 and text.count('call void @"product') == 5
    np.testing.assert_allclose(jitad.jit(f)(A[0], x), f(A[0], x), rtol=1e-12)
    jitad.testing.check_grads(f, (A[1], x))
