"""Functions that LLVM's vectoriser knows in vector form.

A loop with calls of a function vectorises if the function carries the names of vector variants: functions of vectors, one for each number of
lanes that a loop on this processor may have. Until then they are external, so that LLVM keeps them although nothing calls them and leaves
their types as they are; after its passes, `settle` removes what was not taken, and inlines what is to be inlined.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from functools import cache

from llvmlite import binding, ir

I32, POINTER = ir.IntType(32), ir.PointerType()
# A convention that preserves half of the vector registers, so that a loop keeps its constants where they are. LLVM 20 does not vectorise
# calls with another convention than C's.
CONVENTION = "intel_ocl_bicc" if platform.machine() in ("x86_64", "AMD64") and binding.llvm_version_info >= (22,) else ""
# With AVX-512 LLVM takes the frame pointer for clobbered by this convention, saves it around each call, and then miscounts where the variables of
# the function are (llvm-project#114941). Functions of kernels have no frame pointer if the stack they are given is aligned as vectors are.
STACK = 64 if CONVENTION and binding.get_host_cpu_features().get("avx512f", False) else None
PURE = ("nounwind", "willreturn", "readnone")


class ScalarModule(ir.Module):
    """A module without loops that take elementary functions: these have no variants, and are called from their first use on."""


class LoopModule(ir.Module):
    """A module with loops that take elementary functions.

    Attributes
    ----------
    held
        The names of functions with variants, and of these.
    late
        Those of them that are inlined once loops are vectorised.
    """

    def __init__(self, name: str):
        super().__init__(name)
        self.held: list[str] = []
        self.late: set[str] = set()


def lay_stack(module: ir.Module) -> None:
    """Have all functions of a module find and leave the stack aligned to `STACK`; those that others call must be `enter`-ed."""
    if STACK is not None:
        module.add_named_metadata("llvm.module.flags", [ir.Constant(I32, 1), "override-stack-alignment", ir.Constant(I32, STACK)])


def align_stack(function: ir.Function) -> None:
    """Let a function be called from outside of the module. It may not call elementary functions itself."""
    if STACK is not None:
        mark(function, '"stackrealign"')


def entered(function: ir.Function, name: str, linkage: str = "internal") -> ir.Function:
    """Return the function of this name by which code outside of the module calls `function`."""
    known = function.module.globals.get(name)
    if known is not None:
        return known
    mark(function, "noinline")
    outer = ir.Function(function.module, function.function_type, name)
    outer.linkage = linkage
    mark(outer, "nounwind")
    align_stack(outer)
    builder = ir.IRBuilder(outer.append_basic_block("entry"))
    builder.ret(builder.call(function, outer.args))
    return outer


def settle(module: ir.Module | str, optimized: binding.ModuleRef, builder: binding.PassBuilder) -> None:
    """Inline functions and remove what nothing calls, after LLVM's passes."""
    if not isinstance(module, LoopModule) or not module.held:
        return
    for name in module.held:
        function = optimized.get_function(name)
        function.linkage = "internal"
        if name in module.late:
            function.add_function_attribute("alwaysinline")
    passes = binding.create_new_module_pass_manager()
    passes.add_always_inliner_pass()
    passes.add_global_dead_code_eliminate_pass()
    passes.run(optimized, builder)


def add_variants(function: ir.Function, define: Callable[[ir.Function], None]) -> list[str]:
    """Give `function`, whose operands and result have one type, its vector variants, and return the names; `define` writes the body of one."""
    module, type, arity = function.module, function.args[0].type, len(function.args)
    mark(function, "noinline", *PURE)
    function.calling_convention = CONVENTION
    if isinstance(module, ScalarModule):
        return []
    names, held = [], [function]
    for lanes in lane_counts(type):
        vector = ir.VectorType(type, lanes)
        variant = internal(module, variant_name(function, lanes), vector, [vector] * arity, "noinline", *PURE)
        variant.calling_convention = CONVENTION
        define(variant)
        held.append(variant)
        names.append(f"_ZGV_LLVM_N{lanes}{'v' * arity}_{function.name}({variant.name})")
    mark(function, f'"vector-function-abi-variant"="{",".join(names)}"')
    for each in held:
        each.linkage = "external"
    module.held += [each.name for each in held]
    return [each.name for each in held]


def variant_name(function: ir.Function, lanes: int) -> str:
    return f"{function.name}.{lanes}"


def internal(module: ir.Module, name: str, result: ir.Type, operands: list[ir.Type], *attributes: str) -> ir.Function:
    """A function of this module only."""
    function = ir.Function(module, ir.FunctionType(result, operands), name)
    function.linkage = "internal"
    mark(function, *attributes)
    return function


def mark(function: ir.Function, *attributes: str) -> None:
    """Add attributes, of which llvmlite does not know all."""
    for attribute in attributes:
        set.add(function.attributes, attribute)


@cache
def lane_counts(type: ir.Type) -> tuple[int, ...]:
    """How many elements vectors may have on this processor: full registers and halves, in which LLVM finishes loops."""
    features = binding.get_host_cpu_features()
    bits = 512 if features.get("avx512f") else 256 if features.get("avx") else 128
    lanes = bits // (64 if isinstance(type, ir.DoubleType) else 32)
    return tuple(n for n in (lanes // 2, lanes) if n > 1)
