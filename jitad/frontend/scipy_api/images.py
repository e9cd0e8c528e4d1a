"""``scipy.ndimage``: filters of windows, and interpolation between the elements of arrays."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np

from jitad.frontend.arrays.array import Array
from jitad.frontend.numpy_api.operands import asarray, axes_of, concrete
from jitad.frontend.scipy_api.options import refuse
from jitad.frontend.scipy_api.splines import spline_coefficients, spline_weights
from jitad.ir import errors

PADDINGS = {"reflect": "symmetric", "grid-mirror": "symmetric", "constant": "constant", "grid-constant": "constant", "nearest": "edge",
            "mirror": "reflect", "wrap": "wrap", "grid-wrap": "wrap"}


def read(input, output=None) -> Array:
    refuse("ndimage", "assign the result", output=(output, None))
    return asarray(input)


def padded(x: Array, axis: int, before: int, after: int, mode: str, cval) -> Array:
    if mode not in PADDINGS:
        raise errors.ValueError(f"boundary mode not supported: {mode}")
    options = {"constant_values": cval} if PADDINGS[mode] == "constant" else {}
    return np.pad(x, [(before, after) if k == axis else (0, 0) for k in range(x.ndim)], PADDINGS[mode], **options)


def window(x: Array, axis: int, start: int, count: int) -> Array:
    return x[(*[slice(None)] * axis, slice(start, start + count))]


def numbers(x: Array) -> Array:
    return x if x.dtype.kind in "fc" else x.astype(np.float64)


def typed(y: Array, x: Array) -> Array:
    """Return what has been computed in floating point as numbers of the type of the input."""
    return y.astype(x.dtype) if y.dtype != x.dtype else y


# --- linear filters ---------------------------------------------------------------------------------------------------------------


def correlate1d(input, weights, axis=-1, output=None, mode="reflect", cval=0.0, origin=0):
    x, w = read(input, output), asarray(weights)
    (axis,) = axes_of(axis, x.ndim)
    size, n = len(w), x.shape[axis]
    before = size // 2 + origin
    if not 0 <= before < max(size, 1):
        raise errors.ValueError("Invalid origin; origin must satisfy -(len(weights) // 2) <= origin <= (len(weights)-1) // 2")
    y = padded(numbers(x), axis, before, size - 1 - before, mode, cval)
    return typed(sum(window(y, axis, k, n) * w[k] for k in range(size)), x)


def convolve1d(input, weights, axis=-1, output=None, mode="reflect", cval=0.0, origin=0):
    w = asarray(weights)
    return correlate1d(input, w[::-1], axis, output, mode, cval, -origin - (len(w) % 2 == 0))


def correlate(input, weights, output=None, mode="reflect", cval=0.0, origin=0, *, axes=None):
    x, w = read(input, output), asarray(weights)
    refuse("ndimage.correlate", axes=(axes, None))
    if w.ndim != x.ndim:
        raise errors.ValueError("filter weights array has incorrect shape.")
    y = numbers(x)
    for axis, (size, shift) in enumerate(zip(w.shape, np.broadcast_to(origin, x.ndim), strict=True)):
        y = padded(y, axis, size // 2 + int(shift), size - 1 - size // 2 - int(shift), mode, cval)
    total = 0
    for index in itertools.product(*map(range, w.shape)):
        total = total + y[tuple(slice(k, k + n) for k, n in zip(index, x.shape, strict=True))] * w[index]
    return typed(total, x)


def convolve(input, weights, output=None, mode="reflect", cval=0.0, origin=0, *, axes=None):
    w = asarray(weights)
    shifts = [-int(shift) - (size % 2 == 0) for size, shift in zip(w.shape, np.broadcast_to(origin, w.ndim), strict=True)]
    return correlate(input, w[(slice(None, None, -1),) * w.ndim], output, mode, cval, shifts, axes=axes)


def along_axes(function: Callable, x: Array, axes, *options) -> Array:
    """Apply a filter of one dimension along each axis, each with its own options."""
    axes = axes_of(axes, x.ndim)
    spread = [np.broadcast_to(concrete(option, "scipy.ndimage", "an option"), len(axes)) for option in options]
    for axis, *chosen in zip(axes, *spread, strict=True):
        x = function(x, axis, *[k.item() for k in chosen])
    return x


def gaussian_weights(sigma: float, order: int, radius: int) -> np.ndarray:
    place = np.arange(-radius, radius + 1)
    bell = np.exp(-0.5 / sigma**2 * place**2)
    bell = bell / bell.sum()
    q = np.polynomial.Polynomial([1.0])
    for _ in range(order):
        q = q.deriv() - q * np.polynomial.Polynomial([0, 1 / sigma**2])
    return q(place) * bell


def gaussian_filter1d(input, sigma, axis=-1, order=0, output=None, mode="reflect", cval=0.0, truncate=4.0, *, radius=None):
    sigma = float(concrete(sigma, "scipy.ndimage.gaussian_filter1d", "sigma"))
    radius = int(truncate * sigma + 0.5) if radius is None else int(radius)
    return correlate1d(input, gaussian_weights(sigma, order, radius)[::-1], axis, output, mode, cval)


def gaussian_filter(input, sigma, order=0, output=None, mode="reflect", cval=0.0, truncate=4.0, *, radius=None, axes=None):
    def one(x, axis, s, k, m):
        return gaussian_filter1d(x, s, axis, k, None, m, cval, truncate, radius=radius) if s > 1e-15 else x

    if radius is not None and np.ndim(radius):
        raise errors.NotImplementedError("scipy.ndimage.gaussian_filter of traced arrays: jitad takes one radius for all axes")
    return along_axes(one, read(input, output), axes, sigma, order, mode)


def uniform_filter1d(input, size, axis=-1, output=None, mode="reflect", cval=0.0, origin=0):
    return correlate1d(input, np.full(int(size), 1.0 / int(size)), axis, output, mode, cval, origin)


def uniform_filter(input, size=3, output=None, mode="reflect", cval=0.0, origin=0, *, axes=None):
    def one(x, axis, n, m, shift):
        return uniform_filter1d(x, n, axis, None, m, cval, shift) if n > 1 else x

    return along_axes(one, read(input, output), axes, size, mode, origin)


def slope(weights) -> Callable:
    """A difference along one axis of what is smoothed along the others."""

    def filter(input, axis=-1, output=None, mode="reflect", cval=0.0):
        x = read(input, output)
        (axis,) = axes_of(axis, x.ndim)
        y = correlate1d(x, [-1, 0, 1], axis, None, mode, cval)
        for k in range(x.ndim):
            y = correlate1d(y, weights, k, None, mode, cval) if k != axis else y
        return y

    return filter


sobel, prewitt = slope([1, 2, 1]), slope([1, 1, 1])


def laplace(input, output=None, mode="reflect", cval=0.0, *, axes=None):
    x = read(input, output)
    return sum(correlate1d(x, [1, -2, 1], axis, None, mode, cval) for axis in axes_of(axes, x.ndim))


def of_gaussian(x: Array, sigma, mode, cval, options, order: int) -> list[Array]:
    """Return the derivatives of a smoothed array along each axis."""
    return [gaussian_filter(x, sigma, [order if k == axis else 0 for k in range(x.ndim)], None, mode, cval, **options) for axis in range(x.ndim)]


def gaussian_laplace(input, sigma, output=None, mode="reflect", cval=0.0, *, axes=None, **options):
    refuse("ndimage.gaussian_laplace", axes=(axes, None))
    return sum(of_gaussian(read(input, output), sigma, mode, cval, options, 2))


def gaussian_gradient_magnitude(input, sigma, output=None, mode="reflect", cval=0.0, *, axes=None, **options):
    refuse("ndimage.gaussian_gradient_magnitude", axes=(axes, None))
    return np.sqrt(sum(x * x for x in of_gaussian(read(input, output), sigma, mode, cval, options, 1)))


# --- filters that choose ----------------------------------------------------------------------------------------------------------


def neighbours(name: str, input, size, footprint, output, mode, cval, origin, axes) -> Array:
    """The elements of the window about each element, stacked along a new first axis."""
    x = read(input, output)
    refuse(f"ndimage.{name}", axes=(axes, None))
    shape = np.shape(footprint) if footprint is not None else [int(n) for n in np.broadcast_to(size, x.ndim)]
    chosen = np.ones(shape, bool) if footprint is None else np.asarray(footprint, bool)
    y = x
    for axis, (n, shift) in enumerate(zip(shape, np.broadcast_to(origin, x.ndim), strict=True)):
        y = padded(y, axis, n // 2 + int(shift), n - 1 - n // 2 - int(shift), mode, cval)
    places = [index for index in itertools.product(*map(range, shape)) if chosen[index]]
    return np.stack([y[tuple(slice(k, k + n) for k, n in zip(index, x.shape, strict=True))] for index in places])


def chooser(name: str, choose: Callable) -> Callable:
    def filter(input, size=None, footprint=None, output=None, mode="reflect", cval=0.0, origin=0, *, axes=None):
        return choose(neighbours(name, input, size, footprint, output, mode, cval, origin, axes))

    return filter


maximum_filter, minimum_filter = chooser("maximum_filter", lambda x: np.max(x, 0)), chooser("minimum_filter", lambda x: np.min(x, 0))
median_filter = chooser("median_filter", lambda x: np.sort(x, 0)[x.shape[0] // 2])


def extremum_along(name: str) -> Callable:
    def filter(input, size, axis=-1, output=None, mode="reflect", cval=0.0, origin=0):
        x = read(input, output)
        (axis,) = axes_of(axis, x.ndim)
        sizes, shifts = ([value if k == axis else other for k in range(x.ndim)] for value, other in ((size, 1), (origin, 0)))
        return FUNCTIONS[name](x, sizes, mode=mode, cval=cval, origin=shifts)

    return filter


# --- interpolation ------------------------------------------------------------------------------------------------------------------

NEAR = 12  # elements by which SciPy continues an array before it fits splines to it, where its ends go on
SPLINE_MODES = {"nearest": "reflect", "reflect": "reflect", "grid-mirror": "reflect", "grid-wrap": "grid-wrap"}  # others: mirror


def spline_filter1d(input, order=3, axis=-1, output=np.float64, mode="mirror"):
    refuse("ndimage.spline_filter1d", output=(output, np.float64))
    x = asarray(input)
    (axis,) = axes_of(axis, x.ndim)
    return spline_coefficients(x.astype(np.complex128 if x.dtype.kind == "c" else np.float64), order, axis, SPLINE_MODES.get(mode, "mirror"))


def spline_filter(input, order=3, output=np.float64, mode="mirror"):
    x = asarray(input)
    for axis in range(x.ndim):
        x = spline_filter1d(x, order, axis, output, mode)
    return x


def mapped(x: Array, n: int, mode: str) -> Array:
    """Return coordinates moved into an axis of n elements."""
    if mode == "nearest":
        return np.clip(x, 0, n - 1)
    if mode in ("mirror",):
        period = 2 * (n - 1)
        x = abs(x) % period if n > 1 else 0 * x
        return np.where(x > n - 1, period - x, x)
    if mode in ("reflect", "grid-mirror"):
        x = np.where(x < 0, -x - 1, x) % (2 * n)
        return np.where(x >= n - 0.5, 2 * n - 1 - x, x)
    if mode == "wrap":
        return x - (n - 1) * np.floor(x / (n - 1)) if n > 1 else 0 * x
    return x


def element(k: Array, n: int, mode: str) -> Array:
    """Return places of coefficients moved into an axis of n elements."""
    if mode in ("reflect", "grid-mirror", "nearest"):
        k = k % (2 * n)
        return np.where(k >= n, 2 * n - 1 - k, k)
    if mode == "grid-wrap":
        return k % n
    if n == 1:
        return 0 * k
    k = abs(k) % (2 * n - 2)
    return np.where(k >= n, 2 * n - 2 - k, k)


def interpolated(x: Array, coordinates: list[Array], order: int, mode: str, cval, prefilter: bool) -> Array:
    """The spline through the elements of an array at coordinates, one array for each axis."""
    if mode not in PADDINGS:
        raise errors.ValueError(f"boundary mode not supported: {mode}")
    if not 0 <= order <= 5:
        raise errors.ValueError("spline order not supported")
    shape, extents, inside = x.shape, x.shape, None
    x = numbers(x)
    if prefilter and order > 1 and mode in ("nearest", "grid-constant"):
        for axis in range(x.ndim):
            x = padded(x, axis, NEAR, NEAR, mode, cval)
        coordinates, extents = [c + NEAR for c in coordinates], x.shape
    if prefilter and order > 1:
        x = spline_filter(x, order, mode=mode)
    places, weights = [], []
    for axis, (c, n) in enumerate(zip(coordinates, extents, strict=True)):
        if mode in ("constant", "grid-constant"):
            margin = 0 if mode == "constant" else shape[axis] + (extents[axis] - shape[axis])
            known = (c >= -margin) & (c <= n - 1 + margin)
            inside = known if inside is None else inside & known
        c = mapped(c, n, mode)
        first, w = spline_weights(c, order)
        places.append([first + k for k in range(order + 1)])
        weights.append(w)
    total = 0
    for terms in itertools.product(range(order + 1), repeat=x.ndim):
        index, within = [], None
        for axis, k in enumerate(terms):
            place = places[axis][k]
            if mode == "grid-constant":
                held = (place >= 0) & (place < extents[axis])
                within = held if within is None else within & held
                index.append(np.clip(place, 0, extents[axis] - 1))
            else:
                index.append(element(place, extents[axis], mode))
        value = x[tuple(index)]
        value = value if within is None else np.where(within, value, cval)
        total = total + value * math.prod([weights[axis][k] for axis, k in enumerate(terms)], start=1.0)
    return total if inside is None or mode == "grid-constant" else np.where(inside, total, cval)


def map_coordinates(input, coordinates, output=None, order=3, mode="constant", cval=0.0, prefilter=True):
    x, c = read(input, output), asarray(coordinates, np.float64)
    if c.shape[0] != x.ndim:
        raise errors.ValueError("invalid shape for coordinate array")
    return typed(interpolated(x, list(c), order, mode, cval, prefilter), x)


def affine_transform(input, matrix, offset=0.0, output_shape=None, output=None, order=3, mode="constant", cval=0.0, prefilter=True):
    x, matrix = read(input, output), asarray(matrix, np.float64)
    shape = x.shape if output_shape is None else tuple(output_shape)
    if matrix.ndim == 2 and matrix.shape[1] == x.ndim + 1:
        offset, matrix = matrix[: x.ndim, -1], matrix[: x.ndim, :-1]
    places = np.indices(shape).reshape(x.ndim, -1).astype(np.float64)
    turned = matrix[:, None] * places if matrix.ndim == 1 else matrix @ places
    turned = turned + np.broadcast_to(asarray(offset, np.float64), (x.ndim,))[:, None]
    return typed(interpolated(x, [c.reshape(shape) for c in turned], order, mode, cval, prefilter), x)


def shift(input, shift, output=None, order=3, mode="constant", cval=0.0, prefilter=True):
    x = read(input, output)
    return affine_transform(x, np.ones(x.ndim), -np.broadcast_to(asarray(shift, np.float64), (x.ndim,)), None, None, order, mode, cval, prefilter)


def zoom(input, zoom, output=None, order=3, mode="constant", cval=0.0, prefilter=True, *, grid_mode=False):
    x = read(input, output)
    refuse("ndimage.zoom", grid_mode=(grid_mode, False))
    factors = np.broadcast_to(np.asarray(concrete(zoom, "scipy.ndimage.zoom", "zoom"), float), x.ndim)
    shape = tuple(round(n * f) for n, f in zip(x.shape, factors, strict=True))
    steps = [(n - 1) / (m - 1) if m > 1 else 1.0 for n, m in zip(x.shape, shape, strict=True)]
    return affine_transform(x, np.array(steps), 0.0, shape, None, order, mode, cval, prefilter)


FUNCTIONS = {function.__name__: function for function in (
    correlate1d, convolve1d, correlate, convolve, gaussian_filter1d, gaussian_filter, uniform_filter1d, uniform_filter, laplace, gaussian_laplace,
    gaussian_gradient_magnitude, spline_filter1d, spline_filter, map_coordinates, affine_transform, shift, zoom)}
FUNCTIONS |= {"sobel": sobel, "prewitt": prewitt, "maximum_filter": maximum_filter, "minimum_filter": minimum_filter, "median_filter": median_filter}
FUNCTIONS |= {f"{name}_filter1d": extremum_along(f"{name}_filter") for name in ("maximum", "minimum")}
