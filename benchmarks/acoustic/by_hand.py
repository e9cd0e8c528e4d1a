"""What a specialist writes for the acoustic misfit, besides the adjoint whose tape stays from call to call: see `benchmarks.programs.acoustic`."""

import numba
import numpy as np

from benchmarks.programs.acoustic import by_hand as with_tape
from benchmarks.programs.acoustic import step, step_back

EVERY = 32  # steps between checkpoints


@numba.njit(error_model="numpy", fastmath=True)
def step_alone(u, prev, c, sponge):
    """Keep nothing."""
    n, m = u.shape
    near, far, two, five = u.dtype.type(4 / 3), u.dtype.type(1 / 12), u.dtype.type(2), u.dtype.type(5)
    for i in range(n - 4):
        for j in range(m - 4):
            value = near * (u[i + 1, j + 2] + u[i + 3, j + 2] + u[i + 2, j + 1] + u[i + 2, j + 3]) - five * u[i + 2, j + 2]
            value -= far * (u[i, j + 2] + u[i + 4, j + 2] + u[i + 2, j] + u[i + 2, j + 4])
            damping = sponge[i + 2, j + 2]
            prev[i + 2, j + 2] = (two * u[i + 2, j + 2] - prev[i + 2, j + 2] * damping + c[i + 2, j + 2] * value) * damping


@numba.njit
def record(u, sponge, observed, receivers, residual):
    """Note what the receivers miss, and return half its square."""
    value = 0.0
    for k in range(receivers.shape[0]):
        residual[k] = u[receivers[k], 4] / sponge[receivers[k], 4] - observed[k]
        value += 0.5 * residual[k] ** 2
    return value


@numba.njit
def forward(velocity, sponge, wavelet, observed, receivers, source, ratio):
    prev, u = np.zeros_like(velocity), np.zeros_like(velocity)
    c = ((ratio * velocity) ** 2).astype(velocity.dtype)
    residual, value = np.empty_like(observed[0]), 0.0
    for t in range(wavelet.shape[0]):
        step_alone(u, prev, c, sponge)
        prev[source, source] += wavelet[t] * sponge[source, source]
        value += record(prev, sponge, observed[t], receivers, residual)
        prev, u = u, prev
    return value


with_kept_tape = numba.njit(error_model="numpy", fastmath=True)(with_tape)


@numba.njit
def with_fresh_tape(velocity, sponge, wavelet, observed, receivers, source, ratio):
    n, m = velocity.shape
    tape, work = np.empty((wavelet.shape[0], n - 4, m - 4), velocity.dtype), np.zeros((4, n, m), velocity.dtype)
    return with_kept_tape(velocity, sponge, wavelet, observed, receivers, source, ratio, tape, work)


@numba.njit
def with_checkpoints(velocity, sponge, wavelet, observed, receivers, source, ratio, kept, tape, work):
    """Both fields are kept every so many steps, from where the steps in between are run again, onto a short tape."""
    prev, u, c, q = work[0], work[1], work[2], work[3]
    prev[:] = 0
    u[:] = 0
    q[:] = 0
    c[:] = (ratio * velocity) ** 2
    residual, value, steps = np.empty_like(observed), 0.0, wavelet.shape[0]
    for t in range(steps):
        if t % EVERY == 0:
            kept[t // EVERY, 0], kept[t // EVERY, 1] = prev, u
        step_alone(u, prev, c, sponge)
        prev[source, source] += wavelet[t] * sponge[source, source]
        value += record(prev, sponge, observed[t], receivers, residual[t])
        prev, u = u, prev
    a, b, gradient = np.zeros_like(u), np.zeros_like(u), np.zeros_like(u)
    for first in range((steps - 1) // EVERY * EVERY, -1, -EVERY):
        prev[:], u[:] = kept[first // EVERY, 0], kept[first // EVERY, 1]
        last = min(first + EVERY, steps)
        for t in range(first, last):
            step(u, prev, c, sponge, tape[t - first])
            prev[source, source] += wavelet[t] * sponge[source, source]
            prev, u = u, prev
        for t in range(last - 1, first - 1, -1):
            for k in range(receivers.shape[0]):
                a[receivers[k], 4] += residual[t, k]
            step_back(a, b, q, c, sponge, tape[t - first], gradient)
    return value, gradient * velocity.dtype.type(2 * ratio**2) * velocity


def room_for_checkpoints(steps, n, dtype):
    """Return the arrays that `with_checkpoints` works in."""
    count = -(-steps // EVERY)
    return np.zeros((count, 2, n, n), dtype), np.zeros((min(EVERY, steps), n - 4, n - 4), dtype), np.zeros((4, n, n), dtype)
