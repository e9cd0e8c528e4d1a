"""How many bytes the loops of a Program fill: arrays that start undefined, and tapes.

In: a Program. Out: their bytes, whether or not they are all in use at a time; infinity if a loop without a bound records on a tape.
"""

from __future__ import annotations

import math

from jitad.ir.lowering import UNBOUNDED, Undefined
from jitad.ir.program import Equation, Program, bodies
from jitad.primitives.control.sweeps import arranged


def filled(program: Program) -> float:
    """Return the bytes, those of loops and branches inside included."""
    return sum([filled_by(equation) + sum(map(filled, bodies(equation.params))) for equation in program.equations])


def filled_by(equation: Equation) -> float:
    params = equation.params
    if isinstance(equation.primitive.lower, Undefined):
        return sum(x.type.nbytes for x in equation.outputs)
    if equation.primitive.control != "sweeps":
        return 0
    slot = sum(x.type.nbytes for sweep in arranged(params["bodies"], params["consts"]) for x in sweep.body.outputs[sweep.carries :])
    return slot and (math.inf if params["length"] == UNBOUNDED else slot * params["length"])
