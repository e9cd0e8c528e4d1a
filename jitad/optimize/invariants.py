"""What is the same in every trip of a loop is computed before it.

In and out: a Program. Invariant: the results stay the same, and a failure that no trip may meet stays where it is.

The cost model: a value moves if computing one of its elements costs more than reading it does, if it is not computed element by element,
or if it is made of more bytes, of values that move, than it has itself. What is made of it at less cost is computed again in each trip.
"""

from __future__ import annotations

from jitad.ir.lowering import Pointwise, Pull, Undefined
from jitad.ir.program import Atom, Equation, Literal, Program, Var
from jitad.ir.recorder import rewrite
from jitad.optimize.bodies import has_bodies, optimize_bodies, prune

READ = 6.0  # what reading an element of an array costs, in additions
READ_NUMBER = 3.0
LEAST_TRIPS = 4


def hoist(program: Program) -> Program:
    """Return `program` with what does not change in loops computed before them, those within others first."""
    if not any(map(has_bodies, program.equations)):
        return program
    program = optimize_bodies(program, hoist)

    def rule(equation: Equation, inputs: list[Atom]):
        if equation.primitive.hoist is None or equation.params["length"] < LEAST_TRIPS:
            return None
        return equation.primitive.hoist(inputs, choose, **equation.params)

    return prune(rewrite(program, rule))


def choose(body: Program, held: set[Var], certain: bool) -> list[Var]:
    """Return the values of `body` to compute before the loop, given its inputs in `held`; `certain` says that it runs a trip at least."""
    costs: dict[Atom, float] = dict.fromkeys(held, 0.0)
    moving: dict[Var, Equation] = {}
    for equation in body.equations:
        if not all(isinstance(x, Literal) or x in costs for x in equation.inputs) or not movable(equation, certain):
            continue
        cost = cost_of(equation, costs)
        (*_, last) = equation.outputs
        parts = [x for x in equation.inputs if x in moving]
        worth = cost > (READ if last.type.size > 1 else READ_NUMBER) or (parts and size_of(last) < sum(map(size_of, parts)))
        for var in equation.outputs:
            costs[var] = 0.0 if worth else cost
            if worth:
                moving[var] = equation
    return first_met(body, moving)


def size_of(x: Var) -> int:
    return x.type.size * x.dtype.itemsize


def movable(equation: Equation, certain: bool) -> bool:
    primitive = equation.primitive
    if has_bodies(equation) or primitive.effect or primitive.lower is None or isinstance(primitive.lower, Undefined):
        return False
    return certain or not primitive.fails


def cost_of(equation: Equation, costs: dict[Atom, float]) -> float:
    record = equation.primitive.lower
    if not isinstance(record, Pointwise | Pull):
        return float("inf")
    return record.cost + sum(costs[x] for x in equation.inputs if isinstance(x, Var))


def first_met(body: Program, moving: dict[Var, Equation]) -> list[Var]:
    """Return the values in `moving` that are used by what stays in the body."""
    met: dict[Var, None] = {}
    needed = set(body.outputs)
    for equation in reversed(body.equations):
        if not any(x in needed for x in equation.outputs):
            continue
        if equation.outputs[0] in moving:
            met.update((x, None) for x in equation.outputs if x in needed)
        else:
            needed.update(equation.inputs)
    return list(met)


