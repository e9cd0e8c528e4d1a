"""Partial evaluation: which equations of a Program can be run before some of its inputs are known.

In: a Program and which inputs are unknown. Out: `Parts`. Invariant: the linear part reads, besides unknown values, only the residuals
and inputs of the Program. Loops and branches are cut in two by their primitive's `split`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jitad.ir.lowering import Pointwise, Pull
from jitad.ir.passes import PASSES
from jitad.ir.program import Atom, Equation, Program, Var
from jitad.ir.recorder import Env, Recorder


@dataclass(frozen=True)
class Parts:
    """A Program cut in two.

    Attributes
    ----------
    known, linear
        The equations that do not and that do depend on the unknown inputs.
    outputs
        The outputs of the Program.
    unknown
        All Vars that depend on the unknown inputs.
    residuals
        The known Vars that `linear` reads, inputs of the Program included.
    """

    known: list[Equation]
    linear: list[Equation]
    outputs: list[Atom]
    unknown: set[Var]
    residuals: list[Var]


def partition(program: Program, flags: Sequence[bool], moving: Sequence[bool] | None = None) -> Parts:
    """Cut `program`, whose inputs in `flags` are unknown. Known outputs in `moving` count as read by the linear part."""
    unknown = {var for var, moves in zip(program.inputs, flags, strict=True) if moves}
    env = Env()
    known, linear = Recorder(), Recorder()
    for equation in program.equations:
        inputs = [env.get(atom, atom) for atom in equation.inputs]
        which = [atom in unknown for atom in inputs]
        if any(which) and equation.primitive.split:
            known.source = linear.source = equation.source
            with known:
                outputs = equation.primitive.split(inputs, which, linear, **equation.params)
            results = equation.primitive.depends(which, **equation.params)
            unknown.update(x for x, moves in zip(outputs, results, strict=True) if moves)
        else:
            target = linear if any(which) else known
            outputs = append(target, equation, inputs)
            if any(which):
                unknown.update(outputs)
        env.update((var, x) for var, x in zip(equation.outputs, outputs, strict=True) if var is not x)
    outputs = [env.get(atom, atom) for atom in program.outputs]
    read = [x for equation in linear.equations for x in equation.inputs]
    read += [x for x, moves in zip(outputs, moving or (), strict=False) if moves]
    residuals = list(dict.fromkeys(x for x in read if isinstance(x, Var) and x not in unknown))
    return Parts(known.equations, linear.equations, outputs, unknown, residuals)


def append(recorder: Recorder, equation: Equation, inputs: list[Atom]) -> Sequence[Var]:
    """Append an equation, as it is if its operands are its own."""
    if all(x is y for x, y in zip(inputs, equation.inputs, strict=True)):
        recorder.equations.append(equation)
        return equation.outputs
    return recorder.repeat(equation, inputs)


def depends(program: Program, flags: Sequence[bool]) -> list[bool]:
    """Return which outputs depend on the inputs in `flags`."""
    reached = {var for var, moves in zip(program.inputs, flags, strict=True) if moves}
    for equation in program.equations:
        which = [atom in reached for atom in equation.inputs]
        if any(which):
            rule = equation.primitive.depends
            results = rule(which, **equation.params) if rule else [True] * len(equation.outputs)
            reached.update(var for var, moves in zip(equation.outputs, results, strict=True) if moves)
    return [atom in reached for atom in program.outputs]


def economize(parts: Parts, at_hand: set[Var]) -> tuple[list[Var], list[Equation]]:
    """Return which Vars to keep for the linear part of a loop's body, and the equations that compute its other residuals again.

    Values `at_hand` (constants of the loop, the trip number) are not kept. A residual is recomputed by elementwise operations and index
    maps where keeping what these start from takes fewer bytes.
    """
    definitions = {var: equation for equation in parts.known for var in equation.outputs}
    starts: dict[Var, frozenset[Var]] = {}

    def start(var: Var) -> frozenset[Var]:
        """The Vars that `var` can be recomputed from."""
        equation = definitions.get(var)
        if var in at_hand or var in starts:
            return starts.get(var, frozenset())
        if equation is None or not isinstance(equation.primitive.lower, Pointwise | Pull):
            return frozenset([var])
        return frozenset().union(*[start(x) for x in equation.inputs if isinstance(x, Var)])

    for equation in parts.known:
        for var in equation.outputs:
            starts[var] = start(var)
    kept = {x for x in parts.residuals if x not in at_hand and start(x)}
    for x in [x for x in parts.residuals if x in kept]:
        replaced = {y for y in kept if start(y) <= start(x) | (kept - {y})}
        candidate = (kept - replaced - {x}) | start(x)
        if size(candidate) < size(kept):
            kept = candidate
    stored = [x for x in dict.fromkeys([*parts.residuals, *definitions, *kept]) if x in kept]
    wanted = set(parts.residuals) - kept - at_hand
    again = []
    for equation in reversed(parts.known):
        if any(var in wanted for var in equation.outputs):
            again.append(equation)
            wanted.update(x for x in equation.inputs if isinstance(x, Var) and x not in kept and x not in at_hand)
    return stored, again[::-1]


def size(variables: set[Var]) -> int:
    return sum(var.type.size * var.dtype.itemsize for var in variables)


PASSES["partition"] = partition
PASSES["economize"] = economize
PASSES["depends"] = depends
