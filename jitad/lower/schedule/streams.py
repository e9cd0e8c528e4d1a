"""What loops keep for much later goes past the caches, and is fetched before it is read.

In: steps. Out: the same steps, where a nest that fills rows of a stack larger than the caches, which its loop does not read, leaves them in a
small buffer instead, block by block, from which they are copied by a nest that is `streamed`. Ordinary stores would fetch each line from memory
before they overwrite it, and drive out of the caches what the next trip reads. Nests that read rows of stacks larger than the second cache know
them to be `far`: the processor sees too many streams of a stencil at a time to fetch by itself what lies in the third, or in memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from jitad.ir.types import ArrayType
from jitad.lower.grammar.builder import Builder
from jitad.lower.grammar.index import Index, linear, loop_variable
from jitad.lower.grammar.loops import Accumulate, Buffer, Nest, Region, Repeat, Step, Store, Strips
from jitad.lower.grammar.regions import Ranges
from jitad.lower.grammar.walk import buffers, children, leaves, reads, writes
from jitad.lower.memory.layout import positions
from jitad.lower.schedule.loop_order import depends_on_order

FAR = 2**24  # bytes of a stack that is not read again before its first rows have left the caches
FETCHED = 2**21  # bytes of a stack of which the second cache holds little when it is read
LEAST_ROW = 512  # bytes that lie together
UNIT = 4  # bytes of the smallest elements that are streamed
BLOCK = 2**14  # bytes that wait in a block
LEAST_ROWS, MOST_ROWS = 4, 16


def stream_out(steps: list[Step], loop: Repeat | None = None) -> list[Step]:
    """Return the steps, those of a `loop` if it is given, with what they keep streamed."""
    found: list[Step] = []
    for step in steps:
        for inner in children(step) if not isinstance(step, Strips) else ():
            inner[:] = stream_out(inner, step if isinstance(step, Repeat) else loop)
        nests = step.steps if isinstance(step, Strips) else [step]
        if loop is not None and all(isinstance(nest, Nest) for nest in nests):
            for nest in nests:
                nest.far = frozenset(read_from_far(nest))
            step = with_streams(step, nests, kept_by(loop, nests))
        found.append(step)
    return found


def read_from_far(nest: Nest) -> Iterator[Buffer]:
    """Iterate over large memory of which trips read their own parts in a nest that does not write to it."""
    written = writes(nest)
    for buffer, position, _ in positions(nest):
        memory = buffer.memory
        parts = buffer.place.row is not None or any(not isinstance(term, int) for term, _ in position.terms)
        if parts and memory not in written and memory.nbytes >= FETCHED:
            yield memory


def may_stream(stack: ArrayType) -> bool:
    """Whether rows of a stack of this type go past the caches, if what fills it is a nest."""
    size, itemsize = stack.nbytes, stack.dtype.itemsize
    rows = len(stack.shape) > 2 and stack.shape[1] >= 2 * LEAST_ROWS and stack.shape[-1] * itemsize >= LEAST_ROW
    return rows and size >= FAR and stack.dtype.kind in "fiu" and itemsize >= UNIT


def kept_by(loop: Repeat, nests: Sequence[Nest]) -> Iterator[Buffer]:
    """Iterate over the rows of large stacks that a loop fills in some nests, and does not read."""
    read = reads(loop)
    for buffer in dict.fromkeys(buffer.place for nest in nests for buffer in buffers(nest)):
        row, memory = buffer.row, buffer.memory
        if row is not None and row.counter is loop.counter and memory not in read and may_stream(memory.type):
            yield buffer


def with_streams(step: Nest | Strips, nests: Sequence[Nest], kept: Iterator[Buffer]) -> Step:
    """Return a step with those streamed of the buffers in `kept` that it fills row by row."""
    for buffer in kept:
        users = [nest for nest in nests if buffer in {x.place for x in buffers(nest)}]
        position = filled_by(users[0], buffer) if len(users) == 1 else None
        if position is None:
            continue
        (nest,) = users
        rows, row_bytes = nest.box[0], math.prod(nest.box[1:]) * buffer.type.dtype.itemsize
        block = step.block if isinstance(step, Strips) else min(max(BLOCK // row_bytes, LEAST_ROWS), MOST_ROWS)
        waiting = Buffer(ArrayType(buffer.type.dtype, nest.box), "work", f"{buffer.alias.name}_waiting", rows=(rows, block), undefined=True)
        parts = [diverted(nest, buffer, waiting), streamed(nest, buffer, waiting, position)]
        if not isinstance(step, Strips):
            step = Strips(rows, block, [])
        nests = [part for other in nests for part in (parts if other is nest else [other])]
        step.steps = nests
    return step


def filled_by(nest: Nest, buffer: Buffer) -> Index | None:
    """Return the position at which iterations of a nest store to a buffer if it is the same in all regions, and rows lie together."""
    stores = [s for region in nest.regions for s in region.statements if not isinstance(s, Accumulate) and s.buffer.place is buffer]
    inner = len(nest.box) - 1
    if inner < 1 or nest.loops != tuple(range(inner + 1)) or nest.reductions or depends_on_order(nest):
        return None
    (position, *others) = {s.position for s in stores}
    factors = dict(position.terms)
    whole = all(not region.ranges.limits for region in nest.regions) and all(isinstance(term, int) for term in factors)
    if others or not whole or factors.get(inner) != 1 or 0 not in factors:
        return None
    return position


def diverted(nest: Nest, buffer: Buffer, waiting: Buffer) -> Nest:
    """Return a nest that stores to `waiting` what it stored to `buffer`."""
    position = linear(tuple(map(loop_variable, range(len(nest.box)))), nest.box)

    def changed(statement):
        return Store(waiting, position, statement.value) if statement.buffer.place is buffer else statement

    return replace(nest, regions=[Region(region.ranges, tuple(map(changed, region.statements))) for region in nest.regions])


def streamed(nest: Nest, buffer: Buffer, waiting: Buffer, position: Index) -> Nest:
    """Return the nest that copies what has been stored to `waiting`."""
    regions = []
    index = tuple(map(loop_variable, range(len(nest.box))))
    for ranges in joined([region.ranges for region in nest.regions if any(s.buffer.place is buffer for s in region.statements)]):
        value = Builder(ranges).load(waiting, index, nest.box)
        regions.append(Region(ranges, (Store(buffer, position, value),)))
    return Nest(nest.box, [], regions, streamed=True)


def joined(parts: Sequence[Ranges]) -> list[Ranges]:
    """Return the box that disjoint boxes make up, if they do."""
    whole = [(min(low for low, _ in ends), max(high for _, high in ends)) for ends in zip(*parts, strict=True)]
    sizes = [math.prod(high - low + 1 for low, high in box) for box in (*parts, whole)]
    return [Ranges(whole)] if sum(sizes[:-1]) == sizes[-1] else list(parts)


def is_streamed(steps: Sequence[Step]) -> bool:
    """Whether any of the steps, however deep, is streamed."""
    return any(isinstance(leaf, Nest) and leaf.streamed for leaf in leaves(steps))
