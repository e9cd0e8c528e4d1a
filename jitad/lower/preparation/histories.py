"""Carried arrays of which loops keep every value: they live in what is kept.

In: a Program. Out: the same, where a loop that records a carried array in a stack, before or after each trip, carries the stack alone: a trip reads
one row and writes the next. Invariant: rows are what they were; there is one more, and who reads the stack reads the slice that it was.
"""

from __future__ import annotations

from collections import Counter

from jitad.ir.dataflow import count_uses
from jitad.ir.facts import is_undefined
from jitad.ir.program import Atom, Equation, Literal, Program, Var, literal
from jitad.ir.recorder import Env, Recorder, rewrite
from jitad.ir.types import INT
from jitad.lower.fusion.order import overwrites
from jitad.lower.preparation.sinking import layout, reads_parts
from jitad.primitives.control.undefined import empty
from jitad.primitives.structural.boxes import slice_
from jitad.primitives.structural.indexing import gather, scatter

SMALL = 64  # elements of an array that stays where it is


def live_in_stacks(program: Program) -> Program:
    """Return `program` with loops that carry stacks instead of what they record in them."""
    users: dict[Var, list[Equation | None]] = {}
    for equation in program.equations:
        for x in set(equation.inputs):
            users.setdefault(x, []).append(equation)
    for x in program.outputs:
        users.setdefault(x, []).append(None)

    def rule(equation: Equation, inputs: list[Atom]):
        if not is_forward(equation):
            return None
        pairs = recorded(equation, users)
        return carrying_stacks(equation, inputs, pairs) if pairs else None

    return rewrite(program, rule) if any(map(is_forward, program.equations)) else program


def is_forward(equation: Equation) -> bool:
    """Whether an equation is a loop up from 0 of a known number of trips."""
    known = equation.primitive.control == "loop" and isinstance(equation.inputs[0], Literal)
    return known and not equation.params["reverse"] and equation.params["length"] > 1


def recorded(equation: Equation, users: dict) -> dict[int, tuple[int, bool]]:
    """Return, for carried values that live in a stack, its number, and whether it holds what they are after each trip."""
    body, first = equation.params["body"], 1 + equation.params["consts"]
    carries, outputs = body.inputs[first:], body.outputs
    uses = count_uses(body)
    found: dict[int, tuple[int, bool]] = {}
    for j, (stack, result) in enumerate(zip(carries, outputs, strict=True)):
        write = getattr(result, "equation", None)
        if write is None or not overwrites(write) or write.primitive is not scatter or uses[stack] != 1 or uses[result] != 1:
            continue
        base, value, *indices = write.inputs
        start = equation.inputs[first + j]
        if base is not stack or indices != [body.inputs[0]] or not is_undefined(start) or stack.shape[0] != equation.params["length"]:
            continue
        for k, (x, new) in enumerate(zip(carries, outputs, strict=True)):
            if value in (x, new) and k not in found and x.type.size > SMALL and computed(x, new, body, uses, value) and (
                    read_by_rows(equation.outputs[j], users)):
                found[k] = j, value is new
                break
    return found


def computed(x: Var, new: Atom, body: Program, uses: Counter, value: Atom) -> bool:
    """Whether a carried value is computed in each trip, from its elements or others, by nothing that has loops of its own."""
    equation = getattr(new, "equation", None)
    if equation is None or equation.primitive.control or overwrites(equation):
        return False
    return x not in body.outputs and list(body.outputs).count(new) == 1 and not (
        any(x in e.inputs and (e.primitive.control or overwrites(e) and e.inputs[0] is x) for e in body.equations))


def read_by_rows(stack: Var, users: dict) -> bool:
    """Whether nothing but loops reads a stack, row by row."""
    for equation in users.get(stack, []):
        if equation is None or not equation.primitive.control:
            return False
        where = layout(equation)
        places = [k for k, x in enumerate(equation.inputs) if x is stack]
        if not all(where.first <= k < where.last and reads_parts(body, k - where.first + where.place)
                   for k in places for group in where.bodies.values() for body in group):
            return False
    return True


def carrying_stacks(equation: Equation, inputs: list[Atom], pairs: dict[int, tuple[int, bool]]) -> list[Atom]:
    """Record the loop, and what its results are in terms of those of the new one."""
    body, first, length = equation.params["body"], 1 + equation.params["consts"], equation.params["length"]
    carries, counter = body.inputs[first:], body.inputs[0]
    stacks = {j: k for k, (j, _) in pairs.items()}
    kept = [k for k in range(len(carries)) if k not in pairs]
    fresh = {j: Var(carries[j].type.with_shape((length + 1, *carries[j].shape[1:]))) for j in stacks}
    writes = {body.outputs[j].equation for j in stacks}
    env = Env({x: x for x in body.inputs})
    with Recorder(equation.source) as recorder:
        for j, k in stacks.items():
            env[carries[k]] = gather(fresh[j], counter)
        for e in body.equations:
            if e not in writes:
                recorder.source = e.source
                env.repeat(e, recorder)
        following = counter + 1
        results = [scatter(fresh[k], env[body.outputs[stacks[k]]], following, unique=True) if k in stacks else env.read(body.outputs[k])
                   for k in kept]
    formal = [*body.inputs[:first], *[fresh.get(k, carries[k]) for k in kept]]
    initial = [begun(inputs[first + stacks[k]], fresh[k]) if k in stacks else inputs[first + k] for k in kept]
    params = {**equation.params, "body": Program(formal, recorder.equations, results)}
    finals = dict(zip(kept, equation.primitive(*inputs[:first], *initial, **params), strict=True))
    return [taken(finals, k, pairs, stacks, length) for k in range(len(carries))]


def begun(start: Atom, stack: Var) -> Atom:
    """Return a stack of which the first row is there."""
    return scatter(empty(shape=stack.shape, dtype=stack.dtype), start, literal(0, INT), unique=True)


def taken(finals: dict[int, Atom], k: int, pairs: dict, stacks: dict[int, int], length: int) -> Atom:
    """Return a result of the loop as it was: the last row of a stack, or the rows that it had."""
    if k in pairs:
        return gather(finals[pairs[k][0]], literal(length, INT))
    if k not in stacks:
        return finals[k]
    x, after = finals[k], pairs[stacks[k]][1]
    return slice_(x, start=(int(after), *(0,) * (x.ndim - 1)), shape=(length, *x.shape[1:]), step=(1,) * x.ndim)
