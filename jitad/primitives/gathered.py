"""Elementwise functions of what is gathered from a small array are computed once for each of its elements.

In: an expensive elementwise operation and its operands. Out: the gathered result of the operation on the array, or None if that has not far fewer
elements. Invariant: values are the same; a wrong index is still one of the gather, at its line.
"""

from __future__ import annotations

from collections.abc import Sequence

from jitad.ir.primitive import Primitive
from jitad.ir.program import Atom, Equation, Literal, Var
from jitad.ir.recorder import current

EXPENSIVE = 8.0  # additions
TIMES = 4  # how often each element is gathered, on average


def on_table(primitive: Primitive, inputs: Sequence[Atom], params: dict) -> Atom | None:
    """Return what the operation computes, gathered from its values on the array that its operand, or what that is computed from, is gathered from."""
    steps: list[tuple[Primitive, Sequence[Atom], dict]] = [(primitive, inputs, params)]
    if primitive.lower.cost < EXPENSIVE:
        return None
    while (equation := only_source(steps[-1][1])) is not None and equation.primitive.pointwise:
        steps.append((equation.primitive, equation.inputs, equation.params))
    if equation is None or equation.primitive.name != "gather":
        return None
    table, *indices = equation.inputs
    if not isinstance(table, Var) or TIMES * table.type.size > equation.outputs[0].type.size:
        return None
    for step, operands, own in reversed(steps):
        table = step(*[x if isinstance(x, Literal) else table for x in operands], **own)
    recorder = current()
    before, recorder.source = recorder.source, equation.source
    result = equation.primitive(table, *indices, **equation.params)
    recorder.source = before
    return result


def only_source(inputs: Sequence[Atom]) -> Equation | None:
    """Return the equation of the only operand that is no number."""
    found = {x for x in inputs if isinstance(x, Var)}
    return found.pop().equation if len(found) == 1 else None
