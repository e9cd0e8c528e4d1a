"""Misfit of linear shallow water on a staggered grid, with respect to the depth and the initial elevation."""

import numba
import numpy as np

from benchmarks.benchmark import Benchmark


def misfit(depth, elevation, observed, dt):
    n, m = elevation.shape
    eta = np.copy(elevation)
    u, v = np.zeros((n + 1, m)), np.zeros((n, m + 1))
    hx, hy = 0.5 * (depth[1:, :] + depth[:-1, :]), 0.5 * (depth[:, 1:] + depth[:, :-1])
    recorded = np.zeros_like(observed)
    for t in range(observed.shape[0]):
        u[1:-1, :] -= dt * (eta[1:, :] - eta[:-1, :])
        v[:, 1:-1] -= dt * (eta[:, 1:] - eta[:, :-1])
        fx, fy = np.zeros((n + 1, m)), np.zeros((n, m + 1))
        fx[1:-1, :] = hx * u[1:-1, :]
        fy[:, 1:-1] = hy * v[:, 1:-1]
        eta -= dt * (fx[1:, :] - fx[:-1, :] + fy[:, 1:] - fy[:, :-1])
        recorded[t] = eta[3, :]
    return np.sum((recorded - observed) ** 2)


def in_jax(jax, depth, elevation, observed, dt):
    jnp = jax.numpy
    n, m = elevation.shape
    hx, hy = 0.5 * (depth[1:, :] + depth[:-1, :]), 0.5 * (depth[:, 1:] + depth[:, :-1])

    def step(carry, _):
        eta, u, v = carry
        u, v = u - dt * (eta[1:, :] - eta[:-1, :]), v - dt * (eta[:, 1:] - eta[:, :-1])
        fx, fy = jnp.pad(hx * u, ((1, 1), (0, 0))), jnp.pad(hy * v, ((0, 0), (1, 1)))
        eta = eta - dt * (fx[1:, :] - fx[:-1, :] + fy[:, 1:] - fy[:, :-1])
        return (eta, u, v), eta[3, :]

    start = elevation, jnp.zeros((n - 1, m)), jnp.zeros((n, m - 1))
    _, recorded = jax.lax.scan(step, start, length=observed.shape[0])
    return jnp.sum((recorded - observed) ** 2)


def in_torch(torch, depth, elevation, observed, dt):
    """No velocity is changed in place, since products with it are differentiated."""
    pad = torch.nn.functional.pad
    n, m = elevation.shape
    hx, hy = 0.5 * (depth[1:, :] + depth[:-1, :]), 0.5 * (depth[:, 1:] + depth[:, :-1])
    eta, u, v = elevation, torch.zeros((n - 1, m), dtype=depth.dtype), torch.zeros((n, m - 1), dtype=depth.dtype)
    recorded = []
    for _ in range(observed.shape[0]):
        u, v = u - dt * (eta[1:, :] - eta[:-1, :]), v - dt * (eta[:, 1:] - eta[:, :-1])
        fx, fy = pad(hx * u, (0, 0, 1, 1)), pad(hy * v, (1, 1))
        eta = eta - dt * (fx[1:, :] - fx[:-1, :] + fy[:, 1:] - fy[:, :-1])
        recorded.append(eta[3, :])
    return torch.sum((torch.stack(recorded) - observed) ** 2)


@numba.njit(error_model="numpy", fastmath=True)
def accelerate(eta, u_old, v_old, u, v, dt):
    """The velocities have a rim of zeros; those of a step are kept, and the next ones computed from them."""
    n, m = eta.shape
    for i in range(n - 1):
        for j in range(m):
            u[i + 1, j] = u_old[i + 1, j] - dt * (eta[i + 1, j] - eta[i, j])
    for i in range(n):
        for j in range(m - 1):
            v[i, j + 1] = v_old[i, j + 1] - dt * (eta[i, j + 1] - eta[i, j])


@numba.njit(error_model="numpy", fastmath=True)
def flow(eta, u, v, hx, hy, dt):
    """Depths have a rim, too, which the rims of the velocities cancel."""
    n, m = eta.shape
    for i in range(n):
        for j in range(m):
            across = hx[i + 1, j] * u[i + 1, j] - hx[i, j] * u[i, j]
            eta[i, j] -= dt * (across + hy[i, j + 1] * v[i, j + 1] - hy[i, j] * v[i, j])


@numba.njit(error_model="numpy", fastmath=True)
def flow_back(a, u, v, hx, hy, au, av, gx, gy, dt):
    n, m = a.shape
    for i in range(n - 1):
        for j in range(m):
            flux = dt * (a[i + 1, j] - a[i, j])
            gx[i + 1, j] += u[i + 1, j] * flux
            au[i + 1, j] += hx[i + 1, j] * flux
    for i in range(n):
        for j in range(m - 1):
            flux = dt * (a[i, j + 1] - a[i, j])
            gy[i, j + 1] += v[i, j + 1] * flux
            av[i, j + 1] += hy[i, j + 1] * flux


@numba.njit(error_model="numpy", fastmath=True)
def accelerate_back(a, au, av, dt):
    n, m = a.shape
    for i in range(n):
        for j in range(m):
            a[i, j] += dt * (au[i + 1, j] - au[i, j] + av[i, j + 1] - av[i, j])


def by_hand(depth, elevation, observed, dt, us, vs, x_faces, y_faces):
    """The velocities of all steps are kept, in memory that stays from call to call; each step writes where it keeps."""
    n, m = elevation.shape
    steps = observed.shape[0]
    hx, au, gx = x_faces[0], x_faces[1], x_faces[2]
    hy, av, gy = y_faces[0], y_faces[1], y_faces[2]
    hx[1:-1] = 0.5 * (depth[1:] + depth[:-1])
    hy[:, 1:-1] = 0.5 * (depth[:, 1:] + depth[:, :-1])
    us[0] = 0
    vs[0] = 0
    eta = elevation.copy()
    residual = np.empty_like(observed)
    value = 0.0
    for t in range(steps):
        accelerate(eta, us[t], vs[t], us[t + 1], vs[t + 1], dt)
        flow(eta, us[t + 1], vs[t + 1], hx, hy, dt)
        for j in range(m):
            residual[t, j] = eta[3, j] - observed[t, j]
            value += residual[t, j] ** 2
    a = eta
    a[:] = 0
    au[:] = 0
    av[:] = 0
    gx[:] = 0
    gy[:] = 0
    for t in range(steps - 1, -1, -1):
        for j in range(m):
            a[3, j] += 2 * residual[t, j]
        flow_back(a, us[t + 1], vs[t + 1], hx, hy, au, av, gx, gy, dt)
        accelerate_back(a, au, av, dt)
    return value, 0.5 * (gx[1:] + gx[:-1] + gy[:, 1:] + gy[:, :-1]), a


def make(n, steps):
    rng = np.random.default_rng(0)
    arguments = 1 + rng.random((n, n)), rng.random((n, n)), rng.random((steps, n)), 0.1
    workspace = np.zeros((steps + 1, n + 1, n)), np.zeros((steps + 1, n, n + 1)), np.zeros((3, n + 1, n)), np.zeros((3, n, n + 1))
    name = f"shallow water, {n} × {n}, {steps} steps"
    return Benchmark(name, misfit, by_hand, arguments, differentiated=2, workspace=workspace, plain=(), written={"JAX": in_jax, "PyTorch": in_torch})
