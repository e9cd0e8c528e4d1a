"""Loops that threads share out: nests, and strips of nests, whose rows have nothing to do with each other.

In: steps that have their memory. Out: the same steps, with those that are long enough to pay in a `Parallel` each, which cuts its rows into
pieces. Invariant: no piece writes memory that another one touches. What is reduced over the rows is reduced over those of a piece first,
and then over the pieces, in order: the result does not depend on who runs which piece, nor on how many threads there are.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import zip_longest

from jitad.ir.registry import REGISTRY
from jitad.ir.types import ArrayType, real_dtype
from jitad.lower.index import Index, is_invariant, linear, loop_variable, structure
from jitad.lower.layout import positions
from jitad.lower.loops import Accumulate, Buffer, Counter, Nest, Parallel, Reduction, Region, Repeat, Row, ScatterStore, Step, Strips
from jitad.lower.nests import stores
from jitad.lower.regions import Ranges
from jitad.lower.reuse import unclamped
from jitad.lower.scalars import Builder, Expr
from jitad.lower.walk import buffers, children, expressions, leaves, reachable, writes
from jitad.lower.workspace import ALIGNMENT

LEAST_WORK = 5_000_000  # of a step that is shared out, in additions, of which a thread does 30 to 100 in a nanosecond
LEAST_WORK_OF_TRIP = 400_000  # the same in a loop, where other threads wait for it
PIECE_WORK = 200_000
LOAD, STORE = 1, 2
MOST_PIECES = 64
GRAIN = 64  # elements that stay together, so that threads do not write to the same cache lines
SCRATCH = 2**20  # bytes that each thread has of its own
SHARE = 64  # how many times more elements than results are to be reduced


def share_out(steps: Sequence[Step], in_loop: bool = False) -> list[Step]:
    """Return the steps with `Parallel` ones where they pay, in loops and branches too."""
    found: list[Step] = []
    for step in steps:
        if isinstance(step, Nest | Strips):
            found += shared(step, LEAST_WORK_OF_TRIP if in_loop else LEAST_WORK)
        else:
            for inner in children(step):
                inner[:] = share_out(inner, in_loop or isinstance(step, Repeat))
            found.append(step)
    return found


def shared(step: Nest | Strips, least: int) -> list[Step]:
    """Return what runs a step: itself, or a parallel step and what combines the results of its pieces."""
    nests = list(leaves([step]))
    cost = sum(map(work, nests))
    if cost < least or not all(nest.box and nest.loops[0] == 0 or isinstance(step, Strips) for nest in nests) or not rows_apart(nests):
        return [step]
    summed = list(dict.fromkeys(r.buffer for nest in nests for r in nest.reductions if is_summed(r)))
    rows, pieces = nests[0].box[0], min(MOST_PIECES, cost // PIECE_WORK)
    if summed:
        pieces = min(pieces, sum(nest.trips for nest in nests) // (SHARE * max(buffer.type.size for buffer in summed)))
    grain = step.block if isinstance(step, Strips) else -(-GRAIN // math.prod(nests[0].box[1:]))
    block = -(-rows // max(pieces, 1))
    block = -(-block // grain) * grain
    if block >= rows:
        return [step]
    return parallel(step, rows, block, summed)


def work(nest: Nest) -> int:
    """Return about how much work a nest is, in additions."""
    return int(sum(math.prod(high - low + 1 for low, high in region.ranges) * price(region) for region in nest.regions))


def price(region: Region) -> float:
    """Return about how much work one iteration is."""
    records = [REGISTRY[expr.op].lower for expr in expressions(region) if expr.op in REGISTRY]
    loads = sum(expr.op == "load" for expr in expressions(region))
    return LOAD * loads + STORE * len(region.statements) + sum(getattr(record, "cost", 0) for record in records)


def is_summed(reduction: Reduction) -> bool:
    """Whether rows are reduced with each other."""
    return 0 not in dict(reduction.position.terms)


# --- which rows are independent -----------------------------------------------------------------------------------------------------


def rows_apart(nests: Sequence[Nest]) -> bool:
    """Whether no two rows touch the same memory, one of them writing to it, apart from what is reduced over the rows."""
    regions = [region for nest in nests for region in nest.regions]
    if any(isinstance(s, ScatterStore) for region in regions for s in region.statements):
        return False
    written = set().union(*map(writes, nests))
    summed = {r.buffer.memory for nest in nests for r in nest.reductions if is_summed(r)}
    touched = {expr.args[0].memory for region in regions for expr in expressions(region) if expr.op == "load"}
    touched |= {s.buffer.memory for region in regions for s in region.statements if not isinstance(s, Accumulate)}
    touched |= {r.buffer.memory for nest in nests for r in nest.reductions if not is_summed(r)}
    reduced = [memory for nest in nests for memory in {r.buffer: r.buffer.memory for r in nest.reductions}.values()]
    if summed & touched or len(reduced) != len(set(reduced)):
        return False
    box = tuple([max(extents) for extents in zip_longest(*[nest.box for nest in nests], fillvalue=1)])
    accesses: dict[Buffer, dict[tuple, list]] = defaultdict(lambda: defaultdict(list))
    for nest in nests:
        for buffer, position, ranges in positions(nest):
            if buffer.memory in written - summed and buffer.memory.rows is None:
                accesses[buffer.memory][place_key(buffer)].append((unclamped(buffer.located(position)), ranges))
    return own_bytes(nests) <= SCRATCH and all(
        len({key[:-1] for key in places}) == 1 and all(disjoint(found, box, written) for found in places.values())
        for places in accesses.values()
    )


def own_bytes(nests: Sequence[Nest]) -> int:
    """Return how many bytes threads need of their own, for what holds the rows of one block only."""
    own = {buffer.memory for nest in nests for buffer in buffers(nest) if buffer.memory.rows is not None}
    return sum(memory.nbytes + ALIGNMENT for memory in own)


def place_key(buffer: Buffer) -> tuple:
    """Return a key that tells which part of its memory a buffer is. Keys that differ in the last item only stand for different parts."""
    place = buffer.place
    if place.row is None:
        return (place, 0)
    return (place_key(place.alias), place.nbytes, place.row.counter, place.row.shift)


def disjoint(accesses: Sequence[tuple[Index, Ranges]], box: Sequence[int], written: Collection[Buffer]) -> bool:
    """Whether the positions in one row are others than those in any other row."""
    fixed, strides, lows, highs = set(), set(), [], []
    for position, ranges in accesses:
        invariant = Index(tuple([(term, c) for term, c in position.terms if isinstance(term, Expr) and is_fixed(term, written)]))
        fixed.add(structure(invariant))
        terms = dict((position - invariant).terms)
        strides.add(abs(terms.pop(0, 0)))
        bounds = Index(tuple(terms.items()), position.const).range(ranges)
        if bounds is None:
            return False
        lows.append(bounds[0])
        highs.append(bounds[1])
    (stride, *others) = strides
    if others or len(fixed) != 1:
        return False
    return stride > max(highs) - min(lows) or (len({position for position, _ in accesses}) == 1 and injective(accesses[0][0], box))


def is_fixed(term: Expr, written: Collection[Buffer]) -> bool:
    return is_invariant(term) and not any(expr.op == "load" and expr.args[0].memory in written for expr in reachable([term]))


def injective(position: Index, box: Sequence[int]) -> bool:
    """Whether iterations that differ in any loop of the position have different positions."""
    reach = 0
    for extent, factor in sorted([(box[dim], abs(c)) for dim, c in position.loop_terms()], key=lambda pair: pair[1]):
        if factor <= reach:
            return False
        reach += factor * (extent - 1)
    return len(position.loop_terms()) == len(position.terms)


# --- pieces -------------------------------------------------------------------------------------------------------------------------


def parallel(step: Nest | Strips, rows: int, block: int, summed: Sequence[Buffer]) -> list[Step]:
    """Return a step cut into pieces of `block` rows. Each has its own row of what is `summed`, which the last steps reduce."""
    pieces = -(-rows // block)
    piece = Counter("piece", pieces)
    own, fills, ends = {}, [], []
    for buffer, reduction in {r.buffer: r for nest in leaves([step]) for r in nest.reductions}.items():
        stack = buffer
        if buffer in summed:
            stack = Buffer(ArrayType(buffer.type.dtype, (pieces, *buffer.type.shape)), "work", f"{buffer.name}_pieces")
            own[buffer] = Buffer(buffer.type, "work", f"{buffer.name}_piece", alias=stack, row=Row(piece, 0), columns=buffer.memory.columns)
            ends.append(combine(stack, reduction, pieces))
        if is_filled_before(reduction):
            fills.append(fill(stack, reduction))
    parts = [with_own(nest, own) for nest in leaves([step])]
    return [*fills, Parallel(rows, block, piece, [replace(step, steps=parts)] if isinstance(step, Strips) else parts), *ends]


def is_filled_before(reduction: Reduction) -> bool:
    return reduction.partial and reduction.buffer.memory.rows is None


def with_own(nest: Nest, own: dict[Buffer, Buffer]) -> Nest:
    """Return a nest that reduces into the buffers of a piece."""
    replaced = {r: replace(r, buffer=own.get(r.buffer, r.buffer), filled=is_filled_before(r)) for r in nest.reductions}
    regions = [Region(region.ranges, tuple([with_reduction(s, replaced) for s in region.statements])) for region in nest.regions]
    return replace(nest, reductions=list(replaced.values()), regions=regions)


def with_reduction(statement, replaced: dict[Reduction, Reduction]):
    return replace(statement, reduction=replaced[statement.reduction]) if isinstance(statement, Accumulate) else statement


def fill(buffer: Buffer, reduction: Reduction) -> Nest:
    """Return the nest that sets all of a buffer to the identity of its reduction."""
    size = buffer.type.size
    ranges = Ranges([(0, size - 1)])
    value = Builder(ranges).const(reduction.identity, buffer.type.dtype)
    return Nest((size,), [], [Region(ranges, tuple(stores(buffer, loop_variable(0), value)))])


def combine(stack: Buffer, reduction: Reduction, pieces: int) -> Nest:
    """Return the nest that reduces the results of pieces, in their order."""
    buffer, width = reduction.buffer, reduction.width
    shape = buffer.type.shape
    ranges = Ranges([(0, extent - 1) for extent in (*shape, pieces)])
    builder, part = Builder(ranges), real_dtype(buffer.type.dtype)
    position = linear(list(map(loop_variable, range(len(shape)))), shape)
    start = loop_variable(len(shape)) * (buffer.type.size * width)
    values = [builder.make("load", (stack, start + buffer.located(position * width + k)), part) for k in range(width)]
    total = replace(reduction, inner=len(shape), partial=False, position=position)
    return Nest((*shape, pieces), [total], [Region(ranges, (Accumulate(total, tuple(values)),))])
