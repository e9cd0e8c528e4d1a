"""Sums that loops without nests carry from trip to trip: their terms may be added up in another order, so that the loops vectorise.

In: steps. Out: the same steps, with `sums` set on nests: the additions by which a number grows that nothing else in the loop reads or writes.
Invariant: only the order changes in which the terms are added, as it does in sums over arrays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from jitad.lower.grammar.loops import Accumulate, Buffer, Nest, Region, Repeat, ScatterStore, Step, Store
from jitad.lower.grammar.scalars import Expr
from jitad.lower.grammar.walk import children, expressions, operands, reads, roots, writes

CARRYING = {"add": (0, 1), "sub": (0,), "muladd": (2,)}  # the operands that may be the sum so far


def reorder_sums(steps: Iterable[Step]) -> None:
    """Mark the additions in all loops that run nothing but straight-line code."""
    for step in steps:
        for inner in children(step):
            reorder_sums(inner)
        if isinstance(step, Repeat) and not step.test and all(isinstance(part, Nest) and not part.box for part in step.steps):
            for nest in step.steps:
                nest.sums = frozenset(addition for sum in sums_of(nest, step) for addition in sum)


def sums_of(nest: Nest, loop: Repeat) -> Iterator[list[Expr]]:
    """Iterate over the sums that a nest continues in every trip of a loop, each as the additions that it consists of."""
    others = Counter(memory for step in loop.steps if step is not nest for memory in reads(step) | writes(step))
    moving = {buffer.memory for buffer in (*loop.moves, *loop.moves.values(), *loop.copies, *loop.copies.values())}
    for region in nest.regions:
        uses = Counter(x.number for expr in expressions(region) for x in operands(expr))
        uses.update(x.number for x in roots(region))
        for statement in region.statements:
            if is_store(statement) and statement.buffer.memory not in others and statement.buffer.memory not in moving:
                found = additions(statement, region, uses)
                if found and alone(statement.buffer, region):
                    yield found


def is_store(statement) -> bool:
    """Whether a statement stores a real number where numbers of one kind are, at a known place."""
    if isinstance(statement, Accumulate | ScatterStore):
        return False
    return statement.value.dtype.kind == "f" and not statement.position.terms and statement.buffer.row is None


def alone(buffer: Buffer, region: Region) -> bool:
    """Whether a region reads and writes some memory at known places alone, and writes each of them once."""
    stored = [s.position for s in region.statements if not isinstance(s, Accumulate) and s.buffer.memory is buffer.memory]
    loaded = [expr.args[1] for expr in expressions(region) if expr.op == "load" and expr.args[0].memory is buffer.memory]
    return len({*stored}) == len(stored) and not any(x.terms for x in (*stored, *loaded))


def additions(statement: Store, region: Region, uses: Counter) -> list[Expr]:
    """Return the additions that lead from what is stored at a place to what it becomes; none if anything else uses what they give."""
    found: list[Expr] = []
    pending = [(statement.value, [])]
    while pending:
        expr, path = pending.pop()
        if uses[expr.number] != 1:
            continue
        if expr.op == "load":
            if expr.args[0].memory is statement.buffer.memory and expr.args[1] == statement.position and not cancels(path):
                found = path
        else:
            pending += [(expr.args[k], [*path, expr]) for k in CARRYING.get(expr.op, ()) if expr.dtype.kind == "f"]
    return found


def cancels(path: list[Expr]) -> bool:
    """Whether some additions may undo each other, as those that round a number to a multiple of another."""
    added = [expr.args[:2] if expr.op == "muladd" else x for expr in path for x in expr.args[-2:] if x not in path]
    return len(path) > 1 and (any(isinstance(x, Expr) and x.op == "const" for x in added) or len({*added}) < len(added))
