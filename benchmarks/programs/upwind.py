"""Advection with upwind differences: a misfit at the end, with respect to the initial concentration and the velocities."""

import numba
import numpy as np

from benchmarks.benchmark import Benchmark


def misfit(c0, a, b, target, steps, dt):
    c = np.copy(c0)
    forward, backward = np.maximum(a, 0), np.minimum(a, 0)
    for _ in range(steps):
        left, right = c[1:-1, 1:-1] - c[:-2, 1:-1], c[2:, 1:-1] - c[1:-1, 1:-1]
        down, up = c[1:-1, 1:-1] - c[1:-1, :-2], c[1:-1, 2:] - c[1:-1, 1:-1]
        c[1:-1, 1:-1] -= dt * (forward * left + backward * right + b * np.where(b > 0, down, up))
    return np.sum((c - target) ** 2)


def in_jax(jax, c0, a, b, target, steps, dt):
    jnp = jax.numpy
    forward, backward = jnp.maximum(a, 0), jnp.minimum(a, 0)

    def step(c, _):
        left, right = c[1:-1, 1:-1] - c[:-2, 1:-1], c[2:, 1:-1] - c[1:-1, 1:-1]
        down, up = c[1:-1, 1:-1] - c[1:-1, :-2], c[1:-1, 2:] - c[1:-1, 1:-1]
        return c.at[1:-1, 1:-1].add(-dt * (forward * left + backward * right + b * jnp.where(b > 0, down, up))), None

    c, _ = jax.lax.scan(step, c0, length=int(steps))
    return jnp.sum((c - target) ** 2)


@numba.njit(error_model="numpy", fastmath=True)
def step(c, c_new, a, b):
    """Velocities are those times the time step, with a rim of zeros."""
    n, m = c.shape
    for i in range(n - 2):
        for j in range(m - 2):
            x, p, q = c[i + 1, j + 1], a[i + 1, j + 1], b[i + 1, j + 1]
            along = x - c[i, j + 1] if p > 0 else c[i + 2, j + 1] - x
            across = x - c[i + 1, j] if q > 0 else c[i + 1, j + 2] - x
            c_new[i + 1, j + 1] = x - p * along - q * across


@numba.njit(error_model="numpy", fastmath=True)
def step_back(c, r, r_new, a, b, ga, gb):
    """A gather; `r` has a rim of zeros."""
    n, m = c.shape
    for i in range(n - 2):
        for j in range(m - 2):
            x, p, q, own = c[i + 1, j + 1], a[i + 1, j + 1], b[i + 1, j + 1], r[i + 1, j + 1]
            ga[i + 1, j + 1] += own * (x - c[i, j + 1] if p > 0 else c[i + 2, j + 1] - x)
            gb[i + 1, j + 1] += own * (x - c[i + 1, j] if q > 0 else c[i + 1, j + 2] - x)
            value = own * (1 - abs(p) - abs(q))
            value += max(a[i + 2, j + 1], 0.0) * r[i + 2, j + 1] - min(a[i, j + 1], 0.0) * r[i, j + 1]
            value += max(b[i + 1, j + 2], 0.0) * r[i + 1, j + 2] - min(b[i + 1, j], 0.0) * r[i + 1, j]
            r_new[i + 1, j + 1] = value


@numba.njit(error_model="numpy", fastmath=True)
def rim_back(r, a, b, gradient):
    """What the interior's neighbours on the rim, which stay as they are, receive."""
    n, m = r.shape
    for j in range(1, m - 1):
        gradient[0, j] += r[1, j] * max(a[1, j], 0.0)
        gradient[n - 1, j] -= r[n - 2, j] * min(a[n - 2, j], 0.0)
    for i in range(1, n - 1):
        gradient[i, 0] += r[i, 1] * max(b[i, 1], 0.0)
        gradient[i, m - 1] -= r[i, m - 2] * min(b[i, m - 2], 0.0)


def by_hand(c0, a, b, target, steps, dt, cs, work):
    """The concentrations of all steps are kept, in memory that stays from call to call; each step writes where it keeps."""
    n, m = c0.shape
    pa, pb, ga, gb, r, r_new = work[0], work[1], work[2], work[3], work[4], work[5]
    pa[1:-1, 1:-1] = dt * a
    pb[1:-1, 1:-1] = dt * b
    for t in range(steps + 1):
        cs[t, 0] = c0[0]
        cs[t, n - 1] = c0[n - 1]
        for i in range(n):
            cs[t, i, 0] = c0[i, 0]
            cs[t, i, m - 1] = c0[i, m - 1]
    cs[0] = c0
    for t in range(steps):
        step(cs[t], cs[t + 1], pa, pb)
    residual = cs[steps] - target
    gradient = 2 * residual
    r[1:-1, 1:-1] = gradient[1:-1, 1:-1]
    ga[:] = 0
    gb[:] = 0
    for t in range(steps - 1, -1, -1):
        rim_back(r, pa, pb, gradient)
        step_back(cs[t], r, r_new, pa, pb, ga, gb)
        r, r_new = r_new, r
    gradient[1:-1, 1:-1] = r[1:-1, 1:-1]
    return np.sum(residual**2), gradient, -dt * ga[1:-1, 1:-1], -dt * gb[1:-1, 1:-1]


def make(n, steps):
    rng = np.random.default_rng(0)
    velocities = rng.random((n - 2, n - 2)) - 0.5, rng.random((n - 2, n - 2)) - 0.5
    arguments = rng.random((n, n)), *velocities, rng.random((n, n)), steps, 0.1
    workspace = np.zeros((steps + 1, n, n)), np.zeros((6, n, n))
    name = f"upwind advection, {n} × {n}, {steps} steps"
    return Benchmark(name, misfit, by_hand, arguments, differentiated=3, workspace=workspace, plain=("PyTorch",), written={"JAX": in_jax})
