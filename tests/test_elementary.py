"""Elementary functions of compiled kernels: their errors in units in the last place, their special values, their machine code.

The reference is mpmath. One kernel per dtype computes all functions.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import mpmath
import numpy as np
import pytest
from llvmlite.binding import get_host_cpu_features
from mpmath import mp, mpf

from jitad.ir.program import Program, Var
from jitad.ir.recorder import Recorder
from jitad.ir.registry import REGISTRY
from jitad.ir.source import Source
from jitad.ir.types import ArrayType
from jitad.pipeline import to_kernel
from jitad.runtime.execute import runner

PRECISION = 200
DTYPES = ("float64", "float32")
SPECIAL = (0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0)


@dataclass(frozen=True)
class Function:
    """A function under test.

    `bound` is the largest error allowed, in units in the last place of the exact value. `intervals` are (low, high) for uniform points, for
    doubles; those of single precision are cut to its range. `near` are points whose neighbourhood is sampled at all scales.
    """

    exact: Callable
    bound: float
    intervals: tuple = ((-10.0, 10.0),)
    near: tuple = (0.0,)
    more: Callable = lambda dtype: np.zeros(0, dtype)


def log_in_base(base):
    return lambda x: mp.log(x) / mp.log(base)


@cache
def nearest_to_multiples_of_half_pi(dtype: str) -> np.ndarray:
    """For each exponent e a number M 2**e very close to a multiple of pi/2: M is the denominator of a convergent of 2**e * 2/pi."""
    info, bits, found = np.finfo(dtype), 1400, []
    with mp.workprec(bits + 60):
        ratio = int(mp.floor(2 / mp.pi * mpf(2) ** bits))
    for e in range(-info.nmant, info.maxexp - info.nmant):
        numerator, denominator = 1 << bits, (ratio << e if e >= 0 else ratio >> -e) % (1 << bits)
        before, last = 0, 1
        while denominator:
            quotient, (numerator, denominator) = numerator // denominator, (denominator, numerator % denominator)
            before, last = last, quotient * last + before
            if last >= 2 ** (info.nmant + 1):
                break
        found.append(float(before) * 2.0**e)
    return np.array(found, dtype)


HALF_PI = tuple(float(n * mp.pi / 2) for n in (1, 2, 3, 51819, 2**20 + 1, 2**36 + 3))
ANGLES = ((-1.0, 1.0), (-100.0, 100.0), (-1e6, 1e6))
FUNCTIONS = {
    "exp": Function(mp.exp, 1, ((-1, 1), (-746, 710), (-746, -700), (709, 710), (-104, 89)), (0.0,)),
    "exp2": Function(lambda x: mpf(2) ** x, 4, ((-1, 1), (-1076, 1025), (-1076, -1000), (-150, 129)), (0.0,)),
    "expm1": Function(mp.expm1, 4, ((-1, 1), (-50, 710), (709, 710), (30, 50)), (0.0,)),
    "log": Function(mp.log, 1, ((0, 2), (0.6, 1.6), (0, 1e3)), (1.0,)),
    "log2": Function(log_in_base(2), 4, ((0, 2), (0.6, 1.6), (0, 1e3)), (1.0,)),
    "log10": Function(log_in_base(10), 4, ((0, 2), (0.6, 1.6), (0, 1e3)), (1.0,)),
    "log1p": Function(mp.log1p, 4, ((-1, 1), (0, 1e3)), (0.0, -1.0)),
    "sin": Function(mp.sin, 1, ANGLES, HALF_PI, nearest_to_multiples_of_half_pi),
    "cos": Function(mp.cos, 1, ANGLES, HALF_PI, nearest_to_multiples_of_half_pi),
    "tan": Function(mp.tan, 4, ANGLES, HALF_PI, nearest_to_multiples_of_half_pi),
    "sinh": Function(mp.sinh, 4, ((-1, 1), (-30, 30), (-711, 711), (709, 711)), (0.0,)),
    "cosh": Function(mp.cosh, 4, ((-1, 1), (-30, 30), (-711, 711), (709, 711)), (0.0,)),
    "tanh": Function(mp.tanh, 2, ((-1, 1), (-3, 3), (-20, 20)), (0.0,)),
}


def points(function: Function, dtype: str, count: int) -> np.ndarray:
    """Return about `count` arguments: in the intervals, around the special points, and over all binades."""
    rng, info = np.random.default_rng(count), np.finfo(dtype)
    integer = "u8" if info.bits == 64 else "u4"
    share = count // (len(function.intervals) + 2)
    parts = [rng.uniform(low, high, share) for low, high in function.intervals]
    centres = rng.choice(function.near, share)
    scale = np.where(centres == 0, 2.0 ** rng.uniform(info.minexp - info.nmant, 1, share), 2.0 ** rng.integers(-info.nmant, 0, share))
    parts.append(centres + rng.choice((-1.0, 0.0, 1.0), share) * scale * np.where(centres == 0, 1, np.abs(centres)))
    bits = rng.integers(0, 2**info.bits, share, dtype=integer).view(dtype)
    edges = np.array([info.tiny, info.smallest_subnormal, info.max, 1 - info.epsneg, 1 + info.eps], dtype)
    with np.errstate(over="ignore"):
        x = np.concatenate([*parts, centres]).astype(dtype)
    x = np.concatenate([x, bits, edges, -edges, function.more(dtype)])
    return x[np.isfinite(x)]


@cache
def kernel(dtype: str):
    """Return one function that computes everything in FUNCTIONS, each of its own arguments; their number is fixed."""
    with Recorder(Source("elementary functions", 1)) as recorder:
        inputs = [Var(ArrayType(np.dtype(dtype), (SIZE,))) for _ in FUNCTIONS]
        outputs = [recorder.record(REGISTRY[name], [x], {})[0] for name, x in zip(FUNCTIONS, inputs, strict=True)]
    return runner(to_kernel(Program(inputs, recorder.equations, outputs)))


SIZE = 1024


def compute(name: str, x: np.ndarray) -> np.ndarray:
    """Apply the compiled function to any number of arguments."""
    position, result = list(FUNCTIONS).index(name), np.empty_like(x)
    for start in range(0, len(x), SIZE):
        block = x[start : start + SIZE]
        padded = np.ones(SIZE, x.dtype)
        padded[: len(block)] = block
        other = np.ones(SIZE, x.dtype)
        values = kernel(x.dtype.name)(*[padded if k == position else other for k in range(len(FUNCTIONS))])[position]
        result[start : start + SIZE] = values[: len(block)]
    return result


def error(got: float, exact: mpf, info) -> float:
    """|got - exact| in units in the last place of the exact value; infinity counts as the power of two above the largest number."""
    _, exponent = mp.frexp(exact)
    unit = mpf(2) ** max(exponent - info.nmant - 1, info.minexp - info.nmant)
    got = mpf(2) ** info.maxexp * np.sign(got) if np.isinf(got) else mpf(float(got))
    if abs(exact) > mpf(2) ** info.maxexp:
        exact = mpf(2) ** info.maxexp * mp.sign(exact)
    return float(abs(got - exact) / unit)


def largest_error(name: str, dtype: str, count: int) -> tuple[float, float]:
    """Return the largest error and where it is, after checking that NaN comes exactly where the function is not real."""
    function, info = FUNCTIONS[name], np.finfo(dtype)
    x = points(function, dtype, count)
    worst = (0.0, 0.0)
    with mp.workprec(PRECISION):
        for argument, got in zip(x, compute(name, x), strict=True):
            exact = real_value(function.exact, mpf(float(argument)))
            assert np.isnan(got) == (exact is None), f"{name}({argument!r}) = {got!r}"
            if exact is not None and mp.isfinite(exact):
                worst = max(worst, (error(got, exact, info), float(argument)))
    return worst


def real_value(function, x: mpf):
    """Return the function's value, None where it is not real."""
    try:
        value = function(x)
    except (ValueError, ZeroDivisionError):
        return mpf("inf")
    return None if isinstance(value, mpmath.mpc) else value


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_error_is_within_the_bound(name, dtype):
    worst, where = largest_error(name, dtype, 400)
    assert worst <= FUNCTIONS[name].bound, f"{name}({where!r}): {worst:.2f} ulp"


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_error_is_within_the_bound_in_the_full_sweep(name, dtype):
    worst, where = largest_error(name, dtype, 40_000)
    print(f"{name} {dtype}: {worst:.2f}")
    assert worst <= FUNCTIONS[name].bound, f"{name}({where!r}): {worst:.2f} ulp"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_special_values_are_those_of_numpy(name, dtype):
    x = np.array(SPECIAL, dtype)
    with np.errstate(all="ignore"):
        want = getattr(np, name)(x)
    got = compute(name, x)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    np.testing.assert_array_equal(np.isinf(got), np.isinf(want))
    numbers = ~np.isnan(want)
    np.testing.assert_array_equal(np.signbit(got[numbers]), np.signbit(want[numbers]))
    np.testing.assert_array_equal(got[numbers] == 0, want[numbers] == 0)


def has_avx2() -> bool:
    return bool(get_host_cpu_features().get("avx2"))


@pytest.mark.skipif(not has_avx2(), reason="needs AVX2")
@pytest.mark.parametrize("name", ["exp", "log", "tanh", "sin", "cos"])
def test_loops_vectorise(name):
    with Recorder(Source(name, 1)) as recorder:
        x = Var(ArrayType(np.dtype("float64"), (1000,)))
        outputs = recorder.record(REGISTRY[name], [x], {})
    code = to_kernel(Program([x], recorder.equations, outputs)).assembly
    nest = re.search(r"\n\S*jitad_kernel_\d+\.0\S*:\n(.*?)\n\.Lfunc_end", code, re.DOTALL)[1]
    assert re.search(r"vfn?m\w+pd\s.*%[yz]mm", nest), "no packed arithmetic"
    calls = len(re.findall(r"\tcall", nest))
    guards = len(re.findall(rf"jitad\.{name}\.double\.large", nest))
    assert calls == 0 or guards, "calls a function for each element"
    assert re.search(rf"jitad\.{name}\.double\.large\.\d", nest) or not guards, "the guard is not vectorised"
