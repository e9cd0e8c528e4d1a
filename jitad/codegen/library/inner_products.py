"""Products of matrices with few rows and columns, the sums of which run along what is contiguous in both: Gram matrices of points by columns.

In: a product as BLAS would have it. Out: LLVM IR that computes it block by block, the sums of a block in vector registers. BLAS packs its operands
first, which takes longer than such a product. Invariant: results have the rounding errors of sums over `CHUNK` terms at a time.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir

from jitad.codegen import machine
from jitad.codegen.emission import external, room
from jitad.codegen.loop import Loop
from jitad.codegen.scalars import I64, register_type
from jitad.lower.fusion.products import Matrix

CHUNK = 512  # terms
LEAST_TERMS = 64
MOST = 32  # rows, and columns
LEAST_TILE = 6  # results of a block


def vector_registers() -> tuple[int, int]:
    """Return the bytes of a vector register, and how many results a block may have there."""
    features = machine.features()
    return (64, 25) if "+avx512f" in features else (32, 12) if "+avx" in features else (16, 20)


def tile(x: Matrix, y: Matrix) -> tuple[int, int] | None:
    """Return rows and columns of a block of results, None if the product is not of this kind."""
    contiguous = x.column_stride == 1 and y.row_stride == 1
    if not contiguous or x.columns < LEAST_TERMS or max(x.rows, y.columns) > MOST or min(x.rows, y.columns) == 1:
        return None
    _, most = vector_registers()
    options = [(m, n) for m in divisors(x.rows) for n in divisors(y.columns) if min(m, n) > 1 and LEAST_TILE <= m * n <= most]
    return max(options, key=lambda pair: pair[0] * pair[1] / (pair[0] + pair[1]), default=None)


def divisors(n: int) -> list[int]:
    return [k for k in range(1, n + 1) if n % k == 0]


def emit_product(b: ir.IRBuilder, dtype: np.dtype, x: Matrix, y: Matrix, left: ir.Value, right: ir.Value, out: ir.Value) -> None:
    """Emit ``out = x @ y`` for one matrix of a stack; `left`, `right` and `out` are where they begin."""
    m, n = tile(x, y)
    element = register_type(dtype)
    with Loop(b, 0, x.rows * y.columns - 1) as i:
        b.store(ir.Constant(element, 0.0), b.gep(out, [i], source_etype=element))
    with Loop(b, 0, (x.columns - 1) // CHUNK) as chunk:
        start = b.mul(chunk, ir.Constant(I64, CHUNK))
        stop = b.add(start, ir.Constant(I64, CHUNK))
        stop = b.select(b.icmp_signed("<", stop, ir.Constant(I64, x.columns)), stop, ir.Constant(I64, x.columns))
        with Loop(b, 0, x.rows // m - 1, kept=True) as i, Loop(b, 0, y.columns // n - 1, kept=True) as j:
            row, column = b.mul(i, ir.Constant(I64, m)), b.mul(j, ir.Constant(I64, n))
            rows = [start_of(b, left, row, k, x.row_stride, element) for k in range(m)]
            columns = [start_of(b, right, column, k, y.column_stride, element) for k in range(n)]
            sums = emit_block(b, element, rows, columns, start, stop)
            for k, total in enumerate(sums):
                position = b.add(b.mul(b.add(row, ir.Constant(I64, k // n)), ir.Constant(I64, y.columns)), b.add(column, ir.Constant(I64, k % n)))
                place = b.gep(out, [position], source_etype=element)
                b.store(b.fadd(b.load(place, typ=element), total), place)


def start_of(b: ir.IRBuilder, base: ir.Value, first: ir.Value, k: int, stride: int, element: ir.Type) -> ir.Value:
    position = b.mul(b.add(first, ir.Constant(I64, k)), ir.Constant(I64, stride))
    return b.gep(base, [position], source_etype=element)


def emit_block(b: ir.IRBuilder, element: ir.Type, rows, columns, start: ir.Value, stop: ir.Value) -> list[ir.Value]:
    """Return the sums over start .. stop - 1 of the products of each row with each column."""
    nbytes, _ = vector_registers()
    size = 8 if isinstance(element, ir.DoubleType) else 4
    lanes = nbytes // size
    vector = ir.VectorType(element, lanes)
    whole = b.sdiv(b.sub(stop, start), ir.Constant(I64, lanes))
    end = b.add(start, b.mul(whole, ir.Constant(I64, lanes)))
    sums = add_products(b, vector, rows, columns, start, end, lanes, size)
    add = external(b, f"llvm.vector.reduce.fadd.v{lanes}f{8 * size}", element, [element, vector])
    totals = [b.call(add, [ir.Constant(element, -0.0), total], fastmath=("reassoc",)) for total in sums]
    rest = add_products(b, element, rows, columns, end, stop, 1, size)
    return [b.fadd(total, other) for total, other in zip(totals, rest, strict=True)]


def add_products(b: ir.IRBuilder, type: ir.Type, rows, columns, start: ir.Value, stop: ir.Value, step: int, size: int) -> list[ir.Value]:
    """Return the sums of products, `step` terms at a time."""
    element = type.element if step > 1 else type
    slots = [room(b, type) for _ in range(len(rows) * len(columns))]
    for slot in slots:
        b.store(ir.Constant(type, [0.0] * step if step > 1 else 0.0), slot)
    count = b.sdiv(b.sub(stop, start), ir.Constant(I64, step))
    with Loop(b, ir.Constant(I64, 0), b.sub(count, ir.Constant(I64, 1)), kept=True) as k:
        at = b.add(start, b.mul(k, ir.Constant(I64, step)))
        xs, ys = ([b.load(b.gep(base, [at], source_etype=element), typ=type, align=size) for base in bases] for bases in (rows, columns))
        for number, slot in enumerate(slots):
            product = b.fmul(xs[number // len(columns)], ys[number % len(columns)], flags=("contract",))
            b.store(b.fadd(b.load(slot, typ=type), product, flags=("contract",)), slot)
    return [b.load(slot, typ=type) for slot in slots]
