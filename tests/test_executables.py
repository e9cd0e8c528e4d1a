"""Compiled functions called from compiled code: Numba's, its parallel loops, and C's."""

import ctypes
from ctypes import POINTER, c_double, c_int

import numba
import numpy as np
import pytest
from numba.core.errors import TypingError
from scipy import LowLevelCallable, integrate

import jitad
from jitad import grad, jit, value_and_grad

X = np.array([0.3, 0.7, 1.1])


def model(x, scale):
    return scale * np.sum(np.sin(x) * x)


def slope(x, scale):
    return scale * (np.cos(x) * x + np.sin(x))


def pointer(x):
    return x.ctypes.data_as(POINTER(c_double))


# --- Numba --------------------------------------------------------------------------------------------------------------------------


def test_results_are_new_or_go_where_they_are_told():
    executable = jitad.compile(value_and_grad(model, (0, 1)), X, 2.0)
    assert [str(type) for type in executable.inputs] == ["f64[3]", "f64[]"] and len(executable.outputs) == 3
    kernel = executable.kernel

    @numba.njit
    def caller(x, scale, out):
        new = kernel(x, scale)
        return new, kernel(x, scale, out)

    out = np.empty(3)
    (value, gradient, by_scale), rest = caller(X, 2.0, out)
    assert (value, by_scale) == rest and value == pytest.approx(model(X, 2.0)) and by_scale == pytest.approx(model(X, 1.0))
    np.testing.assert_allclose(gradient, slope(X, 2.0))
    np.testing.assert_array_equal(out, gradient)
    assert executable(X, 3.0)[0] == pytest.approx(model(X, 3.0)) and kernel(X, 3)[0] == pytest.approx(model(X, 3.0))


def test_one_result_is_returned_as_it_is():
    gradient, total = jitad.compile(grad(model), X, 1.0).kernel, jitad.compile(jit(model), X, 1.0).kernel
    caller = numba.njit(lambda x, out: (gradient(x, 1.0), gradient(x, 1.0, out), total(x, 1.0)))
    out = np.empty(3)
    new, nothing, value = caller(X, out)
    assert nothing is None and value == pytest.approx(model(X, 1.0))
    np.testing.assert_allclose(new, slope(X, 1.0))
    np.testing.assert_array_equal(out, new)


def test_arrays_for_results_have_memory_of_their_own():
    gradient = jitad.compile(grad(model), X, 1.0).kernel
    caller = numba.njit(lambda x, out: gradient(x, 1.0, out))
    memory = np.linspace(0.5, 1.0, 8)
    with pytest.raises(ValueError, match="shares memory with argument 0"):
        caller(memory[:3], memory[2:5])
    caller(memory[:3], memory[3:6])
    np.testing.assert_allclose(memory[3:6], slope(memory[:3], 1.0))


def test_dtypes():
    def function(a, b, n, z, flag):
        return a * n, b & flag, z * np.conj(z) + 1j * n, np.logical_not(flag), n * 2

    args = np.arange(3, dtype="f"), np.array([True, False]), np.int64(3), 1.0 + 2.0j, True
    kernel = jitad.compile(jit(function), *args).kernel
    found = numba.njit(lambda a, b, n, z, flag: kernel(a, b, n, z, flag))(*args)
    for got, wanted in zip(found, jit(function)(*args), strict=True):
        np.testing.assert_array_equal(got, wanted)
        assert np.asarray(got).dtype.kind == np.asarray(wanted).dtype.kind


def test_leaves_of_containers():
    def function(parameters, kind):
        return {"s": parameters["w"] @ parameters["b"][0] if kind == "dot" else 0.0, "r": (parameters["w"] * 2, None)}

    kernel = jitad.compile(jit(function), {"w": X, "b": [X]}, "dot").kernel
    total, double = numba.njit(lambda w, b: kernel(w, b))(X, X + 1)
    assert total == pytest.approx(X @ (X + 1))
    np.testing.assert_array_equal(double, X * 2)


def test_threads_have_memory_of_their_own():
    """The body needs much more workspace than fits on the stack."""
    def chain(x):
        for _ in range(30):
            x = np.sin(np.cumsum(x)) + x
        return np.sum(x**2)

    points = np.random.default_rng(0).uniform(0, 1, (40, 200))
    executable = jitad.compile(grad(chain), points[0])
    assert executable.compiled.work_bytes > 10_000
    kernel = executable.kernel

    @numba.njit(parallel=True)
    def gradients(points):
        filled, new = np.empty_like(points), np.empty_like(points)
        for k in numba.prange(len(points)):
            kernel(points[k], filled[k])
            new[k] = kernel(points[k])
        return filled, new

    expected = np.array([executable(x) for x in points])
    for found in gradients(points):
        np.testing.assert_array_equal(found, expected)


def test_errors_reach_the_caller():
    def pick(x, k):
        return x[k] + np.linalg.solve(np.eye(3) * x, x)

    kernel = jitad.compile(jit(pick), X, 1).kernel
    caller = numba.njit(lambda x, k: kernel(x, k))
    with pytest.raises(IndexError, match="out of bounds for axis 0 with size 3") as raised:
        caller(X, 3)
    assert raised.value.source == (__file__, pick.__code__.co_firstlineno + 1)
    with pytest.raises(np.linalg.LinAlgError, match="Singular"):
        caller(X * 0, 1)
    with pytest.raises(ValueError, match="argument 0 of a kernel of jitad has another shape"):
        caller(np.ones(4), 1)
    for args, words in [((X.astype("f"), 1), "array of float64"), ((np.ones((3, 3)), 1), "1 dimensions"), ((np.ones(6)[::2], 1), "C-contiguous"),
                        ((X, X), "a number as argument 1"), ((X,), "takes 2 arguments, or 3"), ((X, 1, X.astype("f")), "a writable C-cont")]:
        with pytest.raises(TypingError, match=words):
            kernel(*args)


def test_arrays_from_outside_are_read_at_each_call():
    weights = np.ones(3)
    executable = jitad.compile(jit(lambda x: x * weights), X)
    c_function, out = executable.ctypes, np.empty(3)
    for factor in (1, 2):
        weights[:] = factor
        np.testing.assert_array_equal(executable.kernel(X), X * factor)
        assert c_function(pointer(X), pointer(out)) == 0
        np.testing.assert_array_equal(out, X * factor)
    spread = np.ones(6)[::2]
    with pytest.raises(ValueError, match="ascontiguousarray"):
        jitad.compile(jit(lambda x: x * spread), X)


def test_changes_in_place_are_refused():
    def change(x):
        x += 1
        return x

    with pytest.raises(NotImplementedError, match="in place"):
        jitad.compile(jit(change), X)


# --- C ------------------------------------------------------------------------------------------------------------------------------


def test_integrals_by_scipy():
    derivative = jitad.compile(grad(lambda t: np.sin(t) * t), 1.0).ctypes
    assert integrate.quad(LowLevelCallable(derivative), 0, 2)[0] == pytest.approx(np.sin(2.0) * 2, rel=1e-12)
    density = jitad.compile(jit(lambda p: p[0] * np.exp(-p[0] * p[1])), np.ones(2)).ctypes
    assert LowLevelCallable(density).signature == "double (int, double *)"
    assert integrate.nquad(LowLevelCallable(density), [[0, 1], [0, 2]])[0] == pytest.approx(1 - (1 - np.exp(-2)) / 2, rel=1e-10)
    assert np.isnan(density(3, pointer(np.ones(3))))


def test_pointers_and_failures():
    function = jitad.compile(value_and_grad(model, (0, 1)), X, 2.0).ctypes
    assert function.argtypes == (POINTER(c_double), c_double, *[POINTER(c_double)] * 3) and function.restype is c_int
    value, gradient, by_scale = np.empty(()), np.empty(3), np.empty(())
    assert function(pointer(X), 2.0, pointer(value), pointer(gradient), pointer(by_scale)) == 0
    assert value == pytest.approx(model(X, 2.0))
    np.testing.assert_allclose(gradient, slope(X, 2.0))
    root = jitad.compile(jit(lambda a, b: np.linalg.solve(a, b)[0]), np.eye(2), np.ones(2)).ctypes
    assert root(pointer(2 * np.eye(2)), pointer(np.ones(2))) == 0.5 and np.isnan(root(pointer(np.zeros((2, 2))), pointer(np.ones(2))))
    count = jitad.compile(jit(lambda x, k: x[k]), np.arange(3), 1).ctypes
    x = np.array([4, 5, 6])
    assert count(x.ctypes.data_as(POINTER(ctypes.c_int64)), 2) == 6 and count(x.ctypes.data_as(POINTER(ctypes.c_int64)), 7) == 0
    with pytest.raises(TypeError, match="complex"):
        jitad.compile(jit(lambda z: z * 2), 1j).ctypes  # noqa: B018


def test_memory_to_work_in():
    chain = jitad.compile(grad(lambda x: np.sum(np.sin(np.cumsum(np.sort(np.exp(np.cumsum(x))))))), np.ones(2000))
    assert chain.compiled.work_bytes
    x, out = np.linspace(0, 1e-3, 2000), np.empty(2000)
    assert chain.ctypes(pointer(x), pointer(out)) == 0
    np.testing.assert_array_equal(out, chain(x))
