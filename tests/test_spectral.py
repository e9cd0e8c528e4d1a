"""Eigenvalues and eigenvectors of symmetric and Hermitian matrices: NumPy's values, and the derivatives."""

import numpy as np
import pytest

import jitad
from jitad.testing import check_grads

RNG = np.random.default_rng(0)


def hermitian(*shape, dtype="d"):
    x = RNG.normal(size=shape) + (1j * RNG.normal(size=shape) if dtype in "DF" else 0)
    return (x + np.conj(np.swapaxes(x, -1, -2))).astype(dtype)


@pytest.mark.parametrize("dtype", "dfDF")
@pytest.mark.parametrize("uplo", ["L", "u"])
def test_values_are_those_of_numpy(dtype, uplo):
    def f(a):
        return (*np.linalg.eigh(a, uplo), np.linalg.eigvalsh(a, uplo))

    for shape in ((1, 1), (5, 5), (2, 4, 4), (30, 30), (0, 0)):
        a = hermitian(*shape, dtype=dtype)
        for found, wanted in zip(jitad.jit(f)(a), f(a), strict=True):
            assert found.dtype == wanted.dtype and found.shape == wanted.shape
            found, wanted = (np.abs(x) if found.ndim > a.ndim - 1 else x for x in (found, wanted))  # eigenvectors may point either way
            np.testing.assert_allclose(found, wanted, atol=1e4 * np.finfo(dtype).eps, rtol=0)
    integers = np.array([[2, 1], [1, 3]])
    np.testing.assert_allclose(jitad.jit(np.linalg.eigvalsh)(integers), np.linalg.eigvalsh(integers))


def test_derivatives():
    def f(x):
        a = x + x.T
        found = np.linalg.eigh(a)
        return np.sum(found.eigenvalues**3 * np.arange(4)) + np.sum(np.abs(found.eigenvectors[:, 1]) * np.arange(4)) + np.linalg.eigvalsh(a)[-1]

    check_grads(f, (RNG.normal(size=(4, 4)),), order=2)


def test_derivatives_of_hermitian_matrices():
    def f(x, y):
        z = x + 1j * y
        w, v = np.linalg.eigh(z + z.conj().T)
        return np.sum(w**3) + np.sum(np.abs(v[:, 1]) ** 2 * np.arange(4))

    check_grads(f, (RNG.normal(size=(4, 4)), RNG.normal(size=(4, 4))), order=1)


def test_principal_axes_in_a_loop():
    def f(x):
        for _ in range(20):
            w, v = np.linalg.eigh(np.cov(x))
            x = x - 0.1 * np.outer(v[:, -1], v[:, -1] @ x)
        return w

    x = RNG.normal(size=(3, 10))
    np.testing.assert_allclose(jitad.jit(f)(x), f(x), rtol=1e-10)
    check_grads(lambda x: np.sum(f(x) ** 2), (x,), order=1)


def test_equal_eigenvalues():
    """Their sum has a derivative, the eigenvectors have none."""
    np.testing.assert_allclose(jitad.grad(lambda a: np.sum(np.linalg.eigvalsh(a) ** 2))(np.eye(3)), 2 * np.eye(3))
    assert not np.isfinite(jitad.grad(lambda a: np.linalg.eigh(a)[1][0, 1] ** 2)(np.eye(3))).any()


def test_what_numpy_refuses():
    with pytest.raises(ValueError, match="UPLO"):
        jitad.jit(lambda a: np.linalg.eigh(a, "x"))(np.eye(2))
    with pytest.raises(np.linalg.LinAlgError, match="square"):
        jitad.jit(np.linalg.eigh)(np.ones((2, 3)))
