"""Bodies that run for members of a batch for which they are not meant: trips after a member's last, and arms that a member does not take.

In: a body, and a condition, a boolean scalar. Out: the same, but nothing in it fails where the condition does not hold; what it gives there may be
anything. Invariant: a body in which nothing can fail is recorded as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from jitad.ir.intervals import Interval, interval
from jitad.ir.lowering import UNBOUNDED
from jitad.ir.primitive import Primitive
from jitad.ir.program import Atom, Equation, Literal, Program, Var, bodies
from jitad.ir.recorder import Env, build, current, inline
from jitad.ir.types import BOOL, ArrayType
from jitad.primitives.declare import full
from jitad.primitives.elementwise.comparisons import select
from jitad.primitives.structural.shaping import broadcast


def idling(body: Program, inputs: Sequence[Atom], active: Atom, ranges: Mapping[Var, Interval] | None = None) -> list[Atom]:
    """Record `body`, applied to `inputs`, such that it does not fail where `active` does not hold, and return its outputs."""
    known = dict(ranges or {})
    if not may_fail(body, known):
        return inline(body, inputs)
    recorder, env = current(), Env(zip(body.inputs, inputs, strict=True))
    around = recorder.source
    for equation in body.equations:
        recorder.source = equation.source
        operands = env.read_all(equation.inputs)
        if equation.primitive.idle is not None and bodies_fail(equation, known):
            outputs = equation.primitive.idle(active, operands, **equation.params)
        else:
            outputs = recorder.repeat(equation, safe_operands(equation, operands, active, known))
        env.define(equation, outputs)
    recorder.source = around
    return env.read_all(body.outputs)


def safe_operands(equation: Equation, operands: Sequence[Atom], active: Atom, known: dict) -> list[Atom]:
    """Return operands with which an operation does not fail where `active` does not hold."""
    operands, primitive = list(operands), equation.primitive
    if primitive.guard is not None:
        _, safe, _ = primitive.guard(operands, **equation.params)
        operands = [x if x is y else chosen_where(active, x, y) for x, y in zip(operands, safe, strict=True)]
    if primitive.places is not None:
        for number, extent, safe in primitive.places(equation.inputs, **equation.params):
            if not lies_within(equation.inputs[number], extent, known):
                operands[number] = chosen_where(active, operands[number], full(safe, operands[number].type))
    return operands


def chosen_where(active: Atom, x: Atom, y: Atom) -> Atom:
    return select(broadcast(active, shape=x.shape) if x.shape else active, x, y)


# --- what may fail -----------------------------------------------------------------------------------------------------------------


def may_fail(body: Program, known: dict) -> bool:
    """Return whether an operation may fail, because of an index or something else that is checked."""
    return any(fails(equation, known) for equation in body.equations)


def fails(equation: Equation, known: dict) -> bool:
    primitive = equation.primitive
    if primitive.guard is not None:
        return True
    if primitive.places is not None:
        return any(extent is not None and not lies_within(equation.inputs[number], extent, known)
                   for number, extent, _ in primitive.places(equation.inputs, **equation.params))
    return bodies_fail(equation, known)


def bodies_fail(equation: Equation, known: dict) -> bool:
    length = equation.params.get("length", UNBOUNDED)
    found = bodies(equation.params)
    return any(may_fail(body, known if length == UNBOUNDED else known | {body.inputs[0]: (0, max(length - 1, 0))}) for body in found)


def lies_within(index: Atom, extent: int | None, known: dict) -> bool:
    """Return whether indices are surely right for an axis of this extent; what has no extent is not checked, and surely right if it is a number."""
    if extent is None:
        return isinstance(index, Literal)
    low, high = interval(index, known)
    return low >= -extent and high < extent


# --- operations with bodies ---------------------------------------------------------------------------------------------------------


def no_trips(primitive: Primitive) -> Callable:
    """Return the `idle` slot of a loop, which then has no trips."""
    return lambda active, inputs, **params: primitive(select(active, inputs[0], 0), *inputs[1:], **params)


def idle_body(body: Program) -> Program:
    """Return a body with a further input, the first, and nothing in it fails where that does not hold."""
    return build(lambda active, *inputs: idling(body, inputs, active), [ArrayType(BOOL), *body.input_types])
