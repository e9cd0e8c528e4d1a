"""Loop nests in LLVM IR: large ones as functions of their own, whose pointer arguments are ``noalias``, small ones where they run.

In: a `Nest`. Out: an LLVM function of its buffers that returns 0, or the number of the index check that failed; or code at the current
place, which notes that number. Invariant: the innermost loop's body is straight-line code.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Collection, Sequence
from contextlib import nullcontext

from llvmlite import ir

from jitad.codegen.memory import Places, allocate
from jitad.codegen.scalars import I1, I8, I32, I64, POINTER, ScalarEmitter, constant, register_type
from jitad.ir.types import real_dtype
from jitad.lower.index import Index
from jitad.lower.likeness import form
from jitad.lower.loops import Accumulate, Buffer, Counter, Nest, Reduction, Region, ScatterStore, Store
from jitad.lower.regions import Ranges
from jitad.lower.scalars import Expr
from jitad.lower.walk import buffers, counters, reachable, roots, terms

COMBINE = {"add": "add", "mul": "mul", "max": "maximum", "min": "minimum", "and": "and", "or": "or"}

FEW, MANY = 4, 64  # trips of an innermost loop that LLVM would unroll completely, but that is long enough to be vectorised
CHUNK = 2048  # terms that are summed up at a time
LEAST_CHUNK = 64
MOST_POINTERS = 32


def emit_function(
    module: ir.Module, name: str, nest: Nest, flags: tuple[str, ...], known: dict[tuple, ir.Function], cut: int | None,
    fixed: Collection[Buffer],
) -> tuple[ir.Function, list[Buffer | None], list[Counter]]:
    """Return the function of a nest, and the buffers and counters it takes; then, if a dimension is `cut`, the first and the last of its
    iterations to run.

    `known` are the functions that are there, by the form of their nests. If there are many buffers, those in `fixed` are found from where the
    workspace is, which is passed as the buffer None: LLVM takes time that grows with the square of the number of pointers.
    """
    used, trips = list(dict.fromkeys(buffer.place for buffer in buffers(nest))), counters(nest)
    found = [buffer for buffer in used if buffer in fixed] if len(used) > MOST_POINTERS else []
    taken = [*[buffer for buffer in used if buffer not in fixed], None] if found else used
    key = cut, form(nest, used, trips), tuple([buffer.offset if buffer in fixed else None for buffer in used] if found else ())
    if key in known:
        return known[key], taken, trips
    function = ir.Function(module, ir.FunctionType(I32, [POINTER] * len(taken) + [I64] * (len(trips) + 2 * (cut is not None))), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    function.attributes.add("nounwind")
    pointers = dict(zip(taken, function.args, strict=False))
    for argument in pointers.values():
        argument.add_attribute("noalias")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    status = builder.alloca(I32, name="status")
    builder.store(ir.Constant(I32, 0), status)
    pointers |= {buffer: builder.gep(pointers[None], [ir.Constant(I64, buffer.offset)], source_etype=I8) for buffer in found}
    places = Places(pointers, dict(zip(trips, function.args[len(taken) :], strict=False)))
    rows = () if cut is None else function.args[-2:]
    NestEmitter(builder, nest, flags, places, status, rows, cut or 0).emit()
    builder.ret(builder.load(status, typ=I32))
    known[key] = function
    return function, taken, trips


class NestEmitter:
    """Emits a nest at the current place; `status` is where the number of a failed check goes, `rows` the range of the dimension
    that is `cut`, if not all of it is to run."""

    def __init__(
        self, builder: ir.IRBuilder, nest: Nest, flags: tuple[str, ...], places: Places, status: ir.Value, rows: Sequence[ir.Value] = (),
        cut: int = 0,
    ):  # fmt: skip
        self.builder, self.nest, self.flags, self.cut = builder, nest, flags, cut
        self.places, self.status, self.rows = places, status, rows
        self.scalars = ScalarEmitter(builder, flags)

    def emit(self) -> None:
        self.registers = {
            r: [allocate(self.builder, self.register(r), name="sum") for _ in range(r.width)]
            for r in self.nest.reductions
            if r.inner < len(self.nest.box) or not self.nest.box
        }
        self.errors = {
            r: [tuple([allocate(self.builder, self.register(r), name=name) for name in ("total", "error")]) for _ in range(r.width)]
            for r in self.registers
            if r.combine == "add" and r.buffer.type.dtype.kind in "fc" and self.nest.trips > CHUNK
        }
        for buffer, reduction in {r.buffer: r for r in self.nest.reductions if r.partial and not r.filled}.items():
            with self.at_first_row() if buffer.memory.rows is None else nullcontext():
                self.fill(buffer, reduction)
        for group in side_by_side(self.nest):
            self.emit_rows(group)

    def at_first_row(self):
        return self.builder.if_then(self.builder.icmp_signed("==", self.rows[0], ir.Constant(I64, 0))) if self.rows else nullcontext()

    def emit_rows(self, group: Sequence[Region]) -> None:
        """Emit the part of regions that lies in the rows of a block; if they are several, one after another in each iteration of the loops
        around the innermost one."""
        self.group_spans = [self.confined(self.bounds(region.ranges)) for region in group]
        self.spans = self.group_spans[0]
        self.emit_regions(group)

    def confined(self, spans: list[tuple]) -> list[tuple]:
        """Return the bounds of loops, with those of the dimension that is cut confined to `rows`."""
        if self.rows:
            b, (low, high) = self.builder, (ir.Constant(I64, end) if isinstance(end, int) else end for end in spans[self.cut])
            low = b.select(b.icmp_signed("<", low, self.rows[0]), self.rows[0], low)
            high = b.select(b.icmp_signed("<", high, self.rows[1]), high, self.rows[1])
            spans[self.cut] = (low, high)
        return spans

    def register(self, reduction: Reduction) -> ir.Type:
        return register_type(real_dtype(reduction.buffer.type.dtype))

    def fill(self, buffer: Buffer, reduction: Reduction) -> None:
        """Set a whole buffer, or what it holds of a block, to the identity of its reduction."""
        if buffer.type.size == 0:
            return
        place, b, values = buffer.place, self.builder, self.identity(reduction)
        first = b.mul(self.rows[0], ir.Constant(I64, place.pitch)) if place.rows else ir.Constant(I64, 0)
        with Loop(b, 0, place.nbytes // buffer.type.dtype.itemsize - 1) as i:
            for k, value in enumerate(values):
                position = b.add(b.mul(i, ir.Constant(I64, len(values))), ir.Constant(I64, k))
                self.write(buffer, b.add(first, position), value)

    def identity(self, reduction: Reduction) -> list[ir.Value]:
        dtype = real_dtype(reduction.buffer.type.dtype)
        return [constant(value, dtype) for value in (reduction.identity, 0)[: reduction.width]]

    def emit_regions(self, group: Sequence[Region]) -> None:
        self.variables: dict[int, ir.Value] = {}
        updates = {s.reduction: s.parts for region in group for s in region.statements if isinstance(s, Accumulate)}
        level, length = chunks(trips_of(self.nest, group)) if self.errors.keys() & updates.keys() else (-1, 0)
        self.emit_loops(group, updates, 0, level, length)

    def emit_loops(self, group: Sequence[Region], updates, place: int, level: int, length: int) -> None:
        """Emit the loops from the `place`-th on; the one at `level` in pieces of `length` trips, unless that is 0, after each of which sums
        are folded."""
        self.start_registers(updates, place)
        if place == len(self.nest.loops):
            self.emit_body(group[0])
            if place == 0:
                self.flush_registers(updates, 0)
            return
        low, high = self.spans[self.nest.loops[place]]
        if len(group) > 1 and place == len(self.nest.loops) - 1:
            for region, spans in zip(group, self.group_spans, strict=True):
                self.emit_loop([region], updates, place, level, length, spans[self.nest.loops[place]])
            if place == level:
                self.fold(updates, place)
        elif place == level and length and isinstance(low, int):
            b = self.builder
            with Loop(b, 0, (high - low) // length) as number:
                first = b.add(ir.Constant(I64, low), b.mul(number, ir.Constant(I64, length)))
                last = b.add(first, ir.Constant(I64, length - 1))
                last = b.select(b.icmp_signed("<", last, ir.Constant(I64, high)), last, ir.Constant(I64, high))
                self.emit_loop(group, updates, place, level, length, (first, last))
                self.fold(updates, place)
        else:
            self.emit_loop(group, updates, place, level, length, (low, high))
            if place == level:
                self.fold(updates, place)
        self.flush_registers(updates, place)

    def emit_loop(self, group: Sequence[Region], updates, place: int, level: int, length: int, bounds: tuple) -> None:
        low, high = bounds
        inner = place == len(self.nest.loops) - 1 and isinstance(low, int) and isinstance(high, int)
        with Loop(self.builder, low, high, kept=inner and FEW < high - low < MANY) as self.variables[self.nest.loops[place]]:
            self.emit_loops(group, updates, place + 1, level, length)

    def bounds(self, ranges: Ranges) -> list[tuple]:
        """Return the bounds of the loops of a region, numbers or values."""
        found: list[tuple] = []
        for dim, (low, high) in enumerate(ranges):
            if ranges.is_limited(dim):
                low, high = ir.Constant(I64, low), ir.Constant(I64, high)
                for limit in map(self.limit, ranges.lows[dim]):
                    low = self.builder.select(self.builder.icmp_signed("<", low, limit), limit, low)
                for limit in map(self.limit, ranges.highs[dim]):
                    limit = self.builder.sub(limit, ir.Constant(I64, 1))
                    high = self.builder.select(self.builder.icmp_signed("<", limit, high), limit, high)
            found.append((low, high))
        return found

    def limit(self, limit: Index) -> ir.Value:
        """Return the value of a limit of a loop."""
        self.evaluate(reachable(terms(limit)))
        return self.index(limit)

    def fold(self, updates, place: int) -> None:
        """Add each sum so far to a total that keeps what rounding loses (Knuth's two-sum), and start it anew."""
        b = self.builder
        for reduction in updates:
            if reduction in self.errors and reduction.inner <= place:
                type = self.register(reduction)
                for slot, (total, error), zero in zip(self.registers[reduction], self.errors[reduction], self.identity(reduction), strict=True):
                    x, y = b.load(total, typ=type), b.load(slot, typ=type)
                    s = b.fadd(x, y)
                    z = b.fsub(s, x)
                    lost = b.fadd(b.fsub(x, b.fsub(s, z)), b.fsub(y, z))
                    b.store(s, total)
                    b.store(b.fadd(b.load(error, typ=type), lost), error)
                    b.store(zero, slot)

    def start_registers(self, updates, place: int) -> None:
        for reduction in updates:
            if reduction.inner == place and reduction in self.registers:
                for slot, value in zip(self.registers[reduction], self.identity(reduction), strict=True):
                    self.builder.store(value, slot)
                for pair in self.errors.get(reduction, ()):
                    for slot in pair:
                        self.builder.store(ir.Constant(self.register(reduction), 0.0), slot)

    def flush_registers(self, updates, place: int) -> None:
        for reduction in updates:
            if reduction.inner == place and reduction in self.registers:
                self.finish(reduction, self.totals(reduction))

    def totals(self, reduction: Reduction) -> list[ir.Value]:
        """Return the results of a reduction; infinite ones leave no meaningful error."""
        b, parts, type = self.builder, self.held(reduction), self.register(reduction)
        for k, (total, error) in enumerate(self.errors.get(reduction, ())):
            lost = b.load(error, typ=type)
            whole = b.fadd(b.load(total, typ=type), parts[k])
            parts[k] = b.select(b.fcmp_ordered("==", lost, lost), b.fadd(whole, lost), whole)
        return parts

    def held(self, reduction: Reduction) -> list[ir.Value]:
        return [self.builder.load(slot, typ=self.register(reduction)) for slot in self.registers[reduction]]

    def finish(self, reduction: Reduction, parts: list[ir.Value]) -> None:
        """Bring a value to its place in memory."""
        buffer, width = reduction.buffer, reduction.width
        positions = [self.index(buffer.located(reduction.position * width + k)) for k in range(width)]
        if reduction.partial:
            parts = self.combine(reduction, [self.read(buffer, position) for position in positions], parts)
        for position, part in zip(positions, parts, strict=True):
            self.write(buffer, position, part)

    def emit_body(self, region: Region) -> None:
        self.evaluate(reachable(roots(region)))
        for statement in region.statements:
            if isinstance(statement, Store):
                self.write(statement.buffer, self.index(statement.buffer.located(statement.position)), self.values[statement.value.number])
            elif isinstance(statement, ScatterStore):
                self.scatter(statement, self.values[statement.value.number])
            else:
                self.accumulate(statement.reduction, [self.values[part.number] for part in statement.parts])

    def evaluate(self, exprs: Sequence[Expr]) -> None:
        """Emit expressions, operands first; the outcomes of index checks are combined, so that they do not keep a loop from vectorising."""
        self.values = {}
        self.outcomes: list[ir.Value] = []
        for expr in exprs:
            self.values[expr.number] = self.expression(expr)
        if self.outcomes:
            outcome = functools.reduce(self.larger, self.outcomes)
            self.builder.store(self.larger(self.builder.load(self.status, typ=I32), outcome), self.status)

    def larger(self, x: ir.Value, y: ir.Value) -> ir.Value:
        return self.builder.select(self.builder.icmp_signed(">", x, y), x, y)

    def accumulate(self, reduction: Reduction, parts: list[ir.Value]) -> None:
        slots = self.registers.get(reduction)
        if slots is None:
            self.finish(reduction, parts)
        else:
            for slot, value in zip(slots, self.combine(reduction, self.held(reduction), parts), strict=True):
                self.builder.store(value, slot)

    def scatter(self, statement: ScatterStore, value: ir.Value) -> None:
        position = self.index(statement.buffer.located(statement.position))
        if statement.combine == "add":
            before = self.read(statement.buffer, position)
            value = self.builder.or_(before, value) if value.type == I1 else (
                self.builder.fadd if statement.value.dtype.kind == "f" else self.builder.add)(before, value)
        self.write(statement.buffer, position, value)

    def combine(self, reduction: Reduction, x: list[ir.Value], y: list[ir.Value]) -> list[ir.Value]:
        """Combine two partial results; sums and products may be reassociated, so that they vectorise."""
        if reduction.combine == "mul" and reduction.width == 2:
            b, (xr, xi), (yr, yi) = self.builder, x, y
            return [b.fsub(b.fmul(xr, yr), b.fmul(xi, yi)), b.fadd(b.fmul(xr, yi), b.fmul(xi, yr))]
        return [self.combine_real(reduction, *pair) for pair in zip(x, y, strict=True)]

    def combine_real(self, reduction: Reduction, x: ir.Value, y: ir.Value) -> ir.Value:
        b, dtype = self.builder, real_dtype(reduction.buffer.type.dtype)
        name = COMBINE[reduction.combine]
        if dtype.kind == "f":
            if name in ("add", "mul"):
                return (b.fadd if name == "add" else b.fmul)(x, y, flags=(*self.flags, "reassoc"))
            function = b.module.declare_intrinsic(f"llvm.{name}", [x.type], ir.FunctionType(x.type, [x.type] * 2))
            return b.call(function, [x, y])
        if name in ("maximum", "minimum"):
            greater = self.scalars.compare(">", dtype.kind, x, y)
            return b.select(greater, x, y) if name == "maximum" else b.select(greater, y, x)
        return {"add": b.add, "mul": b.mul, "and": b.and_, "or": b.or_}[name](x, y)

    # --- expressions and memory -----------------------------------------------------------------------------------------

    def expression(self, expr: Expr) -> ir.Value:
        op, args = expr.op, expr.args
        if op in ("const", "zero"):
            return constant(args[1] if args else 0, expr.dtype)
        if op == "load":
            return self.read(args[0], self.index(args[0].located(args[1])))
        if op == "index":
            return self.index(args[0])
        if op == "counter":
            return self.places.trips[args[0]]
        if op in ("in_range", "clamp", "index_div", "index_mod"):
            return self.index_operation(op, self.index(args[0]), args[1])
        if op == "checked":
            index, outcome = self.scalars.checked(self.values[args[0].number], args[1].number, args[1].extent)
            self.outcomes.append(outcome)
            return index
        return self.scalars.emit(expr, [self.values[x.number] for x in args])

    def index_operation(self, op: str, i: ir.Value, extent: int) -> ir.Value:
        b, n = self.builder, ir.Constant(I64, extent)
        if op == "in_range":
            return b.icmp_unsigned("<", i, n)
        if op == "clamp":
            return self.scalars.clamp(i, extent)
        return b.udiv(i, n) if op == "index_div" else b.urem(i, n)

    def index(self, index: Index) -> ir.Value:
        b, total = self.builder, None
        for term, coefficient in index.terms:
            value = self.variables[term] if isinstance(term, int) else self.values[term.number]
            if coefficient != 1:
                value = b.mul(value, ir.Constant(I64, coefficient), flags=("nsw",))
            total = value if total is None else b.add(total, value, flags=("nsw",))
        offset = ir.Constant(I64, index.const)
        return offset if total is None else b.add(total, offset, flags=("nsw",)) if index.const else total

    def read(self, buffer: Buffer, position: ir.Value) -> ir.Value:
        value = self.places.load(self.builder, buffer, position)
        return self.builder.icmp_unsigned("!=", value, ir.Constant(I8, 0)) if buffer.type.dtype.kind == "b" else value

    def write(self, buffer: Buffer, position: ir.Value, value: ir.Value) -> None:
        if buffer.type.dtype.kind == "b":
            value = self.builder.zext(value, I8)
        self.places.store(self.builder, buffer, position, value)


def side_by_side(nest: Nest) -> list[list[Region]]:
    """Gather neighbouring regions that differ in the innermost loop alone: what they touch lies together, row by row.

    Those that are restricted by computed limits stay alone, and those whose sums are folded within rows.
    """
    groups: list[list[Region]] = []
    keys: list[tuple | None] = []
    for region in nest.regions:
        plain = len(nest.loops) > 1 and not region.ranges.limits
        key = tuple([region.ranges[dim] for dim in nest.loops[:-1]]) if plain else None
        if key is not None and keys and keys[-1] == key and is_short(nest, [*groups[-1], region]):
            groups[-1].append(region)
        else:
            groups.append([region])
            keys.append(key)
    return groups


def is_short(nest: Nest, group: Sequence[Region]) -> bool:
    """Whether sums over the rows of regions side by side need not be folded before the ends of rows."""
    level, length = chunks(trips_of(nest, group))
    return level < len(nest.loops) - 1 or length == 0


def trips_of(nest: Nest, group: Sequence[Region]) -> list[int]:
    """Return the numbers of trips of the loops of regions side by side."""
    spans = [[region.ranges[dim] for region in group] for dim in nest.loops]
    return [max(highs) - min(lows) + 1 for lows, highs in (zip(*ends, strict=True) for ends in spans)]


def chunks(trips: Sequence[int]) -> tuple[int, int]:
    """Return after which loop sums are folded, and the number of trips after which that is done; 0 if it is all of them."""
    level = max([place for place in range(len(trips)) if math.prod(trips[place:]) >= LEAST_CHUNK], default=0)
    inside = math.prod(trips[level + 1 :])
    return level, 0 if trips[level] * inside <= 2 * CHUNK else max(1, CHUNK // inside)


class Loop:
    """``with Loop(builder, low, high) as i``: emit a loop over low .. high, both included.

    Numbers are such that low <= high; values may be anything. A loop to be `kept` is not unrolled completely, so that it is this one that
    LLVM vectorises, and not the loop around it.
    """

    def __init__(self, builder: ir.IRBuilder, low: int | ir.Value, high: int | ir.Value, kept: bool = False):
        self.builder, self.certain, self.kept = builder, isinstance(low, int), kept
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
        if self.kept:
            branch.set_metadata("llvm.loop", loop_metadata(b.module, "llvm.loop.unroll.disable"))
        b.position_at_end(self.after)


def loop_metadata(module: ir.Module, property: str) -> ir.MDValue:
    """Return metadata for one loop: a node that refers to itself, and a property."""
    text = module.add_metadata([property])
    node = ir.MDValue(module, [], name=str(len(module.metadata)))
    node.operands = (node, text)
    return node
