"""Reverse mode, from a Program to the Program of its pullback: linearize, then transpose."""

from __future__ import annotations

from collections.abc import Sequence

from jitad.ir.program import Program, Var
from jitad.ir.recorder import Recorder
from jitad.ir.symbolic import Zero
from jitad.primitives.declare import full, instantiate
from jitad.transform.batch import batch
from jitad.transform.jvp import jvp
from jitad.transform.linearize import linearize, residuals
from jitad.transform.transpose import pull_back


def gradient(program: Program, active: Sequence[bool]) -> Program:
    """Return the Program of the outputs, then the cotangents of the `active` inputs for a cotangent 1 of the first output.

    The other outputs (auxiliary values) receive no cotangents.
    """
    inputs = [Var(var.type) for var in program.inputs]
    with Recorder() as recorder:
        outputs, linear = linearize(program, inputs, active)
        seeds = [full(1, outputs[0].type), *[Zero(t.type) for t in linear.outputs[1:]]]
        cotangents = pull_back(linear, seeds)
        outputs = [*outputs, *map(instantiate, cotangents)]
    return Program(inputs, recorder.equations, outputs)



def pullback(program: Program, active: Sequence[bool]) -> tuple[Program, Program]:
    """Return two Programs: outputs and residuals from the inputs, and input cotangents from residuals and output cotangents.

    The second takes one cotangent for each output of `program`, of its type; those of outputs that do not depend on the active
    inputs are ignored.
    """
    inputs = [Var(var.type) for var in program.inputs]
    with Recorder() as recorder:
        outputs, linear = linearize(program, inputs, active)
    kept, again = residuals(linear)
    forward = Program(inputs, recorder.equations, [*outputs, *kept])
    cotangents = [Var(atom.type) for atom in outputs]
    with Recorder() as recorder:
        results = list(map(instantiate, pull_back(linear, cotangents)))
    return forward, Program([*kept, *cotangents], [*again, *recorder.equations], results)


def linearization(program: Program, active: Sequence[bool]) -> tuple[Program, Program]:
    """Return two Programs: outputs and residuals from the inputs, and output tangents from residuals and input tangents."""
    inputs = [Var(var.type) for var in program.inputs]
    with Recorder() as recorder:
        outputs, linear = linearize(program, inputs, active)
    kept, again = residuals(linear)
    with Recorder() as tail:
        tangents = list(map(instantiate, linear.outputs))
    forward = Program(inputs, recorder.equations, [*outputs, *kept])
    return forward, Program([*kept, *linear.inputs], [*again, *linear.equations, *tail.equations], tangents)


def rows(program: Program, active: Sequence[bool]) -> Program:
    """Return the Program of the cotangents of the `active` inputs for several cotangents of each output, as many as it has elements in all."""
    inputs = [Var(var.type) for var in program.inputs]
    with Recorder() as recorder:
        outputs, linear = linearize(program, inputs, active)
        seeds = [Var(atom.type) for atom in outputs]
        cotangents = list(map(instantiate, pull_back(linear, seeds)))
    axes = [None] * len(inputs) + [0] * len(seeds)
    return batch(Program([*inputs, *seeds], recorder.equations, cotangents), axes, sum(x.type.size for x in outputs))


def columns(program: Program, active: Sequence[bool]) -> Program:
    """Return the Program of the derivatives of the gradient along as many directions as the `active` inputs have elements."""
    moved = jvp(gradient(program, active), active)
    directions = moved.inputs[len(program.inputs) :]
    axes = [None] * len(program.inputs) + [0] * len(directions)
    return batch(moved, axes, sum(x.type.size for x in directions))
