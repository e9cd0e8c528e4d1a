"""Loops that threads share out, in LLVM IR: a function that runs some of their pieces, and the context it finds its memory in.

In: a `Parallel`. Out: an LLVM function ``task(context, first, last, scratch) -> status``. Invariant: the nests are functions of their own whose
pointer arguments are ``noalias``, as where one thread runs them: that pointers pass through memory on the way costs LLVM no knowledge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from llvmlite import ir

from jitad.codegen.elementary import entered
from jitad.codegen.emission import room
from jitad.codegen.loop import Loop
from jitad.codegen.memory import Places
from jitad.codegen.nests import emit_function
from jitad.codegen.scalars import I8, I32, I64, POINTER
from jitad.codegen.streaming import fence
from jitad.codegen.threads import team
from jitad.lower.grammar.forms import form
from jitad.lower.grammar.loops import Buffer, Counter, Nest, Parallel, Strips
from jitad.lower.grammar.walk import buffers, counters, leaves
from jitad.lower.memory.workspace import ALIGNMENT
from jitad.lower.schedule.streams import is_streamed
from jitad.lower.steps.splitting import runs_of_regions


class FunctionsOfNests:
    """The functions of the nests of a kernel, whose names begin with `name`."""

    def __init__(self, module: ir.Module, name: str, strict: bool):
        self.module, self.name, self.strict = module, name, strict
        self.known: dict[tuple, ir.Function] = {}
        self.tasks: dict[tuple, ir.Function] = {}
        self.count = 0

    def calls(self, b: ir.IRBuilder, nest: Nest, places: Places, rows: Sequence[ir.Value] = (), cut: int = 0) -> Iterator[ir.Value]:
        """Emit calls of the functions of a nest, and iterate over their statuses; most nests have one function.

        `rows` are the first and the last iteration to run of the dimension that is `cut`, if not all of them.
        """
        for part in runs_of_regions(nest):
            yield self.call(b, part, places, rows, cut)

    def call(self, b: ir.IRBuilder, nest: Nest, places: Places, rows: Sequence[ir.Value], cut: int) -> ir.Value:
        function, used, counted = emit_function(self.module, self.next_name(), nest, self.strict, self.known, cut if rows else None, places.fixed)
        pointers = [
            places.workspace if buffer is None else places.pointer(b, buffer) if buffer.rows is None else places.first_row(b, buffer, rows[0])
            for buffer in used
        ]
        return b.call(function, [*pointers, *[places.trips[counter] for counter in counted], *rows])

    def task(self, step: Parallel, captured: Sequence[Buffer], trips: Sequence[Counter]) -> ir.Function:
        """Return the function that runs pieces of a step, whose context holds these places and counters."""
        nests = list(leaves(step.steps))
        own = list(dict.fromkeys(buffer.place for nest in nests for buffer in buffers(nest) if is_own(buffer, step)))
        forms = [form(nest, [*captured, *own], trips) for nest in nests]
        strips = [(part.block, len(part.steps)) for part in step.steps if isinstance(part, Strips)]
        key = step.rows, step.block, step.cut, *[captured.index(captured_place(buffer, step)) for buffer in own], *strips, *forms
        if key not in self.tasks:
            function = self.tasks[key] = ir.Function(self.module, team.TASK, self.next_name())
            function.linkage = "internal"
            function.attributes.add("nounwind")
            emit_task(function, step, captured, trips, self)
        return self.tasks[key]

    def next_name(self) -> str:
        self.count += 1
        return f"{self.name}.{self.count}"


@contextmanager
def blocks(b: ir.IRBuilder, step: Strips, first: ir.Value, last: ir.Value) -> Iterator[tuple[ir.Value, ir.Value]]:
    """``with blocks(...) as rows``: emit a loop over the blocks of rows `first` to `last`; `rows` are the first and the last of a block."""
    size = ir.Constant(I64, step.block)
    with Loop(b, ir.Constant(I64, 0), b.udiv(b.sub(last, first), size)) as number:
        low = b.add(first, b.mul(number, size))
        high = b.add(low, ir.Constant(I64, step.block - 1))
        yield low, b.select(b.icmp_signed("<", high, last), high, last)


def emit_parallel(b: ir.IRBuilder, step: Parallel, places: Places, threads: ir.Value, functions: FunctionsOfNests) -> ir.Value:
    """Run a parallel step at the current place on so many threads, and return its status."""
    nests = list(leaves(step.steps))
    captured = list(dict.fromkeys(captured_place(buffer, step) for nest in nests for buffer in buffers(nest)))
    trips = list(dict.fromkeys(counter for nest in nests for counter in counters(nest)))
    words = [places.pointer(b, place) for place in captured] + [b.inttoptr(places.trips[counter], POINTER) for counter in trips]
    return emit_run(b, functions.task(step, captured, trips), words, step.pieces, threads)


def emit_run(b: ir.IRBuilder, task: ir.Function, words: Sequence[ir.Value], pieces: int, threads: ir.Value) -> ir.Value:
    """Run a task, whose context are these pointers, on so many threads, and return its status."""
    context = room(b, POINTER, max(len(words), 1))
    for k, word in enumerate(words):
        b.store(word, b.gep(context, [ir.Constant(I64, k)], source_etype=POINTER))
    with b.if_else(b.icmp_signed(">", threads, ir.Constant(I32, 1))) as (together, alone):
        with together:
            shared = team.call(b, team.SHARE, entered(task, f"{task.name}.entered"), context, ir.Constant(I32, pieces), threads)
            one = b.block
        with alone:
            direct = b.call(task, [context, ir.Constant(I64, 0), ir.Constant(I64, pieces), ir.Constant(POINTER, None)])
            other = b.block
    status = b.phi(I32)
    status.add_incoming(shared, one)
    status.add_incoming(direct, other)
    return status


def emit_each(b: ir.IRBuilder, name: str, count: int, pointers: Sequence[ir.Value], emit: Callable, threads: ir.Value) -> ir.Value:
    """Run ``emit(builder, pointers, k)`` for each k below `count`, which touches different memory for different k, on so many threads."""
    task = ir.Function(b.module, team.TASK, name)
    task.linkage = "internal"
    task.attributes.add("nounwind")
    context, first, last, _ = task.args
    inside = ir.IRBuilder(task.append_basic_block("entry"))
    words = [inside.gep(context, [ir.Constant(I64, k)], source_etype=POINTER) for k in range(len(pointers))]
    found = [inside.load(word, typ=POINTER) for word in words]
    with Loop(inside, first, inside.sub(last, ir.Constant(I64, 1))) as k:
        emit(inside, found, k)
    inside.ret(ir.Constant(I32, 0))
    return emit_run(b, task, pointers, count, threads)


def captured_place(buffer: Buffer, step: Parallel) -> Buffer:
    """Return what a task has to know the place of, to find a buffer."""
    return buffer.place.alias.place if is_own(buffer, step) else buffer.place


def is_own(buffer: Buffer, step: Parallel) -> bool:
    """Whether each piece has this buffer of its own."""
    return buffer.place.row is not None and buffer.place.row.counter is step.piece


def emit_task(
    function: ir.Function, step: Parallel, captured: Sequence[Buffer], trips: Sequence[Counter], functions: FunctionsOfNests
) -> None:
    """Emit the function that runs the pieces from `first` to before `last`: at once, unless each has memory of its own."""
    context, first, last, scratch = function.args
    b = ir.IRBuilder(function.append_basic_block("entry"))
    words = [b.gep(context, [ir.Constant(I64, k)], source_etype=POINTER) for k in range(len(captured) + len(trips))]
    pointers = dict(zip(captured, [b.load(word, typ=POINTER) for word in words[: len(captured)]], strict=True))
    numbers = dict(zip(trips, [b.load(word, typ=I64) for word in words[len(captured) :]], strict=True))
    places = Places(own_rows(b, pointers, scratch), numbers)
    worst = room(b, I32)
    b.store(ir.Constant(I32, 0), worst)

    def run(nest: Nest, rows: Sequence[ir.Value]) -> None:
        for status in functions.calls(b, nest, places, rows, step.cut):
            before = b.load(worst, typ=I32)
            b.store(b.select(b.icmp_signed(">", status, before), status, before), worst)

    apart = any(is_own(buffer, step) for nest in leaves(step.steps) for buffer in buffers(nest))
    one, size = ir.Constant(I64, 1), ir.Constant(I64, step.block)
    with Loop(b, first, b.sub(last, one) if apart else first) as piece:
        places.trips[step.piece] = piece
        high = b.sub(b.mul(b.add(piece, one) if apart else last, size), one)
        high = b.select(b.icmp_signed("<", high, ir.Constant(I64, step.rows)), high, ir.Constant(I64, step.rows - 1))
        rows = b.mul(piece, size), high
        for part in step.steps:
            if isinstance(part, Strips):
                with blocks(b, part, *rows) as block:
                    for nest in part.steps:
                        run(nest, block)
            else:
                run(part, rows)
    if is_streamed(step.steps):
        fence(b)
    b.ret(b.load(worst, typ=I32))


def own_rows(b: ir.IRBuilder, pointers: dict[Buffer, ir.Value], scratch: ir.Value) -> dict[Buffer, ir.Value]:
    """Return the pointers with those to what holds the rows of one block in `scratch`, the thread's own memory, if there is some."""
    found, offset, nothing = dict(pointers), 0, b.icmp_unsigned("==", scratch, ir.Constant(POINTER, None))
    for buffer, pointer in pointers.items():
        if buffer.rows is not None:
            found[buffer] = b.select(nothing, pointer, b.gep(scratch, [ir.Constant(I64, offset)], source_etype=I8))
            offset += -(-buffer.nbytes // ALIGNMENT) * ALIGNMENT
    return found
