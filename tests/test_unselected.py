"""What a branch does not take contributes nothing to a derivative, even where the derivative of what it leaves out is infinite."""

import numpy as np
import pytest

import jitad


def replaced_if_infinite(x, y):
    r = x / y
    v = 1.0 if not np.isfinite(r) else r
    return v * 2


def returned_early(x, y):
    r = x / y
    if np.isnan(r):
        return y
    return r


def array_replaced(x, y):
    r = np.array([x, 1.0]) / np.array([y, 1.0])
    if np.any(~np.isfinite(r)):
        r = np.zeros(2) + x
    return np.sum(r)


def inverse_in_an_arm(x, y):
    u = np.zeros(60)
    for i in range(60):
        d = np.sqrt(x * i)
        if d > 0:
            u[i] = 1 / d
        else:
            u[i] = y
    return u.sum()


def unit_vector(x, y):
    v = np.array([x, y])
    n = np.sqrt(x) + np.sqrt(y)
    u = v / n if n > 1e-12 else v * 0.5
    return u.sum()


def elements_one_by_one(x, y):
    total = 0.0
    for d in np.sqrt(np.array([x, y, 2.0 + x])):
        if d > 0.0:
            total += 1 / d
    return total


CASES = [(replaced_if_infinite, (0, 0)), (returned_early, (0, 1)), (array_replaced, (2, 0)), (inverse_in_an_arm, (0, 60)), (unit_vector, (0.5, 0.5)),
         (elements_one_by_one, (-(2**-1.5) / 2, 0))]  # fmt: skip


@pytest.mark.filterwarnings("ignore:invalid value|divide by zero:RuntimeWarning")
@pytest.mark.parametrize(("function", "slopes"), CASES)
def test_at_zero(function, slopes):
    zero = np.float64(0.0)
    np.testing.assert_allclose(jitad.jit(function)(zero, zero), function(zero, zero))
    np.testing.assert_allclose(jitad.grad(function, argnums=(0, 1))(zero, zero), slopes)
    np.testing.assert_allclose(jitad.jvp(function, (zero, zero), (1.0, 1.0))[1], np.sum(slopes))
    assert np.all(np.isfinite(jitad.hessian(function)(zero, zero)))


@pytest.mark.parametrize(("function", "slopes"), CASES)
def test_elsewhere(function, slopes):
    jitad.testing.check_grads(function, (0.7, 1.3), order=2)
