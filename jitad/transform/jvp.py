"""Forward mode.

In: a Program and tangents for some of its inputs. Out: its outputs and their tangents, recorded in the current recorder.
Invariant: a tangent has the type of its primal; one that vanishes identically is a `Zero` and costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from jitad.ir import errors
from jitad.ir.passes import PASSES
from jitad.ir.program import Atom, Equation, Program, Var
from jitad.ir.recorder import Env, Recorder, current
from jitad.ir.symbolic import Zero, is_zero
from jitad.primitives.declare import instantiate


def push_forward(program: Program, inputs: Sequence[Atom], tangents: Sequence[Atom | Zero]):
    """Record `program` on `inputs` together with its derivative along `tangents`.

    Returns the outputs (atoms) and their tangents (atoms or `Zero`).
    """
    recorder = current()
    env = Env(zip(program.inputs, inputs, strict=True))
    dots = {var: t for var, t in zip(program.inputs, tangents, strict=True) if not is_zero(t)}
    source = recorder.source
    for equation in program.equations:
        recorder.source = equation.source
        primals = env.read_all(equation.inputs)
        if not any(atom in dots for atom in equation.inputs):
            env.update(zip(equation.outputs, recorder.repeat(equation, primals), strict=True))
            continue
        rule = equation.primitive.jvp or no_rule(equation)
        moved = [dots[atom] if atom in dots else Zero(atom.type) for atom in equation.inputs]
        outputs, moved = rule(primals, moved, **equation.params)
        env.define(equation, outputs)
        dots.update((var, t) for var, t in zip(equation.outputs, moved, strict=True) if not is_zero(t))
    recorder.source = source
    return env.read_all(program.outputs), [dots[atom] if atom in dots else Zero(atom.type) for atom in program.outputs]


def no_rule(equation: Equation):
    raise errors.NotImplementedError(
        f"jitad has no derivative of {equation.primitive.name}; give one with jitad.custom_jvp, or hold the value constant with "
        "jitad.stop_gradient", equation.source)


def jvp(program: Program, active: Sequence[bool]) -> Program:
    """Return the Program of outputs and their tangents; inputs are those of `program`, then tangents for the `active` ones."""
    inputs = [Var(var.type) for var in program.inputs]
    dots = [Var(var.type) if moves else Zero(var.type) for var, moves in zip(program.inputs, active, strict=True)]
    with Recorder() as recorder:
        outputs, tangents = push_forward(program, inputs, dots)
        outputs = [*outputs, *map(instantiate, tangents)]
    return Program([*inputs, *[t for t in dots if not is_zero(t)]], recorder.equations, outputs)


PASSES["push_forward"] = push_forward
