"""Which equations lead to a value, and which use it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence

from jitad.ir.program import Atom, Equation, Program, Var


def leading_to(equations: Sequence[Equation], wanted: Iterable[Atom], known: Collection[Atom] = ()) -> list[Equation]:
    """Return the equations, in order, that compute the atoms in `wanted` from those that are `known` already, or from what no equation computes."""
    needed, found = {x for x in wanted if x not in known} if known else set(wanted), []
    for equation in reversed(equations):
        if not needed.isdisjoint(equation.outputs):
            found.append(equation)
            needed.update([x for x in equation.inputs if x not in known] if known else equation.inputs)
    return found[::-1]


def count_uses(program: Program) -> Counter[Var]:
    """Return how often each Var is an operand of an equation, or an output."""
    uses = Counter([x for equation in program.equations for x in equation.inputs if isinstance(x, Var)])
    uses.update([x for x in program.outputs if isinstance(x, Var)])
    return uses


def users_of(program: Program) -> dict[Atom, list[Equation]]:
    """Return the equations that use each atom; an atom that none uses has an empty list."""
    users: dict[Atom, list[Equation]] = defaultdict(list)
    for equation in program.equations:
        for x in dict.fromkeys(equation.inputs):
            users[x].append(equation)
    return users
