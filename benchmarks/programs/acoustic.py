"""Misfit of recorded acoustic waves in two dimensions, with respect to the velocity: fourth order in space, a sponge around the grid."""

import functools

import numba
import numpy as np

from benchmarks.benchmark import Benchmark


def misfit(velocity, sponge, wavelet, observed, receivers, source, ratio):
    c = (ratio * velocity) ** 2
    u_prev, u = np.zeros_like(velocity), np.zeros_like(velocity)
    recorded = np.zeros_like(observed)
    for t in range(wavelet.shape[0]):
        laplacian = (
            -5.0 * u[2:-2, 2:-2]
            + (4 / 3) * (u[1:-3, 2:-2] + u[3:-1, 2:-2] + u[2:-2, 1:-3] + u[2:-2, 3:-1])
            - (1 / 12) * (u[:-4, 2:-2] + u[4:, 2:-2] + u[2:-2, :-4] + u[2:-2, 4:])
        )
        u_next = np.zeros_like(u)
        u_next[2:-2, 2:-2] = 2 * u[2:-2, 2:-2] - u_prev[2:-2, 2:-2] + c[2:-2, 2:-2] * laplacian
        u_next[source, source] += wavelet[t]
        recorded[t] = u_next[receivers, 4]
        u_prev, u = u * sponge, u_next * sponge
    return 0.5 * np.sum((recorded - observed) ** 2)


def in_jax(jax, velocity, sponge, wavelet, observed, receivers, source, ratio):
    jnp = jax.numpy
    c = (ratio * velocity) ** 2

    def step(carry, amplitude):
        u_prev, u = carry
        laplacian = (
            -5.0 * u[2:-2, 2:-2]
            + (4 / 3) * (u[1:-3, 2:-2] + u[3:-1, 2:-2] + u[2:-2, 1:-3] + u[2:-2, 3:-1])
            - (1 / 12) * (u[:-4, 2:-2] + u[4:, 2:-2] + u[2:-2, :-4] + u[2:-2, 4:])
        )
        u_next = jnp.pad(2 * u[2:-2, 2:-2] - u_prev[2:-2, 2:-2] + c[2:-2, 2:-2] * laplacian, 2)
        u_next = u_next.at[source, source].add(amplitude)
        return (u * sponge, u_next * sponge), u_next[receivers, 4]

    start = jnp.zeros_like(velocity), jnp.zeros_like(velocity)
    _, recorded = jax.lax.scan(step, start, wavelet)
    return 0.5 * jnp.sum((recorded - observed) ** 2)


def in_devito(devito, velocity, sponge, wavelet, observed, receivers, source, ratio):
    """Return a function of no arguments, and as its attribute that of the value alone; the adjoint is the one by hand.

    The rim, which stays zero, is Devito's halo.
    """
    inner, (steps, count) = slice(2, -2), observed.shape
    grid = devito.Grid(shape=velocity[inner, inner].shape, extent=[n - 5.0 for n in velocity.shape], dtype=velocity.dtype.type)
    c, q = (devito.Function(name=name, grid=grid, space_order=4) for name in "cq")
    s, g = (devito.Function(name=name, grid=grid, space_order=0) for name in "sg")
    u, a = (devito.TimeFunction(name=name, grid=grid, time_order=2, space_order=4) for name in "ua")
    kept = devito.TimeFunction(name="kept", grid=grid, time_order=0, space_order=0, save=steps)
    near, far = (devito.Constant(name=name, dtype=velocity.dtype.type, value=value) for name, value in (("near", 4 / 3), ("far", 1 / 12)))
    shot = devito.SparseTimeFunction(name="shot", grid=grid, npoint=1, nt=steps, coordinates=np.array([[source - 2.0, source - 2.0]]))
    places = np.stack([receivers - 2.0, np.full(count, 2.0)], axis=1)
    recorded, residual = (devito.SparseTimeFunction(name=name, grid=grid, npoint=count, nt=steps, coordinates=places)
                          for name in ("recorded", "residual"))  # fmt: skip
    x, y = grid.dimensions

    def laplacian(f):
        def around(k):
            return sum(f.subs({dim: dim + k * dim.spacing * sign}) for dim in (x, y) for sign in (1, -1))

        return near * around(1) - far * around(2) - 5 * f

    forward = devito.Operator([
        devito.Eq(kept, laplacian(u)), devito.Eq(u.forward, s * (2 * u - s * u.backward + c * kept)),
        shot.inject(field=u.forward, expr=shot), recorded.interpolate(expr=u.forward),
    ])  # fmt: skip
    backward = devito.Operator([
        residual.inject(field=a, expr=residual), devito.Eq(g, g + a * kept), devito.Eq(q, c * a),
        devito.Eq(a.backward, s * (2 * a + laplacian(q) - s * a.forward)),
    ])  # fmt: skip

    def propagate(operator):
        c.data[:], s.data[:] = (ratio * velocity[inner, inner]) ** 2, sponge[inner, inner]
        for field in (u, a, g):
            field.data[:] = 0
        shot.data[:, 0] = wavelet * sponge[source, source]
        operator.apply(time_m=0, time_M=steps - 1)
        return recorded.data / sponge[receivers, 4] - observed

    @functools.cache
    def alone():
        return devito.Operator([
            devito.Eq(u.forward, s * (2 * u - s * u.backward + c * laplacian(u))),
            shot.inject(field=u.forward, expr=shot), recorded.interpolate(expr=u.forward),
        ])  # fmt: skip

    def call():
        residual.data[:] = difference = propagate(forward)
        backward.apply(time_m=0, time_M=steps - 1)
        gradient = np.zeros_like(velocity)
        gradient[inner, inner] = g.data
        return 0.5 * np.sum(difference**2), 2 * ratio**2 * velocity * gradient

    call.value = lambda: 0.5 * np.sum(propagate(alone()) ** 2)
    return call


@numba.njit(error_model="numpy", fastmath=True)
def step(u, prev, c, sponge, laplacian):
    """Advance `prev` by two steps to the one after `u`; indices count from the corner, with which Numba vectorises."""
    n, m = u.shape
    near, far, two, five = u.dtype.type(4 / 3), u.dtype.type(1 / 12), u.dtype.type(2), u.dtype.type(5)
    for i in range(n - 4):
        for j in range(m - 4):
            value = near * (u[i + 1, j + 2] + u[i + 3, j + 2] + u[i + 2, j + 1] + u[i + 2, j + 3]) - five * u[i + 2, j + 2]
            value -= far * (u[i, j + 2] + u[i + 4, j + 2] + u[i + 2, j] + u[i + 2, j + 4])
            laplacian[i, j] = value
            damping = sponge[i + 2, j + 2]
            prev[i + 2, j + 2] = (two * u[i + 2, j + 2] - prev[i + 2, j + 2] * damping + c[i + 2, j + 2] * value) * damping


@numba.njit(error_model="numpy", fastmath=True)
def step_back(a, b, q, c, sponge, laplacian, gradient):
    """The adjoint of `step`: a gather, like the step itself."""
    n, m = a.shape
    near, far, two, five = a.dtype.type(4 / 3), a.dtype.type(1 / 12), a.dtype.type(2), a.dtype.type(5)
    for i in range(n - 4):
        for j in range(m - 4):
            gradient[i + 2, j + 2] += a[i + 2, j + 2] * laplacian[i, j]
            q[i + 2, j + 2] = c[i + 2, j + 2] * a[i + 2, j + 2]
    for i in range(n - 4):
        for j in range(m - 4):
            value = near * (q[i + 1, j + 2] + q[i + 3, j + 2] + q[i + 2, j + 1] + q[i + 2, j + 3]) - five * q[i + 2, j + 2]
            value -= far * (q[i, j + 2] + q[i + 4, j + 2] + q[i + 2, j] + q[i + 2, j + 4])
            x, damping = a[i + 2, j + 2], sponge[i + 2, j + 2]
            a[i + 2, j + 2] = (two * x + value + b[i + 2, j + 2]) * damping
            b[i + 2, j + 2] = -x * damping


def with_steps(step, step_back):
    """Return the gradient by hand with these two steps."""

    def by_hand(velocity, sponge, wavelet, observed, receivers, source, ratio, tape, work):
        """One array is kept for each step, in memory that stays from call to call; damped fields are carried."""
        prev, u, c, q = work[0], work[1], work[2], work[3]
        prev[:] = 0
        u[:] = 0
        q[:] = 0
        c[:] = (ratio * velocity) ** 2
        residual = np.empty_like(observed)
        value = 0.0
        for t in range(wavelet.shape[0]):
            step(u, prev, c, sponge, tape[t])
            prev[source, source] += wavelet[t] * sponge[source, source]
            for k in range(receivers.shape[0]):
                residual[t, k] = prev[receivers[k], 4] / sponge[receivers[k], 4] - observed[t, k]
                value += residual[t, k] ** 2
            prev, u = u, prev
        a, b = prev, u
        a[:] = 0
        b[:] = 0
        gradient = np.zeros_like(velocity)
        for t in range(wavelet.shape[0] - 1, -1, -1):
            for k in range(receivers.shape[0]):
                a[receivers[k], 4] += residual[t, k]
            step_back(a, b, q, c, sponge, tape[t], gradient)
        return 0.5 * value, gradient * velocity.dtype.type(2 * ratio**2) * velocity

    return by_hand


by_hand = with_steps(step, step_back)


def arguments(n, steps, receivers, dtype=np.float64):
    """Return the arguments of the misfit for a grid of n by n points."""
    rng = np.random.default_rng(0)
    velocity = 1500 + 500 * rng.random((n, n))
    edge = np.minimum(np.arange(n), np.arange(n)[::-1])
    profile = np.where(edge < 20, np.exp(-((0.015 * (20 - edge)) ** 2)), 1)
    t = np.arange(steps) * 0.1 - 3
    wavelet = (1 - 2 * t**2) * np.exp(-(t**2))
    observed = 0.1 * rng.standard_normal((steps, receivers))
    places = np.arange(receivers) * (n - 10) // receivers + 5
    arrays = [x.astype(dtype) for x in (velocity, np.minimum.outer(profile, profile), wavelet, observed)]
    return *arrays, places, n // 2, 2.5e-4


def make(n, steps, receivers, dtype=np.float64):
    name = f"acoustic waves, {n} × {n}, {steps} steps, {receivers} receivers"
    workspace = np.zeros((steps, n - 4, n - 4), dtype), np.zeros((4, n, n), dtype)
    given = arguments(n, steps, receivers, dtype)
    return Benchmark(
        name, misfit, by_hand, given, differentiated=1, workspace=workspace, plain=("PyTorch",), written={"JAX": in_jax, "Devito": in_devito}
    )
