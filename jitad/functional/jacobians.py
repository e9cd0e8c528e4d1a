"""Jacobians within a trace: one linearization, applied to all unit vectors at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jitad.frontend.arrays.array import to_atom, wrap
from jitad.frontend.hooks.own_code import DERIVATIVES
from jitad.frontend.tracing.trees import flatten, unflatten
from jitad.functional.forward import linear_program
from jitad.functional.inner import batched, check_differentiable, positions, trace_inner, with_arguments
from jitad.functional.reverse import Budget, within
from jitad.ir import errors
from jitad.ir.program import Atom, Program, Var
from jitad.ir.recorder import Recorder
from jitad.ir.types import ArrayType
from jitad.primitives.control.bodies import close
from jitad.primitives.declare import instantiate
from jitad.primitives.structural.boxes import slice_
from jitad.primitives.structural.shaping import reshape, transpose
from jitad.transform.batch import push_batch, spread
from jitad.transform.linearize import LinearMap
from jitad.transform.transpose import pull_back


def jacobian(function: Callable, argnums, mode: str | None, args: tuple, kwargs: dict, budget: Budget | None = None):
    """Return the Jacobian: for each result a tree like the arguments, of arrays of shape (result, argument)."""
    name = {"forward": "jacfwd", "reverse": "jacrev", None: "jacobian"}[mode]
    if not args:
        raise errors.TypeError(f"{name} was called without positional arguments: there is nothing to differentiate with respect to")
    numbers = positions(argnums, args, name)
    chosen = tuple(args[number] for number in numbers)
    check_differentiable(chosen, numbers, name)
    with batched():
        inner = trace_inner(with_arguments(function, args, kwargs, numbers), chosen)
    ins, outs = [atom.type for atom in inner.inputs], [leaf.type for leaf in inner.traced.results]
    for type in (*ins, *outs):
        if type.dtype.kind == "c" or not type.differentiable:
            raise errors.TypeError(f"{name} needs real floating-point arguments and results, not {type.dtype}; "
                                   "take real and imaginary parts, or use jvp and vjp")
    forward = sum(type.size for type in ins) < sum(type.size for type in outs) if mode is None else mode == "forward"
    _, linear = inner.linearized(within(None if forward else budget, inner))
    blocks = forward_blocks(linear, ins, outs) if forward else reverse_blocks(linear, ins, outs)
    rows = []
    for row in blocks:
        tree = like_arrays(chosen, row)
        rows.append(tree[0] if isinstance(argnums, int) else tree)
    return unflatten(inner.traced.treedef, rows)


DERIVATIVES["jacobian"] = lambda function, x: jacobian(function, 0, "forward", (x,), {})


def like_arrays(tree: Any, atoms: Sequence[Atom]) -> Any:
    return unflatten(flatten(tree)[1], [wrap(atom) for atom in atoms])


def basis(types: Sequence[ArrayType]) -> tuple[list[Atom], int]:
    """Return the unit vectors of a product of spaces: for each an atom with the number of the vector on axis 0; and how many."""
    total = sum(type.size for type in types)
    start, atoms = 0, []
    for type in types:
        unit = to_atom(np.eye(total, type.size, -start, dtype=type.dtype))
        atoms.append(reshape(unit, shape=(total, *type.shape)))
        start += type.size
    return atoms, total


def forward_blocks(linear: LinearMap, ins, outs) -> list[list[Atom]]:
    """Push all unit tangents through at once."""
    program, kept = linear_program(linear)
    units, total = basis(ins)
    columns, axes = push_batch(program, [*units, *kept], [0] * len(units) + [None] * len(kept), total)
    columns = [spread(x, axis, total) for x, axis in zip(columns, axes, strict=True)]
    return [split_columns(column, ins, out) for column, out in zip(columns, outs, strict=True)]


def split_columns(column: Atom, ins, out: ArrayType) -> list[Atom]:
    """Cut an atom of shape (all inputs, *out) into blocks of shape (*out, *input)."""
    blocks, start = [], 0
    for type in ins:
        block = cut(column, start, type.size)
        block = transpose(block, axes=(*range(1, out.ndim + 1), 0))
        blocks.append(reshape(block, shape=(*out.shape, *type.shape)))
        start += type.size
    return blocks


def reverse_blocks(linear: LinearMap, ins, outs) -> list[list[Atom]]:
    """Pull all unit cotangents back at once."""
    seeds = [Var(type) for type in outs]
    with Recorder() as recorder:
        rows = list(map(instantiate, pull_back(linear, seeds)))
    program, free = close(Program(seeds, recorder.equations, rows), len(seeds))
    units, total = basis(outs)
    rows, axes = push_batch(program, [*units, *free], [0] * len(units) + [None] * len(free), total)
    rows = [spread(x, axis, total) for x, axis in zip(rows, axes, strict=True)]
    blocks, start = [], 0
    for out in outs:
        blocks.append([reshape(cut(row, start, out.size), shape=(*out.shape, *type.shape)) for row, type in zip(rows, ins, strict=True)])
        start += out.size
    return blocks


def cut(x: Atom, start: int, count: int) -> Atom:
    return slice_(x, start=(start, *[0] * (x.ndim - 1)), shape=(count, *x.shape[1:]), step=(1,) * x.ndim)
