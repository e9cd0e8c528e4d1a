"""Pullbacks and linearizations of concrete arguments: two kernels, with the residuals kept between them.

In: a compiled function and NumPy arguments. Out: its value and a function that applies the (transposed) derivative there. Invariant: the
primal is evaluated once; each later application runs the linear kernel alone.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jitad.compiled import Compiled, Entry, as_result
from jitad.frontend.arrays.array import to_atom
from jitad.frontend.arrays.ragged import counts_among
from jitad.frontend.tracing.captures import Captures
from jitad.frontend.tracing.programs import Leaf, describe
from jitad.frontend.tracing.trace import Trace, current_trace
from jitad.frontend.tracing.trees import SIZED, TreeDef, flatten, parts_of, sized_nodes, unflatten
from jitad.frontend.tracing.trees import structure as structure_of
from jitad.functional.inner import check_differentiable, present
from jitad.functional.reverse import Budget
from jitad.ir import errors
from jitad.ir.program import Program, Var
from jitad.ir.recorder import inline
from jitad.pipeline import to_kernel
from jitad.primitives.control.bodies import close
from jitad.runtime.execute import as_input, runner
from jitad.transform.vjp import linearization, pullback


@dataclass(eq=False)
class Closed:
    """A Program some of whose last inputs are captured arrays, read at each call."""

    program: Program
    captured: list[np.ndarray]

    @functools.cached_property
    def run(self) -> Callable:
        run = runner(to_kernel(self.program))
        if not self.captured:
            return run
        return lambda *inputs: run(*inputs, *[as_input(x, x.dtype.newbyteorder("=")) for x in self.captured])


def closed(program: Program, arrays: dict[Var, np.ndarray]) -> Closed:
    program, free = close(program, len(program.inputs))
    return Closed(program, [arrays[var] for var in free])


def derived(entry: Entry, name: str, make: Callable) -> tuple[Closed, Closed]:
    """Return what ``make(program, active)`` makes of the Program of `entry`. Rules that are traced meanwhile may read from outside."""
    pair, check = entry.derived.get(name, (None, None))
    if pair is None or not check.holds():
        program = entry.traced.program
        with Captures() as captures, Trace() as trace:
            made = make(program, [k < len(entry.inputs) for k in range(len(program.inputs))])
        arrays = {var: array for array, var in trace.inputs()}
        pair = tuple(closed(program, arrays) for program in made)
        entry.derived[name] = pair, captures.check(trace.pinned.values())
    return pair


def evaluate(compiled: Compiled, primals: tuple, name: str, make: Callable):
    """Return the entry, the outputs of the function, the residuals, and the linear Program."""
    check_differentiable(primals, range(len(primals)), name.split()[0])
    entry, leaves = compiled.lookup(primals, {})
    primal, linear = derived(entry, name, make)
    try:
        outputs = primal.run(*entry.operands(leaves))
    except errors.RoomError:
        compiled.make_room(primals, {})
        return evaluate(compiled, primals, name, make)
    return entry, outputs, list(outputs[len(entry.traced.results) :]), linear


def apply(linear: Closed, residuals: list, values: list) -> tuple[bool, list]:
    """Run a linear Program, or record it if a trace is running; return whether it was recorded."""
    types = linear.program.input_types[len(residuals) : len(residuals) + len(values)]
    if current_trace() is not None:
        return True, inline(linear.program, [*map(to_atom, residuals), *map(to_atom, values), *map(to_atom, linear.captured)])
    values = [as_input(np.asarray(x, type.dtype), type.dtype) for x, type in zip(values, types, strict=True)]
    residuals = [as_input(x, type.dtype) for x, type in zip(residuals, linear.program.input_types, strict=False)]
    return False, list(linear.run(*residuals, *values))


def flattened(tree: Any, structure: TreeDef, value: Sequence) -> tuple[list, TreeDef]:
    """Return the leaves of a cotangent and its structure, in which arrays have the room that those of the value have, whose leaves are given."""
    sized = SIZED.get(structure.cls)
    if sized is not None:
        filled = sized.fill(structure.keys, value, tree)
        return flatten(tree) if filled is None else (filled, structure)
    found = parts_of(tree)
    if not sized_nodes(structure) or found is None or len(found[1]) != len(structure.children):
        return flatten(tree)
    leaves, children, start = [], [], 0
    for child, part in zip(found[1], structure.children, strict=True):
        own, given = flattened(child, part, value[start : start + part.size])
        leaves, children, start = [*leaves, *own], [*children, given], start + part.size
    return leaves, structure_of(structure.cls if isinstance(tree, structure.cls) else type(tree), found[0], tuple(children))


def checked_leaves(tree: Any, structure: TreeDef, results: list[Leaf], what: str, value: Sequence = ()) -> list:
    """Return the leaves of a tangent or cotangent, which must look like the value it belongs to."""
    leaves, given = flattened(tree, structure, value)
    if given is not structure:
        raise errors.TypeError(f"{what} has the structure {given}; it must be that of the value, {structure}")
    for x, leaf in zip(leaves, results, strict=True):
        found = describe(x)
        if not isinstance(found, Leaf):
            raise errors.TypeError(f"{what} contains a {type(x).__name__}")
        if found.type.shape != leaf.type.shape:
            raise errors.ValueError(f"{what} has shape {found.type.shape}; it must have that of the value, {leaf.type.shape}")
        if leaf.type.differentiable and not np.can_cast(found.type.dtype, leaf.type.dtype, "same_kind"):
            raise errors.TypeError(f"{what} has dtype {found.type.dtype}; it must be convertible to that of the value, {leaf.type.dtype}")
    return leaves


def pack(recorded: bool, outputs: list, structure: TreeDef, results: list[Leaf]):
    form = present if recorded else as_result
    return unflatten(structure, [form(x, leaf) for x, leaf in zip(outputs, results, strict=True)])


def cut_pullback(program: Program, active: Sequence[bool]) -> tuple[Program, Program, int]:
    """Return the Programs of the value and of the pullback, and how many outputs of the first the second does not need."""
    return *pullback(program, active), len(program.outputs)


def bytes_of_pullback(count: Callable[[Program], int], parts: tuple[Program, Program, int]) -> int:
    """Return how many bytes the value and the pullback take: what is kept between them, and the kernel that takes more."""
    first, second, outputs = parts
    between = sum(type.nbytes for type in first.output_types[outputs:])
    return max(count(first), count(second) + between)


def vjp_concretely(compiled: Compiled, primals: tuple, has_aux: bool, budget: Budget | None = None):
    """See `jitad.vjp`."""
    def make(program: Program, active):
        return pullback(program if budget is None else budget.keep(program, active), active)

    name = "vjp" if budget is None else f"vjp in {budget.limit} bytes"
    entry, outputs, residuals, linear = evaluate(compiled, primals, name, make)
    structure, results = entry.treedef, entry.traced.results
    if has_aux and (structure.cls is not tuple or len(structure.children) != 2):
        raise errors.TypeError("vjp with has_aux=True needs a function that returns a pair (value, auxiliary results)")
    value = entry.restore(outputs)
    main = structure.children[0] if has_aux else structure
    rest = [np.zeros(leaf.type.shape, leaf.type.dtype) for leaf in results[main.size :]]
    leaves, arguments = flatten(primals)
    kinds = list(map(describe, leaves))

    def apply_pullback(cotangent):
        seeds = checked_leaves(cotangent, main, results[: main.size], "the cotangent", outputs[: main.size])
        recorded, cotangents = apply(linear, residuals, [*seeds, *rest])
        return pack(recorded, cotangents, arguments, kinds)

    return (value[0], apply_pullback, value[1]) if has_aux else (value, apply_pullback)


def linearize_concretely(compiled: Compiled, primals: tuple):
    """See `jitad.linearize`."""
    entry, outputs, residuals, linear = evaluate(compiled, primals, "linearize", linearization)
    kinds = list(map(describe, flatten(primals)[0]))
    arguments = flatten(primals)[1]
    extents = counts_among(entry.treedef)

    def apply_linear(*tangents):
        dots = checked_leaves(tangents, arguments, kinds, "a tangent")
        recorded, moved = apply(linear, residuals, dots)
        moved = [outputs[k] if k in extents else dot for k, dot in enumerate(moved[: entry.treedef.size])]
        return pack(recorded, moved, entry.treedef, entry.traced.results[: entry.treedef.size])

    return entry.restore(outputs), apply_linear
