"""Scalar expressions in LLVM IR.

In: an `Expr` and the LLVM values of its operands. Out: its LLVM value. Invariant: branch-free, so that LLVM can vectorise any loop
around it; a product and a sum are rounded once where the expression says so, unless `strict`, and nowhere else.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir

from jitad.codegen import elementary
from jitad.lower.grammar.scalars import Expr

I1, I8, I32, I64 = ir.IntType(1), ir.IntType(8), ir.IntType(32), ir.IntType(64)
POINTER = ir.PointerType()


def register_type(dtype: np.dtype) -> ir.Type:
    """Return the type of a scalar in a register."""
    if dtype.kind == "b":
        return I1
    if dtype.kind == "f":
        return ir.DoubleType() if dtype.itemsize == 8 else ir.FloatType()
    return ir.IntType(8 * dtype.itemsize)


def memory_type(dtype: np.dtype) -> ir.Type:
    """Return the type of an element in memory: that of its parts for complex numbers, a byte for booleans."""
    if dtype.kind == "c":
        return ir.DoubleType() if dtype.itemsize == 16 else ir.FloatType()
    return I8 if dtype.kind == "b" else register_type(dtype)


def constant(value, dtype: np.dtype) -> ir.Constant:
    type = register_type(dtype)
    return ir.Constant(type, float(value) if dtype.kind == "f" else int(value))


FLOAT_BINARY = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}
INTEGER_BINARY = {"add": "add", "sub": "sub", "mul": "mul", "and": "and_", "or": "or_", "xor": "xor"}
COMPARE = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
INTRINSICS = {"sqrt": "sqrt", "floor": "floor", "ceil": "ceil", "trunc": "trunc", "rint": "rint", "abs": "fabs",
              "copysign": "copysign", "maximum": "maximum", "minimum": "minimum"}  # fmt: skip


class ScalarEmitter:
    """Emits expressions at the current position of an LLVM builder."""

    def __init__(self, builder: ir.IRBuilder, strict: bool):
        self.builder = builder
        self.strict = strict

    def emit(self, expr: Expr, operands: list[ir.Value]) -> ir.Value:
        """Return the value of an arithmetic expression."""
        kind = expr.args[0].dtype.kind if expr.args and isinstance(expr.args[0], Expr) else expr.dtype.kind
        if expr.op in COMPARE:
            return self.compare(COMPARE[expr.op], kind, *operands)
        if expr.op == "select":
            return self.builder.select(*operands)
        if expr.op == "convert":
            return self.convert(operands[0], expr.args[0].dtype, expr.dtype)
        if kind == "f":
            return self.floating(expr, operands)
        return self.integer(expr, kind, operands)

    def floating(self, expr: Expr, operands):
        b = self.builder
        if expr.op in FLOAT_BINARY:
            return getattr(b, FLOAT_BINARY[expr.op])(*operands)
        if expr.op == "muladd":
            return self.muladd(*operands)
        if expr.op == "neg":
            return b.fneg(operands[0])
        if expr.op == "fmod":
            return b.frem(*operands)
        if expr.op in INTRINSICS:
            type = operands[0].type
            function = b.module.declare_intrinsic(f"llvm.{INTRINSICS[expr.op]}", [type], ir.FunctionType(type, [type] * len(operands)))
            return b.call(function, operands)
        return elementary.call(b, expr.op, operands)

    def add(self, op: str, operands: list[ir.Value], flags: tuple[str, ...]) -> ir.Value:
        """Add, subtract, or multiply and add."""
        return self.muladd(*operands, flags=flags) if op == "muladd" else getattr(self.builder, FLOAT_BINARY[op])(*operands, flags=flags)

    def muladd(self, x: ir.Value, y: ir.Value, z: ir.Value, flags: tuple[str, ...] = ()) -> ir.Value:
        """Multiply and add, in one operation if the processor has it."""
        b = self.builder
        if self.strict:
            return b.fadd(b.fmul(x, y), z, flags=flags)
        function = b.module.declare_intrinsic("llvm.fmuladd", [x.type], ir.FunctionType(x.type, [x.type] * 3))
        return b.call(function, [x, y, z], fastmath=flags)

    def integer(self, expr: Expr, kind: str, operands):
        b, op = self.builder, expr.op
        if op in INTEGER_BINARY:
            return getattr(b, INTEGER_BINARY[op])(*operands)
        if op == "neg":
            return b.neg(operands[0])
        if op == "not":
            return b.not_(operands[0])
        if op == "abs":
            return self.size(operands[0], kind)
        if op == "left_shift":
            return self.shift(b.shl, *operands)
        if op == "right_shift":
            return self.shift(b.lshr if kind == "u" else b.ashr, *operands)
        if op in ("mod", "fmod", "floor_divide"):
            return self.divide(op, kind, *operands)
        if op == "pow":
            return self.power(*operands)
        if op == "gcd":
            return b.call(euclid(b.module, operands[0].type), [self.size(x, kind) for x in operands])
        raise NotImplementedError(f"{op} of {expr.dtype}")

    def size(self, x, kind: str):
        return x if kind in "ub" else self.builder.select(self.builder.icmp_signed("<", x, zero(x)), self.builder.neg(x), x)

    def shift(self, instruction, x, amount):
        """Shift; amounts beyond the width would be poison in LLVM, so they saturate, as in NumPy."""
        b, width = self.builder, x.type.width
        valid = b.icmp_unsigned("<", amount, ir.Constant(x.type, width))
        shifted = instruction(x, b.select(valid, amount, ir.Constant(x.type, width - 1)))
        if instruction == b.ashr:
            return shifted
        return b.select(valid, shifted, zero(x))

    def divide(self, op: str, kind: str, x, y):
        """Floor division and both remainders, with NumPy's results for a zero divisor (0) and for the overflow by -1."""
        b = self.builder
        by_zero = b.icmp_unsigned("==", y, zero(y))
        if kind == "u":
            safe = b.select(by_zero, ir.Constant(y.type, 1), y)
            return b.select(by_zero, zero(y), b.udiv(x, safe) if op == "floor_divide" else b.urem(x, safe))
        by_minus_one = b.icmp_signed("==", y, ir.Constant(y.type, -1))
        safe = b.select(b.or_(by_zero, by_minus_one), ir.Constant(y.type, 1), y)
        rest = b.srem(x, safe)
        if op == "fmod":
            return b.select(by_zero, zero(y), rest)
        opposite = b.and_(b.icmp_signed("!=", rest, zero(y)), b.icmp_signed("<", b.xor(rest, safe), zero(y)))
        if op == "mod":
            return b.select(by_zero, zero(y), b.select(opposite, b.add(rest, safe), rest))
        quotient = b.sub(b.sdiv(x, safe), b.zext(opposite, x.type))
        return b.select(by_zero, zero(y), b.select(by_minus_one, b.neg(x), quotient))

    def power(self, x, n):
        """Integer power by squaring, modulo 2**width; the low bits of the exponent are enough once the square is 0 or 1."""
        b = self.builder
        result, square = ir.Constant(x.type, 1), x
        for bit in range(x.type.width):
            taken = b.trunc(b.lshr(n, ir.Constant(n.type, bit)), I1)
            result = b.select(taken, b.mul(result, square), result)
            square = b.mul(square, square)
        return result

    def compare(self, sign: str, kind: str, x, y):
        b = self.builder
        if kind == "f":
            return b.fcmp_unordered("!=", x, y) if sign == "!=" else b.fcmp_ordered(sign, x, y)
        return b.icmp_signed(sign, x, y) if kind == "i" else b.icmp_unsigned(sign, x, y)

    def convert(self, x, old: np.dtype, new: np.dtype):
        b, type = self.builder, register_type(new)
        if new.kind == "f":
            if old.kind == "f":
                return b.fpext(x, type) if new.itemsize > old.itemsize else b.fptrunc(x, type)
            return b.sitofp(x, type) if old.kind == "i" else b.uitofp(x, type)
        if old.kind == "f":
            return b.fptosi(x, type) if new.kind == "i" else self.float_to_unsigned(x, type)
        if type.width < x.type.width:
            return b.trunc(x, type)
        if type.width == x.type.width:
            return x
        return b.sext(x, type) if old.kind == "i" else b.zext(x, type)

    def float_to_unsigned(self, x, type):
        """Through int64 for all but the largest, so that negative values wrap as they do in C on this architecture."""
        b = self.builder
        if type.width < 64:
            return b.trunc(b.fptosi(x, I64), type)
        return b.select(b.fcmp_ordered("<", x, ir.Constant(x.type, 2.0**63)), b.fptosi(x, I64), b.fptoui(x, type))

    # --- indices ----------------------------------------------------------------------------------------------------

    def clamp(self, i, extent: int):
        b = self.builder
        last = ir.Constant(I64, extent - 1)
        i = b.select(b.icmp_signed("<", i, zero(i)), zero(i), i)
        return b.select(b.icmp_signed(">", i, last), last, i)

    def checked(self, i, extent: int) -> tuple[ir.Value, ir.Value]:
        """Wrap a negative index once; return it and whether it is out of range."""
        b = self.builder
        wrapped = b.select(b.icmp_signed("<", i, zero(i)), b.add(i, ir.Constant(I64, extent)), i)
        return wrapped, b.icmp_unsigned(">=", wrapped, ir.Constant(I64, extent))


def euclid(module: ir.Module, type: ir.IntType) -> ir.Function:
    """Return the function that gives the greatest common divisor of two unsigned numbers."""
    name = f"jitad.gcd.{type}"
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, ir.FunctionType(type, [type, type]), name)
    function.linkage = "internal"
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    entry, head, body, after = builder.block, *[function.append_basic_block(part) for part in ("head", "body", "after")]
    builder.branch(head)
    builder.position_at_end(head)
    x, y = builder.phi(type), builder.phi(type)
    builder.cbranch(builder.icmp_unsigned("==", y, zero(y)), after, body)
    builder.position_at_end(body)
    rest = builder.urem(x, y)
    builder.branch(head)
    for phi, first, next_one in ((x, function.args[0], y), (y, function.args[1], rest)):
        phi.add_incoming(first, entry)
        phi.add_incoming(next_one, body)
    builder.position_at_end(after)
    builder.ret(x)
    return function


def zero(x: ir.Value) -> ir.Constant:
    return ir.Constant(x.type, 0)
