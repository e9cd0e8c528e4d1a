"""A program of loops in loops, the inner ones as long as it takes or not: for the tests of budgets."""

import numpy as np


def settling(x):
    """A fixed point in each step of adaptive length."""
    t, u = 0.0, x * 1.0
    while t < 1.0:
        v, dt = u * 1.0, 0.05 / (1 + u[0] ** 2)
        while np.sum(np.abs(v - u - dt * np.sin(v))) > 1e-6:
            v = u + dt * np.sin(v)
        for _ in range(30):
            v = v + 0.001 * v[::-1] * (1 - v)
        u, t = v, t + dt
    return np.sum(u**2)
