"""``scipy.optimize``: roots of functions of one number that take traced values.

The root is found by iteration, of which no derivative is taken; steps of Newton's method from there give the derivatives up to the third order, by
the implicit function theorem. For systems see `systems`.
"""

from __future__ import annotations

from jitad.frontend.hooks.own_code import DERIVATIVES, traced_as_users
from jitad.frontend.numpy_api.operands import asarray
from jitad.frontend.scipy_api import minima
from jitad.frontend.scipy_api.options import refuse
from jitad.frontend.scipy_api.systems import ORDERS, Result, fsolve, root
from jitad.ir import errors


def slope(f, x):
    """Return the value and the derivative of a function."""
    return DERIVATIVES["jvp"](f, (x,), (1.0,))


@traced_as_users
def bracketed(f, a, b, absolute, relative, count):
    """Brent's method: a secant or a parabola through three points, or halves of the interval."""
    fa, fb = f(a), f(b)
    if fa * fb > 0:
        raise ValueError("f(a) and f(b) must have different signs")
    c, fc = a, fa
    step = before = b - a
    trips = 0
    while trips < count and fb != 0.0:
        if (fb > 0) == (fc > 0):
            c, fc = a, fa
            step = before = b - a
        if abs(fc) < abs(fb):
            a, b, c = b, c, b
            fa, fb, fc = fb, fc, fb
        least = 0.5 * (absolute + relative * abs(b))
        half = 0.5 * (c - b)
        if abs(half) <= least:
            break
        if abs(before) >= least and abs(fa) > abs(fb):
            s = fb / fa
            if a == c:
                p, q = 2 * half * s, 1 - s
            else:
                q, r = fa / fc, fb / fc
                p = s * (2 * half * q * (q - r) - (b - a) * (r - 1))
                q = (q - 1) * (r - 1) * (s - 1)
            if p > 0:
                q = -q
            else:
                p = -p
            if 2 * p < min(3 * half * q - abs(least * q), abs(before * q)):
                before, step = step, p / q
            else:
                before = step = half
        else:
            before = step = half
        a, fa = b, fb
        b = b + step if abs(step) > least else b + (least if half > 0 else -least)
        fb = f(b)
        trips += 1
    return b


@traced_as_users
def newton_steps(f, x, tolerance, relative, count):
    trips = 0
    step = tolerance + relative * abs(x) + 1.0
    while trips < count and abs(step) > tolerance + relative * abs(x):
        value, derivative = slope(f, x)
        if derivative == 0 and value != 0:
            raise RuntimeError("Derivative was zero.")
        step = 0.0 if value == 0 else value / derivative
        x = x - step
        trips += 1
    if abs(step) > tolerance + relative * abs(x):
        raise RuntimeError("Failed to converge")
    return x


@traced_as_users
def root_of(f, find):
    """Return the root that is found, which follows what `f` depends on: see `systems.polished`."""
    x = DERIVATIVES["none"](find)
    derivative = DERIVATIVES["none"](lambda: slope(f, x)[1])
    for _ in range(ORDERS):
        x = x - f(x) / derivative
    return x


def of_one(f, args):
    args = args if isinstance(args, tuple) else (args,)

    @traced_as_users
    def function(x):
        return f(x, *args)

    return function


def between(f, a, b, args=(), xtol=2e-12, rtol=8.881784197001252e-16, maxiter=100, full_output=False, disp=True):
    refuse("optimize", "use the root alone", full_output=(full_output, False))
    function = of_one(f, args)
    return root_of(function, lambda: bracketed(function, asarray(a)[()] + 0.0, asarray(b)[()] + 0.0, xtol, max(rtol, 4 * 2.0**-52), maxiter))


def newton(func, x0, fprime=None, args=(), tol=1.48e-8, maxiter=50, fprime2=None, x1=None, rtol=0.0, full_output=False, disp=True):
    """Newton's method with the derivative of the function itself, whatever is given."""
    refuse("optimize.newton", "use the root alone", full_output=(full_output, False))
    if asarray(x0).ndim:
        raise errors.NotImplementedError("scipy.optimize.newton of traced arrays: jitad finds one root; use a loop over the elements")
    function = of_one(func, args)
    return root_of(function, lambda: newton_steps(function, asarray(x0)[()] + 0.0, tol, rtol, maxiter))


BRACKETING = ("brentq", "brenth", "bisect", "ridder", "toms748")


def root_scalar(f, args=(), method=None, bracket=None, fprime=None, fprime2=None, x0=None, x1=None, xtol=None, rtol=None, maxiter=None, options=None):
    refuse("optimize.root_scalar", options=(options, None))
    if fprime is True:
        function = of_one(f, args)
        return root_scalar(lambda x: function(x)[0], (), method, bracket, None, None, x0, x1, xtol, rtol, maxiter)
    if bracket is not None and method in (None, *BRACKETING):
        given = {name: value for name, value in (("xtol", xtol), ("rtol", rtol), ("maxiter", maxiter)) if value is not None}
        return Result(root=between(f, *bracket, args, **given), converged=True, flag="converged")
    if x0 is None:
        raise errors.ValueError("Unable to select a solver as neither bracket nor starting point provided.")
    given = {name: value for name, value in (("tol", xtol), ("rtol", rtol), ("maxiter", maxiter)) if value is not None}
    return Result(root=newton(f, x0, args=args, **given), converged=True, flag="converged")


def refusing(name: str):
    def refused(*args, **kwargs):
        raise errors.NotImplementedError(f"scipy.optimize.{name} of a function with traced values, in a traced function; call it outside, or use "
                                         "minimize from a start near the minimum")

    return refused


REFUSED = ("basinhopping", "brute", "differential_evolution", "direct", "dual_annealing", "shgo")
FUNCTIONS = {**{name: refusing(name) for name in REFUSED}, **dict.fromkeys(BRACKETING, between), "newton": newton, "root_scalar": root_scalar,
             "fsolve": fsolve, "root": root, **minima.FUNCTIONS}
