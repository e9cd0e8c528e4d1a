"""Discrete Fourier transforms along one axis.

In: an array and parameters: `axis`; `sign`, that of the exponents; `n`, how many real numbers there are; and a `factor` of every result.
`fft` gives sum_j x_j exp(2 pi i sign j k / n). `rfft` takes real numbers, to the first half of that for sign -1, and `irfft` takes such
halves, of which it reads the real part alone where the other half has no partner, to the n real numbers whose transform with sign +1 and the
conjugates in the other half they are. All are linear; the adjoint of `fft` is that with the other sign, those of the real ones are each other,
but for the weights of what stands for two.
"""

from __future__ import annotations

import numpy as np

from jitad.ir import errors
from jitad.ir.lowering import Library
from jitad.ir.primitive import Primitive
from jitad.ir.program import Atom
from jitad.ir.types import INT, ArrayType, real_dtype
from jitad.primitives.declare import linear, sample, to_front
from jitad.primitives.elementwise.comparisons import eq, select
from jitad.primitives.structural.boxes import put
from jitad.primitives.structural.shaping import iota

COMPLEX = {np.dtype(real): np.dtype(pair) for real, pair in ("fF", "dD")}


def complex_type(x: ArrayType, axis: int, sign: int, factor: float) -> ArrayType:
    if x.dtype.kind != "c":
        raise errors.InternalError(f"fft of {x}")
    return x


def half_type(x: ArrayType, axis: int, n: int, factor: float) -> ArrayType:
    if x.dtype not in COMPLEX or x.shape[axis] != n:
        raise errors.InternalError(f"rfft of {x}, n={n}")
    return ArrayType(COMPLEX[x.dtype], put(x.shape, axis, n // 2 + 1))


def whole_type(x: ArrayType, axis: int, n: int, factor: float) -> ArrayType:
    if x.dtype.kind != "c" or x.shape[axis] != n // 2 + 1:
        raise errors.InternalError(f"irfft of {x}, n={n}")
    return ArrayType(real_dtype(x.dtype), put(x.shape, axis, n))


def evaluate_fft(x, axis, sign, factor):
    return (np.fft.fft(x, axis=axis) if sign < 0 else np.fft.ifft(x, axis=axis, norm="forward")) * factor


def weighted(x: Atom, axis: int, n: int, weight: float) -> Atom:
    """Return half a transform, with what stands for two conjugate elements times a weight."""
    k = iota(shape=x.shape, axis=axis, dtype=INT)
    alone = eq(k, 0) | eq(2 * k, n)
    return select(alone, x, weight * x)


def batched(primitive):
    def batch(size, inputs, axes, axis, **params):
        return [primitive()(to_front(inputs[0], axes[0]), axis=axis + 1, **params)], [0]

    return batch


def samples_of(shape_of, params_of, pairs: bool):
    """Return the samples of a transform, of arrays of `pairs` of numbers or of numbers, for lengths n and axes."""

    def samples(rng, dtype):
        dtype = np.dtype(dtype) if pairs else real_dtype(np.dtype(dtype))
        return [([sample(rng, dtype, shape=put(shape, axis, shape_of(shape[axis])))], {"axis": axis, "factor": 0.5, **params_of(shape[axis], k)})
                for k, (shape, axis) in enumerate((((5,), 0), ((2, 6), 1), ((6, 2), 0), ((2, 3, 2), 1)))]

    return samples


fft = linear(Primitive(
    "fft",
    type=complex_type,
    evaluate=evaluate_fft,
    transpose=lambda cts, inputs, axis, sign, factor: [fft(cts[0], axis=axis, sign=-sign, factor=factor)],
    batch=batched(lambda: fft),
    lower=Library("fft"),
    samples=samples_of(lambda n: n, lambda n, k: {"sign": (-1) ** k}, pairs=True),
    dtypes="FD",
))
rfft = linear(Primitive(
    "rfft",
    type=half_type,
    evaluate=lambda x, axis, n, factor: np.fft.rfft(x, axis=axis) * factor,
    transpose=lambda cts, inputs, axis, n, factor: [irfft(weighted(cts[0], axis, n, 0.5), axis=axis, n=n, factor=factor)],
    batch=batched(lambda: rfft),
    lower=Library("rfft"),
    samples=samples_of(lambda n: n, lambda n, k: {"n": n}, pairs=False),
    dtypes="fd",
))
irfft = linear(Primitive(
    "irfft",
    type=whole_type,
    evaluate=lambda x, axis, n, factor: np.fft.irfft(x, n, axis, norm="forward") * factor,
    transpose=lambda cts, inputs, axis, n, factor: [weighted(rfft(cts[0], axis=axis, n=n, factor=factor), axis, n, 2.0)],
    batch=batched(lambda: irfft),
    lower=Library("irfft"),
    samples=samples_of(lambda n: n // 2 + 1, lambda n, k: {"n": n}, pairs=True),
    dtypes="FD",
))
