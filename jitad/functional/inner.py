"""Tracing a function within the current trace, and checking what it takes and returns.

In: a Python function and a tree of arguments. Out: an `Inner`, its Program together with the atoms it is applied to. Invariant: arguments
that are not of interest are held as they are; what the function does to them in place stays inside.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from jitad.frontend.arrays.array import Array, to_atom, wrap
from jitad.frontend.arrays.cells import lying
from jitad.frontend.arrays.ragged import counts_among, zeros_beyond
from jitad.frontend.tracing.printing import continue_log, printed
from jitad.frontend.tracing.programs import Leaf, Traced, check_results, describe, trace_function
from jitad.frontend.tracing.trees import LEAF, TreeDef, flatten, leaf_paths, unflatten
from jitad.ir import errors
from jitad.ir.passes import PASSES
from jitad.ir.program import Atom, Program
from jitad.ir.source import Source
from jitad.optimize.invariants import hoist
from jitad.optimize.lanes import side_by_side
from jitad.primitives.declare import full, instantiate
from jitad.primitives.elementwise.complexes import convert
from jitad.transform.linearize import LinearMap, linearize

_batched: ContextVar[bool] = ContextVar("batched", default=False)


@dataclass(frozen=True)
class Inner:
    """A function traced with respect to some of its arguments.

    Attributes
    ----------
    traced
        Its Program takes `inputs`, then `free`.
    inputs, free
        Atoms of the current recorder.
    prints
        Whether the last output of the Program is not one of the results, but the log of what the function has printed.
    """

    traced: Traced
    inputs: list[Atom]
    prints: bool = False

    @property
    def free(self) -> list[Atom]:
        return list(self.traced.free)

    @property
    def operands(self) -> list[Atom]:
        return [*self.inputs, *self.free]

    @property
    def active(self) -> list[bool]:
        return [True] * len(self.inputs) + [False] * len(self.free)

    def results(self, outputs: Sequence[Atom]) -> list[Atom]:
        """Return those of the Program's outputs that are results; what was printed belongs to the log of the function that is traced."""
        if not self.prints:
            return list(outputs)
        continue_log(outputs[-1])
        return list(outputs[:-1])

    def linearized(self, program: Program) -> tuple[list[Atom], LinearMap]:
        """Record `program`, a form of the function's, and return its results and their derivative."""
        outputs, linear = linearize(program, self.operands, self.active)
        return self.results(outputs), replace(linear, outputs=linear.outputs[: len(self.traced.results)])

    def restore_tangents(self, results: Sequence[Atom], tangents: Sequence) -> Any:
        """Return tangents of the results (atoms or `Zero`) in the structure of the function's result."""
        extents = counts_among(self.traced.treedef)
        return self.restore([x if k in extents else instantiate(t) for k, (x, t) in enumerate(zip(results, tangents, strict=True))])

    def restore(self, atoms: Sequence[Atom]) -> Any:
        """Return outputs in the structure of the function's result."""
        return unflatten(self.traced.treedef, [present(atom, leaf) for atom, leaf in zip(atoms, self.traced.results, strict=True)])


def present(atom: Atom, leaf: Leaf):
    """Return an atom as the kind of object that `leaf` describes."""
    return lying(wrap(atom, scalar=leaf.kind != "array"), leaf.order)


def trace_inner(function: Callable, tree: Any) -> Inner:
    """Trace ``function(tree)``, whose leaves are the arguments of interest and become the inputs of its Program.

    What does not change in a loop is computed before it: so is then what the chain rule makes of it. Loops of independent trips
    become operations on whole arrays, or their trips run side by side, as far as members of a batch do not.
    """
    leaves, treedef = flatten((tree,))
    traced, prints = trace_printing(function, [describe(x) for x in leaves], treedef)
    program, is_batched = hoist(traced.program), _batched.get()
    program = side_by_side(program if is_batched else PASSES["grids"](program), is_batched)
    return Inner(replace(traced, program=program), list(map(to_atom, leaves)), prints)


@contextmanager
def batched() -> Iterator[None]:
    """What is traced meanwhile becomes part of a batch."""
    token = _batched.set(True)
    try:
        yield
    finally:
        _batched.reset(token)


def trace_printing(function: Callable, leaves: Sequence[Leaf], treedef: TreeDef) -> tuple[Traced, bool]:
    """Trace a function; return also whether it prints: the Program then has the log as its last output, after the results."""
    def call(*args):
        return function(*args), printed()

    traced = trace_function(call, leaves, treedef)
    own, log = traced.treedef.children
    return replace(traced, treedef=own, results=traced.results[: own.size]), bool(log.size)


def private(x):
    """Return a copy of an array that an inner trace may change in place."""
    if not isinstance(x, Array) or x.scalar:
        return x
    return lying(x.copy(), x.order)


def with_arguments(function: Callable, args: tuple, kwargs: dict, argnums: Sequence[int]) -> Callable:
    """Return `function` as a function of the tuple of its arguments `argnums`; the others are held as they are."""

    def call(chosen):
        leaves, treedef = flatten((args, kwargs))
        rest, named = unflatten(treedef, list(map(private, leaves)))
        rest = list(rest)
        for number, value in zip(argnums, chosen, strict=True):
            rest[number] = value
        return function(*rest, **named)

    return call


def positions(argnums, args: tuple, name: str) -> tuple[int, ...]:
    """Return `argnums` as a tuple of non-negative positions in `args`."""
    numbers = argnums if isinstance(argnums, tuple | list) else (argnums,)
    for number in numbers:
        if not isinstance(number, int):
            raise errors.TypeError(f"argnums of {name} is the number of a positional argument, or a tuple of them, not {argnums!r}")
        if not -len(args) <= number < len(args):
            raise errors.TypeError(f"{name} differentiates argument {number}, but the call has {len(args)} positional arguments")
    numbers = tuple(number % len(args) for number in numbers)
    if len(set(numbers)) < len(numbers):
        raise errors.ValueError(f"argnums of {name} names an argument twice: {argnums}")
    return numbers


def check_differentiable(tree: Any, numbers: Sequence[int], name: str) -> None:
    """Raise unless every leaf of the arguments `tree` has a floating-point dtype."""
    leaves, treedef = flatten(tree)
    others = "leave it out of argnums" if name not in ("jvp", "vjp", "linearize") else "let a lambda hold it"
    for x, path in zip(leaves, leaf_paths(treedef), strict=True):
        leaf = describe(x)
        if isinstance(leaf, Leaf) and leaf.type.differentiable:
            continue
        number, _, rest = path[1:].partition("]")
        what = f"argument {numbers[int(number)]}{rest}"
        if not isinstance(leaf, Leaf):
            raise errors.TypeError(f"{name} cannot differentiate with respect to {what}, a {type(x).__name__}; {others}")
        raise errors.TypeError(f"{name} differentiates with respect to floating-point arguments only; {what} has dtype "
                               f"{leaf.type.dtype}: convert it to float, or {others}")


def title(function: Callable) -> str:
    """Return the name of a function and its place, for messages."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    name = getattr(function, "__name__", type(function).__name__)
    return name if code is None else f"{name} ({Source(code.co_filename, code.co_firstlineno).short})"


def check_scalar(inner: Inner, name: str, function: Callable) -> None:
    """Raise unless the (first) result is one real number."""
    results, structure = inner.traced.results, inner.traced.treedef
    if structure is not LEAF:
        raise errors.TypeError(f"{name} needs a function that returns one number; {title(function)} returns {structure}. "
                               "Use has_aux=True for (value, auxiliary results), or jacrev")
    (leaf,) = results
    if leaf.type.shape != ():
        raise errors.TypeError(f"{name} needs a function that returns a scalar; {title(function)} returns an array of shape "
                               f"{leaf.type.shape}. Sum it, or use jacrev or jacfwd")
    if leaf.type.dtype.kind == "c":
        raise errors.TypeError(f"{name} needs a real-valued function; {title(function)} returns {leaf.type.dtype}. "
                               "Return its real part, its imaginary part or its absolute value")
    if leaf.type.dtype.kind != "f":
        raise errors.TypeError(f"{name} needs a floating-point result; {title(function)} returns {leaf.type.dtype}")


def split_aux(call: Callable, has_aux: bool, name: str, function: Callable) -> tuple[Callable, list]:
    """Return ``call(chosen)`` as (result, leaves of the auxiliary results), and a list that will hold the structure of these."""
    structures: list[TreeDef] = []

    def split(chosen):
        result = call(chosen)
        check_results(result)
        if not has_aux:
            return result, []
        if not isinstance(result, tuple) or len(result) != 2:
            raise errors.TypeError(f"{name} with has_aux=True needs a function that returns a pair (value, auxiliary results); "
                                   f"{title(function)} returns {flatten(result)[1]}")
        leaves, structure = flatten(result[1])
        structures[:] = [structure]
        return result[0], leaves

    return split, structures


class Parts:
    """A traced function whose result is (value, auxiliary leaves), taken apart."""

    def __init__(self, inner: Inner, structures: list[TreeDef]):
        value, aux = inner.traced.treedef.children
        self.main = value.size
        self.value = Inner(Traced(inner.traced.program, value, inner.traced.results[: self.main], [], inner.traced.free, []), inner.inputs)
        self.results = inner.traced.results
        self.structures = structures

    def aux(self, atoms: Sequence[Atom]):
        leaves = [present(atom, leaf) for atom, leaf in zip(atoms[self.main :], self.results[self.main :], strict=True)]
        return unflatten(self.structures[0], leaves)


def like(tree: Any, atoms: Sequence[Atom]) -> Any:
    """Return atoms in the structure of `tree`, each as the kind of object that it has there."""
    leaves, treedef = flatten(tree)
    return unflatten(treedef, [present(atom, describe(x)) for atom, x in zip(atoms, leaves, strict=True)])


def tangent_atoms(tree: Any, primal: Any, what: str) -> list[Atom]:
    """Return the leaves of a tangent or cotangent of `primal` as atoms of its types."""
    leaves, structure = flatten(tree)
    wanted, expected = flatten(primal)
    if structure is not expected:
        raise errors.TypeError(f"{what} has the structure {structure}; it must be that of the value, {expected}")
    atoms = []
    for x, y in zip(zeros_beyond(structure, leaves, wanted), wanted, strict=True):
        atom, type = to_atom(x), describe(y).type
        if atom.shape != type.shape:
            raise errors.ValueError(f"{what} has shape {atom.shape}; it must have that of the value, {type.shape}")
        if not type.differentiable:
            atom = full(0, type)
        elif not np.can_cast(atom.dtype, type.dtype, "same_kind"):
            raise errors.TypeError(f"{what} has dtype {atom.dtype}; it must be convertible to that of the value, {type.dtype}")
        atoms.append(atom if atom.dtype == type.dtype else convert(atom, dtype=type.dtype))
    return atoms
