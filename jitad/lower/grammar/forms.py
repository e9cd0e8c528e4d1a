"""Nests that differ in nothing but the buffers and counters they work on, as those of unrolled loops do: they can share their code.

In: a nest. Out: its form, a key that is equal for such nests. Invariant: what is emitted for a nest depends on its form alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from jitad.lower.grammar.index import Index
from jitad.lower.grammar.loops import Accumulate, Buffer, Check, Counter, Nest, Region, Store
from jitad.lower.grammar.scalars import Expr
from jitad.lower.grammar.walk import expressions


def form(nest: Nest, used: Sequence[Buffer], counters: Sequence[Counter]) -> tuple:
    """Return the form of a nest that works on these buffers and counters."""
    writer = Writer(nest, used, counters)
    reductions = [writer.tuple_of(r.buffer, r.combine, r.identity, r.inner, r.partial, r.position, r.filled) for r in nest.reductions]
    layouts = [(buffer.rows, buffer.columns, buffer.padding, buffer.memory in nest.far) for buffer in used]
    kind = nest.box, nest.loops, nest.jam, nest.plain, nest.streamed
    return *kind, tuple(layouts), tuple(reductions), tuple(map(writer.region, nest.regions))


class Writer:
    """Numbers what a nest mentions, in a fixed order."""

    def __init__(self, nest: Nest, used: Sequence[Buffer], counters: Sequence[Counter]):
        self.numbers: dict = {x: k for group in (used, counters, nest.reductions) for k, x in enumerate(group)}

    def region(self, region: Region) -> tuple:
        found = expressions(region)
        self.numbers.update({expr: k for k, expr in enumerate(found)})
        rows = [(expr.op, expr.dtype, expr.bounds, *map(self.value, expr.args)) for expr in found]
        ranges = region.ranges
        limits = [[self.tuple_of(*limit) for limit in ends] for ends in (ranges.lows, ranges.highs)]
        return tuple(rows), tuple(ranges), *map(tuple, limits), tuple(map(self.statement, region.statements))

    def statement(self, statement) -> tuple:
        if isinstance(statement, Accumulate):
            return "accumulate", self.numbers[statement.reduction], self.tuple_of(*statement.parts)
        combine = "" if isinstance(statement, Store) else statement.combine
        return (combine or "store", *self.tuple_of(statement.buffer, statement.position, statement.value))

    def tuple_of(self, *values) -> tuple:
        return tuple(map(self.value, values))

    def value(self, x):
        if isinstance(x, Expr):
            return "v", self.numbers[x]
        if isinstance(x, Index):
            return tuple([(term if isinstance(term, int) else self.value(term), c) for term, c in x.terms]), x.const
        if isinstance(x, Buffer):
            return "b", self.numbers[x.place], x.type
        if isinstance(x, Counter):
            return "c", self.numbers[x]
        return x if isinstance(x, Check) else (type(x), repr(x))
