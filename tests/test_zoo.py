"""Programs as scientists write them, in plain NumPy: compiled values against NumPy's, gradients against numerical ones."""

import math

import numpy as np
import pytest
from staged import check, interpreted

import jitad
from jitad.testing import numerical_jvp

RNG = np.random.default_rng(7)
N = 24


def recurrence(x):
    a = np.zeros(len(x))
    a[0] = x[0]
    a[1] = x[1]
    for i in range(2, len(x)):
        a[i] = 0.5 * a[i - 1] - 0.3 * a[i - 2] + np.sin(x[i])
    return np.sum(a**2)


def thomas(a, b, c, d):
    n = len(d)
    cp, dp, x = np.zeros(n), np.zeros(n), np.zeros(n)
    cp[0], dp[0] = c[0] / b[0], d[0] / b[0]
    for i in range(1, n):
        m = b[i] - a[i] * cp[i - 1]
        cp[i] = c[i] / m
        dp[i] = (d[i] - a[i] * dp[i - 1]) / m
    x[-1] = dp[-1]
    for i in range(n - 2, -1, -1):
        x[i] = dp[i] - cp[i] * x[i + 1]
    return np.sum(x**2)


def cyclic_reduction(a, b, c, d):
    """A tridiagonal system of 2**k - 1 unknowns."""
    a, b, c, d = a.copy(), b.copy(), c.copy(), d.copy()
    n = len(d)
    levels = int(math.log2(n + 1))
    for level in range(levels - 1):
        step = 2 ** (level + 1)
        for i in range(step - 1, n, step):
            lo, hi = i - step // 2, min(i + step // 2, n - 1)
            k1, k2 = a[i] / b[lo], c[i] / b[hi]
            b[i] = b[i] - c[lo] * k1 - a[hi] * k2
            d[i] = d[i] - d[lo] * k1 - d[hi] * k2
            a[i], c[i] = -a[lo] * k1, -c[hi] * k2
    x = np.zeros(n)
    x[n // 2] = d[n // 2] / b[n // 2]
    for level in range(levels - 2, -1, -1):
        step = 2 ** (level + 1)
        for i in range(step // 2 - 1, n, step):
            left = x[i - step // 2] if i >= step // 2 else 0.0
            right = x[i + step // 2] if i + step // 2 < n else 0.0
            x[i] = (d[i] - a[i] * left - c[i] * right) / b[i]
    return np.sum(x * np.arange(n))


def horner(coefficients, x):
    s = 0
    for c in coefficients[::-1]:
        s = s * x + c
    return s


def bisection(y):
    lo, hi = 0.0, 4.0
    while hi - lo > 1e-9:
        mid = 0.5 * (lo + hi)
        if mid * mid * mid > y:
            hi = mid
        else:
            lo = mid
    return lo


def newton(y):
    x = 1.0
    for _ in range(50):
        step = (x**3 - y) / (3 * x**2)
        x = x - step
        if abs(step) < 1e-12:
            break
    return x


def newton_while(y):
    x, step = 1.0, 1.0
    while abs(step) > 1e-12:
        step = (x**3 - y) / (3 * x**2)
        x -= step
    return x


def rk4(y0, k):
    def f(t, y):
        return np.array([y[1], -k * y[0] + 0.1 * np.cos(t)])

    y, t, h = y0, 0.0, 0.05
    for _ in range(60):
        k1 = f(t, y)
        k2 = f(t + h / 2, y + h / 2 * k1)
        k3 = f(t + h / 2, y + h / 2 * k2)
        k4 = f(t + h, y + h * k3)
        y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        t += h
    return np.sum(y**2)


def adams_bashforth(y0):
    y, h, previous = y0, 0.02, None
    for _ in range(40):
        now = -y + np.sin(y)
        y = y + h * now if previous is None else y + h * (1.5 * now - 0.5 * previous)
        previous = now
    return np.sum(y)


def upwind(u, v):
    n, dt, dx = len(u), 0.02, 0.1
    for _ in range(30):
        new = u.copy()
        for i in range(n):
            if v[i] > 0:
                new[i] = u[i] - dt / dx * v[i] * (u[i] - u[i - 1])
            else:
                new[i] = u[i] - dt / dx * v[i] * (u[(i + 1) % n] - u[i])
        u = new
    return np.sum(u**2)


def adi(u, r):
    """Alternating directions: tridiagonal solves along rows, then along columns."""
    def solve(d):
        n = d.shape[0]
        cp, dp = np.zeros(n), np.zeros(d.shape)
        cp[0], dp[0] = -r / (1 + 2 * r), d[0] / (1 + 2 * r)
        for i in range(1, n):
            m = 1 + 2 * r + r * cp[i - 1]
            cp[i] = -r / m
            dp[i] = (d[i] + r * dp[i - 1]) / m
        x = np.zeros(d.shape)
        x[n - 1] = dp[n - 1]
        for i in range(n - 2, -1, -1):
            x[i] = dp[i] - cp[i] * x[i + 1]
        return x

    for _ in range(20):
        u = solve(u)
        u = solve(u.T).T
    return np.sum(u**2)


def red_black(f):
    n = f.shape[0]
    u = np.zeros((n, n))
    for _ in range(18):
        for color in (0, 1):
            for i in range(1, n - 1):
                for j in range(1, n - 1):
                    if (i + j) % 2 == color:
                        u[i, j] = 0.25 * (u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1] - f[i, j])
    return np.sum(u**2)


def fast_sweeping(s):
    """First arrivals from a corner, by Gauss-Seidel sweeps in four directions."""
    n, m = s.shape
    t = np.full((n, m), 1e3)
    t[0, 0] = 0.0
    for sweep in range(4):
        for ii in range(n):
            for jj in range(m):
                i = ii if sweep % 2 == 0 else n - 1 - ii
                j = jj if sweep < 2 else m - 1 - jj
                a = min(t[i - 1, j] if i > 0 else 1e3, t[i + 1, j] if i < n - 1 else 1e3)
                b = min(t[i, j - 1] if j > 0 else 1e3, t[i, j + 1] if j < m - 1 else 1e3)
                f = s[i, j]
                if abs(a - b) >= f:
                    new = min(a, b) + f
                else:
                    new = 0.5 * (a + b + np.sqrt(2 * f * f - (a - b) ** 2))
                if new < t[i, j]:
                    t[i, j] = new
    return np.sum(t[1:, 1:])


def smith_waterman(scores, gap):
    n, m = scores.shape
    h = np.zeros((n + 1, m + 1))
    best = 0.0
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            h[i, j] = max(0.0, h[i - 1, j - 1] + scores[i - 1, j - 1], h[i - 1, j] - gap, h[i, j - 1] - gap)
            best = max(best, h[i, j])
    return best


def kalman_by_solving(z, q):
    """Small systems of equations in a loop, beside elementwise work on the same memory."""
    x, P, cost = np.zeros(4), np.eye(4), 0.0
    for k in range(len(z)):
        P = P + q * np.eye(4)
        S = P + 0.3 * np.eye(4)
        residual = z[k] - x
        cost += residual @ np.linalg.solve(S, residual) + np.log(np.linalg.det(S))
        K = np.linalg.solve(S.T, P.T).T
        x, P = 0.9 * (x + K @ residual), (np.eye(4) - K) @ P
    return cost


def columns(a, weight):
    """Columns, and axes in the middle, that depend on those before."""
    a, b = a.copy(), np.zeros((5, 20, 3))
    for j in range(1, a.shape[1]):
        a[:, j] = weight * a[:, j] + 0.2 * np.sin(a[:, j - 1])
        a[1:-1, j] += 0.1 * a[2:, j - 1]
        b[1, j] = a[:3, j]
        b[0:2, j, 1] = b[1:3, j - 1, 1] + a[0, j]
        b[..., j % 3] *= 0.9
    return np.sum(a[2:]) + np.sum(b**2)


def kalman(z, q, r):
    F, H = np.array([[1.0, 0.1], [0.0, 1.0]]), np.array([[1.0, 0.0]])
    x, P = np.zeros(2), np.eye(2)
    cost = 0
    for k in range(len(z)):
        x = F @ x
        P = F @ P @ F.T + q * np.eye(2)
        S = H @ P @ H.T + r
        K = P @ H.T / S[0, 0]
        residual = z[k] - (H @ x)[0]
        x = x + K[:, 0] * residual
        P = (np.eye(2) - K @ H) @ P
        cost += residual**2 / S[0, 0] + np.log(S[0, 0])
    return cost


def recurrent_cell(W, U, xs):
    h = np.zeros(W.shape[0])
    outputs = np.zeros((len(xs), W.shape[0]))
    for k, x in enumerate(xs):
        h = np.tanh(W @ h + U @ x)
        outputs[k] = h
    return np.sum(outputs[-1] ** 2) + np.mean(outputs)


INDEX = RNG.integers(0, 6, 40)


def histogram(w):
    total, count = np.zeros(6), np.zeros(6, dtype=int)
    for i in range(len(w)):
        total[INDEX[i]] += w[i] ** 2
        count[INDEX[i]] += 1
    return np.sum(total / np.maximum(count, 1))


ROWS = np.concatenate([[0], np.cumsum(RNG.integers(1, 4, 20))])
COLUMNS = RNG.integers(0, 20, ROWS[-1])


def sparse_product(data, x):
    y = np.zeros(20)
    for i in range(20):
        for k in range(ROWS[i], ROWS[i + 1]):
            y[i] += data[k] * x[COLUMNS[k]]
    return np.sum(y**2)


def iterated_product(rows, columns, data):
    """The power method, each product with the matrix by its rows."""
    n = len(rows) - 1
    x, y = np.ones(n), np.zeros(n)
    for _ in range(25):
        for i in range(n):
            total = 0.0
            for k in range(rows[i], rows[i + 1]):
                total += data[k] * x[columns[k]]
            y[i] = total
        norm = 0.0
        for i in range(n):
            norm += abs(y[i])
        for i in range(n):
            x[i] = y[i] / norm
    return x[0] + 2 * x[n - 1]


def logistic_map(r):
    x = 0.3
    for _ in range(100):
        x = r * x * (1 - x)
    return x


def escape_time(c):
    z, n = 0j, 0
    while abs(z) <= 2 and n < 50:
        z = z * z + c
        n += 1
    return n


def sorting_network(x):
    x = x.copy()
    n = len(x)
    for _ in range(n):
        for j in range(n - 1):
            if x[j] > x[j + 1]:
                x[j], x[j + 1] = x[j + 1], x[j]
    return np.sum(x * np.arange(n))


def configured(x, kind, options):
    for _ in range(options["steps"]):
        if kind == "tanh":
            x = np.tanh(options["scale"] * x)
        elif kind == "sine":
            x = np.sin(x)
        else:
            raise ValueError(kind)
    return np.sum(x)


def wave(c, wavelet):
    """Staggered grid, sponge boundaries, a source at an index, receivers recorded."""
    n, steps, dt = len(c), len(wavelet), 0.3
    p, v = np.zeros(n), np.zeros(n + 1)
    sponge = np.ones(n)
    for k in range(5):
        sponge[k] = sponge[-1 - k] = math.exp(-0.02 * (5 - k) ** 2)
    record = np.zeros((steps, 2))
    for t in range(steps):
        v[1:-1] -= dt * (p[1:] - p[:-1])
        p -= dt * c**2 * (v[1:] - v[:-1])
        p[n // 2] += wavelet[t]
        p *= sponge
        record[t, 0] = p[3]
        record[t, 1] = p[-4]
    return np.sum(record**2)


def rotated(c, source):
    """Three time levels that rotate."""
    n = len(c)
    before, now = np.zeros(n), np.zeros(n)
    for t in range(len(source)):
        after = np.zeros(n)
        after[1:-1] = 2 * now[1:-1] - before[1:-1] + 0.2 * c[1:-1] ** 2 * (now[2:] - 2 * now[1:-1] + now[:-2])
        after[n // 3] += source[t]
        before, now = now, after
    return np.sum(now**2)


def r(*shape):
    return RNG.uniform(0.2, 1.0, shape)


PROGRAMS = [
    (recurrence, (r(N),)),
    (thomas, (r(N), 3 + r(N), r(N), r(N))),
    (cyclic_reduction, (np.r_[0.0, r(14)], 3 + r(15), np.r_[r(14), 0.0], r(15))),
    (horner, (r(N), 0.7)),
    (newton, (3.1,)),
    (rk4, (r(2), 1.3)),
    (adams_bashforth, (r(3),)),
    (upwind, (r(20), r(20) - 0.6)),
    (adi, (r(18, 18), 0.3)),
    (red_black, (r(20, 20),)),
    (fast_sweeping, (1 + 0.02 * r(18, 19) + 0.03 * np.arange(18)[:, None],)),
    (smith_waterman, (r(18, 20) - 0.5, 0.3)),
    (kalman, (r(30), 0.1, 0.2)),
    (kalman_by_solving, (r(30, 4), 0.1)),
    (columns, (r(6, 20), 0.8)),
    (recurrent_cell, (r(3, 3), r(3, 2), r(20, 2))),
    (histogram, (r(40),)),
    (logistic_map, (2.7,)),
    (sorting_network, (RNG.permutation(18) + 0.5 * r(18),)),
    (wave, (r(40), r(50))),
    (rotated, (r(30), r(40))),
]  # fmt: skip


@pytest.mark.parametrize(("program", "args"), PROGRAMS, ids=lambda x: getattr(x, "__name__", ""))
def test_value_and_gradient(program, args):
    check(program, *args, rtol=1e-10)


@pytest.mark.parametrize(("program", "args"), PROGRAMS, ids=lambda x: getattr(x, "__name__", ""))
def test_compiled_value_and_gradient(program, args):
    np.testing.assert_allclose(jitad.jit(program)(*args), program(*args), rtol=1e-10)
    jitad.testing.check_grads(program, args)


@pytest.mark.parametrize(("program", "args"), [(bisection, (3.1,)), (newton_while, (3.1,)), (escape_time, (0.3 + 0.5j,))])
def test_values_of_while_loops(program, args):
    check(program, *args, derivatives=False)


def test_loop_of_variable_length():
    args = r(len(COLUMNS)), r(20)
    check(sparse_product, *args, derivatives=False)
    tangents = r(len(COLUMNS)), r(20)
    slope = interpreted(lambda *xs: jitad.jvp(sparse_product, xs, tangents)[1], *args)
    np.testing.assert_allclose(slope, numerical_jvp(sparse_product, args, tangents), rtol=1e-8)


def test_products_with_a_sparse_matrix_in_a_loop():
    rows, columns, data = np.array(ROWS), np.array(COLUMNS), r(len(COLUMNS))
    np.testing.assert_allclose(jitad.jit(iterated_product)(rows, columns, data), iterated_product(rows, columns, data), rtol=1e-12)
    jitad.testing.check_grads(lambda data: iterated_product(rows, columns, data), (data,))


def test_forward_mode_through_a_while_loop():
    value, slope = interpreted(lambda y: jitad.jvp(newton_while, (y,), (1.0,)), 3.1)
    np.testing.assert_allclose([value, slope], [3.1 ** (1 / 3), 3.1 ** (-2 / 3) / 3], rtol=1e-10)


@pytest.mark.parametrize("kind", ["tanh", "sine"])
def test_configuration_by_strings_and_dictionaries(kind):
    options = {"steps": 20, "scale": 1.1}
    x = r(4)
    found = interpreted(jitad.grad(lambda x: configured(x, kind, options)), x)
    step = 1e-6 * np.eye(4)
    wanted = [(configured(x + h, kind, options) - configured(x - h, kind, options)) / 2e-6 for h in step]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
