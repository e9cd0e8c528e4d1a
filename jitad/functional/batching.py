"""Batching within a trace: one function, many members at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jitad.frontend.arrays.array import to_atom, wrap
from jitad.frontend.arrays.ragged import refuse_sized
from jitad.frontend.tracing.printing import continue_log
from jitad.frontend.tracing.programs import Leaf, describe
from jitad.frontend.tracing.trees import LEAF, TreeDef, flatten, leaf_paths, parts_of, unflatten
from jitad.functional.inner import batched, present, private, trace_printing
from jitad.ir import errors
from jitad.ir.program import Atom
from jitad.ir.types import ArrayType
from jitad.primitives.control.printing import log_of
from jitad.primitives.structural.shaping import transpose
from jitad.transform.batch import push_batch, spread


def vmap(function: Callable, in_axes, out_axes, args: tuple, kwargs: dict):
    """Return the results of `function` on all members of a batch."""
    leaves, treedef = flatten(args)
    axes = prefix_axes(in_axes, treedef, "in_axes")
    mapped = [(k, axis_of(leaves[k], axis, path)) for k, (axis, path) in enumerate(zip(axes, leaf_paths(treedef), strict=True))
              if axis is not None]
    if not mapped:
        raise errors.ValueError("vmap needs at least one argument with an axis to map over")
    sizes = list(dict.fromkeys(leaves[k].shape[axis] for k, axis in mapped))
    if len(sizes) > 1:
        raise errors.ValueError(f"vmap: the mapped axes have different extents {', '.join(map(str, sizes))}")
    size = sizes[0]
    inputs = [to_atom(leaves[k]) for k, _ in mapped]
    members = [member_leaf(atom.type, axis) for atom, (_, axis) in zip(inputs, mapped, strict=True)]

    def call(*chosen):
        rest = list(map(private, leaves))
        for (k, _), value in zip(mapped, chosen, strict=True):
            rest[k] = wrap(value.atom, weak=value.weak is not None, scalar=value.scalar)  # its value is not to be asked for
        named, names = flatten(kwargs)
        return function(*unflatten(treedef, rest), **unflatten(names, list(map(private, named))))

    with batched():
        traced, prints = trace_printing(call, members, flatten(tuple(inputs))[1])
    refuse_sized(traced.treedef, "a result of vmap")
    where = [axis for _, axis in mapped] + [None] * len(traced.free)
    outputs, out = push_batch(traced.program, [*inputs, *traced.free], where, size)
    if prints:
        *outputs, log = outputs
        continue_log(log_of(log))
        out = out[:-1]
    targets = prefix_axes(out_axes, traced.treedef, "out_axes")
    return unflatten(traced.treedef, [
        wrap(place_axis(spread(x, axis, size), target), scalar=False) if target is not None else common(x, axis, leaf)
        for x, axis, target, leaf in zip(outputs, out, targets, traced.results, strict=True)])


def axis_of(x, axis: int, path: str) -> int:
    """Return the number of the axis to map over, not negative."""
    number, _, rest = path[1:].partition("]")
    if not isinstance(describe(x), Leaf):
        raise errors.TypeError(f"vmap cannot map over argument {number}{rest}, a {type(x).__name__}; give None for it in in_axes")
    ndim = np.ndim(x)
    if not -ndim <= axis < ndim:
        raise errors.ValueError(f"vmap: argument {number}{rest} has shape {np.shape(x)} and no axis {axis}")
    return axis % ndim


def common(x: Atom, axis: int | None, leaf: Leaf):
    """Return a result that is to be the same for all members."""
    if axis is not None:
        raise errors.ValueError("vmap: a result with None in out_axes depends on the member; give its axis there")
    return present(x, leaf)


def member_leaf(type: ArrayType, axis: int) -> Leaf:
    shape = (*type.shape[:axis], *type.shape[axis + 1 :])
    return Leaf(type.with_shape(shape), "array" if shape else "scalar")


def place_axis(x: Atom, axis: int) -> Atom:
    """Move the batch from axis 0 to `axis`."""
    if not -x.ndim <= axis < x.ndim:
        raise errors.ValueError(f"vmap: out_axes has axis {axis} for a result of shape {x.shape}, the batch included")
    axis %= x.ndim
    return transpose(x, axes=(*range(1, axis + 1), 0, *range(axis + 1, x.ndim))) if axis else x


def prefix_axes(axes, structure: TreeDef, name: str) -> list[int | None]:
    """Return an axis for each leaf, given one for all of them or a tree of them that may end early."""
    if axes is None or isinstance(axes, int):
        return [axes] * structure.size
    keys, children = parts_of(axes) or ((), None)
    if children is None or structure is LEAF:
        raise errors.TypeError(f"vmap: {name} has {axes!r} for {structure}; give the number of an axis, None, or a container of them")
    if issubclass(structure.cls, dict) and set(keys) == set(structure.keys):
        children = [axes[key] for key in structure.keys]
    if len(children) != len(structure.children):
        raise errors.ValueError(f"vmap: {name} has {len(children)} entries for {len(structure.children)} values")
    return [axis for sub, child in zip(children, structure.children, strict=True) for axis in prefix_axes(sub, child, name)]
