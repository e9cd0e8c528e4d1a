"""``scipy.linalg.solve_banded`` and ``solveh_banded``: solutions, errors, derivatives."""

import numpy as np
import pytest
import scipy.linalg

import jitad

rng = np.random.default_rng(3)


@pytest.mark.parametrize(("lower", "upper", "n", "columns"), [
    (1, 1, 30, None), (2, 1, 7, 2), (0, 2, 5, None), (2, 0, 4, 1), (3, 2, 3, None), (1, 1, 1, None)])  # fmt: skip
def test_solutions(lower, upper, n, columns):
    ab, b = rng.standard_normal((lower + upper + 1, n)), rng.standard_normal(n if columns is None else (n, columns))

    def solution(ab, b):
        return scipy.linalg.solve_banded((lower, upper), ab, b)

    if n > max(lower, upper):
        np.testing.assert_allclose(jitad.jit(solution)(ab, b), solution(ab, b), rtol=1e-9)
    else:
        matrix = sum(np.diag(ab[upper - k, max(k, 0):n + min(k, 0)], k) for k in range(1 - n, min(n, upper + 1)))
        np.testing.assert_allclose(jitad.jit(solution)(ab, b), np.linalg.solve(matrix, b), rtol=1e-9)


@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("imaginary", [0.0, 1j])
def test_definite_matrices(lower, imaginary):
    ab = rng.standard_normal((3, 8)) + imaginary * rng.standard_normal((3, 8))
    ab[0 if lower else 2] = 8.0

    def solution(ab, b):
        return scipy.linalg.solveh_banded(ab, b, lower=lower)

    np.testing.assert_allclose(jitad.jit(solution)(ab, np.arange(8.0)), solution(ab, np.arange(8.0)), rtol=1e-12, atol=1e-15)


def test_derivatives():
    ab, b = rng.standard_normal((3, 5)), rng.standard_normal(5)
    jitad.testing.check_grads(lambda ab, b: np.sum(scipy.linalg.solve_banded((1, 1), ab, b) ** 2), (ab + [[0], [4], [0]], b), order=2)
    jitad.testing.check_grads(lambda ab, b: np.sum(scipy.linalg.solveh_banded(ab, b) ** 2), (ab[:2] * 0.3 + [[0], [4]], b), order=2)
    steps = jitad.grad(lambda k: implicit_steps(k, 40))(0.3)
    np.testing.assert_allclose(steps, (implicit_steps(0.3 + 1e-6, 40) - implicit_steps(0.3 - 1e-6, 40)) / 2e-6, rtol=1e-6)


def implicit_steps(conductivity, count):
    """Steps of implicit diffusion."""
    n, u = 20, np.sin(np.linspace(0, 3, 20))
    ab = np.zeros((3, n))
    ab[0, 1:] = ab[2, :-1] = -conductivity
    ab[1] = 1 + 2 * conductivity
    for _ in range(count):
        u = scipy.linalg.solve_banded((1, 1), ab, u)
    return np.sum(u**2)


def test_errors():
    with pytest.raises(np.linalg.LinAlgError, match="singular"):
        jitad.jit(lambda a: scipy.linalg.solve_banded((1, 1), np.zeros((3, 4)) * a, np.ones(4)))(1.0)
    with pytest.raises(np.linalg.LinAlgError, match="not positive definite"):
        jitad.jit(lambda a: scipy.linalg.solveh_banded(np.array([[0.0, 1, 1], [1.0, -1, 1]]) * a, np.ones(3)))(1.0)
    with pytest.raises(ValueError, match="lower and upper diagonals"):
        jitad.jit(lambda a: scipy.linalg.solve_banded((1, 2), np.ones((3, 4)) * a, np.ones(4)))(1.0)
