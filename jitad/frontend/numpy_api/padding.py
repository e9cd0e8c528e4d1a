"""``np.pad``: along one axis after the other, each mode is a rearrangement, a linear map, or a constant."""

from __future__ import annotations

import operator

import numpy as np

from jitad.frontend.arrays.array import Array
from jitad.frontend.numpy_api.operands import along, asarray, concrete, rearranged
from jitad.frontend.numpy_api.table import implements
from jitad.ir import errors

OPTIONS = {
    "constant": {"constant_values"}, "empty": set(), "edge": set(), "wrap": set(), "linear_ramp": {"end_values"},
    "maximum": {"stat_length"}, "minimum": {"stat_length"}, "mean": {"stat_length"}, "median": {"stat_length"},
    "reflect": {"reflect_type"}, "symmetric": {"reflect_type"},
}  # fmt: skip
STATISTICS = {"maximum": np.max, "minimum": np.min, "mean": np.mean, "median": np.median}


@implements(np.pad)
def pad(array, pad_width, mode="constant", **options):
    given = array = asarray(array)
    if mode not in OPTIONS:
        raise errors.ValueError(f"mode '{mode}' is not supported")
    if unknown := options.keys() - OPTIONS[mode]:
        raise errors.ValueError(f"unsupported keyword arguments for mode '{mode}': {unknown}")
    widths = pairs(concrete(pad_width, "np.pad", "pad_width"), array.ndim)
    widths = [tuple(map(operator.index, ends)) for ends in widths]
    if any(width < 0 for ends in widths for width in ends):
        raise errors.ValueError("index can't contain negative values")
    kind = options.pop("reflect_type", "even")
    (value,) = options.values() or (0 if mode in ("constant", "linear_ramp") else None,)
    for axis, (ends, values) in enumerate(zip(widths, pairs(value, array.ndim), strict=True)):
        if any(ends):
            array = pad_axis(array, axis, ends, mode, values, kind)
    return array.copy().laid_out("A", given)


def pairs(value, ndim: int) -> list[tuple]:
    """Return what holds before and after each axis, from any of the forms in which NumPy takes it."""
    if isinstance(value, dict):
        given = {axis % ndim: ends if np.iterable(ends) else (ends, ends) for axis, ends in value.items()}
        return [given.get(axis, (0, 0)) for axis in range(ndim)]
    if value is None:
        return [(None, None)] * ndim
    table = np.broadcast_to(value, (ndim, 2))
    return [(table[axis, 0], table[axis, 1]) for axis in range(ndim)]


def pad_axis(a: Array, axis: int, ends: tuple[int, int], mode: str, values: tuple, kind: str) -> Array:
    extent = a.shape[axis]
    before, after = ends
    if mode in ("edge", "reflect", "symmetric", "wrap") and extent == 0:
        raise errors.ValueError(f"can't extend empty axis {axis} using modes other than 'constant' or 'empty'")
    if mode in ("edge", "wrap") or (mode in ("reflect", "symmetric") and kind == "even"):
        return rearranged(a, np.pad(np.arange(extent), ends, mode), axis)
    if mode in ("reflect", "symmetric", "linear_ramp"):
        return extrapolated(a, axis, ends, mode, {"reflect_type": kind} if mode != "linear_ramp" else {"end_values": values})
    shapes = [(*a.shape[:axis], width, *a.shape[axis + 1:]) for width in ends]
    if mode in STATISTICS:
        return np.concatenate([statistic(a, axis, mode, values[0], shapes[0], first=True), a,
                               statistic(a, axis, mode, values[1], shapes[1], first=False)], axis)
    fill = [0, 0] if mode == "empty" else values
    return np.concatenate([np.full_like(a, fill[0], shape=shapes[0]), a, np.full_like(a, fill[1], shape=shapes[1])], axis)


def extrapolated(a: Array, axis: int, ends: tuple[int, int], mode: str, options: dict) -> Array:
    """Modes that are linear in the array along the axis: what they do to unit vectors and to zero says it all."""
    if a.dtype.kind not in "fc":
        raise errors.NotImplementedError(f"np.pad: mode {mode!r} of integers rounds, which jitad does not reproduce; convert to float")
    offset = np.pad(np.zeros(a.shape[axis]), ends, mode, **options)
    matrix = np.pad(np.eye(a.shape[axis]), ((0, 0), ends), mode, **{
        name: value if name == "reflect_type" else 0 for name, value in options.items()})
    padded = np.moveaxis(np.moveaxis(a, axis, -1) @ matrix.astype(a.dtype), -1, axis)
    return padded + offset.astype(a.dtype).reshape(-1, *(1,) * (a.ndim - axis - 1)) if offset.any() else padded


def statistic(a: Array, axis: int, mode: str, length, shape: tuple[int, ...], first: bool) -> Array:
    extent = a.shape[axis]
    count = extent if length is None else min(int(length), extent)
    part = a[along(axis, slice(0, count) if first else slice(extent - count, extent))]
    value = STATISTICS[mode](part, axis, keepdims=True)
    if a.dtype.kind in "iu":
        value = np.rint(value)
    return np.broadcast_to(value.astype(a.dtype), shape)
