"""``scipy.integrate.solve_ivp`` and ``odeint``: initial value problems, by Runge-Kutta methods with steps of controlled size.

In: a function of the user's that is traced, a span and a state at its beginning. Out: the states. Steps are chosen when the compiled function runs:
those of SciPy for its explicit methods; methods for stiff systems, which change between orders or formulas, are all answered by Radau's (see `radau`)
with the same tolerances. Invariant: derivatives are those of the steps that were taken, whose sizes count as constants.
"""

from __future__ import annotations

import numpy as np

from jitad.frontend.arrays.array import Array, to_atom, wrap
from jitad.frontend.arrays.ragged import Ragged
from jitad.frontend.hooks.own_code import traced_as_users
from jitad.frontend.numpy_api.operands import asarray
from jitad.frontend.scipy_api import radau
from jitad.frontend.scipy_api.options import refuse
from jitad.frontend.scipy_api.roots import bracketed, root_of
from jitad.ir import errors
from jitad.primitives.custom import stop_gradient

SAFETY, LEAST, MOST = 0.9, 0.2, 10.0  # of the factor from one step's size to the next one's
EXPLICIT, STIFF = ("RK45", "RK23"), ("Radau", "BDF", "LSODA")
MESSAGE = "status is 0 if the end of the interval was reached, 1 if an event ended it, -1 if the steps became less than the spacing between numbers"
SLACK = 1.49012e-8  # by default, of odeint
EXACT = 4 * np.finfo(float).eps  # times of events


def solve_ivp(fun, t_span, y0, method="RK45", t_eval=None, dense_output=False, events=None, vectorized=False, args=None, **options):
    from scipy import integrate

    check(method, options)
    slope = slope_of(fun, args)
    (start, end), y = t_span, asarray(y0) + 0.0
    first = slope(start, y)
    steps, weights = stepper(method, slope, start, end, y, first, options)
    watched = [Event(event, args) for event in ([] if events is None else [events] if callable(events) else events)]
    sol, samples = None, None if t_eval is None else asarray(t_eval)
    if t_eval is not None and not watched and not dense_output:
        t, (states, failed), ended, found = t_eval, sampled(slope, steps, start, end, y, first, weights, samples), False, []
    else:
        times, states, sizes, pieces, failed, ended, found = stepped(slope, steps, start, end, y, first, weights, watched)
        sol = Interpolation(times, states, sizes, pieces, weights) if dense_output or t_eval is not None else None
        if t_eval is not None:
            if watched:
                direction = np.where(end >= start, 1.0, -1.0)
                samples = samples[: np.sum(direction * samples <= direction * times[-1])]
            t, states = samples, sol(samples)
        else:
            t, states = times, states.T
    return integrate._ivp.ivp.OdeResult(
        t=t, y=states, sol=sol if dense_output else None, t_events=[x for x, _ in found] if watched else None,
        y_events=[x for _, x in found] if watched else None, status=np.where(failed, -1, np.where(ended, 1, 0)), success=np.logical_not(failed),
        message=MESSAGE)


def odeint(func, y0, t, args=(), Dfun=None, col_deriv=0, full_output=0, ml=None, mu=None, rtol=None, atol=None, tcrit=None, h0=0.0, hmax=0.0,  # noqa: N803
           hmin=0.0, ixpr=0, mxstep=0, mxhnil=0, mxordn=12, mxords=5, printmessg=0, tfirst=False):
    refuse("integrate.odeint", "use the states alone", full_output=(full_output, 0), tcrit=(tcrit, None))
    args = args if isinstance(args, tuple) else (args,)
    slope = slope_of(func if tfirst else lambda t, y, *args: func(y, t, *args), args)
    samples, y = asarray(t) + 0.0, np.atleast_1d(asarray(y0) + 0.0)
    start, end = samples[0], samples[-1]
    first = slope(start, y)
    options = {"rtol": SLACK if rtol is None else rtol, "atol": SLACK if atol is None else atol, "max_step": hmax or np.inf,
               **({"first_step": h0} if h0 else {})}
    steps, weights = stepper("LSODA", slope, start, end, y, first, options)
    states, failed = sampled(slope, steps, start, end, y, first, weights, samples)

    @traced_as_users
    def checked(failed):
        if failed:
            raise RuntimeError("scipy.integrate.odeint: the steps became less than the spacing between numbers")

    checked(failed)
    return states.T


def check(method, options: dict) -> None:
    if method not in (*EXPLICIT, *STIFF):
        raise errors.NotImplementedError(f"solve_ivp by method {method!r} of a traced function; write method='RK45', 'RK23' or, for stiff systems, "
                                         "'Radau'")
    if unknown := set(options) - {"rtol", "atol", "max_step", "first_step", "jac", "jac_sparsity", "lband", "uband", "min_step"}:
        raise errors.NotImplementedError(f"solve_ivp of a traced function with {', '.join(sorted(unknown))}; leave it out")


def stepper(method: str, slope, start, end, y, first, options: dict):
    """Return what makes a step, and the weights by which it is interpolated."""
    from scipy import integrate

    rtol, atol = options.get("rtol", 1e-3), options.get("atol", 1e-6)
    tolerances = max(rtol, 100 * np.finfo(float).eps) if isinstance(rtol, float) else rtol, atol
    formula = getattr(integrate, method) if method in EXPLICIT else radau
    order = radau.ORDER_OF_ERROR if method in STIFF else formula.error_estimator_order
    limit, step = options.get("max_step", np.inf), options.get("first_step")
    if method in STIFF and np.result_type(y.dtype, first.dtype).kind == "c":
        raise errors.NotImplementedError(f"solve_ivp by method {method!r} of a traced function with complex values; write real and imaginary parts "
                                         "as states of their own")
    step = constant(first_step(slope, start, end, y, first, tolerances, limit, order) if step is None else step)
    if method in STIFF:
        return Steps(radau.implicit_step, step, (tolerances, limit)), radau.P
    tableau = [getattr(formula, name).tolist() for name in "ABCEP"]
    return Steps(explicit_step, step, (tolerances, limit, -1 / (order + 1), tableau)), tableau[-1]


class Steps:
    """A method, the size of its first step, and what it is told besides."""

    def __init__(self, make, first, control):
        self.make, self.first, self.control = make, first, control


class Event:
    """A function whose changes of sign are looked for."""

    def __init__(self, function, args):
        self.value = slope_of(function, args, ())
        terminal, self.direction = getattr(function, "terminal", False) or False, getattr(function, "direction", 0) or 0
        if terminal > 1:
            raise errors.NotImplementedError(f"an event of solve_ivp that ends the integration when it occurs for the {int(terminal)}th time; write "
                                             "terminal = True")
        self.terminal = bool(terminal)


def slope_of(fun, args, shape=None):
    @traced_as_users
    def slope(t, y):
        result = np.asarray(fun(t, y) if args is None else fun(t, y, *args))
        return result if shape is None else np.reshape(result, shape)

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
def explicit_step(slope, t, end, y, f, step, control):
    """Return the time, state and slope after a step, what interpolates it, the size to try next, and whether the steps have become too small."""
    (rtol, atol), limit, exponent, (A, B, C, E, _) = control  # noqa: N806
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
    return new, state, stages[-1], [h * stage for stage in stages], constant(step), failed


def combined(stages, weights):
    total = 0.0
    for stage, weight in zip(stages, weights, strict=False):
        if weight:
            total = total + weight * stage
    return total


@traced_as_users
def stepped(slope, steps, t, end, y, f, weights, events):
    """Return the times and states after each step, what interpolates the steps, whether they failed or an event ended them, and the events."""
    direction = np.where(end >= t, 1.0, -1.0)
    t, step, failed, ended = t + 0.0, steps.first, False, False
    times, states, sizes, pieces = [t], [y], [], []
    found = [([], []) for _ in events]
    while direction * (t - end) < 0 and not failed and not ended:
        new, state, f, piece, step, failed = steps.make(slope, t, end, y, f, step, steps.control)
        if not failed:
            last, crossings = new, [crossing(event, t, new, y, state, piece, weights) for event in events]
            for event, (where, crossed) in zip(events, crossings, strict=True):
                if event.terminal and crossed:
                    ended = True
                    last = np.minimum(direction * last, direction * where) * direction
            for (where, crossed), (at, values) in zip(crossings, found, strict=True):
                if crossed and direction * where <= direction * last:
                    at.append(where)
                    values.append(y + interpolated(piece, (where - t) / (new - t), weights))
            if ended:
                state = y + interpolated(piece, (last - t) / (new - t), weights)
            sizes.append(new - t)
            pieces.append(np.stack(piece))
            t, y = last, state
            times.append(t)
            states.append(y)
    return np.array(times), np.array(states), np.array(sizes), np.array(pieces), failed, ended, [(np.array(at), np.array(y)) for at, y in found]


@traced_as_users
def crossing(event, t, new, y, state, piece, weights):
    """Return when an event's function is zero within a step, and whether it changes its sign there."""
    before, after = event.value(t, y), event.value(new, state)
    rises, falls = (before <= 0) & (after >= 0), (before >= 0) & (after <= 0)
    crossed = rises if event.direction > 0 else falls if event.direction < 0 else rises | falls
    where = new + 0.0
    if crossed:
        def value(s):
            return event.value(s, y + interpolated(piece, (s - t) / (new - t), weights))

        where = root_of(value, lambda: bracketed(value, t, new, EXACT, EXACT, 100))
    return where, crossed


@traced_as_users
def sampled(slope, steps, t, end, y, f, weights, samples):
    """Return the states at some times, between steps by the method's interpolation, and whether the steps have become too small."""
    direction = np.where(end >= t, 1.0, -1.0)
    t, failed, k, step = t + 0.0, False, 0, steps.first
    states = np.zeros((len(y), len(samples)), np.result_type(y.dtype, f.dtype))
    while k < len(samples) and direction * (samples[k] - t) <= 0:
        states[:, k] = y
        k += 1
    while k < len(samples) and not failed:
        new, state, f, piece, step, failed = steps.make(slope, t, end, y, f, step, steps.control)
        if not failed:
            while k < len(samples) and direction * (samples[k] - new) <= 0:
                states[:, k] = y + interpolated(piece, (samples[k] - t) / (new - t), weights)
                k += 1
            t, y = new, state
    return states, failed


def interpolated(pieces, x, weights):
    """Return the sum of what a step is made of, each times a polynomial in x that has no constant term."""
    total = 0.0
    for piece, row in zip(pieces, weights, strict=True):
        factor = 0.0
        for weight in reversed(row):
            factor = (factor + weight) * x
        total = total + piece * factor
    return total


class Interpolation:
    """The solution as a function of time, by the interpolation of each step."""

    def __init__(self, times, states, sizes, pieces, weights):
        self.ts, self.states, self.sizes, self.pieces, self.weights = times, states, sizes, pieces, weights

    def __call__(self, t):
        t = t if isinstance(t, Ragged) else asarray(t)
        flat = t if t.ndim == 1 else np.ravel(t)
        ascending = self.sizes[0] >= 0
        sign = np.where(ascending, 1.0, -1.0)
        step = np.clip(np.searchsorted(sign * self.ts, sign * flat) - 1, 0, self.sizes.shape[0] - 1)
        x = ((flat - self.ts[step]) / self.sizes[step])[:, None]
        pieces = self.pieces[step]
        values = (self.states[step] + interpolated([pieces[:, k] for k in range(len(self.weights))], x, self.weights)).T
        return values if t.ndim == 1 else values.reshape(-1, *t.shape)
