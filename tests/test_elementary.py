"""Elementary functions of compiled kernels: their errors in units in the last place, their special values, their machine code.

The reference is mpmath. One kernel per dtype computes all functions. `python tests/test_elementary.py` prints the table of
jitad/codegen/elementary/ACCURACY.md.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from llvmlite.binding import get_host_cpu_features
from mpmath import mp, mpf

from jitad.codegen.elementary import avx512, tabulated
from jitad.codegen.kernel import Kernel, compile_loops
from jitad.ir.program import Program, Var, literal
from jitad.ir.recorder import Recorder
from jitad.ir.registry import REGISTRY
from jitad.ir.source import Source
from jitad.ir.types import ArrayType
from jitad.pipeline import to_kernel, to_loops, to_text
from jitad.runtime.execute import runner

PRECISION = 200
SIZE = 1024
STRIDE = 1021
DTYPES = ("float64", "float32")
SPECIAL = (0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 1e-30, -1e-30, 1e30, -1e30)


# --- arguments ----------------------------------------------------------------------------------------------------------


def uniform(*intervals):
    """Arguments in intervals that suit doubles; what overflows in single precision is left out."""
    return lambda rng, info, count: np.concatenate([rng.uniform(low, high, count) for low, high in intervals])


def close_to(*centres):
    """Arguments around some numbers, at all distances; around 0 in all binades."""

    def draw(rng, info, count):
        centre = rng.choice(centres, count)
        relative = np.abs(centre) * 2.0 ** rng.integers(-info.nmant, 0, count)
        absolute = 2.0 ** rng.uniform(info.minexp - info.nmant, 1, count)
        return centre + rng.choice((-1.0, 0.0, 1.0), count) * np.where(centre == 0, absolute, relative)

    return draw


def any_bits(rng, info, count):
    """Arguments of every exponent, and the ends of the number line."""
    bits = rng.integers(0, 2**info.bits, count, dtype=f"u{info.bits // 8}").view(info.dtype)
    edges = np.array([info.tiny, info.smallest_subnormal, info.max, 1 - info.epsneg, 1 + info.eps], info.dtype)
    return np.concatenate([bits, edges, -edges])


def close_to_multiples_of_half_pi(rng, info, count):
    """For each exponent e a number M 2**e very close to a multiple of pi/2: M is the denominator of a convergent of 2**e * 2/pi."""
    bits, found = 1400, []
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
    return np.array(found)


def powers(rng, info, count):
    """Bases, and exponents with results in all binades; small bases with integer exponents."""
    base = np.concatenate([2.0 ** rng.uniform(info.minexp - info.nmant, info.maxexp, count), 1 + rng.uniform(-1, 1, count) ** 9])
    base = base.astype(info.dtype).astype(float)
    with np.errstate(divide="ignore"):
        exponent = rng.uniform(info.minexp - info.nmant - 1, info.maxexp, 2 * count) / np.log2(base)
    whole = rng.integers(-40, 40, count)
    return np.concatenate([base, rng.uniform(-10, 10, count)]), np.concatenate([exponent, whole])


def pairs(rng, info, count):
    """Pairs of numbers of any size that differ by less than a factor of 2**30."""
    x = 2.0 ** rng.uniform(info.minexp - info.nmant, info.maxexp - 0.1, count) * rng.choice((-1.0, 1.0), count)
    with np.errstate(over="ignore"):
        return x, x * 2.0 ** rng.uniform(-30, 30, count)


def exponents(rng, info, count):
    """Pairs of exponents, near each other and far apart; equal ones."""
    x = rng.uniform(-30, 30, count)
    return np.concatenate([x, x, x * 20]), np.concatenate([x + rng.normal(0, 3, count), x, rng.uniform(-600, 600, count)])


# --- functions and references -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Function:
    """`bound` is the largest error allowed, in units in the last place of the exact value, or of that of `terms` where it is larger.

    `draws` make the arguments. The terms are those whose difference the function is near its roots.
    """

    exact: Callable
    bound: float
    draws: tuple[Callable, ...]
    arity: int = 1
    terms: Callable = lambda *xs: 0


def log_in_base(base):
    return lambda x: mp.log(x) / mp.log(base)


def log_add_exp(base):
    """log(base**x + base**y) to that base; where one term is negligible it is the other."""

    def function(x, y):
        high, low = max(x, y), min(x, y)
        return high + mp.log1p(mpf(base) ** (low - high)) / mp.log(base) if high - low < 10_000 else high

    return function


def larger(x, y):
    """The size of the terms that cancel where the sum of exponentials is near 1."""
    return max(abs(x), abs(y)) if min(x, y) < 0 else 0


def gamma(x):
    """The gamma function, without values at its poles; what is beyond the range of numbers need not be computed."""
    if x < 0 and not mp.frac(x):
        return None
    return mpf(0) if x < -400 else mp.gamma(min(x, 400)) if x else mp.inf


def log_gamma(x):
    """log|gamma(x)|; mpmath's own logarithm of gamma is complex for x < 0, and slow for huge arguments."""
    if x < 0:
        return mp.log(mp.pi / abs(mp.sinpi(x))) - mp.loggamma(1 - x)
    return mp.loggamma(x)


def digamma(x):
    """The digamma function; it has no value at its poles, except at zero."""
    if x < 0:
        return mp.psi(0, 1 - x) - mp.pi * mp.cospi(x) / mp.sinpi(x) if mp.frac(x) else None
    return mp.psi(0, x)


def reflected_terms(function):
    """The larger term of the reflection formula, at least 1 below 5 where recurrences have terms of that size."""
    return lambda x: max(abs(function(1 - x)), abs((function(x) or 0) - function(1 - x)), 1) if x < 0 else 1 if x < 5 else 0


ANGLES = (uniform((-1, 1), (-100, 100), (-1e6, 1e6)), close_to(*[float(n * mp.pi / 2) for n in (1, 2, 3, 51819, 2**20 + 1, 2**36 + 3)]),
          close_to(0.0), close_to_multiples_of_half_pi, any_bits)  # fmt: skip
POSITIVE = (uniform((0, 2), (0.6, 1.6), (0, 1e3)), close_to(1.0, 2**0.5, 0.5**0.5), any_bits)
GROWING = (uniform((-1, 1), (-30, 30), (-711, 711), (709, 711), (88, 90)), close_to(0.0), any_bits)
UNIT = (uniform((-1, 1), (0.4, 0.6)), close_to(0.0, 0.5, 1.0, -1.0), any_bits)
REFLECTED = (uniform((-30, 0), (0, 3), (0, 10), (0, 1000)), close_to(0.0, 1.0, 2.0, 1.4616321449683623, -1.5, -3.0), any_bits)
CHANGES = [k * float(mp.log(2)) / 4 for k in range(-7, 8, 2)]  # where the power of two that exp(2 x) is reduced by changes
FUNCTIONS = {
    "exp": Function(mp.exp, 1, (uniform((-1, 1), (-746, 710), (-746, -700), (709, 710), (-104, 89)), close_to(0.0), any_bits)),
    "exp2": Function(lambda x: mpf(2) ** x, 4, (uniform((-1, 1), (-1076, 1025), (-1076, -1000), (-150, 129)), close_to(0.0), any_bits)),
    "expm1": Function(mp.expm1, 4, GROWING),
    "log": Function(mp.log, 1, POSITIVE),
    "log2": Function(log_in_base(2), 4, POSITIVE),
    "log10": Function(log_in_base(10), 4, POSITIVE),
    "log1p": Function(mp.log1p, 4, (uniform((-1, 1), (0, 1e3)), close_to(0.0, -1.0), any_bits)),
    "pow": Function(mp.power, 2, (powers, lambda *draw: (any_bits(*draw), any_bits(*draw))), arity=2),
    "sqrt": Function(mp.sqrt, 1, POSITIVE),
    "cbrt": Function(lambda x: mp.sign(x) * mp.cbrt(abs(x)), 4, (uniform((-8, 8)), close_to(1.0, 8.0), any_bits)),
    "hypot": Function(mp.hypot, 4, (pairs, lambda *draw: (any_bits(*draw), any_bits(*draw))), arity=2),
    "sin": Function(mp.sin, 1, ANGLES),
    "cos": Function(mp.cos, 1, ANGLES),
    "tan": Function(mp.tan, 4, ANGLES),
    "arcsin": Function(mp.asin, 4, UNIT),
    "arccos": Function(mp.acos, 4, UNIT),
    "arctan": Function(mp.atan, 4, (uniform((-1, 1), (-10, 10)), close_to(0.0, 1.0, 2**0.5 - 1, 2**0.5 + 1), any_bits)),
    "arctan2": Function(mp.atan2, 4, (pairs, lambda *draw: (any_bits(*draw), any_bits(*draw))), arity=2),
    "sinh": Function(mp.sinh, 4, GROWING),
    "cosh": Function(mp.cosh, 4, GROWING),
    "tanh": Function(mp.tanh, 2, (uniform((-1, 1), (-3, 3), (-20, 20)), close_to(0.0, 0.55, 0.125, 0.5, *CHANGES), any_bits)),
    "arcsinh": Function(mp.asinh, 4, (uniform((-1, 1), (-10, 10)), close_to(0.0, 2.0**30, 2.0**60), any_bits)),
    "arccosh": Function(mp.acosh, 4, (uniform((1, 2), (1, 100)), close_to(1.0, 2.0**30, 2.0**60), any_bits)),
    "arctanh": Function(mp.atanh, 4, UNIT),
    "erf": Function(mp.erf, 4, (uniform((-1, 1), (-7, 7)), close_to(0.0, 1.0), any_bits)),
    "erfc": Function(lambda x: mp.erfc(min(x, 1000)), 4, (uniform((-6, 6), (0, 0.1), (0, 11), (0, 28)), close_to(0.0), any_bits)),
    "expit": Function(lambda x: 1 / (1 + mp.exp(-x)), 4, GROWING),
    "logaddexp": Function(log_add_exp(mp.e), 4, (exponents, lambda *draw: (any_bits(*draw), any_bits(*draw))), arity=2, terms=larger),
    "logaddexp2": Function(log_add_exp(2), 4, (exponents, lambda *draw: (any_bits(*draw), any_bits(*draw))), arity=2, terms=larger),
    "gamma": Function(gamma, 5, (uniform((-30, 0), (0, 3), (0, 10), (0, 172), (0, 36)), close_to(0.0, 1.0, 5.25, -1.5), any_bits)),
    "gammaln": Function(log_gamma, 4, REFLECTED, terms=reflected_terms(log_gamma)),
    "digamma": Function(digamma, 4, REFLECTED, terms=reflected_terms(digamma)),
}


def arguments(function: Function, dtype: str, count: int) -> list[np.ndarray]:
    """Return arrays of finite arguments, about `count` in all."""
    rng, info = np.random.default_rng(count), np.finfo(dtype)
    drawn = [draw(rng, info, count // len(function.draws) // 2 + 1) for draw in function.draws]
    with np.errstate(over="ignore", invalid="ignore"):
        arrays = [np.concatenate(parts).astype(dtype) for parts in (zip(*drawn, strict=True) if function.arity == 2 else [drawn])]
    finite = np.all(np.isfinite(arrays), axis=0)
    return [x[finite] for x in arrays]


@cache
def kernel(dtype: str):
    """Return one compiled function that computes all FUNCTIONS of SIZE arguments each."""
    with Recorder(Source("elementary functions", 1)) as recorder:
        inputs = [[Var(ArrayType(np.dtype(dtype), (SIZE,))) for _ in range(function.arity)] for function in FUNCTIONS.values()]
        outputs = [recorder.record(REGISTRY[name], xs, {})[0] for name, xs in zip(FUNCTIONS, inputs, strict=True)]
    return runner(to_kernel(Program(sum(inputs, []), recorder.equations, outputs)))


def compute(name: str, *arrays: np.ndarray) -> np.ndarray:
    """Apply the compiled function to any number of arguments."""
    position, result = list(FUNCTIONS).index(name), np.empty_like(arrays[0])
    for start in range(0, len(result), SIZE):
        blocks = [np.ones(SIZE, x.dtype) for x in arrays]
        length = min(SIZE, len(result) - start)
        for block, x in zip(blocks, arrays, strict=True):
            block[:length] = x[start : start + length]
        other = np.ones(SIZE, result.dtype)
        inputs = sum([blocks if key == name else [other] * function.arity for key, function in FUNCTIONS.items()], [])
        result[start : start + length] = kernel(result.dtype.name)(*inputs)[position][:length]
    return result


def error(got: float, exact: mpf, terms: mpf, info) -> float:
    """|got - exact| in units in the last place of the larger of two values; infinity counts as the power of two above the largest number."""
    _, exponent = mp.frexp(max(abs(exact), terms))
    unit = mpf(2) ** max(exponent - info.nmant - 1, info.minexp - info.nmant)
    got = mpf(2) ** info.maxexp * np.sign(got) if np.isinf(got) else mpf(float(got))
    if abs(exact) > mpf(2) ** info.maxexp:
        exact = mpf(2) ** info.maxexp * mp.sign(exact)
    return float(abs(got - exact) / unit)


def largest_error(name: str, dtype: str, count: int, compute=compute) -> tuple[float, tuple[float, ...]]:
    """Return the largest error and where it is, after checking that NaN comes exactly where the function is not real."""
    function, info = FUNCTIONS[name], np.finfo(dtype)
    arrays = arguments(function, dtype, count)
    worst = (0.0, ())
    with mp.workprec(PRECISION):
        for *xs, got in zip(*arrays, compute(name, *arrays), strict=True):
            exact = real_value(function.exact, *[mpf(float(x)) for x in xs])
            assert np.isnan(got) == (exact is None), f"{name}{tuple(xs)} = {got!r}"
            if exact is not None and mp.isfinite(exact):
                terms = function.terms(*[mpf(float(x)) for x in xs])
                worst = max(worst, (error(got, exact, terms, info), tuple(map(float, xs))))
    return worst


def real_value(function, *xs: mpf):
    """Return the function's value, None where it is not real, infinity at poles."""
    try:
        value = function(*xs)
    except (ValueError, ZeroDivisionError):
        return mpf("inf")
    return None if isinstance(value, mp.mpc) else value


# --- tests --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_error_is_within_the_bound(name, dtype):
    worst, where = largest_error(name, dtype, 400)
    assert worst <= FUNCTIONS[name].bound, f"{name}{where}: {worst:.2f} ulp"


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_error_is_within_the_bound_in_the_full_sweep(name, dtype):
    worst, where = largest_error(name, dtype, 50_000)
    print(f"{name} {dtype}: {worst:.2f} at {where}")
    assert worst <= FUNCTIONS[name].bound, f"{name}{where}: {worst:.2f} ulp"


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, function in FUNCTIONS.items() if function.arity == 1 and function.terms(1.0) == 0])
def test_errors_in_single_precision_all_over_the_number_line(name):
    """Every `STRIDE`-th number of single precision there is, against double precision."""
    x, info = np.arange(0, 2**32, STRIDE, dtype=np.uint32).view(np.float32), np.finfo(np.float32)
    x = x[np.isfinite(x)]
    with Recorder(Source("elementary functions", 1)) as recorder:
        operand = Var(ArrayType(x.dtype, x.shape))
        results = recorder.record(REGISTRY[name], [operand], {})
    (got,) = runner(to_kernel(Program([operand], recorder.equations, results)))(x)
    with np.errstate(all="ignore"):
        exact = REGISTRY[name].evaluate(x.astype(float))
        _, exponents = np.frexp(exact)
        units = np.ldexp(1.0, np.maximum(exponents - info.nmant - 1, info.minexp - info.nmant))
        largest = 2.0**info.maxexp
        errors = np.abs(np.clip(got.astype(float), -largest, largest) - np.clip(exact, -largest, largest)) / units
    assert np.array_equal(np.isnan(got), np.isnan(exact))
    worst = np.argmax(np.where(np.isfinite(exact), errors, 0))
    assert errors[worst] <= FUNCTIONS[name].bound, f"{name}({x[worst]!r}): {errors[worst]:.2f} ulp"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_special_values_are_those_of_numpy(name, dtype):
    grid = np.meshgrid(*[np.array(SPECIAL, dtype)] * FUNCTIONS[name].arity)
    xs = [x.ravel() for x in grid]
    with np.errstate(all="ignore"):
        want = REGISTRY[name].evaluate(*xs)
    got = compute(name, *xs)
    for property in (np.isnan, np.isinf):
        np.testing.assert_array_equal(property(got), property(want))
    numbers = ~np.isnan(want)
    for property in (np.signbit, np.logical_not):
        np.testing.assert_array_equal(property(got[numbers]), property(want[numbers]))


def program_of_uses(name: str, dtype: str, uses: int) -> Program:
    """Return the Program that applies a function to x, x + 1, x + 2, ..."""
    with Recorder(Source(name, 1)) as recorder:
        x = Var(ArrayType(np.dtype(dtype), (1000,)))
        outputs = [recorder.record(REGISTRY[name], [x + float(k)], {})[0] for k in range(uses)]
    return Program([x], recorder.equations, outputs)


def code_of_first_nest(program: Program) -> str:
    return re.search(r"\njitad_kernel\.body\.\d+:\n(.*?)\n\.Lfunc_end", to_text(program, "asm"), re.DOTALL)[1]


needs_avx2 = pytest.mark.skipif(not get_host_cpu_features().get("avx2"), reason="needs AVX2")


@needs_avx2
@pytest.mark.parametrize("name", ["exp", "log", "tanh", "sin", "cos"])
def test_loops_vectorise(name):
    code = code_of_first_nest(program_of_uses(name, "float64", 1))
    assert re.search(r"vfn?m\w+pd\s.*%[yz]mm", code), "no packed arithmetic"
    called = set(re.findall(rf"jitad\.{name}\.double\.rare\S*\b", code))
    assert "\tcall" not in code or any(name[-1].isdigit() for name in called), f"calls a function for each element: {called}"


@needs_avx2
@pytest.mark.parametrize("name", ["exp", "sin"])
def test_many_uses_are_calls_of_vector_functions(name):
    code = code_of_first_nest(program_of_uses(name, "float64", 8))
    assert re.search(rf"jitad\.{name}\.double\.\d", code)


def test_many_uses_with_the_same_second_operand():
    with Recorder(Source("powers", 1)) as recorder:
        x = Var(ArrayType(np.dtype(float), ()))
        outputs = [recorder.record(REGISTRY["pow"], [x + float(k), literal(1.5, float)], {})[0] for k in range(8)]
    results = runner(to_kernel(Program([x], recorder.equations, outputs)))(0.25)
    np.testing.assert_allclose(results, (0.25 + np.arange(8)) ** 1.5, rtol=1e-15)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["exp", "log", "log1p", "sin", "tanh", "erfc"])
def test_many_uses_compute_what_one_computes(name, dtype):
    x = np.geomspace(1e-5, 1e20, 1000).astype(dtype)
    many = runner(to_kernel(program_of_uses(name, dtype, 8)))(x)
    for k, got in enumerate(many):
        np.testing.assert_array_equal(got, compute(name, x + np.dtype(dtype).type(k)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", tabulated.TABLE)
def test_functions_by_table_are_accurate_on_processors_that_hold_no_tables(name, dtype, monkeypatch):
    def compute(name, *arrays):
        with Recorder(Source("without tables", 1)) as recorder:
            inputs = [Var(ArrayType(x.dtype, x.shape)) for x in arrays]
            outputs = recorder.record(REGISTRY[name], inputs, {})
        code = compile_loops(to_loops(Program(inputs, recorder.equations, outputs)), f"{name}_{dtype}_without_tables")
        return runner(Kernel(code, [x.type for x in inputs], [x.type for x in outputs]))(*arrays)[0]

    monkeypatch.setattr(avx512, "available", lambda: False)
    worst, where = largest_error(name, dtype, 2000, compute)
    assert worst <= FUNCTIONS[name].bound, f"{name}{where}: {worst:.2f} ulp"


@pytest.mark.parametrize("dtype", DTYPES)
def test_logarithms_of_powers_of_the_base_are_whole(dtype):
    info = np.finfo(dtype)
    for name, powers in (("log2", np.arange(info.minexp - info.nmant, info.maxexp)), ("log10", np.arange(int(info.precision * 1.5)))):
        x = np.array([float(int(name[3:])) ** float(k) for k in powers], dtype)
        np.testing.assert_array_equal(compute(name, x), powers)


def test_code_without_loops_has_no_vector_functions():
    names = ["exp", "log", "sin", "cos", "tan", "tanh", "erf", "gammaln", "digamma"]
    with Recorder(Source("scalars", 1)) as recorder:
        x = Var(ArrayType(np.dtype(float), ()))
        outputs = [recorder.record(REGISTRY[name], [x], {})[0] for name in names]
    program = Program([x], recorder.equations, outputs)
    assert "<" not in "".join(re.findall(r"^define.*", to_text(program, "llvm"), re.M)), "a function of vectors"
    run = runner(to_kernel(program))
    for value in (0.7, -2.5, 1e22):
        np.testing.assert_array_equal(run(value), [compute(name, np.array([value]))[0] for name in names])


def print_table(count: int) -> None:
    print("| function | double precision | single precision | promised |", "|---|--:|--:|--:|", sep="\n")
    for name, function in FUNCTIONS.items():
        errors = [largest_error(name, dtype, count)[0] for dtype in DTYPES]
        print(f"| `{name}` |", " | ".join(f"{worst:.2f}" for worst in errors), f"| {function.bound} |")


if __name__ == "__main__":
    print_table(50_000)
