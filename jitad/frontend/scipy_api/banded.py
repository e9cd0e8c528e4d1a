"""``scipy.linalg``: systems of equations whose matrices are given by their diagonals.

In: the diagonals as SciPy takes them, and right-hand sides. Out: the solutions, by elimination of one column after another, of which only the rows
that reach it are held. Invariant: memory and time are those of the diagonals.
"""

from __future__ import annotations

import numpy as np

from jitad.frontend.hooks.own_code import traced_as_users
from jitad.frontend.numpy_api.linalg import inexact
from jitad.ir import errors


def solve_banded(l_and_u, ab, b, overwrite_ab=False, overwrite_b=False, check_finite=True):
    lower, upper = l_and_u
    ab, b = inexact(ab, b)
    if ab.shape[-1] != b.shape[0]:
        raise errors.ValueError("shapes of ab and b are not compatible.")
    if lower + upper + 1 != ab.shape[0]:
        raise errors.ValueError(f"invalid values for the number of lower and upper diagonals: l+u+1 ({lower + upper + 1}) does not equal ab.shape[0] "
                                f"({ab.shape[0]})")
    return solved(ab, b, lower, upper, False)


def solveh_banded(ab, b, overwrite_ab=False, overwrite_b=False, lower=False, check_finite=True):
    ab, b = inexact(ab, b)
    if ab.shape[-1] != b.shape[0]:
        raise errors.ValueError("shapes of ab and b are not compatible.")
    count, n = ab.shape[0] - 1, ab.shape[1]
    above = [mirrored(ab[k], k) for k in range(count, 0, -1)] if lower else [ab[k] for k in range(count)]
    below = [ab[k] for k in range(1, count + 1)] if lower else [mirrored(ab[count - k], -k) for k in range(1, count + 1)]
    diagonal = ab[0 if lower else count].real + 0.0 * ab[0]
    return solved(np.stack([*above, diagonal, *below]).reshape(2 * count + 1, n), b, count, count, True)


def mirrored(diagonal, shift: int):
    """Return a diagonal of the other triangle: the conjugate, moved by `shift` columns."""
    zeros, n = np.zeros_like(diagonal[: abs(shift)]), len(diagonal)
    return np.conj(np.concatenate([zeros, diagonal[: n - shift]] if shift > 0 else [diagonal[-shift:], zeros]))


def solved(ab, b, lower: int, upper: int, definite: bool):
    columns = b[:, None] if b.ndim == 1 else b
    x = eliminated(ab, columns, lower, upper, definite)
    return x[:, 0] if b.ndim == 1 else x


def rows_of(ab, lower: int, upper: int):
    """Return the elements of each row from its first to its last diagonal, zeros for those beyond the matrix, and more rows of zeros below."""
    n, width = ab.shape[1], lower + upper + 1
    found = []
    for j in range(width):
        first, last = max(lower - j, 0), min(n, n + lower - j)
        middle = ab[width - 1 - j, first + j - lower:last + j - lower] if last > first else ab[0, :0]
        before, behind = min(first, n), n - max(last, min(first, n)) + lower + 1
        found.append(np.concatenate([np.zeros_like(ab, shape=before), middle, np.zeros_like(ab, shape=behind)]))
    return np.stack(found, axis=1)


@traced_as_users
def factorised(ab, lower, upper):
    """Return the upper triangle that Gauss's elimination gives, its factors, and where rows were exchanged: see `eliminated`."""
    n, width = ab.shape[1], lower + upper + 1
    rows = rows_of(ab, lower, upper)
    active = np.zeros_like(rows, shape=(lower + 1, width))
    for i in range(lower + 1):
        active[i, : width - lower + i] = rows[i, lower - i :]
    triangle, factors = np.zeros_like(rows, shape=(n, width)), np.zeros_like(rows, shape=(n, lower + 1))
    exchanges = np.zeros((n, lower + 1), bool)
    for k in range(n):
        for i in range(1, lower + 1):
            exchange = np.abs(active[i, 0]) > np.abs(active[0, 0])
            first, second = np.where(exchange, active[i], active[0]), np.where(exchange, active[0], active[i])
            factor = second[0] / first[0]
            active[0], active[i] = first, second - factor * first
            factors[k, i], exchanges[k, i] = factor, exchange
        triangle[k] = active[0]
        active[:-1, :-1] = active[1:, 1:].copy()
        active[:, -1] = 0.0
        active[-1] = rows[k + lower + 1]
    if np.any(triangle[:, 0] == 0):
        raise np.linalg.LinAlgError("singular matrix")
    return triangle, factors, exchanges


@traced_as_users
def substituted(triangle, factors, exchanges, b, lower):
    """Return the solution for the columns of `b`, to which it is linear, by what `factorised` gives."""
    n, width = triangle.shape
    right = np.concatenate([b, np.zeros_like(b, shape=(lower + 1, b.shape[1]))])
    sides = right[: lower + 1].copy()
    reduced = np.zeros_like(right, shape=(n, b.shape[1]))
    for k in range(n):
        for i in range(1, lower + 1):
            one, other = np.where(exchanges[k, i], sides[i], sides[0]), np.where(exchanges[k, i], sides[0], sides[i])
            sides[0], sides[i] = one, other - factors[k, i] * one
        reduced[k] = sides[0]
        sides[:-1] = sides[1:].copy()
        sides[-1] = right[k + lower + 1]
    x = np.zeros_like(right, shape=(n + width, b.shape[1]))
    for k in range(n - 1, -1, -1):
        x[k] = (reduced[k] - triangle[k, 1:] @ x[k + 1 : k + width]) / triangle[k, 0]
    return x[:n]


@traced_as_users
def eliminated(ab, b, lower, upper, definite):
    """Gauss's elimination; rows are exchanged two by two, such that the greater element eliminates the other, unless the matrix is `definite`."""
    n, width = ab.shape[1], lower + upper + 1
    rows = rows_of(ab, lower, upper)
    right = np.concatenate([b, np.zeros_like(b, shape=(lower + 1, b.shape[1]))])
    active = np.zeros_like(rows, shape=(lower + 1, width))
    for i in range(lower + 1):
        active[i, : width - lower + i] = rows[i, lower - i :]
    sides = right[: lower + 1].copy()
    triangle = np.zeros_like(rows, shape=(n, width))
    reduced = np.zeros_like(right, shape=(n, b.shape[1]))
    for k in range(n):
        for i in range(1, lower + 1):
            first, second = active[0].copy(), active[i].copy()
            one, other = sides[0].copy(), sides[i].copy()
            if not definite:
                exchange = np.abs(second[0]) > np.abs(first[0])
                first, second = np.where(exchange, second, first), np.where(exchange, first, second)
                one, other = np.where(exchange, other, one), np.where(exchange, one, other)
            factor = second[0] / first[0]
            active[0], active[i] = first, second - factor * first
            sides[0], sides[i] = one, other - factor * one
        triangle[k] = active[0]
        reduced[k] = sides[0]
        active[:-1, :-1] = active[1:, 1:].copy()
        active[:, -1] = 0.0
        active[-1] = rows[k + lower + 1]
        sides[:-1] = sides[1:].copy()
        sides[-1] = right[k + lower + 1]
    pivots = triangle[:, 0]
    if definite:
        if not np.all(pivots.real > 0):
            raise np.linalg.LinAlgError("the matrix is not positive definite")
    elif np.any(pivots == 0):
        raise np.linalg.LinAlgError("singular matrix")
    x = np.zeros_like(right, shape=(n + width, b.shape[1]))
    for k in range(n - 1, -1, -1):
        x[k] = (reduced[k] - triangle[k, 1:] @ x[k + 1 : k + width]) / triangle[k, 0]
    return x[:n]
