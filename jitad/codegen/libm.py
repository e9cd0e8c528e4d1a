"""Elementary functions by calls of the C library."""

from __future__ import annotations

from llvmlite import ir

NAMES = {
    "exp": "exp", "exp2": "exp2", "expm1": "expm1", "log": "log", "log2": "log2", "log10": "log10", "log1p": "log1p",
    "sin": "sin", "cos": "cos", "tan": "tan", "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arctan2": "atan2",
    "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh",
    "pow": "pow", "cbrt": "cbrt", "hypot": "hypot", "erf": "erf", "erfc": "erfc",
}  # fmt: skip


def call(builder: ir.IRBuilder, name: str, operands: list[ir.Value]) -> ir.Value:
    """Call the C library's version of the primitive `name` for the operands' precision."""
    type = operands[0].type
    symbol = NAMES[name] + ("f" if isinstance(type, ir.FloatType) else "")
    function = builder.module.globals.get(symbol)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(type, [type] * len(operands)), symbol)
        function.attributes.add("nounwind")
        function.attributes.add("readnone")
    return builder.call(function, operands)
