"""Kernels are found again and never go stale; any array may be an input; threads may share a compiled function."""

import gc
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from counted import expect, nothing_new

import jitad
from jitad import grad, hvp, jit, jvp, linearize, value_and_grad, vjp

X = np.array([0.3, 0.7, 1.1])
counters = jitad.config.counters


# --- what is part of the signature --------------------------------------------------------------------------------------------------


def test_a_second_call_traces_and_compiles_nothing():
    function = grad(lambda x: np.sum(np.sin(x)))
    with expect(1, 1):
        function(X)
    calls = counters.calls
    with nothing_new():
        np.testing.assert_allclose(function(X + 1), np.cos(X + 1))
    assert counters.calls == calls + 1
    with expect(1, 1):
        np.testing.assert_allclose(function(np.ones(4)), np.cos(np.ones(4)))
    with expect(1, 1):
        function(X.astype("f"))
    with nothing_new():
        function(X), function(np.zeros(4)), function(X.astype("f"))


def test_functions_that_take_no_decorator_are_remembered():
    square = lambda x: np.sum(x**2)  # noqa: E731
    calls = [lambda: jvp(square, (X,), (X,)), lambda: vjp(square, X)[1](1.0), lambda: linearize(square, X)[1](X),
             lambda: hvp(square, (X,), (X,))]
    for call in calls:
        call()
    with nothing_new():
        for call in calls:
            call()


def test_scalars_are_values():
    function = grad(lambda x, scale: np.sum(x) * scale)
    for number in (1.0, 3, np.array(1.0), np.float32(1), True):
        function(X, number)
    with nothing_new():
        for number in (2.0, -0.0, np.inf, 5, -(2**40), np.array(2.5), np.float32(2), False):
            np.testing.assert_array_equal(function(X, number), np.full(3, float(number)))


def test_structure_is_part_of_the_signature():
    function = jit(lambda t: sum(t["x"]) if isinstance(t, dict) else t[0] * 2)
    assert function((1.0,)) == 2 and function([1.0]) == 2 and function({"x": (1.0, 2.0)}) == 3 and function({"x": [1.0]}) == 1
    with nothing_new():
        assert function((3.0,)) == 6 and function({"x": (4.0, 2.0)}) == 6
    order = jit(lambda t: [t[key] * k for k, key in enumerate(t)])
    assert order({"a": 1.0, "b": 2.0}) == [0, 2] and order({"b": 2.0, "a": 1.0}) == [0, 1]


def test_strings_and_functions_are_part_of_the_signature():
    function = jit(lambda x, how, name: how(x) if name == "yes" else x)
    np.testing.assert_allclose(function(X, np.sin, "yes"), np.sin(X))
    np.testing.assert_allclose(function(X, np.cos, "yes"), np.cos(X))
    np.testing.assert_allclose(function(X, np.cos, "no"), X)
    with nothing_new():
        np.testing.assert_allclose(function(X + 1, np.sin, "yes"), np.sin(X + 1))


@pytest.mark.parametrize("make", [int, np.int64, np.int32, np.array], ids=lambda make: make.__name__)
def test_integers_become_static_when_they_decide(make):
    slicing, creating = jit(lambda x, n: x[:n]), jit(lambda x, n: np.zeros(n + 1) + x[0])
    unrolled, deciding = grad(lambda x, n: sum(x**k for k in range(n))), jit(lambda x, n: x if n > 2 else -x)
    for n in (1, 3, 1):
        np.testing.assert_array_equal(slicing(X, make(n)), X[:n])
        assert creating(X, make(n)).shape == (n + 1,)
        np.testing.assert_allclose(unrolled(2.0, make(n)), sum(k * 2.0 ** (k - 1) for k in range(n)))
        np.testing.assert_array_equal(deciding(X, make(n)), X if n > 2 else -X)
    with nothing_new():
        for n in (1, 3):
            slicing(X, make(n)), creating(X, make(n)), unrolled(2.0, make(n)), deciding(X, make(n))


@pytest.mark.parametrize("make", [bool, np.bool, np.array], ids=lambda make: make.__name__)
def test_booleans_become_static_when_they_decide(make):
    function, value = jit(lambda x, flag: x if flag else -x), jit(lambda x, flag: np.where(flag, x, -x))
    for flag in (True, False, True):
        np.testing.assert_array_equal(function(X, make(flag)), X if flag else -X)
        np.testing.assert_array_equal(value(X, make(flag)), X if flag else -X)
    with nothing_new():
        function(X, make(False)), value(X, make(False))


def test_integers_become_static_through_nested_transformations():
    function = grad(lambda x, n: np.sum(jit(lambda y, m: y[: m - 1])(x, n)) + np.sum(jitad.vmap(lambda y: y * np.ones(n))(x)))
    np.testing.assert_array_equal(function(X, 2), [3, 2, 2])
    np.testing.assert_array_equal(function(X, 3), [4, 4, 3])


def test_static_arguments():
    power = jit(lambda x, n: x**n, static_argnums=1)
    last = jit(lambda x, n: [x] * n, static_argnums=-1)
    named = jit(lambda x, *, name, sizes: np.zeros(sizes) + x if name == "a" else x, static_argnames=("name", "sizes"))
    assert power(2.0, 3) == 8 and power(2.0, 2) == 4 and len(last(1.0, 2)) == 2
    assert named(1.0, name="a", sizes=(2, 3)).shape == (2, 3) and named(1.0, name="b", sizes=(2, 3)) == 1
    assert power(2, 1) == 2 and type(power(2.0, True)) is np.float64  # 1 and True are not the same
    with nothing_new():
        assert power(3.0, 3) == 27


def test_options_are_part_of_the_signature():
    function = jit(lambda x, y: x * y + 1)
    x = 1 + 2.0**-30
    function(x, x)
    try:
        jitad.config.strict = True
        with expect(1, 1):
            assert function(x, x) == x * x + 1
    finally:
        jitad.config.strict = False
    with nothing_new():
        function(x, x)


def test_equal_programs_share_a_kernel():
    with expect(2, 1):
        for _ in range(2):
            jit(lambda x: x * 3 + 1)(X)


# --- inputs of all kinds ------------------------------------------------------------------------------------------------------------

BIG = np.arange(24.0).reshape(4, 6)
INPUTS = {
    "strided": BIG[::2, ::3],
    "transposed": BIG.T,
    "Fortran order": np.asfortranarray(BIG),
    "reversed": BIG[::-1, ::-1],
    "broadcast": np.broadcast_to(np.arange(3.0), (2, 3)),
    "byte-swapped": BIG.astype(">f8"),
    "no rows": np.zeros((0, 3)),
    "no columns": np.zeros((3, 0)),
    "one": np.ones((1, 1)),
    "0-d": np.array(2.0),
    "unaligned": np.frombuffer(b"x" + BIG.tobytes(), np.uint8)[1:].view("f8"),
    "read-only": np.frombuffer(BIG.tobytes()),
    "subclass": BIG.view(type("Kind", (np.ndarray,), {})),
    "single, strided and byte-swapped": BIG.astype(">f4")[:, ::2],
}


@pytest.mark.parametrize("x", INPUTS.values(), ids=INPUTS)
def test_inputs(x):
    plain = np.array(x).astype(x.dtype.newbyteorder("="))
    value, gradient = value_and_grad(lambda x: np.sum(x**2))(x)
    assert type(gradient) is np.ndarray and gradient.dtype == plain.dtype and gradient.flags.writeable
    np.testing.assert_allclose(value, np.sum(plain**2))
    np.testing.assert_allclose(gradient, 2 * plain, strict=True)
    np.testing.assert_allclose(jit(lambda: x + 1)(), plain + 1)
    assert np.array_equal(x, plain), "the input is not touched"


@pytest.mark.parametrize("char", "?bhilqBHILQfdFD")
def test_dtypes(char):
    x = np.array([0, 1, 1], char)
    got = jit(lambda x: (x, x + x, x == 1))(x)
    for ours, numpys in zip(got, (x, x + x, x == 1)):
        np.testing.assert_array_equal(ours, numpys, strict=True)


def test_results_do_not_share_memory():
    function = jit(lambda x: (x, x, x[1:]))
    one, two, three = function(X)
    one[:] = 0
    np.testing.assert_array_equal(X, [0.3, 0.7, 1.1])
    np.testing.assert_array_equal(two, X)
    np.testing.assert_array_equal(three, X[1:])
    assert function(X)[0] is not one


def test_arguments_that_share_memory():
    x = np.arange(4.0)
    np.testing.assert_array_equal(jit(lambda a, b: a + b)(x[1:], x[:-1]), x[1:] + x[:-1])
    np.testing.assert_array_equal(jit(lambda a: a + x)(x), 2 * x)


def test_an_array_that_is_changed_under_two_names_is_refused():
    """What NumPy would make of it depends on the order of reads and writes."""
    def change(a, b):
        a[0] = 9
        return b.sum()

    def change_captured(b):
        captured[0] = 9
        return b.sum()

    captured, x = np.ones(3), np.ones(6)
    jit(change)(x[::2], x[1::2])
    for call in (lambda: jit(change)(x, x), lambda: jit(change)(x[1:], x[:-1]), lambda: jit(change_captured)(captured),
                 lambda: jit(lambda a: change(a, captured))(captured)):
        with pytest.raises(ValueError, match="is changed in place, and its memory is used through another one"):
            call()
    assert captured.sum() == 3


def test_arrays_changed_in_place():
    def change(a):
        a[0] = 9
        return a.sum()

    for x in (np.ones((4, 4))[::2, 1], np.ones(4).astype(">f8"), np.ones((2, 2), order="F"), np.ones(3, np.float32)):
        expected = x.copy()
        value = change(expected)
        np.testing.assert_allclose(jit(change)(x), value)
        np.testing.assert_array_equal(x, expected)
    with pytest.raises(ValueError, match="read-only"):
        jit(change)(np.frombuffer(X.tobytes()))


# --- threads and recursion ----------------------------------------------------------------------------------------------------------


def test_threads_share_a_compiled_function():
    """With workspaces, by several signatures, from the first call on."""
    rng = np.random.default_rng(0)
    function = value_and_grad(lambda x: np.sum(np.sin(x @ x) @ np.cumsum(x, 0)))
    inputs = [rng.standard_normal((n, n)) for n in (30, 40) for _ in range(8)]
    start = threading.Barrier(8)

    def first(x):
        start.wait()
        return function(x)

    with ThreadPoolExecutor(8) as pool:
        with expect(2, 2):
            results = list(pool.map(first, inputs))
        for _ in range(20):
            for (value, gradient), (again, gradient_again) in zip(results, pool.map(function, inputs), strict=True):
                assert value == again and np.array_equal(gradient, gradient_again)
    for x, (value, gradient) in zip(inputs, results, strict=True):
        serial = function(x)
        assert serial[0] == value and np.array_equal(serial[1], gradient)


def test_threads_trace_different_functions_at_once():
    def work(k):
        return grad(lambda x: x**k * grad(lambda y: x * y)(2.0))(3.0)

    with ThreadPoolExecutor(6) as pool:
        np.testing.assert_allclose(list(pool.map(work, range(2, 14))), [(k + 1) * 3.0**k for k in range(2, 14)])


def test_kernels_release_the_gil():
    function = jit(lambda x: np.cumsum(np.sin(x) * x))
    x = np.linspace(0, 1, 4_000_000)
    function(x)
    finished = threading.Event()
    thread = threading.Thread(target=lambda: (function(x), function(x), finished.set()))
    thread.start()
    turns = 0
    while not finished.is_set():
        turns += 1
    thread.join()
    assert turns > 1000


@jit
def power(x, n):
    return 1.0 if n == 0 else x * power(x, n - 1)


@grad
def repeated(x, n):
    return x**3 if n == 0 else x * repeated(x, n - 1)


def test_recursion():
    assert power(2.0, 5) == 32
    assert repeated(2.0, 1) == 9 * 2.0**2
    assert grad(lambda x: power(x, 3))(2.0) == 12

    @jit
    def endless(x):
        return endless(x)

    with pytest.raises(RecursionError):
        endless(1.0)
    assert power(3.0, 2) == 9


def test_a_failure_leaves_nothing_behind():
    function = jit(lambda x, flag: x.no_such_attribute if flag == "bad" else np.cumsum(x) @ x)
    for _ in range(2):
        with pytest.raises(AttributeError):
            function(X, "bad")
        np.testing.assert_allclose(function(X, "good"), np.cumsum(X) @ X)
    with pytest.raises(jitad.JitadError):
        grad(lambda x: grad(lambda y: y * X)(x))(1.0)
    assert grad(lambda x: x * x)(3.0) == 6


def test_the_collector_is_as_it_was():
    """While a function is traced it leaves old objects alone, through nested calls and errors."""
    before, seen = gc.get_threshold(), []

    @jitad.jit
    def inner(x):
        return x + 1

    def function(x):
        seen.append(gc.get_threshold())
        inner(np.ones(3))
        seen.append(gc.get_threshold())
        if x.shape == (2,):
            raise ZeroDivisionError
        return x * inner(x)

    jitad.jit(function)(np.ones(3))
    with pytest.raises(ZeroDivisionError):
        jitad.jit(function)(np.ones(2))
    assert gc.get_threshold() == before and all(during[2] > 10**6 for during in seen)


def test_functions_of_kernels_outlive_the_tables_that_made_them():
    """As when a process ends: what they were made of must not be freed before them."""
    program = """
import jitad, numpy as np
from jitad.codegen import entry
function = jitad.jit(lambda x: np.sin(x))
function(np.ones(3))
entry._methods.clear()
bytes(32), [bytearray(32) for _ in range(1000)]
print(function(np.zeros(3)))
"""
    run = subprocess.run([sys.executable, "-c", program], env=os.environ | {"PYTHONMALLOC": "debug"}, capture_output=True, text=True)
    assert run.returncode == 0 and run.stdout == "[0. 0. 0.]\n"
