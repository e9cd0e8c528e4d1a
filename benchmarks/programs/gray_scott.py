"""Reaction and diffusion (Gray-Scott) on a torus: a misfit at the end, with respect to the initial state, the feed and the decay."""

import numba
import numpy as np

from benchmarks.benchmark import Benchmark


def laplacian(a):
    return np.roll(a, 1, 0) + np.roll(a, -1, 0) + np.roll(a, 1, 1) + np.roll(a, -1, 1) - 4 * a


def misfit(u0, v0, feed, decay, target, steps, du, dv):
    u, v = u0, v0
    for _ in range(steps):
        reaction = u * v * v
        u, v = u + du * laplacian(u) - reaction + feed * (1 - u), v + dv * laplacian(v) + reaction - (feed + decay) * v
    return np.sum((v - target) ** 2)


def in_jax(jax, u0, v0, feed, decay, target, steps, du, dv):
    jnp = jax.numpy

    def spread(a):
        return jnp.roll(a, 1, 0) + jnp.roll(a, -1, 0) + jnp.roll(a, 1, 1) + jnp.roll(a, -1, 1) - 4 * a

    def step(carry, _):
        u, v = carry
        reaction = u * v * v
        return (u + du * spread(u) - reaction + feed * (1 - u), v + dv * spread(v) + reaction - (feed + decay) * v), None

    (_, v), _ = jax.lax.scan(step, (u0, v0), length=int(steps))
    return jnp.sum((v - target) ** 2)


@numba.njit(error_model="numpy", fastmath=True)
def wrap(a):
    """Let the rim be what lies on the other side."""
    n, m = a.shape
    a[0] = a[n - 2]
    a[n - 1] = a[1]
    for i in range(n):
        a[i, 0] = a[i, m - 2]
        a[i, m - 1] = a[i, 1]


@numba.njit(error_model="numpy", fastmath=True)
def step(u, v, u_new, v_new, feed, decay, du, dv):
    n, m = u.shape
    for i in range(n - 2):
        for j in range(m - 2):
            x, y = u[i + 1, j + 1], v[i + 1, j + 1]
            reaction = x * y * y
            spread = u[i, j + 1] + u[i + 2, j + 1] + u[i + 1, j] + u[i + 1, j + 2] - 4 * x
            u_new[i + 1, j + 1] = x + du * spread - reaction + feed * (1 - x)
            spread = v[i, j + 1] + v[i + 2, j + 1] + v[i + 1, j] + v[i + 1, j + 2] - 4 * y
            v_new[i + 1, j + 1] = y + dv * spread + reaction - (feed + decay) * y


@numba.njit(error_model="numpy", fastmath=True)
def step_back(u, v, a, b, a_new, b_new, feed, decay, du, dv):
    """A gather; returns what the feed and the decay receive."""
    n, m = u.shape
    to_feed, to_decay = 0.0, 0.0
    for i in range(n - 2):
        for j in range(m - 2):
            x, y, p, q = u[i + 1, j + 1], v[i + 1, j + 1], a[i + 1, j + 1], b[i + 1, j + 1]
            r = q - p
            spread = a[i, j + 1] + a[i + 2, j + 1] + a[i + 1, j] + a[i + 1, j + 2] - 4 * p
            a_new[i + 1, j + 1] = p + du * spread + r * y * y - feed * p
            spread = b[i, j + 1] + b[i + 2, j + 1] + b[i + 1, j] + b[i + 1, j + 2] - 4 * q
            b_new[i + 1, j + 1] = q + dv * spread + 2 * r * x * y - (feed + decay) * q
            to_feed += p * (1 - x) - q * y
            to_decay -= q * y
    return to_feed, to_decay


def by_hand(u0, v0, feed, decay, target, steps, du, dv, us, vs, work):
    """The state of all steps is kept, with a rim, in memory that stays from call to call; each step writes where it keeps."""
    us[0, 1:-1, 1:-1] = u0
    vs[0, 1:-1, 1:-1] = v0
    for t in range(steps):
        wrap(us[t])
        wrap(vs[t])
        step(us[t], vs[t], us[t + 1], vs[t + 1], feed, decay, du, dv)
    residual = vs[steps, 1:-1, 1:-1] - target
    a, b, a_new, b_new = work[0], work[1], work[2], work[3]
    a[:] = 0
    b[1:-1, 1:-1] = 2 * residual
    to_feed, to_decay = 0.0, 0.0
    for t in range(steps - 1, -1, -1):
        wrap(a)
        wrap(b)
        more_feed, more_decay = step_back(us[t], vs[t], a, b, a_new, b_new, feed, decay, du, dv)
        to_feed += more_feed
        to_decay += more_decay
        a, b, a_new, b_new = a_new, b_new, a, b
    return np.sum(residual**2), a[1:-1, 1:-1].copy(), b[1:-1, 1:-1].copy(), to_feed, to_decay


def make(n, steps):
    rng = np.random.default_rng(0)
    arguments = rng.random((n, n)), rng.random((n, n)), 0.03, 0.06, rng.random((n, n)), steps, 0.16, 0.08
    workspace = np.zeros((steps + 1, n + 2, n + 2)), np.zeros((steps + 1, n + 2, n + 2)), np.zeros((4, n + 2, n + 2))
    name = f"reaction and diffusion, {n} × {n}, {steps} steps"
    return Benchmark(name, misfit, by_hand, arguments, differentiated=4, workspace=workspace, plain=("PyTorch", "autograd"), written={"JAX": in_jax})
