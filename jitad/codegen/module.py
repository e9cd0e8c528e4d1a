"""One kernel as an LLVM function: its steps, one after another.

In: `Loops` and an LLVM module. Out: an internal function ``body(inputs..., outputs..., workspace, threads) -> i32`` on pointers, which returns 0
or the number of the failure; `threads` is how many it may use. Invariant: it allocates nothing but tapes, and calls nothing that takes the GIL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from llvmlite import ir

from jitad.codegen.failures import tape_number
from jitad.codegen.library.calls import emit as emit_call
from jitad.codegen.loop import Loop
from jitad.codegen.memory import Places, apart, parts
from jitad.codegen.nests import NestEmitter
from jitad.codegen.parts import emit_part, parts_of
from jitad.codegen.scalars import I1, I8, I32, I64, POINTER, memory_type
from jitad.codegen.tapes import Tapes
from jitad.codegen.threads.tasks import FunctionsOfNests, blocks, emit_each, emit_parallel
from jitad.ir.lowering import UNBOUNDED
from jitad.lower.grammar.loops import Buffer, Call, Choice, Counter, Loops, Nest, Parallel, Repeat, Step, Strips, Wave
from jitad.lower.grammar.walk import buffers, children, has_checks, reads, writes
from jitad.lower.memory.workspace import exchanged

SMALL = 256  # bytes of a buffer that may lie on the stack
STACK = 65536  # bytes of all of these
FEW_TRIPS = 64  # of a nest that is run where it stands in a loop, without a call


def emit_body(module: ir.Module, loops: Loops, name: str, strict: bool = False) -> ir.Function:
    """Return the function that runs `loops`."""
    return BodyEmitter(module, loops, name, strict).emit()


class BodyEmitter:
    """Emits the body of one kernel. `places` tells where the memory of each buffer is at the current place."""

    def __init__(self, module: ir.Module, loops: Loops, name: str, strict: bool):
        self.loops, self.name, self.strict = loops, name, strict
        arguments = [*loops.inputs, *loops.outputs]
        self.function = ir.Function(module, ir.FunctionType(I32, [*[POINTER] * (len(arguments) + 1), I32]), name)
        self.function.linkage = "internal"
        self.function.attributes.add("noinline")
        *pointers, self.workspace, self.threads = self.function.args
        for argument in (*pointers, self.workspace):
            argument.add_attribute("noalias")
        self.builder = ir.IRBuilder(self.function.append_basic_block("entry"))
        self.places = Places(dict(zip(arguments, pointers, strict=True)), {}, self.workspace)
        self.functions = FunctionsOfNests(module, name, self.strict)
        self.tapes = Tapes()
        self.inlined = set(repeated(loops.steps))
        self.place_work_buffers(sorted({b for step in loops.steps for b in reads(step) | writes(step)} - set(arguments), key=lambda b: b.name))
        self.status = self.builder.alloca(I32, name="status")
        self.builder.store(ir.Constant(I32, 0), self.status)

    def place_work_buffers(self, work: Sequence[Buffer]) -> None:
        """Small ones that loops use lie on the stack, where LLVM makes registers of them; the others in the workspace."""
        used = {buffer for nest in self.inlined for buffer in reads(nest) | writes(nest)}
        large, taped, room = [], [], STACK
        for buffer in work:
            if buffer.kind == "tape":
                taped.append([buffer])
            elif buffer in used and buffer.nbytes <= min(SMALL, room):
                room -= buffer.nbytes
                slot = self.builder.alloca(memory_type(buffer.type.dtype), size=max(parts(buffer), 1))
                slot.type = POINTER  # library calls also write it as what it is not
                self.places.pointers[buffer] = slot
            else:
                large.append(buffer)
                offset = ir.Constant(I64, buffer.offset)
                self.places.pointers[buffer] = self.builder.gep(self.workspace, [offset], source_etype=I8)
        moving = exchanged(self.loops.steps)
        self.moving = set(work).difference(large).union(*moving)
        self.places.fixed = {buffer for buffer in large if parts(buffer) == 1 and buffer.place is buffer and buffer not in self.moving}
        self.places.separate(self.function.module, self.name, [*apart(large, moving), *taped])

    def emit(self) -> ir.Function:
        for own, steps in parts_of(self.loops.steps, self.is_plain):
            if own:
                arguments = [*self.loops.inputs, *self.loops.outputs]
                part = emit_part(self.function.function_type, arguments, steps, self.functions, self.places.fixed, bool(self.loops.checks))
                status = self.builder.call(part, self.function.args)
                self.return_failure(status if self.loops.checks else None)
            else:
                self.emit_steps(steps)
        self.builder.ret(ir.Constant(I32, 0))
        return self.function

    def is_plain(self, step: Step) -> bool:
        """Whether a step is a nest that works on memory whose place does not depend on the steps before."""
        return isinstance(step, Nest) and self.moving.isdisjoint(buffer.place for buffer in buffers(step))

    @property
    def pointers(self) -> dict[Buffer, ir.Value]:
        return self.places.pointers

    @property
    def trips(self) -> dict[Counter, ir.Value]:
        return self.places.trips

    def pointer(self, buffer: Buffer) -> ir.Value:
        return self.places.pointer(self.builder, buffer)

    def emit_steps(self, steps: Sequence[Step]) -> None:
        for step in steps:
            if isinstance(step, Nest):
                self.emit_nest(step)
            elif isinstance(step, Strips):
                self.emit_strips(step)
            elif isinstance(step, Parallel):
                status = emit_parallel(self.builder, step, self.places, self.threads, self.functions)
                self.return_failure(status if self.loops.checks else None)
            elif isinstance(step, Call):
                self.return_failure(emit_call(self.builder, step, self.pointer, self.share))
            elif isinstance(step, Choice):
                self.emit_choice(step)
            else:
                self.emit_repeat(step)

    def share(self, count: int, pointers: Sequence[ir.Value], emit: Callable) -> ir.Value:
        """Run what `emit` writes for each number below `count`, shared out among threads."""
        return emit_each(self.builder, self.functions.next_name(), count, pointers, emit, self.threads)

    def emit_nest(self, nest: Nest, rows: tuple[ir.Value, ...] = (), cut: int = 0) -> None:
        """Run a nest; `rows` is the range of the dimension that is `cut`, if that is not all of it."""
        if nest in self.inlined:
            NestEmitter(self.builder, nest, self.strict, self.places, self.status, fail=self.return_if).emit()
            self.return_failure(self.builder.load(self.status, typ=I32) if nest.loops and has_checks(nest) else None)
            return
        for status in self.functions.calls(self.builder, nest, self.places, rows, cut):
            self.return_failure(status if self.loops.checks else None)

    def emit_strips(self, step: Strips) -> None:
        if not step.apart:
            self.emit_blocks(step)
            return
        with self.builder.if_else(self.builder.icmp_signed(">", self.threads, ir.Constant(I32, 1))) as (together, alone):
            with together:
                self.emit_steps(step.apart)
            with alone:
                self.emit_blocks(step)

    def emit_blocks(self, step: Strips) -> None:
        with blocks(self.builder, step, ir.Constant(I64, 0), ir.Constant(I64, step.extent - 1)) as rows:
            self.emit_block(step, rows)

    def emit_block(self, step: Strips, rows: tuple[ir.Value, ir.Value]) -> None:
        """Run the nests on a block of rows."""
        for nest, lag in zip(step.steps, step.lags or (0,) * len(step.steps), strict=True):
            behind = tuple([self.builder.sub(row, ir.Constant(I64, lag)) for row in rows]) if lag else rows
            self.emit_nest(nest, behind, nest.loops[0] if step.lags else 0)

    def return_failure(self, status: ir.Value | None) -> None:
        if status is not None:
            self.return_if(self.builder.icmp_signed("!=", status, ir.Constant(I32, 0)), status)

    def return_if(self, bad: ir.Value, status: ir.Value) -> None:
        with self.builder.if_then(bad, likely=False):
            self.tapes.give_all_back(self.builder)
            self.builder.ret(status)

    def emit_repeat(self, step: Repeat) -> None:
        """Run a loop; the first one on a tape takes its memory, the last one gives it back."""
        b, tape = self.builder, step.tape
        if tape is not None and tape.slots and tape not in self.tapes.bases:
            enough = self.tapes.take(b, tape, self.trip_count(step.count))
            with b.if_then(b.not_(enough), likely=False):
                self.tapes.give_all_back(b)
                b.ret(ir.Constant(I32, tape_number(tape)))
        if isinstance(step.count, int) and step.count and step.goes_on is None:
            self.emit_loop(step)
        else:
            self.emit_tested(step)
        if tape in self.tapes.bases and step is tape.last:
            self.tapes.give_back(b, tape)

    def emit_loop(self, step: Repeat) -> None:
        """Run at least one trip. Count up; a reversed loop's trip number is the distance from the end."""
        b, length = self.builder, ir.Constant(I64, step.count)
        before, head = b.block, b.append_basic_block("trip")
        b.branch(head)
        b.position_at_end(head)
        count = b.phi(I64, name="trip")
        count.add_incoming(ir.Constant(I64, 0), before)
        places = self.start_moves(step, before)
        following = self.emit_trips(step, count, length, places)
        after = b.append_basic_block("after")
        b.cbranch(b.icmp_signed("<", following, length), head, after)
        b.position_at_end(after)

    def emit_tested(self, step: Repeat) -> None:
        """Ask before each trip whether it is to be run."""
        b, length = self.builder, self.trip_count(step.count)
        before, head, after = b.block, b.append_basic_block("test"), b.append_basic_block("after")
        b.branch(head)
        b.position_at_end(head)
        count = b.phi(I64, name="trip")
        count.add_incoming(ir.Constant(I64, 0), before)
        places = self.start_moves(step, before)
        entering = dict(self.pointers)
        if step.count != UNBOUNDED:
            self.leave_unless(b.icmp_signed("<", count, length), after)
        if step.goes_on is not None:
            self.number_trip(step, count, length)
            self.emit_steps(step.test)
            self.leave_unless(b.icmp_unsigned("!=", b.load(self.pointer(step.goes_on), typ=I8), ir.Constant(I8, 0)), after)
        self.emit_trips(step, count, length, places)
        b.branch(head)
        b.position_at_end(after)
        self.places.pointers = entering
        if step.trips is not None:
            self.places.store_all(b, step.trips, [count])

    def trip_count(self, count: int | Buffer | Counter) -> ir.Value:
        if isinstance(count, int):
            return ir.Constant(I64, count)
        return self.trips[count] if isinstance(count, Counter) else self.places.load_all(self.builder, count)[0]

    def leave_unless(self, goes_on: ir.Value, after: ir.Block) -> None:
        trip = self.builder.append_basic_block("trip")
        self.builder.cbranch(goes_on, trip, after)
        self.builder.position_at_end(trip)

    def number_trip(self, step: Repeat, count: ir.Value, length: ir.Value) -> None:
        b = self.builder
        self.trips[step.counter] = b.sub(b.sub(length, ir.Constant(I64, 1)), count) if step.reverse else count
        if step.tape in self.tapes.bases:
            self.tapes.place(b, step.tape, self.trips[step.counter], self.places)

    def emit_trips(self, step: Repeat, count: ir.PhiInstr, length: ir.Value, places: dict[Buffer, ir.PhiInstr]) -> ir.Value:
        """Run a trip, or those of a wave, and return the number of trips so far."""
        if step.wave is None:
            taken = self.emit_trip(step, step.steps, count, length)
        elif step.steps[-1].apart:
            taken = self.emit_either(
                self.builder.icmp_signed(">", self.threads, ir.Constant(I32, 1)), moved([step]),
                lambda: self.emit_trip(step, [*step.steps[:-1], *step.steps[-1].apart], count, length),
                lambda: self.emit_wave(step, step.wave, count, length),
            )  # fmt: skip
        else:
            taken = self.emit_wave(step, step.wave, count, length)
        following = self.builder.add(count, taken, flags=("nsw", "nuw"))
        count.add_incoming(following, self.builder.block)
        self.finish_moves(places)
        return following

    def emit_trip(self, step: Repeat, steps: Sequence[Step], count: ir.Value, length: ir.Value) -> ir.Value:
        """Run the steps of a trip, let memory change places, and return how many trips that were."""
        self.number_trip(step, count, length)
        self.emit_steps(steps)
        self.move(step)
        return ir.Constant(I64, 1)

    def emit_wave(self, step: Repeat, wave: Wave, count: ir.Value, length: ir.Value) -> ir.Value:
        """Run trips of a wave, as many as there are yet, and return how many these were."""
        b, strips, one = self.builder, step.steps[-1], ir.Constant(I64, 1)
        left = b.sub(length, count)
        depth = b.select(b.icmp_signed("<", left, ir.Constant(I64, wave.depth)), left, ir.Constant(I64, wave.depth))
        entering, kept = dict(self.pointers), [(buffer, self.places.load_all(b, buffer)) for buffer in wave.kept]
        most = b.sub(depth, one)
        first, size = b.mul(most, ir.Constant(I64, -wave.ahead)), ir.Constant(I64, strips.block)
        last = b.add(ir.Constant(I64, strips.extent - 1), b.mul(most, ir.Constant(I64, wave.lag)))
        with Loop(b, 0, b.udiv(b.sub(last, first), size)) as number:
            low = b.add(first, b.mul(number, size))
            high = b.add(low, ir.Constant(I64, strips.block - 1))
            self.places.pointers = dict(entering)
            for buffer, values in kept:
                self.places.store_all(b, buffer, values)
            before, head, after = b.block, b.append_basic_block("wave"), b.append_basic_block("after")
            b.branch(head)
            b.position_at_end(head)
            behind = b.phi(I64, name="behind")
            behind.add_incoming(ir.Constant(I64, 0), before)
            places = self.start_moves(step, before)
            lag = b.mul(behind, ir.Constant(I64, wave.lag))
            self.number_trip(step, b.add(count, behind), length)
            self.emit_steps(step.steps[:-1])
            start = b.mul(b.sub(most, behind), ir.Constant(I64, -wave.ahead))
            self.emit_rows_of_wave(strips, wave, (b.sub(low, lag), b.sub(high, lag)), start)
            self.move(step)
            following = b.add(behind, one, flags=("nsw", "nuw"))
            behind.add_incoming(following, b.block)
            self.finish_moves(places)
            b.cbranch(b.icmp_signed("<", following, depth), head, after)
            b.position_at_end(after)
        return depth

    def emit_rows_of_wave(self, strips: Strips, wave: Wave, rows: tuple[ir.Value, ir.Value], start: ir.Value) -> None:
        """Run a trip of a wave on those of the rows that it has, from `start` on; in a grid that goes round first those before the first row."""
        b = self.builder
        low = b.select(b.icmp_signed("<", rows[0], start), start, rows[0])
        end = b.add(start, ir.Constant(I64, strips.extent - 1))
        high = b.select(b.icmp_signed("<", rows[1], end), rows[1], end)
        with b.if_then(b.icmp_signed("<=", low, high)):
            if not wave.ahead:
                self.emit_block(strips, (low, high))
                return
            none, all_rows = ir.Constant(I64, 0), ir.Constant(I64, strips.rows)
            with Loop(b, 0, 1) as number:
                turned = b.icmp_signed("==", number, none)
                inside = b.select(b.icmp_signed("<", low, none), none, low)
                outside = b.select(b.icmp_signed("<", high, none), high, ir.Constant(I64, -1))
                part = b.select(turned, b.add(low, all_rows), inside), b.select(turned, b.add(outside, all_rows), high)
                with b.if_then(b.icmp_signed("<=", *part)):
                    self.emit_block(strips, part)

    def emit_either(self, condition: ir.Value, moving: Sequence[Buffer], first: Callable[[], ir.Value], second: Callable[[], ir.Value]) -> ir.Value:
        """Run one or the other, which let memory change places, and return what that returns."""
        b, outside, found = self.builder, dict(self.pointers), []
        with b.if_else(condition) as branches:
            for branch, emit in zip(branches, (first, second), strict=True):
                with branch:
                    self.places.pointers = dict(outside)
                    found.append((emit(), self.places.pointers, b.block))
        self.places.pointers = dict(outside)
        for buffer in moving:
            self.pointers[buffer] = b.phi(POINTER)
            for _, pointers, block in found:
                self.pointers[buffer].add_incoming(pointers[buffer], block)
        result = b.phi(I64)
        for value, _, block in found:
            result.add_incoming(value, block)
        return result

    def start_moves(self, step: Repeat, before: ir.Block) -> dict[Buffer, ir.Value]:
        """Make the pointers that change from trip to trip."""
        places = {}
        for buffer in moved([step]):
            phi = self.builder.phi(POINTER)
            phi.add_incoming(self.pointers[buffer], before)
            places[buffer] = phi
        self.pointers.update(places)
        return places

    def move(self, step: Repeat) -> None:
        """Let memory change places after a trip."""
        copied = {target: self.places.load_all(self.builder, source) for target, source in step.copies.items()}
        self.pointers.update({buffer: self.pointer(source) for buffer, source in step.moves.items()})
        for target, values in copied.items():
            self.places.store_all(self.builder, target, values)

    def finish_moves(self, places: dict[Buffer, ir.PhiInstr]) -> None:
        for buffer, phi in places.items():
            phi.add_incoming(self.pointers[buffer], self.builder.block)

    def emit_choice(self, step: Choice) -> None:
        b, boolean = self.builder, step.index.type.dtype.kind == "b"
        index = b.load(self.pointer(step.index), typ=I8 if boolean else I64)
        if boolean:
            index = b.zext(b.icmp_unsigned("!=", index, ir.Constant(I8, 0)), I64)
        after, outside = b.append_basic_block("after"), dict(self.pointers)
        moving = {buffer: [] for buffer in moved([step])}
        for number, branch in enumerate(step.branches):
            last = number == len(step.branches) - 1
            taken = ir.Constant(I1, 1) if last else b.icmp_signed("<=", index, ir.Constant(I64, number))
            here, other = b.append_basic_block("branch"), b.append_basic_block("otherwise")
            b.cbranch(taken, here, other)
            b.position_at_end(here)
            self.emit_steps(branch)
            for buffer, places in moving.items():
                places.append((self.pointers[buffer], b.block))
            b.branch(after)
            self.places.pointers = dict(outside)
            b.position_at_end(other)
        b.unreachable()
        b.position_at_end(after)
        for buffer, places in moving.items():
            self.pointers[buffer] = b.phi(POINTER)
            for pointer, block in places:
                self.pointers[buffer].add_incoming(pointer, block)


def moved(steps: Sequence[Step]) -> list[Buffer]:
    """Return the buffers whose memory changes places in `steps`, in a fixed order."""
    found: dict[Buffer, None] = {}
    for step in steps:
        for inner in children(step):
            found.update(dict.fromkeys(moved(inner)))
        if isinstance(step, Repeat):
            found.update(dict.fromkeys(step.moves))
    return list(found)


def repeated(steps: Sequence[Step], inside: bool = False) -> Iterator[Nest]:
    """Iterate over the small nests that loops run, however deep."""
    for step in steps:
        for inner in children(step) if not isinstance(step, Strips | Parallel) else ():
            yield from repeated(inner, inside or isinstance(step, Repeat))
        if inside and isinstance(step, Nest) and step.trips <= FEW_TRIPS:
            yield step
