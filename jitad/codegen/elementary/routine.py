"""The code of one elementary function in one module.

At its first uses it is inlined, where LLVM can keep its constants in registers and share what it has in common with others (sine and
cosine). A module with many uses would take long to compile: from then on all uses are calls, which vectorise too. A *late* one takes instructions
that LLVM does not vectorise: its first uses are calls until loops are vectorised, and inlined then.
"""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir

from jitad.codegen.elementary.arithmetic import Arithmetic, Scalar
from jitad.codegen.elementary.variants import PURE, LoopModule, ScalarModule, add_variants, mark

INLINE_USES = 4


class Routine(ir.Function):
    """An internal function that computes ``emit(m, *operands)``."""

    def __init__(self, module: ir.Module, name: str, emit: Callable[..., Scalar], type: ir.Type, arity: int, late: bool = False):
        super().__init__(module, ir.FunctionType(type, [type] * arity), name)
        self.linkage = "internal"
        self.emit = emit
        self.uses: list[ir.CallInstr] = []
        self.define(self)
        if late or isinstance(module, ScalarModule):
            self.take_out_of_line(late)
        else:
            mark(self, "alwaysinline", *PURE)

    def define(self, function: ir.Function) -> None:
        """Write the body of this function, or of one like it on vectors."""
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        m = Arithmetic(builder, function.args[0].type)
        builder.ret(self.emit(m, *[Scalar(m, x) for x in function.args]).value)

    def call(self, builder: ir.IRBuilder, operands: list[ir.Value]) -> ir.Value:
        use = builder.call(self, operands, cconv=self.calling_convention)
        self.uses.append(use)
        if len(self.uses) == INLINE_USES + 1:
            self.take_out_of_line()
        return use

    def take_out_of_line(self, late: bool = False) -> None:
        """Make the uses calls; if `late`, until loops are vectorised."""
        if "noinline" not in self.attributes:
            self.attributes.discard("alwaysinline")
            self.names = add_variants(self, self.define)
        if isinstance(self.module, LoopModule):
            (self.module.late.update if late else self.module.late.difference_update)(self.names)
        for use in self.uses:
            use.cconv = self.calling_convention
