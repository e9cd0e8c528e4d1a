"""Loop nests in LLVM IR: large ones as functions of their own, whose pointer arguments are ``noalias``, small ones where they run.

In: a `Nest`. Out: an LLVM function of its buffers that returns 0, or the number of the index check that failed; or code at the current
place, which notes that number. Invariant: the innermost loop's body is straight-line code.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Sequence
from contextlib import nullcontext

from llvmlite import ir

from jitad.codegen import machine
from jitad.codegen.accumulators import Accumulators, Copy, chunks, identity
from jitad.codegen.elementary.variants import mark
from jitad.codegen.iterations import IterationEmitter
from jitad.codegen.loop import Loop
from jitad.codegen.memory import Places
from jitad.codegen.scalars import I8, I32, I64, POINTER
from jitad.codegen.streaming import fetch, stream
from jitad.lower.grammar.forms import form
from jitad.lower.grammar.index import Index
from jitad.lower.grammar.loops import Accumulate, Buffer, Counter, Nest, Reduction, Region, ScatterStore, Store
from jitad.lower.grammar.regions import Ranges
from jitad.lower.grammar.walk import buffers, counters, expressions, reachable, roots, terms, varying

FEW, MANY = 4, 64  # trips of an innermost loop that LLVM would unroll completely, but that is long enough to be vectorised
FLAT = 256  # iterations of loops that LLVM may unroll all of
MOST_POINTERS = 32
AHEAD = 2  # rows


def emit_function(
    module: ir.Module, name: str, nest: Nest, strict: bool, known: dict[tuple, ir.Function], cut: int | None,
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
    if (apart := machine.apart()) and has_computed_places(nest):
        mark(function, apart)
    pointers = dict(zip(taken, function.args, strict=False))
    for argument in pointers.values():
        argument.add_attribute("noalias")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    status = builder.alloca(I32, name="status")
    builder.store(ir.Constant(I32, 0), status)
    pointers |= {buffer: builder.gep(pointers[None], [ir.Constant(I64, buffer.offset)], source_etype=I8) for buffer in found}
    places = Places(pointers, dict(zip(trips, function.args[len(taken) :], strict=False)))
    rows = () if cut is None else function.args[-2:]

    def fail(bad: ir.Value, number: ir.Value) -> None:
        with builder.if_then(bad, likely=False):
            builder.ret(number)

    NestEmitter(builder, nest, strict, places, status, rows, cut or 0, fail).emit()
    builder.ret(builder.load(status, typ=I32))
    known[key] = function
    return function, taken, trips


def has_computed_places(nest: Nest) -> bool:
    """Whether iterations load from where numbers tell that are computed in them."""
    loads = [expr.args[1] for region in nest.regions for expr in expressions(region) if expr.op == "load"]
    return any(term.op != "counter" for index in loads for term in terms(index))


def scatters(nest: Nest) -> bool:
    """Whether the innermost loop writes to places that it loads, one after another: vectors would not help it, and it may stop anywhere."""
    stores = [statement for region in nest.regions for statement in region.statements if isinstance(statement, ScatterStore)]
    loads = [expr.args[1] for expr in reachable([term for store in stores for term in terms(store.position)]) if expr.op == "load"]
    return any(dim == nest.loops[-1] for index in loads for dim, _ in index.terms)


class NestEmitter(IterationEmitter):
    """Emits a nest at the current place; `rows` is the range of the dimension that is `cut`, if not all of it is to run. A nest without loops,
    or one that scatters, stops at a failed check by `fail`, if that is given."""

    def __init__(
        self, builder: ir.IRBuilder, nest: Nest, strict: bool, places: Places, status: ir.Value, rows: Sequence[ir.Value] = (),
        cut: int = 0, fail: Callable[[ir.Value, ir.Value], None] | None = None,
    ):  # fmt: skip
        super().__init__(builder, nest, strict, places, status, fail if not nest.loops or scatters(nest) else None)
        self.rows, self.cut, self.plain = rows, cut, nest.plain
        self.accumulators = Accumulators(self)

    def emit(self) -> None:
        for buffer, reduction in {r.buffer: r for r in self.nest.reductions if r.partial and not r.filled}.items():
            with self.at_first_row() if buffer.memory.rows is None else nullcontext():
                self.fill(buffer, reduction)
        for group in side_by_side(self.nest):
            self.emit_rows(group)

    def at_first_row(self):
        return self.builder.if_then(self.builder.icmp_signed("==", self.rows[0], ir.Constant(I64, 0))) if self.rows else nullcontext()

    def fill(self, buffer: Buffer, reduction: Reduction) -> None:
        """Set a whole buffer, or what it holds of a block, to the identity of its reduction."""
        if buffer.type.size == 0:
            return
        place, b, values = buffer.place, self.builder, identity(reduction)
        first = b.mul(self.rows[0], ir.Constant(I64, place.pitch)) if place.rows else ir.Constant(I64, 0)
        with Loop(b, 0, place.nbytes // buffer.type.dtype.itemsize - 1) as i:
            for k, value in enumerate(values):
                position = b.add(b.mul(i, ir.Constant(I64, len(values))), ir.Constant(I64, k))
                self.write(buffer, b.add(first, position), value)

    # --- loops ----------------------------------------------------------------------------------------------------------

    def emit_rows(self, group: Sequence[Region]) -> None:
        """Emit the part of regions that lies in the rows of a block; if they are several, one after another in each iteration of the loops
        around the innermost one."""
        self.group_spans = [self.confined(self.bounds(region.ranges)) for region in group]
        self.spans = self.group_spans[0]
        self.jam = dict(self.nest.jam) if len(group) == 1 else {}
        self.updates = {s.reduction: s.parts for region in group for s in region.statements if isinstance(s, Accumulate)}
        jammed = [place for place, dim in enumerate(self.nest.loops) if dim in self.jam]
        folded = self.accumulators.begin(self.updates, jammed)
        self.level, self.length = chunks(trips_of(self.nest, group)) if folded else (-1, 0)
        self.emit_loops(group, 0, [Copy({}, ())])

    def confined(self, spans: list[tuple]) -> list[tuple]:
        """Return the bounds of loops, with those of the dimension that is cut confined to `rows`."""
        if self.rows:
            b, (low, high) = self.builder, (ir.Constant(I64, end) if isinstance(end, int) else end for end in spans[self.cut])
            low = b.select(b.icmp_signed("<", low, self.rows[0]), self.rows[0], low)
            high = b.select(b.icmp_signed("<", high, self.rows[1]), high, self.rows[1])
            spans[self.cut] = (low, high)
        return spans

    def emit_loops(self, group: Sequence[Region], place: int, copies: Sequence[Copy]) -> None:
        """Emit the loops from the `place`-th on; the one at `level` in pieces of `length` trips, unless that is 0, after each of which sums
        are folded."""
        sums = self.accumulators
        sums.start(place, copies)
        if place == len(self.nest.loops):
            self.emit_body(group[0], copies)
            if place == 0:
                sums.flush(0, copies)
            return
        low, high = self.spans[self.nest.loops[place]]
        if self.nest.far and place and place == len(self.nest.loops) - 1:
            self.fetch_ahead(max(group, key=lambda region: trips_of(self.nest, [region])[-1]), copies)
        if self.nest.streamed and place == len(self.nest.loops) - 1:
            self.emit_stream(group[0], low, high, copies[0])
        elif len(group) > 1 and place == len(self.nest.loops) - 1:
            for region, spans in zip(group, self.group_spans, strict=True):
                self.emit_loop([region], place, spans[self.nest.loops[place]], copies)
            if place == self.level:
                sums.fold(place, copies)
        elif place == self.level and self.length and isinstance(low, int):
            b, length = self.builder, self.length
            with Loop(b, 0, (high - low) // length) as number:
                first = b.add(ir.Constant(I64, low), b.mul(number, ir.Constant(I64, length)))
                last = b.add(first, ir.Constant(I64, length - 1))
                last = b.select(b.icmp_signed("<", last, ir.Constant(I64, high)), last, ir.Constant(I64, high))
                self.emit_loop(group, place, (first, last), copies)
                sums.fold(place, copies)
        else:
            self.emit_loop(group, place, (low, high), copies)
            if place == self.level:
                sums.fold(place, copies)
        sums.flush(place, copies)

    def emit_loop(self, group: Sequence[Region], place: int, bounds: tuple, copies: Sequence[Copy]) -> None:
        low, high = bounds
        dim, b = self.nest.loops[place], self.builder
        step = self.jam.get(dim, 1)
        if step > 1:
            known = isinstance(low, int) and isinstance(high, int)
            first = ir.Constant(I64, low) if isinstance(low, int) else low
            last = ir.Constant(I64, high) if isinstance(high, int) else high
            count = (high - low + 1) // step if known else b.sdiv(b.add(b.sub(last, first), ir.Constant(I64, 1)), ir.Constant(I64, step))
            end = count - 1 if known else b.sub(count, ir.Constant(I64, 1))
            if not known or count:
                with Loop(b, 0 if known else ir.Constant(I64, 0), end) as number:
                    start = b.add(first, b.mul(number, ir.Constant(I64, step)), flags=("nsw",))
                    numbers = [start, *[b.add(start, ir.Constant(I64, k), flags=("nsw",)) for k in range(1, step)]]
                    self.emit_loops(group, place + 1, [copy.at(dim, i, k) for copy in copies for k, i in enumerate(numbers)])
            low = low + count * step if known else b.add(first, b.mul(count, ir.Constant(I64, step)))
            if known and low > high:
                return
            plain, self.plain = self.plain, True  # these are few
            self.emit_trips(group, place, (low, high), [copy.at(dim, low, 0) for copy in copies])
            self.plain = plain
        else:
            self.emit_trips(group, place, bounds, copies)

    def emit_trips(self, group: Sequence[Region], place: int, bounds: tuple, copies: Sequence[Copy]) -> None:
        """Emit a loop one iteration of which is run at a time."""
        (low, high), dim = bounds, self.nest.loops[place]
        if place == len(self.nest.loops) - 1:
            kept = isinstance(low, int) and isinstance(high, int) and FEW < high - low < MANY
        else:
            kept = math.prod(self.nest.box[dim] for dim in self.nest.loops[place:]) > FLAT
        middle = self.accumulators.whole_vectors(place, low, high) if not self.plain else None
        spans = [(low, high)] if middle is None else [(low, middle - 1), (middle, high)]
        for number, (first, last) in enumerate(spans):
            set_aside = self.accumulators.set_aside(place, copies) if number else []
            unrolled = number + 1 < len(spans) and last - first < 2 * MANY
            with Loop(self.builder, first, last, kept=kept or self.plain or unrolled, plain=self.plain) as i:
                self.emit_loops(group, place + 1, [copy.with_variable(dim, i) for copy in copies])
            self.accumulators.put_together(set_aside)

    def emit_stream(self, region: Region, low: int, high: int, copy: Copy) -> None:
        """Copy a row past the caches."""
        (statement,), b = region.statements, self.builder
        self.variables = {**copy.variables, self.nest.loops[-1]: ir.Constant(I64, low)}
        (source, start), itemsize = statement.value.args, statement.buffer.type.dtype.itemsize
        target = self.places.address(b, statement.buffer, self.index(statement.buffer.located(statement.position)))
        stream(b, target, self.places.address(b, source, self.index(source.located(start))), ir.Constant(I64, (high - low + 1) * itemsize))

    def fetch_ahead(self, region: Region, copies: Sequence[Copy]) -> None:
        """Fetch what the innermost loop reads from far in a later row: of neighbouring rows the last one."""
        *_, outer, inner = self.nest.loops
        (low, high), found = region.ranges[inner], {}
        for expr in expressions(region):
            if expr.op == "load" and expr.args[0].memory in self.nest.far:
                buffer, position = expr.args
                key, factors = (buffer.place, position.terms), dict(position.terms)
                if factors.get(inner) == 1 and outer in factors and (key not in found or found[key][1].const < position.const):
                    found[key] = buffer, position + factors[outer] * AHEAD
        for copy, (buffer, position) in itertools.product(copies, found.values()):
            self.variables = {**copy.variables, inner: ir.Constant(I64, low)}
            self.evaluate(reachable(terms(position)))
            fetch(self.builder, self.places, buffer, self.index(buffer.located(position)), high - low + 1)

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

    # --- bodies ---------------------------------------------------------------------------------------------------------

    def emit_body(self, region: Region, copies: Sequence[Copy]) -> None:
        """Emit an iteration of each copy: first what they compute, then what they write."""
        exprs = reachable(roots(region))
        apart = varying(exprs, [dim for dim in self.nest.loops if dim in self.jam], self.written) if len(copies) > 1 else set()
        computed = []
        self.sharers, self.apart = len(copies), apart
        self.divisors = {}
        for number, copy in enumerate(copies):
            self.variables = copy.variables
            self.divisors = {number: divisor for number, divisor in self.divisors.items() if number not in apart}
            self.evaluate(exprs if number == 0 else [expr for expr in exprs if expr.number in apart], computed[0] if number else {})
            computed.append(self.values)
        for copy, self.values in zip(copies, computed, strict=True):
            self.variables = copy.variables
            for statement in region.statements:
                self.emit_statement(statement, copy)

    def emit_statement(self, statement, copy: Copy) -> None:
        if isinstance(statement, Store):
            self.write(statement.buffer, self.index(statement.buffer.located(statement.position)), self.values[statement.value.number])
        elif isinstance(statement, ScatterStore):
            self.scatter(statement, self.values[statement.value.number])
        else:
            factors = [[self.values[x.number] for x in part.args] if part.op == "mul" else None for part in statement.parts]
            self.accumulators.accumulate(statement.reduction, [self.values[part.number] for part in statement.parts], factors, copy)


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
