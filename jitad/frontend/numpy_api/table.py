"""The table from NumPy functions to what they do with traced arrays.

In: calls that NumPy hands over through ``__array_function__``. Out: `Array` values. Invariant: every error that leaves an
implementation is one of jitad's, whoever raised it, and is also of the type that NumPy would have raised.
"""

from __future__ import annotations

import builtins
import functools
import inspect
from collections.abc import Callable

import numpy as np

from jitad.frontend.arrays.array import FUNCTIONS, Array
from jitad.ir import errors

TRANSLATIONS = (
    (np.exceptions.AxisError, errors.AxisError),
    (np.linalg.LinAlgError, errors.LinAlgError),
    (builtins.IndexError, errors.IndexError),
    (builtins.ValueError, errors.ValueError),
    (builtins.NotImplementedError, errors.NotImplementedError),
    (builtins.TypeError, errors.TypeError),
)


def named(*names: str) -> list[Callable]:
    """Return the NumPy functions of these dotted names, without those that the installed version does not have yet."""
    found = []
    for name in names:
        function = functools.reduce(lambda place, part: getattr(place, part, None), name.split("."), np)
        if function is not None:
            found.append(function)
    return found


def public_name(function: Callable) -> str:
    """Return the name of a NumPy function as users write it."""
    module = getattr(function, "__module__", None) or "numpy"  # ufuncs of older versions have none
    return f"{module}.{function.__name__}".replace("numpy", "np", 1)


def implements(*functions: Callable) -> Callable:
    """Enter the decorated function in `FUNCTIONS` as the meaning of these NumPy functions.

    It takes NumPy's arguments under NumPy's names. A parameter `out` is filled from its result and never reaches it, nor
    do arguments that have NumPy's mark for "not given".
    """

    def register(implementation: Callable) -> Callable:
        for function in functions:
            FUNCTIONS[function] = entry(function, implementation)
        return FUNCTIONS[functions[0]] if functions else implementation

    return register


def entry(function: Callable, implementation: Callable) -> Callable:
    name, signature = public_name(function), inspect.signature(implementation)

    @functools.wraps(implementation)
    def call(*args, **kwargs):
        try:
            bound = signature.bind(*args, **kwargs)
        except builtins.TypeError as error:
            if accepts(function, args, kwargs):
                raise errors.NotImplementedError(f"{name} of a traced array: {error}; jitad does not know this argument") from None
            raise errors.TypeError(f"{name}: {error}") from None
        for key, value in list(bound.arguments.items()):
            if value is np._NoValue:
                del bound.arguments[key]
        out = bound.arguments.pop("out", None)
        try:
            result = implementation(*bound.args, **bound.kwargs)
            return result if out is None else store(name, result, out)
        except errors.JitadError:
            raise
        except Exception as error:
            raise translated(error) from None

    return call


def accepts(function: Callable, args: tuple, kwargs: dict) -> bool:
    """Return whether a function of NumPy has these parameters."""
    try:
        inspect.signature(function).bind(*args, **kwargs)
    except (builtins.TypeError, builtins.ValueError):  # they do not fit, or NumPy does not say
        return False
    return True


def store(name: str, result: Array, out) -> Array:
    """Write `result` to `out`, as NumPy's functions do, and return `out`."""
    if not isinstance(out, Array):
        raise errors.TypeError(f"{name}: out= is an array made outside the traced function, which cannot hold a traced result; "
                               "use the value that the function returns, or make the array inside with np.empty")
    if out.shape != result.shape:
        raise errors.ValueError(f"output array has wrong shape: {out.shape} for a result of shape {result.shape}")
    if not np.can_cast(result.dtype, out.dtype, "same_kind"):
        raise errors.TypeError(f"Cannot cast array data from {result.dtype!r} to {out.dtype!r} according to the rule 'same_kind'")
    out[...] = result
    return out


def translated(error: Exception) -> Exception:
    """Return jitad's error for one that NumPy's code raised; errors that are no statement about arguments stay as they are."""
    for kind, ours in TRANSLATIONS:
        if isinstance(error, kind):
            return ours(str(error))
    return error
