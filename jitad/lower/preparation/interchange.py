"""Two loops of which the outer one runs along what lies together in memory change places.

In: an equation, a loop around a loop. Out: the same the other way round. A sweep down each column, one column after another, becomes a sweep over
the rows in which all columns take a step: what is read lies together, and the inner loop is one that vectorises. Invariant: every element is
computed from the same values in the same way: of two trips that touch the same element the same one is the first in either order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jitad.ir.facts import is_number
from jitad.ir.program import Atom, Equation, Literal, Program, Var
from jitad.ir.recorder import Recorder, inline
from jitad.primitives.control.affine import Affine
from jitad.primitives.control.bodies import live
from jitad.primitives.control.lasting import WRITES, Access, Level, Survey, apart, loop_level
from jitad.primitives.control.loops import loop

FEW = 8  # trips that are not worth it


def exchange(equation: Equation, inputs: Sequence[Atom], arrange: Callable[[Program], Program]) -> Sequence[Var] | None:
    """Record a loop around a loop the other way round, if that is better; None if not. Bodies are as lowering will ``arrange(body)`` them."""
    if equation.primitive is not loop or not isinstance(inputs[0], Literal) or inputs[0].value < FEW:
        return None
    consts = equation.params["consts"]
    if sum(inner.primitive is loop for inner in equation.params["body"].equations) != 1:
        return None
    body = arrange(equation.params["body"])
    equations = live(body, [True] * len(body.outputs))
    (inner,) = [inner for inner in equations if inner.primitive is loop]
    before = [x for x in equations if x is not inner]
    if not all(map(is_number, before)) or not is_perfect(body, inner, consts):
        return None
    body = Program(body.inputs, equations, body.outputs)
    counter, level = body.inputs[0], loop_level(inputs[0], equation.params["length"], equation.params["reverse"])
    survey = Survey()
    arrays = {var: var for var in body.inputs[1:] if var.ndim}
    states = survey.walk(body, arrays, {counter: Affine(0, {level: 1})}, (), level)
    changed = set(body.inputs[1 + consts :])
    found = {array: [*group, *survey.stale.get(array, ())] for array, group in survey.found.items()}
    if survey.spoilt or survey.loose & changed or not all(in_any_order(found[array]) for array in changed & set(found)):
        return None
    accesses = [access for group in found.values() for access in group]
    if len(set(states.values())) < len(arrays) or not lies_better(accesses, level):
        return None
    return other_way_round(equation, inputs, body, before, inner)


def is_perfect(body: Program, inner: Equation, consts: int) -> bool:
    """Whether a body does nothing but run the loop `inner`, which carries what it carries itself, arrays alone."""
    carried, held = body.inputs[1 + consts :], inner.params["consts"]
    entering = inner.inputs[1 + held :]
    same = set(entering) == set(carried) and len(entering) == len(carried) and all(x.ndim for x in carried)
    if not same or not isinstance(inner.inputs[0], Literal) or set(carried) & set(inner.inputs[: 1 + held]):
        return False
    return all(body.outputs[carried.index(x)] is result for x, result in zip(entering, inner.outputs, strict=True))


def in_any_order(accesses: Sequence[Access]) -> bool:
    """Whether what one trip of the outer loop writes, another one only touches in a later trip of the inner loop, or the same one.

    Then it is touched later in the other order too.
    """
    if any(len(access.path) != 2 for access in accesses):
        return False
    writes = [access for access in accesses if access.equation.primitive in WRITES]
    return all(not_before(x, y) and not_before(y, x) for x in accesses for y in writes)


def not_before(access: Access, other: Access) -> bool:
    """Whether `other` reaches nothing that `access` does in a later trip of the outer loop and an earlier one of the inner loop."""
    (outer, _), (inner, _) = access.path
    return apart(access, other, 2, [(outer, not outer.reverse), (inner, inner.reverse)])


def lies_better(accesses: Sequence[Access], level: Level) -> bool:
    """Whether the outer loop runs along the last axes of more arrays than the inner one."""
    outer = inner = 0
    for access in accesses:
        if len(access.path) > 2 or access.places[-1] is None:
            return False
        low, high = access.places[-1]
        symbols = {*low.terms, *high.terms}
        outer += symbols == {level} and low == high
        inner += bool(symbols - {level}) or low != high
    return outer > inner


def other_way_round(equation: Equation, inputs: Sequence[Atom], outer_body: Program, before: Sequence[Equation], inner: Equation) -> Sequence[Var]:
    consts, held = equation.params["consts"], inner.params["consts"]
    step, trip, *own = [Var(x.type) for x in (inner.params["body"].inputs[0], *outer_body.inputs)]
    order = [outer_body.inputs.index(x) - 1 for x in inner.inputs[1 + held :]]
    with Recorder(inner.source) as recorder:
        values = inline(Program(outer_body.inputs, before, inner.inputs[1 : 1 + held]), [trip, *own])
        outputs = inline(inner.params["body"], [step, *values, *[own[k] for k in order]])
    one = Program([trip, step, *own], recorder.equations, [outputs[order.index(k)] for k in range(consts, len(own))])
    number, *formal = [Var(x.type) for x in (step, *own)]
    with Recorder(equation.source) as recorder:
        results = loop(inputs[0], number, *formal, body=one, length=equation.params["length"], consts=1 + consts,
                       reverse=equation.params["reverse"])
    body = Program([number, *formal], recorder.equations, results)
    return loop(inner.inputs[0], *inputs[1:], body=body, length=inner.params["length"], consts=consts, reverse=inner.params["reverse"])
