"""The short way from a call to a kernel: who may take it, and that it does what the long way does."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import jitad
from jitad.codegen.kernel import to_module
from jitad.pipeline import to_loops


def shortened(function, *args, static_argnums=()):
    """Return a compiled function that has run for these arguments, and what its short way gives for others."""
    compiled = jitad.jit(function, static_argnums)
    compiled(*args)
    (shortcut,) = compiled.shortcuts
    return compiled, lambda *args: shortcut(args)


def test_static_arguments():
    def power(x, n, kind):
        return x**n if kind == "power" else -x

    x, many = np.array([0.5, 0.999, 1.0]), int("1000")
    compiled, short = shortened(power, x, many, "power", static_argnums=(1, 2))
    np.testing.assert_allclose(short(x**2, int("1000"), "power"), (x**2) ** 1000)
    for n, kind in ((3, "power"), (1000.0, "power"), (many, "other"), (True, "power")):
        assert short(x, n, kind) is NotImplemented
        np.testing.assert_allclose(compiled(x, n, kind), power(x, n, kind), rtol=1e-12)


def test_values_that_tracing_needs():
    compiled, short = shortened(lambda x, n: sum(x[k] for k in range(n)), np.ones(3), 2)
    assert short(np.arange(3.0), 2) == 1
    assert short(np.arange(3.0), 3) is NotImplemented and compiled(np.arange(3.0), 3) == 3


def changed(x, y):
    y[0] = x[0]
    y *= 2
    return y.sum(), x[1]


def test_arguments_that_are_changed():
    x, y, wanted = np.array([3.0, 4]), np.arange(4.0), np.arange(4.0)
    compiled, short = shortened(changed, x, y.copy())
    assert short(x, y) == changed(x, wanted)
    np.testing.assert_array_equal(y, wanted)
    strided, given = np.arange(8.0).reshape(4, 2), np.arange(8.0).reshape(4, 2)
    assert short(x, strided[:, 1]) == changed(x, given[:, 1])
    np.testing.assert_array_equal(strided, given)


def test_memory_that_is_shared():
    memory = np.arange(6.0)
    compiled, short = shortened(changed, memory[:2].copy(), memory[2:].copy())
    assert short(memory[:2], memory[2:])[1] == 1
    assert short(memory[2:4], memory[2:]) is NotImplemented
    with pytest.raises(ValueError, match="pass a copy"):
        compiled(memory[2:4], memory[2:])


def test_other_layouts():
    compiled, short = shortened(lambda x, y: x @ y, np.ones((3, 2)), np.ones(2))
    turned, apart = np.arange(6.0).reshape(2, 3).T, np.arange(4.0)[::2]
    np.testing.assert_array_equal(short(turned, apart), turned @ apart)
    assert short(turned.T, apart) is NotImplemented and short(turned.astype("f"), apart) is NotImplemented
    assert short([1.0, 2.0], apart) is NotImplemented


def test_keywords():
    def f(x, y=1.0, n=2, *, out=None):
        if out is not None:
            out[:] = x
        return x**n * y

    compiled, x, out = jitad.jit(f, static_argnames=("n",)), np.arange(3.0), np.zeros(3)
    compiled(x, y=x + 1, n=3)
    (short,) = compiled.named_shortcuts
    assert not compiled.shortcuts
    np.testing.assert_array_equal(short(((x + 1,), {"y": x, "n": 3})), f(x + 1, x, 3))
    others = {"y": x, "n": 4}, {"y": 2.0, "n": 3}, {"n": 3, "y": x}, {"y": x}, {"y": x, "n": 3, "out": out}
    for kwargs in others:
        assert short(((x,), kwargs)) is NotImplemented
        for _ in range(2):
            np.testing.assert_allclose(compiled(x, **kwargs), f(x, **kwargs))
    np.testing.assert_array_equal(out, x)
    assert len(compiled.named_shortcuts) == 4
    np.testing.assert_array_equal(compiled(x), x**2)
    with pytest.raises(TypeError, match="unexpected keyword"):
        compiled(x, z=1)


def test_what_is_read_from_outside():
    scales, slopes, x = {"one": np.array(2.0)}, np.ones(3), np.arange(3.0)
    compiled, short = shortened(lambda x: scales["one"] * slopes @ x, x)
    assert short(x) == 6
    scales["one"][()], slopes[2] = 3.0, 0.0
    assert short(x) == 3
    scales["one"] = np.array(1.0)
    assert short(x) is NotImplemented and compiled(x) == 1
    del scales["one"]
    assert compiled.shortcuts[0]((x,)) is NotImplemented
    with pytest.raises(KeyError, match="one"):
        compiled(x)


def test_settings():
    x = np.zeros(2)
    compiled, short = shortened(lambda x: x / x, x + 1)
    for name, value, before in (("check_nan", True, False), ("strict", True, False), ("memory", "1MB", None)):
        setattr(jitad.config, name, value)
        try:
            assert short(x + 1) is NotImplemented
        finally:
            setattr(jitad.config, name, before)
        np.testing.assert_array_equal(short(x + 1), x + 1)


def test_traces_in_other_threads():
    compiled, short = shortened(lambda x: x * 2, 1.0)

    def f(x):
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(short, 3.0).result() is NotImplemented and pool.submit(compiled, 3.0).result() == 6
        return compiled(x) + compiled(1.0)

    assert jitad.jit(f)(2.0) == 6 and short(3.0) == 6


def test_who_keeps_the_gil():
    """Threads of others run while a kernel does, unless it is over before they could start."""
    def decay(x, n):
        while x > n:
            x = x / 2
        return x

    for function, args, releases in ((np.sum, (np.ones(10),), False), (np.sum, (np.ones(10_000),), True), (decay, (8.0, 1.0), True)):
        module = to_module(to_loops(jitad.trace(function)(*args)), "kernel", strict=False)
        assert ("PyEval_SaveThread" in str(module)) == releases
