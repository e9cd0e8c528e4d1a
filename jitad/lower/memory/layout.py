"""How arrays of points lie in memory: all first coordinates, then all second ones, where loops run along the points.

In: steps. Out: the same steps, with the columns of work buffers made contiguous where all that use them can do with that, and with inputs
that are read often copied into such buffers first. Positions stay as they are (`Buffer.located`).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from jitad.lower.fusion.products import Matrix
from jitad.lower.fusion.reads import SHORT
from jitad.lower.grammar.builder import Builder
from jitad.lower.grammar.index import Index, Range, linear, loop_variable
from jitad.lower.grammar.loops import Accumulate, Buffer, Call, Nest, Region, Step, Store
from jitad.lower.grammar.regions import Ranges
from jitad.lower.grammar.walk import buffers, expressions, leaves, reads, writes

OFTEN = 4  # how often each element of an input has to be read to be worth a copy
LARGEST = 2**26  # bytes of an input that is copied
LEAST_ROWS = 32


def turn_work(steps: Sequence[Step], lasting: Collection[Buffer]) -> None:
    """Let the columns of narrow work buffers be contiguous. Memory in `lasting` is used by others too."""
    for memory, own in users_of(steps).items():
        if memory.kind == "work" and memory not in lasting and memory.rows is None and memory.columns is None:
            columns = narrow(memory, own)
            if columns is not None:
                turn(memory, columns, own)


def turn_inputs(steps: list[Step], inputs: list[Buffer]) -> list[Step]:
    """Copy inputs whose columns are better contiguous; `inputs` are then the buffers they are copied from."""
    users, copies = users_of(steps), []
    for number, memory in enumerate(inputs):
        own = users.get(memory, [])
        columns = narrow(memory, own)
        if columns is None or memory.nbytes > LARGEST or not any(reads_often(step, memory, columns) for step in own):
            continue
        turn(memory, columns, own)
        if memory.columns is not None:
            inputs[number] = Buffer(memory.type, "input", memory.name)
            memory.kind, memory.name = "work", f"{memory.name}_columns"
            copies.append(copy(inputs[number], memory))
    return [*copies, *steps]


def users_of(steps: Sequence[Step]) -> dict[Buffer, list[Step]]:
    users: dict[Buffer, list[Step]] = {}
    for step in leaves(steps):
        for memory in reads(step) | writes(step):
            users.setdefault(memory, []).append(step)
    return dict(sorted(users.items(), key=lambda item: item[0].name))


def narrow(memory: Buffer, users: Sequence[Step]) -> tuple[int, int] | None:
    """Return width and height of some memory if loops run along its rows, all of them of one short width, and nothing runs along a row."""
    width = 0
    parts = memory.type.size * (2 if memory.type.dtype.kind == "c" else 1)
    if parts < 2 * LEAST_ROWS:
        return None
    for step in users:
        if isinstance(step, Nest):
            for buffer, position, _ in positions(step):
                if buffer.memory is memory:
                    if not all(isinstance(term, int) for term, _ in position.terms):
                        return None
                    width = math.gcd(width, *[factor for _, factor in position.terms])
                    if width == 1:
                        return None
    if not 1 < width <= SHORT or parts % width or parts // width < LEAST_ROWS or has_rows_of_trips(memory, users):
        return None
    return width, parts // width


def has_rows_of_trips(memory: Buffer, users: Sequence[Step]) -> bool:
    """Whether steps use single rows of some memory, those that trips of a loop work on."""
    used = [buffer for step in users for buffer in ([*step.inputs, *step.outputs] if isinstance(step, Call) else buffers(step))]
    return any(buffer.memory is memory and buffer.place.row is not None for buffer in used)


def reads_often(step: Step, memory: Buffer, columns: tuple[int, int]) -> bool:
    """Whether the innermost loop of a nest runs along the rows of some memory again and again."""
    if not isinstance(step, Nest) or not step.box or step.trips < OFTEN * columns[1]:
        return False
    return any(buffer.memory is memory and step.loops[-1] in dict(position.terms) for buffer, position, _ in positions(step))


def copy(source: Buffer, target: Buffer) -> Nest:
    shape = source.type.shape
    ranges = Ranges([(0, extent - 1) for extent in shape])
    index = tuple(map(loop_variable, range(len(shape))))
    value, width = Builder(ranges).load(source, index, shape), 2 if source.type.dtype.kind == "c" else 1
    parts = (value.real, value.imag) if width == 2 else (value,)
    statements = [Store(target, linear(index, shape) * width + k, part) for k, part in enumerate(parts)]
    return Nest(shape, [], [Region(ranges, tuple(statements))])


def positions(nest: Nest) -> Iterator[tuple[Buffer, Index, Sequence[Range]]]:
    """Iterate over the positions, with the ranges of the loops, at which a nest reads and writes."""
    for region in nest.regions:
        for expr in expressions(region):
            if expr.op == "load":
                yield expr.args[0], expr.args[1], region.ranges
        for statement in region.statements:
            if not isinstance(statement, Accumulate):
                yield statement.buffer, statement.position, region.ranges
    for reduction in nest.reductions:
        for part in range(reduction.width):
            yield reduction.buffer, reduction.position * reduction.width + part, [(0, extent - 1) for extent in nest.box]


def turn(memory: Buffer, columns: tuple[int, int], users: Sequence[Step]) -> None:
    """Let the columns of some memory be contiguous, if all that use it can do with that."""
    width, _ = columns
    if has_rows_of_trips(memory, users):
        return
    products: list[tuple[Call, dict]] = []
    for step in users:
        if isinstance(step, Call):
            if step.routine != "gemm" or memory in {buffer.memory for buffer in step.outputs}:
                return
            operands = zip(("x", "y"), step.inputs, strict=True)
            turned = {name: turned_matrix(step.params[name], columns) for name, buffer in operands if buffer.memory is memory}
            if not all(matrix.direct for matrix in turned.values()):
                return
            products.append((step, turned))
        elif not all(divides(position, ranges, width) for buffer, position, ranges in positions(step) if buffer.memory is memory):
            return
    memory.columns = columns
    for step, turned in products:
        step.params = step.params | turned


def divides(position: Index, ranges: Sequence[Range], width: int) -> bool:
    """Whether a position consists of a row and a column of it."""
    column = Index(tuple([(term, factor) for term, factor in position.terms if factor % width]), position.const)
    bounds = column.range(ranges)
    return not column.terms or (bounds is not None and bounds[0] >= 0 and bounds[1] < width)


def turned_matrix(matrix: Matrix, columns: tuple[int, int]) -> Matrix:
    width, height = columns
    strides = {name: getattr(matrix, name) for name in ("row_stride", "column_stride", "batch_stride")}
    return replace(matrix, **{name: s * height if s % width else s // width for name, s in strides.items()})
