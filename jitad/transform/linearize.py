"""Splitting a derivative into what is known now and what is linear in the tangents.

In: a Program and which inputs move. Out: its outputs, recorded in the current recorder, and a `LinearMap` that holds the
equations through which tangents flow. Invariant: every equation of a LinearMap is linear in the operands that depend on its
inputs; its other operands (the residuals) are atoms of the surrounding recorder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jitad.ir.lowering import Pull, Undefined
from jitad.ir.program import Atom, Equation, Program, Var
from jitad.ir.recorder import Recorder, current
from jitad.ir.symbolic import Zero
from jitad.transform.jvp import push_forward
from jitad.transform.partition import partition


@dataclass(frozen=True)
class LinearMap:
    """Tangents in, tangents out."""

    inputs: list[Var]
    equations: list[Equation]
    outputs: list[Atom | Zero]


def linearize(program: Program, inputs: Sequence[Atom], active: Sequence[bool]) -> tuple[list[Atom], LinearMap]:
    """Record `program` on `inputs` and return its outputs and its derivative with respect to the `active` inputs."""
    dots = [Var(atom.type) if moves else Zero(atom.type) for atom, moves in zip(inputs, active, strict=True)]
    moving = [dot for dot in dots if isinstance(dot, Var)]
    with Recorder(current().source) as both:
        outputs, tangents = push_forward(program, inputs, dots)
    known = [t for t in tangents if not isinstance(t, Zero)]
    parts = partition(Program(moving, both.equations, [*outputs, *known]), [True] * len(moving))
    current().equations += parts.known
    moved = iter(parts.outputs[len(outputs) :])
    # A rule may hand back a known atom as a tangent only if it is no tangent at all.
    final = [t if isinstance(t, Zero) else x if (x := next(moved)) in parts.unknown else Zero(t.type) for t in tangents]
    return parts.outputs[: len(outputs)], LinearMap(moving, parts.linear, final)


def residuals(linear: LinearMap) -> tuple[list[Var], list[Equation]]:
    """Return the Vars of the surrounding recorder that the map needs, and the equations of others, which are made of nothing."""
    needed = Program(linear.inputs, linear.equations, [t for t in linear.outputs if not isinstance(t, Zero)]).free_vars()
    again = list(dict.fromkeys(x.equation for x in needed if x.equation is not None and made_of_nothing(x.equation)))
    anew = {x for equation in again for x in equation.outputs}
    return [x for x in needed if x not in anew], again


def made_of_nothing(equation: Equation) -> bool:
    return isinstance(equation.primitive.lower, Undefined | Pull) and not any(isinstance(x, Var) for x in equation.inputs)
