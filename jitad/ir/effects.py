"""What Programs do besides giving their results.

In: a Program. Out: whether it does anything else; the same Program without that, for what reverse mode runs again.
"""

from __future__ import annotations

from collections.abc import Sequence

from jitad.ir.primitive import Primitive
from jitad.ir.program import Atom, Equation, Program, bodies, with_bodies
from jitad.ir.recorder import current, rewrite


def has_effects(program: Program, primitive: Primitive | None = None) -> bool:
    """Return whether an equation has an effect, here or in the Programs in the parameters; if asked for, one of a `primitive`."""
    return any((equation.primitive is primitive if primitive else equation.primitive.effect)
               or any(has_effects(body, primitive) for body in bodies(equation.params)) for equation in program.equations)


def silent(params: dict) -> dict:
    """Return parameters in which Programs have no effects."""
    return with_bodies(params, without_effects) if any(map(has_effects, bodies(params))) else params


def without_effects(program: Program) -> Program:
    """Return `program` with what has effects replaced by its first operands, which its results are when nothing is done."""

    def rule(equation: Equation, inputs: list[Atom]) -> Sequence[Atom] | None:
        if equation.primitive.effect:
            return inputs[: len(equation.outputs)]
        params = silent(equation.params)
        return None if params is equation.params else current().record(equation.primitive, inputs, params)

    return rewrite(program, rule)
