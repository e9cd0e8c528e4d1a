"""Derivatives at kinks, at zeros, and beside infinities that were not selected: valid (sub)gradients, never NaN, in every mode.

The functions of one group are compiled together: a derivative of all of them is one kernel.
"""

import numpy as np
import pytest
from scipy import special

import jitad
from jitad import grad, hvp, jit, jvp

inf, nan = np.inf, np.nan
ODD = np.array([True, False, True])
LAST = np.array([False, True])
DATA = np.array([1.0, nan, 2.0])
POINTS = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0]])
FORCES = np.array([[-1.2, -1.6], [2.4, 3.2], [-1.2, -1.6]])
PI2 = np.pi**2


def inverses_at(x, places):
    y = np.zeros_like(x)
    y[places] = 1 / x[places]
    return y


def overwritten(x, places):
    y = 1 / x
    y[places] = 0.0
    return y


def log_sum_exp(x):
    largest = np.max(x)
    return largest + np.log(np.sum(np.exp(x - largest)))


def distances(x):
    return np.sqrt(np.sum((x[:, None] - x[None]) ** 2, -1))


def unit(x):
    r = np.linalg.norm(x, axis=1, keepdims=True)
    return np.where(r > 0, x / np.where(r > 0, r, 1.0), 0.0)


def by_components(d):
    return np.sqrt(d[0] * d[0] + d[1] * d[1])


# name: function, where, gradient of its sum, and (if they exist and the matrix is diagonal) its second derivatives
CASES = {
    "selections": {
        "sqrt": (lambda x: np.where(x > 0, np.sqrt(x), 0.0), [0.0, 4.0], [0, 0.25], [0, -1 / 32]),
        "sqrt, otherwise": (lambda x: np.where(x <= 0, 0.0, np.sqrt(x)), [0.0, 4.0], [0, 0.25], [0, -1 / 32]),
        "log": (lambda x: np.where(x > 0, np.log(x), 0.0), [0.0, -1.0, 2.0], [0, 0, 0.5], [0, 0, -0.25]),
        "1 / x": (lambda x: np.where(x != 0, 1 / x, 0.0), [0.0, 2.0], [0, -0.25], [0, 0.25]),
        "x log x": (lambda x: np.where(x > 0, x * np.log(x), 0.0), [0.0, 1.0], [0, 1], [0, 1]),
        "entropy": (lambda x: np.where(x > 0, x * np.log(np.where(x > 0, x, 1.0)), 0.0), [0.0, 1.0], [0, 1], [0, 1]),
        "used twice": (lambda x: np.where(x > 0, np.log(x), 0.0) ** 2, [0.0, 1.0], [0, 0], [0, 2]),
        "scaled": (lambda x: 3 * np.where(x > 0, np.sqrt(x), 0.0) * x, [0.0, 4.0], [0, 9], [0, 9 / 8]),
        "nested": (lambda x: np.where(x > 0, np.where(x > 1, np.log(x - 1), np.sqrt(x)), 0.0), [0.0, 0.25, 1.0, 2.0], [0, 1, 0.5, 1],
                   [0, -2, -0.25, -1]),
        "both sides": (lambda x: np.where(x > 0, np.log(x), 1 / (x - 1)), [0.0, 2.0], [-1, 0.5], [-2, -0.25]),
        "sin(x) / x": (lambda x: np.where(x == 0, 1.0, np.sin(x) / x), [0.0, np.pi], [0, -1 / np.pi], [0, 2 / PI2]),
        "overflow": (lambda x: np.where(x > 700, 0.0, np.exp(x)), [1000.0, 0.0], [0, 1], [0, 1]),
        "softplus": (lambda x: np.where(x > 30, x, np.log1p(np.exp(x))), [1000.0, 0.0], [1, 0.5], [0, 0.25]),
        "huber": (lambda x: np.where(np.abs(x) < 1, 0.5 * x**2, np.abs(x) - 0.5), [0.0, 1.0, -3.0], [0, 1, -1], [1, 0, 0]),
        "arccos": (lambda x: np.where(np.abs(x) < 1, np.arccos(x), 0.0), [1.0, 0.0, 2.0], [0, -1, 0], [0, 0, 0]),
        "arctan2": (lambda x: np.where(x @ x > 0, np.arctan2(x[0], x[1]), 0.0), [0.0, 0.0], [0, 0], [0, 0]),
        "angle": (lambda x: np.where(x > 0, np.angle(x + 0j), 0.0), [0.0, 1.0], [0, 0], None),
        "norms": (lambda x: np.where(np.sum(x**2, 1) > 0, np.sqrt(np.sum(x**2, 1)), 0.0), POINTS[:2], [[0, 0], [0.6, 0.8]], None),
        "unit vectors": (unit, POINTS[:2], [[0, 0], [4 / 125, -3 / 125]], None),
        "select": (lambda x: np.select([x < 0, x > 0], [1 / x, np.log(x)], 0.0), [-1.0, 0.0, 2.0], [-1, 0, 0.5], [-2, 0, -0.25]),
        "choose": (lambda x: np.choose([0, 1], [np.log(x), 1 / x]), [1.0, 2.0], [1, -0.25], [-1, 0.25]),
        "piecewise": (lambda x: np.piecewise(x, [x < 0, x >= 0], [lambda v: -v, lambda v: v**2]), [-1.0, 0.0, 2.0], [-1, 0, 4],
                      [0, 2, 2]),
        "where=": (lambda x: np.log(x, where=LAST, out=np.zeros_like(x)), [0.0, 4.0], [0, 0.25], [0, -1 / 16]),
        "divide, where=": (lambda x: np.divide(1, x, where=x != 0, out=np.zeros_like(x)), [0.0, 4.0], [0, -1 / 16], [0, 1 / 32]),
        "sum, where=": (lambda x: np.sum(np.sqrt(x), where=LAST), [0.0, 4.0], [0, 0.25], [0, -1 / 32]),
        "mean, where=": (lambda x: np.mean(1 / x, where=LAST), [0.0, 4.0], [0, -1 / 16], [0, 1 / 32]),
        "assigned": (lambda x: inverses_at(x, [False, True, True]), [0.0, 2.0, 4.0], [0, -1 / 4, -1 / 16], [0, 1 / 4, 1 / 32]),
        "overwritten": (lambda x: overwritten(x, np.array([True, False, False])), [0.0, 2.0, 4.0], [0, -1 / 4, -1 / 16],
                        [0, 1 / 4, 1 / 32]),
        "a row": (lambda x: np.where(LAST, np.sqrt(x) * np.ones((2, 2)), 0.0), [0.0, 4.0], [0, 0.5], [0, -1 / 16]),
        "summed": (lambda x: np.where(LAST, np.sum(np.log(x), 1), 0.0), [[0.0, 4.0], [1.0, 2.0]], [[0, 0], [1, 0.5]],
                   [[0, 0], [-1, -0.25]]),
        "in a product": (lambda x: np.where(ODD, np.log(x), 0.0) @ np.arange(1.0, 4), [1.0, 0.0, 2.0], [1, 0, 1.5], [-1, 0, -0.75]),
        "in a running sum": (lambda x: np.cumsum(np.where(x > 0, np.sqrt(x), 0.0)), [0.0, 4.0], [0, 0.25], [0, -1 / 32]),
    },
    "parts": {
        "slice": (lambda x: np.sqrt(x)[1:], [0.0, 4.0], [0, 0.25], [0, -1 / 32]),
        "backwards": (lambda x: np.sqrt(x)[:0:-1], [0.0, 4.0], [0, 0.25], [0, -1 / 32]),
        "scaled": (lambda x: (x * np.sqrt(x) * 3)[1:], [0.0, 4.0], [0, 9], [0, 9 / 8]),
        "element": (lambda x: np.sqrt(x)[1], [0.0, 4.0], [0, 0.25], [0, -1 / 32]),
        "gather": (lambda x: np.sqrt(x)[np.array([1, 2, 2])], [0.0, 4.0, 1.0], [0, 0.25, 1], [0, -1 / 32, -0.5]),
        "mask": (lambda x: np.sqrt(x)[ODD], [4.0, 0.0, 1.0], [0.25, 0, 0.5], [-1 / 32, 0, -0.25]),
        "take": (lambda x: np.take(np.sqrt(x), [1]), [0.0, 4.0], [0, 0.25], [0, -1 / 32]),
        "delete": (lambda x: np.delete(np.sqrt(x), 0), [0.0, 4.0], [0, 0.25], [0, -1 / 32]),
        "reshaped": (lambda x: np.sqrt(x).reshape(2, 2).T[1], [0.0, 4.0, 0.0, 1.0], [0, 0.25, 0, 0.5], [0, -1 / 32, 0, -0.25]),
        "rolled": (lambda x: np.roll(np.sqrt(x)[::-1], 1)[1:], [0.0, 4.0, 1.0], [0, 0.25, 0.5], [0, -1 / 32, -0.25]),
        "concatenated": (lambda x: np.concatenate([np.sqrt(x)[1:], x]), [0.0, 4.0], [1, 1.25], [0, -1 / 32]),
        "of a concatenation": (lambda x: np.concatenate([np.log(x), x])[2:], [0.0, 4.0], [1, 1], [0, 0]),
        "of a stack": (lambda x: np.stack([np.sqrt(x), x])[1], [0.0, 4.0], [1, 1], [0, 0]),
        "padded": (lambda x: np.pad(np.sqrt(x), 1)[2:], [0.0, 4.0], [0, 0.25], [0, -1 / 32]),
        "padded with edges": (lambda x: np.pad(np.sqrt(x), 1, mode="edge")[2:], [0.0, 4.0], [0, 0.5], [0, -1 / 16]),
        "repeated": (lambda x: np.tile(np.repeat(np.sqrt(x), 2), 2)[6:], [0.0, 4.0], [0, 0.5], [0, -1 / 16]),
        "of a running sum": (lambda x: np.cumsum(np.sqrt(x))[0], [4.0, 0.0], [0.25, 0], [-1 / 32, 0]),
        "of a running product": (lambda x: np.cumprod(np.sqrt(x))[0], [4.0, 0.0], [0.25, 0], None),
        "column of a product": (lambda x: (np.ones((2, 2)) @ np.sqrt(x))[0, :1], [[1.0, 0], [4, 0]], [[0.5, 0], [0.25, 0]],
                                [[-0.25, 0], [-1 / 32, 0]]),
        "row of a product": (lambda x: (np.sqrt(x) @ np.ones(2))[0], [[1.0, 4], [0, 0]], [[0.5, 0.25], [0, 0]], [[-0.25, -1 / 32], [0, 0]]),
        "row of an einsum": (lambda x: np.einsum("ij,jk->ki", np.sqrt(x), np.ones((2, 2)))[:1, 0], [[1.0, 4], [0, 0]],
                             [[0.5, 0.25], [0, 0]], [[-0.25, -1 / 32], [0, 0]]),
        "row after a product": (lambda x: np.where([True, False], np.log(x) @ np.ones(2), 0.0), [[1.0, 2], [0, 3]], [[1, 0.5], [0, 0]],
                                [[-1, -0.25], [0, 0]]),
        "column of a solution": (lambda x: np.linalg.solve(np.eye(2), np.sqrt(x))[:, 0], [[1.0, 0], [4, 0]], [[0.5, 0], [0.25, 0]],
                                 [[-0.25, 0], [-1 / 32, 0]]),
        "lower triangle": (lambda x: np.tril(np.sqrt(x)), [[1.0, 0.0], [4.0, 1.0]], [[0.5, 0], [0.25, 0.5]],
                           [[-0.25, 0], [-1 / 32, -0.25]]),
        "diagonal": (lambda x: np.diag(np.sqrt(x)), [[1.0, 0.0], [0.0, 1.0]], [[0.5, 0], [0, 0.5]], [[-0.25, 0], [0, -0.25]]),
        "trace": (lambda x: np.trace(np.sqrt(x)), [[1.0, 0.0], [0.0, 1.0]], [[0.5, 0], [0, 0.5]], [[-0.25, 0], [0, -0.25]]),
        "einsum": (lambda x: np.einsum("ii", np.sqrt(x)), [[1.0, 0.0], [0.0, 1.0]], [[0.5, 0], [0, 0.5]], [[-0.25, 0], [0, -0.25]]),
        "largest": (lambda x: np.max(np.sqrt(x)), [0.0, 4.0], [0, 0.25], [0, -1 / 32]),
        "smallest": (lambda x: np.minimum.reduce(1 / x), [0.0, 4.0], [0, -1 / 16], [0, 1 / 32]),
        "range": (lambda x: np.ptp(np.sqrt(x)), [4.0, 1.0, 9.0], [0, -0.5, 1 / 6], [0, 0.25, -1 / 108]),
        "running extremum": (lambda x: np.maximum.accumulate(np.sqrt(x))[1:], [0.0, 4.0, 1.0], [0, 0.5, 0], [0, -1 / 16, 0]),
        "sorted": (lambda x: np.sort(np.sqrt(x))[1:], [4.0, 0.0, 1.0], [0.25, 0, 0.5], [-1 / 32, 0, -0.25]),
        "median": (lambda x: np.median(np.sqrt(x)), [4.0, 0.0, 1.0], [0, 0, 0.5], [0, 0, -0.25]),
        "differences": (lambda x: np.diff(np.sqrt(x))[1:], [0.0, 4.0, 1.0], [0, -0.25, 0.5], [0, 1 / 32, -0.25]),
        "maximum": (lambda x: np.maximum(np.sqrt(x), 1.0), [0.0, 4.0], [0, 0.25], [0, -1 / 32]),
        "clip": (lambda x: np.clip(np.sqrt(x), 1.0, 3.0), [0.0, 4.0, 16.0], [0, 0.25, 0], [0, -1 / 32, 0]),
        "nan_to_num": (lambda x: np.nan_to_num(1 / x, posinf=0.0), [0.0, 2.0], [0, -0.25], [0, 0.25]),
    },
    "missing data": {
        "isfinite": (lambda x: np.where(np.isfinite(DATA), x - DATA, 0.0) ** 2, [1.0, 1.0, 1.0], [0, 0, -2], [2, 0, 2]),
        "isnan": (lambda x: np.where(np.isnan(DATA), 0.0, (x - DATA) ** 2), [1.0, 1.0, 1.0], [0, 0, -2], [2, 0, 2]),
        "selected": (lambda x: (x - DATA)[np.isfinite(DATA)] ** 2, [1.0, 1.0, 1.0], [0, 0, -2], [2, 0, 2]),
        "weights": (lambda x: np.where(np.isfinite(DATA), DATA * np.sqrt(x), 0.0), [1.0, 0.0, 1.0], [0.5, 0, 1], [-0.25, 0, -0.5]),
        "nansum": (lambda x: np.nansum((x - DATA) ** 2), [1.0, 1.0, 1.0], [0, 0, -2], [2, 0, 2]),
        "nanmean": (lambda x: np.nanmean((x - DATA) ** 2), [1.0, 1.0, 1.0], [0, 0, -1], [1, 0, 1]),
        "nanmax": (lambda x: np.nanmax((x - DATA) ** 2), [1.0, 1.0, 1.0], [0, 0, -2], [0, 0, 2]),
        "nanstd": (lambda x: np.nanstd(x * DATA), [1.0, 1.0, 1.0], [-0.5, 0, 1], None),
        "fmax": (lambda x: np.fmax(x, DATA), [0.0, 2, 3], [0, 1, 1], [0, 0, 0]),
        "masked softmax": (lambda x: np.exp(x[ODD] - log_sum_exp(np.where(ODD, x, -inf))) * np.array([1.0, 3]), [0.0, 5.0, 0.0],
                           [-0.5, 0, 0.5], None),
    },
    "roots of squares": {
        "x**2": (lambda x: np.sqrt(x**2), [0.0, -3.0], [0, -1], None),
        "x * x": (lambda x: np.sqrt(x * x), [0.0, -3.0], [0, -1], None),
        "square": (lambda x: np.sqrt(np.square(x)), [0.0, -3.0], [0, -1], None),
        "abs": (lambda x: np.sqrt(np.abs(x) ** 2), [0.0, -3.0], [0, -1], None),
        "power 1/2": (lambda x: (x**2) ** 0.5, [0.0, -3.0], [0, -1], None),
        "np.power": (lambda x: np.power(x**2, np.array(0.5)), [0.0, -3.0], [0, -1], None),
        "scaled": (lambda x: np.sqrt(np.sum(3 * x**2) / 12), [0.0, 0.0], [0, 0], None),
        "x @ x": (lambda x: np.sqrt(x @ x), [0.0, 0.0], [0, 0], None),
        "(x @ x)**0.5": (lambda x: (x @ x) ** 0.5, [0.0, 0.0], [0, 0], None),
        "(x - c) @ (x - c)": (lambda x: np.sqrt((x - 2.0) @ (x - 2.0)), [2.0, 2.0], [0, 0], None),
        "dot, inner, vdot": (lambda x: np.sqrt(np.dot(x, x)) + np.sqrt(np.inner(x, x)) + np.sqrt(np.vdot(x, x)), [0.0, 0.0], [0, 0], None),
        "einsum": (lambda x: np.sqrt(np.einsum("i,i", x, x)), [0.0, 0.0], [0, 0], None),
        "einsum of rows": (lambda x: np.sqrt(np.einsum("ij,ij->i", x, x)), POINTS[:2], [[0, 0], [0.6, 0.8]], None),
        "mean": (lambda x: np.sqrt(np.mean(x**2)), [0.0, 0.0], [0, 0], None),
        "elements": (by_components, [0.0, 0.0], [0, 0], None),
        "elements of differences": (lambda x: by_components(x[0] - x[1]), POINTS[::2], [[0, 0], [0, 0]], None),
        "norm": (np.linalg.norm, [0.0, 0.0], [0, 0], None),
        "norm elsewhere": (np.linalg.norm, [3.0, 4.0], [0.6, 0.8], None),
        "norm 1": (lambda x: np.linalg.norm(x, 1), [0.0, -2.0], [0, -1], [0, 0]),
        "norm inf": (lambda x: np.linalg.norm(x, inf), [0.0, -2.0], [0, -1], [0, 0]),
        "norm 3": (lambda x: np.linalg.norm(x, 3), [0.0, 0.0], [0, 0], None),
        "norm 3 on an axis": (lambda x: np.linalg.norm(x, 3), [0.0, 2.0], [0, 1], [0, 0]),
        "norms of rows": (lambda x: np.linalg.norm(x, axis=1), POINTS[:2], [[0, 0], [0.6, 0.8]], None),
        "norm of a matrix": (np.linalg.norm, np.zeros((2, 2)), np.zeros((2, 2)), None),
        "distances": (distances, POINTS, FORCES, None),
        "distances by norm": (lambda x: np.linalg.norm(x[:, None] - x[None], axis=-1), POINTS, FORCES, None),
        "distances above the diagonal": (lambda x: distances(x)[np.triu_indices(3, 1)], POINTS, FORCES / 2, None),
        "potential": (lambda x: np.where(np.eye(2, dtype=bool), 0.0, 1 / distances(x)), POINTS[:2],
                      [[6 / 125, 8 / 125], [-6 / 125, -8 / 125]], None),
        "hypot": (lambda x: np.hypot(x[0], x[1]), [0.0, 0.0], [0, 0], None),
        "hypot elsewhere": (lambda x: np.hypot(x[0], x[1]), [3.0, 4.0], [0.6, 0.8], None),
        "complex": (lambda x: np.abs(x * (1 + 1j)), [0.0, -2.0], [0, -np.sqrt(2)], None),
        "conj(z) z": (lambda x: np.sqrt((np.conj(x * 1j) * (x * 1j)).real), [0.0, -2.0], [0, -1], None),
        "std of a constant": (np.std, [2.0, 2.0], [0, 0], None),
        "stds of rows": (lambda x: np.std(x, axis=1), [[2.0, 2.0], [1.0, 3.0]], [[0, 0], [-0.5, 0.5]], None),
    },
    "kinks and powers": {
        "abs": (np.abs, [0.0, -3.0], [0, -1], [0, 0]),
        "fabs": (np.fabs, [0.0, -3.0], [0, -1], [0, 0]),
        "sign": (lambda x: np.sign(x) * x, [0.0, -2.0], [0, -1], [0, 0]),
        "copysign": (lambda x: np.copysign(x, -1.0), [2.0, -3.0], [-1, 1], [0, 0]),
        "floor, mod": (lambda x: np.floor(x) + np.mod(x, 1.0), [0.5, 1.0], [1, 1], [0, 0]),
        "x**0": (lambda x: x**0 + x**0.0, [0.0, 3.0], [0, 0], [0, 0]),
        "x**1": (lambda x: x**1, [0.0, 3.0], [1, 1], [0, 0]),
        "x**2": (lambda x: x**2, [0.0, 3.0], [0, 6], [2, 2]),
        "x**2.": (lambda x: x**2.0, [0.0, -3.0], [0, -6], [2, 2]),
        "x**3": (lambda x: x**3, [0.0, -2.0], [0, 12], [0, -12]),
        "x**2.5": (lambda x: x**2.5, [0.0, 4.0], [0, 20], [0, 7.5]),
        "x**1.5": (lambda x: x**1.5, [0.0, 4.0], [0, 3], [inf, 0.375]),
        "exponents": (lambda x: x ** np.array([0.0, 1, 2, 3]), [0.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 2, 0]),
        "integer exponents": (lambda x: x ** np.arange(4), [0.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 2, 0]),
        "negative base": (lambda x: x ** np.array([3.0, 2.0]), [-2.0, -2.0], [12, -4], [-12, 2]),
        "0**0": (lambda x: x[0] ** x[1], [0.0, 0.0], [0, 0], None),
        "0**1": (lambda x: x[0] ** x[1], [0.0, 1.0], [1, 0], None),
        "0**2": (lambda x: x[0] ** x[1], [0.0, 2.0], [0, 0], None),
        "0**x": (lambda x: 0.0**x, [2.0, 1.0], [0, 0], [0, 0]),
        "maximum": (lambda x: np.maximum(x, 0), [0.0, 1.0, -1.0], [0.5, 1, 0], [0, 0, 0]),
        "equal": (lambda x: np.maximum(x[0], x[1]) + np.minimum(x[0], x[1]) + np.fmax(x[0], x[1]), [1.0, 1.0], [1.5, 1.5], [0, 0]),
        "relu squared": (lambda x: np.maximum(x, 0) ** 2, [1.0, -1.0], [2, 0], [2, 0]),
        "clip": (lambda x: np.clip(x, 0, 1), [0.0, 0.5, 1.0, 2.0, -1], [0.5, 1, 0.5, 0, 0], [0] * 5),
        "sqrt of clip": (lambda x: np.sqrt(np.clip(x, 1.0, 3.0)), [0.0, 4 / 2, 16.0], [0, 0.5 / np.sqrt(2), 0], [0, -0.25 / 2**1.5, 0]),
        "ties": (np.max, [1.0, 1.0, 0.0], [0.5, 0.5, 0], [0, 0, 0]),
        "product with a zero": (np.prod, [2.0, 0.0, 3.0], [0, 6, 0], None),
        "product with zeros": (np.prod, [0.0, 0.0, 3.0], [0, 0, 0], None),
        "running product": (np.cumprod, [2.0, 0.0, 3.0], [1, 8, 0], None),
        "variance": (np.var, [2.0, 2.0], [0, 0], None),
        "sinc": (np.sinc, [0.0, 1.0], [0, -1], [-PI2 / 3, 2]),
        "heaviside": (lambda x: np.heaviside(x, 0.5) * x**2, [0.0, 2.0, -1.0], [0, 4, 0], [1, 2, 0]),
        "arctan2": (lambda x: np.arctan2(x[0], x[1]), [0.0, 1.0], [1, 0], None),
        "arctan2 upright": (lambda x: np.arctan2(x[0], x[1]), [1.0, 0.0], [0, -1], None),
        "interp": (lambda x: np.interp(x, [0.0, 1, 2], [0.0, 1, 4]), [-1.0, 0.5, 1.5, 3.0], [0, 1, 3, 0], [0] * 4),
    },
    "exponentials": {
        "tanh": (np.tanh, [1000.0, -1000.0, 0.0], [0, 0, 1], [0, 0, 0]),
        "expit": (special.expit, [1000.0, -1000.0, 0.0], [0, 0, 0.25], [0, 0, 0]),
        "softplus": (lambda x: np.logaddexp(0, x), [1000.0, -1000.0, 0.0], [1, 0, 0.5], [0, 0, 0.25]),
        "logaddexp": (lambda x: np.logaddexp(x[0], x[1]), [-inf, -inf], [0, 0], [0, 0]),
        "logaddexp2": (lambda x: np.logaddexp2(x[0], x[1]), [-inf, -inf], [0, 0], [0, 0]),
        "logaddexp of one": (lambda x: np.logaddexp(x[0], x[1]), [-inf, 0.0], [0, 1], [0, 0]),
        "logaddexp.reduce": (lambda x: np.logaddexp.reduce(x), [-inf, 0.0, 0.0], [0, 0.5, 0.5], None),
        "log-sum-exp": (log_sum_exp, [-inf, 0.0, 0.0], [0, 0.5, 0.5], None),
        "xlogy": (lambda x: special.xlogy(x[0], x[1]), [0.0, 2.0], [np.log(2), 0], None),
        "xlogy at 0": (lambda x: special.xlogy(x[0], x[1]), [0.0, 0.0], [0, 0], None),
        "xlog1py": (lambda x: special.xlog1py(x[0], x[1]), [0.0, 1.0], [np.log(2), 0], None),
        "complex root": (lambda x: np.sqrt(x + 0j).imag, [-4.0, -1.0], [-0.25, -0.5], [-1 / 32, -0.25]),
    },
    "singularities": {
        "1 / x": (lambda x: 1 / x, [0.0, 2.0], [-inf, -0.25], [inf, 0.25]),
        "reciprocal": (np.reciprocal, [0.0, 2.0], [-inf, -0.25], [inf, 0.25]),
        "x**-1": (lambda x: x**-1.0, [0.0, 4.0], [-inf, -1 / 16], [inf, 1 / 32]),
        "log": (np.log, [0.0, 2.0], [inf, 0.5], [-inf, -0.25]),
        "log1p": (np.log1p, [-1.0, 1.0], [inf, 0.5], [-inf, -0.25]),
        "sqrt": (np.sqrt, [0.0, 4.0], [inf, 0.25], [-inf, -1 / 32]),
        "x**0.5": (lambda x: x**0.5, [0.0, 4.0], [inf, 0.25], [-inf, -1 / 32]),
        "cbrt": (np.cbrt, [0.0, 8.0], [inf, 1 / 12], None),
        "arcsin": (np.arcsin, [1.0, 0.0], [inf, 1], None),
        "cos(sqrt(x))": (lambda x: np.cos(np.sqrt(x)), [0.0, 1.0], [nan, -np.sin(1) / 2], None),  # -1/2: no number is invented
        "some selected": (lambda x: np.where(np.eye(2, dtype=bool), 0.0, np.sqrt(x) * np.ones((2, 2))), [0.0, 4.0], [inf, 0.25], None),
    },
}  # fmt: skip


class Group:
    """All functions of a group, as one function of the tuple of their arguments."""

    def __init__(self, name: str, twice: bool):
        cases = {case: row for case, row in CASES[name].items() if not twice or row[3] is not None}
        self.names = list(cases)
        self.functions = [row[0] for row in cases.values()]
        self.points = tuple(np.asarray(row[1], float) for row in cases.values())
        self.directions = tuple(1.0 + np.arange(x.size).reshape(x.shape) for x in self.points)
        self.first = [np.asarray(row[2], float) for row in cases.values()]
        self.second = [np.asarray(row[3], float) for row in cases.values()] if twice else []

    def sums(self, xs):
        return [np.sum(function(x)) for function, x in zip(self.functions, xs, strict=True)]

    def total(self, xs):
        return sum(self.sums(xs))

    def along(self, xs):
        return jvp(self.sums, (xs,), (self.directions,))[1]

    def slope(self, xs):
        return sum(np.sum(g * v) for g, v in zip(grad(self.total)(xs), self.directions, strict=True))

    def check(self, found, expected):
        wrong = []
        for name, x, y in zip(self.names, found, expected, strict=True):
            if not np.allclose(x, y, rtol=1e-10, atol=1e-13, equal_nan=True):
                wrong.append(f"{name}: {x} instead of {y}")
        assert not wrong, "\n".join(wrong)

    def inner(self, xs):
        return [np.sum(x * v) for x, v in zip(xs, self.directions, strict=True)]


@pytest.mark.parametrize("name", CASES)
def test_first_derivatives(name):
    group = Group(name, twice=False)
    with np.errstate(all="ignore"):
        group.check(jit(group.sums)(group.points), group.sums(group.points))
    group.check(grad(group.total)(group.points), group.first)
    group.check(jit(group.along)(group.points), group.inner(group.first))


@pytest.mark.parametrize("name", CASES)
def test_second_derivatives(name):
    group = Group(name, twice=True)
    expected = [h * v for h, v in zip(group.second, group.directions, strict=True)]
    group.check(hvp(group.total, (group.points,), (group.directions,)), expected)  # forward over reverse
    group.check(grad(group.slope)(group.points), expected)  # reverse over reverse
    group.check(grad(lambda xs: sum(group.along(xs)))(group.points), expected)  # reverse over forward
    group.check(jvp(group.along, (group.points,), (group.directions,))[1], group.inner(expected))  # forward over forward


def test_complex_functions_at_zero():
    z = np.array([0j, 3 - 4j])
    direction = np.array([0, 0.6 - 0.8j])
    for function in (np.abs, lambda z: np.sqrt(z.real**2 + z.imag**2), lambda z: np.sqrt((z * z.conj()).real),
                     lambda z: np.sqrt(np.abs(z) ** 2), lambda z: np.hypot(z.real, z.imag)):
        np.testing.assert_allclose(grad(lambda z: np.sum(function(z)))(z), direction, atol=1e-15)  # noqa: B023
        np.testing.assert_allclose(jvp(function, (z,), (z,))[1], np.abs(z), atol=1e-15)
    np.testing.assert_allclose(grad(lambda z: np.sum(np.abs(z) ** 2))(z), 2 * z)
    np.testing.assert_allclose(grad(lambda z: np.sum(np.where(z != 0, np.abs(np.log(z)), 0)))(z)[0], 0)
    for norm in (np.linalg.norm, lambda z: np.sqrt(np.vdot(z, z).real), lambda z: np.sqrt(np.real(z.conj() @ z))):
        np.testing.assert_allclose(grad(norm)(0 * z), 0)


def test_single_precision_and_batches():
    x = np.array([0, 4], np.float32)
    function = lambda x: np.where(x > 0, np.sqrt(x), 0)  # noqa: E731
    np.testing.assert_array_equal(grad(lambda x: np.sum(function(x)))(x), np.array([0, 0.25], np.float32), strict=True)
    np.testing.assert_array_equal(jitad.vmap(grad(function))(x), [0, 0.25])
    np.testing.assert_array_equal(jitad.vmap(grad(lambda x: np.sqrt(x @ x)))(np.zeros((2, 2))), np.zeros((2, 2)))
    np.testing.assert_array_equal(jitad.jacrev(function)(x), np.diag([0, 0.25]))
    np.testing.assert_array_equal(jitad.jacfwd(function)(x), np.diag([0, 0.25]))
    np.testing.assert_array_equal(jitad.jacrev(lambda x: np.sqrt(x)[1:])(np.array([0.0, 4.0])), [[0, 0.25]])


def test_pullbacks_carry_masks():
    """The cotangent arrives later than the selection is recorded."""
    _, pullback = jitad.vjp(lambda x: np.where(x > 0, np.log(x), 0.0), np.array([0.0, 2.0]))
    np.testing.assert_array_equal(pullback(np.array([1.0, 1.0]))[0], [0, 0.5])
    np.testing.assert_array_equal(pullback(np.array([inf, 1.0]))[0], [0, 0.5])


def test_integer_powers_do_not_go_through_logarithms():
    x = np.array([-1.5, 0.0, 2.0])
    for n in (-3, -1, 0, 1, 2, 5, 10, 2.0, 3.0):
        assert not {"log", "exp", "pow"} & {equation.primitive.name for equation in jitad.trace(lambda x: x**n)(x).equations}  # noqa: B023
        with np.errstate(divide="ignore"):
            np.testing.assert_allclose(jit(lambda x: x**n)(x), x ** float(n), rtol=1e-15)  # noqa: B023


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_powers_that_are_roots_do_not_go_through_logarithms(dtype):
    info = np.finfo(dtype)
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, -2.0, 1.0, 0.3, info.tiny, info.smallest_subnormal, info.max, 1e-20, 1e30], dtype)
    exponents = (0.25, 1.25, 1.5, 2.5, -0.25, -0.5, -1.5)

    def powers(x):
        return [x**p for p in exponents]

    assert not {"log", "exp", "pow"} & {equation.primitive.name for equation in jitad.trace(powers)(x).equations}
    with np.errstate(all="ignore"):
        for found, wanted in zip(jit(powers)(x), powers(x), strict=True):
            assert found.dtype == dtype
            np.testing.assert_allclose(found, wanted, rtol=3 * info.eps)
            np.testing.assert_array_equal(np.signbit(found[:4]), np.signbit(wanted[:4]))
    jitad.testing.check_grads(lambda x: np.sum(powers(x)), (np.array([0.3, 1.7]),), order=2)


def test_accuracy_near_critical_points():
    x = np.array([1e-3, 1e-5, 1e-8, 1e-160, 1e-300])
    np.testing.assert_allclose(grad(lambda x: np.sum(np.sinc(x)))(x), -PI2 / 3 * x * (1 - PI2 * x**2 / 10), rtol=1e-12)
    np.testing.assert_allclose(jitad.jit(np.hypot)(x, x), np.sqrt(2) * x)
    np.testing.assert_allclose(grad(lambda x: np.sum(np.hypot(x, x)))(x), np.sqrt(2))
    np.testing.assert_allclose(grad(lambda x: np.sum(np.sqrt(x * x)))(x[:3]), 1)
    np.testing.assert_allclose(grad(lambda x: np.sum(np.expm1(x) + np.log1p(x)))(x), 2, rtol=1e-3)
