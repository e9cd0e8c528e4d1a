"""What emitters of LLVM IR share: room on the stack, loops with bounds that are values, copies.

In: a builder. Out: LLVM values. Invariant: room on the stack is taken once per call of the function, however often the place is passed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from llvmlite import ir

from jitad.codegen.scalars import I1, I32, I64, POINTER


def room(builder: ir.IRBuilder, type: ir.Type, count: int = 1, align: int | None = None, name: str = "") -> ir.Value:
    """Return a pointer to room for `count` values on the stack."""
    with builder.goto_entry_block():
        slot = builder.alloca(type, size=ir.Constant(I32, count), name=name)
    slot.align = align
    return slot


def room_for(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    """Return a pointer to `value` on the stack."""
    slot = room(builder, value.type)
    builder.store(value, slot)
    return slot


def copy_bytes(builder: ir.IRBuilder, target: ir.Value, source: ir.Value, count: int) -> None:
    """Copy memory that does not overlap."""
    memcpy = builder.module.declare_intrinsic("llvm.memcpy", [POINTER, POINTER, I64])
    builder.call(memcpy, [target, source, ir.Constant(I64, count), ir.Constant(I1, 0)])


@contextmanager
def counted(builder: ir.IRBuilder, stop: ir.Value, start: ir.Value | None = None) -> Iterator[ir.Value]:
    """``with counted(builder, stop) as i``: emit a loop over start (0 by default) .. stop - 1, of any number of trips."""
    before, head = builder.block, builder.append_basic_block("head")
    body, after = builder.append_basic_block("body"), builder.append_basic_block("after")
    builder.branch(head)
    builder.position_at_end(head)
    index = builder.phi(I64)
    index.add_incoming(ir.Constant(I64, 0) if start is None else start, before)
    builder.cbranch(builder.icmp_signed("<", index, stop), body, after)
    builder.position_at_end(body)
    yield index
    index.add_incoming(builder.add(index, ir.Constant(I64, 1)), builder.block)
    builder.branch(head)
    builder.position_at_end(after)


def external(builder: ir.IRBuilder, name: str, result: ir.Type, arguments: list[ir.Type]) -> ir.Function:
    """Return the declaration of a function that is defined elsewhere."""
    known = builder.module.globals.get(name)
    return known or ir.Function(builder.module, ir.FunctionType(result, arguments), name)
