"""`raise` and `assert` are carried out when the compiled function runs, where Python does."""

import os
import subprocess
import sys

import numba
import numpy as np
import pytest

import jitad


class Diverged(Exception):
    """An exception of the user's."""


def root(x, tries=50):
    y = x
    for _ in range(tries):
        new = y - (y * y - 2) / (2 * y)
        if abs(new - y) < 1e-12:
            return new
        y = new
    raise Diverged("no convergence from", 3)


def series(x):
    total, k = 0.0, 0
    while True:
        before = total
        total += x**k
        k += 1
        if abs(total - before) < 1e-9:
            return total


def orbit(x):
    if x == 0:
        return x
    elif x < 1:
        if x < -5:
            raise KeyError("left")
        return np.sin(x)
    else:
        raise ValueError(f"{x} is too large")


@numba.njit
def checked(x):
    if x <= 0:
        raise AssertionError("x must be positive")
    return np.log(x)


def stepped(x):
    s = 0.0
    for i in range(40):
        if s > 30:
            raise OverflowError
        s += checked(x) * i
    else:
        if s < -30:
            raise ArithmeticError("too small")
    return s


def searched(x):
    for k in range(20):
        if x * k > 5:
            break
    else:
        raise LookupError("nothing found")
    return x * k


def chosen(x):
    return root(x) if x > 1 else orbit(x)


def vector(x):
    x = x * np.arange(1.0, 4.0)
    assert x[0] > -5, f"{x[0]} is too small"
    if np.any(x > 9):
        print("large")
        raise ValueError("large")
    x[0] = 0
    return x @ x


CASES = [
    (root, [1.0, -3.0], []), (lambda x: root(x, 20), [1.0], [1e9]), (series, [0.5, 0.3], []), (orbit, [0.0, 0.4], [2.0, -6.0]),
    (stepped, [1.0, 1.02], [0.2, -1.0, 3.0]), (searched, [1.1], [0.1]), (chosen, [0.5, 3.0], [1.0, -7.0]), (vector, [1.0], [4.0, -6.0]),
]  # fmt: skip


@pytest.mark.parametrize(("function", "right", "wrong"), CASES, ids=lambda x: getattr(x, "__name__", ""))
def test_raises_where_python_does(function, right, wrong):
    derivatives = [jitad.jit(function), jitad.grad(function), jitad.value_and_grad(function), lambda x: jitad.jvp(function, (x,), (1.0,)),
                   jitad.grad(jitad.grad(function)), jitad.grad(jitad.checkpoint(function))]
    for x in right:
        np.testing.assert_allclose(derivatives[0](x), function(x), rtol=1e-14)
        slope = (function(x + 1e-6) - function(x - 1e-6)) / 2e-6
        for derivative in (derivatives[1], derivatives[5]):
            np.testing.assert_allclose(derivative(x), slope, rtol=1e-6, atol=1e-7)
    for x in wrong:
        with pytest.raises(Exception) as expected:
            function(x)
        for derivative in derivatives:
            with pytest.raises(type(expected.value)) as found:
                derivative(x)
            assert type(found.value) is type(expected.value)
            assert any("test_raise.py" in note for note in found.value.__notes__)


def test_arguments_of_exceptions():
    with pytest.raises(Diverged) as found:
        jitad.jit(lambda x: root(x, 20))(1e9)
    assert found.value.args == ("no convergence from", 3)
    with pytest.raises(ValueError, match=r"<f64\[\]> is too large"):
        jitad.jit(orbit)(2.0)
    with pytest.raises(AssertionError, match="x must be positive"):
        jitad.jit(stepped)(-1.0)


def test_conditions_that_are_known_are_decided_while_tracing():
    def f(x, n):
        if n < 0:
            raise ValueError("n is negative")
        assert x.ndim == 1
        return x * n

    compiled = jitad.jit(f, static_argnums=1)
    with pytest.raises(ValueError, match="n is negative"):
        compiled(np.ones(2), -1)
    assert "raise_unless" not in jitad.show(f, np.ones(2), 2)


def bracketed(a):
    """A name is bound in the first trip, and in some of the others; one is bound where a condition holds, and read where it does."""
    low, high, steps = 0.0, 3.0, 0
    while high - low > 1e-3:
        if steps % 3 == 0:
            width = high - low
        middle = low + width / 2 if steps % 3 == 0 else (low + high) / 2
        if middle**3 > a:
            high = middle
            above = high * a
        else:
            low = middle
        steps += 1
    if a > 1:
        scale = a
    return low + width + above * (scale if a > 1 else 2.0)


def holdup(regime, x):
    if regime == 0:
        a, b = 0.98, 1
    elif regime == 2:
        a, b = 0.8 * x, 0.5
    return a * x**b


def test_names_with_a_value_on_some_paths():
    for a in (0.5, 2.0):
        np.testing.assert_allclose(jitad.jit(bracketed)(a), bracketed(a))
        np.testing.assert_allclose(jitad.grad(bracketed)(a), jitad.jvp(bracketed, (a,), (1.0,))[1])
    compiled, derivative = jitad.jit(lambda k, x: holdup(k.astype(int), x)), jitad.grad(lambda k, x: holdup(k.astype(int), x), 1)
    for k in (0.0, 2.0):
        np.testing.assert_allclose(compiled(k, 1.5), holdup(k, 1.5))
        np.testing.assert_allclose(derivative(k, 1.5), 0.98 if k == 0 else 0.8 * 1.5 * 1.5**0.5, rtol=1e-15)
    for function in (compiled, derivative):
        with pytest.raises(UnboundLocalError, match="cannot access local variable '[ab]'"):
            function(1.0, 1.5)


def test_members_of_a_batch():
    points = np.array([0.5, 0.0, -2.0])
    np.testing.assert_allclose(jitad.vmap(orbit)(points), [orbit(x) for x in points])
    with pytest.raises(ValueError, match="too large"):
        jitad.vmap(orbit)(np.array([0.5, 3.0]))
    arms = np.array([3.0, 0.5])  # each would raise in the arm of the other
    np.testing.assert_allclose(jitad.vmap(chosen)(arms), [chosen(x) for x in arms])
    np.testing.assert_allclose(jitad.jacfwd(lambda x: np.array([orbit(x[0]), checked(x[1])]))(np.array([0.5, 2.0])), np.diag([np.cos(0.5), 0.5]))


def test_kernels_in_numba_raise():
    kernel = jitad.compile(jitad.grad(orbit), 0.5).kernel
    caller = numba.njit(lambda x: kernel(x))
    assert caller(0.5) == np.cos(0.5)
    with pytest.raises(ValueError, match="too large"):
        caller(2.0)


def test_the_first_of_several_is_raised():
    def f(x):
        assert x[0] > 0, "first"
        y = np.exp(x) * 2
        if np.sum(y) > 1:
            raise ValueError("second")
        assert x[0] > 0.5, "third"
        return y

    for function in (jitad.jit(f), jitad.jacrev(f)):
        with pytest.raises(AssertionError, match="first"):
            function(-np.ones(3))
        with pytest.raises(ValueError, match="second"):
            function(0.1 * np.ones(3))


def test_both_arms_raise():
    def f(x):
        if x > 0:
            raise ValueError("positive")
        else:
            raise TypeError("negative")

    with pytest.raises((ValueError, TypeError)):
        jitad.jit(f)(1.0)


def test_exceptions_of_kernels_from_disk(tmp_path):
    program = tmp_path / "program.py"
    program.write_text("""
import jitad
class Local(Exception): pass
def f(x):
    if x > 1:
        raise Local("far", 2)
    return x * x
def make():
    class Inner(Exception): pass
    def g(x):
        if x > 1:
            raise Inner("near")
        return x + x
    return g
for function in (f, make()):
    try:
        jitad.jit(function)(2.0)
    except Exception as error:
        print(type(error).__name__, error.args, jitad.config.counters.compiles)
""")
    environment = {**os.environ, "JITAD_CACHE_DIR": str(tmp_path / "cache")}
    runs = [subprocess.run([sys.executable, program], capture_output=True, text=True, env=environment, check=True).stdout for _ in range(2)]
    assert runs[0] == "Local ('far', 2) 1\nInner ('near',) 2\n"
    assert runs[1] == "Local ('far', 2) 0\nInner ('near',) 0\n"
