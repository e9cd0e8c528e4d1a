"""What is called in the place of a function while a trace is running.

In: anything callable. Out: for a function of the user's, its rewritten form; for one of NumPy's or Python's that does not take
traced arrays, one that does; anything else is called as it is. Invariant: the replacement takes the same arguments and returns
what the original would, had it been given numbers.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import random
import types
from abc import ABCMeta
from collections.abc import Callable

import numpy as np

from jitad.frontend.control.bodies import check_running
from jitad.frontend.control.catching import attempts
from jitad.frontend.control.comprehensions import filtered
from jitad.frontend.control.vectorize import on_elements
from jitad.frontend.hooks.classes import instance_of, type_of
from jitad.frontend.hooks.introspection import attribute_reader, has_attribute
from jitad.frontend.hooks.operators import class_attribute, is_users
from jitad.frontend.hooks.own_code import FORMS
from jitad.frontend.hooks.seeds import SHARED, of_seeded, seeding
from jitad.frontend.numpy_api import BUILTINS, REDIRECTS
from jitad.frontend.numpy_api.polynomials import of_polynomials
from jitad.frontend.numpy_api.undispatched import reading_lists
from jitad.frontend.operations.promotion import contains_traced
from jitad.frontend.scipy_api import of_scipy, of_solver
from jitad.frontend.source.functions import is_rewritten, rewritten, rewritten_code
from jitad.frontend.source.sources import NoSource
from jitad.frontend.tracing.captures import CONTAINERS, Captures, active
from jitad.frontend.tracing.printing import method_of_stream
from jitad.frontend.tracing.trace import home_trace
from jitad.ir import errors
from jitad.ir.libraries import is_library

HIGHER_ORDER = frozenset([
    map, filter, sorted, min, max, functools.reduce, itertools.accumulate, itertools.dropwhile, itertools.filterfalse,
    itertools.groupby, itertools.starmap, itertools.takewhile, np.apply_along_axis, np.apply_over_axes, np.fromfunction])
KINDS = {
    "a generator": inspect.isgeneratorfunction, "a coroutine": inspect.iscoroutinefunction,
    "an asynchronous generator": inspect.isasyncgenfunction,
}  # fmt: skip
GENERATORS = (np.random.Generator, np.random.RandomState, random.Random)
OBSERVERS = frozenset([bool, complex, float, int, len])
FUNCTIONS = (type, types.FunctionType, types.BuiltinFunctionType, types.MethodType, functools.partial)


def rewrite(function: Callable) -> Callable:
    """Return the function to run in the place of the user's `function`, which a trace is about to run.

    Parameters
    ----------
    function
        Anything callable: functions, lambdas, methods, partial applications, objects with ``__call__``, Numba's dispatchers.
    """
    if isinstance(function, staticmethod):
        function = function.__func__
    if not callable(function):
        raise errors.TypeError(f"a function is needed, not {function!r}, which is a {type(function).__name__}")
    captures = active.captures or Captures()
    captures.watch(function)
    result = resolve(captures, function)
    for kind, is_kind in KINDS.items():
        if is_kind(result):
            raise errors.TypeError(f"{getattr(function, '__name__', function)} is {kind} function, which has no value to "
                                   "differentiate; write a function that returns an array, or a list of its results")
    return result


def resolve(captures: Captures, function):
    """Return what is called in the place of `function`."""
    rule = RULES.get(type(function))
    return rule(captures, function) if rule is not None else callable_object(captures, function)


def advanced(iterator, *default):
    check_running(iterator)
    return next(iterator, *default)


def replacement(captures: Captures, function):
    """Return what the tables of `numpy_api` have for a function, else the function."""
    found = REDIRECTS.get(function) or BUILTINS.get(function) or INTROSPECTION.get(function) or function
    if function in OBSERVERS:
        return functools.partial(observed, captures, function, found)
    return functools.partial(with_resolved, captures, found) if function in HIGHER_ORDER else found


def observed(captures: Captures, function, found, *args, **kwargs):
    """Call a builtin that says something of an object, and note what, if the object was reached from outside."""
    result = found(*args, **kwargs)
    if len(args) != 1 or kwargs or isinstance(args[0], CONTAINERS) or id(args[0]) not in captures.watched:
        return result
    return captures.read("call", args[0], function, result)


def with_resolved(captures: Captures, function, *args, **kwargs):
    """Call a function that calls those of its arguments that are functions."""
    args = [resolve(captures, arg) if isinstance(arg, FUNCTIONS) else arg for arg in args]
    kwargs = {name: resolve(captures, arg) if isinstance(arg, FUNCTIONS) else arg for name, arg in kwargs.items()}
    return function(*args, **kwargs)


# --- one rule for each kind of callable ---------------------------------------------------------------------------------------------


def python_function(captures: Captures, function: types.FunctionType):
    key = id(function), home_trace(), bool(attempts())
    known = captures.functions.get(key)
    if known is None:
        captures.functions[key] = function, function
        known = captures.functions[key] = function, find_form(captures, function)
    return known[1]


def find_form(captures: Captures, function: types.FunctionType):
    """Return the form of a function for the current trace: its defaults, for one, may be traced arrays of it."""
    found = replacement(captures, function)
    if found is not function or is_rewritten(function.__code__):
        return found
    wrapped = getattr(function, "__wrapped__", None)
    if is_library(function.__code__.co_filename) and not is_users(wrapped):
        return of_scipy(function) or of_polynomials(function) or function
    for name in ("__code__", "__defaults__", "__kwdefaults__"):
        captures.contents(captures.read("attribute", function, name, getattr(function, name)))
    return rewritten(captures, function, resolve)


def builtin(captures: Captures, function):
    found = method_of_stream(function) or of_solver(function)
    if found is not None:
        return found
    drawing = drawn(captures, function)
    if drawing is not None:
        return drawing
    if isinstance(function.__self__, np.ufunc):
        return reading_lists(function)
    return replacement(captures, function)


def drawn(captures: Captures, function) -> Callable | None:
    """Return what is called in the place of a method of a shared random number generator that the function has given a seed.

    To draw from a generator that lives longer than the trace, which would draw once for all calls, is refused.
    """
    source = function.__self__
    check_running(source)
    if not isinstance(source, GENERATORS):
        return None
    found = of_seeded(captures, function) if source in SHARED else None
    if found is None and (source in SHARED or id(source) in captures.watched):
        raise errors.TypeError(f"{function.__name__} draws random numbers while the function is traced: once, and not at each call; pass "
                               "the numbers as an argument, or give the seed, or make a generator with one, inside the function")
    return found


def extension(captures: Captures, function):
    """A function that was compiled by Cython."""
    return seeding(captures, np.random.rand.__self__) if function is np.random.seed else callable_object(captures, function)


def ufunc(captures: Captures, function: np.ufunc):
    return REDIRECTS.get(function) or reading_lists(function)


def dispatched(captures: Captures, function):
    of_polynomials(function)
    return replacement(captures, function)


def method(captures: Captures, bound: types.MethodType):
    drawing = drawn(captures, bound)
    if drawing is not None:
        return drawing
    function = resolve(captures, bound.__func__)
    return bound if function is bound.__func__ else types.MethodType(function, bound.__self__)


def partial(captures: Captures, function: functools.partial):
    args = [captures.contents(captures.taken(arg)) for arg in function.args]
    kwargs = {name: captures.contents(captures.taken(arg)) for name, arg in function.keywords.items()}
    return functools.partial(resolve(captures, function.func), *args, **kwargs)


def memoized(captures: Captures, function):
    """A function of ``functools.lru_cache``: traced values are neither looked up nor kept in its memory."""

    def call(*args, **kwargs):
        if contains_traced(args) or contains_traced(list(kwargs.values())):
            return resolve(captures, function.__wrapped__)(*args, **kwargs)
        return function(*args, **kwargs)

    return call


def class_(captures: Captures, cls: type):
    """A class: if it is one of the user's, the rewritten form of ``__init__`` is run on its new instance."""
    found = replacement(captures, cls)
    if found is cls and cls.__module__.startswith("scipy."):
        return of_scipy(cls) or cls
    initialize = cls.__init__
    if found is not cls or not is_users(initialize) or cls.__new__ is not object.__new__ or is_rewritten(initialize.__code__):
        return found
    if isinstance(rewritten_code(initialize.__code__, initialize.__globals__), NoSource):
        return cls

    def construct(*args, **kwargs):
        instance = object.__new__(cls)
        resolve(captures, initialize)(instance, *args, **kwargs)
        return instance

    return construct


def callable_object(captures: Captures, function):
    """An object with ``__call__``, or one of Numba's functions, which stand for the Python function inside."""
    cls = type(function)
    if cls.__module__.startswith("numba.") and isinstance(getattr(function, "__wrapped__", None), types.FunctionType):
        if cls.__name__ == "GUFunc":
            return function
        inner = resolve(captures, function.__wrapped__)
        return on_elements(inner, function) if cls.__name__ == "DUFunc" else inner
    if cls is np.vectorize and function.signature is None and not function.excluded:
        return on_elements(resolve(captures, function.pyfunc), function)
    call = class_attribute(cls, "__call__")
    if cls.__module__.startswith("scipy.") or cls.__name__ == "_Function":  # of SciPy's multimethods, such as scipy.fft.fft
        known = of_scipy(getattr(function, "__wrapped__", None) or call)
        return function if known is None else known if hasattr(function, "__wrapped__") else types.MethodType(known, function)
    if cls.__module__.startswith("numpy.polynomial."):
        return types.MethodType(of_polynomials(call), function)
    if is_users(call):
        return types.MethodType(resolve(captures, call), function)
    return function


INTROSPECTION = {next: advanced, filter: filtered, type: type_of, isinstance: instance_of, getattr: attribute_reader(resolve), hasattr: has_attribute}
RULES = {
    types.FunctionType: python_function,
    type(np.random.seed): extension,
    types.MethodType: method,
    functools.partial: partial,
    type(functools.lru_cache(lambda: None)): memoized,
    types.BuiltinFunctionType: builtin,
    types.MethodWrapperType: builtin,
    type(np.sum): dispatched,
    np.ufunc: ufunc,
    type: class_,
    ABCMeta: class_,
}
FORMS.append(lambda function: rewritten(active.captures, function, resolve))
