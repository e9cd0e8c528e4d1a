"""Python's own functions of numbers on traced values: those of ``math`` and ``cmath``, and builtins.

`BUILTINS` maps each to what the syntax rewriter calls in its place. The results stand for Python scalars, and so adapt to the
dtypes that they meet. Invariant: where no argument is traced, the replacement calls the original. Unlike Python, what has no value
(``math.sqrt(-1.0)``) gives NaN or infinity, and an exception only within a `try` statement that handles it.
"""

from __future__ import annotations

import builtins
import cmath
import functools
import math
import operator
from collections.abc import Callable, Iterator, MappingView

import numpy as np

from jitad.frontend.arrays.array import Array, is_traced, to_atom, wrap
from jitad.frontend.arrays.ragged import Ragged
from jitad.frontend.control.catching import catches
from jitad.frontend.control.raising import raise_where
from jitad.frontend.numpy_api.operands import asarray
from jitad.frontend.operations.promotion import cast, contains_traced, whole
from jitad.frontend.tracing.printing import MARK, shown
from jitad.ir import errors
from jitad.ir.types import BOOL
from jitad.primitives.declare import from_scipy

BUILTINS: dict[Callable, Callable] = {}


def replaces(*functions: Callable) -> Callable:
    """Enter the decorated function in `BUILTINS` for calls of these functions with traced arguments."""

    def register(replacement: Callable) -> Callable:
        for function in functions:
            BUILTINS[function] = guarded(function, replacement)
        return replacement

    return register


def guarded(function: Callable, replacement: Callable) -> Callable:
    @functools.wraps(function, updated=())
    def call(*args, **kwargs):
        if args and isinstance(args[0], Iterator | MappingView):
            args = list(args[0]), *args[1:]
        return replacement(*args, **kwargs) if contains_traced(args) else function(*args, **kwargs)

    return call


def scalar(x, dtype, name: str = "float") -> Array:
    """Return `x` as the Python scalar of a dtype, converted as Python's classes of numbers do."""
    origins = x.origins if is_traced(x) else frozenset()
    x = asarray(x)
    if x.ndim:
        raise errors.TypeError("only 0-dimensional arrays can be converted to Python scalars")
    if x.dtype.kind == "c" and np.dtype(dtype).kind not in "cb":
        raise errors.TypeError(f"{name}() argument must be a string or a real number, not 'complex'")
    return wrap(cast(to_atom(x), np.dtype(dtype)), weak=True, origins=origins)


def real(x) -> Array:
    return scalar(x, np.float64)


# --- math and cmath -----------------------------------------------------------------------------------------------------------

SAME_NAME = """
    cbrt copysign cos cosh degrees exp exp2 expm1 fabs fmod isfinite isinf isnan log10 log1p log2 radians sin sinh sqrt tan tanh
"""
UFUNCS = {
    **{name: getattr(np, name) for name in SAME_NAME.split()},
    "acos": np.arccos, "acosh": np.arccosh, "asin": np.arcsin, "asinh": np.arcsinh, "atan": np.arctan, "atan2": np.arctan2,
    "atanh": np.arctanh, "pow": np.power, "erf": from_scipy("erf"), "erfc": from_scipy("erfc"), "gamma": from_scipy("gamma"),
    "lgamma": from_scipy("gammaln"),
}  # fmt: skip


OUTSIDE = {  # where functions of real numbers have no value
    **dict.fromkeys(["log", "log10", "log2"], lambda x: x <= 0), "log1p": lambda x: x <= -1, "sqrt": lambda x: x < 0,
    **dict.fromkeys(["acos", "asin"], lambda x: abs(x) > 1), "acosh": lambda x: x < 1, "atanh": lambda x: abs(x) >= 1,
    **dict.fromkeys(["fmod", "remainder"], lambda x, y: y == 0), **dict.fromkeys(["cos", "sin", "tan"], np.isinf),
    "gamma": lambda x: (x <= 0) & (x == np.floor(x)), "lgamma": lambda x: (x <= 0) & (x == np.floor(x)),
    "pow": lambda x, y: (x < 0) & (y != np.floor(y)) | (x == 0) & (y < 0),
}  # fmt: skip


def on_scalars(ufunc: Callable, dtype, name: str = "") -> Callable:
    def function(*xs):
        xs = [scalar(x, dtype) for x in xs]
        if name in OUTSIDE and catches(ValueError):
            outside = OUTSIDE[name](*xs)
            raise_where(to_atom(outside), ValueError("math domain error"))
            xs = [np.where(outside, 2.0 if name == "acosh" else 0.5, x) for x in xs]
        result = wrap(to_atom(ufunc(*xs)), weak=True)
        if np.dtype(dtype).kind == "f" and catches(OverflowError):
            finite = functools.reduce(operator.and_, map(np.isfinite, xs))
            raise_where(to_atom(np.isinf(result) & finite), OverflowError("math range error"))
        return result

    return function


for module, dtype in ((math, np.float64), (cmath, np.complex128)):
    for name, ufunc in UFUNCS.items():
        if hasattr(module, name):
            replaces(getattr(module, name))(on_scalars(ufunc, dtype, name if module is math else ""))


def logarithm(dtype, name: str) -> Callable:
    def log(x, base=None):
        value = on_scalars(np.log, dtype, name)(x)
        return value if base is None else value / log(base)

    return log


replaces(math.log)(logarithm(np.float64, "log"))
replaces(cmath.log)(logarithm(np.complex128, ""))


def to_int(rounded: Callable) -> Callable:
    return lambda x: scalar(rounded(real(x)), np.int64)


replaces(math.floor)(to_int(np.floor))
replaces(math.ceil)(to_int(np.ceil))
replaces(math.trunc)(to_int(np.trunc))


@replaces(math.hypot)
def hypot(*coordinates):
    return on_scalars(np.sqrt, np.float64)(builtins.sum(real(x) * real(x) for x in coordinates))


@replaces(math.dist)
def dist(p, q):
    return hypot(*[real(x) - real(y) for x, y in zip(p, q, strict=True)])


@replaces(math.ldexp)
def ldexp(x, i):
    return real(x) * 2.0 ** real(i)


@replaces(math.remainder)
def remainder(x, y):
    x, y = real(x), real(y)
    return x - y * real(np.rint(x / y))


def folded(ufunc: np.ufunc, start: int):
    """Return a function of any number of integers."""
    return lambda *xs: functools.reduce(ufunc, xs, start) if len(xs) != 1 else np.absolute(xs[0])


for function, ufunc, start in ((math.gcd, np.gcd, 0), (math.lcm, np.lcm, 1)):
    replaces(function)(folded(ufunc, start))


@replaces(math.modf)
def modf(x):
    return tuple(map(real, np.modf(real(x))))


@replaces(math.frexp)
def frexp(x):
    part, power = np.frexp(real(x))
    return real(part), scalar(power, np.int64, "int")


@replaces(math.isclose)
def isclose(a, b, *, rel_tol=1e-09, abs_tol=0.0):
    a, b = real(a), real(b)
    tolerance = np.maximum(rel_tol * np.maximum(abs(a), abs(b)), abs_tol)
    return scalar((a == b) | np.isfinite(a) & np.isfinite(b) & (abs(a - b) <= tolerance), BOOL)


@replaces(math.prod)
def prod(iterable, /, *, start=1):
    return functools.reduce(operator.mul, iterable, start)


@replaces(math.fsum)
def fsum(seq, /):
    return builtins.sum(map(real, seq), 0.0)


@replaces(cmath.phase)
def phase(z, /):
    z = scalar(z, np.complex128)
    return real(np.arctan2(z.imag, z.real))


@replaces(cmath.polar)
def polar(z, /):
    return real(abs(scalar(z, np.complex128))), phase(z)


@replaces(cmath.rect)
def rect(r, phi, /):
    r, phi = real(r), real(phi)
    return to_complex(r * np.cos(phi), r * np.sin(phi))


# --- builtins -----------------------------------------------------------------------------------------------------------------


def from_text(cls: type, convert: Callable) -> None:
    """Redirect a class of numbers, which cannot read a text about what is only known at run time."""

    @functools.wraps(cls, updated=())
    def read(*args):
        if args and isinstance(args[0], str) and MARK.search(args[0]):
            raise errors.ControlFlowError(f"{cls.__name__}() of a text about a value that is only known when the compiled function runs; compute "
                                          "with the value itself, and round it by np.round")
        return convert(*args) if contains_traced(args) else cls(*args)

    BUILTINS[cls] = read


from_text(float, real)
from_text(int, lambda x: scalar(x, np.int64, "int"))


@replaces(bool)
def to_bool(x=False, /):
    return scalar(x, BOOL)


@replaces(complex)
def to_complex(real=0.0, imag=0.0):
    z = scalar(real, np.complex128)
    return z if not is_traced(imag) and imag == 0.0 else wrap(to_atom(z + scalar(imag, np.complex128) * 1j), weak=True)


@replaces(round)
def rounded(number, ndigits=None):
    """Round half to even, as Python does: without `ndigits` to an int."""
    if ndigits is None:
        return scalar(np.rint(number), np.int64)
    result = np.round(number, ndigits)
    return wrap(to_atom(result), weak=True) if number.weak is not None else result


@replaces(pow)
def power(base, exp, mod=None):
    return base**exp if mod is None else base**exp % mod


@replaces(sum)
def total(iterable, /, start=0):
    iterable = whole(iterable)
    if is_array(iterable):
        dtype = iterable.dtype if iterable.dtype.kind != "b" else np.int64
        added = np.sum(iterable, 0, dtype)
        return added if not is_traced(start) and isinstance(start, int) and start == 0 else start + added
    return builtins.sum(iterable, start)


def is_array(x) -> bool:
    return isinstance(x, Array | Ragged) and x.ndim > 0


def chosen(condition, x, y):
    """Return ``x if condition else y``: a Python scalar if both are."""
    if not is_traced(condition):
        return x if condition else y
    weak = all(z.weak is not None if is_traced(z) else not isinstance(z, np.generic | np.ndarray) for z in (x, y))
    return wrap(to_atom(np.where(condition, x, y)), weak=weak)


def extremum(function: Callable, wins: Callable) -> None:
    """Redirect ``max`` or ``min``: as in Python, the first of equal values is returned, and a NaN only where it comes first."""

    place = np.argmax if wins is operator.gt else np.argmin
    worst = -np.inf if wins is operator.gt else np.inf

    def best_of(x):
        if x.dtype.kind != "f":
            return x[place(x)]
        return chosen(np.isnan(x[0]), x[0], x[place(np.where(np.isnan(x), worst, x))])

    @replaces(function)
    def best(*args):
        if len(args) == 1 and is_array(whole(args[0])):
            return best_of(whole(args[0]))
        values = list(args if len(args) > 1 else args[0])
        result = values[0]
        for value in values[1:]:
            result = chosen(wins(value, result), value, result)
        return result


extremum(max, operator.gt)
extremum(min, operator.lt)


def quantifier(function: Callable, decisive: bool) -> None:
    """Redirect ``any`` or ``all``: elements are looked at up to the first one that is known and decides."""

    @functools.wraps(function)
    def quantified(iterable, /):
        result = not decisive
        for x in iterable:
            if is_traced(x):
                result = result | to_bool(x) if decisive else result & to_bool(x)
            elif bool(x) is decisive:
                return decisive
        return result

    BUILTINS[function] = quantified


BUILTINS[print] = shown
quantifier(any, True)
quantifier(all, False)


def error_state(**kwargs):
    """``np.errstate``: what asks for exceptions is refused in a `try` statement that handles them."""
    if "raise" in kwargs.values() and catches(FloatingPointError):
        raise errors.ControlFlowError("np.errstate cannot ask for exceptions here: the compiled function gives infinity or NaN, and no handler would "
                                      "run; test the results with np.isfinite")
    return np.errstate(**kwargs)


BUILTINS[np.errstate] = error_state
BUILTINS[np.isscalar] = lambda x: x.scalar if is_traced(x) else np.isscalar(x)
