"""From a Python function to a Program.

In: a function of a tree of arguments, described leaf by leaf. Out: `Traced`: the Program, the structure of the result, and what the
Program reads besides its arguments.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from jitad.frontend.arrays.array import Array
from jitad.frontend.arrays.cells import lying
from jitad.frontend.arrays.memory_order import Order
from jitad.frontend.operations.promotion import PYTHON_DTYPES, to_atom
from jitad.frontend.source.recursion import explained
from jitad.frontend.tracing.constants import settle
from jitad.frontend.tracing.growable import Growable
from jitad.frontend.tracing.trace import Trace, current_trace, outermost_trace
from jitad.frontend.tracing.trees import TreeDef, flatten, leaf_paths, unflatten
from jitad.frontend.undefined import Undefined
from jitad.ir import errors
from jitad.ir.program import Atom, Program, Var
from jitad.ir.types import ArrayType, check_dtype, type_of


class Leaf(NamedTuple):
    """An argument, or a result, that is a value: its type and what kind of object it is.

    `kind` is ``"array"``, ``"scalar"`` (of NumPy) or ``"python"`` (a bool, int, float or complex), `order` the order of a traced array in memory.
    """

    type: ArrayType
    kind: str
    order: Order = None


class Static(NamedTuple):
    """An argument that is handed to the function as it is."""

    value: Any


def describe(x) -> Leaf | Static:
    """Return what a leaf of an argument or a result is."""
    if isinstance(x, np.ndarray):
        return Leaf(type_of(x), "array")
    if isinstance(x, Array):
        return Leaf(x.type, "array" if not x.scalar else "scalar" if x.weak is None else "python", x.order)
    if type(x) in PYTHON_DTYPES:
        return Leaf(ArrayType(PYTHON_DTYPES[type(x)]), "python")
    if isinstance(x, np.number | np.bool):
        return Leaf(ArrayType(check_dtype(x.dtype)), "scalar")
    return Static(x)


class Held:
    """An argument that is part of the signature as it is, whatever it contains."""

    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value

    def __hash__(self) -> int:
        return hash(self.value)

    def __eq__(self, other) -> bool:
        return type(self.value) is type(other.value) and self.value == other.value


@dataclass(frozen=True, eq=False)
class Traced:
    """What a function does.

    Attributes
    ----------
    program
        Its inputs are the arguments that are not static, in order, then the arrays and values of `captured` or `free`.
    treedef, results
        The structure of the result, and a `Leaf` for each of the Program's outputs.
    captured
        NumPy arrays that the function met, with the Vars that stand for them, for a function that is traced on its own.
    free
        Values of the enclosing traces that the function uses, for a function traced within another.
    pinned
        NumPy arrays whose values decided the course of the trace, each with a copy of what it held.
    """

    program: Program
    treedef: TreeDef
    results: list[Leaf]
    captured: list[tuple[np.ndarray, Var]]
    free: list[Var]
    pinned: list[tuple[np.ndarray, np.ndarray]]


def trace_function(function: Callable, leaves: Sequence[Leaf | Static], treedef: TreeDef, trace: Trace | None = None) -> Traced:
    """Return what ``function(*args)`` does.

    Parameters
    ----------
    leaves, treedef
        The tuple of arguments, as `describe` and `trees.flatten` give it.
    trace
        The trace to run in; by it a caller knows whether a `Concretize` that comes out is addressed to him.
    """
    trace = trace or Trace()
    nested = current_trace() is not None
    with trace:
        inputs = [argument(leaf, (trace, number)) for number, leaf in enumerate(leaves)]
        arguments = [leaf.value if isinstance(leaf, Static) else x for leaf, x in zip(leaves, inputs, strict=True)]
        variables = [x.atom for x in inputs if x is not None]
        try:
            result = function(*unflatten(treedef, arguments, Growable))
        except RecursionError as error:
            raise explained(error) from None
        outputs, structure = flatten(result)
        atoms = [output(x, path) for x, path in zip(outputs, leaf_paths(structure), strict=True)]
        results = [describe(x) for x in outputs]
    equations, atoms = settle(outermost_trace() or trace, trace.recorder.equations, atoms)
    free = Program(variables, equations, atoms).free_vars()
    captured = [(array, var) for array, var in trace.inputs() if var in free]
    program = Program([*variables, *(free if nested else [var for _, var in captured])], equations, atoms)
    free = free if nested else []
    return Traced(program, structure, results, captured, free, list(trace.pinned.values()))


def argument(leaf: Leaf | Static, origin: tuple[Trace, int]) -> Array | None:
    """Return a traced array for an argument."""
    if isinstance(leaf, Static):
        return None
    weak = next((cls for cls, dtype in PYTHON_DTYPES.items() if dtype == leaf.type.dtype), None) if leaf.kind == "python" else None
    discrete = leaf.type.dtype.kind in "biu" and not leaf.type.shape
    return lying(Array(Var(leaf.type), weak, leaf.kind != "array", frozenset({origin}) if discrete else None), leaf.order)


def check_results(tree: Any) -> None:
    """Raise unless every leaf of what the user's function has returned is a value."""
    leaves, structure = flatten(tree)
    for x, path in zip(leaves, leaf_paths(structure), strict=True):
        check_result(x, path)


def output(x, path: str) -> Atom:
    """Return a leaf of the result as an atom."""
    check_result(x, path)
    return to_atom(x)


def check_result(x, path: str) -> None:
    if isinstance(describe(x), Leaf):
        return
    if isinstance(x, Undefined):
        x.refuse()
    hint = "; return a list or a tuple of its elements" if isinstance(x, types.GeneratorType | set | frozenset | map | zip) else ""
    place = f" (result{path})" if path else ""
    raise errors.TypeError(f"the function returns a {type(x).__name__}{place}, which is neither an array nor a number nor a container "
                           f"of them{hint}")
