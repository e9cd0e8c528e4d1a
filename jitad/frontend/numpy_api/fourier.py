"""``np.fft``: discrete Fourier transforms of traced arrays, with NumPy's conventions."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Sequence

import numpy as np

from jitad.frontend.arrays.array import Array, to_atom, wrap
from jitad.frontend.numpy_api.operands import asarray
from jitad.frontend.numpy_api.table import implements
from jitad.ir import errors
from jitad.primitives import fourier as primitives


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
    return wrap(primitives.fft(to_atom(resized(x, n, axis)), axis=axis % x.ndim, sign=sign, factor=scale(n, norm, sign)))


def half(x: Array, n: int, axis: int, norm: str | None) -> Array:
    """Transform an axis of real numbers: the first half, which determines the other one."""
    return wrap(primitives.rfft(to_atom(resized(x, n, axis)), axis=axis % x.ndim, n=n, factor=scale(n, norm, -1)))


def whole(x: Array, n: int, axis: int, norm: str | None) -> Array:
    """Return the real numbers of which `x` is the first half of the transform."""
    return wrap(primitives.irfft(to_atom(resized(x, n // 2 + 1, axis)), axis=axis % x.ndim, n=n, factor=scale(n, norm, 1)))


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
    x = complex_of(a)
    return whole(x, length(2 * (x.shape[axis] - 1) if n is None else n, x, axis), axis, norm)


OPPOSITE = {None: "forward", "backward": "forward", "ortho": "ortho", "forward": "backward"}


@implements(np.fft.hfft)
def hfft(a, n=None, axis=-1, norm=None):
    return irfft(np.conj(asarray(a)), n, axis, OPPOSITE.get(norm, norm))


@implements(np.fft.ihfft)
def ihfft(a, n=None, axis=-1, norm=None):
    return np.conj(rfft(a, n, axis, OPPOSITE.get(norm, norm)))


def real_of(a, name: str) -> Array:
    x = asarray(a)
    if x.dtype.kind == "c":
        raise errors.TypeError(f"ufunc '{name}' did not contain a loop with signature matching types")
    return x.astype(np.float32 if x.dtype in (np.float32, np.float16) else np.float64)


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
