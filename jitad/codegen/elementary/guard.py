"""A way out of vectorised code for rare arguments.

`guarded` emits one unconditional call of an internal function that returns what was computed, or for a rare argument computes again with
more effort. Its vector variants look at all elements together and return at once if none is rare. So a loop with guarded functions
vectorises, and the effort is made only for those elements that need it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from llvmlite import ir

from jitad.codegen.elementary.arithmetic import I1, Arithmetic, Scalar
from jitad.codegen.elementary.variants import CONVENTION, POINTER, add_variants, internal, variant_name

I64 = ir.IntType(64)


def guarded(m: Arithmetic, name: str, x: Scalar, value: Scalar, is_rare: Callable[[Scalar], Scalar], effort: Callable[..., Scalar]) -> Scalar:
    """``effort(m, x)`` where ``is_rare(x)``, in double precision; elsewhere `value`. `name` is the function's."""
    module, symbol = m.builder.module, f"jitad.{name}.{m.element}.rare"
    function = module.globals.get(symbol) or make_guard(module, symbol, m.element, is_rare, effort)
    if m.lanes:
        function = module.globals[variant_name(function, m.lanes)]
    return Scalar(m, m.builder.call(function, [x.value, value.value], cconv=function.calling_convention))


def make_guard(module: ir.Module, symbol: str, type: ir.Type, is_rare: Callable, effort: Callable) -> ir.Function:
    """Return the guard on scalars."""
    guard = internal(module, symbol, type, [type, type])
    m = Arithmetic(ir.IRBuilder(guard.append_basic_block("entry")), type)
    x, value = guard.args
    with m.builder.if_then(is_rare(Scalar(m, x)).value, likely=False):
        wide = m.wide()
        m.builder.ret(wide.narrowed(effort(wide, wide.widened(Scalar(m, x))), m).value)
    m.builder.ret(value)
    add_variants(guard, partial(define_variant, guard=guard, is_rare=is_rare))
    return guard


def define_variant(variant: ir.Function, guard: ir.Function, is_rare: Callable) -> None:
    """The guard on vectors: if any element is rare, all go through memory and the guard on scalars."""
    each = variant.module.globals.get(f"{guard.name}.each") or make_loop(variant.module, guard, guard.args[0].type)
    vector, (x, value) = variant.args[0].type, variant.args
    m = Arithmetic(ir.IRBuilder(variant.append_basic_block("entry")), vector)
    builder, rare = m.builder, is_rare(Scalar(m, x)).value
    name = f"llvm.vector.reduce.or.v{m.lanes}i1"
    any_of = builder.module.globals.get(name) or ir.Function(builder.module, ir.FunctionType(I1, [rare.type]), name)
    with builder.if_then(builder.call(any_of, [rare]), likely=False):
        slots = [builder.alloca(vector), builder.alloca(vector)]
        for operand, slot in zip((x, value), slots, strict=True):
            builder.store(operand, slot)
        builder.call(each, [*slots, ir.Constant(I64, m.lanes)])
        builder.ret(builder.load(slots[1], typ=vector))
    builder.ret(value)


def make_loop(module: ir.Module, guard: ir.Function, type: ir.Type) -> ir.Function:
    """The guard on `count` elements in memory, the results in place of the second operands."""
    attributes = ("noinline", "nounwind", "cold", "minsize", "optsize")
    function = internal(module, f"{guard.name}.each", ir.VoidType(), [POINTER, POINTER, I64], *attributes)
    entry, head, after = (function.append_basic_block(name) for name in ("entry", "loop", "after"))
    xs, values, count = function.args
    ir.IRBuilder(entry).branch(head)
    builder = ir.IRBuilder(head)
    k = builder.phi(I64)
    x, value = (builder.gep(pointer, [k], source_etype=type) for pointer in (xs, values))
    operands = [builder.load(x, typ=type), builder.load(value, typ=type)]
    builder.store(builder.call(guard, operands, cconv=CONVENTION), value)
    following = builder.add(k, ir.Constant(I64, 1))
    k.add_incoming(ir.Constant(I64, 0), entry)
    k.add_incoming(following, head)
    builder.cbranch(builder.icmp_unsigned("<", following, count), head, after)
    ir.IRBuilder(after).ret_void()
    return function
