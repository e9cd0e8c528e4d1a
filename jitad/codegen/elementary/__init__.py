"""Elementary functions as straight-line LLVM code, which LLVM vectorises with the loop around it.

In: the name of a primitive and LLVM values, doubles or single precision. Out: the LLVM value of the function. Invariant: the
errors stay below those in ACCURACY.md for every argument, and special values are those of IEEE 754 and C99.
"""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir

from jitad.codegen.elementary import (
    avx512,
    exponential,
    gamma,
    hyperbolic,
    inverse,
    logarithm,
    power,
    special,
    tabulated,
    trigonometric,
)
from jitad.codegen.elementary.arithmetic import Scalar
from jitad.codegen.elementary.routine import Routine
from jitad.codegen.elementary.variants import STACK, LoopModule, ScalarModule, align_stack, entered, lay_stack, settle

__all__ = ["STACK", "TABLE", "LoopModule", "ScalarModule", "align_stack", "call", "entered", "lay_stack", "settle"]

FAMILIES = (exponential, logarithm, power, trigonometric, inverse, hyperbolic, special, gamma)
TABLE: dict[str, Callable[..., Scalar]] = {name: emit for family in FAMILIES for name, emit in family.TABLE.items()}


def call(builder: ir.IRBuilder, name: str, operands: list[ir.Value]) -> ir.Value:
    """Apply the primitive `name`."""
    type = operands[0].type
    module, symbol = builder.module, f"jitad.{name}.{type}"
    routine = module.globals.get(symbol)
    if routine is None:
        late = avx512.available() and name in tabulated.TABLE
        routine = Routine(module, symbol, (tabulated.TABLE if late else TABLE)[name], type, len(operands), late)
    return routine.call(builder, operands)
