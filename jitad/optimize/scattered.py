"""What is added to an array at computed places, and more of the same shape after it, is added in one loop.

In and out: a Program. The fluxes through the edges of a mesh are added to the cells on one side and taken from those on the other:
``np.add.at`` twice, and twice in the gradient of ``u[i] - u[j]``. In one loop the fluxes need not be stored.
Invariant: results change as by adding up in another order.
"""

from __future__ import annotations

from jitad.ir.dataflow import count_uses
from jitad.ir.program import Equation, Program, Var
from jitad.ir.recorder import rewrite
from jitad.optimize.bodies import optimize_bodies
from jitad.optimize.dce import eliminate_dead_code
from jitad.primitives.structural.indexing import add_together, scatter_add

MOST = 8  # updates in one loop
LEAST = 100  # elements of each


def add_at_once(program: Program) -> Program:
    """Return `program` with additions to an array that nothing else reads in between joined."""
    program = optimize_bodies(program, add_at_once)
    if sum(equation.primitive is scatter_add for equation in program.equations) < 2:
        return program
    uses = count_uses(program)

    def rule(equation: Equation, inputs: list):
        base, updates, *indices = inputs if equation.primitive is scatter_add else (None, None)
        first = base.equation if isinstance(base, Var) and uses[equation.inputs[0]] == 1 else None
        if first is None or updates.type.size < LEAST or not indices[0].shape or len(first.params.get("sources", ())) >= MOST:
            return None
        joined = add_together(first, updates, *indices, source=equation.source)
        return None if joined is None else [joined]

    return eliminate_dead_code(rewrite(program, rule))
