"""``scipy.optimize``: solutions of systems of equations that take traced values, by `fsolve` and `root`.

In: a function that gives as many numbers as it takes, and a start. Out: the solution, found by Powell's dogleg steps in a region that MINPACK's rules
make larger and smaller, with the function's own derivatives; of these steps no derivative is taken. Steps of Newton's method from there
give the derivatives, up to the third order, by the implicit function theorem.
"""

from __future__ import annotations

import numpy as np

from jitad.frontend.arrays.array import to_atom, wrap
from jitad.frontend.hooks.own_code import DERIVATIVES, traced_as_users
from jitad.frontend.numpy_api.operands import asarray
from jitad.frontend.scipy_api.options import refuse
from jitad.ir import errors
from jitad.primitives.custom import stop_gradient

ORDERS = 3  # of derivatives
FACTOR = 100.0  # of the first region, in lengths of the start


def linearized(f, x):
    """Return the value of a function and the matrix of its derivatives."""
    return f(x), DERIVATIVES["jacobian"](f, x)


@traced_as_users
def dogleg(value, matrix, scale, radius):
    """Return the step within the region towards Newton's, first along the steepest descent; lengths are measured in `scale`."""
    step = -np.linalg.solve(matrix, value)
    length = np.linalg.norm(scale * step)
    if length > radius:
        slope = matrix.T @ value / scale
        steepest = np.linalg.norm(slope)
        if steepest > 0.0:
            direction = slope / steepest / scale
            best = steepest / np.sum((matrix @ direction) ** 2)
            if best >= radius:
                step = -radius * direction
            else:
                down = -best * direction
                rest = step - down
                a, b, c = np.sum((scale * rest) ** 2), np.sum(scale**2 * down * rest), best**2 - radius**2
                step = down + (-b + np.sqrt(b * b - a * c)) / a * rest
        else:
            step = radius / length * step
    return step


@traced_as_users
def iterated(f, x, tolerance, count):
    value, matrix = linearized(f, x)
    scale = np.linalg.norm(matrix, axis=0)
    scale = np.where(scale == 0.0, 1.0, scale)
    radius = FACTOR * np.linalg.norm(scale * x)
    radius = FACTOR if radius == 0.0 else radius
    trips, going, slow, good = 0, True, 0, 0
    while going and trips < count:
        step = dogleg(value, matrix, scale, radius)
        length = np.linalg.norm(scale * step)
        if trips == 0:
            radius = min(radius, length)
        before, after = np.linalg.norm(value), np.linalg.norm(f(x + step))
        expected = np.linalg.norm(value + matrix @ step)
        gain = 1 - (after / before) ** 2 if after < 10 * before else -1.0
        promised = 1 - (expected / before) ** 2
        ratio = gain / promised if promised > 0 else 0.0
        good = good + 1 if ratio >= 0.1 else 0
        if not ratio >= 0.1:
            radius = 0.5 * radius
        elif abs(ratio - 1) <= 0.1:
            radius = 2 * length
        elif ratio >= 0.5 or good > 1:
            radius = max(radius, 2 * length)
        if ratio >= 1e-4 or after == 0.0:
            x = x + step
            value, matrix = linearized(f, x)
            scale = np.maximum(scale, np.linalg.norm(matrix, axis=0))
        slow = 0 if gain >= 1e-3 else slow + 1
        going = not (radius <= tolerance * np.linalg.norm(scale * x) or np.all(value == 0.0) or slow >= 20)
        trips += 1
    return x, radius <= tolerance * np.linalg.norm(scale * x) or np.all(value == 0.0)


@traced_as_users
def polished(f, x, matrix):
    """Return a root near x that follows what f depends on.

    Steps of Newton's method move x only by its error. With a matrix that is constant, the derivatives of `f` there, each step makes the derivatives
    of one more order those of the implicit function theorem.
    """
    for _ in range(ORDERS):
        x = x - np.linalg.solve(matrix, f(x))
    return x


def solution(name, func, x0, args, tolerance, count):
    args = args if isinstance(args, tuple) else (args,)
    start = asarray(x0)
    start = wrap(stop_gradient(to_atom(start.astype(float)))).reshape(-1)

    @traced_as_users
    def function(x):
        return np.ravel(np.asarray(func(x, *args)) + 0.0)

    @traced_as_users
    def found():
        x, converged = iterated(function, start, tolerance, count)
        if not converged:
            raise RuntimeError(f"scipy.optimize.{name}: the iteration is not making good progress")
        return x

    given = function(start).shape
    if given != start.shape:
        raise errors.TypeError(f"{name}: there is a mismatch between the input and output shape of the 'func' argument. Shape should be "
                               f"{start.shape} but it is {given}.")
    x = DERIVATIVES["none"](found)
    return polished(function, x, DERIVATIVES["none"](lambda: DERIVATIVES["jacobian"](function, x)))


def constant(x):
    """Return an array that derivatives take as a constant."""
    return wrap(stop_gradient(to_atom(asarray(x))), scalar=False)


def fsolve(func, x0, args=(), fprime=None, full_output=False, col_deriv=False, xtol=1.49012e-08, maxfev=0, band=None, epsfcn=None, factor=100,
           diag=None):
    """The derivatives are those of the function itself, whatever is given."""
    refuse("optimize.fsolve", "use the solution alone", full_output=(full_output, False), factor=(factor, 100), diag=(diag, None))
    return solution("fsolve", func, x0, args, xtol, maxfev or 200 * (asarray(x0).size + 1))


class Result:
    """What solvers return, as far as it is known."""

    def __init__(self, **known):
        vars(self).update(known)
        self.success = True

    def __getattr__(self, name):
        raise errors.AttributeError(f"jitad does not know {name!r} of what a solver of scipy.optimize found in a traced function; it knows "
                                    f"{', '.join(vars(self))}")


def root(fun, x0, args=(), method="hybr", jac=None, tol=None, callback=None, options=None):
    refuse("optimize.root", options=(options, None), callback=(callback, None))
    if method != "hybr":
        raise errors.NotImplementedError(f"scipy.optimize.root by method {method!r} of a traced function; write method='hybr'")
    args = args if isinstance(args, tuple) else (args,)
    function = (lambda x, *args: fun(x, *args)[0]) if jac is True else fun
    x = solution("root", function, x0, args, 1.49012e-08 if tol is None else tol, 200 * (asarray(x0).size + 1))
    return Result(x=x.reshape(np.shape(x0)), fun=asarray(function(x.reshape(np.shape(x0)), *args)), status=1)
