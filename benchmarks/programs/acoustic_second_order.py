"""Misfit of recorded acoustic waves in two dimensions, with respect to the velocity: second order in space, a sponge around the grid."""

import numba
import numpy as np

from benchmarks.benchmark import Benchmark
from benchmarks.programs.acoustic import arguments, with_steps


def misfit(velocity, sponge, wavelet, observed, receivers, source, ratio):
    c = (ratio * velocity) ** 2
    u_prev, u = np.zeros_like(velocity), np.zeros_like(velocity)
    recorded = np.zeros_like(observed)
    for t in range(wavelet.shape[0]):
        laplacian = u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1]
        u_next = np.zeros_like(u)
        u_next[1:-1, 1:-1] = 2 * u[1:-1, 1:-1] - u_prev[1:-1, 1:-1] + c[1:-1, 1:-1] * laplacian
        u_next[source, source] += wavelet[t]
        recorded[t] = u_next[receivers, 4]
        u_prev, u = u * sponge, u_next * sponge
    return 0.5 * np.sum((recorded - observed) ** 2)


def in_jax(jax, velocity, sponge, wavelet, observed, receivers, source, ratio):
    jnp = jax.numpy
    c = (ratio * velocity) ** 2

    def step(carry, amplitude):
        u_prev, u = carry
        laplacian = u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1]
        u_next = jnp.pad(2 * u[1:-1, 1:-1] - u_prev[1:-1, 1:-1] + c[1:-1, 1:-1] * laplacian, 1)
        u_next = u_next.at[source, source].add(amplitude)
        return (u * sponge, u_next * sponge), u_next[receivers, 4]

    start = jnp.zeros_like(velocity), jnp.zeros_like(velocity)
    _, recorded = jax.lax.scan(step, start, wavelet)
    return 0.5 * jnp.sum((recorded - observed) ** 2)


@numba.njit(error_model="numpy", fastmath=True)
def step(u, prev, c, sponge, laplacian):
    n, m = u.shape
    for i in range(n - 2):
        for j in range(m - 2):
            value = u[i, j + 1] + u[i + 2, j + 1] + u[i + 1, j] + u[i + 1, j + 2] - 4.0 * u[i + 1, j + 1]
            laplacian[i, j] = value
            damping = sponge[i + 1, j + 1]
            prev[i + 1, j + 1] = (2.0 * u[i + 1, j + 1] - prev[i + 1, j + 1] * damping + c[i + 1, j + 1] * value) * damping


@numba.njit(error_model="numpy", fastmath=True)
def step_back(a, b, q, c, sponge, laplacian, gradient):
    n, m = a.shape
    for i in range(n - 2):
        for j in range(m - 2):
            gradient[i + 1, j + 1] += a[i + 1, j + 1] * laplacian[i, j]
            q[i + 1, j + 1] = c[i + 1, j + 1] * a[i + 1, j + 1]
    for i in range(n - 2):
        for j in range(m - 2):
            value = q[i, j + 1] + q[i + 2, j + 1] + q[i + 1, j] + q[i + 1, j + 2] - 4.0 * q[i + 1, j + 1]
            x, damping = a[i + 1, j + 1], sponge[i + 1, j + 1]
            a[i + 1, j + 1] = (2.0 * x + value + b[i + 1, j + 1]) * damping
            b[i + 1, j + 1] = -x * damping


def make(n, steps, receivers):
    name = f"acoustic waves of second order, {n} × {n}, {steps} steps, {receivers} receivers"
    workspace = np.zeros((steps, n - 2, n - 2)), np.zeros((4, n, n))
    given = arguments(n, steps, receivers)
    return Benchmark(
        name, misfit, with_steps(step, step_back), given, differentiated=1, workspace=workspace, plain=("PyTorch",), written={"JAX": in_jax}
    )
