"""Minima and fits of ``scipy.optimize`` in traced functions: SciPy's results, and derivatives by the implicit function theorem."""

import numpy as np
import pytest
from scipy import optimize

import jitad
from jitad.testing import check_grads

P = np.array([1.1, 0.7])
TIMES = np.linspace(0, 3, 20)
DATA = 3 * np.exp(-1.3 * TIMES) + 0.5 + 0.05 * np.cos(9 * TIMES)
TIGHT = {"xtol": 1e-14, "ftol": 1e-14, "gtol": 1e-14}


def valley(p):
    return optimize.minimize(lambda z: np.sum(9 * p[0] * (z[1:] - z[:-1] ** 2) ** 2 + (p[1] - z[:-1]) ** 2), [-1.2, 1, 0.3], tol=1e-12).x


def bounded(p):
    bounds = [(0, p[1]), (None, None), (None, 0.2 * p[0])]
    return optimize.minimize(lambda z, k: np.sum((z - k) ** 2) + np.prod(z), np.zeros(3), (2 * p[0],), method="L-BFGS-B", bounds=bounds, tol=1e-15).x


def with_gradient(p):
    found = optimize.minimize(lambda z: (np.sum(np.cosh(z - p)), np.sinh(z - p)), np.zeros(2), jac=True, tol=1e-12)
    return found.x * found.fun


def fit(p):
    return optimize.least_squares(lambda z: z[0] * np.exp(-z[1] * TIMES) + z[2] - DATA * p[0] - p[1] * TIMES, [1, 1, 1], **TIGHT).x


def robust_fit(p):
    def rest(z):
        return z[0] * np.exp(-z[1] * TIMES) + 0.5 - DATA * p[0] - p[1] * (TIMES > 2.8)

    found = optimize.least_squares(rest, [1, 1], loss="soft_l1", f_scale=0.1, bounds=([0, 0], [9, 1.5]), **TIGHT)
    return found.x * found.cost


def curve(p):
    return optimize.curve_fit(lambda t, a, b: a * np.exp(-b * t), TIMES, p[0] * DATA + p[1], sigma=0.1 + TIMES, **TIGHT)


def scalars(p):
    one = optimize.minimize_scalar(lambda x, k: np.sin(3 * x) * k + 0.1 * (x - 1) ** 2, args=(p[0],))
    other = optimize.minimize_scalar(lambda x: np.exp(x) - 9 * p[0] * x, bounds=(0, p[1]))
    return np.stack([one.x, one.fun, other.x])


def fixed(p):
    return optimize.fixed_point(lambda z, k: np.cos(k * z) / 2, p, args=(p[::-1],), xtol=1e-13)


@pytest.mark.parametrize("function", [valley, bounded, with_gradient, fit, robust_fit, curve, scalars, fixed])
def test_minima(function):
    def flat(p):
        found = function(p)
        return np.concatenate([np.ravel(x) for x in found]) if isinstance(found, tuple) else found

    compiled = jitad.jit(flat)
    np.testing.assert_allclose(compiled(P), flat(P), rtol=2e-5, atol=1e-7)
    slopes = np.stack([(compiled(P + e) - compiled(P - e)) / 2e-4 for e in 1e-4 * np.eye(2)], axis=1)
    np.testing.assert_allclose(jitad.jacfwd(flat)(P), slopes, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(jitad.jacrev(flat)(P), jitad.jacfwd(flat)(P), rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_second_derivatives_and_batches():
    check_grads(jitad.jit(lambda p: np.sum(with_gradient(p) ** 2)), (P,), order=2, rtol=1e-4)
    np.testing.assert_allclose(jitad.vmap(valley)(np.stack([P, 1.2 * P])), [valley(P), valley(1.2 * P)], rtol=1e-5)


def test_what_is_no_minimum_raises():
    for function in (lambda p: optimize.minimize(lambda z: np.sum(p * z**4), np.ones(2)).x, lambda p: optimize.minimize(lambda z: p @ z, P).x):
        with pytest.raises(RuntimeError, match=r"minimize: no minimum.*positive definite"):
            jitad.jit(function)(P)
    with pytest.raises(NotImplementedError, match="penalty"):
        jitad.jit(lambda p: optimize.minimize(lambda z: p @ z, P, constraints={"type": "eq", "fun": np.sum}).x)(P)
    with pytest.raises(AttributeError, match="'nit'.*it knows x, fun"):
        jitad.jit(lambda p: optimize.minimize(lambda z: np.sum((z - p) ** 2), P).nit)(P)
    with pytest.raises(NotImplementedError, match="use minimize"):
        jitad.jit(lambda p: optimize.dual_annealing(lambda z: np.sum((z - p) ** 2), [(0, 1), (0, 1)]).x)(P)
