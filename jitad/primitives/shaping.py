"""Shaping, one block each: operations that move elements and compute nothing. Index maps when lowered, not copies.

In: one array (`concatenate`: several of one dtype) and parameters that are tuples of int. Out: its elements at other places.
All are linear, so each carries its adjoint; all have their batch axis in front.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from jitad.ir import errors
from jitad.ir.lowering import Pull
from jitad.ir.primitive import Primitive
from jitad.ir.program import Atom
from jitad.ir.registry import REGISTRY
from jitad.ir.symbolic import Zero, is_zero
from jitad.ir.types import INT, ArrayType
from jitad.primitives.comparisons import both
from jitad.primitives.declare import common_dtype, instantiate, is_linear, linear, sample, to_front

ANY = "dfDl?"


def shape_text(shape: tuple[int, ...]) -> str:
    """Return a shape as NumPy's messages print it: (3,) and (2,3)."""
    return f"({','.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def all_to_front(size: int, inputs, axes) -> list[Atom]:
    """Return the operands of a batching rule with the batch axis in front of each, repeating those that have none."""
    return [broadcast(x, shape=(size, *x.shape)) if axis is None else to_front(x, axis) for x, axis in zip(inputs, axes, strict=True)]


def put(index: tuple, axis: int, value) -> tuple:
    """Return `index` with its entry at `axis` replaced."""
    return (*index[:axis], value, *index[axis + 1:])


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
    simplify=simplify_transpose,
    summed=lambda equation, axes, alone: transposed(equation.outputs[0], axes, lambda x, axes: summed(x, axes, alone)),
    structural=True,
    dtypes=ANY,
))

# --- slice and embed ------------------------------------------------------------------------------------------------------


def check_places(name: str, start, step, shape, within) -> None:
    """Check that start + step * I lies in an array of shape `within` for every index I of one of shape `shape`."""
    if not len(start) == len(step) == len(shape) == len(within):
        raise errors.InternalError(f"{name}: start={start}, step={step}, shape={shape} of {within}")
    for first, stride, count, extent in zip(start, step, shape, within, strict=True):
        if count and (stride == 0 or not (0 <= first < extent and 0 <= first + stride * (count - 1) < extent)):
            raise errors.InternalError(f"{name}: start={start}, step={step}, shape={shape} leaves {within}")


def slice_type(x, start, shape, step):
    check_places("slice", start, step, shape, x.shape)
    return x.with_shape(shape)


def embed_type(x, start, step, shape):
    check_places("embed", start, step, x.shape, shape)
    return x.with_shape(shape)


def places(start, step, shape):
    """Return the index that selects the elements at start + step * I, for NumPy."""
    return np.ix_(*[first + stride * np.arange(count) for first, stride, count in zip(start, step, shape, strict=True)])


def evaluate_embed(x, start, step, shape):
    result = np.zeros(shape, x.dtype)
    result[places(start, step, x.shape)] = x
    return result


def slice_element(b, index, operands, type, start, shape, step):
    return operands[0](tuple(first + stride * i for first, stride, i in zip(start, step, index, strict=True)))


def where_placed(b, index, start, step, shape, then, otherwise):
    """Return ``then(I)`` where `index` is start + step * I for an index I of `shape`, and `otherwise` elsewhere."""
    strides = tuple(map(abs, step))
    shifted = tuple(i - first if stride > 0 else first - i for i, first, stride in zip(index, start, step, strict=True))
    spans = tuple((extent - 1) * stride + 1 if extent else 0 for extent, stride in zip(shape, strides, strict=True))

    def read(offset):
        element = then(tuple(b.floor_div(i, stride) for i, stride in zip(offset, strides, strict=True)))
        for i, stride in zip(offset, strides, strict=True):
            if stride > 1:
                element = b.select(b.call("eq", b.index(b.remainder(i, stride)), b.const(0, INT)), element, otherwise)
        return element

    return b.within(shifted, spans, read, otherwise)


def embed_element(b, index, operands, type, start, step, shape):
    return where_placed(b, index, start, step, operands[0].type.shape, operands[0], b.const(0, type.dtype))


SLICES = (((5,), (1,), (3,), (1,)), ((5,), (4,), (5,), (-1,)), ((6, 4), (1, 3), (3, 2), (2, -2)), ((2, 3), (0, 1), (2, 0), (1, 1)),
          ((2, 3), (0, 0), (2, 3), (1, 1)), ((), (), (), ()))

def covers(start, step, part, whole) -> bool:
    """Return whether start + step * I is I itself, for every index I of `whole`."""
    return part == whole and not any(start) and all(stride == 1 or n < 2 for stride, n in zip(step, part, strict=True))



def simplify_slice(inputs, start, shape, step):
    """A slice of a slice, or of what lies within a box that was put in its place, is a slice of what that is from."""
    (x,) = inputs
    if covers(start, step, shape, x.shape):
        return x
    equation = getattr(x, "equation", None)
    if equation is not None and equation.primitive is slice_:
        inner, stride = equation.params["start"], equation.params["step"]
        start = tuple([a + b * c for a, b, c in zip(inner, stride, start, strict=True)])
        return part(equation.inputs[0], start, shape, tuple([a * b for a, b in zip(stride, step, strict=True)]))
    if equation is not None and equation.primitive.name in ("embed", "update") and set(equation.params["step"]) <= {1}:
        box, shifted = equation.inputs[-1], tuple([a - b for a, b in zip(start, equation.params["start"], strict=True)])
        ends = [a + (n - 1) * stride for a, n, stride in zip(shifted, shape, step, strict=True)]
        if 0 not in shape and all(min(a, b) >= 0 and max(a, b) < n for a, b, n in zip(shifted, ends, box.shape, strict=True)):
            return part(box, shifted, shape, step)
    return repeated(x, shape)


def part(x: Atom, start, shape, step) -> Atom:
    """Return a slice, of what `x` is made of where possible."""
    simpler = simplify_slice([x], start, shape, step)
    return slice_(x, start=start, shape=shape, step=step) if simpler is None else simpler


slice_ = linear(Primitive(
    "slice",
    type=slice_type,
    evaluate=lambda x, start, shape, step: x[places(start, step, shape)],
    transpose=lambda cts, inputs, start, shape, step: [embed(cts[0], start=start, step=step, shape=inputs[0].type.shape)],
    batch=lambda size, inputs, axes, start, shape, step: (
        [slice_(to_front(inputs[0], axes[0]), start=(0, *start), shape=(size, *shape), step=(1, *step))], [0]),
    lower=Pull(slice_element),
    samples=lambda rng, dtype: [([sample(rng, dtype, shape=whole)], {"start": start, "shape": part, "step": step})
                                for whole, start, part, step in SLICES],
    nonnegative=both,
    simplify=simplify_slice,
    structural=True,
    selecting=True,
    dtypes=ANY,
))
embed = linear(Primitive(
    "embed",
    type=embed_type,
    evaluate=evaluate_embed,
    transpose=lambda cts, inputs, start, step, shape: [slice_(cts[0], start=start, shape=inputs[0].type.shape, step=step)],
    batch=lambda size, inputs, axes, start, step, shape: (
        [embed(to_front(inputs[0], axes[0]), start=(0, *start), step=(1, *step), shape=(size, *shape))], [0]),
    lower=Pull(embed_element),
    samples=lambda rng, dtype: [([sample(rng, dtype, shape=part)], {"start": start, "step": step, "shape": whole})
                                for whole, start, part, step in SLICES],
    nonnegative=both,
    simplify=lambda inputs, start, step, shape: inputs[0] if covers(start, step, inputs[0].shape, shape) else None,
    structural=True,
    dtypes=ANY,
))

# --- concatenate ------------------------------------------------------------------------------------------------------------


def concatenate_type(*xs, axis):
    first = xs[0]
    if first.ndim == 0:
        raise errors.ValueError("zero-dimensional arrays cannot be concatenated")
    for k, x in enumerate(xs):
        if x.ndim != first.ndim:
            raise errors.ValueError("all the input arrays must have same number of dimensions, but the array at index 0 has "
                                    f"{first.ndim} dimension(s) and the array at index {k} has {x.ndim} dimension(s)")
        for d in range(first.ndim):
            if d != axis and x.shape[d] != first.shape[d]:
                raise errors.ValueError("all the input array dimensions except for the concatenation axis must match exactly, but "
                                        f"along dimension {d}, the array at index 0 has size {first.shape[d]} and the array at "
                                        f"index {k} has size {x.shape[d]}")
    return ArrayType(common_dtype("concatenate", xs, "biufc"), put(first.shape, axis, sum(x.shape[axis] for x in xs)))


def jvp_concatenate(inputs, tangents, axis):
    result = concatenate(*inputs, axis=axis)
    if all(map(is_zero, tangents)):
        return [result], [Zero(result.type)]
    return [result], [concatenate(*map(instantiate, tangents), axis=axis)]


def transpose_concatenate(cotangents, inputs, axis):
    (ct,), parts, offset = cotangents, [], 0
    for x in inputs:
        start = put((0,) * ct.ndim, axis, offset)
        parts.append(slice_(ct, start=start, shape=x.type.shape, step=(1,) * ct.ndim) if is_linear(x) else None)
        offset += x.type.shape[axis]
    return parts


def concatenate_element(b, index, operands, type, axis):
    """The operand within whose bounds the index lies, tried in order."""
    element, offset = b.const(0, type.dtype), type.shape[axis]
    for operand in reversed(operands):
        offset -= operand.type.shape[axis]
        element = b.within(put(index, axis, index[axis] - offset), operand.type.shape, operand, element)
    return element


concatenate = Primitive(
    "concatenate",
    type=concatenate_type,
    evaluate=lambda *xs, axis: np.concatenate(xs, axis),
    jvp=jvp_concatenate,
    transpose=transpose_concatenate,
    batch=lambda size, inputs, axes, axis: ([concatenate(*all_to_front(size, inputs, axes), axis=axis + 1)], [0]),
    lower=Pull(concatenate_element),
    samples=lambda rng, dtype: [([sample(rng, dtype, shape=shape) for shape in shapes], {"axis": axis}) for shapes, axis in (
        (((2,), (3,)), 0), (((2, 3), (2, 1), (2, 0)), 1), (((1, 3), (2, 3), (1, 3)), 0), (((4,),), 0))],
    nonnegative=both,
    simplify=lambda inputs, axis: inputs[0] if len(inputs) == 1 else None,
    structural=True,
    dtypes=ANY,
)

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
    dtypes="dfDl",
)
