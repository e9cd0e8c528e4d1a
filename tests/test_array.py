"""Traced arrays against NumPy: operators and ufuncs of all dtypes, indices, views, and what Python asks of an array."""

import operator
import warnings

import numpy as np
import pytest
from scipy import special
from traced import check, compare, run

from jitad.frontend.operations.rules import RULES, SCIPY_RULES
from jitad.frontend.operations.special import LIBRARY
from jitad.ir import errors

rng = np.random.default_rng(3)
OPERANDS = {
    "f8": rng.uniform(0.2, 2, (2, 3)), "f4": rng.uniform(0.2, 2, (2, 3)).astype("f"), "c16": rng.uniform(0.2, 2, 3) + 0.3j,
    "c8": np.complex64([1 + 2j, 0.5, -1j]), "i8": np.array([3, 1, 2]), "i4": np.array([[1], [5]], "i4"), "u1": np.array([3, 200, 7], "u1"),
    "bool": np.array([True, False, True]), "0d": np.array(1.5), "f8 scalar": np.float64(0.7), "f4 scalar": np.float32(0.7),
    "i8 scalar": np.int64(2), "float": 1.25, "int": 3, "complex": 0.5 + 1j, "True": True,
}  # fmt: skip
OPERATORS = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow, divmod, operator.and_,
    operator.or_, operator.xor, operator.lshift, operator.rshift, operator.eq, operator.ne, operator.lt, operator.le, operator.gt,
    operator.ge,
]  # fmt: skip


def outcome(function, *args):
    """Return the result of `function`, or the exception it raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with np.errstate(all="ignore"):
                return function(*args)
        except (TypeError, ValueError, OverflowError) as error:
            return error


def undefined(result) -> bool:
    """Return whether NumPy gives no result, or one of a dtype that jitad does not have."""
    return isinstance(result, Exception) or any(np.asarray(x).dtype == np.float16 for x in np.atleast_1d(result))


def is_left_to_python(a, b) -> bool:
    """Return whether NumPy does not see the operation: a float64 is a float, so Python's int and complex deal with it."""
    return {type(a), type(b)} == {np.float64, complex} or (isinstance(a, int) and isinstance(b, int))


def orders_complex_numbers(function, *args) -> bool:
    return function in (operator.lt, operator.le, operator.gt, operator.ge) and any(np.iscomplexobj(x) for x in args)


@pytest.mark.parametrize("function", OPERATORS, ids=lambda f: f.__name__)
def test_binary_operators(function):
    """With every pair of kinds of operands; the second also from outside of the trace."""
    for a in OPERANDS.values():
        for b in OPERANDS.values():
            expected = outcome(function, a, b)
            if undefined(expected) or orders_complex_numbers(function, a, b):
                with pytest.raises((TypeError, ValueError, OverflowError)):
                    run(function, a, b)
            elif not is_left_to_python(a, b):
                compare(run(function, a, b), expected, 1e-13)
                if not isinstance(b, bool):
                    compare(run(lambda x: function(x, b), a), expected, 1e-13)  # noqa: B023
                    compare(run(lambda y: function(a, y), b), expected, 1e-13)  # noqa: B023


@pytest.mark.filterwarnings("ignore:Bitwise inversion:DeprecationWarning")  # of Python's bool, from 3.12 on
@pytest.mark.parametrize("function", [operator.neg, operator.pos, abs, operator.invert], ids=lambda f: f.__name__)
def test_unary_operators(function):
    for a in OPERANDS.values():
        expected = outcome(function, a)
        if undefined(expected):
            with pytest.raises(TypeError):
                run(function, a)
        else:
            compare(run(function, a), expected)


IN_PLACE = [operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ifloordiv, operator.imod, operator.ipow, operator.iand,
            operator.ior, operator.ixor, operator.ilshift, operator.irshift]  # fmt: skip


@pytest.mark.parametrize("function", IN_PLACE, ids=lambda f: f.__name__)
def test_operators_in_place(function):
    def change(a, b):
        other = a
        a = function(a, b)
        return a, other

    for a in OPERANDS.values():
        for b in OPERANDS.values():
            expected = outcome(change, a.copy() if isinstance(a, np.ndarray) else a, b)
            if isinstance(expected, Exception) or undefined(expected[0]):
                with pytest.raises((TypeError, ValueError, OverflowError)):
                    run(change, a, b)
            elif not is_left_to_python(a, b):
                compare(run(change, a, b), expected, 1e-13)


SAMPLES = {
    "?": [True, False, True], "b": [3, -2, 1], "B": [3, 200, 1], "h": [3, -300, 1], "i": [3, -2, 1], "l": [3, -2, 1], "f": [0.3, 0.8, 0.6],
    "d": [0.3, 0.8, 0.6], "F": [0.3 + 0.1j, 0.8, -0.6j], "D": [0.3 + 0.1j, 0.8, -0.6j],
}  # fmt: skip
REFUSED = {  # where NumPy has loops but jitad has no rule
    np.reciprocal: "?bBhil", np.signbit: "?bB", np.frexp: "?bB", **dict.fromkeys([
        np.maximum, np.minimum, np.fmax, np.fmin, np.less, np.less_equal, np.greater, np.greater_equal, special.erf, special.erfc,
        special.digamma, special.gamma, special.ndtr, special.log_ndtr], "FD"),
}  # fmt: skip
SEVERAL = "jve yve airy ellipj fresnel sici shichi inv_boxcox inv_boxcox1p sindg cosdg tandg radian"
# What SciPy's own code computes is in test_special.
UFUNCS = [*RULES, *[getattr(special, name) for name in SCIPY_RULES if name not in LIBRARY.split() and name not in SEVERAL.split()]]



@pytest.mark.parametrize("ufunc", UFUNCS, ids=lambda u: u.__name__)
def test_ufuncs(ufunc):
    for code, values in SAMPLES.items():
        x = np.array(values, code)
        args = (x, x[::-1])[:ufunc.nin] if ufunc is not np.ldexp else (x, np.array([1, -2, 3]))
        if ufunc is np.arccosh:
            args = (x + 1,) if code in "fdFD" else args
        expected = outcome(ufunc, *args)
        if undefined(expected) or code in REFUSED.get(ufunc, ""):
            with pytest.raises((TypeError, ValueError)):
                run(ufunc, *args)
        else:
            compare(run(ufunc, *args), expected, 1e-13)


EDGES = np.array([0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, np.inf, -np.inf, np.nan])
NOT_NEGATIVE = (special.beta, special.betaln)  # SciPy gives limits at some of the poles beyond


@pytest.mark.parametrize("ufunc", [u for u in UFUNCS if u not in (np.ldexp,)], ids=lambda u: u.__name__)
def test_ufuncs_at_the_edges(ufunc):
    edges = EDGES[~(EDGES < 0)] if ufunc in NOT_NEGATIVE else EDGES
    args = (edges,) if ufunc.nin == 1 else (np.repeat(edges, len(edges)), np.tile(edges, len(edges)))
    expected = outcome(ufunc, *args)
    if not isinstance(expected, Exception):
        compare(run(ufunc, *args), expected, 1e-13)


def test_arguments_of_ufuncs():
    x, y, mask = rng.standard_normal((2, 3)), rng.standard_normal(3), np.array([True, False, True])

    def into(x, y, mask):
        out = np.add(x, x)
        same = np.multiply(x, y, out=out)
        np.divide(x, y, out=out, where=mask)
        narrow = np.add(x, y, dtype=np.float32, casting="same_kind")
        whole, rest = np.add(x, 0), np.add(x, 0)
        np.divmod(x, y, out=(whole, rest))
        return out, same is out, narrow, whole, rest, np.subtract.outer(y, x), np.add(x, y, where=True), np.less(x, y, out=None)

    check(into, x, y, mask)
    check(lambda x: np.square(x, dtype=float), np.array([1, 2]))
    check(lambda x, y: (np.matmul(x, y), x @ y, y @ x.T, np.vecdot(x, y)), x, y)


REDUCED = [np.add, np.multiply, np.maximum, np.minimum, np.fmax, np.fmin, np.logaddexp, np.logaddexp2, np.hypot, np.logical_and,
           np.logical_or, np.logical_xor]  # fmt: skip


@pytest.mark.parametrize("ufunc", REDUCED, ids=lambda u: u.__name__)
def test_reduce(ufunc):
    for x in (rng.standard_normal((3, 4, 5)), rng.integers(-3, 3, (3, 2))):
        for axis in (0, -1, None, (0, 1)):
            check(lambda x: (ufunc.reduce(x, axis=axis), ufunc.reduce(x, axis=axis, keepdims=True)), x, rtol=1e-13)  # noqa: B023
    check(lambda x: ufunc.reduce(x), np.array([2.5]))


def test_other_methods_of_ufuncs():
    x, k = rng.standard_normal((3, 4)), np.array([2, 0, 2, 2])
    check(lambda x: [u.accumulate(x, axis=1) for u in (np.add, np.multiply, np.maximum, np.minimum)], x, rtol=1e-13)
    check(lambda x: (np.bitwise_and.reduce(x), np.bitwise_or.reduce(x), np.add.reduce(x, dtype=float), np.add.accumulate(x)), k)
    check(lambda x: (np.add.reduce(x, initial=2.0, where=x > 0), np.logaddexp.reduce(x, axis=(0, 1))), x)
    check(lambda x: np.logaddexp.reduce(x), np.array([-np.inf, -np.inf]))

    def added(x, k, v):
        np.add.at(x, k, v)
        np.subtract.at(x, (slice(None), k), 1)
        np.add.at(x, (0, slice(1, 3)), 5)
        np.add.at(x[::2], [True, False], v[1])
        return x

    def changed(x, k, v):
        np.multiply.at(x, k, v)
        np.sin.at(x, np.array([0, 0]))
        np.maximum.at(x, (np.array([0, 1]), np.array([1, 1])), np.array([0.2, 3.0]))
        return x, np.subtract.reduce(x, axis=1, keepdims=True), np.divide.accumulate(x), np.hypot.accumulate(x, axis=1)

    check(changed, x, k, rng.standard_normal((4, 4)))
    check(added, x, k, rng.standard_normal((4, 4)))
    for code in ("np.arctan2.reduce(x)", "np.add.reduceat(x, [0, 1], dtype=np.float32)", "np.power.reduce(x)",
                 "np.spacing(x)", "np.nextafter(x, x)"):  # fmt: skip
        with pytest.raises(errors.NotImplementedError, match=r"jitad does not know np\.\w+"):
            run(lambda x, n: eval(code), x, k)  # noqa: B023


def test_scalars_of_python_compute_as_python_does():
    def arithmetic(x, n, flag, z):
        return (x * 2, n / 2, n // 2, n % 2, n * 2.0, flag + flag, -flag, flag & flag, flag & n, n < 2, x == 1, n**2, n**-1, x**2, x**0.5,
                2**x, abs(z), abs(flag), z * n, divmod(n, 2), divmod(x, 0.3), n << 2, flag / 3, x.real, x.imag, z.real)  # fmt: skip

    check(arithmetic, 1.5, 3, True, 1 + 2j)
    check(lambda x, a: (a * x, x * a, a + 1, np.add(x, a), np.sin(x), np.add(x, 1), x + np.float32(1), np.multiply(x, x)),
          0.5, np.float32([1, 2]))  # fmt: skip


def test_powers():
    exponents = [0, 1, 2, 3, 7, -1, -2, 64, 65, 0.5, 2.0, -1.0, 1.5, np.float64(2), np.int64(3), 1j, np.float32(0.5), True, 1e300, np.inf]
    for base in (np.array([0.5, 2.0, -1.5]), np.float32([0.5, 2.0]), np.array([0.5 + 1j, 2.0])):
        for exponent in exponents:
            with np.errstate(all="ignore"):
                compare(run(lambda x: (x**exponent, np.power(x, exponent)), base), (base**exponent, np.power(base, exponent)), 1e-12)  # noqa: B023
    check(lambda x: (x**2, x**0, x**2.0, x**0.5, np.float_power(x, 2)), np.array([1, 2, 3]))
    with pytest.raises(ValueError, match="Integers to negative integer powers are not allowed"):
        run(lambda x: x**-1, np.array([1, 2]))
