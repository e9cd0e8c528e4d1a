"""Expand what only mattered to differentiation: calls with rules of their own become their equations, markers vanish.

In and out: a Program. Invariant: no equation is left whose primitive has an `expand` slot.
"""

from __future__ import annotations

from jitad.ir.program import Atom, Equation, Program
from jitad.ir.recorder import rewrite


def expand(program: Program) -> Program:
    """Return `program` with every expandable equation replaced by its expansion, however deep."""

    def rule(equation: Equation, inputs: list[Atom]):
        return equation.primitive.expand(inputs, **equation.params) if equation.primitive.expand else None

    while any(equation.primitive.expand for equation in program.equations):
        program = rewrite(program, rule)
    return program
