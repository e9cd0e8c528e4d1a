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


def robertson(t, y, k):
    a, b = k[0] * y[0], 50 * k[1] * y[1] * y[2]
    return np.array([b - a, a - b - 900 * y[1] ** 2, 900 * y[1] ** 2])


@pytest.mark.parametrize("method", ["Radau", "BDF"])
def test_stiff(method):
    def states(k):
        return solve_ivp(robertson, (0, 3), [1.0, 0.0, 0.0], method, TIMES[:4], args=(k,), **TIGHT).y

    np.testing.assert_allclose(jitad.jit(states)(P), states(P), rtol=1e-6, atol=1e-9)


@pytest.mark.slow
def test_derivatives_of_odeint():
    def states(p):
        return odeint(lambda y, t, a, b: robertson(t, y, (a, b)), [1.0, 0.0, p[0] - 1.5], TIMES, args=tuple(p))

    compiled = jitad.jit(states)
    np.testing.assert_allclose(compiled(P), states(P), rtol=1e-5, atol=1e-8)
    w, v = np.cos(np.arange(15.0)).reshape(5, 3), np.array([0.3, -1.1])
    slope = np.sum(w * (compiled(P + 1e-4 * v) - compiled(P - 1e-4 * v))) / 2e-4
    np.testing.assert_allclose(jitad.grad(lambda p: np.sum(w * states(p)))(P) @ v, slope, rtol=1e-5)


def bounce(t, y, p):
    return y[0]


def thrown(t, y, p):
    return [y[1], -p[0] - 0.1 * y[1]]


def landing(p):
    bounce.terminal, bounce.direction = True, -1
    flight = solve_ivp(thrown, (0, 9), [p[1], 5.0], dense_output=True, events=[bounce, lambda t, y, p: y[1]], args=(p,), **TIGHT)
    ends, tops = flight.t_events
    return np.array([ends[0], tops[0], flight.y_events[1][0, 0], flight.t[-1], flight.y[1, -1], flight.status, *flight.sol([0.3, p[1]])[0]])


def test_events_and_the_solution_as_a_function():
    np.testing.assert_allclose(jitad.jit(landing)(P), landing(P), rtol=1e-7)


@pytest.mark.slow
def test_derivatives_of_events():
    compiled = jitad.jit(landing)
    slopes = np.stack([(compiled(P + e) - compiled(P - e)) / 2e-4 for e in 1e-4 * np.eye(2)], axis=1)
    np.testing.assert_allclose(jitad.jacfwd(landing)(P), slopes, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(jitad.jacrev(landing)(P), slopes, rtol=1e-6, atol=1e-7)


def test_times_before_an_event():
    bounce.terminal, bounce.direction = True, -1

    def heights(p):
        return np.sum(solve_ivp(thrown, (0, 9), [p[1], 5.0], t_eval=np.linspace(0, 9, 10), events=bounce, args=(p,), **TIGHT).y[0])

    np.testing.assert_allclose(jitad.jit(heights)(P), heights(P), rtol=1e-7)


def test_what_is_refused():
    with pytest.raises(NotImplementedError, match="full_output=1; use the states alone"):
        jitad.jit(lambda p: odeint(lambda y, t: -p * y, np.ones(2), TIMES, full_output=1))(P)
    for options, text in (({"method": "DOP853"}, "method 'DOP853'.*RK45"), ({"method": "BDF"}, "complex")):
        with pytest.raises(NotImplementedError, match=text):
            jitad.jit(lambda p, options=options: solution(p * 1j, **options).y)(P)
