"""``np.fft``: discrete Fourier transforms as products with small matrices (Cooley and Tukey; Bluestein for large prime factors).

In: traced arrays. Out: their transforms, by operations whose derivatives are known, in O(n log n) operations for each transform.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Sequence

import numpy as np

from jitad.frontend.array import Array
from jitad.frontend.numpy_api.operands import asarray
from jitad.frontend.numpy_api.table import implements
from jitad.ir import errors

SMALL = 32  # lengths up to which a transform is one product with a matrix
RADIX = 16  # the largest factor that is split off, where there is one up to it


def transformed(x: Array, sign: int) -> Array:
    """Return sum_j x[..., j] exp(2 pi i sign j k / n), for each k below the extent n of the last axis."""
    n = x.shape[-1]
    if n <= SMALL:
        return x @ roots(np.outer(np.arange(n), np.arange(n)), n, sign, x.dtype)
    first = max((k for k in range(2, RADIX + 1) if n % k == 0), default=None) or smallest_factor(n)
    if first > SMALL:
        return by_convolution(x, sign)
    rest = n // first
    y = np.swapaxes(np.reshape(x, (*x.shape[:-1], first, rest)), -1, -2) @ roots(np.outer(np.arange(first), np.arange(first)), first, sign, x.dtype)
    y = np.swapaxes(y * roots(np.outer(np.arange(rest), np.arange(first)), n, sign, x.dtype), -1, -2)
    return np.reshape(np.swapaxes(transformed(y, sign), -1, -2), x.shape)


def roots(powers: np.ndarray, n: int, sign: int, dtype: np.dtype) -> np.ndarray:
    """Return exp(2 pi i sign p / n) for each power p, to the last digits."""
    return np.exp(sign * 2j * np.pi / n * (powers % n)).astype(dtype)


def smallest_factor(n: int) -> int:
    return next((k for k in range(2, math.isqrt(n) + 1) if n % k == 0), n)


def by_convolution(x: Array, sign: int) -> Array:
    """The same for any n, since 2 j k = j^2 + k^2 - (k - j)^2: a convolution with a chirp (Bluestein)."""
    n = x.shape[-1]
    size = 1 << (2 * n - 2).bit_length()
    chirp = roots(np.arange(n) ** 2, 2 * n, sign, np.complex128)
    kernel = np.zeros(size, complex)
    kernel[:n] = chirp.conj()
    kernel[size - n + 1 :] = chirp[1:][::-1].conj()
    spectrum = (np.fft.fft(kernel) / size).astype(x.dtype)
    padded = resized(x * chirp.astype(x.dtype), size, -1)
    return transformed(transformed(padded, -1) * spectrum, 1)[..., :n] * chirp.astype(x.dtype)


def resized(x: Array, n: int, axis: int) -> Array:
    """Return the first `n` elements along an axis, with zeros behind where there are not as many."""
    extent = x.shape[axis]
    if n <= extent:
        return x if n == extent else x[(*(slice(None),) * (axis % x.ndim), slice(n))]
    widths = [(0, 0)] * x.ndim
    widths[axis] = (0, n - extent)
    return np.pad(x, widths)


def length(n, x: Array, axis: int) -> int:
    n = x.shape[axis] if n is None else operator.index(n)
    if n < 1:
        raise errors.ValueError(f"Invalid number of FFT data points ({n}) specified.")
    return n


def scale(n: int, norm: str | None, sign: int) -> float:
    """Return the factor of a transform of length n in NumPy's conventions."""
    if norm not in (None, "backward", "ortho", "forward"):
        raise errors.ValueError(f'Invalid norm value {norm}; should be "backward", "ortho" or "forward".')
    if norm == "ortho":
        return 1 / math.sqrt(n)
    return 1 / n if (norm == "forward") == (sign < 0) else 1.0


def complex_of(x) -> Array:
    x = asarray(x)
    return x.astype(np.complex64 if x.dtype in (np.float32, np.float16, np.complex64) else np.complex128)


def along(x: Array, n: int, axis: int, norm: str | None, sign: int) -> Array:
    """Transform an axis."""
    y = np.moveaxis(transformed(np.moveaxis(resized(x, n, axis), axis, -1), sign), -1, axis)
    factor = scale(n, norm, sign)
    return y if factor == 1 else y * x.dtype.type(factor)


def half(x: Array, n: int, axis: int, norm: str | None) -> Array:
    """Transform an axis of real numbers: the first half, which determines the other one."""
    return resized(along(complex_of(x), n, axis, norm, -1), n // 2 + 1, axis)


def whole(x, n: int, axis: int, norm: str | None) -> Array:
    """Return the real numbers of which `x` is the first half of the transform."""
    x = np.moveaxis(resized(complex_of(x), n // 2 + 1, axis), axis, -1)
    full = np.concatenate([x, np.conj(x[..., 1 : (n + 1) // 2][..., ::-1])], -1)
    return np.moveaxis(along(full, n, -1, norm, 1).real, -1, axis)


# --- NumPy's functions --------------------------------------------------------------------------------------------------------------


@implements(np.fft.fft)
def fft(a, n=None, axis=-1, norm=None):
    x = complex_of(a)
    return along(x, length(n, x, axis), axis, norm, -1)


@implements(np.fft.ifft)
def ifft(a, n=None, axis=-1, norm=None):
    x = complex_of(a)
    return along(x, length(n, x, axis), axis, norm, 1)


@implements(np.fft.rfft)
def rfft(a, n=None, axis=-1, norm=None):
    x = real_of(a, "rfft")
    return half(x, length(n, x, axis), axis, norm)


@implements(np.fft.irfft)
def irfft(a, n=None, axis=-1, norm=None):
    x = asarray(a)
    return whole(x, length(2 * (x.shape[axis] - 1) if n is None else n, x, axis), axis, norm)


def real_of(a, name: str) -> Array:
    x = asarray(a)
    if x.dtype.kind == "c":
        raise errors.TypeError(f"ufunc '{name}' did not contain a loop with signature matching types")
    return x


def shape_and_axes(x: Array, s, axes) -> tuple[list, Sequence[int]]:
    if axes is None:
        axes = range(x.ndim) if s is None else range(-len(s), 0)
    s = [None] * len(axes) if s is None else [None if n == -1 else n for n in s]
    if len(s) != len(axes):
        raise errors.ValueError("Shape and axes have different lengths.")
    return s, axes


def of_axes(x: Array, s, axes, norm: str | None, sign: int) -> Array:
    for n, axis in zip(*shape_and_axes(x, s, axes), strict=True):
        x = along(x, length(n, x, axis), axis, norm, sign)
    return x


@implements(np.fft.fftn)
def fftn(a, s=None, axes=None, norm=None):
    return of_axes(complex_of(a), s, axes, norm, -1)


@implements(np.fft.ifftn)
def ifftn(a, s=None, axes=None, norm=None):
    return of_axes(complex_of(a), s, axes, norm, 1)


@implements(np.fft.rfftn)
def rfftn(a, s=None, axes=None, norm=None):
    x = real_of(a, "rfftn")
    s, axes = shape_and_axes(x, s, axes)
    x = half(x, length(s[-1], x, axes[-1]), axes[-1], norm)
    return of_axes(x, s[:-1], axes[:-1], norm, -1)


@implements(np.fft.irfftn)
def irfftn(a, s=None, axes=None, norm=None):
    x = complex_of(a)
    s, axes = shape_and_axes(x, s, axes)
    x = of_axes(x, s[:-1], axes[:-1], norm, 1)
    return whole(x, length(2 * (x.shape[axes[-1]] - 1) if s[-1] is None else s[-1], x, axes[-1]), axes[-1], norm)


def planes(function: Callable) -> Callable:
    """Return a transform of several axes as one of the last two, unless others are given."""
    @functools.wraps(function)
    def call(a, s=None, axes=(-2, -1), norm=None):
        return function(a, s, axes, norm)

    return call


for two, many in ((np.fft.fft2, fftn), (np.fft.ifft2, ifftn), (np.fft.rfft2, rfftn), (np.fft.irfft2, irfftn)):
    implements(two)(planes(many))
