"""Indexing with arrays of integers: reading (`gather`), adding (`scatter_add`) and writing (`scatter`) at computed places.

In: an array and k int64 arrays of one shape S that address its first k axes. The elements addressed have the shape S followed
by the remaining axes. Negative indices count from the end; others out of range raise `IndexError`. The writes
take `unique`, the caller's word that no place is addressed twice.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from math import prod

import numpy as np

from jitad.ir import errors
from jitad.ir.intervals import of_operand
from jitad.ir.lowering import Pull, Scatter
from jitad.ir.primitive import Primitive
from jitad.ir.program import Atom
from jitad.ir.symbolic import Linear, Zero, is_zero
from jitad.ir.types import BOOL, INT, ArrayType
from jitad.primitives.declare import common_dtype, full, instantiate, is_linear, linear, sample, to_front, uniform
from jitad.primitives.elementwise.comparisons import eq, lt, ne, select
from jitad.primitives.elementwise.complexes import convert
from jitad.primitives.structural.shaping import ANY, all_to_front, broadcast, iota, reshape, shape_text, transpose


def addressed(x: ArrayType, indices) -> tuple[int, ...]:
    """Return the shape of the elements of `x` that `indices` address, after checking the indices' types."""
    if len(indices) > x.ndim:
        raise errors.IndexError(f"too many indices for array: array is {x.ndim}-dimensional, but {len(indices)} were indexed")
    for index in indices:
        if index.dtype.kind not in "iu":
            raise errors.IndexError("arrays used as indices must be of integer (or boolean) type")
        if index.dtype != INT or index.shape != indices[0].shape:
            raise errors.InternalError(f"index of type {index}, not int64 of shape {indices[0].shape}")
    return (*indices[0].shape, *x.shape[len(indices):])


def move_axis(x: Atom, source: int, target: int) -> Atom:
    """Return `x` with axis `source` moved to `target`."""
    rest = [axis for axis in range(x.ndim) if axis != source]
    axes = (*rest[:target], source, *rest[target:])
    return x if source == target else transpose(x, axes=axes)


def along(index: Atom, axis: int, shape: tuple[int, ...]) -> list[Atom]:
    """Return the indices that address, in an array of `shape`, the elements whose place along `axis` is given by `index`."""
    return [index if k == axis else iota(shape=index.shape, axis=k, dtype=INT) for k in range(len(shape))]


def batch_indices(size: int, indices, axes) -> list[Atom]:
    """Return batched indices with the batch in front, preceded by the number of the member."""
    indices = all_to_front(size, indices, axes)
    return [iota(shape=indices[0].shape, axis=0, dtype=INT), *indices]


# --- gather -------------------------------------------------------------------------------------------------------------


def gather_element(b, index, operands, type):
    x, *indices = operands
    here = index[:len(indices[0].type.shape)]
    found = [b.checked(i(here), extent, axis) for axis, (i, extent) in enumerate(zip(indices, x.type.shape, strict=False))]
    return x((*found, *index[len(here):]))


def batch_gather(size, inputs, axes):
    """Members that share their indices become one more axis of the elements; otherwise the member number is one more index."""
    (x, *indices), (axis, *index_axes) = inputs, axes
    if all(a is None for a in index_axes):
        return [gather(move_axis(x, axis, len(indices)), *indices)], [indices[0].ndim]
    if axis is None:
        return [gather(x, *all_to_front(size, indices, index_axes))], [0]
    return [gather(to_front(x, axis), *batch_indices(size, indices, index_axes))], [0]


def draw_indices(rng, shape, extents):
    return [rng.integers(-extent, extent, shape) for extent in extents]


PLACES = (((5,), 1, (3,)), ((4, 3), 1, (2, 2)), ((4, 3), 2, (5,)), ((3, 2), 1, ()), ((3, 2), 1, (0,)))

def simplify_gather(inputs):
    """Elements of an array all of whose elements are one number."""
    x, *indices = inputs
    number = uniform(x)
    return None if number is None else full(number, x.type.with_shape(addressed(x.type, [i.type for i in indices])))


def place_mask(shape: tuple[int, ...], indices) -> Atom:
    """Return where in an array of `shape` the elements lie that scalar indices, not negative, address."""
    there = full(True, ArrayType(BOOL, shape))
    for axis, index in enumerate(indices):
        there = there & eq(iota(shape=shape, axis=axis, dtype=INT), index)
    return there


def from_front(indices, shape: tuple[int, ...]) -> list[Atom]:
    """Return indices with those that are negative counted from the front."""
    return [select(lt(index, 0), index + extent, index) for index, extent in zip(indices, shape, strict=False)]


def masks_of_gather(mask, inputs):
    """A single element is compared with the place of each; others are found by counting how often each is read."""
    x, *indices = inputs
    shape, none = x.type.shape, [None for _ in indices]
    if indices[0].shape:
        reads = full(1, ArrayType(INT, addressed(x.type, [i.type for i in indices]))) if mask is None else convert(mask, dtype=INT)
        return [ne(scatter_add(full(0, ArrayType(INT, shape)), reads, *indices), 0), *none]
    there = place_mask(shape, from_front(indices, shape))
    return [there if mask is None else there & broadcast(mask, shape=shape), *none]


def mark_read(before, mask, inputs):
    _, *indices = inputs
    if mask is None:
        return scatter(before, full(True, ArrayType(BOOL, addressed(before.type, [i.type for i in indices]))), *indices)
    if indices[0].shape:
        return before | masks_of_gather(mask, inputs)[0]
    return scatter(before, gather(before, *indices) | mask, *indices, unique=True)


gather = linear(Primitive(
    "gather",
    type=lambda x, *indices: x.with_shape(addressed(x, indices)),
    evaluate=lambda x, *indices: x[indices],
    transpose=lambda cts, inputs: [
        scatter_add(full(0, inputs[0].type), cts[0], *inputs[1:]), *[None for _ in inputs[1:]]],
    masks=masks_of_gather,
    mark=mark_read,
    batch=batch_gather,
    simplify=simplify_gather,
    lower=Pull(gather_element, repeats=True),
    samples=lambda rng, dtype: [([sample(rng, dtype, shape=shape), *draw_indices(rng, where, shape[:k])], {})
                                for shape, k, where in PLACES],
    nonnegative=lambda equation, known: known(equation.inputs[0]),
    bounds=of_operand,
    structural=True,
    selecting=True,
    dtypes=ANY,
))

# --- scatter --------------------------------------------------------------------------------------------------------------


def scatter_type(base, updates, *indices, unique=False):
    common_dtype("assignment", [base, updates], "biufc")
    wanted = addressed(base, indices)
    if updates.shape != wanted:
        raise errors.ValueError(f"shape mismatch: value array of shape {shape_text(updates.shape)} could not be broadcast to "
                                f"indexing result of shape {shape_text(wanted)}")
    return base


def scatter_place(b, index, operands, unique=False):
    base, _, *indices = operands
    here = index[:indices[0].type.ndim]
    found = [b.checked(i(here), extent, axis) for axis, (i, extent) in enumerate(zip(indices, base.type.shape, strict=False))]
    return (*found, *index[len(here):])


def scatter_primitive(name: str, combine: str, write: Callable, **slots) -> Primitive:
    """Declare a write at computed places; it is linear in base and updates together."""

    def evaluate(base, updates, *indices, **params):
        result = base.copy()
        write(result, indices, updates)
        return result

    def jvp(inputs, tangents, **params):
        base, updates, *indices = inputs
        result = primitive(*inputs, **params)
        if is_zero(tangents[0]) and is_zero(tangents[1]):
            return [result], [Zero(result.type)]
        return [result], [primitive(*map(instantiate, tangents[:2]), *indices, **params)]

    def batch(size, inputs, axes, **params):
        """The member number is one more index, also for members that share theirs: so the base stays where it is."""
        base, updates = all_to_front(size, inputs[:2], axes[:2])
        return [primitive(base, updates, *batch_indices(size, inputs[2:], axes[2:]), **params)], [0]

    def samples(rng, dtype):
        return [([sample(rng, dtype, shape=shape), sample(rng, dtype, shape=(*where, *shape[k:])),
                  *draw_indices(rng, where, shape[:k])], {}) for shape, k, where in PLACES]

    def ordered(base, updates, *indices):
        return 0 if combine == "add" else indices[0].ndim

    primitive = Primitive(name, scatter_type, evaluate, jvp, batch=batch, lower=Scatter(combine, scatter_place, ordered), samples=samples,
                          structural=True, nonnegative=lambda equation, known: all(map(known, equation.inputs[:2])), **slots)
    return primitive


def transpose_scatter_add(cotangents, inputs, unique=False):
    (ct,), (base, updates, *indices) = cotangents, inputs
    return [ct if is_linear(base) else None, gather(ct, *indices) if is_linear(updates) else None, *[None for _ in indices]]


def transpose_scatter(cotangents, inputs, unique=False):
    """What was overwritten has no influence: elements of the base, and updates before the last one at the same place."""
    (ct,), (base, updates, *indices) = cotangents, inputs
    into_base = into_updates = None
    if is_linear(base):
        into_base = scatter(ct, full(0, updates.type), *indices, unique=unique)
    if is_linear(updates):
        into_updates = gather(ct, *indices)
        if not unique:
            into_updates = select(last_writers(ct.shape, into_updates.shape, indices), into_updates, 0)
    return [into_base, into_updates, *[None for _ in indices]]


def last_writers(shape: tuple[int, ...], updates: tuple[int, ...], indices) -> Atom:
    """Return, for each update, whether it is the last one written to its place: number the writes and see which number stays."""
    where = indices[0].shape
    numbers = reshape(iota(shape=(prod(where),), axis=0, dtype=INT), shape=where)
    board = scatter(full(0, ArrayType(INT, shape[:len(indices)])), numbers, *indices)
    last = eq(gather(board, *indices), numbers)
    return broadcast(reshape(last, shape=(*where, *(1,) * (len(updates) - len(where)))), shape=updates)


def masks_of_scatter(mask, inputs, unique=False):
    """A single element is compared with the place of each; others are found by moving ones and zeros."""
    base, updates, *indices = inputs
    shape = base.type.shape
    if indices[0].shape:
        ones = full(True, ArrayType(BOOL, shape)) if mask is None else mask
        into_base, into_updates, *_ = transpose_scatter([ones], [Linear(ones.type), Linear(updates.type.with_dtype(BOOL)), *indices], unique)
        return [into_base, into_updates, *[None for _ in indices]]
    if mask is not None:
        return [scatter(mask, full(False, updates.type.with_dtype(BOOL)), *indices, unique=True), gather(mask, *indices), *[None for _ in indices]]
    return [~place_mask(shape, from_front(indices, shape)), None, *[None for _ in indices]]


def looked_up(index: Atom, extent: int) -> Atom:
    """Return an index, looked up among those that there are, which checks it and counts it from the front."""
    return gather(iota(shape=(extent,), axis=0, dtype=INT), index)


def choose_written(combine: Callable):
    """Return the `choose` slot of a write."""

    def choose(inputs, unique=False):
        base, updates, *indices = inputs
        if indices[0].shape or len(indices) < base.ndim:
            return None
        found = list(map(looked_up, indices, base.shape))
        return select(place_mask(base.shape, found), combine(base, broadcast(updates, shape=base.shape)), base)

    return choose


def masks_of_scatter_add(mask, inputs, unique=False):
    _, _, *indices = inputs
    return [mask, None if mask is None else gather(mask, *indices), *[None for _ in indices]]


def add_at(result, indices, updates):
    np.add.at(result, indices, updates)


def set_at(result, indices, updates):
    result[indices] = updates


scatter_add = scatter_primitive(
    "scatter_add", "add", add_at, transpose=transpose_scatter_add, masks=masks_of_scatter_add, choose=choose_written(operator.add),
    dtypes="dfDl")
scatter = scatter_primitive(
    "scatter", "set", set_at, transpose=transpose_scatter, masks=masks_of_scatter, choose=choose_written(lambda base, new: new),
    selecting=True, dtypes=ANY)


def add_scattered(equation, x):
    """x + (zeros with something added) is x with that added."""
    base, updates, *indices = equation.inputs
    return scatter_add(x, updates, *indices) if uniform(base) == 0 else None


def simplify_scatter_add(inputs, unique=False):
    """What is added to an element that was set to zero is written there, unless it has been there before."""
    base, new, *indices = inputs
    before = getattr(base, "equation", None)
    if indices[0].shape or before is None or before.primitive is not scatter or uniform(before.inputs[1]) != 0:
        return None
    if list(before.inputs[2:]) != indices:
        return None
    read, (array, *_) = getattr(new, "equation", None), before.inputs
    if read is not None and read.primitive is gather and list(read.inputs) == [array, *indices]:
        return array
    return scatter(array, new, *indices, unique=True)


scatter_add.add_into = add_scattered
scatter_add.simplify = simplify_scatter_add
gather.places = lambda inputs: [(k, extent, 0) for k, extent in zip(range(1, len(inputs)), inputs[0].shape, strict=False)]
scatter.places = scatter_add.places = lambda inputs, unique=False: [
    (k, extent, 0) for k, extent in zip(range(2, len(inputs)), inputs[0].shape, strict=False)]
for primitive in (gather, scatter, scatter_add):
    primitive.fails = "IndexError"


# --- several at a time ------------------------------------------------------------------------------------------------------------------


def parts_of_additions(inputs, sources):
    base, *others = inputs
    each = len(others) // len(sources)
    return [((base, *others[k * each : (k + 1) * each]), source) for k, source in enumerate(sources)]


def evaluate_additions(base, *others, sources):
    for (_, updates, *indices), _ in parts_of_additions((base.copy(), *others), sources):
        base = scatter_add.evaluate(base, updates, *indices)
    return base


scatter_add_together = Primitive(
    "scatter_add_together", lambda base, *others, sources: base, evaluate_additions,
    lower=Scatter("add", lambda b, index, operands, sources: scatter_place(b, index, operands), lambda *types: 0, parts=parts_of_additions))


def add_together(first, updates, *indices, source) -> Atom | None:
    """Return what the equation `first` has added to an array with other updates added at once, operands (updates, *indices); None if these are
    of another shape or number. Elements are added up in another order."""
    sources = (*first.params.get("sources", (first.source,)), source)
    if first.primitive not in (scatter_add, scatter_add_together) or first.inputs[1].shape != updates.shape:
        return None
    parts = parts_of_additions(first.inputs, sources[:-1])
    if len(parts[0][0]) != len(indices) + 2:
        return None
    return scatter_add_together(*first.inputs, updates, *indices, sources=sources)
