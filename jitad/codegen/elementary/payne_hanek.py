"""Reduction of huge angles by the binary expansion of 2/pi (Payne and Hanek, SIGNUM Newsletter 18 (1983) 19).

In: a finite double x >= 2**-10. Out: the integer n nearest to x / (pi/2), modulo 4, and x - n pi/2 as a sum of two doubles with a relative
error below 2**-70. x = M 2**e with an integer M: the bits of 2/pi whose products with 2**e are multiples of 4 are left out; the 192 bits
after them, times M, modulo 2**192, are x / (pi/2) modulo 4 with 190 bits after the binary point.
"""

from __future__ import annotations

from llvmlite import ir

from jitad.codegen.elementary.arithmetic import I1, Arithmetic, Scalar

I64, WIDE, WIDER, DOUBLE = ir.IntType(64), ir.IntType(192), ir.IntType(256), ir.DoubleType()
HALF_PI = (1.5707963267948966, 6.123233995736766e-17)
# 2/pi: 64 zeros in front, then the bits after the binary point.
TWO_OVER_PI = (
    0x0000000000000000, 0xA2F9836E4E441529, 0xFC2757D1F534DDC0, 0xDB6295993C439041, 0xFE5163ABDEBBC561, 0xB7246E3A424DD2E0,
    0x06492EEA09D1921C, 0xFE1DEB1CB129A73E, 0xE88235F52EBB4484, 0xE99C7026B45F7E41, 0x3991D639835339F4, 0x9C845F8BBDF9283B,
    0x1FF897FFDE05980F, 0xEF2F118B5A0A6D1F, 0x6D367ECF27CB09B7, 0x4F463F669E5FEA2D, 0x7527BAC7EBE5F17B, 0x3D0739F78A5292EA,
    0x6BFB5FB11F8D5D08, 0x56033046FC7B6BAB, 0xF0CFBC209AF4361D,
)  # fmt: skip


def reduce_huge(m: Arithmetic, x: Scalar) -> tuple[Scalar, Scalar, Scalar]:
    """Call the reduction, a function that is never inlined."""
    module = m.builder.module
    function = module.globals.get("jitad.reduce.huge") or define(module)
    result = m.builder.call(function, [x.value])
    n, r, low = (Scalar(m, m.builder.extract_value(result, k)) for k in range(3))
    return n, r, low


def define(module: ir.Module) -> ir.Function:
    result = ir.LiteralStructType([I64, DOUBLE, DOUBLE])
    function = ir.Function(module, ir.FunctionType(result, [DOUBLE]), "jitad.reduce.huge")
    function.linkage = "internal"
    for attribute in ("noinline", "cold", "nounwind", "optsize"):
        function.attributes.add(attribute)
    b = ir.IRBuilder(function.append_basic_block("entry"))
    m = Arithmetic(b, DOUBLE)
    bits = m.bits(Scalar(m, function.args[0]))
    mantissa = bits & ((1 << 52) - 1) | (1 << 52)
    quarters = b.mul(window(module, b, ((bits >> 52) - 1013).value), b.zext(mantissa.value, WIDE))
    n = b.trunc(b.lshr(b.add(quarters, wide(1 << 189)), wide(190)), I64)
    high, low = fraction(m, b.shl(quarters, wide(2)))
    product, rest = m.two_product(high, HALF_PI[0])
    r, low = m.fast_two_sum(product, m.fma(low, HALF_PI[0], m.fma(high, HALF_PI[1], rest)))
    pair = ir.Constant(result, ir.Undefined)
    for k, value in enumerate((n, r.value, low.value)):
        pair = b.insert_value(pair, value, k)
    b.ret(pair)
    return function


def wide(value: int) -> ir.Constant:
    return ir.Constant(WIDE, value)


def window(module: ir.Module, b: ir.IRBuilder, position: ir.Value) -> ir.Value:
    """192 bits of the table, from bit `position` on."""
    table = ir.GlobalVariable(module, ir.ArrayType(I64, len(TWO_OVER_PI)), "jitad.two_over_pi")
    table.linkage, table.global_constant = "internal", True
    table.initializer = ir.Constant(table.value_type, [ir.Constant(I64, word) for word in TWO_OVER_PI])
    first = b.lshr(position, ir.Constant(I64, 6))
    total = ir.Constant(WIDER, 0)
    for k in range(4):
        word = b.load(b.gep(table, [b.add(first, ir.Constant(I64, k))], source_etype=I64), typ=I64)
        total = b.or_(total, b.shl(b.zext(word, WIDER), ir.Constant(WIDER, 64 * (3 - k))))
    total = b.shl(total, b.zext(b.and_(position, ir.Constant(I64, 63)), WIDER))
    return b.trunc(b.lshr(total, ir.Constant(WIDER, 64)), WIDE)


def fraction(m: Arithmetic, numerator: ir.Value) -> tuple[Scalar, Scalar]:
    """numerator / 2**192 for a signed numerator, as a sum of two doubles."""
    b = m.builder
    negative = b.icmp_signed("<", numerator, wide(0))
    size = b.select(negative, b.neg(numerator), numerator)
    count = b.module.declare_intrinsic("llvm.ctlz", [WIDE], ir.FunctionType(WIDE, [WIDE, I1]))
    zeros = b.call(count, [size, ir.Constant(I1, 0)])
    size = b.shl(size, zeros)
    exponent = Scalar(m, b.sub(ir.Constant(I64, 1023 - 53), b.trunc(zeros, I64))) | (Scalar(m, b.zext(negative, I64)) << 11)
    unit = m.from_bits(exponent << 52)
    high, low = (Scalar(m, b.uitofp(b.trunc(b.lshr(size, wide(shift)), I64), DOUBLE)) for shift in (139, 75))
    return high * unit, low * (unit * 2.0**-64)
