"""Sums of products that nothing else uses: the operands are summed up instead of the product.

In and out: a Program. The gradient by the mean in ``(x - mean) @ a`` is the sum over all points of a product for each point; the product of the
sum takes one. Invariant: results change as by adding up in another order.
"""

from __future__ import annotations

from collections import Counter

from jitad.ir.program import Atom, Equation, Program
from jitad.ir.recorder import current, rewrite


def sum_operands(program: Program) -> Program:
    """Return `program` with operations that `through` can carry out on the operands of what gives their operand."""
    if not any(equation.primitive.through for equation in program.equations):
        return program
    uses = Counter(x for equation in program.equations for x in equation.inputs)
    uses.update(program.outputs)
    single: set[Atom] = set()

    def rule(equation: Equation, inputs: list[Atom]):
        through = equation.primitive.through
        found = through(inputs, single.__contains__, **equation.params) if through else None
        if found is not None:
            return [found]
        outputs = current().repeat(equation, inputs)
        single.update(new for old, new in zip(equation.outputs, outputs, strict=True) if uses[old] == 1)
        return outputs

    return rewrite(program, rule)
