"""The order of elements: a stable merge sort, row by row.

In: a `Call` of ``argsort``. Out: LLVM IR that fills its output. What is merged are pairs of a key and a place; the keys are int64 that
are ordered as the elements are, NaN last, as in NumPy.
"""

from __future__ import annotations

import math

import numpy as np
from llvmlite import ir

from jitad.codegen.emission import counted, external, room
from jitad.codegen.scalars import I64, POINTER, memory_type

DOUBLE = ir.DoubleType()
LARGEST = 2**63 - 1


def number(value: int) -> ir.Constant:
    return ir.Constant(I64, value)


def address(builder: ir.IRBuilder, base: ir.Value, index: ir.Value, element: ir.Type = I64) -> ir.Value:
    return builder.gep(base, [index], source_etype=element)


def emit_argsort(builder: ir.IRBuilder, call, pointer) -> None:
    """Sort each row between its place in the output and a scratch row, so that the last pass ends in the output."""
    (type,), element = call.input_types, memory_type(call.input_types[0].dtype)
    n, rows = type.shape[-1], math.prod(type.shape[:-1])
    passes = (n - 1).bit_length()
    elements, places = pointer(call.inputs[0]), pointer(call.outputs[0])
    scratch = builder.call(external(builder, "malloc", POINTER, [I64]), [number(3 * n * I64.width // 8)])
    keys, other_keys, other_row = (address(builder, scratch, number(k * n)) for k in range(3))
    old_keys, old_row, new_keys, new_row = slots = [room(builder, POINTER) for _ in range(4)]
    width = room(builder, I64)
    with counted(builder, number(rows)) as row:
        start = builder.mul(row, number(n))
        values, out = address(builder, elements, start, element), address(builder, places, start)
        here, there = (out, other_row) if passes % 2 == 0 else (other_row, out)
        with counted(builder, number(n)) as place:
            value = builder.load(address(builder, values, place, element), typ=element)
            builder.store(key_of(builder, value, type.dtype), address(builder, keys, place))
            builder.store(place, address(builder, here, place))
        for slot, value in zip(slots, (keys, here, other_keys, there), strict=True):
            builder.store(value, slot)
        builder.store(number(1), width)
        with counted(builder, number(passes)):
            pointers = [builder.load(slot, typ=POINTER) for slot in slots]
            run = builder.load(width, typ=I64)
            merge_runs(builder, n, run, *pointers)
            for slot, value in zip((new_keys, new_row, old_keys, old_row), pointers, strict=True):
                builder.store(value, slot)
            builder.store(builder.shl(run, number(1)), width)
    builder.call(external(builder, "free", ir.VoidType(), [POINTER]), [scratch])


def key_of(builder: ir.IRBuilder, x: ir.Value, dtype: np.dtype) -> ir.Value:
    """Return an int64 that compares as `x` does: of floats the bits, those below the sign inverted for negative ones."""
    if dtype.kind == "f":
        x = x if dtype.itemsize == 8 else builder.fpext(x, DOUBLE)
        bits = builder.bitcast(builder.fadd(x, ir.Constant(DOUBLE, 0.0)), I64)  # -0.0 becomes 0.0
        key = builder.xor(bits, builder.and_(builder.ashr(bits, number(63)), number(LARGEST)))
        return builder.select(builder.fcmp_unordered("uno", x, x), number(LARGEST), key)
    if dtype.kind == "i":
        return x if dtype.itemsize == 8 else builder.sext(x, I64)
    return builder.xor(x, number(-LARGEST - 1)) if dtype.itemsize == 8 else builder.zext(x, I64)


def merge_runs(builder: ir.IRBuilder, n: int, run, old_keys, old_row, new_keys, new_row) -> None:
    """Merge the sorted runs of `run` elements, two by two."""
    twice = builder.shl(run, number(1))
    pairs = builder.udiv(builder.add(twice, number(n - 1)), twice)
    left, right = (room(builder, I64) for _ in range(2))
    with counted(builder, pairs) as pair:
        first = builder.mul(pair, twice)
        middle = smaller(builder, builder.add(first, run), number(n))
        last = smaller(builder, builder.add(middle, run), number(n))
        builder.store(first, left)
        builder.store(middle, right)
        with counted(builder, last, start=first) as k:
            i, j = builder.load(left, typ=I64), builder.load(right, typ=I64)
            ours, theirs = (builder.load(address(builder, old_keys, smaller(builder, x, number(n - 1))), typ=I64) for x in (i, j))
            before = builder.and_(builder.icmp_signed("<", j, last), builder.icmp_signed("<", theirs, ours))
            from_right = builder.or_(builder.icmp_signed(">=", i, middle), before)
            source = builder.select(from_right, j, i)
            builder.store(builder.select(from_right, theirs, ours), address(builder, new_keys, k))
            builder.store(builder.load(address(builder, old_row, source), typ=I64), address(builder, new_row, k))
            taken = builder.zext(from_right, I64)
            builder.store(builder.add(j, taken), right)
            builder.store(builder.add(i, builder.xor(taken, number(1))), left)


def smaller(builder: ir.IRBuilder, x, y) -> ir.Value:
    return builder.select(builder.icmp_signed("<", x, y), x, y)
