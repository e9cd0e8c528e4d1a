"""Loops that threads share out: nests, and strips of nests, whose rows have nothing to do with each other, and stacks of products.

In: steps that have their memory. Out: the same steps, with those that are long enough to pay in a `Parallel` each, which cuts its rows into
pieces. Invariant: no piece writes memory that another one touches. What is reduced over the rows is reduced over those of a piece first,
and then over the pieces, in order: the result does not depend on who runs which piece, nor on how many threads there are.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace

from jitad.ir.registry import REGISTRY
from jitad.ir.types import ArrayType, real_dtype
from jitad.lower.fusion.products import Matrix
from jitad.lower.grammar.builder import Builder
from jitad.lower.grammar.index import Index, is_invariant, linear, loop_variable, structure
from jitad.lower.grammar.loops import Accumulate, Buffer, Call, Counter, Nest, Parallel, Reduction, Region, Repeat, Row, ScatterStore, Step, Strips
from jitad.lower.grammar.regions import Ranges
from jitad.lower.grammar.scalars import Expr
from jitad.lower.grammar.walk import buffers, children, expressions, leaves, reachable, writes
from jitad.lower.memory.layout import positions
from jitad.lower.memory.reuse import unclamped
from jitad.lower.memory.workspace import ALIGNMENT
from jitad.lower.schedule.loop_order import arrange
from jitad.lower.steps.nests import stores

LEAST_WORK = 5_000_000  # of a step that is shared out, in additions, of which a thread does 30 to 100 in a nanosecond
LEAST_WORK_OF_TRIP = 400_000  # the same in a loop, where other threads wait for it
PIECE_WORK = 80_000
LOAD, STORE, PRODUCT, SCATTER = 1, 2, 1, 30
MOST_PIECES = 64
ENOUGH_PIECES = 8  # of an outer loop, so that inner ones need not be cut
GRAIN = 64  # elements that stay together, so that threads do not write to the same cache lines
SCRATCH = 2**20  # bytes that each thread has of its own
LEAST_ROW = 16  # elements of results that are combined piece by piece
SHARE = 1024  # how many times more work than results a piece has


def share_out(steps: Sequence[Step], in_loop: bool = False) -> list[Step]:
    """Return the steps with `Parallel` ones where they pay, in loops and branches too."""
    found: list[Step] = []
    for step in steps:
        if isinstance(step, Nest | Strips):
            found += shared(step, LEAST_WORK_OF_TRIP if in_loop else LEAST_WORK)
        elif isinstance(step, Call):
            step.shared = stack_pays(step, LEAST_WORK_OF_TRIP if in_loop else LEAST_WORK)
            found.append(step)
        else:
            for inner in children(step):
                inner[:] = share_out(inner, in_loop or isinstance(step, Repeat))
            found.append(step)
    return found


def shared(step: Nest | Strips, least: int) -> list[Step]:
    """Return what runs a step: itself, or a parallel step and what combines the results of its pieces. Nests that trail are shared out apart."""
    if isinstance(step, Strips) and step.lags:
        apart = [part for nest in step.steps for part in shared(nest, least)]
        step.apart = apart if any(isinstance(part, Parallel) for part in apart) else []
        return [step]
    nests = list(leaves([step]))
    cost = sum(map(work, nests))
    if cost < least or not cost or not nests[0].box:
        return [step]
    found: tuple[int, int, int] | None = None
    for dim in (0,) if isinstance(step, Strips) else step.loops:
        block = block_of(step, nests, cost, dim)
        pieces = -(-nests[0].box[dim] // block)
        if pieces > 1 and (found is None or pieces > 2 * found[0]) and rows_apart(nests, dim):
            found = pieces, dim, block
            if pieces >= ENOUGH_PIECES:
                break
    return parallel(step, *found[1:]) if found else [step]


def stack_pays(call: Call, least: int) -> bool:
    """Whether a library call is a stack of products that is long enough to be shared out."""
    factors = [matrix for matrix in call.params.values() if isinstance(matrix, Matrix)]
    if len(factors) != 2 or factors[0].batch < 2:
        return False
    x, y = factors
    return (LOAD + PRODUCT) * x.batch * x.rows * x.columns * y.columns * len(call.outputs) >= least


def block_of(step: Nest | Strips, nests: Sequence[Nest], cost: int, dim: int) -> int:
    """Return how many iterations of a dimension make a piece that pays."""
    pieces = min(MOST_PIECES, cost // PIECE_WORK)
    results = sum({r.buffer: r.buffer.type.size for nest in nests for r in reductions(nest) if is_summed(r, dim)}.values())
    if results:
        pieces = min(pieces, cost // (SHARE * results))
    inside = math.prod(step.box[k] for k in step.loops[step.loops.index(dim) + 1 :]) if isinstance(step, Nest) else 1
    grain = step.block if isinstance(step, Strips) else -(-GRAIN // inside)
    block = -(-nests[0].box[dim] // max(pieces, 1))
    return -(-block // grain) * grain


def work(nest: Nest) -> int:
    """Return about how much work a nest is, in additions."""
    return int(sum(math.prod(high - low + 1 for low, high in region.ranges) * price(region) for region in nest.regions))


def price(region: Region) -> float:
    """Return about how much work one iteration is."""
    names = [expr.op.partition(":")[0] for expr in expressions(region)]  # a library's function follows the name of the primitive
    records = [REGISTRY[name].lower for name in names if name in REGISTRY]
    loads = sum(expr.op == "load" for expr in expressions(region))
    scattered = sum(isinstance(statement, ScatterStore) for statement in region.statements)
    return LOAD * loads + STORE * len(region.statements) + SCATTER * scattered + sum(getattr(record, "cost", 0) for record in records)


def reductions(nest: Nest) -> list[Reduction]:
    """Return what a nest reduces, and what it adds to at computed places, which is reduced into all of a buffer."""
    scattered = dict.fromkeys(s.buffer for region in nest.regions for s in region.statements if is_added(s))
    return [*nest.reductions, *[Reduction(buffer, "add", 0, 0, partial=True, position=Index(), filled=True) for buffer in scattered]]


def is_added(statement) -> bool:
    return isinstance(statement, ScatterStore) and statement.combine == "add"


def is_summed(reduction: Reduction, dim: int) -> bool:
    """Whether the iterations of a dimension are reduced with each other."""
    return dim not in dict(reduction.position.terms)


# --- which rows are independent -----------------------------------------------------------------------------------------------------


def rows_apart(nests: Sequence[Nest], dim: int) -> bool:
    """Whether no two rows, that is iterations of a dimension, touch the same memory, one of them writing to it.

    What is reduced over the rows does not count, nor what they add to at computed places.
    """
    regions = [region for nest in nests for region in nest.regions]
    if any(isinstance(s, ScatterStore) and not is_added(s) for region in regions for s in region.statements):
        return False
    written = set().union(*map(writes, nests))
    summed = {r.buffer.memory for nest in nests for r in reductions(nest) if is_summed(r, dim)}
    touched = {expr.args[0].memory for region in regions for expr in expressions(region) if expr.op == "load"}
    touched |= {s.buffer.memory for region in regions for s in region.statements if not (isinstance(s, Accumulate) or is_added(s))}
    touched |= {r.buffer.memory for nest in nests for r in nest.reductions if not is_summed(r, dim)}
    reduced = [memory for nest in nests for memory in {r.buffer: r.buffer.memory for r in reductions(nest)}.values()]
    if summed & touched or len(reduced) != len(set(reduced)):
        return False
    accesses: dict[Buffer, dict[tuple, list]] = defaultdict(lambda: defaultdict(list))
    for nest in nests:
        for buffer, position, ranges in positions(nest):
            if buffer.memory in written - summed and buffer.memory.rows is None:
                accesses[buffer.memory][place_key(buffer)].append((unclamped(buffer.located(position)), ranges))
    changed = {place_key(s.buffer) for region in regions for s in region.statements if not isinstance(s, Accumulate)}
    changed |= {place_key(r.buffer) for nest in nests for r in nest.reductions}
    return own_bytes(nests) <= SCRATCH and all(
        len({key[:-1] for key in places}) == 1 and all(
            disjoint(found, dim, nests[0].box[dim], written) for key, found in places.items() if key in changed)
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


def disjoint(accesses: Sequence[tuple[Index, Ranges]], dim: int, extent: int, written: Collection[Buffer]) -> bool:
    """Whether the positions in one iteration of a dimension, of some extent, are others than those in any other.

    A position is seen as a row and a place in it, the remainder by the width of rows. These are what the dimension steps through, or what
    it steps over. It is enough that places differ.
    """
    parts = [split(position, dim, written) for position, _ in accesses]
    (stride, *others) = {stride for _, stride, _, _ in parts}
    if others or not stride or len({structure(invariant) for invariant, *_ in parts}) != 1:
        return False
    width, reach = math.gcd(*[factor for _, _, outer, _ in parts for _, factor in outer.terms]), abs(stride) * extent
    return any(places_differ(accesses, parts, dim, stride, w) for w in (width, reach) if w == width or width % w == 0)


def places_differ(accesses: Sequence[tuple[Index, Ranges]], parts: Sequence[tuple], dim: int, stride: int, width: int) -> bool:
    """Whether the steps are longer than what lies between the places that one iteration touches, all of which lie in rows of some width, if any."""
    lows, highs = [], []
    for (position, ranges), (*_, inner) in zip(accesses, parts, strict=True):
        around, within = inner.range(ranges), (inner + loop_variable(dim) * stride).range(ranges)
        if around is None:
            return False
        first = position.const + within[0]
        if width:
            first %= width
            if first + within[1] - within[0] >= width:
                return False
        lows.append(first - within[0] + around[0])
        highs.append(first - within[0] + around[1])
    return abs(stride) > max(highs) - min(lows)


def split(position: Index, dim: int, written: Collection[Buffer]) -> tuple[Index, int, Index, Index]:
    """Return the parts of a position: what is the same in all iterations, the factor of a dimension, terms with larger factors, and others."""
    stride = dict(position.terms).get(dim, 0)
    parts: tuple[list, list, list] = ([], [], [])
    for term, factor in position.terms:
        if isinstance(term, Expr) and is_fixed(term, written):
            parts[0].append((term, factor))
        elif term != dim:
            parts[1 if abs(factor) > abs(stride) else 2].append((term, factor))
    invariant, outer, inner = (Index(tuple(part)) for part in parts)
    return invariant, stride, outer, inner


def is_fixed(term: Expr, written: Collection[Buffer]) -> bool:
    return is_invariant(term) and not any(expr.op == "load" and expr.args[0].memory in written for expr in reachable([term]))


# --- pieces -------------------------------------------------------------------------------------------------------------------------


def parallel(step: Nest | Strips, dim: int, block: int) -> list[Step]:
    """Return a step cut into pieces of `block` rows. Each has its own copy of what is reduced over the rows; the last steps reduce these."""
    rows = next(leaves([step])).box[dim]
    pieces = -(-rows // block)
    piece = Counter("piece", pieces)
    own, fills, ends = {}, [], []
    for buffer, reduction in {r.buffer: r for nest in leaves([step]) for r in reductions(nest)}.items():
        stack = buffer
        if is_summed(reduction, dim):
            stack = Buffer(ArrayType(buffer.type.dtype, (pieces, *buffer.type.shape)), "work", f"{buffer.name}_pieces")
            own[buffer] = Buffer(buffer.type, "work", f"{buffer.name}_piece", alias=stack, row=Row(piece, 0), columns=buffer.memory.columns)
            ends.append(combine(stack, reduction, pieces))
        if stack is not buffer or is_filled_before(reduction):
            fills.append(fill(stack, reduction))
    parts = [with_own(nest, own) for nest in leaves([step])]
    return [*fills, Parallel(rows, block, piece, [replace(step, steps=parts)] if isinstance(step, Strips) else parts, dim), *ends]


def is_filled_before(reduction: Reduction) -> bool:
    return reduction.partial and reduction.buffer.memory.rows is None


def with_own(nest: Nest, own: dict[Buffer, Buffer]) -> Nest:
    """Return a nest that reduces into the buffers of a piece, of which it may have no iteration."""
    replaced = {
        r: replace(r, buffer=own[r.buffer], partial=True, filled=True) if r.buffer in own else replace(r, filled=is_filled_before(r))
        for r in nest.reductions
    }
    def moved(statement):
        if isinstance(statement, Accumulate):
            return replace(statement, reduction=replaced[statement.reduction])
        return replace(statement, buffer=own[statement.buffer]) if statement.buffer in own else statement

    regions = [Region(region.ranges, tuple(map(moved, region.statements))) for region in nest.regions]
    return replace(nest, reductions=list(replaced.values()), regions=regions)


def fill(buffer: Buffer, reduction: Reduction) -> Nest:
    """Return the nest that sets all of a buffer to the identity of its reduction."""
    size = buffer.type.size
    ranges = Ranges([(0, size - 1)])
    value = Builder(ranges).const(reduction.identity, buffer.type.dtype)
    return Nest((size,), [], [Region(ranges, tuple(stores(buffer, loop_variable(0), value)))])


def combine(stack: Buffer, reduction: Reduction, pieces: int) -> Nest:
    """Return the nest that reduces the results of pieces, in their order: if these are long, piece by piece, as they lie in memory.

    Where the nests had added to what was there before, so does this one.
    """
    buffer, width = reduction.buffer, reduction.width
    shape = buffer.type.shape
    ranges = Ranges([(0, extent - 1) for extent in (*shape, pieces)])
    builder, part = Builder(ranges), real_dtype(buffer.type.dtype)
    position = linear(list(map(loop_variable, range(len(shape)))), shape)
    start = loop_variable(len(shape)) * (buffer.type.size * width)
    values = [builder.make("load", (stack, start + buffer.located(position * width + k)), part) for k in range(width)]
    added = reduction.filled and reduction.partial
    total = replace(reduction, inner=len(shape), partial=added, position=position, filled=added)
    nest = Nest((*shape, pieces), [total], [Region(ranges, (Accumulate(total, tuple(values)),))])
    if buffer.type.size >= LEAST_ROW:
        nest.order = (len(shape), *range(len(shape)))
        arrange(total, nest)
    return nest
