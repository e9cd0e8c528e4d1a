"""What library calls on stacks of matrices share: the places of the matrices, turning them to columns and back, the status.

In: buffers of a `Call`. Out: LLVM values and IR. Arrays are row-major.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from llvmlite import ir

from jitad.codegen.emission import room_for
from jitad.codegen.failures import call_number
from jitad.codegen.loop import Loop
from jitad.codegen.scalars import I8, I32, I64
from jitad.ir.types import ArrayType
from jitad.lower.grammar.loops import Buffer, Call

Pointer = Callable[[Buffer], ir.Value]


def offset(builder: ir.IRBuilder, base: ir.Value, elements, dtype: np.dtype) -> ir.Value:
    """Return the address of an element, given its position as an int or an LLVM value."""
    if isinstance(elements, int):
        elements = ir.Constant(I64, elements)
    return builder.gep(base, [builder.mul(elements, ir.Constant(I64, dtype.itemsize))], source_etype=I8)


def stack_of(type: ArrayType) -> tuple[int, int, int]:
    """Return how many matrices an array stacks, and their rows and columns."""
    return math.prod(type.shape[:-2]), type.shape[-2], type.shape[-1]


def member(builder, buffer: Buffer, k: ir.Value, count: int, pointer: Pointer) -> ir.Value:
    """Return the address of the part of a buffer that belongs to the k-th matrix of a stack."""
    return offset(builder, pointer(buffer), builder.mul(k, ir.Constant(I64, buffer.type.size // count)), buffer.type.dtype)


def transpose_in_place(builder, matrix, n: int, dtype) -> None:
    if n == 1:
        return
    element = ir.IntType(8 * dtype.itemsize)

    def address(i, j):
        return builder.gep(matrix, [builder.add(builder.mul(i, ir.Constant(I64, n)), j)], source_etype=element)

    with Loop(builder, 0, n - 1) as i, Loop(builder, 0, n - 1) as j, builder.if_then(builder.icmp_signed("<", j, i)):
        one, other = address(i, j), address(j, i)
        x, y = builder.load(one, typ=element, align=1), builder.load(other, typ=element, align=1)
        builder.store(y, one, align=1)
        builder.store(x, other, align=1)


def transpose_copy(builder, target, source, rows: int, columns: int, dtype) -> None:
    """Copy a matrix of so many rows and columns to where it is by columns."""
    element = ir.IntType(8 * dtype.itemsize)

    def place(base, i, j, width):
        return builder.gep(base, [builder.add(builder.mul(i, ir.Constant(I64, width)), j)], source_etype=element)

    with Loop(builder, 0, rows - 1) as i, Loop(builder, 0, columns - 1) as j:
        builder.store(builder.load(place(source, i, j, columns), typ=element, align=1), place(target, j, i, rows), align=1)


def clear(builder, buffers: Sequence[Buffer], pointer: Pointer) -> None:
    """Zero what LAPACK has worked with."""
    for buffer in buffers:
        element = ir.IntType(8 * buffer.type.dtype.itemsize)
        with Loop(builder, 0, buffer.type.size - 1) as i:
            builder.store(ir.Constant(element, 0), builder.gep(pointer(buffer), [i], source_etype=element), align=1)


def new_status(builder) -> ir.Value:
    return room_for(builder, ir.Constant(I32, 0))


def fail_if(builder, condition, status, call: Call) -> None:
    with builder.if_then(condition, likely=False):
        builder.store(ir.Constant(I32, call_number(call)), status)


def fail_by(builder, info: ir.Value, status, call: Call) -> None:
    """Fail if LAPACK has left anything but 0 in `info`."""
    fail_if(builder, builder.icmp_signed("!=", builder.load(info, typ=I32), ir.Constant(I32, 0)), status, call)
