"""Products of matrices with few rows and columns along contiguous axes, which no library routine computes."""

import numpy as np
import pytest

import jitad

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("rows, columns, terms", [(10, 10, 1000), (8, 12, 641), (2, 3, 4096), (16, 6, 64)])
def test_products(rows, columns, terms, dtype):
    x, y = RNG.normal(size=(rows, terms)).astype(dtype), RNG.normal(size=(columns, terms)).astype(dtype)
    function = jitad.jit(lambda x, y: x @ y.T)
    assert "gemm" not in jitad.show(function, x, y, stage="asm")
    expected = x.astype(float) @ y.T.astype(float)
    assert np.max(np.abs(function(x, y) - expected)) < 30 * np.finfo(dtype).eps * np.sqrt(terms)


def test_stacks():
    x, y = RNG.normal(size=(5, 4, 100)), RNG.normal(size=(5, 9, 100))

    def misfit(x, y):
        return np.sum(np.cos(np.einsum("bik,bjk->bij", x, y)))

    assert np.isclose(jitad.jit(misfit)(x, y), misfit(x, y), rtol=1e-13)
    jitad.testing.check_grads(misfit, (x, y), order=1)


def test_other_products_go_to_a_library():
    x, y = RNG.normal(size=(11, 200)), RNG.normal(size=(13, 200))
    function = jitad.jit(lambda x, y: x @ y.T)
    assert "gemm" in jitad.show(function, x, y, stage="asm")
    assert np.allclose(function(x, y), x @ y.T, rtol=1e-13, atol=1e-13)
