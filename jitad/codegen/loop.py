"""A loop in LLVM IR, with hints on what LLVM is to make of it.

In: a builder, bounds and hints. Out: a context in which the body is emitted. Invariant: the body may consist of any number of blocks.
"""

from __future__ import annotations

from collections.abc import Sequence

from llvmlite import ir

from jitad.codegen.scalars import I1, I64

UNROLL_DISABLE = ["llvm.loop.unroll.disable"]
# What the loop over vectors has in the place of these hints: LLVM may unroll it completely, so that short rows stay in registers.
UNROLL_VECTORS = ["llvm.loop.vectorize.followup_vectorized", ["llvm.loop.unroll.runtime.disable"]]
VECTORIZE_DISABLE = ["llvm.loop.vectorize.enable", ir.Constant(I1, 0)]


class Loop:
    """``with Loop(builder, low, high) as i``: emit a loop over low .. high, both included.

    Numbers are such that low <= high; values may be anything. A loop to be `kept` is not unrolled completely before it is vectorised, so that it
    is this one that LLVM vectorises, and not the loop around it; a `plain` one is not vectorised either.
    """

    def __init__(self, builder: ir.IRBuilder, low: int | ir.Value, high: int | ir.Value, kept: bool = False, plain: bool = False):
        self.builder, self.certain = builder, isinstance(low, int)
        self.hints = [UNROLL_DISABLE, UNROLL_VECTORS] * kept + [VECTORIZE_DISABLE] * plain
        self.low, self.high = (ir.Constant(I64, end) if isinstance(end, int) else end for end in (low, high))

    def __enter__(self) -> ir.Value:
        b = self.builder
        before = b.block
        self.head = b.append_basic_block("loop")
        self.after = b.append_basic_block("after")
        if self.certain:
            b.branch(self.head)
        else:
            b.cbranch(b.icmp_signed("<=", self.low, self.high), self.head, self.after)
        b.position_at_end(self.head)
        self.variable = b.phi(I64, name="i")
        self.variable.add_incoming(self.low, before)
        return self.variable

    def __exit__(self, *exc) -> None:
        b = self.builder
        following = b.add(self.variable, ir.Constant(I64, 1), flags=("nsw", "nuw"))
        self.variable.add_incoming(following, b.block)
        branch = b.cbranch(b.icmp_signed("<=", following, self.high), self.head, self.after)
        if self.hints:
            branch.set_metadata("llvm.loop", loop_metadata(b.module, self.hints))
        b.position_at_end(self.after)


def loop_metadata(module: ir.Module, hints: Sequence[list]) -> ir.MDValue:
    """Return metadata for one loop: a node that refers to itself, and hints."""
    texts = [module.add_metadata([module.add_metadata(x) if isinstance(x, list) else x for x in hint]) for hint in hints]
    node = ir.MDValue(module, [], name=str(len(module.metadata)))
    node.operands = (node, *texts)
    return node
