"""Bodies of loops without what is the same in every trip.

In: a body, the operands that its constant inputs stand for, and a choice of its values. Out: the operands to add, recorded before the loop,
and bodies that take them as further constants.
"""

from __future__ import annotations

from collections.abc import Sequence

from jitad.ir.program import Atom, Equation, Program, Var
from jitad.ir.recorder import Env, Recorder, current


def leading_to(body: Program, wanted: Sequence[Atom], stops: Sequence[Var] = ()) -> list[Equation]:
    """Return the equations of which `wanted` are made, as far as `stops`, in order."""
    needed, found = set(wanted), []
    for equation in reversed(body.equations):
        if any(x in needed for x in equation.outputs) and not any(x in stops for x in equation.outputs):
            needed.update(equation.inputs)
            found.append(equation)
    return found[::-1]


def recorded_before(body: Program, values: Sequence[Var], operands: dict[Var, Atom]) -> list[Atom]:
    """Record what `values` of the body are made of, given its constant inputs, and return them."""
    env = Env(operands)
    for equation in leading_to(body, values):
        env.update(zip(equation.outputs, current().repeat(equation, env.read_all(equation.inputs)), strict=True))
    return env.read_all(values)


def without(body: Program, values: Sequence[Var]) -> Program:
    """Return the body that takes `values` as inputs, after its first."""
    fresh = {x: Var(x.type) for x in values}
    env = Env({x: x for x in body.inputs} | fresh)
    with Recorder() as recorder:
        for equation in leading_to(body, body.outputs, values):
            env.update(zip(equation.outputs, recorder.repeat(equation, env.read_all(equation.inputs)), strict=True))
    return Program([body.inputs[0], *fresh.values(), *body.inputs[1:]], recorder.equations, env.read_all(body.outputs))
