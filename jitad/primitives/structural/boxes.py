"""Boxes: parts of arrays at places that are known, cut out, put into zeros and joined. Index maps when lowered, not copies.

In: one array (`concatenate`: several of one dtype) and parameters that are tuples of int: along each axis element I of the box is element
start + step * I of the whole. Out: the box, or the whole. All are linear, and `slice` and `embed` are each other's adjoints.
"""

from __future__ import annotations

import numpy as np

from jitad.ir import errors
from jitad.ir.intervals import of_operand
from jitad.ir.lowering import Pull
from jitad.ir.primitive import Primitive
from jitad.ir.program import Atom
from jitad.ir.symbolic import Zero, is_zero
from jitad.ir.types import BOOL, INT, ArrayType
from jitad.primitives.declare import common_dtype, full, instantiate, is_linear, linear, sample, to_front
from jitad.primitives.elementwise.comparisons import both
from jitad.primitives.structural.shaping import ANY, all_to_front, repeated


def put(index: tuple, axis: int, value) -> tuple:
    """Return `index` with its entry at `axis` replaced."""
    return (*index[:axis], value, *index[axis + 1:])


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
    return tuple(span(first, stride, count) for first, stride, count in zip(start, step, shape, strict=True))


def span(first: int, stride: int, count: int) -> slice:
    end = first + stride * count
    return slice(first, None if end < 0 else end, stride) if count else slice(0)


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


def masks_of_slice(mask, inputs, start, shape, step):
    mask = full(True, ArrayType(BOOL, shape)) if mask is None else mask
    return [embed(mask, start=start, step=step, shape=inputs[0].type.shape)]


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
    bounds=of_operand,
    simplify=simplify_slice,
    structural=True,
    selecting=True,
    masks=masks_of_slice,
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
