"""Check that `Loops` obey their grammar: what a step reads is there, and what it addresses lies inside the buffer.

In: `Loops`. Out: the same, or an `InternalError`. It works at the granularity of buffers: one counts as written when a step has written all
of it, and as lost when a step writes a work buffer that shares bytes with it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence

from jitad.ir import errors
from jitad.lower.grammar.index import Index, structure
from jitad.lower.grammar.loops import Accumulate, Buffer, Call, Choice, Loops, Nest, Parallel, Region, Repeat, ScatterStore, Step, Store, Strips
from jitad.lower.grammar.regions import Ranges
from jitad.lower.grammar.scalars import Expr
from jitad.lower.grammar.walk import buffers, expressions, leaves, reachable, roots


def verify_loops(loops: Loops) -> Loops:
    """Return `loops` unchanged, or raise `InternalError` saying which step breaks which rule."""
    ready = verify_steps(loops.steps, set(loops.inputs), "")
    for buffer in loops.outputs:
        if buffer not in ready and buffer.type.size:
            raise errors.InternalError(f"{buffer.name} is never written")
    return loops


def verify_steps(steps: Sequence[Step], ready: set[Buffer], path: str) -> set[Buffer]:
    """Return the buffers that are written after `steps`, given those before."""
    for number, step in enumerate(steps):
        where = f"step {path}{number}"
        if isinstance(step, Repeat):
            carried = {buffer.memory for buffer in step.carries}  # its initial value may be undefined: a stack that the trips fill
            inside = verify_steps(step.test, ready | carried, f"{where}, test ")
            if isinstance(step.count, Buffer):
                check_uses({step.count.memory}, set(), ready, where)
            ready = verify_steps(step.steps, inside, f"{where}, trip ") | set(step.moves) | {buffer.memory for buffer in step.copies}
            ready |= {step.trips.memory} if step.trips is not None else set()
        elif isinstance(step, Strips):
            ready = verify_steps(step.steps, ready, f"{where}, strip ")
        elif isinstance(step, Parallel):
            places = [buffer.place for nest in leaves(step.steps) for buffer in buffers(nest)]
            own = {place.memory for place in places if place.row is not None and place.row.counter is step.piece}
            ready = verify_steps(step.steps, ready | own, f"{where}, piece ")
        elif isinstance(step, Choice):
            check_uses({step.index.memory}, set(), ready, where)
            after = [verify_steps(branch, set(ready), f"{where}, branch {k} ") for k, branch in enumerate(step.branches)]
            ready = set.intersection(*after)
        else:
            where += f" ({step.routine})" if isinstance(step, Call) else f", a nest over {step.box}"
            reads, writes = call_uses(step) if isinstance(step, Call) else nest_uses(step, ready, where)
            check_uses(reads, writes, ready, where)
            ready = ready - {old for old in ready for new in writes if overlap(old, new)} | writes
    return ready


def check_uses(reads: set[Buffer], writes: set[Buffer], ready: set[Buffer], where: str) -> None:
    for buffer in reads - ready:
        if buffer.type.size and not buffer.undefined:
            raise errors.InternalError(f"{where} reads {buffer.name}, which no earlier step has written or a later one has overwritten")
    for one in writes:
        for other in (reads | writes) - {one}:
            if overlap(one, other):
                raise errors.InternalError(f"{where} writes {one.name}, which shares bytes with {other.name}")
        if one.kind == "input":
            raise errors.InternalError(f"{where} writes {one.name}, an input")


def overlap(x: Buffer, y: Buffer) -> bool:
    """Return whether two buffers are different and share bytes of the workspace."""
    return x is not y and x.kind == y.kind == "work" and x.offset < y.offset + y.nbytes and y.offset < x.offset + x.nbytes


def call_uses(call: Call) -> tuple[set[Buffer], set[Buffer]]:
    return {buffer.memory for buffer in call.inputs}, {buffer.memory for buffer in call.outputs}


def nest_uses(nest: Nest, ready: set[Buffer], where: str) -> tuple[set[Buffer], set[Buffer]]:
    """Return the buffers that a nest reads from earlier steps and those it writes, after checking its regions.

    A buffer that is not written yet has to be written completely.
    """
    if not disjoint(nest.box, [region.ranges for region in nest.regions]):
        raise errors.InternalError(f"{where}: its regions overlap or exceed its box")
    statements = [s for region in nest.regions for s in region.statements]
    scattered = {s.buffer.memory for s in statements if isinstance(s, ScatterStore)}
    written = {s.buffer.memory for s in statements if isinstance(s, Store)} | {reduction.buffer.memory for reduction in nest.reductions}
    reads = {expr.args[0].memory for region in nest.regions for expr in expressions(region) if expr.op == "load"}
    for region in nest.regions:
        check_region(region, where)
        check_recurrences(region, written - ready, where)
    for buffer in written - ready:
        if not buffer.undefined:
            check_complete(nest, buffer, where)
    return (reads | scattered) - written, written | scattered


def disjoint(box: tuple[int, ...], parts: list[Ranges]) -> bool:
    """Return whether boxes, given by inclusive ranges, are disjoint and lie within `box`. Computed limits keep apart what they limit."""
    inside = all(0 <= low <= high < extent for part in parts for (low, high), extent in zip(part, box, strict=True))
    return inside and all(
        any(a[1] < b[0] or b[1] < a[0] for a, b in zip(one, other, strict=True)) or kept_apart(one, other)
        for k, one in enumerate(parts) for other in parts[:k]
    )


def kept_apart(one: Ranges, other: Ranges) -> bool:
    """Return whether along some dimension one ends, by its limits, where the other begins."""
    def ends_before(first: Ranges, second: Ranges) -> bool:
        return any(before(structure(x), structure(y)) for highs, lows in zip(first.highs, second.lows, strict=False) for x in highs for y in lows)

    def before(end, start) -> bool:
        return end[0] == start[0] and end[1] <= start[1]

    return ends_before(one, other) or ends_before(other, one)


def check_region(region: Region, where: str) -> None:
    """Every position that is known to lie in a range lies within its buffer."""
    for expr in reachable(roots(region)):
        if expr.op == "load":
            check_position(expr.args[0], expr.args[1], region.ranges, f"{where}: reads")
    for statement in region.statements:
        if isinstance(statement, Accumulate):
            check_position(statement.reduction.buffer, statement.reduction.position, region.ranges, f"{where}: accumulates into", 1)
        else:
            check_position(statement.buffer, statement.position, region.ranges, f"{where}: writes")


def check_recurrences(region: Region, fresh: set[Buffer], where: str) -> None:
    """Of what only this nest writes, a region reads no more than what its last iteration, along some dimension, has written."""
    before = {
        (s.buffer.memory, s.position - coefficient)
        for s in region.statements
        if isinstance(s, Store)
        for term, coefficient in s.position.terms
        if isinstance(term, int)
    }
    for expr in reachable(roots(region)):
        if expr.op == "load" and expr.args[0].memory in fresh and (expr.args[0].memory, expr.args[1]) not in before:
            raise errors.InternalError(f"{where}: reads {expr.args[0].name} at {expr.args[1]}, which it has not written yet")


def check_position(buffer: Buffer, position: Index, ranges: Ranges, where: str, width: int | None = None) -> None:
    """`width` is the number of positions per element: two in a complex buffer, unless positions count elements."""
    width = width or (2 if buffer.type.dtype.kind == "c" else 1)
    if any(ranges.is_limited(dim) for dim, _ in position.loop_terms()):
        return
    builder = next((term.builder for term, _ in position.terms if isinstance(term, Expr)), None)
    bounds = builder.bounds(position, buffer.type.size * width) if builder else position.range(ranges)
    if bounds is not None and not (bounds[0] >= 0 and bounds[1] < buffer.type.size * width):
        raise errors.InternalError(f"{where} {buffer.name} at {position}, which runs over {bounds}; its size is {buffer.type.size * width}")


def check_complete(nest: Nest, buffer: Buffer, where: str) -> None:
    """The stores of a nest to a buffer, or its reductions, fill all of it."""
    if any(reduction.buffer.memory is buffer for reduction in nest.reductions):
        places: Iterable[int] = reduction_places(nest, [r for r in nest.reductions if r.buffer.memory is buffer])
    else:
        places = store_places(nest, buffer)
    if sum(places) != buffer.type.size * (2 if buffer.type.dtype.kind == "c" else 1):
        raise errors.InternalError(f"{where} writes only part of {buffer.name}")


def reduction_places(nest: Nest, reductions: list) -> list[int]:
    """Partial reductions begin by filling their buffer; the others write each element once."""
    (first, *_) = reductions
    if first.partial:
        return [first.buffer.type.size * first.width]
    found = []
    for reduction in reductions:
        kept = {term for term, _ in reduction.position.terms}
        feeding = sum(any(isinstance(s, Accumulate) and s.reduction is reduction for s in region.statements) for region in nest.regions)
        if not kept <= set(nest.loops[: reduction.inner]) or feeding != 1:
            return []
        found.append(math.prod(nest.box[dim] for dim in kept) * reduction.width)
    return found


def store_places(nest: Nest, buffer: Buffer) -> list[int]:
    """The number of positions that each store writes; what regions with different limits write is counted once."""
    found: list[int] = []
    limited: dict[int, set[tuple]] = {}
    for region in nest.regions:
        stores = [s for s in region.statements if isinstance(s, Store) and s.buffer.memory is buffer]
        for number, statement in enumerate(stores):
            used = {term for term, _ in statement.position.terms}
            box = tuple([pair for dim, pair in enumerate(region.ranges) if dim in used])
            if region.ranges.limits:
                limited.setdefault(number, set()).add(box)
            else:
                found.append(math.prod(high - low + 1 for low, high in box))
    return [*found, *map(union_size, limited.values())]


def union_size(boxes: set[tuple]) -> int:
    """Return the number of points in boxes that may overlap."""
    if len(boxes) == 1 or () in boxes:
        (box, *_) = boxes
        return math.prod(high - low + 1 for low, high in box)
    ends = sorted({end for box in boxes for end in (box[0][0], box[0][1] + 1)})
    total = 0
    for low, after in itertools.pairwise(ends):
        here = {box[1:] for box in boxes if box[0][0] <= low and after <= box[0][1] + 1}
        total += (after - low) * union_size(here) if here else 0
    return total
