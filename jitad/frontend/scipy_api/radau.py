"""``scipy.integrate``: a step of controlled size by the implicit Runge-Kutta method of Radau (IIA, of order 5), for stiff systems of equations.

In: a time and state, a size to try. Out: those after the step. The equations of the stages are solved by iteration, of which no derivative is
taken; they are then followed to the third order of derivatives, by the implicit function theorem (see `systems.polished`).
E. Hairer and G. Wanner, Solving Ordinary Differential Equations II, section IV.8.
"""

from __future__ import annotations

import numpy as np

from jitad.frontend.hooks.own_code import DERIVATIVES, traced_as_users
from jitad.frontend.scipy_api.systems import polished

R = np.sqrt(6.0)
A = np.array([[(88 - 7 * R) / 360, (296 - 169 * R) / 1800, (-2 + 3 * R) / 225],
              [(296 + 169 * R) / 1800, (88 + 7 * R) / 360, (-2 - 3 * R) / 225],
              [(16 - R) / 36, (16 + R) / 36, 1 / 9]])
C = np.array([(4 - R) / 10, (4 + R) / 10, 1.0])
E = np.array([-13 - 7 * R, -13 + 7 * R, -1.0]) / 3
P = [[13 / 3 + 7 * R / 3, -23 / 3 - 22 * R / 3, 10 / 3 + 5 * R], [13 / 3 - 7 * R / 3, -23 / 3 + 22 * R / 3, 10 / 3 - 5 * R], [1 / 3, -8 / 3, 10 / 3]]
REAL = 3 + 3 ** (2 / 3) - 3 ** (1 / 3)  # the real eigenvalue of A's inverse
ORDER_OF_ERROR = 3
TRIES = 7  # of the iteration, before the step is halved


@traced_as_users
def defect(slope, t, y, h, z):
    """Return by how much the stages z, less the state, fail to solve their equations; the elements of all stages follow one another."""
    stages = z.reshape(3, len(y))
    slopes = np.stack([slope(t + c * h, y + stages[k]) for k, c in enumerate(C)])
    return (stages - h * (A @ slopes)).reshape(-1)


@traced_as_users
def jacobian(slope, t, y):
    return DERIVATIVES["jacobian"](lambda y: slope(t, y), y)


@traced_as_users
def tried(slope, t, y, f, h, tolerances):
    """Return the stages of a step, its error in tolerances, and whether the iteration has converged."""
    rtol, atol = tolerances
    n, matrix = len(y), jacobian(slope, t, y)
    scale = np.concatenate([atol + np.abs(y) * rtol] * 3)
    system = np.eye(3 * n) - h * (A[:, None, :, None] * matrix[None, :, None, :]).reshape(3 * n, 3 * n)
    close = np.maximum(10 * np.finfo(float).eps / np.min(rtol), np.minimum(0.03, np.sqrt(np.min(rtol))))
    z, size, going, converged, tries = np.zeros(3 * n), np.inf, True, False, 0
    while going and tries < TRIES:
        step = -np.linalg.solve(system, defect(slope, t, y, h, z))
        before, size = size, np.sqrt(np.mean((step / scale) ** 2))
        z = z + step
        converged = size <= close
        going = not converged and size < before
        tries += 1
    stages = z.reshape(3, n)
    shift = REAL / h * np.eye(n) - matrix
    rest = E @ stages / h
    state = y + stages[2]
    scale = atol + np.maximum(np.abs(y), np.abs(state)) * rtol
    error = np.linalg.solve(shift, f + rest)
    size = np.sqrt(np.mean((error / scale) ** 2))
    if size > 1:
        error = np.linalg.solve(shift, slope(t, y + error) + rest)
        size = np.sqrt(np.mean((error / scale) ** 2))
    return z, size, converged


@traced_as_users
def chosen(slope, t, end, y, f, step, control):
    """Return the time after a step, its stages, the size to try next, and whether the steps have become too small."""
    tolerances, limit = control
    direction = np.where(end >= t, 1.0, -1.0)
    least = 10 * np.finfo(float).eps * np.abs(t)
    size = np.minimum(np.maximum(step, least), limit)
    new, z = t + 0.0, np.zeros(3 * len(y))
    accepted, failed = False, False
    while not accepted and not failed:
        if size < least or size == 0.0:
            failed = True
        else:
            new = t + size * direction
            if direction * (new - end) > 0:
                new = end + 0.0
            size = abs(new - t)
            z, error, converged = tried(slope, t, y, f, new - t, tolerances)
            factor = 0.9 * np.where(error == 0.0, 1.0, error) ** (-1 / (ORDER_OF_ERROR + 1))
            if converged and error <= 1:
                size = size * np.where(error == 0.0, 10.0, np.minimum(10.0, factor))
                accepted = True
            elif converged:
                size = size * np.maximum(0.2, factor)
            else:
                size = 0.5 * size
    return new, z, size, failed


@traced_as_users
def implicit_step(slope, t, end, y, f, step, control):
    """Return the time, state and slope after a step, what interpolates it, the size to try next, and whether the steps have become too small."""
    new, z, size, failed = DERIVATIVES["none"](lambda: chosen(slope, t, end, y, f, step, control))
    new = np.where(new == end, end, new)
    h = new - t
    z = followed(slope, t, y, h, z)
    stages = z.reshape(3, len(y))
    state = y + stages[2]
    return new, state, slope(new, state), [stages[0], stages[1], stages[2]], size, failed


@traced_as_users
def followed(slope, t, y, h, z):
    return polished(lambda z: defect(slope, t, y, h, z), z, DERIVATIVES["none"](lambda: system_of(slope, t, y, h, z.reshape(3, len(y)))))


@traced_as_users
def system_of(slope, t, y, h, stages):
    matrices = np.stack([jacobian(slope, t + c * h, y + stages[k]) for k, c in enumerate(C)])
    return np.eye(3 * len(y)) - h * (A[:, None, :, None] * matrices.transpose(1, 0, 2)).reshape(3 * len(y), 3 * len(y))
