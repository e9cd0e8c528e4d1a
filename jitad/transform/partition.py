"""Partial evaluation: which equations of a Program can be run before some of its inputs are known.

In: a Program and which inputs are unknown. Out: `Parts`. Invariant: the linear part reads, besides unknown values, only the residuals
and inputs of the Program. Loops and branches are cut in two by their primitive's `split`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jitad.ir.lowering import Pointwise, Pull
from jitad.ir.passes import PASSES
from jitad.ir.program import Atom, Equation, Literal, Program, Var
from jitad.ir.recorder import Env, Recorder
from jitad.transform.residuals import Linear


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
    names
        What the Vars of the Program that are called otherwise now are called.
    """

    known: list[Equation]
    linear: list[Equation]
    outputs: list[Atom]
    unknown: set[Var]
    residuals: list[Var]
    names: Env


def partition(
    program: Program, flags: Sequence[bool], moving: Sequence[bool] | None = None, prices: dict[Var, float] | None = None, lasting=None,
    free: bool = True, outermost: bool = False,
) -> Parts:  # fmt: skip
    """Cut `program`, whose inputs in `flags` are unknown. Known outputs in `moving` count as read by the linear part.

    `prices` are those of the values at hand in the linear part of a loop's body, in bytes per trip; None if all known values are. `lasting` is
    what loops and branches inside can read from arrays of loops around the Program; loops may be run again if they are `free` to. A branch that
    no loop surrounds is `outermost`.
    """
    unknown = {var for var, moves in zip(program.inputs, flags, strict=True) if moves}
    env, found = Env(), {}
    known, linear = Recorder(), Linear(prices, lasting, free, outermost)
    for equation in program.equations:
        inputs = [env.get(atom, atom) for atom in equation.inputs]
        which = [atom in unknown for atom in inputs]
        if any(which) and equation.primitive.split:
            known.source = linear.source = equation.source
            with known:
                outputs = equation.primitive.split(inputs, which, linear, **equation.params)
            results = equation.primitive.depends(which, **equation.params)
            unknown.update(x for x, moves in zip(outputs, results, strict=True) if moves)
        elif any(which):
            outputs = append(linear, equation, inputs)
            unknown.update(outputs)
        else:
            key = repetition_key(equation, inputs)
            if key is None or key not in found:
                found[key] = append(known, equation, inputs)
            outputs = found[key]
        env.update((var, x) for var, x in zip(equation.outputs, outputs, strict=True) if var is not x)
    outputs = [env.get(atom, atom) for atom in program.outputs]
    read = [x for equation in linear.equations for x in equation.inputs]
    read += [x for x, moves in zip(outputs, moving or (), strict=False) if moves]
    residuals = list(dict.fromkeys(x for x in read if isinstance(x, Var) and x not in unknown))
    return Parts(known.equations, linear.equations, outputs, unknown, residuals, env)


def repetition_key(equation: Equation, inputs: list[Atom]) -> tuple | None:
    """Return what equations that give the same element by element have in common, so that none is kept twice; None for others."""
    if not isinstance(equation.primitive.lower, Pointwise | Pull):
        return None
    operands = [(x.dtype, x.value.tobytes()) if isinstance(x, Literal) else x for x in inputs]
    key = equation.primitive, *operands, *sorted(equation.params.items())
    try:
        hash(key)
    except TypeError:
        return None
    return key


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


PASSES["partition"] = partition
PASSES["depends"] = depends
