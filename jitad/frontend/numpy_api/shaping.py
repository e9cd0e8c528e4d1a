"""Other shapes for the same elements. Where NumPy gives a view, so do these."""

from __future__ import annotations

import operator

import numpy as np

from jitad.frontend.numpy_api.operands import asarray
from jitad.frontend.numpy_api.table import implements
from jitad.primitives.structural.shaping import broadcast


@implements(np.reshape)
def reshape(a, /, shape, order="C", *, copy=None):
    result = asarray(a).reshape(shape, order=order)
    return result.copy() if copy else result


@implements(np.ravel)
def ravel(a, order="C"):
    return asarray(a).ravel(order)


@implements(np.transpose, np.permute_dims)
def transpose(a, axes=None):
    return asarray(a).transpose(axes if axes is None else tuple(axes))


@implements(np.swapaxes)
def swapaxes(a, axis1, axis2):
    return asarray(a).swapaxes(axis1, axis2)


@implements(np.squeeze)
def squeeze(a, axis=None):
    return asarray(a).squeeze(axis)


@implements(np.broadcast_to)
def broadcast_to(array, shape, subok=False):
    shape = tuple(map(operator.index, shape if np.iterable(shape) else (shape,)))
    return asarray(array).shown(lambda x: broadcast(x, shape=shape))


@implements(np.broadcast_arrays)
def broadcast_arrays(*args, subok=False):
    arrays = [asarray(a) for a in args]
    shape = np.broadcast_shapes(*[a.shape for a in arrays])
    return tuple(a if a.shape == shape else np.broadcast_to(a, shape) for a in arrays)


@implements(np.shape)
def shape(a):
    return asarray(a).shape


@implements(np.ndim)
def ndim(a):
    return asarray(a).ndim


@implements(np.size)
def size(a, axis=None):
    a = asarray(a)
    return a.size if axis is None else a.shape[axis]
