"""Burgers' equations in two dimensions, upwind and with viscosity: a misfit at the end, with respect to the initial velocities."""

import numba
import numpy as np

from benchmarks.benchmark import Benchmark


def misfit(u0, v0, target, steps, k, nu):
    u, v = np.copy(u0), np.copy(v0)
    for _ in range(steps):
        un, vn = np.copy(u), np.copy(v)
        u[1:-1, 1:-1] = (
            un[1:-1, 1:-1]
            - k * un[1:-1, 1:-1] * (un[1:-1, 1:-1] - un[:-2, 1:-1])
            - k * vn[1:-1, 1:-1] * (un[1:-1, 1:-1] - un[1:-1, :-2])
            + nu * (un[2:, 1:-1] + un[:-2, 1:-1] + un[1:-1, 2:] + un[1:-1, :-2] - 4 * un[1:-1, 1:-1])
        )
        v[1:-1, 1:-1] = (
            vn[1:-1, 1:-1]
            - k * un[1:-1, 1:-1] * (vn[1:-1, 1:-1] - vn[:-2, 1:-1])
            - k * vn[1:-1, 1:-1] * (vn[1:-1, 1:-1] - vn[1:-1, :-2])
            + nu * (vn[2:, 1:-1] + vn[:-2, 1:-1] + vn[1:-1, 2:] + vn[1:-1, :-2] - 4 * vn[1:-1, 1:-1])
        )
    return np.sum((u - target) ** 2)


def in_jax(jax, u0, v0, target, steps, k, nu):
    def step(carry, _):
        u, v = carry

        def moved(w):
            x, y = w[1:-1, 1:-1] - w[:-2, 1:-1], w[1:-1, 1:-1] - w[1:-1, :-2]
            spread = w[2:, 1:-1] + w[:-2, 1:-1] + w[1:-1, 2:] + w[1:-1, :-2] - 4 * w[1:-1, 1:-1]
            return w.at[1:-1, 1:-1].add(-k * u[1:-1, 1:-1] * x - k * v[1:-1, 1:-1] * y + nu * spread)

        return (moved(u), moved(v)), None

    (u, _), _ = jax.lax.scan(step, (u0, v0), length=int(steps))
    return jax.numpy.sum((u - target) ** 2)


@numba.njit(error_model="numpy", fastmath=True)
def step(u, v, u_new, v_new, k, nu):
    """The rims of `u_new` and `v_new` are there already."""
    n, m = u.shape
    for i in range(n - 2):
        for j in range(m - 2):
            x, y = u[i + 1, j + 1], v[i + 1, j + 1]
            above, left = u[i, j + 1], u[i + 1, j]
            value = x - k * x * (x - above) - k * y * (x - left)
            u_new[i + 1, j + 1] = value + nu * (u[i + 2, j + 1] + above + u[i + 1, j + 2] + left - 4 * x)
            above, left = v[i, j + 1], v[i + 1, j]
            value = y - k * x * (y - above) - k * y * (y - left)
            v_new[i + 1, j + 1] = value + nu * (v[i + 2, j + 1] + above + v[i + 1, j + 2] + left - 4 * y)


@numba.njit(error_model="numpy", fastmath=True)
def step_back(u, v, a, b, a_new, b_new, k, nu):
    """A gather; `a` and `b` have rims of zeros."""
    n, m = u.shape
    for i in range(n - 2):
        for j in range(m - 2):
            x, y, p, q = u[i + 1, j + 1], v[i + 1, j + 1], a[i + 1, j + 1], b[i + 1, j + 1]
            below, right = k * u[i + 2, j + 1] + nu, k * v[i + 1, j + 2] + nu
            own = 1 - k * (x + y) - 4 * nu
            value = p * (own - k * (x - u[i, j + 1])) - q * k * (y - v[i, j + 1])
            value += a[i + 2, j + 1] * below + a[i + 1, j + 2] * right
            a_new[i + 1, j + 1] = value + nu * (a[i, j + 1] + a[i + 1, j])
            value = q * (own - k * (y - v[i + 1, j])) - p * k * (x - u[i + 1, j])
            value += b[i + 2, j + 1] * below + b[i + 1, j + 2] * right
            b_new[i + 1, j + 1] = value + nu * (b[i, j + 1] + b[i + 1, j])


@numba.njit(error_model="numpy", fastmath=True)
def rim_back(u, v, a, gradient, k, nu):
    """What the interior's neighbours on the rim, which stay as they are, receive."""
    n, m = u.shape
    for j in range(1, m - 1):
        gradient[0, j] += a[1, j] * (k * u[1, j] + nu)
        gradient[n - 1, j] += a[n - 2, j] * nu
    for i in range(1, n - 1):
        gradient[i, 0] += a[i, 1] * (k * v[i, 1] + nu)
        gradient[i, m - 1] += a[i, m - 2] * nu


def by_hand(u0, v0, target, steps, k, nu, us, vs, work):
    """The velocities of all steps are kept, in memory that stays from call to call; each step writes where it keeps."""
    n, m = u0.shape
    for t in range(steps + 1):
        for kept, start in ((us[t], u0), (vs[t], v0)):
            kept[0] = start[0]
            kept[n - 1] = start[n - 1]
            for i in range(n):
                kept[i, 0] = start[i, 0]
                kept[i, m - 1] = start[i, m - 1]
    us[0] = u0
    vs[0] = v0
    for t in range(steps):
        step(us[t], vs[t], us[t + 1], vs[t + 1], k, nu)
    residual = us[steps] - target
    gu, gv = 2 * residual, np.zeros_like(v0)
    a, b, a_new, b_new = work[0], work[1], work[2], work[3]
    a[1:-1, 1:-1] = gu[1:-1, 1:-1]
    b[:] = 0
    for t in range(steps - 1, -1, -1):
        rim_back(us[t], vs[t], a, gu, k, nu)
        rim_back(us[t], vs[t], b, gv, k, nu)
        step_back(us[t], vs[t], a, b, a_new, b_new, k, nu)
        a, b, a_new, b_new = a_new, b_new, a, b
    gu[1:-1, 1:-1] = a[1:-1, 1:-1]
    gv[1:-1, 1:-1] = b[1:-1, 1:-1]
    return np.sum(residual**2), gu, gv


def make(n, steps):
    rng = np.random.default_rng(0)
    arguments = rng.random((n, n)), rng.random((n, n)), rng.random((n, n)), steps, 0.1, 0.01
    workspace = np.zeros((steps + 1, n, n)), np.zeros((steps + 1, n, n)), np.zeros((4, n, n))
    name = f"Burgers' equations, {n} × {n}, {steps} steps"
    return Benchmark(name, misfit, by_hand, arguments, differentiated=2, workspace=workspace, plain=("PyTorch",), written={"JAX": in_jax})
