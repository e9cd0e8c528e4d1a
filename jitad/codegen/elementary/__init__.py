"""Elementary functions as straight-line LLVM code, which LLVM inlines and vectorises with the loop around it.

In: the name of a primitive and LLVM values, doubles or single precision. Out: the LLVM value of the function. Invariant: the
errors stay below those in ACCURACY.md for every argument, and special values are those of IEEE 754 and C99.
"""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir

from jitad.codegen.elementary import exponential, hyperbolic, inverse, logarithm, power, special, trigonometric
from jitad.codegen.elementary.arithmetic import Arithmetic, Scalar

FAMILIES = (exponential, logarithm, power, special, trigonometric, inverse, hyperbolic, special)
TABLE: dict[str, Callable[..., Scalar]] = {name: emit for family in FAMILIES for name, emit in family.TABLE.items()}


def call(builder: ir.IRBuilder, name: str, operands: list[ir.Value]) -> ir.Value:
    """Apply the primitive `name`: its code is written once per module, as a function that is always inlined."""
    type = operands[0].type
    module, symbol = builder.module, f"jitad.{name}.{type}"
    function = module.globals.get(symbol)
    if function is None:
        function = define(module, symbol, TABLE[name], type, len(operands))
    return builder.call(function, operands)


def define(module: ir.Module, symbol: str, emit: Callable[..., Scalar], type: ir.Type, arity: int) -> ir.Function:
    function = ir.Function(module, ir.FunctionType(type, [type] * arity), symbol)
    function.linkage = "internal"
    for attribute in ("alwaysinline", "nounwind", "readnone"):
        function.attributes.add(attribute)
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    m = Arithmetic(builder, type)
    builder.ret(emit(m, *[Scalar(m, x) for x in function.args]).value)
    return function
