"""Discrete Fourier transforms of traced arrays: NumPy's values, dtypes and conventions, and their derivatives."""

import ctypes

import numpy as np
import pytest

import jitad
from jitad.codegen.library import fourier
from jitad.ir.types import real_dtype
from jitad.testing import check_grads

RNG = np.random.default_rng(0)
EPSILON = {np.dtype(d): 8 * np.finfo(d).eps for d in "fdFD"}


def sample(*shape):
    return RNG.normal(size=shape) + 1j * RNG.normal(size=shape)


def same(function, *args):
    found, wanted = jitad.jit(function)(*args), function(*args)
    assert found.dtype == wanted.dtype and found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=0, atol=EPSILON[wanted.dtype] * np.max(np.abs(wanted)))


@pytest.mark.parametrize("n", [1, 2, 5, 31, 33, 37, 64, 100, 134, 360, 1009, 1024])
def test_lengths(n):
    z = sample(n)

    def transforms(z):
        return np.concatenate([np.fft.fft(z), np.fft.ifft(z) * n, np.fft.rfft(z.real), np.fft.irfft(z, n=n) * n])

    same(transforms, z)


def test_conventions():
    z = sample(3, 10, 12)
    for norm in (None, "backward", "ortho", "forward"):
        same(lambda z: np.fft.fft(z, 7, 0, norm), z)  # noqa: B023
        same(lambda z: np.fft.irfft(np.fft.rfft(z.real, 9, axis=1, norm=norm), 9, 1, norm), z)  # noqa: B023
        same(lambda z: np.fft.ifft2(np.fft.fft2(z, norm=norm)[:, ::2], s=(6, 14), norm=norm), z)  # noqa: B023
    same(lambda z: np.fft.irfftn(np.fft.rfftn(z.real, axes=(2, 0)), axes=(2, 1)), z)
    same(lambda z: np.fft.irfft2(np.fft.rfft2(z.imag), s=(5, 9)) + np.fft.fftn(z).real[:, :5, :9] + np.fft.ifftn(z, (3, 5, 9), (0, 1, 2)).imag, z)
    same(lambda z: np.fft.fftshift(np.fft.fft(z)) * np.fft.fftfreq(12), z)
    same(np.fft.fft, np.arange(5))
    same(np.fft.fft, z[0, 0].astype("F"))
    same(np.fft.rfft, z[0].real.astype("f"))


def test_derivatives():
    def f(x, k):
        z = np.fft.fft2(x * np.exp(1j * x)) * k
        return np.sum(np.abs(np.fft.ifft(z, axis=0)) ** 2) + np.sum(np.fft.irfft(np.fft.rfft(x, axis=0) ** 2 * k[:3, :1], 5, axis=0) ** 3)

    check_grads(f, (RNG.normal(size=(5, 6)), RNG.normal(size=(5, 6))), order=2)


def test_gradients_of_complex_inputs_are_those_of_the_adjoint():
    z, w = sample(37), sample(37)
    found = jitad.grad(lambda z: np.vdot(w, np.fft.fft(z)).real)(z)
    np.testing.assert_allclose(found, np.fft.ifft(w) * 37, rtol=1e-12)


def test_steps_of_a_spectral_method():
    def wave(u, speed):
        k = 2 * np.pi * np.fft.fftfreq(u.size, 1 / u.size)
        v = np.zeros_like(u)
        for _ in range(30):
            v = v + 1e-3 * speed * np.fft.ifft(-(k**2) * np.fft.fft(u)).real
            u = u + 1e-3 * v
        return u

    u, speed = np.exp(-np.linspace(-3, 3, 24) ** 2), 1 + RNG.random(24)
    same(wave, u, speed)
    check_grads(lambda u, speed: np.sum(wave(u, speed) ** 2), (u, speed), order=1)


def test_what_numpy_refuses():
    with pytest.raises(ValueError, match="data points"):
        jitad.jit(lambda z: np.fft.fft(z, 0))(sample(4))
    with pytest.raises(ValueError, match="norm"):
        jitad.jit(lambda z: np.fft.fft(z, norm="other"))(sample(4))
    with pytest.raises(TypeError, match="rfft"):
        jitad.jit(np.fft.rfft)(sample(4))
    with pytest.raises(ValueError, match="different lengths"):
        jitad.jit(lambda z: np.fft.fftn(z, (2, 2), (0,)))(sample(4, 4))


@pytest.mark.parametrize("name", fourier.TYPES)
@pytest.mark.parametrize("pair", "FD")
def test_loops_of_numpy_and_those_that_stand_in_for_them(name, pair):
    real = real_dtype(np.dtype(pair))
    n = 7 if name == "rfft_n_odd" else 8
    given, made = (real if name.startswith("rfft") else np.dtype(pair)), (real if name == "irfft" else np.dtype(pair))
    z = sample(n // 2 + 1 if name == "irfft" else n, 3).T
    x = (z if given.kind == "c" else z.real).astype(given)
    factor, results = np.array(0.5, real), []
    for loop in (fourier.loop_through_python(name, pair), fourier.LOOP(fourier.loop_of_numpy(name, pair)[0])):
        result = np.empty((3, n // 2 + 1 if name.startswith("rfft") else n), made)
        operands = (ctypes.c_void_p * 3)(*[array.ctypes.data for array in (x, factor, result)])
        steps = (ctypes.c_ssize_t * 5)(x.strides[0], 0, result.strides[0], x.strides[1], result.strides[1])
        data = fourier.loop_of_numpy(name, pair)[1]
        loop(operands, (ctypes.c_ssize_t * 3)(3, x.shape[1], result.shape[1]), steps, data)
        results.append(result)
    np.testing.assert_allclose(results[0], results[1], rtol=0, atol=EPSILON[np.dtype(pair)] * np.max(np.abs(results[1])))


def test_axes_and_members():
    x = RNG.normal(size=(2, 3, 8, 5))
    for axis in range(4):
        same(lambda x: np.fft.irfft(np.fft.rfft(x, axis=axis) * 1j, 7, axis=axis), x)  # noqa: B023
        same(lambda x: np.fft.fft(x, axis=axis), x)  # noqa: B023
    found = jitad.vmap(lambda x: np.fft.rfft(x, axis=0), in_axes=2)(x)
    np.testing.assert_allclose(found, np.moveaxis(np.fft.rfft(x, axis=0), 2, 0), atol=1e-13)
