"""Reductions: sums, products, extrema, moments, logic, and their variants that pass over NaN.

Dtypes are NumPy's: sums and products of small integers are in the platform's integer, means of integers in float64, all else in
the dtype of the elements.
"""

from __future__ import annotations

import builtins
import math

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from jitad.frontend.arrays.array import Array, to_atom, wrap
from jitad.frontend.arrays.views import reshaped
from jitad.frontend.numpy_api.operands import asarray, axes_of, filled, flat_unless
from jitad.frontend.numpy_api.table import implements
from jitad.frontend.operations.promotion import cast
from jitad.ir import errors
from jitad.ir.program import Atom
from jitad.ir.types import INT
from jitad.primitives.elementwise.comparisons import eq, isnan, ne, select
from jitad.primitives.reductions import reduce_and, reduce_max, reduce_min, reduce_or, reduce_prod, reduce_sum
from jitad.primitives.structural.shaping import iota


def reduce(primitive, x: Atom, axis, keepdims) -> Atom:
    axes = axes_of(axis, x.ndim)
    result = primitive(x, axes=axes) if axes else x
    return reshaped(result, [1 if k in axes else n for k, n in enumerate(x.shape)]) if keepdims else result


def reduced(primitive, a: Array, x: Atom, axis, keepdims) -> Array:
    """Return the reduction of `x`, what is computed from the elements of `a`."""
    result = wrap(reduce(primitive, x, axis, keepdims))
    if a.turned and result.ndim > 1:
        axes = axes_of(axis, a.ndim)
        result.lie_as([a[tuple(slice(0, 1) if k in axes else slice(None) for k in range(a.ndim))]] if keepdims else
                      [a[tuple(0 if k in axes else slice(None) for k in range(a.ndim))]])
    return result


def accumulator(dtype: np.dtype) -> np.dtype:
    """Return the dtype in which NumPy adds up elements of `dtype`."""
    if dtype.kind in "biu" and dtype.itemsize < INT.itemsize:
        return np.dtype(np.uint64 if dtype.kind == "u" else np.int64)
    return dtype


def truth(x: Atom) -> Atom:
    """Return where the elements are not zero."""
    return x if x.dtype.kind == "b" else ne(x, filled(0, (), x.dtype))


def masked(a, where, identity) -> Array:
    """Return `a` with `identity` in the places that `where` leaves out."""
    return asarray(a) if where is True else np.where(where, asarray(a), identity)


def accumulate(primitive, combine, identity, a, axis, dtype, keepdims, initial, where) -> Array:
    """Sums and products."""
    a = masked(a, where, identity)
    x = cast(to_atom(a), accumulator(a.dtype) if dtype is None else dtype)
    if x.dtype.kind == "b":
        primitive = {reduce_sum: reduce_or, reduce_prod: reduce_and}[primitive]
    result = reduced(primitive, a, x, axis, keepdims)
    return result if initial is None else combine(asarray(initial, result.dtype), result)


@implements(np.sum)
def sum(a, axis=None, dtype=None, out=None, keepdims=False, initial=None, where=True):
    return accumulate(reduce_sum, np.add, 0, a, axis, dtype, keepdims, initial, where)


@implements(np.prod)
def prod(a, axis=None, dtype=None, out=None, keepdims=False, initial=None, where=True):
    return accumulate(reduce_prod, np.multiply, 1, a, axis, dtype, keepdims, initial, where)


def extremum(name, primitive, combine, a, axis, keepdims, initial, where) -> Array:
    if where is not True and initial is None:
        raise errors.ValueError(f"reduction operation '{name}' does not have an identity, so to use a where mask one has to specify "
                                "'initial'")
    a = masked(a, where, initial)
    if initial is not None and any(a.shape[axis] == 0 for axis in axes_of(axis, a.ndim)):
        return np.sum(a, axis, keepdims=keepdims, dtype=a.dtype, initial=initial)
    result = reduced(primitive, a, to_atom(a), axis, keepdims)
    return result if initial is None else combine(asarray(initial, a.dtype), result)


@implements(np.max, np.amax)
def max(a, axis=None, out=None, keepdims=False, initial=None, where=True):
    return extremum("maximum", reduce_max, np.maximum, a, axis, keepdims, initial, where)


@implements(np.min, np.amin)
def min(a, axis=None, out=None, keepdims=False, initial=None, where=True):
    return extremum("minimum", reduce_min, np.minimum, a, axis, keepdims, initial, where)


@implements(np.ptp)
def ptp(a, axis=None, out=None, keepdims=False):
    return np.max(a, axis, keepdims=keepdims) - np.min(a, axis, keepdims=keepdims)


# --- logic and counts -----------------------------------------------------------------------------------------------------


@implements(np.any)
def any_(a, axis=None, out=None, keepdims=False, where=True):
    return wrap(reduce(reduce_or, truth(to_atom(masked(a, where, False))), axis, keepdims))


@implements(np.all)
def all_(a, axis=None, out=None, keepdims=False, where=True):
    return wrap(reduce(reduce_and, truth(to_atom(masked(a, where, True))), axis, keepdims))


@implements(np.count_nonzero)
def count_nonzero(a, axis=None, *, keepdims=False):
    return wrap(reduce(reduce_sum, cast(truth(to_atom(asarray(a))), INT), axis, keepdims))


def first_place(name: str, best, a, axis, keepdims) -> Array:
    """The first index at which an extremum, or a NaN, is found."""
    ndim = np.ndim(a)
    a, place = flat_unless(a, axis)
    if a.dtype.kind == "c":
        raise errors.TypeError(f"np.{name} of complex numbers: jitad has no order of them; take np.abs or np.real first")
    x = to_atom(a)
    if x.shape[place] == 0:
        raise errors.ValueError(f"attempt to get {name} of an empty sequence")
    found = eq(x, to_atom(best(a, place, keepdims=True)))
    if x.dtype.kind == "f":
        found = found | isnan(x)
    index = select(found, iota(shape=x.shape, axis=place, dtype=INT), filled(x.shape[place], (), INT))
    result = reduce(reduce_min, index, place, keepdims)
    return wrap(reshaped(result, (1,) * ndim) if axis is None and keepdims else result)


@implements(np.argmax)
def argmax(a, axis=None, out=None, *, keepdims=False):
    return first_place("argmax", np.max, a, axis, keepdims)


@implements(np.argmin)
def argmin(a, axis=None, out=None, *, keepdims=False):
    return first_place("argmin", np.min, a, axis, keepdims)


# --- moments ----------------------------------------------------------------------------------------------------------------


def how_many(a: Array, axis, keepdims, where):
    """Return the number of elements that go into each element of a reduction: an int, or an array if there is a mask."""
    if where is True:
        return math.prod(a.shape[k] for k in axes_of(axis, a.ndim))
    return np.sum(np.broadcast_to(where, a.shape), axis, dtype=INT, keepdims=keepdims)


def squared_magnitude(x: Array) -> Array:
    """|x|**2, in a form whose sums are known to be non-negative."""
    return x.real * x.real + x.imag * x.imag if x.dtype.kind == "c" else x * x


@implements(np.mean)
def mean(a, axis=None, dtype=None, out=None, keepdims=False, *, where=True):
    a = asarray(a)
    if dtype is None and a.dtype.kind in "biu":
        dtype = np.float64
    total = np.sum(a, axis, dtype, keepdims=keepdims, where=where)
    return (total / how_many(a, axis, keepdims, where)).astype(total.dtype)


@implements(np.var)
def var(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, where=True, mean=None, correction=None):
    a = asarray(a)
    if correction is not None:
        if ddof != 0:
            raise errors.ValueError("ddof and correction can't be provided simultaneously.")
        ddof = correction
    if dtype is None and a.dtype.kind in "biu":
        dtype = np.float64
    center = np.mean(a, axis, dtype, keepdims=True, where=where) if mean is None else mean
    total = np.sum(squared_magnitude(a - center), axis, dtype, keepdims=keepdims, where=where)
    freedom = how_many(a, axis, keepdims, where) - ddof
    freedom = builtins.max(freedom, 0) if np.isscalar(freedom) else np.maximum(freedom, 0)
    return (total / freedom).astype(total.dtype)


@implements(np.std)
def std(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, where=True, mean=None, correction=None):
    return np.sqrt(np.var(a, axis, dtype, ddof=ddof, keepdims=keepdims, where=where, mean=mean, correction=correction))


@implements(np.average)
def average(a, axis=None, weights=None, returned=False, *, keepdims=False):
    a = asarray(a)
    if weights is None:
        result = np.mean(a, axis, keepdims=keepdims)
        total = np.full_like(result, a.size / result.size)
    else:
        weights = placed_weights(asarray(weights), a, axis)
        dtype = np.result_type(a.dtype, weights.dtype, *["f8"] * (a.dtype.kind in "biu"))
        total = np.sum(weights, axis, dtype, keepdims=keepdims)
        result = np.sum(a.astype(dtype) * weights.astype(dtype), axis, keepdims=keepdims) / total
    return (result, np.broadcast_to(total, result.shape)) if returned else result


def placed_weights(weights: Array, a: Array, axis) -> Array:
    """Return weights that are given along `axis` alone in a shape that broadcasts against `a`."""
    if weights.shape == a.shape:
        return weights
    if axis is None:
        raise errors.TypeError("Axis must be specified when shapes of a and weights differ.")
    axes = normalize_axis_tuple(axis, a.ndim, argname="axis")
    if weights.shape != tuple(a.shape[k] for k in axes):
        raise errors.ValueError("Shape of weights must be consistent with shape of a along specified axis.")
    weights = weights.transpose(sorted(range(len(axes)), key=axes.__getitem__))
    return weights.reshape([n if k in axes else 1 for k, n in enumerate(a.shape)])
