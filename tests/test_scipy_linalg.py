"""Functions of ``scipy.linalg`` in traced programs."""

import numpy as np
import pytest
from scipy import linalg

import jitad
from jitad.ir import errors
from jitad.testing import check_grads

RNG = np.random.default_rng(0)
A, B, COMPLEX = RNG.normal(size=(4, 4)) + 4 * np.eye(4), RNG.normal(size=(4, 3)), RNG.normal(size=(4, 4)) * (1 + 0.3j) + 4 * np.eye(4)


def triangular(a, b):
    x = linalg.solve_triangular(a, b, lower=True) + linalg.solve_triangular(a, b[:, 0])[:, None]
    return x + linalg.solve_triangular(a, b, trans=1, unit_diagonal=True) * linalg.solve_triangular(a, b, "C", lower=True)


def factors(a, b):
    s = a @ a.T
    upper = linalg.cho_factor(s)
    return linalg.cho_solve(upper, b) + linalg.cho_solve(linalg.cho_factor(s, lower=True), b[:, 1])[:, None] + linalg.cholesky(s)[:, :3]


def systems(a, b):
    return linalg.solve(a, b) + linalg.solve(a, b, transposed=True) + linalg.solve(a @ a.T, b, assume_a="pos") + linalg.inv(a) @ b * linalg.det(a)



@pytest.mark.parametrize("program", [triangular, factors, systems], ids=lambda program: program.__name__)
def test_values_and_derivatives(program):
    np.testing.assert_allclose(jitad.jit(program)(A, B), program(A, B), rtol=1e-10)
    check_grads(lambda a, b: np.sum(np.sin(program(a, b))), (A, B), order=1)


def test_matrices_of_given_parts():
    def f(a, b):
        return linalg.block_diag(a, b, 2.0), linalg.toeplitz(a[0]), linalg.toeplitz(a[0], b[:, 1])

    for found, wanted in zip(jitad.jit(f)(A, B), f(A, B), strict=True):
        np.testing.assert_array_equal(found, wanted)
    check_grads(lambda a, b: sum(np.sum(x**2) for x in f(a, b)), (A, B), order=1)


def test_complex_matrices():
    np.testing.assert_allclose(jitad.jit(triangular)(COMPLEX, B), triangular(COMPLEX, B), rtol=1e-12)


def test_what_is_not_known():
    with pytest.raises(errors.NotImplementedError, match="assume_a"):
        jitad.jit(lambda a, b: linalg.solve(a, b, assume_a="sym"))(A, B)
    with pytest.raises(ValueError, match="incompatible"):
        jitad.jit(lambda a, b: linalg.solve_triangular(a, b.T))(A, B)


def test_functions_of_matrices_compiled():
    a = np.array([[4.7, 1.3], [0.6, 3.4]])

    def total(a):
        return np.sum(linalg.sqrtm(a) ** 3) + np.sum(linalg.logm(a) * np.arange(4.0).reshape(2, 2))

    np.testing.assert_allclose(jitad.jit(total)(a), total(a))
    check_grads(total, (a,), rtol=1e-6)
    with pytest.raises(np.linalg.LinAlgError, match="zero or a negative number; write w, v"):
        jitad.jit(linalg.sqrtm)(np.diag([1.0, -2.0]))
