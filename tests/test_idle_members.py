"""Members of a batch run trips after their last and arms that they do not take: what would fail there does not."""

import numpy as np
import pytest

import jitad
from jitad.ir import errors

A = np.arange(1.0, 6.0)


def guarded_element(x, n):
    y = x * 1.0
    if n < 5:
        y = A[n] * x * x
    return y


def every_other_element(x, n):
    s = 0.0
    for i in range(n):
        s += A[2 * i] * x ** (i + 1)
    return s


def elements_until(x, n):
    k, s = 0, 0.0 * x
    while k < n and A[k] * x < 6.0:
        s += np.sin(A[k] * x)
        k += 1
    return s


def guarded_slice(x, n):
    s = 0.0 * x
    if n <= 5:
        s = np.sum(A[:n] * x)
    return s


def written_elements(x, n):
    b = np.zeros(5)
    for i in range(n):
        b[i] = x * A[i]
        if i > 0:
            b[i] += b[i - 1] ** 2
    return np.sum(b**2)


def loops_in_an_arm(x, n):
    s = x
    if n < 4:
        for i in range(5):
            s = s + A[i] * x
        for j in range(n):
            s = s * A[j + 1]
    return s


def halves(x, n):
    stack, s = [x], 0.0
    while stack:
        y = stack.pop()
        if y > 1.0:
            stack.append(y / 2)
            stack.append(y / 3)
        else:
            s += y * y
    return s


CASES = [(guarded_element, [0, 4, 5, 9]), (every_other_element, [0, 1, 2, 3]), (elements_until, [0, 2, 5, 4]), (guarded_slice, [3, 5, 6, 0]),
         (written_elements, [0, 2, 5, 1]), (loops_in_an_arm, [0, 3, 4, 9]), (halves, [0, 0, 0, 0])]  # fmt: skip


@pytest.mark.parametrize(("function", "numbers"), CASES)
def test_members(function, numbers):
    xs, ns, h = np.array([0.7, 1.3, 2.1, 3.3]), np.array(numbers), 1e-6
    wanted = [float(function(x, n)) for x, n in zip(xs, numbers, strict=True)]
    slopes = [float(function(x + h, n) - function(x - h, n)) / (2 * h) for x, n in zip(xs, numbers, strict=True)]
    np.testing.assert_allclose(jitad.vmap(function)(xs, ns), wanted)
    np.testing.assert_allclose(jitad.vmap(jitad.grad(function))(xs, ns), slopes, rtol=1e-5, atol=1e-8)

    def total(xs):
        return np.sum(jitad.vmap(function)(xs, ns))

    np.testing.assert_allclose(jitad.grad(total)(xs), slopes, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(jitad.jvp(total, (xs,), (np.ones(4),))[1], np.sum(slopes), rtol=1e-5)


def test_second_derivatives():
    xs, ns = np.array([0.7, 1.3, 2.1, 3.3]), np.array([0, 2, 5, 1])
    wanted = [jitad.hessian(written_elements)(x, int(n)) for x, n in zip(xs, ns, strict=True)]
    np.testing.assert_allclose(jitad.vmap(jitad.hessian(written_elements))(xs, ns), wanted)


def test_what_fails_where_it_is_reached():
    for function, numbers in ((every_other_element, [0, 4]), (lambda x, n: A[n] * x, [1, 5]), (written_elements, [6, 1])):
        with pytest.raises(errors.IndexError):
            jitad.vmap(function)(np.ones(2), np.array(numbers))
