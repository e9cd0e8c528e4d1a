"""A way out of vectorised code for rare arguments.

`guarded` emits one unconditional call of an internal function that returns what was computed, or for a large argument computes again with
more effort. LLVM's vectoriser replaces that call by the vector variants made here, which look at all elements together and return at once
if none is large. So a loop with guarded functions vectorises, and the effort is made only for those elements that need it.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from functools import cache

from llvmlite import binding, ir

from jitad.codegen.elementary.arithmetic import I1, Arithmetic, Scalar

I64, POINTER = ir.IntType(64), ir.PointerType()
# A convention that preserves half of the vector registers, so that a loop keeps its constants where they are. LLVM 20 does not vectorise
# calls with another convention than C's.
CONVENTION = "intel_ocl_bicc" if platform.machine() in ("x86_64", "AMD64") and binding.llvm_version_info >= (22,) else ""
PURE = ("nounwind", "willreturn", "readnone")


def guarded(m: Arithmetic, name: str, x: Scalar, value: Scalar, limit: float, effort: Callable[[Arithmetic, Scalar], Scalar]) -> Scalar:
    """`value` where |x| <= limit or x is NaN, elsewhere ``effort(m, x)``; `name` is the function's."""
    module, symbol = m.builder.module, f"jitad.{name}.{m.type}.large"
    function = module.globals.get(symbol) or make_guard(module, symbol, m.type, limit, effort)
    return Scalar(m, m.builder.call(function, [x.value, value.value], cconv=function.calling_convention))


def make_guard(module: ir.Module, symbol: str, type: ir.Type, limit: float, effort: Callable) -> ir.Function:
    """Return the guard on scalars, after making its vector variants known to LLVM."""
    guard = internal(module, symbol, type, [type, type], *PURE)
    guard.calling_convention = CONVENTION
    builder = ir.IRBuilder(guard.append_basic_block("entry"))
    x, value = guard.args
    with builder.if_then(is_large(builder, x, limit), likely=False):
        m = Arithmetic(builder, type)
        builder.ret(effort(m, Scalar(m, x)).value)
    builder.ret(value)
    each = make_loop(module, guard, type)
    variants = [make_variant(module, guard, each, type, lanes, limit) for lanes in lane_counts(type)]
    names = ",".join(f"_ZGV_LLVM_N{variant.args[0].type.count}vv_{symbol}({variant.name})" for variant in variants)
    set.add(guard.attributes, f'"vector-function-abi-variant"="{names}"')
    keep(module, variants)
    return guard


def make_variant(module: ir.Module, guard: ir.Function, each: ir.Function, type: ir.Type, lanes: int, limit: float) -> ir.Function:
    """The guard on vectors: if any element is large, all go through memory and the guard on scalars."""
    vector = ir.VectorType(type, lanes)
    variant = internal(module, f"{guard.name}.{lanes}", vector, [vector, vector], *PURE)
    variant.calling_convention = guard.calling_convention
    builder = ir.IRBuilder(variant.append_basic_block("entry"))
    x, value = variant.args
    large = is_large(builder, x, limit)
    with builder.if_then(intrinsic(builder, f"llvm.vector.reduce.or.v{lanes}i1", I1, large), likely=False):
        slots = [builder.alloca(vector), builder.alloca(vector)]
        for operand, slot in zip((x, value), slots, strict=True):
            builder.store(operand, slot)
        builder.call(each, [*slots, ir.Constant(I64, lanes)])
        builder.ret(builder.load(slots[1], typ=vector))
    builder.ret(value)
    return variant


def make_loop(module: ir.Module, guard: ir.Function, type: ir.Type) -> ir.Function:
    """The guard on `count` elements in memory, the results in place of the second operands."""
    function = internal(module, f"{guard.name}.each", ir.VoidType(), [POINTER, POINTER, I64], "nounwind", "cold", "minsize", "optsize")
    entry, head, after = (function.append_basic_block(name) for name in ("entry", "loop", "after"))
    xs, values, count = function.args
    ir.IRBuilder(entry).branch(head)
    builder = ir.IRBuilder(head)
    k = builder.phi(I64)
    x, value = (builder.gep(pointer, [k], source_etype=type) for pointer in (xs, values))
    operands = [builder.load(x, typ=type), builder.load(value, typ=type)]
    builder.store(builder.call(guard, operands, cconv=guard.calling_convention), value)
    following = builder.add(k, ir.Constant(I64, 1))
    k.add_incoming(ir.Constant(I64, 0), entry)
    k.add_incoming(following, head)
    builder.cbranch(builder.icmp_unsigned("<", following, count), head, after)
    ir.IRBuilder(after).ret_void()
    return function


def is_large(builder: ir.IRBuilder, x: ir.Value, limit: float) -> ir.Value:
    vector = isinstance(x.type, ir.VectorType)
    element = x.type.element if vector else x.type
    suffix = f"{f'v{x.type.count}' if vector else ''}f{64 if isinstance(element, ir.DoubleType) else 32}"
    bound = ir.Constant(x.type, [limit] * x.type.count if vector else limit)
    return builder.fcmp_ordered(">", intrinsic(builder, f"llvm.fabs.{suffix}", x.type, x), bound)


def intrinsic(builder: ir.IRBuilder, name: str, result: ir.Type, operand: ir.Value) -> ir.Value:
    module = builder.module
    function = module.globals.get(name) or ir.Function(module, ir.FunctionType(result, [operand.type]), name)
    return builder.call(function, [operand])


def internal(module: ir.Module, name: str, result: ir.Type, operands: list[ir.Type], *attributes: str) -> ir.Function:
    """A function of this module only, which LLVM may not inline. llvmlite does not know all attributes, hence ``set.add``."""
    function = ir.Function(module, ir.FunctionType(result, operands), name)
    function.linkage = "internal"
    for attribute in ("noinline", *attributes):
        set.add(function.attributes, attribute)
    return function


def keep(module: ir.Module, functions: list[ir.Function]) -> None:
    """Keep functions that nothing calls before vectorisation."""
    name = "llvm.compiler.used"
    used = module.globals.get(name)
    if used is None:
        used = ir.GlobalVariable(module, ir.ArrayType(POINTER, 0), name)
        used.linkage, used.section, used.initializer = "appending", "llvm.metadata", ir.Constant(used.value_type, [])
    kept = [*used.initializer.constant, *[function.bitcast(POINTER) for function in functions]]
    used.value_type = ir.ArrayType(POINTER, len(kept))
    used.initializer = ir.Constant(used.value_type, kept)


@cache
def lane_counts(type: ir.Type) -> tuple[int, ...]:
    """How many elements vectors may have on this processor: full registers and halves, in which LLVM finishes loops."""
    features = binding.get_host_cpu_features()
    bits = 512 if features.get("avx512f") else 256 if features.get("avx") else 128
    lanes = bits // (64 if isinstance(type, ir.DoubleType) else 32)
    return tuple(n for n in (lanes // 2, lanes) if n > 1)
