"""Writes of few elements: as choices in passes over the array, or as writes where there are no such passes.

In and out: a Program. A write to an array that is computed before it, and read element by element after it, would part the two: the array would
be stored, changed at one place, and read again. As a choice for each element it lets them run in one pass. Conversely, where
nothing is done to an array but to read and to change small parts of it, from an input to an output of the Program, it is changed in place.
Invariant: results stay the same, but for the sign of a zero.
"""

from __future__ import annotations

from collections.abc import Collection

from jitad.ir.dataflow import users_of
from jitad.ir.lowering import Pointwise, Pull, Scatter
from jitad.ir.program import Atom, Equation, Program, Var
from jitad.ir.recorder import current, rewrite

MOST = 4  # choices one after another
PART = 8  # how many times smaller than an array a part is at least that is written where it is


def choose_written(program: Program) -> Program:
    """Return `program` with writes between elementwise operations as choices."""
    written = {equation.outputs[0] for equation in program.equations if equation.primitive.choose is not None}
    read = {x for equation in program.equations if equation.primitive.pointwise for x in equation.inputs if x in written and x.ndim}
    chosen: dict[Atom, int] = {}

    def rule(equation: Equation, inputs: list[Atom]):
        if equation.outputs[0] not in read:
            return None
        number = chosen.get(inputs[0], 0) + 1
        value = equation.primitive.choose(inputs, **equation.params) if number <= MOST and is_computed(inputs[0]) else None
        if value is None:
            return None
        chosen[value] = number
        return [value]

    return rewrite(program, rule) if read else program


def is_computed(x: Atom) -> bool:
    """Whether an array is computed element by element, so that storing it is a pass of its own."""
    if not isinstance(x, Var) or x.equation is None:
        return False
    record = x.equation.primitive.lower
    return isinstance(record, Pointwise) or isinstance(record, Pull) and not record.alias


def write_in_place(program: Program) -> Program:
    """Return `program` with small parts written into arrays of which only small parts are used."""
    if all(equation.primitive.part is None for equation in program.equations):
        return program
    users = users_of(program)
    found = {x for var in program.inputs for x in parts_written(var, users, set(program.outputs))}
    return written(program, found) if found else program


def write_first(program: Program) -> Program:
    """Return `program` with small parts written where the carried arrays of its loops are, if these are then read around each element.

    Neighbours that are read would else each be a choice between what was there and what is new, or the whole be stored by a pass of its own.
    """
    def rule(equation: Equation, inputs: list[Atom]):
        if equation.primitive.control != "loop":
            return None
        body = written_first(equation.params["body"], 1 + equation.params["consts"])
        return None if body is None else current().record(equation.primitive, inputs, {**equation.params, "body": body})

    return rewrite(program, rule) if any(equation.primitive.control for equation in program.equations) else program


def written_first(body: Program, lead: int) -> Program | None:
    """Return a body whose carried inputs, those from `lead` on, are changed in place where a small part of them is all that changes at first.

    That is so if the final value of such an input is computed from its own elements, and from what other carried values have become.
    """
    users, found, carried = users_of(body), set(), set(body.inputs[lead:])
    sums = {x for equation in body.equations if equation.primitive.pointwise and not carried.isdisjoint(equation.inputs) for x in equation.outputs}
    for var, final in zip(body.inputs[lead:], body.outputs[len(body.outputs) - len(body.inputs) + lead :], strict=True):
        following = [equation for equation in users[var] if not takes_part(equation, var)]
        if var in body.outputs or len(following) != 1 or is_placed(following[0]):
            continue
        after = changed(following[0], var)
        if after is not None and read_around(after, users) and reads_of(after, final, sums.union(body.outputs) - {final, after}) == {True}:
            found.add(after)
    return written(body, found) if found else None


def reads_of(x: Var, final: Atom, stored: Collection[Atom]) -> set[bool]:
    """Return how `final` is computed from `x`, apart from what is `stored`: from the same element (True), from others (False)."""
    found: set[bool] = set()
    met: set[tuple] = set()
    waiting = [(final, True)]
    while waiting:
        y, same = waiting.pop()
        if y is x:
            found.add(same)
        elif (y, same) not in met and y not in stored and isinstance(y, Var) and y.equation is not None:
            met.add((y, same))
            waiting += [(z, same and y.equation.primitive.pointwise) for z in y.equation.inputs]
    return found


def read_around(x: Var, users: dict[Atom, list[Equation]]) -> bool:
    """Return whether the neighbours of an element are read, or what is computed from them element by element."""
    return any(isinstance(equation.primitive.lower, Pull) and not equation.primitive.lower.alias
               or equation.primitive.pointwise and read_around(equation.outputs[0], users) for equation in users[x])


def written(program: Program, found: Collection[Atom]) -> Program:
    """Return `program` with those equations whose results are in `found` as writes."""

    def rule(equation: Equation, inputs: list[Atom]):
        if equation.outputs[0] not in found:
            return None
        result = equation.primitive.write(inputs, **equation.params)
        return None if result is None else [result]

    return rewrite(program, rule)


def parts_written(array: Var, users: dict[Atom, list[Equation]], outputs: set[Atom]) -> list[Var]:
    """Return the versions of an array that differ from the one before in a small part, if it is only used and changed in parts."""
    versions: list[Var] = []
    while array not in outputs:
        following = [x for equation in users[array] if (x := changed(equation, array)) is not None]
        if len(following) != 1 or not all(changed(equation, array) is not None or takes_part(equation, array) for equation in users[array]):
            return []
        (after,) = following
        if not is_placed(after.equation):
            versions.append(after)
        array = after
    return versions if all(takes_part(equation, array) for equation in users[array]) else []


def changed(equation: Equation, array: Var) -> Var | None:
    """Return what an array is after an equation that changes a part of it."""
    if equation.primitive.control:
        first = len(equation.inputs) - len(equation.outputs)
        if equation.primitive.control != "loop" or equation.inputs.count(array) != 1 or array not in equation.inputs[first:]:
            return None
        return equation.outputs[equation.inputs.index(array) - first]
    if isinstance(equation.primitive.lower, Scatter):
        return equation.outputs[0] if equation.inputs[0] is array and array not in equation.inputs[1:] else None
    part = equation.primitive.part and equation.primitive.part(equation.inputs, **equation.params)
    return equation.outputs[0] if part and part[0] is array and part[1] is not array and part[1].type.size * PART <= array.type.size else None


def is_placed(equation: Equation) -> bool:
    """Whether an equation changes arrays where they are."""
    return bool(equation.primitive.control) or isinstance(equation.primitive.lower, Scatter)


def takes_part(equation: Equation, array: Var) -> bool:
    """Whether an equation reads a small part of an array, as a loop in it may."""
    if equation.primitive.control:
        return True
    record = equation.primitive.lower
    return isinstance(record, Pull) and not record.alias and equation.outputs[0].type.size * PART <= array.type.size
