"""Sums of products that nothing else uses: the operands are summed up instead of the product. Likewise sums that arrays are combined with.

In and out: a Program. The gradient by the mean in ``(x - mean) @ a`` is the sum over all points of a product for each point; the product of the
sum takes one. The gradient through centred data, ``y - mean(y)``, goes through y twice, unless the mean follows from those of what y is a combination
of. Invariant: results change as by adding up in another order.
"""

from __future__ import annotations

from jitad.ir.dataflow import count_uses
from jitad.ir.program import Atom, Equation, Program
from jitad.ir.recorder import current, rewrite
from jitad.optimize.simplify import simplify

AHEAD = 30  # equations


def sum_operands(program: Program) -> Program:
    """Return `program` with operations that `through` can carry out on the operands of what gives their operand."""
    if not any(equation.primitive.through for equation in program.equations):
        return program
    uses = count_uses(program)
    single: set[Atom] = set()
    changed = False
    needed = rejoined(program)

    def rule(equation: Equation, inputs: list[Atom]):
        nonlocal changed
        through = equation.primitive.through
        found = through(inputs, single.__contains__, equation in needed, **equation.params) if through else None
        if found is not None:
            changed = True
            return [found]
        outputs = current().repeat(equation, inputs)
        single.update(new for old, new in zip(equation.outputs, outputs, strict=True) if uses[old] == 1)
        return outputs

    result = rewrite(program, rule)
    return simplify(result) if changed else program


def rejoined(program: Program) -> set[Equation]:
    """Return the equations whose operand is, a few equations later, an operand together with what depends on their result."""
    found: set[Equation] = set()
    for place, equation in enumerate(program.equations):
        if equation.primitive.through is None:
            continue
        operand, later = equation.inputs[0], set(equation.outputs)
        for other in program.equations[place + 1 : place + 1 + AHEAD]:
            if later.intersection(other.inputs):
                later.update(other.outputs)
                if operand in other.inputs:
                    found.add(equation)
                    break
    return found
