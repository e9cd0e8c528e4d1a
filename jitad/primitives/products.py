"""Products of arrays: `dot`, which sums over any axes of two operands, and the matrix product built on it.

In: two arrays of one dtype; `contract` and `batch`, each a pair of tuples of axes (of x, of y) that run together and are summed or
kept. Out: an array with the batch axes, then the free axes of x, then those of y (as ``jax.lax.dot_general``).
"""

from __future__ import annotations

import numpy as np

from jitad.ir import errors
from jitad.ir.facts import same
from jitad.ir.lowering import Reduce
from jitad.ir.primitive import Primitive
from jitad.ir.program import Atom
from jitad.ir.symbolic import Zero, is_zero
from jitad.ir.types import ArrayType
from jitad.primitives.declare import add_tangents, common_dtype, conj, is_linear, sample
from jitad.primitives.elementwise.arithmetic import mul
from jitad.primitives.elementwise.complexes import is_paired
from jitad.primitives.reductions import reduce_or, reduce_sum
from jitad.primitives.structural.indexing import move_axis
from jitad.primitives.structural.shaping import broadcast, operand_of, reshape, shape_text, summed, transpose, transposed


def box_axes(x_ndim: int, y_ndim: int, contract, batch) -> tuple[list[int], list[int]]:
    """Return, for each axis of the two operands, the axis of the iteration box it runs along.

    The box has the axes of the result (batch, free of x, free of y), then those that are summed.
    """
    result = x_ndim + y_ndim - 2 * len(contract[0]) - len(batch[0])
    places: list[list[int]] = []
    free = len(batch[0])
    for ndim, paired, shared in zip((x_ndim, y_ndim), contract, batch, strict=True):
        axes = [-1] * ndim
        for k, axis in enumerate(shared):
            axes[axis] = k
        for k, axis in enumerate(paired, result):
            axes[axis] = k
        for axis in range(ndim):
            if axes[axis] < 0:
                axes[axis], free = free, free + 1
        places.append(axes)
    return places[0], places[1]


def dot_box(x, y, contract, batch):
    box: dict[int, int] = {}
    for type, places in zip((x, y), box_axes(x.ndim, y.ndim, contract, batch), strict=True):
        box.update(zip(places, type.shape, strict=True))
    summed = len(contract[0])
    return tuple(box[k] for k in range(len(box))), tuple(range(len(box) - summed, len(box)))


def dot_type(x, y, contract, batch):
    dtype = common_dtype("dot", [x, y], "iufc")
    for i, j in zip((*contract[0], *batch[0]), (*contract[1], *batch[1]), strict=True):
        if x.shape[i] != y.shape[j]:
            raise errors.ValueError(f"shapes {shape_text(x.shape)} and {shape_text(y.shape)} not aligned: "
                                    f"{x.shape[i]} (dim {i}) != {y.shape[j]} (dim {j})")
    box, summed = dot_box(x, y, contract, batch)
    return ArrayType(dtype, box[:len(box) - len(summed)])


def evaluate_dot(x, y, contract, batch):
    x_places, y_places = box_axes(x.ndim, y.ndim, contract, batch)
    return np.einsum(x, x_places, y, y_places, list(range(x.ndim + y.ndim - 2 * len(contract[0]) - len(batch[0]))))


def dot_element(b, index, operands, contract, batch):
    (x, y) = operands
    x_places, y_places = box_axes(x.type.ndim, y.type.ndim, contract, batch)
    return x(tuple(index[k] for k in x_places)) * y(tuple(index[k] for k in y_places))


def jvp_dot(inputs, tangents, **params):
    (x, y), (tx, ty) = inputs, tangents
    result = dot(x, y, **params)
    first = Zero(result.type) if is_zero(tx) else dot(tx, y, **params)
    second = Zero(result.type) if is_zero(ty) else dot(x, ty, **params)
    return [result], [add_tangents(first, second)]


def transpose_dot(cotangents, inputs, **params):
    (ct,), (x, y) = cotangents, inputs
    x_places, y_places = box_axes(x.type.ndim, y.type.ndim, **params)
    return [adjoint_dot(ct, y, y_places, x_places), None] if is_linear(x) else [None, adjoint_dot(ct, x, x_places, y_places)]


def adjoint_dot(ct: Atom, known: Atom, places: list[int], wanted: list[int]) -> Atom:
    """Sum the cotangent times the known operand over what only those two share; put the axes where the other operand has them."""
    shared = [k for k in places if k < ct.ndim and k in wanted]
    summed = [k for k in places if k < ct.ndim and k not in wanted]
    free = [k for k in range(ct.ndim) if k not in shared and k not in summed]
    rest = [k for k in places if k >= ct.ndim]
    contract = tuple(summed), tuple(map(places.index, summed))
    batch = tuple(shared), tuple(map(places.index, shared))
    if wanted == [*shared, *rest, *free]:
        return dot(conj(known), ct, contract=contract[::-1], batch=batch[::-1])
    order = [*shared, *free, *rest]
    return permute(dot(ct, conj(known), contract=contract, batch=batch), tuple(map(order.index, wanted)))


def permute(x: Atom, axes: tuple[int, ...]) -> Atom:
    return x if axes == tuple(range(x.ndim)) else transpose(x, axes=axes)


def reach_dot(mask: Atom, which: int, inputs, contract, batch) -> Atom:
    """What is summed reaches all results of the sum."""
    places = box_axes(inputs[0].type.ndim, inputs[1].type.ndim, contract, batch)[which]
    kept = [k for k in range(mask.ndim) if k in places]
    order = tuple(kept.index(k) for k in places if k in kept)
    shape = inputs[which].type.shape
    mask = permute(reduce_or(mask, axes=tuple(k for k in range(mask.ndim) if k not in places)), order)
    mask = reshape(mask, shape=tuple(extent if k in kept else 1 for k, extent in zip(places, shape, strict=True)))
    return broadcast(mask, shape=shape)


def batch_dot(size, inputs, where, contract, batch):
    """Two batched operands share one more batch axis; a single one gets one more free axis."""
    (x, y), (x_axis, y_axis) = inputs, where
    x_shift, y_shift = int(x_axis is not None), int(y_axis is not None)
    x = x if x_axis is None else move_axis(x, x_axis, 0)
    y = y if y_axis is None else move_axis(y, y_axis, 0)
    contract, batch = (tuple(tuple(axis + shift for axis in axes) for axes, shift in zip(pair, (x_shift, y_shift), strict=True))
                       for pair in (contract, batch))
    if x_shift and y_shift:
        return [dot(x, y, contract=contract, batch=((0, *batch[0]), (0, *batch[1])))], [0]
    place = len(batch[0]) if x_shift else x.ndim - len(contract[0])
    return [dot(x, y, contract=contract, batch=batch)], [place]


def dot_is_nonnegative(equation, known) -> bool:
    """Sums of products of non-negative numbers, or of squares of the elements of one array."""
    x, y = equation.inputs
    return (is_paired(equation) and same(x, y)) or (known(x) and known(y))


def simplify_dot(inputs, contract, batch):
    """A product that sums nothing is elementwise; that of complex numbers may be rounded otherwise."""
    if contract[0] or inputs[0].dtype.kind == "c":
        return None
    x, y = inputs
    ndim = x.ndim + y.ndim - len(batch[0])
    return mul(*[spread(operand, places, ndim) for operand, places in zip(inputs, box_axes(x.ndim, y.ndim, contract, batch), strict=True)])


def spread(x: Atom, places: list[int], ndim: int) -> Atom:
    """Return `x` with its axes at `places` among `ndim` axes, the others of extent 1."""
    order = sorted(range(x.ndim), key=places.__getitem__)
    extents = {places[k]: x.shape[k] for k in order}
    moved = permute(x, tuple(order))
    shape = tuple(extents.get(k, 1) for k in range(ndim))
    return moved if moved.shape == shape else reshape(moved, shape=shape)


def summed_dot(equation, axes, alone):
    """Sum up the operands along axes that are free: what is left is a smaller product. Axes of the stack stay for later."""
    inputs, params = list(equation.inputs), equation.params
    stack = len(params["batch"][0])
    free = [axis for axis in axes if axis >= stack]
    if not free or not params["contract"][0]:
        return None
    dropped = []
    for side, own in enumerate(box_axes(*[x.ndim for x in inputs], **params)):
        dropped.append(tuple(axis for axis, place in enumerate(own) if place in free))
        if dropped[side]:
            inputs[side] = total(inputs[side], dropped[side], alone)
    product = dot(*inputs, **pairs_without(dropped, **params))
    rest = tuple(axis for axis in axes if axis < stack)
    return reduce_sum(product, axes=rest) if rest else product


def pairs_without(dropped, contract, batch) -> dict:
    """Return the parameters of a product whose operands lose some of their axes."""
    def kept(pair):
        return tuple(tuple(axis - sum(k < axis for k in gone) for axis in axes if axis not in gone) for axes, gone in zip(pair, dropped, strict=True))

    return {"contract": kept(contract), "batch": kept(batch)}


def dot_through(inputs, alone, needed, contract, batch):
    """A product with an operand that is the same all along some axes: the other one is summed up along those that are contracted, and the
    product along those that are free computed once."""
    for side, x in enumerate(inputs):
        again = [axis for axis in repeated_axes(x) if axis not in batch[side]]
        if again:
            break
    else:
        return None
    other = 1 - side
    summed_up = tuple(j for i, j in zip(contract[side], contract[other], strict=True) if i in again)
    operands, dropped = list(inputs), [(), ()]
    operands[side], dropped[side] = once(x, again), tuple(again)
    if summed_up:
        operands[other], dropped[other] = total(inputs[other], summed_up, alone), summed_up
    product = dot(*operands, **pairs_without(dropped, contract, batch))
    places = box_axes(*[x.ndim for x in inputs], contract, batch)[side]
    shape = dot_type(*[x.type for x in inputs], contract, batch).shape
    free = [places[axis] for axis in again if axis not in contract[side]]
    thin = reshape(product, shape=tuple(1 if k in free else n for k, n in enumerate(shape)))
    return broadcast(thin, shape=shape) if free else product


def repeated_axes(x: Atom) -> list[int]:
    """Return the axes along which an array is one element again and again by what it is made of."""
    source = operand_of(x, broadcast)
    if source is None:
        return []
    extents = (1,) * (x.ndim - source.ndim) + source.shape
    return [axis for axis, (n, m) in enumerate(zip(x.shape, extents, strict=True)) if n > m == 1]


def once(x: Atom, axes: list[int]) -> Atom:
    """Return what a broadcast array is without axes along which it is the same."""
    source, ahead = operand_of(x, broadcast), x.ndim - operand_of(x, broadcast).ndim
    thin = reshape(source, shape=tuple(n for axis, n in enumerate(source.shape, ahead) if axis not in axes))
    return broadcast(thin, shape=tuple(n for axis, n in enumerate(x.shape) if axis not in axes))


def total(x: Atom, axes: tuple[int, ...], alone) -> Atom:
    """Record the sum of an array along axes."""
    for found in (summed(x, axes, alone), transposed(x, axes, lambda y, axes: reduce_sum(y, axes=axes))):
        if found is not None:
            return found
    return reduce_sum(x, axes=axes)


DOTS = (((3,), (3,), ((0,), (0,)), ((), ())), ((2, 3), (3, 4), ((1,), (0,)), ((), ())), ((3, 2), (4, 3), ((0,), (1,)), ((), ())),
        ((2, 3), (2, 3), ((0, 1), (0, 1)), ((), ())), ((2, 3), (3, 2), ((0, 1), (1, 0)), ((), ())), ((2,), (3,), ((), ()), ((), ())),
        ((5, 2, 3), (5, 3, 2), ((2,), (1,)), ((0,), (0,))), ((2, 5, 3, 1), (3, 4, 5), ((2,), (0,)), ((1,), (2,))),
        ((0, 3), (3, 2), ((1,), (0,)), ((), ())), ((2, 0), (0, 2), ((1,), (0,)), ((), ())), ((4,), (4,), ((), ()), ((0,), (0,))))

dot = Primitive(
    "dot",
    type=dot_type,
    evaluate=evaluate_dot,
    jvp=jvp_dot,
    transpose=transpose_dot,
    reach=reach_dot,
    batch=batch_dot,
    lower=Reduce("add", dot_box, dot_element),
    samples=lambda rng, dtype: [([sample(rng, dtype, shape=x), sample(rng, dtype, shape=y)], {"contract": contract, "batch": batch})
                                for x, y, contract, batch in DOTS],
    nonnegative=dot_is_nonnegative,
    simplify=simplify_dot,
    summed=summed_dot,
    through=dot_through,
    dtypes="dfDl",
)


def matmul(x: Atom, y: Atom) -> Atom:
    """Return the product of two equally stacked matrices."""
    stack = tuple(range(x.ndim - 2))
    return dot(x, y, contract=((x.ndim - 1,), (y.ndim - 2,)), batch=(stack, stack))


def adjoint(x: Atom) -> Atom:
    """Return the conjugate transpose of each matrix of a stack."""
    return conj(transpose(x, axes=(*range(x.ndim - 2), x.ndim - 1, x.ndim - 2)))
