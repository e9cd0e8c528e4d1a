"""What a nest reduces, in registers and in memory.

In: the reductions of a `Nest`, whose loops `jitad.codegen.nests` emits. Out: LLVM code that starts, combines, folds and flushes them. Invariant:
a register goes to its place in memory when the loops that are reduced into it are done. Sums of many terms are added up in chunks, whose sums
keep what rounding loses.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from llvmlite import ir

from jitad.codegen.emission import room
from jitad.codegen.scalars import constant, register_type
from jitad.ir.types import real_dtype
from jitad.lower.grammar.loops import Nest, Reduction

COMBINE = {"add": "add", "mul": "mul", "max": "maximum", "min": "minimum", "and": "and", "or": "or"}
CHUNK = 2048  # terms that are summed up at a time
LEAST_CHUNK = 64
VECTORS = 256  # bytes of the vectors in which LLVM sums up, four at a time
FEW = 3  # terms that may be added one by one

Factors = Sequence[Sequence[ir.Value] | None] | None


@dataclass(frozen=True, eq=False)
class Copy:
    """One of the iterations that a trip of the loops runs side by side: the variables of the loops so far, and which one it is along each
    loop that several iterations at a time are run of."""

    variables: Mapping[int, ir.Value]
    number: tuple[int, ...]

    def with_variable(self, dim: int, value: ir.Value) -> Copy:
        return Copy({**self.variables, dim: value}, self.number)

    def at(self, dim: int, value: ir.Value, k: int) -> Copy:
        return Copy({**self.variables, dim: value}, (*self.number, k))


def identity(reduction: Reduction) -> list[ir.Value]:
    dtype = real_dtype(reduction.buffer.type.dtype)
    return [constant(value, dtype) for value in (reduction.identity, 0)[: reduction.width]]


def terms_of(reduction: Reduction, nest: Nest) -> int:
    """Return how many terms each result of a reduction has."""
    kept = dict(reduction.position.terms)
    return math.prod(extent for dim, extent in enumerate(nest.box) if dim not in kept)


class Accumulators:
    """The reductions of one nest, of which each copy of an iteration has registers of its own, unless it shares a result with others."""

    def __init__(self, emitter):
        self.emitter, self.builder, self.nest = emitter, emitter.builder, emitter.nest
        self.in_registers = {r for r in self.nest.reductions if r.inner < len(self.nest.box) or not self.nest.box}
        self.folded = {
            r for r in self.in_registers
            if r.is_sum and terms_of(r, self.nest) > CHUNK
        }  # fmt: skip
        self.slots: dict[tuple, list[ir.Value]] = {}
        self.totals: dict[tuple, list[tuple[ir.Value, ir.Value]]] = {}

    def begin(self, updates: Sequence[Reduction], jammed: Sequence[int]) -> bool:
        """Take up the reductions of a region, some loops around which are jammed; return whether some of them are folded."""
        self.updates = list(updates)
        self.depths = {r: sum(place < r.inner for place in jammed) for r in self.updates}
        return any(r in self.folded for r in self.updates)

    def registers(self, reduction: Reduction, copy: Copy) -> list[ir.Value]:
        key = reduction, *copy.number[: self.depths[reduction]]
        if key not in self.slots:
            self.slots[key] = [room(self.builder, register(reduction), name="sum") for _ in range(reduction.width)]
        return self.slots[key]

    def errors(self, reduction: Reduction, copy: Copy) -> list[tuple[ir.Value, ir.Value]]:
        """Return where the totals of folded sums are, and what these lack."""
        key = reduction, *copy.number[: self.depths[reduction]]
        if key not in self.totals and reduction in self.folded:
            pairs = [[room(self.builder, register(reduction), name=name) for name in ("total", "error")] for _ in range(reduction.width)]
            self.totals[key] = list(map(tuple, pairs))
        return self.totals.get(key, [])

    def apart(self, reduction: Reduction, copies: Sequence[Copy]) -> Iterator[Copy]:
        """Iterate over the first copies of those that share registers."""
        return iter({copy.number[: self.depths[reduction]]: copy for copy in reversed(copies)}.values())

    def start(self, place: int, copies: Sequence[Copy]) -> None:
        for reduction in self.updates:
            if reduction.inner == place and reduction in self.in_registers:
                for copy in self.apart(reduction, copies):
                    for slot, value in zip(self.registers(reduction, copy), identity(reduction), strict=True):
                        self.builder.store(value, slot)
                    for pair in self.errors(reduction, copy):
                        for slot in pair:
                            self.builder.store(ir.Constant(register(reduction), 0.0), slot)

    def flush(self, place: int, copies: Sequence[Copy]) -> None:
        for reduction in self.updates:
            if reduction.inner == place and reduction in self.in_registers:
                for copy in self.apart(reduction, copies):
                    self.finish(reduction, self.results(reduction, copy), copy)

    def fold(self, place: int, copies: Sequence[Copy]) -> None:
        """Add each sum so far to a total that keeps what rounding loses (Knuth's two-sum), and start it anew."""
        b = self.builder
        for reduction in self.updates:
            if reduction in self.folded and reduction.inner <= place:
                for copy in self.apart(reduction, copies):
                    type = register(reduction)
                    pairs = self.errors(reduction, copy)
                    for slot, (total, error), zero in zip(self.registers(reduction, copy), pairs, identity(reduction), strict=True):
                        x, y = b.load(total, typ=type), b.load(slot, typ=type)
                        s = b.fadd(x, y)
                        z = b.fsub(s, x)
                        lost = b.fadd(b.fsub(x, b.fsub(s, z)), b.fsub(y, z))
                        b.store(s, total)
                        b.store(b.fadd(b.load(error, typ=type), lost), error)
                        b.store(zero, slot)

    def whole_vectors(self, place: int, low, high) -> int | None:
        """Return where the trips of the innermost loop begin that fill no vectors, if LLVM would add their terms to the sum one by one."""
        if place < len(self.nest.loops) - 1 or not (isinstance(low, int) and isinstance(high, int)):
            return None
        sums = [r for r in self.updates if r in self.in_registers and r.is_sum]
        count = max([VECTORS // real_dtype(r.buffer.type.dtype).itemsize for r in sums], default=0)
        rest = (high - low + 1) % count if count else 0
        return high + 1 - rest if rest > FEW and high - low >= 2 * count else None

    def set_aside(self, place: int, copies: Sequence[Copy]) -> list[tuple[ir.Value, ir.Value]]:
        """Start the sums of the innermost loop anew, and return where they are and what they were."""
        found = []
        for reduction in self.updates:
            if reduction in self.in_registers and reduction.is_sum:
                for copy in self.apart(reduction, copies):
                    for slot, value, zero in zip(self.registers(reduction, copy), self.held(reduction, copy), identity(reduction), strict=True):
                        found.append((slot, value))
                        self.builder.store(zero, slot)
        return found

    def put_together(self, sums: Sequence[tuple[ir.Value, ir.Value]]) -> None:
        for slot, value in sums:
            self.builder.store(self.builder.fadd(value, self.builder.load(slot, typ=value.type)), slot)

    def results(self, reduction: Reduction, copy: Copy) -> list[ir.Value]:
        """Return the results of a reduction; infinite ones leave no meaningful error."""
        b, parts, type = self.builder, self.held(reduction, copy), register(reduction)
        for k, (total, error) in enumerate(self.errors(reduction, copy)):
            lost = b.load(error, typ=type)
            whole = b.fadd(b.load(total, typ=type), parts[k])
            parts[k] = b.select(b.fcmp_ordered("==", lost, lost), b.fadd(whole, lost), whole)
        return parts

    def held(self, reduction: Reduction, copy: Copy) -> list[ir.Value]:
        return [self.builder.load(slot, typ=register(reduction)) for slot in self.registers(reduction, copy)]

    def finish(self, reduction: Reduction, parts: list[ir.Value], copy: Copy, factors: Factors = None) -> None:
        """Bring a value to its place in memory."""
        emitter, buffer, width = self.emitter, reduction.buffer, reduction.width
        emitter.variables = copy.variables
        positions = [emitter.index(buffer.located(reduction.position * width + k)) for k in range(width)]
        if reduction.partial:
            parts = self.combine(reduction, [emitter.read(buffer, position) for position in positions], parts, factors)
        for position, part in zip(positions, parts, strict=True):
            emitter.write(buffer, position, part)

    def accumulate(self, reduction: Reduction, parts: list[ir.Value], factors: Factors, copy: Copy) -> None:
        """Combine with what an iteration gives; `factors` are those of the parts that are products."""
        if reduction not in self.in_registers:
            self.finish(reduction, parts, copy, factors)
        else:
            held = self.held(reduction, copy)
            for slot, value in zip(self.registers(reduction, copy), self.combine(reduction, held, parts, factors), strict=True):
                self.builder.store(value, slot)

    def combine(self, reduction: Reduction, x: list[ir.Value], y: list[ir.Value], factors: Factors = None) -> list[ir.Value]:
        """Combine two partial results; sums and products may be reassociated, so that they vectorise."""
        if reduction.combine == "mul" and reduction.width == 2:
            b, (xr, xi), (yr, yi) = self.builder, x, y
            return [b.fsub(b.fmul(xr, yr), b.fmul(xi, yi)), b.fadd(b.fmul(xr, yi), b.fmul(xi, yr))]
        return [self.combine_real(reduction, *part) for part in zip(x, y, factors or [None] * len(x), strict=True)]

    def combine_real(self, reduction: Reduction, x: ir.Value, y: ir.Value, factors: Sequence[ir.Value] | None) -> ir.Value:
        b, dtype = self.builder, real_dtype(reduction.buffer.type.dtype)
        name = COMBINE[reduction.combine]
        if dtype.kind == "f":
            if name == "add" and factors:
                return self.emitter.scalars.muladd(*factors, x, flags=("reassoc",))
            if name in ("add", "mul"):
                return (b.fadd if name == "add" else b.fmul)(x, y, flags=("reassoc",))
            function = b.module.declare_intrinsic(f"llvm.{name}", [x.type], ir.FunctionType(x.type, [x.type] * 2))
            return b.call(function, [x, y])
        if name in ("maximum", "minimum"):
            greater = self.emitter.scalars.compare(">", dtype.kind, x, y)
            return b.select(greater, x, y) if name == "maximum" else b.select(greater, y, x)
        return {"add": b.add, "mul": b.mul, "and": b.and_, "or": b.or_}[name](x, y)


def register(reduction: Reduction) -> ir.Type:
    return register_type(real_dtype(reduction.buffer.type.dtype))


def chunks(trips: Sequence[int]) -> tuple[int, int]:
    """Return after which loop sums are folded, and the number of trips after which that is done; 0 if it is all of them."""
    level = max([place for place in range(len(trips)) if math.prod(trips[place:]) >= LEAST_CHUNK], default=0)
    inside = math.prod(trips[level + 1 :])
    return level, 0 if trips[level] * inside <= 2 * CHUNK else max(1, CHUNK // inside)
