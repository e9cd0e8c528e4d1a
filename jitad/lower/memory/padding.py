"""Rows of arrays that loops use again and again begin at the beginnings of cache lines, or all equally far from them.

In: steps. Out: the same steps, with work buffers whose rows are padded (`Buffer.padding`) where all that use them can do with that, and with
inputs and outputs that many trips of a loop use kept in such buffers, copied once. Invariant: positions stay as they are, and nothing reads what
is between rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from jitad.ir.types import real_dtype
from jitad.lower.grammar.index import Index, Range
from jitad.lower.grammar.loops import Buffer, Choice, Nest, Repeat, Step
from jitad.lower.grammar.walk import children
from jitad.lower.memory.alignment import LINE, nests
from jitad.lower.memory.layout import copy, has_rows_of_trips, positions, users_of
from jitad.lower.memory.workspace import exchanged

LEAST_ROWS, LEAST_LINES = 8, 4  # of an array, and of each row
SHARE = 8  # rows get longer by one part in so many, at most
LARGEST = 2**22  # bytes of an input or output that is copied: larger ones are too far away for it to matter
OFTEN = 16  # trips that use it


def pad_rows(steps: list[Step], inputs: list[Buffer], outputs: list[Buffer]) -> list[Step]:
    """Pad rows; `inputs` and `outputs` are then the buffers that are copied from and to."""
    users, kept = users_of(steps), set(kept_whole(steps))
    paddings = {memory: padding(memory, own) for memory, own in users.items() if memory not in kept}
    for group in exchanged(steps):
        if len({paddings.get(memory) for memory in group}) > 1:
            paddings.update(dict.fromkeys(group))
    often = dict.fromkeys(memory for memory in used_often(steps) if paddings.get(memory) and memory.nbytes <= LARGEST)
    before, after = [], []
    for places, copies in ((inputs, before), (outputs, after)):
        for number, memory in enumerate(places):
            if memory in often:
                places[number] = Buffer(memory.type, memory.kind, memory.name)
                memory.kind, memory.name = "work", f"{memory.name}_padded"
                copies.append(copy(*(places[number], memory)[:: 1 if places is inputs else -1]))
    for memory, found in paddings.items():
        if memory.kind == "work" and found is not None and found[0] < found[1]:
            memory.padding = found
    return [*before, *steps, *after]


def kept_whole(steps: Sequence[Step]) -> Iterator[Buffer]:
    """Iterate over the memory that loops and branches themselves read or write."""
    for step in steps:
        if isinstance(step, Choice):
            yield step.index.memory
        if isinstance(step, Repeat):
            used = [*step.copies, *step.copies.values(), step.goes_on, step.count, step.trips, *(step.tape.slots if step.tape else [])]
            yield from (buffer.memory for buffer in used if isinstance(buffer, Buffer))
        for inner in children(step):
            yield from kept_whole(inner)


def padding(memory: Buffer, users: Sequence[Step]) -> tuple[int, int] | None:
    """Return the width of the rows of some memory and how far apart they are to begin, if all that use it can do with that."""
    parts = 2 if memory.type.dtype.kind == "c" else 1
    line = LINE // real_dtype(memory.type.dtype).itemsize
    if memory.rows or memory.columns or len(memory.type.shape) < 2 or not all(isinstance(step, Nest) for step in users):
        return None
    width = memory.type.shape[-1] * parts
    pitch = -(-width // line) * line
    if width < LEAST_LINES * line or memory.type.size * parts < LEAST_ROWS * width or (pitch - width) * SHARE > width:
        return None
    if has_rows_of_trips(memory, users) or any(reduction.buffer.memory is memory for step in users for reduction in step.reductions):
        return None
    found = [(position, ranges) for step in users for buffer, position, ranges in positions(step) if buffer.memory is memory]
    return (width, pitch) if all(stays_in_row(position, ranges, width) for position, ranges in found) else None


def stays_in_row(position: Index, ranges: Sequence[Range], width: int) -> bool:
    """Whether `Buffer.located` finds the row and the column of a position."""
    column = Index(tuple([(term, factor) for term, factor in position.terms if factor % width]))
    if not column.terms:
        return True
    bounds = (column + (position.const - (position.const + width // 2) // width * width)).range(ranges)
    return bounds is not None and bounds[0] >= 0 and bounds[1] < width


def used_often(steps: Sequence[Step]) -> Collection[Buffer]:
    """Return the memory that nests use in many trips of loops, in a fixed order."""
    return list(dict.fromkeys(buffer.memory for nest, trips in nests(steps) if trips >= OFTEN for buffer, *_ in positions(nest)))
