"""Products that are added to something are multiplied and added in one operation, rounded once where the processor has one.

In and out: a Program. Invariant: whether a product is rounded by itself depends on the equations around it alone, not on what else it is used for,
on whether it is stored, or on which loop nest it is computed in; so that a body that is run again gives the bits that it gave before.
"""

from __future__ import annotations

from jitad.ir.program import Atom, Equation, Program
from jitad.ir.recorder import rewrite


def contract(program: Program) -> Program:
    """Return `program` with the sums and differences of products that `contract` slots know as one operation each."""

    def rule(equation: Equation, inputs: list[Atom]):
        found = equation.primitive.contract(inputs) if equation.primitive.contract else None
        return None if found is None else [found]

    return rewrite(program, rule) if any(equation.primitive.contract for equation in program.equations) else program
