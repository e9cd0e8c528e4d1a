"""Writes of single elements, on the way of an array from one elementwise operation to the next.

In and out: a Program. A write to an array that is computed before it, and read element by element after it, would part the two: the array would
be stored, changed at one place, and read again. As a choice for each element it lets them run in one pass. Invariant: results stay the same.
"""

from __future__ import annotations

from jitad.ir.lowering import Pointwise, Pull
from jitad.ir.program import Atom, Equation, Program, Var
from jitad.ir.recorder import rewrite

MOST = 4  # choices one after another


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
