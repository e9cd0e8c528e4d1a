"""Elementary functions of complex numbers in compiled kernels: their errors against mpmath, and the sides of their branch cuts."""

import numpy as np
import pytest
from mpmath import mp, mpc, mpf

import jitad

FUNCTIONS = {
    np.exp: mp.exp, np.exp2: lambda z: mpf(2) ** z, np.expm1: mp.expm1,
    np.log: mp.log, np.log2: lambda z: mp.log(z) / mp.log(2), np.log10: mp.log10, np.log1p: lambda z: mp.log(1 + z),
    np.sqrt: mp.sqrt, np.reciprocal: lambda z: 1 / z, np.abs: abs,
    np.sin: mp.sin, np.cos: mp.cos, np.tan: mp.tan, np.arcsin: mp.asin, np.arccos: mp.acos, np.arctan: mp.atan,
    np.sinh: mp.sinh, np.cosh: mp.cosh, np.tanh: mp.tanh, np.arcsinh: mp.asinh, np.arccosh: mp.acosh, np.arctanh: mp.atanh,
}  # fmt: skip
DTYPES = {"complex128": 200, "complex64": 60}


def every(z):
    """Apply all functions: one kernel for each dtype."""
    return [function(z) for function in FUNCTIONS]


compiled = jitad.jit(every)


def arguments(dtype: str, count: int) -> np.ndarray:
    """Numbers of moderate and of very different sizes, and numbers at all distances from the branch points."""
    rng = np.random.default_rng(count)
    info = np.finfo(dtype)
    angles = np.exp(2j * np.pi * rng.random(count))
    moderate = rng.uniform(-3, 3, count) + 1j * rng.uniform(-3, 3, count)
    spread = 2.0 ** rng.uniform(-info.maxexp / 3, 4, count) * angles
    centres = rng.choice([1, -1, 1j, -1j], count) + 2.0 ** rng.uniform(-info.nmant, -1, count) * angles
    return np.concatenate([moderate, spread, centres]).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_errors_are_a_few_units_in_the_last_place(dtype):
    z = arguments(dtype, DTYPES[dtype])
    with mp.workprec(400):
        for (function, exact), results in zip(FUNCTIONS.items(), compiled(z), strict=True):
            for x, got in zip(z, results, strict=True):
                want = exact(mpc(complex(x)))
                error = abs(mpc(complex(got)) - want) / abs(want) / np.finfo(dtype).eps
                assert error < 8, f"{function.__name__}({x!r}) = {got!r}, off by {float(error):.1f} ulp"


def test_cuts_and_signs_of_zeros_are_those_of_numpy():
    parts = np.array([0.0, -0.0, 0.5, -0.5, 2.0, -2.0])
    z = np.array([complex(x, y) for x in parts for y in parts if (abs(x), abs(y)) not in [(0, 0)]])
    for function, got in zip(FUNCTIONS, compiled(z), strict=True):
        want = function(z)
        np.testing.assert_allclose(got, want, rtol=1e-14, atol=1e-15, err_msg=function.__name__)
        for part in (np.real, np.imag):
            beside = np.abs(part(want)) > 1e-15
            np.testing.assert_array_equal(np.signbit(part(got))[beside], np.signbit(part(want))[beside], err_msg=function.__name__)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_derivatives_are_complex_derivatives(function):
    z = np.array([0.3 + 0.4j, -1.2 + 0.7j, 1.5 - 0.2j, -0.4 - 1.8j])
    for direction in (1, 1j):
        step = 1e-6 * direction
        numerical = (function(z + step) - function(z - step)) / 2e-6
        tangent = jitad.jvp(function, (z,), (np.full_like(z, direction),))[1]
        np.testing.assert_allclose(tangent, numerical, rtol=1e-8, atol=1e-9)
