"""``solve_ivp`` of traced functions, held against SciPy and against derivatives known otherwise."""

import numpy as np
import pytest
from scipy.integrate import odeint, solve_ivp

import jitad

P, TIMES = np.array([1.5, 0.8]), np.linspace(0, 4, 5)
TIGHT = {"rtol": 1e-9, "atol": 1e-11}


def predators(t, y, a, b):
    return [a * y[0] - b * y[0] * y[1], 0.5 * b * y[0] * y[1] - y[1]]


def solution(p, **options):
    return solve_ivp(lambda t, y: predators(t, y, *p), (0, 4), [1.0, 0.5], **options)


@pytest.mark.parametrize("method", ["RK45", "RK23"])
def test_at_given_times(method):
    def states(p):
        return solution(p, method=method, t_eval=TIMES, rtol=1e-6).y

    np.testing.assert_allclose(jitad.jit(states)(P), states(P), rtol=1e-9)


def test_at_the_steps_taken():
    def found(p):
        result = solution(p)
        return result.t, result.y, result.success

    for actual, desired in zip(jitad.jit(found)(P), found(P), strict=True):
        np.testing.assert_allclose(actual, desired, rtol=1e-7)


def test_derivatives_are_those_of_the_solution():
    def decayed(k, y0, end):
        return solve_ivp(lambda t, y, k: -k * y, (0, end), y0, args=(k,), **TIGHT).y[:, -1].sum()

    k, y0, end = 0.7, np.array([1.0, 2.0]), 1.3
    value, slopes = jitad.value_and_grad(decayed, argnums=(0, 1, 2))(k, y0, end)
    np.testing.assert_allclose(value, 3 * np.exp(-k * end), rtol=1e-7)
    np.testing.assert_allclose(slopes[0], -end * value, rtol=1e-7)
    np.testing.assert_allclose(slopes[1], np.exp([-k * end] * 2), rtol=1e-7)
    np.testing.assert_allclose(slopes[2], -k * value, rtol=1e-7)
    forward = jitad.jvp(lambda k: decayed(k, y0, end), (k,), (1.0,))[1]
    np.testing.assert_allclose(forward, slopes[0], rtol=1e-12)


def test_backwards_in_time_and_what_is_not_traced():
    def back(x):
        weights = solve_ivp(lambda t, y: -y, (0, 1), [1.0]).y[0, -1]
        return solve_ivp(lambda t, y: -y * x, (1, 0), x[:2], t_eval=[1.0, 0.5, 0.25], **TIGHT).y * weights

    np.testing.assert_allclose(jitad.jit(back)(np.ones(2)), back(np.ones(2)), rtol=1e-8)


def test_what_is_refused():
    with pytest.raises(NotImplementedError, match=r"write solve_ivp\(lambda t, y"):
        jitad.jit(lambda p: odeint(lambda y, t: -p * y, np.ones(2), TIMES))(P)
    for options, text in (({"method": "BDF"}, "method 'BDF'.*RK45"), ({"events": lambda t, y: y[0]}, "t_eval="), ({"dense_output": True}, "t_eval=")):
        with pytest.raises(NotImplementedError, match=text):
            jitad.jit(lambda p, options=options: solution(p, **options).y)(P)
