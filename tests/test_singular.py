"""Singular values, pseudo-inverses, orthogonal factors and what is made of them: NumPy's values, and the derivatives."""

import numpy as np
import pytest

import jitad
from jitad.ir import errors
from jitad.testing import check_grads

RNG = np.random.default_rng(0)
SHAPES = ((1, 1), (5, 5), (6, 3), (3, 6), (2, 4, 3), (0, 3, 3), (40, 30))


def random(*shape, dtype="d"):
    return (RNG.normal(size=shape) + (1j * RNG.normal(size=shape) if dtype in "DF" else 0)).astype(dtype)


def assert_like_numpy(f, *arguments):
    for found, wanted in zip(jitad.jit(f)(*arguments), f(*arguments), strict=True):
        assert found.dtype == wanted.dtype and found.shape == wanted.shape
        np.testing.assert_allclose(found, wanted, atol=1e4 * np.finfo(arguments[0].dtype).eps, rtol=1e4 * np.finfo(arguments[0].dtype).eps)


@pytest.mark.parametrize("dtype", "dfDF")
def test_values_are_those_of_numpy(dtype):
    def f(a):
        reduced, whole = np.linalg.svd(a, False), np.linalg.svd(a)
        return (*reduced, *whole, np.linalg.svd(a, compute_uv=False), np.linalg.pinv(a), *np.linalg.qr(a), np.linalg.qr(a, "r"))

    for shape in SHAPES:
        assert_like_numpy(f, random(*shape, dtype=dtype))


@pytest.mark.parametrize("dtype", "dD")
def test_norms_and_ranks(dtype):
    def f(a):
        norms = [np.linalg.norm(a, ord, (-2, -1)) for ord in (2, -2, "nuc")]
        return (*norms, np.linalg.norm(a, 2, (0, -1), keepdims=True), np.linalg.cond(a), np.linalg.cond(a, -2), np.linalg.matrix_rank(a),
                np.linalg.matrix_rank(a, 1.0), np.linalg.matrix_rank(a, rtol=0.5))

    for shape in ((4, 4), (5, 2), (2, 3, 4)):
        assert_like_numpy(f, random(*shape, dtype=dtype))
    deficient = random(5, 2, dtype=dtype) @ random(2, 4, dtype=dtype)
    assert jitad.jit(np.linalg.matrix_rank)(deficient) == 2
    assert_like_numpy(lambda a: (np.linalg.pinv(a, 1e-10), np.linalg.pinv(a, rtol=None), np.linalg.pinv(a, rtol=0.3)), deficient)


@pytest.mark.parametrize("dtype", "dD")
def test_least_squares(dtype):
    for m, n in ((5, 3), (3, 3), (3, 5)):
        for b in (random(m, dtype=dtype), random(m, 2, dtype=dtype)):
            a = random(m, n, dtype=dtype)
            found, wanted = jitad.jit(np.linalg.lstsq)(a, b), np.linalg.lstsq(a, b)
            for x, y in zip(found, wanted, strict=True):
                np.testing.assert_allclose(x, np.reshape(y, np.shape(x)), atol=1e-12)
                assert np.shape(x) == np.shape(y)
    a = random(5, 2) @ random(2, 3)
    solution, residuals, rank, _ = jitad.jit(np.linalg.lstsq)(a, b := random(5))
    np.testing.assert_allclose(solution, np.linalg.lstsq(a, b)[0], atol=1e-12)
    assert rank == 2 and np.isnan(residuals).all()


@pytest.mark.parametrize("shape", [(4, 4), *[pytest.param(shape, marks=pytest.mark.slow) for shape in ((5, 3), (3, 5), (2, 3, 2))]])
def test_derivatives(shape):
    k, weights = min(shape[-2:]), RNG.normal(size=shape)

    def vectors(a):
        u, s, vh = np.linalg.svd(a)
        projector = u[..., k:] @ np.swapaxes(u[..., k:], -1, -2)
        return np.sum(u[..., :1] * s[..., None, :1] * vh[..., :1, :] * weights) + np.sum(projector * projector[..., ::-1]) + np.sum(np.abs(u[..., 0]))

    def others(a):
        q, r = np.linalg.qr(a)
        return np.sum(np.sin(q)) + np.sum(r**3) + np.sum(np.linalg.pinv(a) ** 3) + np.linalg.norm(a, 2, (-2, -1)).sum() ** 2

    check_grads(vectors, (random(*shape),), order=2)
    check_grads(others, (random(*shape),), order=2)


@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4)])
def test_derivatives_of_complex_matrices(shape):
    k = min(shape)

    def f(x, y):
        a = x + 1j * y
        u, s, vh = np.linalg.svd(a)
        low = (u[:, :1] * s[0]) @ vh[:1]
        beyond = vh[k:].conj().T @ vh[k:]
        q, r = np.linalg.qr(a)
        return (np.sum(np.abs(low) ** 2 * np.arange(shape[1])) + np.sum(s**3) + np.sum(np.abs(np.diag(u[:, :k] @ vh[:k]) + 1) ** 2)
                + np.sum(q.real**3 + q.imag) + np.sum(r.imag * r.real**2) + np.sum(np.abs(np.linalg.pinv(a)) ** 2)
                + np.sum(beyond.real * np.arange(shape[1])))

    check_grads(f, (random(*shape), random(*shape)), order=1)


def test_where_singular_values_are_equal():
    """Pseudo-inverses and sums over singular values have derivatives there, single vectors have none."""
    a = np.eye(3)
    check_grads(lambda a: np.sum(np.linalg.pinv(a) ** 2 * np.arange(3)), (a,), order=1)
    np.testing.assert_allclose(jitad.grad(lambda a: np.sum(np.linalg.svdvals(a) ** 2))(a), 2 * a)
    assert not np.isfinite(jitad.grad(lambda a: np.linalg.svd(a)[0][0, 1] ** 2)(a)).all()


def test_batches():
    a = random(5, 4, 3)
    for f in (np.linalg.pinv, lambda a: np.linalg.qr(a)[0], np.linalg.svdvals):
        np.testing.assert_allclose(jitad.vmap(f)(a), f(a), atol=1e-12)


def test_fit_in_a_loop():
    """Weighted least squares, the weights of which come from the residuals of the step before."""

    def f(a, b):
        w = np.ones(b.size)
        for _ in range(8):
            x = np.linalg.lstsq(a * w[:, None], b * w)[0]
            w = 1 / (0.1 + np.abs(b - a @ x))
        return x

    a, b = random(6, 2), random(6)
    np.testing.assert_allclose(jitad.jit(f)(a, b), f(a, b), rtol=1e-9)
    check_grads(lambda a, b: np.sum(f(a, b) ** 2), (a, b), order=1)


def test_what_is_refused():
    for f, message in ((lambda a: np.linalg.qr(a, "complete"), "reduced"), (lambda a: np.linalg.qr(a, "raw"), "reduced"),
                       (lambda a: np.linalg.svd(a[:0]), "without elements")):
        with pytest.raises(errors.NotImplementedError, match=message):
            jitad.jit(f)(np.ones((3, 2)))
    with pytest.raises(ValueError, match="mode"):
        jitad.jit(lambda a: np.linalg.qr(a, "x"))(np.ones((3, 2)))
    with pytest.raises(np.linalg.LinAlgError, match="two-dimensional"):
        jitad.jit(lambda a: np.linalg.svd(a))(np.ones(3))
