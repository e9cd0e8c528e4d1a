"""Divisions: rounded as divisions are, of rows by one number each and at special values too; how many derivatives take."""

import numpy as np
import pytest

import jitad

SPECIAL = [0.0, 1.0, 3.0, 7.1, 0.1, np.inf, np.nan]


def extremes(dtype):
    info = np.finfo(dtype)
    small = [info.smallest_subnormal, 3 * info.smallest_subnormal, info.smallest_normal, info.smallest_normal / 3]
    values = np.array([*SPECIAL, info.max, info.max / 3, *small], dtype)
    return np.concatenate([values, -values])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_special_values(dtype):
    x = extremes(dtype)
    found = jitad.jit(lambda x, y: x / y[:, None])(x, x)
    with np.errstate(all="ignore"):
        expected = x / x[:, None]
    assert found.dtype == expected.dtype
    unit = np.finfo(dtype).smallest_subnormal
    near_zero = np.abs(expected) < np.finfo(dtype).smallest_normal
    assert np.array_equal(found[~near_zero], expected[~near_zero], equal_nan=True)
    assert np.all(np.abs(found[near_zero] - expected[near_zero]) <= unit)
    assert np.array_equal(np.signbit(found[expected == 0]), np.signbit(expected[expected == 0]))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rounding(dtype):
    rng = np.random.default_rng(1)
    x, y = (rng.uniform(0.5, 1, size).astype(dtype) * 2.0 ** rng.integers(-30, 30, size).astype(dtype) for size in (1000, 100))
    found = jitad.jit(lambda x, y: x / y[:, None])(x, y)
    assert np.mean(found != x / y[:, None]) < 1e-4
    assert np.allclose(found, x / y[:, None], rtol=1.01 * np.finfo(dtype).eps, atol=0)
    assert np.array_equal(jitad.jit(lambda x: x / 3)(x), x / 3)


def test_strict_divides():
    jitad.config.strict = True
    try:
        x = np.linspace(0.1, 1, 40)
        assert "fdiv" in jitad.show(lambda x, y: x / y, x, 3.0, stage="llvm").split("loop:")[-1]
    finally:
        jitad.config.strict = False


def test_derivatives_of_a_quotient_divide_once():
    x, y = np.linspace(1, 2, 40), np.linspace(2, 3, 40)

    def quotient(x, y):
        return x / y

    def squared(x, y):
        return np.sum(quotient(x, y) ** 2)

    tangent = jitad.show(lambda x, y, u, v: jitad.jvp(quotient, (x, y), (u, v)), x, y, y, x, stage="program")
    assert tangent.count("= div ") == 2
    assert jitad.show(jitad.grad(squared, argnums=(0, 1)), x, y, stage="program").count("= div ") == 2
    value, moved = jitad.jvp(quotient, (x, y), (y, x))
    assert np.allclose(value, x / y, rtol=1e-15) and np.allclose(moved, 1 - x**2 / y**2, rtol=1e-14, atol=1e-15)
    for gradient, expected in zip(jitad.grad(squared, argnums=(0, 1))(x, y), (2 * x / y**2, -2 * x**2 / y**3), strict=True):
        assert np.allclose(gradient, expected, rtol=1e-14)
