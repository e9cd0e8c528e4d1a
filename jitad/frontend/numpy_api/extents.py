"""Making arrays whose extents are only known when the compiled function runs: ``np.zeros(i)``, ``np.arange(i, j)``, ``np.concatenate``.

In: extents that are traced integers with a greatest value, which that of a loop's counter gives; slices with traced bounds. Out: `Ragged` arrays.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from jitad.frontend.arrays.array import is_traced, wrap
from jitad.frontend.arrays.extents import Extent, at_least_zero, extent_of, opaque, quotient
from jitad.frontend.arrays.open_slices import is_open_bound
from jitad.frontend.arrays.ragged import Ragged, agreed, made, parts
from jitad.frontend.numpy_api.creation import REDIRECTS
from jitad.frontend.numpy_api.operands import asarray, filled
from jitad.frontend.numpy_api.ragged import implements
from jitad.ir import errors
from jitad.ir.source import user_source
from jitad.ir.types import INT
from jitad.primitives.checks import require
from jitad.primitives.elementwise.comparisons import ge
from jitad.primitives.structural.shaping import iota


def greatest(extent: Extent, what: str) -> int:
    """Return the greatest value of an extent."""
    found = extent.bounds()
    if found is None:
        raise errors.ConcreteValueError(f"{what} takes an extent that is only known when the compiled function runs, and that nothing is greater "
                                        "than that is known before; make an array of the greatest extent before, and use a slice of it")
    return max(found[1], 0)


def extents_of(shape, what: str) -> tuple[Extent, ...]:
    extents = [extent_of(n) for n in (shape if isinstance(shape, tuple | list) else (shape,))]
    for k, extent in enumerate(extents):
        if not extent.at_least(0):
            atom = extent.atom()
            extents[k] = opaque(require(atom, ge(atom, 0), message=f"{what}: negative dimensions are not allowed", error="value"))
    return tuple(extents)


def is_open_shape(shape) -> bool:
    return any(map(is_open_bound, shape)) if isinstance(shape, tuple | list) else is_open_bound(shape)


def redirect(function: Callable, make: Callable) -> None:
    """Let `make` be called in the place of a function whose first argument is a shape that is not known."""
    known = REDIRECTS[function]

    @functools.wraps(function)
    def call(shape, *args, **kwargs):
        return make(shape, *args, **kwargs) if is_open_shape(shape) else known(shape, *args, **kwargs)

    REDIRECTS[function] = call


def of_one_value(function: Callable) -> Callable:
    def make(shape, dtype=None, order="C", **options):
        what = f"np.{function.__name__}"
        bounds = shape if isinstance(shape, tuple | list) else (shape,)
        extents = extents_of(shape, what)
        shape = tuple(greatest(extent_of(n), what) for n in bounds)
        return made(wrap(filled(int(function is np.ones), shape, np.dtype(dtype or np.float64)), scalar=False), extents)

    return make


def full(shape, fill_value, dtype=None, order="C", **options):
    values = of_one_value(np.zeros)(shape, np.result_type(asarray(fill_value).dtype) if dtype is None else dtype)
    values[...] = fill_value
    return values


for _function in (np.zeros, np.ones, np.empty):
    redirect(_function, of_one_value(_function))
redirect(np.full, full)


@functools.wraps(np.arange)
def arange(*bounds, dtype=None, **options):
    if not any(map(is_open_bound, bounds)):
        return np.arange(*bounds, dtype=dtype, **options)
    start, stop, step = (0, *bounds, 1) if len(bounds) == 1 else (*bounds, 1) if len(bounds) == 2 else bounds
    if is_traced(step) or any((asarray(x) if is_traced(x) else np.asarray(x)).dtype.kind not in "iu" for x in (start, stop, step)):
        raise errors.ConcreteValueError("np.arange with a bound that is only known when the compiled function runs takes integers, and a step "
                                        "that is known before; write lo + h * np.arange(k)")
    step = operator.index(step)
    first, last = extent_of(start), extent_of(stop)
    length = last - first if step > 0 else first - last
    most = greatest(quotient_bound(length, abs(step)), "np.arange")
    values = wrap(iota(shape=(most,), axis=0, dtype=INT), scalar=False)
    values = values * step + first.traced() if step != 1 else values + first.traced() if first.number != 0 else values
    return made(values if dtype is None else values.astype(dtype), (quotient(at_least_zero(length), abs(step)),))


def quotient_bound(length: Extent, step: int) -> Extent:
    """Return an extent whose bounds are those of ``ceil(length / step)``."""
    found = length.bounds()
    return length if found is None else Extent(-(-max(found[1], 0) // step))


REDIRECTS[np.arange] = arange


@implements(np.concatenate)
def concatenate(arrays, axis=0, out=None, **options):
    """Write one array behind the other."""
    if out is not None or options or axis is None:
        raise errors.NotImplementedError("jitad does not know the options of np.concatenate for slices whose extents are only known when the "
                                         "compiled function runs")
    arrays = [x if isinstance(x, Ragged) else asarray(x) for x in arrays]
    pairs = [parts(x) for x in arrays]
    axis = normalize_axis_index(axis, len(pairs[0][1]))
    what = f"np.concatenate at {user_source().short}"
    if len({len(extents) for _, extents in pairs}) > 1:
        raise errors.ValueError("all the input array dimensions except for the concatenation axis must match exactly")
    common = [functools.reduce(lambda a, b: agreed(a, b, what), column) for column in zip(*[extents for _, extents in pairs], strict=True)
              ] if len(pairs[0][1]) > 1 else [None]
    places = [Extent(0)]
    for _, extents in pairs:
        places.append(places[-1] + extents[axis])
    common[axis] = places[-1]
    shape = [max(values.shape[k] for values, _ in pairs) for k in range(len(common))]
    found = places[-1].bounds()
    shape[axis] = sum(values.shape[axis] for values, _ in pairs) if found is None else max(found[1], 0)
    dtype = np.result_type(*[values.dtype for values, _ in pairs])
    result = made(wrap(filled(0, tuple(shape), dtype), scalar=False), tuple(common))
    for array, start, stop in zip(arrays, places, places[1:], strict=False):
        result[(*[slice(None)] * axis, slice(start.traced(), stop.traced()))] = array
    return result
