"""Control flow in functional style: `cond`, `switch`, `scan`, `fori_loop`, `while_loop`, held against the same in statements."""

import numpy as np
from staged import interpreted

import jitad

X = np.random.default_rng(3).uniform(0.2, 1.0, 30)


def by_functions(x):
    def step(h, u):
        h = jitad.cond(u > 0.5, lambda h: np.tanh(h + u), lambda h: h * u, h)
        return h, h**2

    h, ys = jitad.scan(step, x[0], x, reverse=True)
    h = jitad.fori_loop(0, 20, lambda i, v: v + 0.1 * x[i] * v, h)
    return jitad.switch(np.argmax(x) % 3, [np.sin, np.cos, np.exp], h) + ys[3] * ys.sum()


def by_statements(x):
    h, ys = x[0], np.zeros(30)
    for k in range(29, -1, -1):
        h = np.tanh(h + x[k]) if x[k] > 0.5 else h * x[k]
        ys[k] = h**2
    for i in range(20):
        h = h + 0.1 * x[i] * h
    return [np.sin, np.cos, np.exp][np.argmax(x) % 3](h) + ys[3] * ys.sum()


def test_functional_forms():
    np.testing.assert_allclose(interpreted(by_functions, X), by_statements(X), rtol=1e-13)
    slopes = [interpreted(jitad.grad(f), X) for f in (by_functions,)]
    step = 1e-6 * np.eye(30)
    numerical = [(by_statements(X + h) - by_statements(X - h)) / 2e-6 for h in step]
    np.testing.assert_allclose(slopes[0], numerical, rtol=1e-6, atol=1e-8)


def test_while_loop():
    def f(x):
        return jitad.while_loop(lambda s: s[0] < 10, lambda s: (s[0] * 2, s[1] + 1), (x, 0))

    value, count = interpreted(f, 0.3)
    assert value == 0.3 * 64 and count == 6
    assert interpreted(lambda x: jitad.jvp(lambda x: f(x)[0], (x,), (1.0,))[1], 0.3) == 64


def test_scan_without_xs():
    carry, ys = interpreted(lambda x: jitad.scan(lambda s, _: (s * x, s), 1.0, None, length=20), 0.9)
    np.testing.assert_allclose(carry, 0.9**20)
    np.testing.assert_allclose(ys, 0.9 ** np.arange(20))
