"""``scipy.optimize``: minima of functions that take traced values, and fits by least squares.

In: a function of the user's, a start, bounds. Out: the minimum that descent from there finds, to rounding, whatever method is asked for; of the way
no derivative is taken. The derivatives are those of the condition that holds there, by the implicit function theorem (see `systems.polished`): the
gradient is zero, or points out of the bounds at those that are reached. Invariant: where that condition is not met, or does not tell where the
minimum moves, the compiled function raises.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np

from jitad.frontend.hooks.own_code import DERIVATIVES, traced_as_users
from jitad.frontend.numpy_api.operands import asarray
from jitad.frontend.scipy_api.options import refuse
from jitad.frontend.scipy_api.systems import Result, constant, polished
from jitad.ir import errors

ENOUGH, CLOSE = 1e-4, 1e-7  # of the descent that the slope promises, for a step to be taken; of a last step that counts as none
UNDERIVED = "(scipy.optimize in a compiled function finds minima whose matrix of second derivatives is positive definite)"


def of_vector(f, args, shape=None):
    """Return a function of one vector, whose result is a vector if it is not to be a number."""
    args = args if isinstance(args, tuple) else (args,)

    @traced_as_users
    def function(x):
        return np.reshape(np.asarray(f(x, *args)) + 0.0, shape)

    return function


def limits(bounds, count: int):
    """Return the least and the greatest values that numbers may have, of pairs in which None stands for none, or an object of SciPy's."""
    if bounds is None:
        return np.full(count, -np.inf), np.full(count, np.inf)
    lower, upper = (bounds.lb, bounds.ub) if hasattr(bounds, "lb") else zip(*bounds, strict=True)
    if not hasattr(bounds, "lb"):
        lower, upper = [-np.inf if x is None else x for x in lower], [np.inf if x is None else x for x in upper]
    return broad(lower, count), broad(upper, count)


def broad(x, count: int):
    return np.broadcast_to(asarray(x) + 0.0, (count,)).copy()


@traced_as_users
def held(x, slope, lower, upper):
    """Return where a bound is reached that the way down would cross."""
    return ((x <= lower) & (slope > 0)) | ((x >= upper) & (slope < 0))


@traced_as_users
def descended(f, x, lower, upper, count):
    """The method of Broyden, Fletcher, Goldfarb and Shanno, along the bounds, each step halved until it leads down."""
    gradient = DERIVATIVES["gradient"]
    x = np.minimum(np.maximum(x, lower), upper)
    value, slope = f(x), gradient(f, x)
    inverse = np.eye(len(x)) / np.maximum(1.0, np.linalg.norm(slope))
    trips, going, fresh = 0, True, True
    while going and trips < count:
        free = np.where(held(x, slope, lower, upper), 0.0, 1.0)
        direction = -free * (inverse @ (free * slope))
        size, least, tries = 1.0, f(x), 0
        new = np.minimum(np.maximum(x + direction, lower), upper)
        value = f(new)
        while not value <= least + ENOUGH * np.sum(slope * (new - x)) and tries < 60:
            size, tries = 0.5 * size, tries + 1
            new = np.minimum(np.maximum(x + size * direction, lower), upper)
            value = f(new)
        failed = not value <= least
        if failed:
            going = not fresh
            inverse, fresh = np.eye(len(x)) / np.maximum(1.0, np.linalg.norm(slope)), True
        else:
            before, slope_before = x, slope
            x, slope = new, gradient(f, new)
            step, change = free * (x - before), free * (slope - slope_before)
            curvature = np.sum(step * change)
            if curvature > 1e-12 * np.linalg.norm(step) * np.linalg.norm(change):
                if fresh:
                    inverse = np.eye(len(x)) * (curvature / np.sum(change * change))
                moved = np.eye(len(x)) - np.outer(step, change) / curvature
                inverse, fresh = moved @ inverse @ moved.T + np.outer(step, step) / curvature, False
            going = np.max(abs(x - before) / (1.0 + abs(x))) > CLOSE
        trips += 1
    return x


@traced_as_users
def fitted(residuals, weigh, x, lower, upper, count):
    """Levenberg's and Marquardt's method, along the bounds, for residuals whose squares are weighed."""
    x = np.minimum(np.maximum(x, lower), upper)
    cost, damping, trips, going = np.sum(weigh(residuals(x) ** 2)), 1e-3, 0, True
    scale = np.zeros(len(x))
    while going and trips < count:
        rest, matrix = residuals(x), DERIVATIVES["jacobian"](residuals, x)
        weights = DERIVATIVES["gradient"](lambda squares: np.sum(weigh(squares)), rest**2)
        slope = matrix.T @ (weights * rest)
        square = matrix.T @ (weights[:, None] * matrix)
        free = np.where(held(x, slope, lower, upper), 0.0, 1.0)
        scale = np.maximum(scale, np.diag(square))
        square = square * free * free[:, None] + np.diag(damping * np.where(scale > 0.0, scale, 1.0) * free + (1.0 - free))
        new = np.minimum(np.maximum(x - np.linalg.solve(square, free * slope), lower), upper)
        after = np.sum(weigh(residuals(new) ** 2))
        moved = np.max(abs(new - x) / (1.0 + abs(x)))
        if after <= cost:
            x, cost, damping = new, after, np.maximum(0.2 * damping, 1e-15)
            going = moved > CLOSE
        else:
            damping = 4.0 * damping
            going = moved > 1e-14
        trips += 1
    return x


@traced_as_users
def settled(f, x, lower, upper):
    """Go on by Newton's method to rounding; return where, the matrix of second derivatives, and where bounds hold."""
    slope = DERIVATIVES["gradient"]
    trips, length, going = 0, np.inf, True
    matrix, bound = np.eye(len(x)), x < lower
    while going and trips < 20:
        down = slope(f, x)
        bound = held(x, down, lower, upper)
        free = np.where(bound, 0.0, 1.0)
        matrix = DERIVATIVES["jacobian"](lambda x: slope(f, x), x) * free * free[:, None] + np.diag(1.0 - free)
        going = bool(np.all(np.linalg.eigvalsh(matrix) > 0.0))
        if going:
            new = np.minimum(np.maximum(x - np.linalg.solve(matrix, free * down), lower), upper)
            before, length = length, np.max(abs(new - x) / (1.0 + abs(x)))
            going = length < 0.5 * before and length > 1e-15
            x = new if length < before or length <= CLOSE else x
        else:
            length = np.inf
        trips += 1
    return x, matrix, bound, length


def minimum(name, f, find: Callable, lower, upper):
    """Return the minimum near what is found, and follow what `f` and the bounds depend on."""

    @traced_as_users
    def checked():
        x, matrix, bound, length = settled(f, find(), lower, upper)
        if not length <= CLOSE:
            raise RuntimeError(f"scipy.optimize.{name}: no minimum was found at which the gradient is zero and moves with the place {UNDERIVED}")
        return x, matrix, bound

    x, matrix, bound = DERIVATIVES["none"](checked)

    @traced_as_users
    def condition(x):
        at = np.where(x <= constant(lower), lower, upper) if np.any(bound) else x
        return np.where(bound, x - at, DERIVATIVES["gradient"](f, x))

    return polished(condition, x, matrix)


def minimize(fun, x0, args=(), method=None, jac=None, hess=None, hessp=None, bounds=None, constraints=(), tol=None, callback=None, options=None):
    """Whatever the method, `tol`, `jac` and `hess`: the minimum is found to rounding, with the derivatives of the function itself."""
    refuse("optimize.minimize", "write an equation into the function, an inequality as a penalty", constraints=(constraints, ()))
    refuse("optimize.minimize", callback=(callback, None))
    start = constant(asarray(x0) + 0.0).reshape(-1)
    both = of_value(fun) if jac is True else fun
    f = of_vector(both, args, ())
    lower, upper = limits(bounds, len(start))
    count = (options or {}).get("maxiter") or 200 * (len(start) + 1)
    x = minimum("minimize", f, lambda: descended(f, start, lower, upper, count), lower, upper)
    return Result(x=x, fun=f(x), jac=DERIVATIVES["gradient"](f, x), status=0, message="the gradient is zero")


def of_value(f):
    """Return a function that gives the first of what another one does."""

    @traced_as_users
    def value(*args):
        return f(*args)[0]

    return value


LOSSES = {
    "linear": lambda z: z, "soft_l1": lambda z: 2 * (np.sqrt(1 + z) - 1), "huber": lambda z: np.where(z <= 1, z, 2 * np.sqrt(np.maximum(z, 1.0)) - 1),
    "cauchy": np.log1p, "arctan": np.arctan,
}  # fmt: skip


def least_squares(fun, x0, jac="2-point", bounds=(-np.inf, np.inf), method="trf", ftol=1e-8, xtol=1e-8, gtol=1e-8, x_scale=None, loss="linear",
                  f_scale=1.0, diff_step=None, tr_solver=None, tr_options=None, jac_sparsity=None, max_nfev=None, verbose=0, args=(), kwargs=None,
                  **others):
    """Whatever the method and the tolerances: the minimum is found to rounding, with the derivatives of the function itself."""
    refuse("optimize.least_squares", callback=(others.get("callback"), None))
    if loss not in LOSSES:
        raise errors.NotImplementedError(f"scipy.optimize.least_squares of a traced function: jitad does not know loss={loss!r}; use one of "
                                         f"{', '.join(LOSSES)}")
    start = constant(asarray(x0) + 0.0).reshape(-1)
    kwargs = kwargs or {}
    residuals = of_vector(lambda x, *args: fun(x, *args, **kwargs), args, -1)
    bounds = bounds if hasattr(bounds, "lb") else list(zip(*(broad(x, len(start)) for x in bounds), strict=True))
    lower, upper = limits(bounds, len(start))
    weigh = traced_as_users(lambda squares: f_scale**2 * LOSSES[loss](squares / f_scale**2))
    cost = traced_as_users(lambda x: 0.5 * np.sum(weigh(residuals(x) ** 2)))
    count = max_nfev or 100 * (len(start) + 1)
    x = minimum("least_squares", cost, lambda: fitted(residuals, weigh, start, lower, upper, count), lower, upper)
    return Result(x=x, cost=cost(x), fun=residuals(x), jac=DERIVATIVES["jacobian"](residuals, x), grad=DERIVATIVES["gradient"](cost, x), status=1,
                  message="the gradient is zero")


def leastsq(func, x0, args=(), Dfun=None, full_output=False, **options):  # noqa: N803
    refuse("optimize.leastsq", "use least_squares", full_output=(full_output, False))
    return least_squares(func, x0, args=args if isinstance(args, tuple) else (args,)).x, 1


def curve_fit(f, xdata, ydata, p0=None, sigma=None, absolute_sigma=False, check_finite=None, bounds=(-np.inf, np.inf), method=None, jac=None, *,
              full_output=False, nan_policy=None, **options):
    refuse("optimize.curve_fit", "use the parameters and their covariance", full_output=(full_output, False), nan_policy=(nan_policy, None))
    if p0 is None:
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        count = len([p for p in inspect.signature(f).parameters.values() if p.kind in kinds]) - 1
        p0 = np.ones(count) if not hasattr(bounds, "lb") and not np.isfinite(np.asarray(bounds, float)).any() else None
        if p0 is None:
            raise errors.NotImplementedError("scipy.optimize.curve_fit of traced values with bounds; pass a start p0=")
    ydata = asarray(ydata)
    factor = None if sigma is None or asarray(sigma).ndim < 2 else np.linalg.cholesky(asarray(sigma))

    @traced_as_users
    def residuals(p):
        rest = np.asarray(f(xdata, *p)) - ydata
        if factor is not None:
            return np.linalg.solve(factor, rest)
        return rest if sigma is None else rest / sigma

    fit = least_squares(residuals, p0, bounds=bounds)
    covariance = np.linalg.inv(fit.jac.T @ fit.jac)
    return fit.x, covariance if absolute_sigma else covariance * (2 * fit.cost / (len(fit.fun) - len(fit.x)))


# --- functions of one number ----------------------------------------------------------------------------------------------------------

GOLDEN = 0.5 * (3.0 - np.sqrt(5.0))


@traced_as_users
def bracketed(f, a, b):
    """Go down from two places until a third one lies higher; return the first and the last."""
    fa, fb = f(a), f(b)
    if fa < fb:
        a, b, fa, fb = b, a, fb, fa
    c = b + 1.618034 * (b - a)
    fc, trips = f(c), 0
    while fc < fb and trips < 110:
        a, b, fb = b, c, fc
        c = b + 1.618034 * (b - a)
        fc = f(c)
        trips += 1
    if fc < fb:
        raise RuntimeError("The algorithm terminated without finding a valid bracket.")
    return a, c


@traced_as_users
def between(f, a, b, inner):
    """Brent's method: parabolas through the three best places, or golden sections."""
    low, high = np.minimum(a, b), np.maximum(a, b)
    x = second = third = inner
    fx = fsecond = fthird = f(x)
    step = before = 0.0
    trips, going = 0, True
    while going and trips < 500:
        middle, least = 0.5 * (low + high), 1e-9 * abs(x) + 1e-11
        going = abs(x - middle) > 2 * least - 0.5 * (high - low)
        r, q = (x - second) * (fx - fthird), (x - third) * (fx - fsecond)
        p, q = (x - third) * q - (x - second) * r, 2 * (q - r)
        p, q = np.where(q > 0, -p, p), abs(q)
        sound = abs(before) > least and abs(p) < abs(0.5 * q * before) and q * (low - x) < p < q * (high - x)
        before = step if sound else (low - x if x >= middle else high - x)
        step = p / np.where(q == 0, 1.0, q) if sound else GOLDEN * before
        new = x + step if abs(step) >= least else x + np.where(step > 0, least, -least)
        value = f(new)
        if value <= fx:
            low, high = np.where(new >= x, x, low), np.where(new >= x, high, x)
            third, fthird, second, fsecond, x, fx = second, fsecond, x, fx, new, value
        else:
            low, high = np.where(new < x, new, low), np.where(new < x, high, new)
            if value <= fsecond or second == x:
                third, fthird, second, fsecond = second, fsecond, new, value
            elif value <= fthird or third in (x, second):
                third, fthird = new, value
        trips += 1
    return x


def minimize_scalar(fun, bracket=None, bounds=None, args=(), method=None, tol=None, options=None):
    f = of_vector(fun, args, ())
    bounded = bounds is not None
    if bounded and (method or "bounded").lower() != "bounded":
        raise errors.ValueError("Use of `bounds` is incompatible with 'method=" + str(method) + "'.")

    @traced_as_users
    def found():
        if bounded:
            first, last = bounds
            return between(f, first + 0.0, last + 0.0, first + GOLDEN * (last - first))
        if bracket is not None and len(bracket) == 3:
            return between(f, bracket[0] + 0.0, bracket[2] + 0.0, bracket[1] + 0.0)
        first, last = bracketed(f, *(x + 0.0 for x in bracket)) if bracket is not None else bracketed(f, 0.0, 1.0)
        return between(f, first, last, first + GOLDEN * (last - first))

    whole = of_vector(lambda x: f(x[0]), (), ())
    lower, upper = limits([bounds] if bounded else None, 1)
    x = minimum("minimize_scalar", whole, lambda: np.reshape(found(), 1), lower, upper)[0]
    return Result(x=x, fun=f(x), message="the derivative is zero")


def fixed_point(func, x0, args=(), xtol=1e-8, maxiter=500, method="del2"):
    """Steffensen's method."""
    start = constant(asarray(x0) + 0.0)
    f = of_vector(func, args, start.shape)

    @traced_as_users
    def found():
        x, trips, error = start, 0, np.inf
        while error > xtol and trips < maxiter:
            first = f(x)
            new = second = f(first)
            if method == "del2":
                bend = second - 2.0 * first + x
                new = np.where(bend == 0, second, x - (first - x) ** 2 / np.where(bend == 0, 1.0, bend))
            error = np.max(abs((new - x) / np.where(x == 0, 1.0, x)))
            x = new
            trips += 1
        if error > xtol:
            raise RuntimeError("Failed to converge")
        return x

    flat = of_vector(lambda x: np.reshape(x - f(np.reshape(x, start.shape)), -1), (), -1)
    x = DERIVATIVES["none"](found).reshape(-1)
    return polished(flat, x, DERIVATIVES["none"](lambda: DERIVATIVES["jacobian"](flat, x))).reshape(start.shape)[()]


def fmin(func, x0, args=(), *options, full_output=False, disp=True, **others):
    refuse("optimize", "use minimize", full_output=(full_output, False))
    return minimize(func, x0, args).x


def fmin_bfgs(f, x0, fprime=None, args=(), *options, full_output=False, disp=True, **others):
    return fmin(f, x0, args, full_output=full_output)


def fminbound(func, x1, x2, args=(), xtol=1e-5, maxfun=500, full_output=False, disp=1):
    refuse("optimize.fminbound", "use minimize_scalar", full_output=(full_output, False))
    return minimize_scalar(func, bounds=(x1, x2), args=args).x


FUNCTIONS = {function.__name__: function for function in (
    minimize, least_squares, leastsq, curve_fit, minimize_scalar, fixed_point, fmin, fmin_bfgs, fminbound)}
FUNCTIONS["fmin_cg"] = fmin_bfgs
