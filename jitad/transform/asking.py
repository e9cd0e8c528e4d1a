"""Where reverse mode needs to know what a selection left out.

In: equations, and which of their operands move. Out: for each value that moves, whether the mask of its cotangent may be asked for: it is
where the cotangent goes on to meet a partial derivative that is no number of the Program, and may be infinite. Loops and branches carry the masks
of these values only.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence

from jitad.ir.passes import PASSES
from jitad.ir.program import Atom, Equation, Literal, Program, Var
from jitad.ir.symbolic import ASKED, KNOWN, Linear


def spoils(operands: Sequence[Atom | Linear]) -> bool:
    """Whether a cotangent that a pointwise operation multiplies by those that are known may become infinite, or not a number, where it was zero."""
    return any(not isinstance(x, Linear | Literal) and x.dtype.kind in "fc" for x in operands)


def spread(equations: Sequence[Equation], states: dict[Var, int]) -> None:
    """Enter the states of what equations give in `states`, which holds those of what moves."""
    for equation in equations:
        found = [states.get(x, KNOWN) for x in equation.inputs]
        state = functools.reduce(operator.or_, found, KNOWN)
        if state == KNOWN:
            continue
        primitive = equation.primitive
        if primitive.depends is not None:
            results = primitive.depends(found, **equation.params, through=asked)
        else:
            whole = primitive.accumulate is not None or primitive.transpose is None
            if whole or (primitive.pointwise and spoils([Linear(x.type) if x in states else x for x in equation.inputs])):
                state = ASKED
            results = [state] * len(equation.outputs)
        states.update((var, result) for var, result in zip(equation.outputs, results, strict=True) if result)


def asked(program: Program, flags: Sequence[int]) -> list[int]:
    """Return the states of the outputs of a body from those of its inputs."""
    states = {var: int(flag) for var, flag in zip(program.inputs, flags, strict=True) if flag}
    spread(program.equations, states)
    return [states.get(x, KNOWN) for x in program.outputs]


PASSES["asked"] = asked
