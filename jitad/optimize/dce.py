"""Dead code: drop equations whose outputs nothing uses. In and out: a Program; inputs and outputs stay."""

from __future__ import annotations

from jitad.ir.program import Program, Var


def eliminate_dead_code(program: Program) -> Program:
    """Return `program` without the equations that its outputs do not depend on."""
    needed = {atom for atom in program.outputs if isinstance(atom, Var)}
    kept = []
    for equation in reversed(program.equations):
        if any(var in needed for var in equation.outputs):
            kept.append(equation)
            needed.update(atom for atom in equation.inputs if isinstance(atom, Var))
    return Program(program.inputs, kept[::-1], program.outputs) if len(kept) < len(program.equations) else program
