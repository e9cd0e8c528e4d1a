"""Functions of each element that are not ufuncs, and comparisons of whole arrays."""

from __future__ import annotations

from collections.abc import Callable
from math import factorial

import numpy as np

from jitad.frontend.arrays.array import Array, promote, to_atom, wrap
from jitad.frontend.numpy_api.operands import asarray
from jitad.frontend.numpy_api.table import implements, named
from jitad.frontend.operations.promotion import contains_traced
from jitad.ir import errors
from jitad.primitives.elementwise.arithmetic import trunc
from jitad.primitives.elementwise.comparisons import maximum, minimum
from jitad.primitives.elementwise.complexes import complex_


def by_parts(function: Callable[[Array], Array], z: Array) -> Array:
    """Apply a function to the real and to the imaginary parts."""
    return wrap(complex_(to_atom(function(z.real)), to_atom(function(z.imag))))


@implements(np.clip)
def clip(a, a_min=None, a_max=None, out=None, *, min=None, max=None):
    low, high = (a_min if min is None else min), (a_max if max is None else max)
    given = [bound for bound in (low, high) if bound is not None]
    result, *bounds = promote(a, *given)
    if low is not None:
        result = maximum(result, bounds.pop(0))
    if high is not None:
        result = minimum(result, bounds.pop(0))
    return wrap(result)


@implements(np.round, np.around)
def round(a, decimals=0, out=None):
    a = asarray(a)
    if a.dtype.kind == "c":
        return by_parts(lambda part: np.round(part, decimals), a)
    if a.dtype.kind in "iu":
        return a.copy() if decimals >= 0 else (np.rint(a / 10**-decimals) * 10**-decimals).astype(a.dtype)
    if decimals == 0:
        return np.rint(a)
    power = 10.0 ** abs(decimals)
    return np.rint(a * power) / power if decimals > 0 else np.rint(a / power) * power


@implements(np.fix)
def fix(x, out=None):
    x = asarray(x)
    return wrap(trunc(to_atom(x))) if x.dtype.kind == "f" else x.copy()


@implements(np.nan_to_num)
def nan_to_num(x, copy=True, nan=0.0, posinf=None, neginf=None):
    x = asarray(x)
    if x.dtype.kind not in "fc":
        result = x
    elif x.dtype.kind == "c":
        result = by_parts(lambda part: np.nan_to_num(part, True, nan, posinf, neginf), x)
    else:
        limits = np.finfo(x.dtype)
        result = np.where(np.isnan(x), nan, x)
        result = np.where(x == np.inf, limits.max if posinf is None else posinf, result)
        result = np.where(x == -np.inf, limits.min if neginf is None else neginf, result)
    if copy:
        return result.copy()
    x[...] = result
    return x


SINC_SERIES = [(-1) ** k / factorial(2 * k + 1) for k in range(10)]


@implements(np.sinc)
def sinc(x):
    """sin(pi x) / (pi x); near 0 its series, whose derivatives of any order are exact."""
    y = np.pi * asarray(x)
    near = np.abs(y) < 1
    square, series = np.where(near, y, 0) ** 2, 0
    for coefficient in reversed(SINC_SERIES):
        series = series * square + coefficient
    far = np.where(near, 1, y)
    return np.where(near, series, np.sin(far) / far)


@implements(np.real)
def real(val):
    return asarray(val).real


@implements(np.imag)
def imag(val):
    return asarray(val).imag


@implements(np.real_if_close)
def real_if_close(a, tol=100):
    a = asarray(a)
    if a.dtype.kind != "c":
        return a
    raise errors.ConcreteValueError("np.real_if_close of a traced array: the dtype depends on values that are only known when the "
                                    "kernel runs; write np.real(a) if the imaginary part is to be dropped")


@implements(np.iscomplexobj)
def iscomplexobj(x):
    return asarray(x).dtype.kind == "c"


@implements(np.isrealobj)
def isrealobj(x):
    return asarray(x).dtype.kind != "c"


def infinite(name: str, x, sign) -> Array:
    x = asarray(x)
    if x.dtype.kind == "c":
        raise errors.TypeError(f"This operation is not supported for {x.dtype} values because it would be ambiguous.")
    return x == sign * np.inf


@implements(np.isposinf)
def isposinf(x, out=None):
    return infinite("isposinf", x, 1)


@implements(np.isneginf)
def isneginf(x, out=None):
    return infinite("isneginf", x, -1)


# --- comparing arrays -------------------------------------------------------------------------------------------------------


@implements(np.isclose)
def isclose(a, b, rtol=1e-05, atol=1e-08, equal_nan=False):
    x, y = (z if isinstance(z, int | float | complex) else asarray(z) for z in (a, b))
    y = asarray(y)
    if y.dtype.kind not in "fc":
        y = y.astype(np.float64)
    close = (abs(x - y) <= atol + rtol * abs(y)) & np.isfinite(y) | (x == y)
    return close | np.isnan(x) & np.isnan(y) if equal_nan else close


@implements(np.allclose)
def allclose(a, b, rtol=1e-05, atol=1e-08, equal_nan=False):
    return np.all(np.isclose(asarray(a), b, rtol, atol, equal_nan))


@implements(np.array_equal)
def array_equal(a1, a2, equal_nan=False):
    x, y = asarray(a1), asarray(a2)
    if x.shape != y.shape:
        return False
    same = x == y
    if equal_nan and x.dtype.kind in "fc" and y.dtype.kind in "fc":
        same = same | np.isnan(x) & np.isnan(y)
    return np.all(same)


@implements(np.array_equiv)
def array_equiv(a1, a2):
    try:
        x, y = np.broadcast_arrays(asarray(a1), asarray(a2))
    except errors.ValueError:
        return False
    return np.all(x == y)


@implements(np.isin)
def isin(element, test_elements, assume_unique=False, invert=False, *, kind=None):
    found = np.any(asarray(element)[..., None] == asarray(test_elements).ravel(), -1)
    return ~found if invert else found


# --- dtypes -----------------------------------------------------------------------------------------------------------------


@implements(np.result_type)
def result_type(*arrays_and_dtypes):
    return np.result_type(*[stand_in(x) for x in arrays_and_dtypes])


@implements(*named("astype"))
def astype(x, dtype, /, *, copy=True, device=None):
    return asarray(x).astype(dtype, copy=copy)


@implements(np.can_cast)
def can_cast(from_, to, casting="safe"):
    return np.can_cast(stand_in(from_), to, casting)


@implements(np.common_type)
def common_type(*arrays):
    return np.common_type(*[np.empty(0, asarray(x).dtype) for x in arrays])


def stand_in(x):
    """Return what NumPy promotes as it would a traced array: its dtype, or a Python number."""
    if not contains_traced(x):
        return x
    x = asarray(x) if isinstance(x, list | tuple) else x
    return x.weak(1) if x.weak is not None else x.dtype
