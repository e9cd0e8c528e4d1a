"""The order of elements: a stable merge sort of their positions, row by row.

In: a `Call` of ``argsort``. Out: LLVM IR that fills its output. NaN come last, as in NumPy.
"""

from __future__ import annotations

import math

import numpy as np
from llvmlite import ir
from numba.core import cgutils

from jitad.codegen.scalars import I64, POINTER, memory_type


def number(value: int) -> ir.Constant:
    return ir.Constant(I64, value)


def external(builder: ir.IRBuilder, name: str, result: ir.Type, argument: ir.Type) -> ir.Function:
    known = builder.module.globals.get(name)
    return known or ir.Function(builder.module, ir.FunctionType(result, [argument]), name)


def address(builder: ir.IRBuilder, base: ir.Value, index: ir.Value, element: ir.Type) -> ir.Value:
    return builder.gep(base, [index], source_etype=element)


def emit_argsort(builder: ir.IRBuilder, call, pointer) -> None:
    """Sort each row between its place in the output and a scratch row, so that the last pass ends in the output."""
    (x,), (order,) = call.inputs, call.outputs
    (type,) = call.input_types
    n, rows = type.shape[-1], math.prod(type.shape[:-1])
    passes = (n - 1).bit_length()
    all_keys, all_places = pointer(x), pointer(order)
    scratch = builder.call(external(builder, "malloc", POINTER, I64), [number(n * I64.width // 8)])
    source, target, width = (cgutils.alloca_once(builder, kind) for kind in (POINTER, POINTER, I64))
    with cgutils.for_range(builder, number(rows)) as row:
        start = builder.mul(row.index, number(n))
        keys = address(builder, all_keys, start, memory_type(type.dtype))
        out = address(builder, all_places, start, I64)
        here, there = (out, scratch) if passes % 2 == 0 else (scratch, out)
        with cgutils.for_range(builder, number(n)) as place:
            builder.store(place.index, address(builder, here, place.index, I64))
        for slot, value in ((source, here), (target, there), (width, number(1))):
            builder.store(value, slot)
        with cgutils.for_range(builder, number(passes)):
            old, new = (builder.load(slot, typ=POINTER) for slot in (source, target))
            run = builder.load(width, typ=I64)
            merge_runs(builder, type.dtype, keys, n, old, new, run)
            builder.store(new, source)
            builder.store(old, target)
            builder.store(builder.shl(run, number(1)), width)
    builder.call(external(builder, "free", ir.VoidType(), POINTER), [scratch])


def merge_runs(builder: ir.IRBuilder, dtype: np.dtype, keys, n: int, old, new, run) -> None:
    """Merge the sorted runs of `run` positions in `old`, two by two, into `new`."""
    twice = builder.shl(run, number(1))
    pairs = builder.udiv(builder.add(twice, number(n - 1)), twice)
    left, right = (cgutils.alloca_once(builder, I64) for _ in range(2))
    with cgutils.for_range(builder, pairs) as pair:
        first = builder.mul(pair.index, twice)
        middle = smaller(builder, builder.add(first, run), number(n))
        last = smaller(builder, builder.add(middle, run), number(n))
        builder.store(first, left)
        builder.store(middle, right)
        with cgutils.for_range(builder, last, start=first) as k:
            i, j = builder.load(left, typ=I64), builder.load(right, typ=I64)
            at_i, at_j = (position(builder, old, side, number(n - 1)) for side in (i, j))
            exhausted = builder.icmp_signed(">=", i, middle)
            smaller_key = builder.and_(builder.icmp_signed("<", j, last), precedes(builder, dtype, keys, at_j, at_i))
            from_right = builder.or_(exhausted, smaller_key)
            builder.store(builder.select(from_right, at_j, at_i), address(builder, new, k.index, I64))
            builder.store(builder.add(i, builder.select(from_right, number(0), number(1))), left)
            builder.store(builder.add(j, builder.select(from_right, number(1), number(0))), right)


def position(builder: ir.IRBuilder, order, index, limit) -> ir.Value:
    """Return an entry of an order. An index past a run, whose entry will not be used, is kept within the row."""
    return builder.load(address(builder, order, smaller(builder, index, limit), I64), typ=I64)


def smaller(builder: ir.IRBuilder, x, y) -> ir.Value:
    return builder.select(builder.icmp_signed("<", x, y), x, y)


def precedes(builder: ir.IRBuilder, dtype: np.dtype, keys, i, j) -> ir.Value:
    """Return whether element i is to stand before element j wherever they stood before."""
    element = memory_type(dtype)
    x, y = (builder.load(address(builder, keys, k, element), typ=element) for k in (i, j))
    if dtype.kind == "f":
        is_number, is_nan = builder.fcmp_ordered("ord", x, x), builder.fcmp_unordered("uno", y, y)
        return builder.or_(builder.fcmp_ordered("<", x, y), builder.and_(is_number, is_nan))
    return (builder.icmp_signed if dtype.kind == "i" else builder.icmp_unsigned)("<", x, y)
