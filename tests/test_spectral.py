"""Eigenvalues and eigenvectors of matrices: NumPy's values, and the derivatives."""

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


# --- general matrices ---------------------------------------------------------------------------------------------------------


def general(*shape, dtype="d"):
    return (RNG.normal(size=shape) + (1j * RNG.normal(size=shape) if dtype in "DF" else 0)).astype(dtype)


@pytest.mark.parametrize("dtype", "dfDF")
def test_eig_is_that_of_numpy(dtype):
    def f(a):
        return (*np.linalg.eig(a), np.linalg.eigvals(a))

    for shape in ((1, 1), (5, 5), (2, 4, 4), (30, 30), (0, 0)):
        a = general(*shape, dtype=dtype)
        for k, (found, wanted) in enumerate(zip(jitad.jit(f)(a), f(a), strict=True)):
            assert found.dtype == np.dtype(dtype.upper()) and found.shape == wanted.shape
            if k == 1:  # NumPy's LAPACK need not be SciPy's, and the signs of the vectors are LAPACK's choice
                found = found * np.sign(np.sum(found.conj() * wanted, -2, keepdims=True))
            np.testing.assert_allclose(found, wanted, atol=1e4 * np.finfo(dtype).eps, rtol=0)
    real = np.array([[2, 1], [0, 3]])
    np.testing.assert_allclose(jitad.jit(np.linalg.eigvals)(real), np.linalg.eigvals(real))


def test_derivatives_of_eig():
    """Of what does not depend on the signs of the vectors, which are LAPACK's choice."""
    weights = np.cos(np.arange(16.0)).reshape(4, 4)

    def f(x, y):
        w, v = np.linalg.eig(x + 1j * y)
        turned = v[:, None] * np.conj(v)
        return np.sum((w**3).imag * np.arange(4)) + np.sum(turned.real * weights[:, :, None]) + np.abs(np.linalg.eigvals(x + y)[0])

    check_grads(f, (general(4, 4), general(4, 4)), order=2)

    def g(x):
        w, v = np.linalg.eig(x)
        return np.abs(w), np.sum(v**2 * weights).imag, np.sum(v**2 * weights).real

    check_grads(g, (general(4, 4),), order=1)


def test_eig_of_companion_matrices():
    """Roots of polynomials, and by their derivatives one step of Newton's method."""
    def largest(c):
        return np.max(np.abs(np.roots(c)))

    c = np.array([1.0, -2.0, 0.5, 3.0, -1.0])
    np.testing.assert_allclose(jitad.jit(np.roots)(c), np.roots(c))
    check_grads(largest, (c,))


def test_eig_refuses_what_numpy_refuses():
    with pytest.raises(np.linalg.LinAlgError, match="square"):
        jitad.jit(np.linalg.eig)(np.ones((2, 3)))
    with pytest.raises(np.linalg.LinAlgError, match="infs or NaNs"):
        jitad.jit(np.linalg.eigvals)(np.array([[1.0, np.nan], [0.0, 1.0]]))
