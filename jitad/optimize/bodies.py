"""Programs within Programs: the bodies of loops and branches are optimized too, and values that nothing needs are not carried.

In and out: a Program. Invariant: the results that are used stay the same.
"""

from __future__ import annotations

from collections.abc import Callable

from jitad.ir.program import Atom, Equation, Program, bodies, with_bodies
from jitad.ir.recorder import current, rewrite


def optimize_bodies(program: Program, optimize: Callable[[Program], Program]) -> Program:
    """Return `program` with every Program in its parameters optimized."""

    def rule(equation: Equation, inputs: list[Atom]):
        if not has_bodies(equation):
            return None
        params = with_bodies(equation.params, optimize)
        return None if bodies(params) == bodies(equation.params) else current().record(equation.primitive, inputs, params)

    return rewrite(program, rule) if any(map(has_bodies, program.equations)) else program


def has_bodies(equation: Equation) -> bool:
    return equation.primitive.prune is not None


def prune(program: Program) -> Program:
    """Return `program` with loops and branches that compute only what is used."""
    return rewritten_for_use(program, "prune")


def settle(program: Program) -> Program:
    """Return `program` with loops that write rows of arrays once, and only where they are read."""
    return rewritten_for_use(program, "settle")


def delay(program: Program) -> Program:
    """Return `program` with loops that compute at the beginning of a trip what need not be stored at the end of the one before."""
    return rewritten_for_use(program, "delay")


def rewritten_for_use(program: Program, slot: str) -> Program:
    """Return `program` with its equations rewritten by a slot of their primitives that takes which of the results are used."""
    if all(getattr(equation.primitive, slot) is None for equation in program.equations):
        return program
    used = {atom for equation in program.equations for atom in equation.inputs} | set(program.outputs)

    def rule(equation: Equation, inputs: list[Atom]):
        change = getattr(equation.primitive, slot)
        return None if change is None else change(inputs, [var in used for var in equation.outputs], **equation.params)

    return rewrite(program, rule)
