"""Types of values in the IR: a dtype and a shape."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from jitad.ir import errors

BOOL = np.dtype(bool)
INT = np.dtype(np.int64)
FLOAT = np.dtype(np.float64)
HINTS = {
    "f": "; use float32 or float64", "c": "; use complex64 or complex128", "O": "; convert it with astype(float)",
    "V": "; pass its fields as arrays of their own",
}  # fmt: skip
SUPPORTED = {np.dtype(c): np.dtype(c) for c in "?bhiqlBHIQLfdFD"}


@dataclass(frozen=True)
class ArrayType:
    """The type of an array: `dtype` (one of `SUPPORTED`) and `shape` (a tuple of int)."""

    dtype: np.dtype
    shape: tuple[int, ...] = ()

    @cached_property
    def ndim(self) -> int:
        return len(self.shape)

    @cached_property
    def size(self) -> int:
        size = 1
        for extent in self.shape:
            size *= extent
        return size

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    @property
    def differentiable(self) -> bool:
        """Whether values of this type carry tangents: real and complex floating point do, integers and booleans do not."""
        return self.dtype.kind in "fc"

    def with_shape(self, shape: tuple[int, ...]) -> ArrayType:
        return ArrayType(self.dtype, tuple(shape))

    def with_dtype(self, dtype) -> ArrayType:
        return ArrayType(np.dtype(dtype), self.shape)

    def __str__(self) -> str:
        return f"{short_dtype(self.dtype)}[{','.join(map(str, self.shape))}]"


COUNTER = ArrayType(INT)  # of numbers of trips, and of indices


def short_dtype(dtype: np.dtype) -> str:
    """Return the name of a dtype in a printed Program: ``f64``, ``c128``, ``i32``, ``bool``."""
    return "bool" if dtype.kind == "b" else f"{dtype.kind}{dtype.itemsize * 8}"


def real_dtype(dtype: np.dtype) -> np.dtype:
    """Return the dtype of the real part."""
    return np.dtype(f"f{dtype.itemsize // 2}") if dtype.kind == "c" else dtype


def complex_dtype(dtype: np.dtype) -> np.dtype:
    """Return the complex dtype of the same precision."""
    return dtype if dtype.kind == "c" else np.dtype(f"c{dtype.itemsize * 2}")


def check_dtype(dtype) -> np.dtype:
    """Return `dtype` in native byte order, always as the same object, or raise `TypeError` if jitad has no such values."""
    dtype = np.dtype(dtype).newbyteorder("=")
    if dtype not in SUPPORTED:
        hint = HINTS.get(dtype.kind, "")
        raise errors.TypeError(f"jitad has no arrays of dtype {dtype}{hint}")
    return SUPPORTED[dtype]


def type_of(array: np.ndarray) -> ArrayType:
    """Return the type of a NumPy array, or raise `TypeError` for the kinds of arrays that compute in a way of their own."""
    if type(array) is not np.ndarray and isinstance(array, np.ma.MaskedArray | np.matrix):  # `np.ma` takes long to import
        raise errors.TypeError(f"jitad does not compute with {type(array).__name__}; convert it to a plain array first")
    return ArrayType(check_dtype(array.dtype), array.shape)


def broadcast_shapes(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape that NumPy broadcasts `shapes` to, or raise `ValueError` in NumPy's wording."""
    if shapes and shapes.count(shapes[0]) == len(shapes):
        return shapes[0]
    distinct = {shape for shape in shapes if shape}
    if len(distinct) < 2:
        return distinct.pop() if distinct else ()
    ndim = max(map(len, shapes))
    result = [1] * ndim
    for shape in shapes:
        for axis, extent in enumerate(shape, ndim - len(shape)):
            if extent != 1:
                if result[axis] not in (1, extent):
                    listed = " ".join(f"({','.join(map(str, s))}{',' if len(s) == 1 else ''})" for s in shapes)
                    raise errors.ValueError(f"operands could not be broadcast together with shapes {listed}")
                result[axis] = extent
    return tuple(result)
