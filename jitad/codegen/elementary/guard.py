"""A way out of vectorised code for rare arguments.

A `Guard` emits one unconditional call of an internal function that returns what was computed, or for a rare argument has it computed again with
more effort. Its vector variants look at all elements together and return at once if none is rare. So a loop with guarded functions
vectorises, and the effort is made only for those elements that need it: by functions outside of the kernel (`jitad.codegen.elementary.efforts`).
"""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir

from jitad.codegen.elementary.arithmetic import I1, Arithmetic, Scalar
from jitad.codegen.elementary.variants import CONVENTION, POINTER, PURE, add_variants, internal, mark, variant_name

I64, VOID, DOUBLE, SINGLE = ir.IntType(64), ir.VoidType(), ir.DoubleType(), ir.FloatType()
PREFIX = "jitad_effort_"


class Guard:
    """The rare arguments of a function, in any format, and its formula for these, in double precision."""

    table: dict[str, Guard] = {}

    def __init__(self, name: str, is_rare: Callable[[Scalar], Scalar], effort: Callable[[Arithmetic, Scalar], Scalar]):
        self.name, self.is_rare, self.effort = name, is_rare, effort
        self.table[name] = self

    def __call__(self, m: Arithmetic, x: Scalar, value: Scalar) -> Scalar:
        """The function of x, which is `value` unless x is rare."""
        module, symbol = m.builder.module, f"jitad.{self.name}.{m.element}.rare"
        function = module.globals.get(symbol) or self.define(module, symbol, m.element)
        if m.lanes:
            function = module.globals[variant_name(function, m.lanes)]
        return Scalar(m, m.builder.call(function, [x.value, value.value], cconv=function.calling_convention))

    def define(self, module: ir.Module, symbol: str, type: ir.Type) -> ir.Function:
        """Return the guard on scalars."""
        guard = internal(module, symbol, type, [type, type])
        m = Arithmetic(ir.IRBuilder(guard.append_basic_block("entry")), type)
        x, value = guard.args
        with m.builder.if_then(self.is_rare(Scalar(m, x)).value, likely=False):
            wide = m.wide()
            result = m.builder.call(self.scalar_effort(module), [wide.widened(Scalar(m, x)).value])
            m.builder.ret(wide.narrowed(Scalar(wide, result), m).value)
        m.builder.ret(value)
        add_variants(guard, self.define_variant)
        return guard

    def define_variant(self, variant: ir.Function) -> None:
        """The guard on vectors: if any element is rare, all go through memory."""
        vector, (x, value) = variant.args[0].type, variant.args
        m = Arithmetic(ir.IRBuilder(variant.append_basic_block("entry")), vector)
        builder, rare = m.builder, self.is_rare(Scalar(m, x)).value
        name = f"llvm.vector.reduce.or.v{m.lanes}i1"
        any_of = builder.module.globals.get(name) or ir.Function(builder.module, ir.FunctionType(I1, [rare.type]), name)
        with builder.if_then(builder.call(any_of, [rare]), likely=False):
            slots = [builder.alloca(vector), builder.alloca(vector)]
            for operand, slot in zip((x, value), slots, strict=True):
                builder.store(operand, slot)
            builder.call(self.array_effort(variant.module, m.element), [*slots, ir.Constant(I64, m.lanes)])
            builder.ret(builder.load(slots[1], typ=vector))
        builder.ret(value)

    # --- the functions that make the effort, as kernels see them ----------------------------------------------------------

    @property
    def efforts(self) -> list[str]:
        """Their names."""
        return [PREFIX + self.name, *[self.array_name(type) for type in (DOUBLE, SINGLE)]]

    def array_name(self, type: ir.Type) -> str:
        return f"{PREFIX}{self.name}_{type}"

    def scalar_effort(self, module: ir.Module) -> ir.Function:
        """The function for one argument."""
        return declared(module, PREFIX + self.name, DOUBLE, [DOUBLE], *PURE)

    def array_effort(self, module: ir.Module, type: ir.Type) -> ir.Function:
        """The function for some arguments in memory, the results of which take the place of what was computed before."""
        return declared(module, self.array_name(type), VOID, [POINTER, POINTER, I64], "nounwind", "cold")


def declared(module: ir.Module, name: str, result: ir.Type, operands: list[ir.Type], *attributes: str) -> ir.Function:
    function = module.globals.get(name)
    if function is None:
        function = ir.Function(module, ir.FunctionType(result, operands), name)
        mark(function, *attributes)
    return function


def define_efforts(module: ir.Module, guard: Guard) -> None:
    """Write the functions of a guard into a module of their own."""
    scalar = guard.scalar_effort(module)
    m = Arithmetic(ir.IRBuilder(scalar.append_basic_block("entry")), DOUBLE)
    m.builder.ret(guard.effort(m, Scalar(m, scalar.args[0])).value)
    for type in (DOUBLE, SINGLE):
        define_loop(guard.array_effort(module, type), guard.define(module, f"jitad.{guard.name}.{type}.rare", type), type)


def define_loop(function: ir.Function, guard: ir.Function, type: ir.Type) -> None:
    """The guard on `count` elements in memory, the results in place of the second operands."""
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
