"""Dead code: drop equations whose outputs nothing uses. In and out: a Program; inputs and outputs stay."""

from __future__ import annotations

from jitad.ir.program import Atom, Program


def eliminate_dead_code(program: Program) -> Program:
    """Return `program` without the equations that its outputs do not depend on."""
    needed: set[Atom] = set(program.outputs)
    kept = []
    for equation in reversed(program.equations):
        if not needed.isdisjoint(equation.outputs):
            kept.append(equation)
            needed.update(equation.inputs)
    return Program(program.inputs, kept[::-1], program.outputs) if len(kept) < len(program.equations) else program
