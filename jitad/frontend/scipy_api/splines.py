"""B-splines at integer knots: coefficients of the splines through samples, weights of the coefficients at places between.

M. Unser, A. Aldroubi and M. Eden, "B-spline signal processing" (IEEE Transactions on Signal Processing 41 (1993) 821): the coefficients come from a
filter forth and one back for each pole.
"""

from __future__ import annotations

import numpy as np
import scipy

from jitad.frontend.arrays.array import Array, to_atom, wrap
from jitad.frontend.numpy_api.operands import asarray
from jitad.ir.types import INT
from jitad.primitives.recurrences import linear_recurrence

POLES = {
    2: (np.sqrt(8.0) - 3.0,),
    3: (np.sqrt(3.0) - 2.0,),
    4: (np.sqrt(664.0 - np.sqrt(438976.0)) + np.sqrt(304.0) - 19.0, np.sqrt(664.0 + np.sqrt(438976.0)) - np.sqrt(304.0) - 19.0),
    5: (np.sqrt(67.5 - np.sqrt(4436.25)) + np.sqrt(26.25) - 6.5, np.sqrt(67.5 + np.sqrt(4436.25)) - np.sqrt(26.25) - 6.5),
}

ADDS_IN_PLACE = tuple(map(int, scipy.__version__.split(".")[:2])) < (1, 18)  # the sum at a reflecting end, which errs where samples are few


def spline_coefficients(x: Array, order: int, axis: int, mode: str) -> Array:
    """Return the coefficients along an axis; at the ends the samples go on by reflection (``mirror``, ``reflect``) or again (``grid-wrap``)."""
    if order < 2 or x.shape[axis] < 2:
        return x
    c = np.moveaxis(x, axis, 0)
    for pole in POLES[order]:
        c = c * ((1 - pole) * (1 - 1 / pole))
        c = run(c, start(c, pole, mode), pole, reverse=False)
        c = run(c, end(c, pole, mode), pole, reverse=True)
    return np.moveaxis(c, 0, axis)


def weighted(c: Array, weights: np.ndarray) -> Array:
    return np.tensordot(weights.astype(c.dtype), c, 1)


def start(c: Array, pole: float, mode: str) -> Array:
    """The first element of the filter forth."""
    n = len(c)
    powers = pole ** np.arange(n + 1)
    if mode == "mirror":
        weights = np.concatenate([powers[:1], powers[1 : n - 1] + powers[n - 1] * powers[1 : n - 1][::-1], powers[n - 1 : n]])
        return weighted(c, weights / (1 - powers[n - 1] ** 2))
    if mode == "reflect":
        weights = powers[:n] + powers[n] * powers[:n][::-1]
        if ADDS_IN_PLACE:  # its last term is the sum of those before
            weights = np.append(powers[: n - 1], 0) + powers[n] * np.append(0, powers[: n - 1][::-1])
            weights = weights * (1 + powers[n - 1] * powers[n]) + powers[n - 1] * np.eye(n)[-1]
        return weighted(c, weights) * (pole / (1 - powers[n] ** 2)) + c[0]
    weights = np.concatenate([powers[:1], powers[1:n][::-1]])
    return weighted(c, weights) / (1 - powers[n])


def end(c: Array, pole: float, mode: str) -> Array:
    """The first element of the filter back, which is the last one."""
    n = len(c)
    if mode == "mirror":
        return (pole * c[-2] + c[-1]) * (pole / (pole * pole - 1))
    if mode == "reflect":
        return c[-1] * (pole / (pole - 1))
    powers = pole ** np.arange(n + 1)
    return weighted(c, np.concatenate([powers[1:n], powers[:1]])) * (pole / (powers[n] - 1))


def run(c: Array, first: Array, pole: float, reverse: bool) -> Array:
    """y_i = x_i + pole y_(i-1) forth, y_i = pole (y_(i+1) - x_i) back, from a first element that is known."""
    drive = np.concatenate([-pole * c[:-1], first[None]]) if reverse else np.concatenate([first[None], c[1:]])
    factor = np.full_like(drive, pole)
    return wrap(linear_recurrence(to_atom(factor), to_atom(drive), axis=0, reverse=reverse))


def spline_weights(x: Array, order: int) -> tuple[Array, list[Array]]:
    """Return the first of the order + 1 places whose coefficients count at x, and their weights."""
    x = asarray(x)
    first = np.floor(x + 0.5 if order % 2 == 0 else x)
    t = x - first
    place = first.astype(INT) - order // 2
    return place, [bell(t + (order // 2 - k), order) for k in range(order + 1)]


def bell(t: Array, order: int) -> Array:
    """The centred B-spline."""
    y = abs(t)
    if order == 0:
        return np.ones_like(y)
    if order == 1:
        return 1 - y
    if order == 2:
        return np.where(y < 0.5, 0.75 - y * y, 0.5 * (1.5 - y) ** 2)
    if order == 3:
        return np.where(y < 1, (y * y * (y - 2) * 3 + 4) / 6, (2 - y) ** 3 / 6)
    if order == 4:
        inner, middle = y * y * (y * y * 0.25 - 0.625) + 115 / 192, y * (y * (y * (5 - y) / 6 - 1.25) + 5 / 24) + 55 / 96
        return np.where(y < 0.5, inner, np.where(y < 1.5, middle, (2.5 - y) ** 4 / 24))
    inner = y * y * (y * y * (0.25 - y / 12) - 0.5) + 0.55
    middle = y * (y * (y * (y * (y / 24 - 0.375) + 1.25) - 1.75) + 0.625) + 0.425
    return np.where(y < 1, inner, np.where(y < 2, middle, (3 - y) ** 5 / 120))
