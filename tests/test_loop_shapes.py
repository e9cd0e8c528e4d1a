"""Loops of every shape in both modes: jit against NumPy, gradients against numerical ones, adjoint and Taylor tests, second derivatives."""

import numpy as np
import pytest

import jitad
from jitad.testing import check_grads

R = np.random.default_rng(11)
X = R.uniform(0.3, 1.0, 8)


def newton(x):
    total = 0.0
    for k in range(20):
        y = x[k % 8] + 1.0
        while abs(y * y - x[0] - k) > 1e-9:
            y = 0.5 * (y + (x[0] + k) / y)
        total += y * x[1]
    return total


def bisection(x):
    low, high = 0.0, 4.0 * x[0]
    while high - low > 0.05:
        middle = 0.5 * (low + high)
        if middle**3 > x[1]:
            high = middle
        else:
            low = middle
    return low * x[2] + high


def fixed_point(x):
    y, change, trips = x * 0.5, 1.0, 0
    while change > 1e-8:
        after = np.cos(y * x) * 0.5
        change = np.max(np.abs(after - y))
        y, trips = after, trips + 1
    return np.sum(y) * trips


def adaptive_steps(x):
    """The step is halved until the error is small: whiles in whiles, in a branch."""
    t, y, h = 0.0, x[0], 0.4
    while t < 1.0:
        if t + h > 1.0:
            h = 1.0 - t + 1e-12
        error = 1.0
        h = h * 2.0
        while error > 0.02:
            h = h * 0.5
            error = abs(h * h * y * x[1])
        y = y + h * np.sin(x[2] * y)
        t = t + h
    return y


def while_with_break(x):
    s, k = 0.0, 0
    while s < 100.0:
        s = s + x[k % 8] ** 2 * (1.0 + s)
        k += 1
        if s > 5.0 and k % 3 == 0:
            break
        if k % 2:
            continue
        s = s * x[1]
    return s * k


def break_and_continue(x):
    s, last = 0.0, 0
    for i in range(1000):
        if x[i % 8] < 0.5:
            continue
        s += x[i % 8] ** 2 * np.sin(s + i)
        last = i
        if s > 6.0 or i > 60:
            break
    else:
        s = s * 100.0
    return s * x[last % 8]


def early_return(x):
    s = x[0]
    for i in range(50):
        for j in range(i):
            s = s * (1.0 + 0.01 * x[j % 8])
            if s > 2.0:
                return s * i + x[j % 8]
    return s


def find_then_use(x):
    """Search loops in a loop: the inner one ends where the prefix sum passes a bound."""
    total = 0.0
    for i in range(20):
        s = 0.0
        for k in range(100):
            s += x[(i + k) % 8] * x[k % 8]
            if s > 0.1 * i:
                break
        total += s * k
    return total


def while_in_branch(x):
    s = x[0]
    for i in range(20):
        if x[i % 8] > 0.6:
            r = s
            while r > 0.3:
                r = r * x[1]
            s = s + r
        else:
            s = s * 0.9
    return s


def no_trips(x):
    s = x[0]
    y = np.zeros(8)
    k = np.argmin(np.abs(x)) - 100
    while k > 0:
        s = np.sqrt(s - 1.0)
        y[k] = 1.0 / s
        k -= 1
    for _ in range(np.argmin(x) * 0):
        s = np.sqrt(s - 1.0)
    return s + np.sum(y * y)


def arrays_in_place(x):
    a, k = np.zeros((8, 8)), 0
    while a[k % 8, 0] + k < 23.5:
        a[k % 8] = a[(k - 1) % 8] * 0.5 + x * (k + 1)
        a[:, k % 8] *= 0.9
        k += 1
    return np.sum(np.sin(a)) + k


def carried_kinds(x):
    """A complex number, a boolean, an integer and an array of each are carried."""
    z, seen, trips, signs, counts = 0.1 + 0.2j, False, 0, np.ones(8, bool), np.zeros(8, np.int64)
    while abs(z) < 1.5 and trips < 40:
        z = z * z * x[0] + (x[1] + 1j * x[2]) + 0.3 * z
        signs = signs ^ (x > z.real)
        counts = counts + signs
        seen = seen or z.imag > 1.0
        trips += 1
    return np.abs(z) ** 2 * trips + (x[3] if seen else x[4]) * counts[2] + np.sum(x * signs)


def several_in_sequence(x):
    s = 1.0
    while s < 3.0:
        s = s * (1.0 + x[0])
    for i in range(30):
        s = s + 0.1 * np.sin(s * x[i % 8])
    n = np.argmax(x)
    for _ in range(n):
        s = s * (1.0 + x[3])
    while s > 1.0:
        s = s * x[4] - 0.01
    return s


def triangular(x):
    a = np.outer(x, np.linspace(1.0, 2.0, 20)).T @ np.outer(x, np.ones(20)) + 3.0 * np.eye(20)
    s = 0.0
    for i in range(20):
        for j in range(i):
            for k in range(j):
                a[i, j] = a[i, j] - a[i, k] * a[j, k] * 0.001
            s = s + a[i, j] ** 2
    return s


def rows_until(x):
    a = np.outer(x, x[::-1])
    y = x.copy()
    while np.max(np.abs(y)) > 0.05:
        y = a @ y * 0.4
        y[0] = y[1] * 0.5
    return np.sum(y) + np.sum(a)


SHAPES = [newton, bisection, fixed_point, adaptive_steps, while_with_break, break_and_continue, early_return, find_then_use, while_in_branch,
          no_trips, arrays_in_place, carried_kinds, several_in_sequence, triangular, rows_until]


def named(function):
    return function.__name__


@pytest.mark.parametrize("function", SHAPES, ids=named)
def test_value_and_gradient(function):
    value, gradient = jitad.value_and_grad(function)(X)
    np.testing.assert_allclose(value, function(X), rtol=1e-12)
    np.testing.assert_allclose(jitad.jit(function)(X), function(X), rtol=1e-12)
    check_grads(function, (X,), modes=("rev",), rtol=1e-5)
    direction = R.normal(size=8)
    slope = jitad.jvp(function, (X,), (direction,))[1]
    assert abs(slope - gradient @ direction) <= 1e-12 * np.linalg.norm(gradient) * np.linalg.norm(direction)


@pytest.mark.parametrize("function", SHAPES, ids=named)
def test_second_derivatives(function):
    """Forward over reverse is the derivative of the gradient, and symmetric; the remainder of the Taylor series is of second order."""
    gradient = jitad.grad(function)
    u, v = R.normal(size=(2, 8))
    hu, hv = (jitad.hvp(function, (X,), (w,)) for w in (u, v))
    assert abs(v @ hu - u @ hv) <= 1e-11 * (np.linalg.norm(hu) * np.linalg.norm(v) + np.linalg.norm(hv) * np.linalg.norm(u))
    step = 1e-5
    np.testing.assert_allclose(hv, (gradient(X + step * v) - gradient(X - step * v)) / (2 * step), rtol=1e-5, atol=1e-5 * np.linalg.norm(hv))
    sizes = 1e-4, 5e-5
    first = gradient(X)
    remainders = [abs(function(X + h * v) - function(X) - h * (first @ v)) for h in sizes]
    curved = abs(v @ hv) / 2
    for h, remainder in zip(sizes, remainders, strict=True):
        assert remainder <= 2 * curved * h * h + 1e-3 * h * h * np.linalg.norm(v) ** 2 * (1 + np.linalg.norm(hv))


@pytest.mark.parametrize("function", [newton, while_with_break, find_then_use, rows_until], ids=named)
def test_reverse_over_reverse(function):
    v = R.normal(size=8)
    found = jitad.grad(lambda x: jitad.grad(function)(x) @ v)(X)
    np.testing.assert_allclose(found, jitad.hvp(function, (X,), (v,)), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("function", [newton, bisection, break_and_continue, while_in_branch, carried_kinds], ids=named)
def test_batches(function):
    xs = R.uniform(0.3, 1.0, (3, 8))
    np.testing.assert_allclose(jitad.vmap(jitad.grad(function))(xs), [jitad.grad(function)(x) for x in xs], rtol=1e-9, atol=1e-12)


def test_batches_of_numbers_of_trips():
    def power(x, n):
        y = np.ones(3)
        for k in range((n + 0.0 * x).astype(int)):
            y[k % 3] = y[(k + 1) % 3] * x
        return np.sum(y)

    xs, ns = R.uniform(0.5, 1.5, 4), np.array([0, 1, 5, 12])
    np.testing.assert_allclose(jitad.vmap(jitad.grad(power))(xs, ns), [jitad.grad(power)(x, n) for x, n in zip(xs, ns, strict=True)])


def test_functional_while_loops():
    def solve(a):
        return jitad.while_loop(lambda s: abs(s[0] ** 2 - a) > 1e-12, lambda s: (0.5 * (s[0] + a / s[0]), s[1] + 1), (a, 0))[0]

    np.testing.assert_allclose(jitad.grad(solve)(2.0), 0.5 / np.sqrt(2.0), rtol=1e-12)
    np.testing.assert_allclose(jitad.hessian(solve)(2.0), -0.25 * 2.0**-1.5, rtol=1e-9)
    np.testing.assert_allclose(jitad.vmap(jitad.grad(solve))(np.array([2.0, 3.0])), 0.5 / np.sqrt([2.0, 3.0]), rtol=1e-12)


def test_the_function_and_its_pullback_apart():
    """The trips are run again in the pullback: nothing that it is given has an extent that depends on them."""
    value, pullback = jitad.vjp(while_with_break, X)
    np.testing.assert_allclose(pullback(1.0)[0], jitad.grad(while_with_break)(X), rtol=1e-12)
    value, tangent_map = jitad.linearize(while_with_break, X)
    np.testing.assert_allclose(tangent_map(X), jitad.jvp(while_with_break, (X,), (X,))[1], rtol=1e-12)


def test_programs_do_not_grow_with_the_trips():
    def until(x, most):
        s = x
        for i in range(most):
            s = np.sin(s) + 0.1 * i
            if s > most:
                break
        return s

    sizes = [len(jitad.show(jitad.grad(lambda x, n=n: until(x, n)), 0.3, stage="loops").splitlines()) for n in (100, 100_000)]
    assert sizes[0] == sizes[1]


def test_a_loop_that_is_left_runs_no_further_trips():
    """The second trip would be out of range."""
    def first(x):
        s = 0.0
        for i in range(1000):
            s = s + x[8 * i] ** 2
            if s > 0.0:
                break
        return s

    np.testing.assert_allclose(jitad.jit(first)(X), X[0] ** 2)
    np.testing.assert_allclose(jitad.grad(first)(X), 2 * X[0] * np.eye(8)[0])


def test_failures_in_recorded_trips():
    """What has been recorded is given back when a check fails."""
    def sums(x):
        s, k = 1.0, 0
        while s < 1e6:
            s, k = s * (1.0 + x[k]), k + 1
        return s

    gradient = jitad.grad(sums)
    for _ in range(3):
        with pytest.raises(IndexError):
            gradient(X)
    assert np.all(np.isfinite(gradient(X * 1e4)))


def test_memory_of_tapes_is_kept_and_freed():
    def decay(x):
        n = 0
        while x > 1e-2:
            x, n = x - 1e-3 * x * x, n + 1
        return x * n

    jitad.clear_workspaces()
    jitad.grad(decay)(1.0)
    assert jitad.clear_workspaces() >= 8 * 99_000
    np.testing.assert_allclose(jitad.grad(decay)(1.0), jitad.jvp(decay, (1.0,), (1.0,))[1], rtol=1e-9)
