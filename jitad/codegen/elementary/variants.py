"""Functions that LLVM's vectoriser knows in vector form.

A loop with calls of an internal function vectorises if the function carries the names of vector variants: functions of vectors, one for
each number of lanes that a loop on this processor may have. They are kept in the module although nothing calls them before vectorisation.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from functools import cache

from llvmlite import binding, ir

POINTER = ir.PointerType()
# A convention that preserves half of the vector registers, so that a loop keeps its constants where they are. LLVM 20 does not vectorise
# calls with another convention than C's.
CONVENTION = "intel_ocl_bicc" if platform.machine() in ("x86_64", "AMD64") and binding.llvm_version_info >= (22,) else ""
PURE = ("nounwind", "willreturn", "readnone")


class ScalarModule(ir.Module):
    """A module without loops that take elementary functions: these have no variants, and are called from their first use on."""


def add_variants(function: ir.Function, define: Callable[[ir.Function], None]) -> None:
    """Give `function`, whose operands and result have one type, its vector variants; `define` writes the body of one."""
    module, type, arity = function.module, function.args[0].type, len(function.args)
    mark(function, "noinline", *PURE)
    function.calling_convention = CONVENTION
    if isinstance(module, ScalarModule):
        return
    names, variants = [], []
    for lanes in lane_counts(type):
        vector = ir.VectorType(type, lanes)
        variant = internal(module, variant_name(function, lanes), vector, [vector] * arity, "noinline", *PURE)
        variant.calling_convention = CONVENTION
        define(variant)
        variants.append(variant)
        names.append(f"_ZGV_LLVM_N{lanes}{'v' * arity}_{function.name}({variant.name})")
    mark(function, f'"vector-function-abi-variant"="{",".join(names)}"')
    keep(module, [function, *variants])  # a function of this module alone may else lose an operand that is always the same


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


def keep(module: ir.Module, functions: list[ir.Function]) -> None:
    """Keep functions that nothing calls yet."""
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
