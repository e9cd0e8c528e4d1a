"""A recurrent network: two layers of long short-term memory that predict the next value of a sequence."""

import numpy as np
from numba import njit

from benchmarks.benchmark import Benchmark


def lstm(w1, b1, w2, b2, x):
    n = b1.shape[0] // 4
    h1 = c1 = h2 = c2 = np.zeros(n)
    loss = 0.0
    for t in range(x.shape[0] - 1):
        h1, c1 = cell(w1, b1, x[t], h1, c1)
        h2, c2 = cell(w2, b2, h1, h2, c2)
        loss += np.sum((h2 - x[t + 1]) ** 2)
    return loss


def cell(w, b, x, h, c):
    gates = w @ np.concatenate((x, h)) + b
    n = h.shape[0]
    i, f, o = 1 / (1 + np.exp(-gates[:n])), 1 / (1 + np.exp(-gates[n : 2 * n])), 1 / (1 + np.exp(-gates[2 * n : 3 * n]))
    c = f * c + i * np.tanh(gates[3 * n :])
    return o * np.tanh(c), c


def in_jax(jax, w1, b1, w2, b2, x):
    jnp = jax.numpy

    def cell(w, b, x, h, c):
        i, f, o, z = jnp.split(w @ jnp.concatenate((x, h)) + b, 4)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(z)
        return jax.nn.sigmoid(o) * jnp.tanh(c), c

    def step(carry, pair):
        h1, c1, h2, c2 = carry
        h1, c1 = cell(w1, b1, pair[0], h1, c1)
        h2, c2 = cell(w2, b2, h1, h2, c2)
        return (h1, c1, h2, c2), jnp.sum((h2 - pair[1]) ** 2)

    return jnp.sum(jax.lax.scan(step, (jnp.zeros_like(x[0]),) * 4, (x[:-1], x[1:]))[1])


def in_torch(torch, w1, b1, w2, b2, x):
    """The layers that come with the library: its gates are in another order."""
    n = x.shape[1]
    parts = []
    for w, b in (w1, b1), (w2, b2):
        i, f, o, z = torch.arange(4 * n).reshape(4, n)
        order = torch.cat((i, f, z, o))
        parts += [w[order, :n], w[order, n:], b[order], torch.zeros_like(b)]
    start = torch.zeros((2, 1, n), dtype=x.dtype)
    predicted, _, _ = torch.lstm(x[:-1, None], (start, start), parts, True, 2, 0.0, True, False, False)
    return torch.sum((predicted[:, 0] - x[1:]) ** 2)


def in_pytensor(pytensor, w1, b1, w2, b2, x):
    tensor, n = pytensor.tensor, x.type.shape[1]

    def cell(w, b, x, h, c):
        gates = (w @ tensor.concatenate((x, h)) + b).reshape((4, n))
        i, f, o, z = (gates[k] for k in range(4))
        c = tensor.sigmoid(f) * c + tensor.sigmoid(i) * tensor.tanh(z)
        return tensor.sigmoid(o) * tensor.tanh(c), c

    def step(now, after, h1, c1, h2, c2, w1, b1, w2, b2):
        h1, c1 = cell(w1, b1, now, h1, c1)
        h2, c2 = cell(w2, b2, h1, h2, c2)
        return h1, c1, h2, c2, tensor.sum((h2 - after) ** 2)

    start = [tensor.zeros(n) for _ in range(4)]
    *_, losses = pytensor.scan(step, [x[:-1], x[1:]], [*start, None], [w1, b1, w2, b2], return_updates=False)
    return tensor.sum(losses)


def in_casadi(casadi, w1, b1, w2, b2, x):
    """One function of the step, accumulated over all of them."""
    steps, n = x.shape[0] - 1, x.shape[1]
    state, now, after = casadi.SX.sym("state", n, 4), casadi.SX.sym("now", n), casadi.SX.sym("after", n)
    weights = [casadi.SX.sym(f"w{k}", *w.shape) for k, w in enumerate((w1, b1, w2, b2))]

    def cell(w, b, x, h, c):
        i, f, o, z = casadi.vertsplit(w @ casadi.vertcat(x, h) + b, n)
        c = c / (1 + casadi.exp(-f)) + casadi.tanh(z) / (1 + casadi.exp(-i))
        return casadi.tanh(c) / (1 + casadi.exp(-o)), c

    h1, c1 = cell(weights[0], weights[1], now, state[:, 0], state[:, 1])
    h2, c2 = cell(weights[2], weights[3], h1, state[:, 2], state[:, 3])
    loss = casadi.sumsqr(h2 - after)
    step = casadi.Function("step", [state, now, after, *weights], [casadi.horzcat(h1, c1, h2, c2), loss])
    _, losses = step.mapaccum(steps)(casadi.DM.zeros(n, 4), x[:-1, :].T, x[1:, :].T, w1, b1, w2, b2)
    return casadi.sum2(losses)


def by_hand(w1, b1, w2, b2, x):
    """The gates and the states of all steps are kept; the gradients of the weights are products over all steps at once."""
    n, steps = b1.shape[0] // 4, x.shape[0] - 1
    v1, v2 = np.zeros((steps, 2 * n)), np.zeros((steps, 2 * n))
    g1, g2 = np.empty((steps, 4 * n)), np.empty((steps, 4 * n))
    c1, c2 = np.zeros((steps + 1, n)), np.zeros((steps + 1, n))
    turned1, turned2 = np.ascontiguousarray(w1.T), np.ascontiguousarray(w2.T)
    out, loss = np.zeros(n), 0.0
    miss = np.empty((steps, n))
    for t in range(steps):
        v1[t, :n] = x[t]
        forward(turned1, b1, v1[t], g1[t], c1[t], c1[t + 1], v2[t, :n])
        if t + 1 < steps:
            v1[t + 1, n:] = v2[t, :n]
        forward(turned2, b2, v2[t], g2[t], c2[t], c2[t + 1], out)
        if t + 1 < steps:
            v2[t + 1, n:] = out
        for k in range(n):
            miss[t, k] = 2 * (out[k] - x[t + 1, k])
            loss += 0.25 * miss[t, k] ** 2
    c1_, c2_, h1_, h2_ = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    v_ = np.empty(2 * n)
    for t in range(steps - 1, -1, -1):
        for k in range(n):
            h2_[k] += miss[t, k]
        backward(g2[t], c2[t], c2[t + 1], c2_, h2_)
        times(w2, g2[t], v_)
        for k in range(n):
            h1_[k] += v_[k]
            h2_[k] = v_[n + k]
        backward(g1[t], c1[t], c1[t + 1], c1_, h1_)
        times(w1, g1[t], v_)
        for k in range(n):
            h1_[k] = v_[n + k]
    return loss, g1.T @ v1, g1.sum(0), g2.T @ v2, g2.sum(0)


@njit
def times(w, v, total):
    """Compute w.T @ v, a row of w after the other."""
    total[:] = 0.0
    for j in range(w.shape[0]):
        for k in range(w.shape[1]):
            total[k] += w[j, k] * v[j]


@njit(error_model="numpy")
def forward(w, b, v, gates, before, after, h):
    """Compute a step of a layer: `gates` become what they let through."""
    n = h.shape[0]
    times(w, v, gates)
    for k in range(3 * n):
        gates[k] = 1 / (1 + np.exp(-gates[k] - b[k]))
    for k in range(n):
        gates[3 * n + k] = np.tanh(gates[3 * n + k] + b[3 * n + k])
        after[k] = gates[n + k] * before[k] + gates[k] * gates[3 * n + k]
        h[k] = gates[2 * n + k] * np.tanh(after[k])


@njit(error_model="numpy")
def backward(gates, before, after, c_, h_):
    """Go back through a step of a layer: `gates` become the cotangents of what went into them, `c_` that of the state before."""
    n = h_.shape[0]
    for k in range(n):
        i, f, o, z, s = gates[k], gates[n + k], gates[2 * n + k], gates[3 * n + k], np.tanh(after[k])
        c = c_[k] + h_[k] * o * (1 - s * s)
        gates[k] = c * z * i * (1 - i)
        gates[n + k] = c * before[k] * f * (1 - f)
        gates[2 * n + k] = h_[k] * s * o * (1 - o)
        gates[3 * n + k] = c * i * (1 - z * z)
        c_[k] = c * f


def make(n, steps):
    rng = np.random.default_rng(0)
    weights = [0.3 * rng.normal(size=size) for size in ((4 * n, 2 * n), 4 * n) * 2]
    name = f"LSTM, 2 × {n}, {steps} steps"
    return Benchmark(
        name,
        lstm,
        by_hand,
        (*weights, 0.3 * rng.normal(size=(steps, n))),
        differentiated=4,
        plain=("autograd",),
        written={"JAX": in_jax, "PyTorch": in_torch, "PyTensor": in_pytensor, "CasADi": in_casadi},
    )
