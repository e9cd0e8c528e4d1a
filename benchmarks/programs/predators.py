"""Misfit of predators and prey (Lotka and Volterra) over time, by Runge and Kutta's method of fourth order, for rates and initial numbers.

All in single numbers, step after step: what counts is the cost of an operation, not of memory.
"""

import numba
import numpy as np

from benchmarks.benchmark import Benchmark

STEP = 0.02


def misfit(rates, initial, observed):
    x, y = initial[0], initial[1]
    total = 0.0
    for t in range(observed.shape[0]):
        a1, b1 = growth(rates, x, y)
        a2, b2 = growth(rates, x + STEP / 2 * a1, y + STEP / 2 * b1)
        a3, b3 = growth(rates, x + STEP / 2 * a2, y + STEP / 2 * b2)
        a4, b4 = growth(rates, x + STEP * a3, y + STEP * b3)
        x = x + STEP / 6 * (a1 + 2 * a2 + 2 * a3 + a4)
        y = y + STEP / 6 * (b1 + 2 * b2 + 2 * b3 + b4)
        total = total + (x - observed[t, 0]) ** 2 + (y - observed[t, 1]) ** 2
    return 0.5 * total


def growth(rates, x, y):
    return x * (rates[0] - rates[1] * y), y * (rates[2] * x - rates[3])


def in_jax(jax, rates, initial, observed):
    def step(state, now):
        x, y = state
        a1, b1 = growth(rates, x, y)
        a2, b2 = growth(rates, x + STEP / 2 * a1, y + STEP / 2 * b1)
        a3, b3 = growth(rates, x + STEP / 2 * a2, y + STEP / 2 * b2)
        a4, b4 = growth(rates, x + STEP * a3, y + STEP * b3)
        x = x + STEP / 6 * (a1 + 2 * a2 + 2 * a3 + a4)
        y = y + STEP / 6 * (b1 + 2 * b2 + 2 * b3 + b4)
        return (x, y), (x - now[0]) ** 2 + (y - now[1]) ** 2

    _, squares = jax.lax.scan(step, (initial[0], initial[1]), observed)
    return 0.5 * jax.numpy.sum(squares)


def by_hand(rates, initial, observed, kept):
    """Keep the state before each step, and in the reverse sweep compute the stages of the step again."""
    n = observed.shape[0]
    p, q, r, s = rates
    x, y = initial
    total = 0.0
    for t in range(n):
        kept[t, 0], kept[t, 1] = x, y
        x, y, _, _, _, _, _, _ = stages(p, q, r, s, x, y)
        total += (x - observed[t, 0]) ** 2 + (y - observed[t, 1]) ** 2
    slopes = np.zeros(4)
    gx, gy = 0.0, 0.0
    for t in range(n - 1, -1, -1):
        x0, y0 = kept[t]
        x, y, x2, y2, x3, y3, x4, y4 = stages(p, q, r, s, x0, y0)
        gx += x - observed[t, 0]
        gy += y - observed[t, 1]
        u, v = transposed(p, q, r, s, x4, y4, STEP / 6 * gx, STEP / 6 * gy, slopes)
        sx, sy = u, v
        u, v = transposed(p, q, r, s, x3, y3, STEP / 3 * gx + STEP * u, STEP / 3 * gy + STEP * v, slopes)
        sx, sy = sx + u, sy + v
        u, v = transposed(p, q, r, s, x2, y2, STEP / 3 * gx + STEP / 2 * u, STEP / 3 * gy + STEP / 2 * v, slopes)
        sx, sy = sx + u, sy + v
        u, v = transposed(p, q, r, s, x0, y0, STEP / 6 * gx + STEP / 2 * u, STEP / 6 * gy + STEP / 2 * v, slopes)
        gx, gy = gx + sx + u, gy + sy + v
    return 0.5 * total, slopes, np.array([gx, gy])


@numba.njit(error_model="numpy")
def stages(p, q, r, s, x, y):
    """Return the state after a step, and where the second to the fourth slopes are taken."""
    a1, b1 = x * (p - q * y), y * (r * x - s)
    x2, y2 = x + STEP / 2 * a1, y + STEP / 2 * b1
    a2, b2 = x2 * (p - q * y2), y2 * (r * x2 - s)
    x3, y3 = x + STEP / 2 * a2, y + STEP / 2 * b2
    a3, b3 = x3 * (p - q * y3), y3 * (r * x3 - s)
    x4, y4 = x + STEP * a3, y + STEP * b3
    a4, b4 = x4 * (p - q * y4), y4 * (r * x4 - s)
    return x + STEP / 6 * (a1 + 2 * a2 + 2 * a3 + a4), y + STEP / 6 * (b1 + 2 * b2 + 2 * b3 + b4), x2, y2, x3, y3, x4, y4


@numba.njit(error_model="numpy")
def transposed(p, q, r, s, x, y, a, b, slopes):
    """Add to the slopes of the rates what cotangents `a` and `b` of the growth at a point give; return those of the point."""
    slopes[0] += a * x
    slopes[1] -= a * x * y
    slopes[2] += b * x * y
    slopes[3] -= b * y
    return a * (p - q * y) + b * r * y, b * (r * x - s) - a * q * x


def make(steps):
    rng = np.random.default_rng(0)
    rates, initial = np.array([1.1, 0.4, 0.1, 0.4]), np.array([10.0, 5.0])
    observed = rng.uniform(0.5, 20.0, (steps, 2))
    name = f"predators and prey, {steps:,} steps"
    return Benchmark(
        name,
        misfit,
        by_hand,
        (rates, initial, observed),
        2,
        workspace=(np.empty((steps, 2)),),
        plain=("PyTorch", "autograd", "CasADi"),
        written={"JAX": in_jax},
    )
