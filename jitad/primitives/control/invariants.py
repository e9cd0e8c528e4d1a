"""Bodies of loops, and of blocks in them, without what is the same in every trip.

In: a body, the operands that its constant inputs stand for, and a choice of its values. Out: the operands to add, recorded before the loop,
and bodies that take them as further constants.
"""

from __future__ import annotations

from collections.abc import Sequence

from jitad.ir.dataflow import leading_to
from jitad.ir.program import Atom, Program, Var
from jitad.ir.recorder import Env, Recorder, current


def recorded_before(body: Program, values: Sequence[Var], operands: dict[Var, Atom]) -> list[Atom]:
    """Record what `values` of the body are made of, given its constant inputs, and return them."""
    env = Env(operands)
    for equation in leading_to(body.equations, values):
        env.repeat(equation, current())
    return env.read_all(values)


def without(body: Program, values: Sequence[Var], first: int = 1) -> Program:
    """Return the body that takes `values` as inputs, after its `first` ones."""
    fresh = {x: Var(x.type) for x in values}
    env = Env({x: x for x in body.inputs} | fresh)
    with Recorder() as recorder:
        for equation in leading_to(body.equations, body.outputs, fresh):
            env.repeat(equation, recorder)
    return Program([*body.inputs[:first], *fresh.values(), *body.inputs[first:]], recorder.equations, env.read_all(body.outputs))
