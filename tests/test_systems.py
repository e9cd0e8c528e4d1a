"""``scipy.optimize.fsolve`` and ``root`` in traced functions: SciPy's solutions, and derivatives by the implicit function theorem."""

import numpy as np
import pytest
import scipy.optimize

import jitad


def cubic(z, p):
    return [z[0] + 0.5 * (z[0] - z[1]) ** 3 - p[0], 0.5 * (z[1] - z[0]) ** 3 + z[1] * p[1]]


def waves(z, p):
    return [z[0] * np.cos(z[1]) - 4 * p[0], z[1] * z[0] - z[1] - 5 * p[1]]


def valley(z, p):
    return [10 * (z[1] - z[0] ** 2) * p[0], p[1] - z[0]]


def chain(z, p):
    around = np.concatenate([[0.0], z, [0.0]])
    return (3 - 2 * z) * z * p[0] - around[:-2] - 2 * around[2:] + p[1]


P = np.array([1.05, 0.97])


@pytest.mark.parametrize(("system", "start"), [(cubic, [0, 0]), (waves, [1, 1]), (valley, [-1.2, 1.0]), (chain, -np.ones(5))])
def test_solutions(system, start):
    def solution(p):
        return scipy.optimize.fsolve(system, start, args=(p,), xtol=1e-12)

    slopes = np.stack([(solution(P + e) - solution(P - e)) / 2e-5 for e in 1e-5 * np.eye(2)], axis=1)
    np.testing.assert_allclose(jitad.jit(solution)(P), solution(P), rtol=1e-9)
    np.testing.assert_allclose(jitad.jacfwd(solution)(P), slopes, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(jitad.jacrev(solution)(P), jitad.jacfwd(solution)(P), rtol=1e-10, atol=1e-13)


@pytest.mark.slow
def test_second_derivatives_of_root_with_values_from_around():
    def energy(p):
        return np.sum(scipy.optimize.root(lambda z: np.array(cubic(z, p)), np.zeros(2)).x ** 2)

    np.testing.assert_allclose(jitad.jit(energy)(P), energy(P))
    jitad.testing.check_grads(energy, (P,), order=2, rtol=1e-4)


def test_solutions_in_a_loop():
    def last(p):
        z = np.ones(2)
        for _ in range(20):
            z = z + 0.1 * scipy.optimize.fsolve(cubic, np.zeros(2), (p * z,))
        return z.sum()

    np.testing.assert_allclose(jitad.jit(last)(P), last(P), rtol=1e-7)
    jitad.testing.check_grads(jitad.jit(last), (P,), rtol=1e-4)


def test_errors(capsys):
    with pytest.raises(RuntimeError, match="good progress"):
        jitad.jit(lambda p: scipy.optimize.fsolve(lambda z: z**2 + p, [1.0]))(1.3)
    with pytest.raises(TypeError, match="mismatch"):
        jitad.jit(lambda p: scipy.optimize.fsolve(lambda z: np.array([z[0] * p]), [1.0, 2.0]))(1.0)
    with pytest.raises(NotImplementedError, match="hybr"):
        jitad.jit(lambda p: scipy.optimize.root(lambda z: z - p, [1.0], method="krylov").x)(1.0)
    assert capsys.readouterr().err == ""
