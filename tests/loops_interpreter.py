"""Loops evaluated with NumPy, with a memory that knows what has been written: a helper of the tests of lowering.

Reading an element that no step has written, or whose bytes have since gone to another buffer, is an error.
"""

import itertools

import numpy as np
from numpy.lib.stride_tricks import as_strided

from jitad.ir.registry import REGISTRY
from jitad.ir.types import real_dtype
from jitad.lower.grammar.loops import Accumulate, Call, Choice, Counter, Nest, Parallel, Repeat, ScatterStore, Strips
from jitad.lower.grammar.walk import expressions, reachable, reads, roots, terms, writes

COMBINE = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum, "and": np.logical_and, "or": np.logical_or}


def parts_of(buffer) -> int:
    """Return the number of real parts of the elements of a buffer."""
    return buffer.nbytes // real_dtype(buffer.type.dtype).itemsize


class Storage:
    """A piece of memory, as a flat array of real parts; `start` is its place in the workspace, None for inputs and outputs."""

    def __init__(self, buffer):
        part = real_dtype(buffer.type.dtype)
        count = buffer.nbytes // part.itemsize
        self.values = np.ones(count, bool) if part.kind == "b" else np.frombuffer(b"\x5a" * buffer.nbytes, part).copy()
        self.written = np.zeros(count, bool)
        self.start, self.end = (buffer.offset, buffer.offset + buffer.nbytes) if buffer.kind == "work" else (None, None)
        self.name = buffer.name

    def lose(self, low, high):
        """Forget what is in these bytes of the workspace."""
        starts = self.start + self.values.itemsize * np.arange(len(self.values))
        self.written[(starts < high) & (starts + self.values.itemsize > low)] = False


class Memory:
    """Which storage each buffer names now, and the trip numbers of the loops that run."""

    def __init__(self, loops, arrays):
        self.places, self.trips, self.slots = {}, {}, {}
        for buffer, array in zip(loops.inputs, arrays, strict=True):
            self.store(buffer, array)

    def of(self, buffer) -> Storage:
        if buffer.memory not in self.places:
            self.places[buffer.memory] = Storage(buffer.memory)
        return self.places[buffer.memory]

    def start(self, buffer):
        """Return the position in its memory at which a buffer begins."""
        place = buffer.place
        if place.row is None:
            return 0
        return self.start(place.alias) + (self.trips[place.row.counter] + place.row.shift) * parts_of(place)

    def within(self, buffer, places):
        """Return where in its memory elements of a buffer are now; it may be a row, turned, or hold only the rows of a block."""
        if buffer.place.columns is not None:
            width, height = buffer.place.columns
            places = places % width * height + places // width
        places, buffer = places + self.start(buffer), buffer.memory
        return places - self.row * buffer.pitch if buffer.rows else places

    def read(self, buffer, places):
        storage, places = self.of(buffer), self.within(buffer, places)
        assert np.all((places >= 0) & (places < len(storage.values))), f"reads {buffer.name} outside"
        assert np.all(storage.written[places]), f"reads {buffer.name} where it is not written"
        return storage.values[places]

    def write(self, buffer, places, values):
        storage, places = self.of(buffer), self.within(buffer, places)
        assert np.all((places >= 0) & (places < len(storage.values))), f"writes {buffer.name} outside"
        storage.written[places] = True
        storage.values[places] = values
        if storage.start is not None:
            for other in self.places.values():
                if other is not storage and other.start is not None:
                    other.lose(storage.start, storage.end)

    def array(self, buffer, type=None):
        """Return the elements as an array of `type`."""
        type = type or buffer.type
        values = self.read(buffer, np.arange(parts_of(buffer.place)))
        return values.view(type.dtype).reshape(type.shape)

    def store(self, buffer, array):
        """Write all elements."""
        values = np.ascontiguousarray(array, buffer.type.dtype).reshape(-1).view(real_dtype(buffer.type.dtype))
        self.write(buffer, np.arange(len(values)), values)

    def move(self, moves):
        self.places.update({buffer: self.of(source) for buffer, source in moves.items()})


def run_loops(loops, *arrays):
    """Return the outputs of `loops`."""
    memory = Memory(loops, arrays)
    with np.errstate(all="ignore"):
        run_steps(loops.steps, memory)
    return [memory.array(buffer).copy() for buffer in loops.outputs]


def run_steps(steps, memory):
    for step in steps:
        {Nest: run_nest, Call: run_call, Choice: run_choice, Repeat: run_repeat, Strips: run_strips, Parallel: run_parallel}[type(step)](step, memory)


def run_strips(strips, memory, rows=None):
    """What only one block of rows needs is forgotten after it."""
    local = [buffer for buffer in reads(strips) | writes(strips) if buffer.rows is not None]
    first, last = rows or (0, strips.extent - 1)
    for memory.row in range(first, last + 1, strips.block):
        for buffer in local:
            memory.of(buffer).written[:] = False
        for nest, lag in zip(strips.steps, strips.lags or [0] * len(strips.steps), strict=True):
            run_nest(nest, memory, (memory.row - lag, min(memory.row + strips.block - 1, last) - lag), nest.loops[0] if strips.lags else 0)
    memory.row = 0


def run_parallel(step, memory):
    """Pieces may run in any order."""
    for piece in reversed(range(step.pieces)):
        memory.trips[step.piece] = piece
        for part in step.steps:
            rows = piece * step.block, min((piece + 1) * step.block, step.rows) - 1
            if isinstance(part, Strips):
                run_strips(part, memory, rows)
            else:
                run_nest(part, memory, rows, step.cut)


def run_choice(choice, memory):
    index = int(memory.array(choice.index))
    run_steps(choice.branches[min(max(index, 0), len(choice.branches) - 1)], memory)


def run_repeat(repeat, memory):
    count = repeat.count
    if not isinstance(count, int):
        count = memory.trips[count] if isinstance(count, Counter) else int(memory.array(count))
    trip = 0
    while trip < count:
        number = memory.trips[repeat.counter] = count - 1 - trip if repeat.reverse else trip
        for buffer in repeat.tape.slots if repeat.tape else ():
            memory.places[buffer] = memory.slots.setdefault((buffer, number), Storage(buffer))
        run_steps(repeat.test, memory)
        if repeat.goes_on is not None and not memory.array(repeat.goes_on):
            break
        if repeat.wave is not None:
            trip += run_wave(repeat, memory, trip, min(repeat.wave.depth, count - trip))
            continue
        run_steps(repeat.steps, memory)
        finish_trip(repeat, memory)
        trip += 1
    if repeat.trips is not None:
        memory.store(repeat.trips, np.int64(trip))


def finish_trip(repeat, memory):
    copied = {buffer: memory.array(source).copy() for buffer, source in repeat.copies.items()}
    memory.move(repeat.moves)
    for buffer, array in copied.items():
        memory.store(buffer, array)


def run_wave(repeat, memory, first, depth):
    """Run trips that trail one another, and return how many they are."""
    (*small, strips), wave = repeat.steps, repeat.wave
    before = {buffer: memory.of(buffer) for buffer in repeat.moves}
    kept = {buffer: memory.array(buffer).copy() for buffer in wave.kept}
    number, most = memory.trips[repeat.counter], depth - 1
    for low in range(-most * wave.ahead, strips.extent + most * wave.lag, strips.block):
        memory.places.update(before)
        for buffer, array in kept.items():
            memory.store(buffer, array)
        for behind in range(depth):
            memory.trips[repeat.counter] = number - behind if repeat.reverse else number + behind
            run_steps(small, memory)
            start = (behind - most) * wave.ahead
            rows = range(max(low - behind * wave.lag, start), min(low - behind * wave.lag + strips.block, start + strips.extent))
            for part in ([row + strips.rows for row in rows if row < 0], [row for row in rows if row >= 0]) if wave.ahead else (rows,):
                if part:
                    run_strips(strips, memory, (part[0], part[-1]))
            finish_trip(repeat, memory)
    return depth


def run_call(call, memory):
    if call.routine == "gemm":
        results = [product(call, memory, right) for right in call.inputs[1:]]
    else:
        primitive = REGISTRY[call.routine]
        arrays = [memory.array(buffer, type) for buffer, type in zip(call.inputs, call.input_types, strict=True)]
        results = primitive.evaluate(*arrays, **call.params)
        results = results if primitive.multiple else [results]
    for buffer, array in zip(call.outputs, results, strict=True):
        memory.store(buffer, array)


def product(call, memory, right):
    def matrices(m, buffer):
        flat = memory.array(buffer).reshape(-1)
        strides = [k * flat.itemsize for k in (m.batch_stride, m.row_stride, m.column_stride)]
        assert (m.batch - 1) * m.batch_stride + (m.rows - 1) * m.row_stride + (m.columns - 1) * m.column_stride < flat.size
        return as_strided(flat, (m.batch, m.rows, m.columns), strides)

    result = matrices(call.params["x"], call.inputs[0]) @ matrices(call.params["y"], right)
    return result.swapaxes(1, 2) if call.params["turned"] else result


def run_nest(nest, memory, rows=None, cut=0):
    """All iterations of a region at once, or one after another if some read what others write.

    If `rows` are given, only those of the dimension that is `cut`.
    """
    started = {reduction: np.zeros(reduction.buffer.type.size, bool) for reduction in nest.reductions}
    for reduction in nest.reductions:
        if reduction.partial:
            if not reduction.filled and (rows is None or rows[0] == 0 or reduction.buffer.memory.rows):
                fill(reduction, memory)
            started[reduction][:] = True
    for region in nest.regions:
        spans = loop_bounds(region.ranges, memory)
        if rows is not None:
            spans[cut] = range(max(spans[cut].start, rows[0]), min(spans[cut].stop, rows[1] + 1))
        stored = {(s.buffer.memory, s.position) for s in region.statements if not isinstance(s, Accumulate)}
        loaded = {(expr.args[0].memory, expr.args[1]) for expr in expressions(region) if expr.op == "load"}
        if {buffer for buffer, _ in stored} & {buffer for buffer, _ in loaded - stored}:
            for point in itertools.product(*spans):
                run_region(region, [np.array([i]) for i in point] or [np.array([0])], memory, started)
        else:
            grid = np.meshgrid(*[np.array(span, int) for span in spans], indexing="ij")
            run_region(region, [g.reshape(-1) for g in grid] or [np.array([0])], memory, started)


def loop_bounds(ranges, memory):
    """Return the values of each loop variable."""
    none = ((),) * len(ranges)

    def index(limit):
        values = {}

        def number(i):
            return sum((coefficient * values[term.number] for term, coefficient in i.terms), np.full(1, i.const))

        for expr in reachable(terms(limit)):
            values[expr.number] = evaluate(expr, number, values, memory, 1)
        return number(limit)

    return [range(max([low, *[int(index(x)[0]) for x in lows]]),
                  min([high + 1, *[int(index(x)[0]) for x in highs]]))
            for (low, high), lows, highs in zip(ranges, ranges.lows or none, ranges.highs or none, strict=True)]


def fill(reduction, memory):
    storage, start = memory.of(reduction.buffer), memory.start(reduction.buffer)
    memory.write(reduction.buffer, np.arange(0), 0)
    own = slice(start, start + parts_of(reduction.buffer.place))
    storage.written[own] = True
    storage.values[own] = reduction.identity
    if reduction.width == 2:
        storage.values[own][1::2] = 0


def run_region(region, variables, memory, started):
    count, values = len(variables[0]), {}

    def index(i):
        total = np.full(count, i.const)
        for term, coefficient in i.terms:
            total = total + coefficient * (variables[term] if isinstance(term, int) else values[term.number])
        return total

    for expr in reachable(roots(region)):
        values[expr.number] = evaluate(expr, index, values, memory, count)
    for statement in region.statements:
        if isinstance(statement, Accumulate):
            accumulate(statement, index(statement.reduction.position), values, memory, started[statement.reduction])
            continue
        places, value = index(statement.position), values[statement.value.number]
        if isinstance(statement, ScatterStore) and statement.combine == "add":
            memory.read(statement.buffer, places)
            np.add.at(memory.of(statement.buffer).values, memory.within(statement.buffer, places), value)
        else:
            memory.write(statement.buffer, places, value)


def accumulate(statement, places, values, memory, started):
    """A reduction that is not partial finds its identity in the place of the first element."""
    reduction = statement.reduction
    width, data = reduction.width, memory.of(reduction.buffer).values
    fresh = places[~started[places]]
    for part, start in enumerate((reduction.identity, 0)[:width]):
        memory.write(reduction.buffer, fresh * width + part, start)
    started[places] = True
    parts = [values[part.number] for part in statement.parts]
    found = [memory.within(reduction.buffer, places * width + part) for part in range(width)]
    if width == 2 and reduction.combine == "mul":
        for real, imag, factor in zip(*found, parts[0] + 1j * parts[1], strict=True):
            product = complex(data[real], data[imag]) * factor
            data[real], data[imag] = product.real, product.imag
    else:
        for place, part in zip(found, parts, strict=True):
            COMBINE[reduction.combine].at(data, place, part)


def evaluate(expr, index, values, memory, count):
    op, args = expr.op, expr.args
    if op in ("const", "zero"):
        return np.full(count, args[1] if args else 0, expr.dtype)
    if op == "load":
        return memory.read(args[0], index(args[1]))
    if op == "index":
        return index(args[0])
    if op == "counter":
        return np.full(count, memory.trips[args[0]])
    if op == "in_range":
        return (index(args[0]) >= 0) & (index(args[0]) < args[1])
    if op == "clamp":
        return np.clip(index(args[0]), 0, args[1] - 1)
    if op in ("index_div", "index_mod"):
        assert np.all(index(args[0]) >= 0)
        return index(args[0]) // args[1] if op == "index_div" else index(args[0]) % args[1]
    operands = [values[x.number] if not hasattr(x, "extent") else x for x in args]
    if op == "checked":
        i, check = operands
        i = np.where(i < 0, i + check.extent, i)
        assert np.all((i >= 0) & (i < check.extent)), "index check"
        return i
    if op == "convert":
        return operands[0].astype(expr.dtype)
    return np.asarray(REGISTRY[op].evaluate(*operands))
