"""Dead code: drop equations whose outputs nothing uses. In and out: a Program; inputs and outputs stay."""

from __future__ import annotations

from jitad.ir.dataflow import leading_to
from jitad.ir.program import Program


def eliminate_dead_code(program: Program) -> Program:
    """Return `program` without the equations that its outputs do not depend on."""
    kept = leading_to(program.equations, program.outputs)
    return Program(program.inputs, kept, program.outputs) if len(kept) < len(program.equations) else program
