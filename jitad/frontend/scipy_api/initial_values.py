"""``scipy.integrate.solve_ivp``: initial value problems, by SciPy's explicit Runge-Kutta methods with steps of controlled size.

In: a function of the user's that is traced, a span and a state at its beginning. Out: the states that SciPy gives, by the same steps, which are
chosen when the compiled function runs. Invariant: derivatives are those of the steps that were taken, whose sizes count as constants.
"""

from __future__ import annotations

import numpy as np

from jitad.frontend.arrays.array import Array, to_atom, wrap
from jitad.frontend.hooks.own_code import traced_as_users
from jitad.frontend.numpy_api.operands import asarray
from jitad.ir import errors
from jitad.primitives.custom import stop_gradient

SAFETY, LEAST, MOST = 0.9, 0.2, 10.0  # of the factor from one step's size to the next one's
METHODS = ("RK45", "RK23")
MESSAGE = "status is 0 if the end of the interval was reached, -1 if the steps became less than the spacing between numbers"


def solve_ivp(fun, t_span, y0, method="RK45", t_eval=None, dense_output=False, events=None, vectorized=False, args=None, **options):
    from scipy import integrate

    check(method, dense_output, events, options)
    slope = slope_of(fun, args)
    (start, end), y = t_span, asarray(y0) + 0.0
    first = slope(start, y)
    rtol = options.get("rtol", 1e-3)
    tolerances = max(rtol, 100 * np.finfo(float).eps) if isinstance(rtol, float) else rtol, options.get("atol", 1e-6)
    formula = getattr(integrate, method)
    limit, step = options.get("max_step", np.inf), options.get("first_step")
    step = constant(first_step(slope, start, end, y, first, tolerances, limit, formula.error_estimator_order) if step is None else step)
    tableau = [getattr(formula, name).tolist() for name in "ABCEP"]
    control = tolerances, limit, -1 / (formula.error_estimator_order + 1)
    t, states, failed = stepped(slope, start, end, y, first, step, tableau, control) if t_eval is None else (
        t_eval, *sampled(slope, start, end, y, first, step, tableau, control, asarray(t_eval)))
    return integrate._ivp.ivp.OdeResult(t=t, y=states, sol=None, t_events=None, y_events=None, status=np.where(failed, -1, 0),
                                        success=np.logical_not(failed), message=MESSAGE)


def odeint(func, y0, t, *args, **kwargs):
    raise errors.NotImplementedError("scipy.integrate.odeint of a traced function; write solve_ivp(lambda t, y: func(y, t), (t[0], t[-1]), y0, "
                                     "t_eval=t), whose default method can be traced")


def check(method, dense_output: bool, events, options: dict) -> None:
    if method not in METHODS:
        raise errors.NotImplementedError(f"solve_ivp by method {method!r} of a traced function; write method='RK45' or 'RK23', or an implicit "
                                         "method of your own with np.linalg.solve")
    if dense_output or events is not None:
        raise errors.NotImplementedError("solve_ivp of a traced function with dense_output or events; write t_eval= for the times that are needed")
    if unknown := set(options) - {"rtol", "atol", "max_step", "first_step"}:
        raise errors.NotImplementedError(f"solve_ivp of a traced function with {', '.join(sorted(unknown))}")


def slope_of(fun, args):
    @traced_as_users
    def slope(t, y):
        return np.asarray(fun(t, y) if args is None else fun(t, y, *args))

    return slope


def constant(x):
    """Return a number that derivatives take as a constant."""
    return wrap(stop_gradient(to_atom(x))) if isinstance(x, Array) else x


def size(x):
    """Return the root of the mean square."""
    return np.sqrt(np.mean(np.abs(x) ** 2))


@traced_as_users
def first_step(slope, t, end, y, f, tolerances, limit, order):
    """Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I, section II.4."""
    rtol, atol = tolerances
    direction = np.where(end >= t, 1.0, -1.0)
    span = abs(end - t)
    scale = atol + np.abs(y) * rtol
    d0, d1 = size(y / scale), size(f / scale)
    small = (d0 < 1e-5) | (d1 < 1e-5)
    h0 = np.minimum(np.where(small, 1e-6, 0.01 * d0 / np.where(small, 1.0, d1)), span)
    d2 = size((slope(t + h0 * direction, y + h0 * direction * f) - f) / scale) / h0
    flat = (d1 <= 1e-15) & (d2 <= 1e-15)
    h1 = np.where(flat, np.maximum(1e-6, h0 * 1e-3), (0.01 / np.where(flat, 1.0, np.maximum(d1, d2))) ** (1 / (order + 1)))
    return np.minimum(np.minimum(100 * h0, h1), np.minimum(span, limit))


@traced_as_users
def accepted_step(slope, t, end, y, f, step, tableau, control):
    """Return the time and state after a step, its size and stages, that to try next, and whether the steps have become too small."""
    A, B, C, E, _ = tableau  # noqa: N806
    (rtol, atol), limit, exponent = control
    direction = np.where(end >= t, 1.0, -1.0)
    least = 10 * np.finfo(float).eps * np.abs(t)
    step = np.minimum(np.maximum(step, least), limit)
    new, state, stages, h = t + 0.0, y, [f] * len(E), direction * step
    accepted, rejected, failed = False, False, False
    while not accepted and not failed:
        if step < least:
            failed = True
        else:
            new = t + step * direction
            if direction * (new - end) > 0:
                new = end + 0.0
            h = new - t
            stages = [f]
            for row, c in zip(A[1:], C[1:], strict=True):
                stages.append(slope(t + c * h, y + combined(stages, row) * h))
            state = y + h * combined(stages, B)
            stages.append(slope(new, state))
            error = constant(size(combined(stages, E) * h / (atol + np.maximum(np.abs(y), np.abs(state)) * rtol)))
            factor = SAFETY * np.where(error == 0, 1.0, error) ** exponent
            if error < 1:
                growth = np.where(error == 0, MOST, np.minimum(MOST, factor))
                step = abs(h) * np.where(rejected, np.minimum(1.0, growth), growth)
                accepted = True
            else:
                step = abs(h) * np.maximum(LEAST, factor)
                rejected = True
    return new, state, h, stages, constant(step), failed


def combined(stages, weights):
    total = 0.0
    for stage, weight in zip(stages, weights, strict=False):
        if weight:
            total = total + weight * stage
    return total


@traced_as_users
def stepped(slope, t, end, y, f, step, tableau, control):
    """Return the times and states after each step."""
    direction = np.where(end >= t, 1.0, -1.0)
    t, failed = t + 0.0, False
    times, states = [t], [y]
    while direction * (t - end) < 0 and not failed:
        new, state, h, stages, step, failed = accepted_step(slope, t, end, y, f, step, tableau, control)
        if not failed:
            t, y, f = new, state, stages[-1]
            times.append(t)
            states.append(y)
    return np.array(times), np.array(states).T, failed


@traced_as_users
def sampled(slope, t, end, y, f, step, tableau, control, samples):
    """Return the states at some times, between steps by the method's interpolation."""
    direction = np.where(end >= t, 1.0, -1.0)
    t, failed, k = t + 0.0, False, 0
    states = np.zeros((len(y), len(samples)), y.dtype)
    while k < len(samples) and direction * (samples[k] - t) <= 0:
        states[:, k] = y
        k += 1
    while k < len(samples) and not failed:
        new, state, h, stages, step, failed = accepted_step(slope, t, end, y, f, step, tableau, control)
        if not failed:
            while k < len(samples) and direction * (samples[k] - new) <= 0:
                x = (samples[k] - t) / h
                states[:, k] = y + h * interpolated(stages, x, tableau[-1])
                k += 1
            t, y, f = new, state, stages[-1]
    return states, failed


def interpolated(stages, x, weights):
    """Return the sum of the stages, each times a polynomial in x that has no constant term."""
    total = 0.0
    for stage, row in zip(stages, weights, strict=True):
        total = total + stage * (x * (row[0] + x * (row[1] + x * (row[2] + x * row[3] if len(row) > 3 else row[2]))))
    return total
