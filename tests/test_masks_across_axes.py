"""Masks that are only known when the function runs, along other axes than the first: what they select, what is computed with it, assignments."""

import numpy as np
import pytest

import jitad
from jitad.testing import check_grads

OPPOSITE = [0, 2, 1]


def bounced(f, m):
    f = f * 1.0
    back = f[:, m]
    back = back[OPPOSITE, :]
    f *= 2
    f[:, m] = back
    return f


def changed(f, m):
    f = f * 1.0
    f[:, m] += 1
    f[:, m] *= f[::-1, m]
    f[1:, m] *= f[:2, m] ** 2
    return f


def weighted(f, m):
    f = f * 1.0
    f[:, m] = np.sin(f[:, m] * np.arange(1.0, 4.0)[:, None]) - f[0, m]
    return f


def reduced(f, m):
    x = f[:, m] ** 2
    return np.sum(x), x.sum(axis=1), x.max(1), np.mean(x, axis=-1), x.sum(0).min(), np.var(x[1:, :])


def packed_and_back(f, m):
    f = f * 1.0
    order = np.argsort(f[0, m])
    f[0, m] = np.sort(f[1, m])
    f[1, m] = np.cumsum(f[2, m])
    f[2, m] = f[0, m][order]
    return f


def elsewhere(f, m):
    """From the places of one mask to those of another."""
    g = np.zeros(f.shape)
    g[:, ~m[::-1]] = f[:, ~m][:, ::-1] * 2
    return g


def counted(f, m):
    x = f[..., m]
    return len(x), x.size * 1.0, x.shape[1] + np.count_nonzero(m), f[1][m].sum()


PROGRAMS = [bounced, changed, weighted, reduced, packed_and_back, elsewhere, counted]
F = np.random.default_rng(0).normal(size=(3, 6))
MASK = np.array([True, False, True, True, False, True])


def same(found, wanted):
    for x, y in zip(found, wanted, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-12)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_results_are_those_of_numpy(program):
    same(jitad.jit(program)(F, MASK), program(F, MASK))


@pytest.mark.parametrize("program", [bounced, changed, weighted, reduced], ids=lambda program: program.__name__)
def test_masks_of_two_axes(program):
    f, mask = np.random.default_rng(1).normal(size=(3, 2, 3)), MASK.reshape(2, 3)
    if program is reduced:
        program = lambda f, m: (np.sum(f[:, m] ** 2), f[:, m].sum(axis=1), f[:, m].max(1), (f[:, m] ** 2).sum(0).min())  # noqa: E731
    same(jitad.jit(program)(f, mask), program(f, mask))


@pytest.mark.parametrize("program", [bounced, changed, weighted, packed_and_back], ids=lambda program: program.__name__)
def test_derivatives(program):
    check_grads(lambda f: np.sum(program(f, MASK) ** 2), (F,), order=1)
    mask_and_array = jitad.grad(lambda f, m: np.sum(program(f, m) ** 2))(F, MASK)
    np.testing.assert_allclose(mask_and_array, jitad.grad(lambda f: np.sum(program(f, MASK) ** 2))(F), rtol=1e-12)


def test_numbers_that_differ():
    def f(x, m):
        x = x * 1.0
        x[0, m] = x[1, ~m]
        return x

    with pytest.raises(ValueError, match="extents"):
        jitad.jit(f)(F, MASK)


@pytest.mark.parametrize("read", [np.asarray, np.array, np.ascontiguousarray])
def test_what_a_mask_selects_is_an_array(read):
    def function(x):
        return np.sum(read(x[x > 0], dtype=np.float32) ** 2) + read(x[x < 0])[0]

    x = np.array([0.5, -1.25, 2.0, -3.0])
    np.testing.assert_allclose(jitad.jit(function)(x), function(x), rtol=1e-6)
    np.testing.assert_allclose(jitad.grad(function)(x), [1.0, 1.0, 4.0, 0.0], rtol=1e-6)
