"""Comprehensions as loops that append, and the lists of what is known."""

import numpy as np
import pytest
from staged import check

import jitad

X = np.sin(7 * np.linspace(0.113, 2.0, 20)) + 1.1


def comprehensions(x):
    n = 300
    a = [x[i % 20] * i for i in range(n)]
    b = np.array([np.sin(v) + 1 for v in a])
    kernel = np.array([[np.exp(-((p - q) ** 2)) for p in x] for q in x])
    pairs = [(x[i], x[i + 1]) for i in range(19)]
    area = sum(p * s - q * r for (p, q), (r, s) in zip(pairs[:-1], pairs[1:], strict=True))
    return b, sum(u * v for u, v in zip(a, b, strict=True)), max(v for v in a), kernel.sum(0), area


def conditions(x):
    large = [v for v in x if v > 1]
    upper = sum(x[i] * x[j] for i in range(20) for j in range(20) if x[i] > x[j])
    return sum(large), len(large), upper, sorted(v for v in x if v < 1)[0], sorted(x, reverse=True)[2]


def filters(x):
    large = 0.0
    for v in filter(lambda v: v > 1, x):
        large += v * v
    even = filter(lambda i: i % 2 == 0, range(10))
    return large, sum(filter(lambda v: v < 1, x)), len(list(filter(lambda v: v > 1, x))), max(filter(None, x)), x[next(even)] + x[next(even)]


def over_filters(x):
    """Functions in the first iterable of a comprehension do not see its names, those in others do."""
    squares = sum(v**2 for v in filter(lambda v: v > 1, x))
    larger = [sum(filter(lambda v, u=u: v >= u, x)) for u in x[:3]]
    return squares, [v * squares for v in filter(lambda v: v < 1, x)][1], larger


@pytest.mark.parametrize("function", [comprehensions, conditions, filters, over_filters])
def test_comprehensions(function):
    check(function, X, rtol=1e-11)


def test_comprehensions_are_traced_once():
    def f(x, n):
        return sum([x[i] * x[i + 1] for i in range(n)])

    few, many = (str(jitad.trace(lambda x, n=n: f(x, n))(np.ones(n + 1))) for n in (300, 3000))
    assert len(few.splitlines()) == len(many.splitlines()) < 40


def test_comprehensions_of_what_is_known_are_plain_python():
    def f(x):
        sizes = [2 * i for i in range(300)]
        rows = [np.zeros(k) for k in range(30)]
        buffers = [np.zeros(3) for _ in range(4)]
        for k, buffer in enumerate(buffers):
            buffer[k % 3] = x[k]
        return x[: sizes[3]].sum() + len(rows[5]), np.array(buffers)

    check(f, X)
