"""What is called in the place of SciPy's functions that are written in Python.

They are found by their names and modules, so that SciPy is not imported for them, and what stands for them is imported with the first of a package.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import sys
import types
from collections.abc import Callable
from numbers import Real

from jitad.frontend.arrays.memory_order import UNKNOWN
from jitad.frontend.numpy_api.memory import arrays_in
from jitad.frontend.numpy_api.operands import asarray
from jitad.frontend.operations.promotion import contains_traced, whole
from jitad.ir import errors

# By package of SciPy's, the module here in which `FUNCTIONS` has, by their names, what is called in the place of its functions, classes and methods.
MODULES = {
    "special": "special", "linalg": "linalg", "fft": "fourier", "signal": "signals", "ndimage": "images", "integrate": "integrals",
    "spatial": "distance", "interpolate": "interpolation", "stats": "statistics", "sparse": "sparse", "optimize": "roots",
}  # fmt: skip


def of_scipy(function: Callable) -> Callable | None:
    """Return what is called in the place of a function or a class, None if it is not SciPy's, or jitad does not know it."""
    library, _, rest = (getattr(inner(function), "__module__", None) or "").partition(".")
    module = MODULES.get(rest.partition(".")[0]) if library == "scipy" else None
    if module is None:
        return None
    known = importlib.import_module(f"jitad.frontend.scipy_api.{module}").FUNCTIONS.get(getattr(function, "__qualname__", None))
    if known is None:
        return refusing(function) if module == "sparse" and function.__name__ == function.__qualname__ else None

    def call(*args, **kwargs):
        args, kwargs = [read(x) for x in args], {name: read(x) for name, x in kwargs.items()}
        traced = any(map(depends, (*args, *kwargs.values())))
        if not traced and any(isinstance(x, types.FunctionType | types.MethodType | functools.partial) for x in (*args, *kwargs.values())):
            written = io.StringIO()  # SciPy's solvers in C report what they do not pass on
            try:
                with contextlib.redirect_stderr(written):
                    result = function(*args, **kwargs)
            except Exception as error:
                if not asks_for_values(error):
                    sys.stderr.write(written.getvalue())
                    raise
            else:
                sys.stderr.write(written.getvalue())
                return result
            traced = True  # the function takes traced values from elsewhere
        return uncertain(known(*args, **kwargs)) if traced else function(*args, **kwargs)

    return call


def refusing(function: Callable) -> Callable:
    """Return a function that takes matrices of SciPy's, but not jitad's."""

    @functools.wraps(function)
    def call(*args, **kwargs):
        if any(map(stands_for_scipys, (*args, *kwargs.values()))):
            raise errors.NotImplementedError(f"jitad does not know {function.__name__} of sparse matrices with traced elements; use a function of "
                                             "NumPy of matrix.toarray()")
        return function(*args, **kwargs)

    return call


def depends(x) -> bool:
    """Return whether something is traced, a nest with something traced, or an object of jitad's that stands for one of SciPy's."""
    return contains_traced(x) or (any(map(depends, x)) if isinstance(x, list | tuple) else stands_for_scipys(x))


def stands_for_scipys(x) -> bool:
    return type(x).__module__.startswith("jitad.frontend.scipy_api.")


def uncertain(result):
    """Note that it is not known in which order SciPy has the results of its functions in memory."""
    for x in arrays_in(result):
        if x.ndim > 1:
            x.lie_in(UNKNOWN)
    return result


def asks_for_values(error: BaseException | None) -> bool:
    """Return whether an exception comes of asking a traced array for its values."""
    if error is None or isinstance(error, errors.ConcreteValueError | errors.AttributeError) or type(error).__module__ == "_minpack":
        return error is not None
    return asks_for_values(error.__cause__ or error.__context__)


def read(x):
    """Return a list of numbers of which some are traced as an array."""
    x = whole(x)
    numbers = isinstance(x, list) and contains_traced(x) and all(isinstance(k, Real) or getattr(k, "shape", None) == () for k in x)
    return asarray(x) if numbers else x


def of_solver(method: Callable) -> Callable | None:
    """Return what is called in the place of the method of a sparse factorisation that solves systems, None if it is something else."""
    factors = method.__self__
    if type(factors).__name__ != "SuperLU" or method.__name__ != "solve":
        return None
    solved = importlib.import_module("jitad.frontend.scipy_api.sparse").solved
    return lambda rhs, trans="N": solved(factors, rhs, trans) if contains_traced(rhs) else method(rhs, trans)


def inner(function: Callable) -> Callable:
    return getattr(function, "__wrapped__", function)
