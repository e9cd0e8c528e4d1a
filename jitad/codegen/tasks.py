"""Loops that threads share out, in LLVM IR: a function that runs some of their pieces, and the context it finds its memory in.

In: a `Parallel`. Out: an LLVM function ``task(context, first, last, scratch) -> status``. Invariant: the nests are functions of their own whose
pointer arguments are ``noalias``, as where one thread runs them: that pointers pass through memory on the way costs LLVM no knowledge.
"""

from __future__ import annotations

from collections.abc import Sequence

from llvmlite import ir

from jitad.codegen import team
from jitad.codegen.emission import room
from jitad.codegen.memory import Places
from jitad.codegen.nests import Loop, emit_function
from jitad.codegen.scalars import I32, I64, POINTER
from jitad.lower.loops import Buffer, Counter, Parallel
from jitad.lower.walk import buffers, counters


def emit_parallel(b: ir.IRBuilder, step: Parallel, places: Places, threads: ir.Value, functions: FunctionsOfNests) -> ir.Value:
    """Run a parallel step at the current place on so many threads, and return its status."""
    captured = list(dict.fromkeys(captured_place(buffer, step) for nest in step.steps for buffer in buffers(nest)))
    trips = list(dict.fromkeys(counter for nest in step.steps for counter in counters(nest)))
    words = [places.pointer(b, place) for place in captured] + [b.inttoptr(places.trips[counter], POINTER) for counter in trips]
    context = room(b, POINTER, max(len(words), 1))
    for k, word in enumerate(words):
        b.store(word, b.gep(context, [ir.Constant(I64, k)], source_etype=POINTER))
    task = emit_task(step, captured, trips, functions)
    several = b.icmp_signed(">", threads, ir.Constant(I32, 1))
    with b.if_else(several) as (together, alone):
        with together:
            shared = team.call(b, team.SHARE, task, context, ir.Constant(I32, step.pieces), threads)
            one = b.block
        with alone:
            direct = b.call(task, [context, ir.Constant(I64, 0), ir.Constant(I64, step.pieces), ir.Constant(POINTER, None)])
            other = b.block
    status = b.phi(I32)
    status.add_incoming(shared, one)
    status.add_incoming(direct, other)
    return status


def captured_place(buffer: Buffer, step: Parallel) -> Buffer:
    """Return what a task has to know the place of, to find a buffer."""
    return buffer.place.alias.place if is_own(buffer, step) else buffer.place


def is_own(buffer: Buffer, step: Parallel) -> bool:
    """Whether each piece has this buffer of its own."""
    return buffer.place.row is not None and buffer.place.row.counter is step.piece


class FunctionsOfNests:
    """The functions of the nests of a kernel, whose names begin with `name`."""

    def __init__(self, module: ir.Module, name: str, flags: tuple[str, ...]):
        self.module, self.name, self.flags = module, name, flags
        self.known: dict[tuple, ir.Function] = {}
        self.numbers: dict = {}

    def of(self, nest, blocked: bool) -> tuple[ir.Function, list[Buffer], list[Counter]]:
        """Return the function of a nest, and the buffers and counters it takes; if `blocked`, then the first and the last row to run."""
        number = self.numbers.setdefault(nest, len(self.numbers))
        return emit_function(self.module, f"{self.name}.{number}", nest, self.flags, self.known, blocked)

    def task(self) -> ir.Function:
        """Return a new, empty task."""
        number = self.numbers.setdefault(object(), len(self.numbers))
        function = ir.Function(self.module, team.TASK, f"{self.name}.task{number}")
        function.linkage = "internal"
        function.attributes.add("nounwind")
        return function


def emit_task(step: Parallel, captured: Sequence[Buffer], trips: Sequence[Counter], functions: FunctionsOfNests) -> ir.Function:
    """Emit the function that runs the pieces from `first` to before `last`: at once, unless each has memory of its own."""
    function = functions.task()
    context, first, last, _ = function.args
    b = ir.IRBuilder(function.append_basic_block("entry"))
    slots = [b.gep(context, [ir.Constant(I64, k)], source_etype=POINTER) for k in range(len(captured) + len(trips))]
    pointers = [b.load(slot, typ=POINTER) for slot in slots[: len(captured)]]
    numbers = [b.load(slot, typ=I64) for slot in slots[len(captured) :]]
    places = Places(dict(zip(captured, pointers, strict=True)), dict(zip(trips, numbers, strict=True)))
    worst = room(b, I32)
    b.store(ir.Constant(I32, 0), worst)
    apart = any(is_own(buffer, step) for nest in step.steps for buffer in buffers(nest))
    with Loop(b, first, b.sub(last, ir.Constant(I64, 1)) if apart else first) as piece:
        places.trips[step.piece] = piece
        end = b.add(piece, ir.Constant(I64, 1)) if apart else last
        low = b.mul(piece, ir.Constant(I64, step.block))
        high = b.sub(b.mul(end, ir.Constant(I64, step.block)), ir.Constant(I64, 1))
        high = b.select(b.icmp_signed("<", high, ir.Constant(I64, step.rows)), high, ir.Constant(I64, step.rows - 1))
        for nest in step.steps:
            run, used, counted = functions.of(nest, True)
            status = b.call(run, [*[places.pointer(b, x) for x in used], *[places.trips[x] for x in counted], low, high])
            before = b.load(worst, typ=I32)
            b.store(b.select(b.icmp_signed(">", status, before), status, before), worst)
    b.ret(b.load(worst, typ=I32))
    return function
