"""Instructions of AVX-512 that no operation of LLVM's stands for, on scalars and on vectors of any register.

In: LLVM values of one format. Out: what the instruction gives, the same bits for scalars and for vectors of every length. Invariant: emitted only
where `available`. LLVM's vectoriser knows none of these: a function that takes them has vector variants.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from llvmlite import binding, ir

from jitad.codegen.elementary.arithmetic import Arithmetic, Scalar, constant

I8, I16, I32 = (ir.IntType(bits) for bits in (8, 16, 32))
ENTRIES = 16
NEAREST = 8  # to even, without an exception
CURRENT_ROUNDING = 4


@cache
def available() -> bool:
    features = binding.get_host_cpu_features()
    return all(features.get(name) for name in ("avx512f", "avx512dq", "avx512vl"))


def exponent(m: Arithmetic, x: Scalar) -> Scalar:
    """floor(log2(abs(x))) as a float, of subnormal numbers too: -inf for 0, inf for infinities, NaN for NaN."""
    return apply(m, "mask.getexp", x)


def significand(m: Arithmetic, x: Scalar) -> Scalar:
    """abs(x) / 2**exponent(x), in [1, 2); 1 for 0 and infinity; NaN for numbers below 0."""
    return apply(m, "mask.getmant", x, 2 << 2)


def reciprocal(m: Arithmetic, x: Scalar, bits: int) -> Scalar:
    """1 / x within 2**-14, then rounded to so many bits after the point."""
    return apply(m, "mask.rndscale", apply(m, "rcp14", x, rounded=False), bits << 4 | NEAREST)


def apply(m: Arithmetic, name: str, x: Scalar, immediate: int | None = None, rounded: bool = True) -> Scalar:
    """An instruction of one operand, by LLVM's name. A scalar takes the lowest place of the smallest register."""
    lanes = m.lanes or 128 // m.width
    vector = ir.VectorType(m.element, lanes)
    value = x.value if m.lanes else m.builder.insert_element(ir.Constant(vector, None), x.value, ir.Constant(I32, 0))
    operands = [value] + ([ir.Constant(I32, immediate)] if immediate is not None else []) + [value]
    operands.append(ir.Constant(I16 if lanes == 16 else I8, -1))
    if rounded and lanes * m.width == 512:
        operands.append(ir.Constant(I32, CURRENT_ROUNDING))
    result = intrinsic(m, f"{name}.{m.pick('pd', 'ps')}.{lanes * m.width}", vector, operands)
    return Scalar(m, result if m.lanes else m.builder.extract_element(result, ir.Constant(I32, 0)))


def lookup(m: Arithmetic, name: str, table: Sequence[float], index: Scalar) -> Scalar:
    """The entries of a table of `ENTRIES` numbers, held in registers; of an index, the lowest four bits count."""
    if not m.lanes:
        return Scalar(m, load_entry(m, name, table, index & (ENTRIES - 1)))
    full = 512 // m.width
    indices = resized(m, index.value, full)
    parts = [ir.Constant(ir.VectorType(m.element, full), list(table[k : k + full])) for k in range(0, ENTRIES, full)]
    if m.double:
        found = intrinsic(m, "vpermi2var.pd.512", parts[0].type, [parts[0], indices, parts[1]])
    else:
        found = intrinsic(m, "permvar.sf.512", parts[0].type, [parts[0], indices])
    return Scalar(m, resized(m, found, m.lanes))


def load_entry(m: Arithmetic, name: str, table: Sequence[float], index: Scalar) -> ir.Value:
    """One entry, from memory."""
    module, type, symbol = m.builder.module, ir.ArrayType(m.element, ENTRIES), f"jitad.{name}.{m.element}"
    place = module.globals.get(symbol)
    if place is None:
        place = ir.GlobalVariable(module, type, symbol)
        place.linkage, place.global_constant, place.unnamed_addr = "internal", True, True
        place.initializer = ir.Constant(type, list(table))
    return m.builder.load(m.builder.gep(place, [constant(m.integer, 0), index.value], source_etype=type), typ=m.element)


def resized(m: Arithmetic, value: ir.Value, lanes: int) -> ir.Value:
    """The vector with so many lanes: what is new is not defined."""
    if value.type.count == lanes:
        return value
    order = ir.Constant(ir.VectorType(I32, lanes), [k % value.type.count for k in range(lanes)])
    return m.builder.shuffle_vector(value, value, order)


def intrinsic(m: Arithmetic, name: str, result: ir.Type, operands: list[ir.Value]) -> ir.Value:
    symbol, module = f"llvm.x86.avx512.{name}", m.builder.module
    function = module.globals.get(symbol) or ir.Function(module, ir.FunctionType(result, [x.type for x in operands]), symbol)
    return m.builder.call(function, operands)
