"""``scipy.fft``: the functions that NumPy has too, and cosine and sine transforms as Fourier transforms of arrays made symmetric."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jitad.frontend.arrays.array import Array
from jitad.frontend.numpy_api.operands import asarray
from jitad.ir import errors


def of_numpy(name: str) -> Callable:
    """Return NumPy's function, without the options that say how SciPy computes."""

    def transform(x, *args, overwrite_x=False, workers=None, plan=None, **options):
        if name in ("fftshift", "ifftshift"):
            return getattr(np.fft, name)(x, *args, **options)
        args = list(args)
        return getattr(np.fft, name)(x, *args[:3], **options)

    transform.__name__ = name
    return transform


def in_floating_point(x) -> Array:
    x = asarray(x)
    return x if x.dtype.kind in "fc" else x.astype(np.float64)


def along(x, n, axis: int) -> Array:
    """Return an array whose last axis is to be transformed, cut or filled up with zeros to n elements."""
    x = np.moveaxis(in_floating_point(x), axis, -1)
    if n is None or n == x.shape[-1]:
        return x
    return x[..., :n] if n < x.shape[-1] else np.concatenate([x, np.zeros_like(x, shape=(*x.shape[:-1], n - x.shape[-1]))], -1)


def matrix(n: int, type: int, sine: bool) -> Callable:
    """Return what extends an array of n numbers to one period, the shift of its transform, and which numbers of that are taken."""
    if sine:
        return {1: lambda x, zero: [zero, x, zero, -x[..., ::-1]], 2: lambda x, zero: [x, -x[..., ::-1]]}[type]
    return {1: lambda x, zero: [x, x[..., -2:0:-1]], 2: lambda x, zero: [x, x[..., ::-1]]}[type]


def unscaled(x: Array, type: int, sine: bool) -> Array:
    """The transform without scale: 2 sum x_j cos(..), as SciPy defines it."""
    if x.dtype.kind == "c":
        real, imag = unscaled(x.real, type, sine), unscaled(x.imag, type, sine)
        return real + 1j * imag
    n = x.shape[-1]
    if type == 4:
        k = np.arange(n)
        wave = (np.sin if sine else np.cos)(np.pi / n * np.outer(k + 0.5, k + 0.5))
        return x @ (2 * wave).astype(x.dtype)
    if type == 3:
        k = np.arange(n)
        if sine:
            wave = 2 * np.sin(np.pi / n * np.outer(k + 1, k + 0.5))
            wave[-1] = (-1.0) ** k
        else:
            wave = 2 * np.cos(np.pi / n * np.outer(k, k + 0.5))
            wave[0] = 1
        return x @ wave.astype(x.dtype)
    zero = np.zeros_like(x, shape=(*x.shape[:-1], 1))
    spectrum = np.fft.rfft(np.concatenate(matrix(n, type, sine)(x, zero), -1))
    if type == 1:
        return -spectrum[..., 1 : n + 1].imag if sine else spectrum[..., :n].real
    k = np.arange(1, n + 1) if sine else np.arange(n)
    turned = spectrum[..., k[0] : k[-1] + 1] * np.exp(-0.5j * np.pi / n * k).astype(spectrum.dtype)
    return -turned.imag if sine else turned.real


INVERSES = {1: 1, 2: 3, 3: 2, 4: 4}


def period(n: int, type: int, sine: bool) -> int:
    return 2 * (n - 1 if not sine else n + 1) if type == 1 else 2 * n


def wave_transform(sine: bool, inverse: bool) -> Callable:
    def transform(x, type=2, n=None, axis=-1, norm=None, overwrite_x=False, workers=None, orthogonalize=None):
        name = f"{'i' if inverse else ''}{'dst' if sine else 'dct'}"
        if type not in INVERSES:
            raise errors.ValueError(f"invalid type {type} of {name}")
        if orthogonalize is not None and orthogonalize != (norm == "ortho"):
            raise errors.NotImplementedError(f"scipy.fft.{name} of traced arrays: jitad does not know orthogonalize={orthogonalize}; leave it out")
        x = along(x, n, axis)
        count, kind = x.shape[-1], INVERSES[type] if inverse else type
        size = period(count, type, sine)
        if norm == "ortho":
            y = orthogonal(x, kind, sine) * size**-0.5
            return np.moveaxis(restored(y, kind, sine), -1, axis)
        scaled = (norm in (None, "backward")) if inverse else norm == "forward"
        y = unscaled(x, kind, sine)
        return np.moveaxis(y / size if scaled else y, -1, axis)

    return transform


def edges(n: int, kind: int, sine: bool) -> list[int]:
    """The basis functions that are longer than others: the constant one, or the fastest."""
    if kind == 1:
        return [] if sine else [0, n - 1]
    return [] if kind == 4 else [n - 1 if sine else 0]


def weights(x: Array, kind: int, sine: bool, factor: float) -> np.ndarray:
    w = np.ones(x.shape[-1])
    w[edges(x.shape[-1], kind, sine)] = factor
    return w.astype(np.finfo(x.dtype).dtype)


def orthogonal(x: Array, kind: int, sine: bool) -> Array:
    """Transform with input weights that make the matrix orthogonal."""
    return unscaled(x * weights(x, kind, sine, 2**0.5) if kind in (1, 3) else x, kind, sine)


def restored(y: Array, kind: int, sine: bool) -> Array:
    return y * weights(y, kind, sine, 0.5**0.5) if kind in (1, 2) else y


def over_axes(transform: Callable) -> Callable:
    def transforms(x, type=2, s=None, axes=None, norm=None, overwrite_x=False, workers=None, orthogonalize=None):
        x = in_floating_point(x)
        axes = range(x.ndim) if axes is None and s is None else range(-len(s), 0) if axes is None else np.atleast_1d(axes)
        for axis, n in zip(axes, [None] * len(axes) if s is None else s, strict=True):
            x = transform(x, type, n, int(axis), norm, orthogonalize=orthogonalize)
        return x

    return transforms


NAMES = "fft ifft rfft irfft hfft ihfft fft2 ifft2 rfft2 irfft2 fftn ifftn rfftn irfftn fftshift ifftshift"
FUNCTIONS = {name: of_numpy(name) for name in NAMES.split()}
for sine, name in ((False, "dct"), (True, "dst")):
    for inverse in (False, True):
        one = wave_transform(sine, inverse)
        FUNCTIONS[f"{'i' if inverse else ''}{name}"] = one
        FUNCTIONS[f"{'i' if inverse else ''}{name}n"] = over_axes(one)
