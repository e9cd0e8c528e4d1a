"""What is the same in every trip of a loop is computed before it.

In and out: a Program. Invariant: the results stay the same, and a failure that no trip may meet stays where it is.

The cost model: a value moves if computing one of its elements costs more than reading it does, if it is not computed element by element,
or if it is made of more bytes, of values that move, than it has itself. What is made of it at less cost is computed again in each trip, but
for what is read instead of the arrays that it is made of, in no more bytes, or is written to memory anyway.
"""

from __future__ import annotations

from collections.abc import Iterable

from jitad.ir.lowering import Control, Library, Pointwise, Pull, Reduce, Undefined
from jitad.ir.program import Atom, Equation, Literal, Program, Var
from jitad.ir.recorder import current, rewrite
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
        if equation.primitive.hoist is None or is_block(equation) or equation.params["length"] < LEAST_TRIPS:
            return None
        return equation.primitive.hoist(inputs, choose, **equation.params)

    return prune(rewrite(program, rule))


def choose(body: Program, held: set[Var], certain: bool) -> tuple[Program, list[Var]]:
    """Return a body and those of its values to compute before the loop, given its inputs in `held`; `certain` says that it runs a trip at least.

    Values within blocks of the body are computed before these blocks if they can be computed before the loop then.
    """
    opened, taken = lifted(body, held)
    values = invariant(opened, held, certain)
    return (opened, values) if taken <= set(values) else (body, invariant(body, held, certain))


def lifted(body: Program, held: set[Var]) -> tuple[Program, set[Var]]:
    """Return a body the blocks of which take from outside what they make of inputs in `held` at some cost, and these values."""
    known, taken = set(held), set()

    def rule(equation: Equation, inputs: list[Atom]):
        equations = current().equations
        if is_block(equation):
            def inside(program: Program, all_inputs: set[Var], certain: bool) -> tuple[Program, list[Var]]:
                same = {x for x, operand in zip(program.inputs, inputs, strict=True) if operand in known}
                return program, invariant(program, same, certain)

            start = len(equations)
            outputs = equation.primitive.hoist(inputs, inside, **equation.params)
            if outputs is not None:
                *before, block = equations[start:]
                taken.update({x for one in before for x in one.outputs}.intersection(block.inputs))
            return outputs
        if not all(isinstance(x, Literal) or x in known for x in inputs) or not movable(equation, True):
            return None
        outputs = current().repeat(equation, inputs)
        known.update(outputs)
        return outputs

    return (rewrite(body, rule), taken) if any(map(is_block, body.equations)) else (body, taken)


def is_block(equation: Equation) -> bool:
    """Whether an equation runs a Program once, so that its values may come from outside."""
    return equation.primitive.hoist is not None and "length" not in equation.params


def invariant(body: Program, held: set[Var], certain: bool) -> list[Var]:
    """Return the values of `body` that are worth computing before it, given its inputs in `held`."""
    costs: dict[Atom, float] = dict.fromkeys(held, 0.0)
    moving: set[Var] = set()
    cheap: dict[Var, Equation] = {}
    for equation in body.equations:
        if not all(isinstance(x, Literal) or x in costs for x in equation.inputs) or not movable(equation, certain):
            continue
        cost = cost_of(equation, costs)
        (*_, last) = equation.outputs
        parts = [x for x in equation.inputs if x in moving]
        worth = cost > (READ if last.type.size > 1 else READ_NUMBER) or (parts and last.type.nbytes < bytes_in(parts))
        for var in equation.outputs:
            costs[var] = 0.0 if worth else cost
            if worth:
                moving.add(var)
            else:
                cheap[var] = equation
    moving.update(read_instead(body, costs, cheap))
    return first_met(body, moving)


def read_instead(body: Program, costs: dict[Atom, float], cheap: dict[Var, Equation]) -> list[Var]:
    """Return values among the `cheap` ones that trips read rather than the arrays that they are made of, in no more bytes."""
    met, written = uses(body, costs, cheap)
    read = {x for x in met if x not in cheap or not costs[x]}
    groups: list[tuple[set[Var], set[Var]]] = []  # values, and the arrays that they and nothing else outside of the group are made of
    for x in met - read:
        group = {x}, arrays_of(x, cheap)
        joined = [other for other in groups if not group[1].isdisjoint(other[1])]
        groups = [*[other for other in groups if other not in joined], tuple(set.union(*sets) for sets in zip(group, *joined, strict=True))]
    still = {array for x in read for array in arrays_of(x, cheap)}
    fewer = [values for values, arrays in groups if bytes_in(values) <= bytes_in(arrays - still)]
    return [*written, *[x for values in fewer for x in values]]


def uses(body: Program, costs: dict[Atom, float], cheap: dict[Var, Equation]) -> tuple[set[Var], list[Var]]:
    """Return the invariant arrays that what changes from trip to trip is computed from, and those of them that are written to memory anyway."""
    met: set[Var] = set()
    written = []
    for equation in body.equations:
        if not costs.keys().isdisjoint(equation.outputs):
            continue
        record = equation.primitive.lower
        for x in equation.inputs:
            x = whole(x, cheap)
            if x not in costs or x.type.size == 1:
                continue
            if (isinstance(record, Control | Library) or is_block(equation)) and costs[x]:
                written.append(x)
            elif isinstance(record, Pointwise | Reduce) or not costs[x]:
                met.add(x)
    return met.difference(written), written


def whole(x: Atom, cheap: dict[Var, Equation]) -> Atom:
    """Return the array of which `x` is a part or a view."""
    while x in cheap and isinstance(cheap[x].primitive.lower, Pull) and len(cheap[x].inputs) == 1:
        (x,) = cheap[x].inputs
    return x


def arrays_of(x: Atom, cheap: dict[Var, Equation]) -> set[Var]:
    """Return the arrays in memory that `x` is computed from."""
    if x in cheap:
        return {array for y in cheap[x].inputs for array in arrays_of(y, cheap)}
    return {x} if isinstance(x, Var) and x.type.size > 1 else set()


def bytes_in(arrays: Iterable[Var]) -> int:
    return sum([x.type.nbytes for x in arrays])


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


def first_met(body: Program, moving: set[Var]) -> list[Var]:
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
