"""Loop nests in LLVM IR: large ones as functions of their own, whose pointer arguments are ``noalias``, small ones where they run.

In: a `Nest`. Out: an LLVM function of its buffers that returns 0, or the number of the index check that failed; or code at the current
place, which notes that number. Invariant: the innermost loop's body is straight-line code.
"""

from __future__ import annotations

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


def emit_function(
    module: ir.Module, name: str, nest: Nest, flags: tuple[str, ...], known: dict[tuple, ir.Function]
) -> tuple[ir.Function, list[Buffer], list[Counter]]:
    """Return the function of a nest, and the buffers and counters it takes; `known` are those that are there, by the form of their nests."""
    used, trips = list(dict.fromkeys(buffer.place for buffer in buffers(nest))), counters(nest)
    key = form(nest, used, trips)
    if key in known:
        return known[key], used, trips
    function = ir.Function(module, ir.FunctionType(I32, [POINTER] * len(used) + [I64] * len(trips)), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    function.attributes.add("nounwind")
    pointers = function.args[: len(used)]
    for argument in pointers:
        argument.add_attribute("noalias")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    status = builder.alloca(I32, name="status")
    builder.store(ir.Constant(I32, 0), status)
    places = Places(dict(zip(used, pointers, strict=True)), dict(zip(trips, function.args[len(used) :], strict=True)))
    NestEmitter(builder, nest, flags, places, status).emit()
    builder.ret(builder.load(status, typ=I32))
    known[key] = function
    return function, used, trips


class NestEmitter:
    """Emits a nest at the current place; `status` is where the number of a failed check goes."""

    def __init__(self, builder: ir.IRBuilder, nest: Nest, flags: tuple[str, ...], places: Places, status):
        self.builder, self.nest, self.flags = builder, nest, flags
        self.places, self.status = places, status
        self.scalars = ScalarEmitter(builder, flags)

    def emit(self) -> None:
        self.registers = {
            r: [allocate(self.builder, self.register(r), name="sum") for _ in range(r.width)]
            for r in self.nest.reductions
            if r.inner < len(self.nest.box) or not self.nest.box
        }
        for buffer, reduction in {r.buffer: r for r in self.nest.reductions if r.partial}.items():
            self.fill(buffer, reduction)
        for region in self.nest.regions:
            self.emit_region(region)

    def register(self, reduction: Reduction) -> ir.Type:
        return register_type(real_dtype(reduction.buffer.type.dtype))

    def fill(self, buffer: Buffer, reduction: Reduction) -> None:
        """Set a whole buffer to the identity of its reduction."""
        if buffer.type.size == 0:
            return
        with Loop(self.builder, 0, buffer.type.size - 1) as i:
            self.write_parts(buffer, i, self.identity(reduction))

    def identity(self, reduction: Reduction) -> list[ir.Value]:
        dtype = real_dtype(reduction.buffer.type.dtype)
        return [constant(value, dtype) for value in (reduction.identity, 0)[: reduction.width]]

    def emit_region(self, region: Region) -> None:
        loops: list[Loop] = []
        self.variables: list[ir.Value] = []
        updates = {s.reduction: s.parts for s in region.statements if isinstance(s, Accumulate)}
        for dim, (low, high) in enumerate(self.bounds(region.ranges)):
            self.start_registers(updates, dim)
            inner = dim == len(region.ranges) - 1 and isinstance(low, int) and isinstance(high, int)
            loops.append(Loop(self.builder, low, high, kept=inner and FEW < high - low < MANY))
            self.variables.append(loops[-1].__enter__())
        self.start_registers(updates, len(region.ranges))
        self.emit_body(region)
        for dim in reversed(range(len(region.ranges))):
            loops[dim].__exit__(None, None, None)
            self.flush_registers(updates, dim)
        if not region.ranges:
            self.flush_registers(updates, 0)

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
        self.values = {}
        for expr in reachable(terms(limit)):
            self.values[expr.number] = self.expression(expr)
        return self.index(limit)

    def start_registers(self, updates, dim: int) -> None:
        for reduction in updates:
            if reduction.inner == dim and reduction in self.registers:
                for slot, value in zip(self.registers[reduction], self.identity(reduction), strict=True):
                    self.builder.store(value, slot)

    def flush_registers(self, updates, dim: int) -> None:
        for reduction in updates:
            if reduction.inner == dim and reduction in self.registers:
                self.finish(reduction, self.held(reduction))

    def held(self, reduction: Reduction) -> list[ir.Value]:
        return [self.builder.load(slot, typ=self.register(reduction)) for slot in self.registers[reduction]]

    def finish(self, reduction: Reduction, parts: list[ir.Value]) -> None:
        """Bring a value to its place in memory."""
        position = self.index(reduction.position)
        if reduction.partial:
            parts = self.combine(reduction, self.read_parts(reduction.buffer, position), parts)
        self.write_parts(reduction.buffer, position, parts)

    def emit_body(self, region: Region) -> None:
        self.values = {}
        for expr in reachable(roots(region)):
            self.values[expr.number] = self.expression(expr)
        for statement in region.statements:
            if isinstance(statement, Store):
                self.write(statement.buffer, self.index(statement.position), self.values[statement.value.number])
            elif isinstance(statement, ScatterStore):
                self.scatter(statement, self.values[statement.value.number])
            else:
                self.accumulate(statement.reduction, [self.values[part.number] for part in statement.parts])

    def accumulate(self, reduction: Reduction, parts: list[ir.Value]) -> None:
        slots = self.registers.get(reduction)
        if slots is None:
            self.finish(reduction, parts)
        else:
            for slot, value in zip(slots, self.combine(reduction, self.held(reduction), parts), strict=True):
                self.builder.store(value, slot)

    def scatter(self, statement: ScatterStore, value: ir.Value) -> None:
        position = self.index(statement.position)
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
            return self.read(args[0], self.index(args[1]))
        if op == "index":
            return self.index(args[0])
        if op == "counter":
            return self.places.trips[args[0]]
        if op in ("in_range", "clamp", "index_div", "index_mod"):
            return self.index_operation(op, self.index(args[0]), args[1])
        if op == "checked":
            check = args[1]
            return self.scalars.checked(self.values[args[0].number], check.number, check.extent, self.status)
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

    def parts_positions(self, buffer: Buffer, position: ir.Value) -> list[ir.Value]:
        """Return the positions of the real parts of an element."""
        if buffer.type.dtype.kind != "c":
            return [position]
        b = self.builder
        first = b.mul(position, ir.Constant(I64, 2), flags=("nsw",))
        return [first, b.add(first, ir.Constant(I64, 1), flags=("nsw",))]

    def read_parts(self, buffer: Buffer, position: ir.Value) -> list[ir.Value]:
        return [self.read(buffer, place) for place in self.parts_positions(buffer, position)]

    def write_parts(self, buffer: Buffer, position: ir.Value, parts: list[ir.Value]) -> None:
        for place, part in zip(self.parts_positions(buffer, position), parts, strict=True):
            self.write(buffer, place, part)


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
