"""Walking over loop IR: which expressions and buffers a region or a nest uses."""

from __future__ import annotations

from collections.abc import Iterable

from jitad.lower.index import Index
from jitad.lower.loops import Accumulate, Buffer, Nest, Region
from jitad.lower.scalars import Expr


def reachable(values: Iterable[Expr]) -> list[Expr]:
    """Return the expressions that `values` need, operands first."""
    seen: dict[int, Expr] = {}
    pending = list(values)
    while pending:
        expr = pending.pop()
        if expr.number not in seen:
            seen[expr.number] = expr
            pending += operands(expr)
    return [seen[number] for number in sorted(seen)]


def operands(expr: Expr) -> list[Expr]:
    found = [x for x in expr.args if isinstance(x, Expr)]
    for x in expr.args:
        if isinstance(x, Index):
            found += terms(x)
    return found


def terms(index: Index) -> list[Expr]:
    """Return the scalar expressions in an index."""
    return [term for term, _ in index.terms if isinstance(term, Expr)]


def roots(region: Region) -> list[Expr]:
    """Return the expressions that the statements of a region name."""
    found: list[Expr] = []
    for statement in region.statements:
        if isinstance(statement, Accumulate):
            found += statement.parts
        else:
            found += [statement.value, *terms(statement.position)]
    return found


def buffers(nest: Nest) -> list[Buffer]:
    """Return the buffers a nest reads or writes, in a fixed order."""
    found: dict[Buffer, None] = {reduction.buffer: None for reduction in nest.reductions}
    for region in nest.regions:
        for statement in region.statements:
            if not isinstance(statement, Accumulate):
                found[statement.buffer] = None
        for expr in reachable(roots(region)):
            if expr.op == "load":
                found[expr.args[0]] = None
    return list(found)
