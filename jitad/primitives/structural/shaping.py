"""Shaping, one block each: operations that repeat or order elements and compute nothing. Index maps when lowered, not copies.

In: one array (`iota`: none) and parameters that are tuples of int. Out: its elements at other places.
All are linear, so each carries its adjoint; all have their batch axis in front.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from jitad.ir import errors
from jitad.ir.intervals import of_operand
from jitad.ir.lowering import Pull
from jitad.ir.primitive import Primitive
from jitad.ir.program import Atom
from jitad.ir.registry import REGISTRY
from jitad.ir.symbolic import Zero
from jitad.ir.types import INT, ArrayType
from jitad.primitives.declare import linear, sample, to_front
from jitad.primitives.elementwise.comparisons import both

ANY = "dfDl?"


def shape_text(shape: tuple[int, ...]) -> str:
    """Return a shape as NumPy's messages print it: (3,) and (2,3)."""
    return f"({','.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def all_to_front(size: int, inputs, axes) -> list[Atom]:
    """Return the operands of a batching rule with the batch axis in front of each, repeating those that have none."""
    return [broadcast(x, shape=(size, *x.shape)) if axis is None else to_front(x, axis) for x, axis in zip(inputs, axes, strict=True)]


def operand_of(x: Atom, primitive: Primitive) -> Atom | None:
    """Return the operand of the equation that defines `x`, if it is one of `primitive`."""
    equation = getattr(x, "equation", None)
    return equation.inputs[0] if equation is not None and equation.primitive is primitive else None


def repeated(x: Atom, shape: tuple[int, ...]) -> Atom | None:
    """Return an array of `shape` of the one number that `x` repeats, or None if `x` is not a broadcast of one."""
    source = operand_of(x, broadcast)
    if source is None or source.type.size != 1:
        return None
    return broadcast(reshape(source, shape=()) if source.shape else source, shape=shape)


# --- broadcast ----------------------------------------------------------------------------------------------------------


def broadcast_type(x, shape):
    if x.ndim > len(shape):
        raise errors.ValueError("input operand has more dimensions than allowed by the axis remapping")
    for extent, wanted in zip(x.shape, shape[len(shape) - x.ndim:], strict=True):
        if extent not in (1, wanted):
            raise errors.ValueError("operands could not be broadcast together with remapped shapes [original->remapped]: "
                                    f"{shape_text(x.shape)}  and requested shape {shape_text(shape)}")
    return x.with_shape(shape)


def transpose_broadcast(cotangents, inputs, shape):
    """Sum over the axes that were repeated."""
    (ct,), wanted = cotangents, inputs[0].type.shape
    added = len(shape) - len(wanted)
    repeated = tuple(axis for axis, extent in enumerate(shape) if axis < added or wanted[axis - added] != extent)
    total = REGISTRY["reduce_sum"](ct, axes=repeated) if repeated else ct
    return [total if total.shape == wanted else reshape(total, shape=wanted)]


def batch_broadcast(size, inputs, axes, shape):
    x = to_front(inputs[0], axes[0])
    missing = len(shape) - (x.ndim - 1)
    if missing:
        x = reshape(x, shape=(size, *(1,) * missing, *x.shape[1:]))
    return [broadcast(x, shape=(size, *shape))], [0]


def broadcast_element(b, index, operands, type, shape):
    extents = operands[0].type.shape
    aligned = index[len(index) - len(extents):]
    return operands[0](tuple(i * 0 if extent == 1 else i for i, extent in zip(aligned, extents, strict=True)))


def simplify_broadcast(inputs, shape):
    (x,) = inputs
    inner = operand_of(x, broadcast)
    return x if x.shape == shape else None if inner is None else broadcast(inner, shape=shape)


broadcast = linear(Primitive(
    "broadcast",
    type=broadcast_type,
    evaluate=lambda x, shape: np.broadcast_to(x, shape),
    transpose=transpose_broadcast,
    batch=batch_broadcast,
    lower=Pull(broadcast_element, repeats=True),
    samples=lambda rng, dtype: [([sample(rng, dtype, shape=shape)], {"shape": to}) for shape, to in (
        ((), (2,)), ((3,), (2, 3)), ((2, 1), (4, 2, 3)), ((2, 3), (2, 3)), ((1, 1), (1, 5)), ((1,), (0,)))],
    nonnegative=both,
    bounds=of_operand,
    simplify=simplify_broadcast,
    structural=True,
    dtypes=ANY,
))

# --- reshape ------------------------------------------------------------------------------------------------------------


def reshape_type(x, shape):
    if prod(shape) != x.size:
        raise errors.ValueError(f"cannot reshape array of size {x.size} into shape {shape_text(shape)}")
    return x.with_shape(shape)


def matching_groups(old: tuple[int, ...], new: tuple[int, ...]):
    """Yield the shortest consecutive runs of axes of the two shapes that hold equally many elements, as two ranges of axes."""
    i = j = 0
    while i < len(old) or j < len(new):
        start_i, start_j = i, j
        i, j = min(i + 1, len(old)), min(j + 1, len(new))
        while (left := prod(old[start_i:i])) != (right := prod(new[start_j:j])):
            i, j = i + (left < right), j + (right < left)
        yield range(start_i, i), range(start_j, j)


def reshape_element(b, index, operands, type, shape):
    """Within each group of axes, the position in C order is the same before and after."""
    extents, zero = operands[0].type.shape, b.as_index(b.const(0, INT))
    source = []
    for old, new in matching_groups(extents, shape) if type.size else ():
        position = zero
        for axis in new:
            position = position * shape[axis] + index[axis]
        outer = prod(extents[axis] for axis in old)
        for axis in old:
            inner = outer // extents[axis]
            source.append(b.floor_div(position, inner))
            position, outer = b.remainder(position, inner), inner
    return operands[0](tuple(source) if type.size else (zero,) * len(extents))


def simplify_reshape(inputs, shape):
    (x,) = inputs
    inner = operand_of(x, reshape)
    if x.shape == shape or inner is None:
        return x if x.shape == shape else repeated(x, shape)
    return inner if inner.shape == shape else reshape(inner, shape=shape)


reshape = linear(Primitive(
    "reshape",
    type=reshape_type,
    evaluate=lambda x, shape: np.reshape(x, shape),
    transpose=lambda cts, inputs, shape: [reshape(cts[0], shape=inputs[0].type.shape)],
    batch=lambda size, inputs, axes, shape: ([reshape(to_front(inputs[0], axes[0]), shape=(size, *shape))], [0]),
    lower=Pull(reshape_element, alias=True),
    samples=lambda rng, dtype: [([sample(rng, dtype, shape=shape)], {"shape": to}) for shape, to in (
        ((2, 3), (6,)), ((4, 3), (2, 6)), ((2, 3), (2, 1, 3, 1)), ((2, 1, 3), (2, 3)), ((), (1, 1)), ((6, 5), (2, 3, 5)),
        ((0, 2), (3, 0)))],
    nonnegative=both,
    bounds=of_operand,
    simplify=simplify_reshape,
    structural=True,
    dtypes=ANY,
))

# --- transpose ------------------------------------------------------------------------------------------------------------


def transpose_type(x, axes):
    if sorted(axes) != list(range(x.ndim)):
        raise errors.ValueError("axes don't match array")
    return x.with_shape(tuple(x.shape[axis] for axis in axes))


def inverse_permutation(axes) -> tuple[int, ...]:
    return tuple(sorted(range(len(axes)), key=axes.__getitem__))


def simplify_transpose(inputs, axes):
    (x,) = inputs
    inner = operand_of(x, transpose)
    if inner is not None:
        axes = tuple(x.equation.params["axes"][k] for k in axes)
        x = inner
    if axes == tuple(range(x.ndim)):
        return x
    return repeated(x, tuple(x.shape[axis] for axis in axes)) if inner is None else transpose(x, axes=axes)


def summed(x: Atom, axes: tuple[int, ...], alone: Callable[[Atom], bool]) -> Atom | None:
    """Record the sum of `x` along axes, without forming `x`, if it is worth it and nothing else needs it."""
    equation = getattr(x, "equation", None)
    if equation is None or equation.primitive.summed is None or not alone(x):
        return None
    return equation.primitive.summed(equation, axes, alone)


def transposed(x: Atom, axes: tuple[int, ...], reduce: Callable[[Atom, tuple[int, ...]], Atom | None]) -> Atom | None:
    """Record ``reduce(x, axes)`` of what `x` is the transpose of, and transpose the result; None if `x` is no transpose."""
    inner = operand_of(x, transpose)
    if inner is None:
        return None
    order = x.equation.params["axes"]
    total = reduce(inner, tuple(sorted(order[axis] for axis in axes)))
    if total is None:
        return None
    kept = [order[axis] for axis in range(len(order)) if axis not in axes]
    return transpose(total, axes=tuple(map(sorted(kept).index, kept)))


transpose = linear(Primitive(
    "transpose",
    type=transpose_type,
    evaluate=lambda x, axes: np.transpose(x, axes),
    transpose=lambda cts, inputs, axes: [transpose(cts[0], axes=inverse_permutation(axes))],
    batch=lambda size, inputs, where, axes: (
        [transpose(to_front(inputs[0], where[0]), axes=(0, *[axis + 1 for axis in axes]))], [0]),
    lower=Pull(lambda b, index, operands, type, axes: operands[0](tuple(index[k] for k in inverse_permutation(axes)))),
    samples=lambda rng, dtype: [([sample(rng, dtype, shape=(2, 3, 4)[:len(axes)])], {"axes": axes})
                                for axes in ((1, 0), (2, 0, 1), (0, 2, 1), (0,))],
    nonnegative=both,
    bounds=of_operand,
    simplify=simplify_transpose,
    summed=lambda equation, axes, alone: transposed(equation.outputs[0], axes, lambda x, axes: summed(x, axes, alone)),
    structural=True,
    dtypes=ANY,
))

# --- iota -------------------------------------------------------------------------------------------------------------------


def evaluate_iota(shape, axis, dtype):
    return np.broadcast_to(np.arange(shape[axis], dtype=dtype).reshape(-1, *(1,) * (len(shape) - axis - 1)), shape)


def jvp_iota(inputs, tangents, **params):
    result = iota(**params)
    return [result], [Zero(result.type)]


iota = Primitive(
    "iota",
    type=lambda shape, axis, dtype: ArrayType(np.dtype(dtype), shape),
    evaluate=evaluate_iota,
    jvp=jvp_iota,
    batch=lambda size, inputs, axes, **params: ([iota(**params)], [None]),
    lower=Pull(lambda b, index, operands, type, shape, axis, dtype: b.convert(b.index(index[axis]), type.dtype)),
    samples=lambda rng, dtype: [([], {"shape": shape, "axis": axis, "dtype": np.dtype(dtype)}) for shape, axis in (
        ((4,), 0), ((2, 3), 0), ((2, 3, 2), 1))],
    nonnegative=lambda equation, known: True,
    bounds=lambda equation: (0, equation.params["shape"][equation.params["axis"]] - 1),
    dtypes="dfDl",
)
