"""Products of one matrix with vectors: the matrix is read once for all of them.

In: a matrix as BLAS would have it, and vectors. Out: LLVM IR that computes the products block by block, the sums of a block in vector registers.
Invariant: each product is rounded as it is alone, whatever other vectors the matrix is multiplied with.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from llvmlite import ir

from jitad.codegen.emission import external, room
from jitad.codegen.library.inner_products import vector_registers
from jitad.codegen.loop import Loop
from jitad.codegen.scalars import I1, I32, I64, POINTER, register_type
from jitad.lower.fusion.products import Matrix

SUMS = 8  # vectors of sums in a block
MOST_TOGETHER = 4  # columns


@dataclass(frozen=True)
class Vectors:
    """Vectors of which element i is `stride` * i elements after where each of them begins."""

    starts: Sequence[ir.Value]
    stride: int


def vectors(b: ir.IRBuilder, dtype: np.dtype, bases: Sequence[ir.Value], count: int, apart: int, stride: int) -> Vectors:
    """Return `count` vectors from each of the `bases` on, which begin `apart` elements from one another."""
    element = register_type(dtype)
    return Vectors([b.gep(base, [ir.Constant(I64, i * apart)], source_etype=element) for base in bases for i in range(count)], stride)


def emit_products(b: ir.IRBuilder, dtype: np.dtype, matrix: Matrix, left: ir.Value, factors: Vectors, results: Vectors) -> None:
    """Emit the product of the matrix that begins at `left` with each of the `factors`."""
    element = register_type(dtype)
    lanes = vector_registers()[0] // dtype.itemsize
    pieces = Pieces(b, element, lanes, dtype.itemsize)
    if matrix.row_stride == 1 and not (matrix.column_stride == factors.stride == 1):
        emit_along_columns(pieces, matrix, left, factors, results)
    else:
        emit_along_rows(pieces, matrix, left, gathered(pieces, factors, matrix.columns), results)


class Pieces:
    """Vectors of elements in memory, some of which may have fewer elements than a register."""

    def __init__(self, builder: ir.IRBuilder, element: ir.Type, lanes: int, size: int):
        self.builder, self.element, self.lanes, self.size = builder, element, lanes, size
        self.type = ir.VectorType(element, lanes)
        self.zero = ir.Constant(self.type, [0.0] * lanes)

    def at(self, base: ir.Value, index: ir.Value, stride: int = 1) -> ir.Value:
        index = self.builder.mul(index, ir.Constant(I64, stride)) if stride != 1 else index
        return self.builder.gep(base, [index], source_etype=self.element)

    def load(self, place: ir.Value, count: int) -> ir.Value:
        """Return `count` elements, and zeros."""
        if count == self.lanes:
            return self.builder.load(place, typ=self.type, align=self.size)
        load = self.masked("load", self.type, [POINTER, I32, self.mask_type, self.type])
        return self.builder.call(load, [place, ir.Constant(I32, self.size), self.mask(count), self.zero])

    def store(self, value: ir.Value, place: ir.Value, count: int) -> None:
        if count == self.lanes:
            self.builder.store(value, place, align=self.size)
        else:
            store = self.masked("store", ir.VoidType(), [self.type, POINTER, I32, self.mask_type])
            self.builder.call(store, [value, place, ir.Constant(I32, self.size), self.mask(count)])

    @property
    def mask_type(self) -> ir.Type:
        return ir.VectorType(I1, self.lanes)

    def mask(self, count: int) -> ir.Constant:
        return ir.Constant(self.mask_type, [int(k < count) for k in range(self.lanes)])

    def masked(self, what: str, result: ir.Type, arguments: list[ir.Type]) -> ir.Function:
        return external(self.builder, f"llvm.masked.{what}.v{self.lanes}f{8 * self.size}.p0", result, arguments)

    def add_product(self, slot: ir.Value, x: ir.Value, y: ir.Value) -> None:
        b = self.builder
        product = b.fmul(x, y, flags=("contract",))
        b.store(b.fadd(b.load(slot, typ=self.type), product, flags=("contract",)), slot)

    def slots(self, count: int) -> list[ir.Value]:
        slots = [room(self.builder, self.type) for _ in range(count)]
        for slot in slots:
            self.builder.store(self.zero, slot)
        return slots

    def everywhere(self, value: ir.Value) -> ir.Value:
        """Return a vector of equal elements."""
        b = self.builder
        first = b.insert_element(ir.Constant(self.type, ir.Undefined), value, ir.Constant(I32, 0))
        return b.shuffle_vector(first, ir.Constant(self.type, ir.Undefined), ir.Constant(ir.VectorType(I32, self.lanes), [0] * self.lanes))


def gathered(p: Pieces, factors: Vectors, length: int) -> Vectors:
    """Return the vectors with their elements side by side, in copies where they are not."""
    if factors.stride == 1:
        return factors
    b, copies = p.builder, [room(p.builder, p.element, length) for _ in factors.starts]
    with Loop(b, 0, length - 1) as k:
        for copy, start in zip(copies, factors.starts, strict=True):
            b.store(b.load(p.at(start, k, factors.stride), typ=p.element), p.at(copy, k))
    return Vectors(copies, 1)


def emit_along_rows(p: Pieces, matrix: Matrix, left: ir.Value, factors: Vectors, results: Vectors) -> None:
    """Sums along the rows, some rows at a time; the last block begins where it ends with the last row."""
    b, m, k = p.builder, matrix.rows, matrix.columns
    height = min(max(SUMS // len(factors.starts), 1), m)
    with Loop(b, 0, (m - 1) // height) as block:
        row = least(b, b.mul(block, ir.Constant(I64, height)), m - height)
        numbers = [b.add(row, ir.Constant(I64, i)) for i in range(height)]
        rows = [p.at(left, number, matrix.row_stride) for number in numbers]
        slots = p.slots(height * len(factors.starts))

        def add(at: ir.Value, count: int) -> None:
            xs, ys = ([p.load(p.at(base, at), count) for base in bases] for bases in (rows, factors.starts))
            for slot, (y, x) in zip(slots, itertools.product(ys, xs), strict=True):
                p.add_product(slot, x, y)

        if k >= p.lanes:
            with Loop(b, 0, k // p.lanes - 1) as piece:
                add(b.mul(piece, ir.Constant(I64, p.lanes)), p.lanes)
        if k % p.lanes:
            add(ir.Constant(I64, k - k % p.lanes), k % p.lanes)
        totals = sums(b, [b.load(slot, typ=p.type) for slot in slots])
        for total, (start, number) in zip(totals, itertools.product(results.starts, numbers), strict=True):
            b.store(total, p.at(start, number, results.stride))


def least(b: ir.IRBuilder, value: ir.Value, bound: int) -> ir.Value:
    bound = ir.Constant(I64, bound)
    return b.select(b.icmp_signed("<", value, bound), value, bound)


def sums(b: ir.IRBuilder, vectors: list[ir.Value]) -> list[ir.Value]:
    """Return the sums of the elements of each vector: halves are added, then halves of halves, those of two vectors in one operation."""
    lanes = vectors[0].type.count
    found = []
    for first in range(0, len(vectors), lanes):
        group = vectors[first : first + lanes]
        zeros = ir.Constant(group[0].type, [0.0] * lanes)
        width, pending = lanes, [*group, *[zeros] * ((1 << (len(group) - 1).bit_length()) - len(group))]
        while width > 1:
            pairs = [pending[i : i + 2] for i in range(0, len(pending), 2)]
            pending = [halved(b, pair, width) for pair in pairs]
            width //= 2
        (vector,) = pending
        found += [b.extract_element(vector, ir.Constant(I32, i)) for i in range(len(group))]
    return found


def halved(b: ir.IRBuilder, pair: list[ir.Value], width: int) -> ir.Value:
    """Add the halves of each run of `width` elements; the runs of the second vector come after those of the first."""
    lanes = pair[0].type.count
    starts = range(0, lanes * len(pair), width)
    halves = [[start + i + shift for start in starts for i in range(width // 2)] for shift in (0, width // 2)]
    low, high = (b.shuffle_vector(pair[0], pair[-1], ir.Constant(ir.VectorType(I32, len(half)), half)) for half in halves)
    return b.fadd(low, high)


def emit_along_columns(p: Pieces, matrix: Matrix, left: ir.Value, factors: Vectors, results: Vectors) -> None:
    """Sums of columns times numbers, some runs of results at a time; where there are few results, some columns at a time."""
    b, m = p.builder, matrix.rows
    pieces = ceiling(m, p.lanes)
    together = min(max(SUMS // pieces, 1), MOST_TOGETHER)
    blocks = ceiling(pieces, max(SUMS // (together * len(factors.starts)), 1))
    width = ceiling(pieces, blocks) * p.lanes
    if m >= width:
        with Loop(b, 0, m // width - 1) as block:
            emit_columns(p, matrix, left, factors, results, b.mul(block, ir.Constant(I64, width)), width, together)
    if m % width:
        emit_columns(p, matrix, left, factors, results, ir.Constant(I64, m - m % width), m % width, together)


def ceiling(n: int, size: int) -> int:
    return -(-n // size)


def emit_columns(p: Pieces, matrix: Matrix, left, factors: Vectors, results: Vectors, start: ir.Value, width: int, together: int) -> None:
    """Compute `width` elements of each product."""
    b, n = p.builder, matrix.columns
    counts = [min(p.lanes, width - first) for first in range(0, width, p.lanes)]
    places = [b.add(start, ir.Constant(I64, i * p.lanes)) for i in range(len(counts))]
    slots = [p.slots(len(counts) * len(factors.starts)) for _ in range(together)]

    def add(k: ir.Value, slots: Sequence[ir.Value]) -> None:
        column = p.at(left, k, matrix.column_stride)
        xs = [p.load(p.at(column, place), count) for place, count in zip(places, counts, strict=True)]
        ys = [p.everywhere(b.load(p.at(base, k, factors.stride), typ=p.element)) for base in factors.starts]
        for slot, (y, x) in zip(slots, itertools.product(ys, xs), strict=True):
            p.add_product(slot, x, y)

    if n >= together:
        with Loop(b, 0, n // together - 1) as some:
            for i in range(together):
                add(b.add(b.mul(some, ir.Constant(I64, together)), ir.Constant(I64, i)), slots[i])
    for i in range(n % together):
        add(ir.Constant(I64, n - n % together + i), slots[i])
    pieces = itertools.product(results.starts, zip(places, counts, strict=True))
    for parts, (base, (place, count)) in zip(zip(*slots, strict=True), pieces, strict=True):
        total, *others = [b.load(slot, typ=p.type) for slot in parts]
        for other in others:
            total = b.fadd(total, other)
        if results.stride == 1:
            p.store(total, p.at(base, place), count)
        else:
            for i in range(count):
                element = b.extract_element(total, ir.Constant(I32, i))
                b.store(element, p.at(base, b.add(place, ir.Constant(I64, i)), results.stride))
