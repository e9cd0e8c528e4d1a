"""Joining regions that do the same.

In: the regions of a nest. Out: as few of them as neighbours with equal statements allow. Invariant: each iteration does what it did; only in
which order the regions run may change.
"""

from __future__ import annotations

from collections.abc import Sequence

from jitad.lower.grammar.index import Index
from jitad.lower.grammar.loops import Region
from jitad.lower.grammar.regions import Ranges
from jitad.lower.grammar.scalars import Expr
from jitad.lower.grammar.walk import reachable, roots


def joined(regions: Sequence[Region]) -> list[Region]:
    """Return the regions after joining neighbours along one dimension after another, the innermost first."""
    if len(regions) < 2:
        return list(regions)
    numbers: dict = {}
    found = {region.ranges: (Statements(numbers).of(region), region) for region in regions if not has_limits(region)}
    kept = [region for region in regions if has_limits(region)]
    for dim in reversed(range(len(regions[0].ranges))):
        rows: dict[tuple, list] = {}
        for ranges, (key, region) in found.items():
            row = rows.setdefault((key, ranges[:dim], ranges[dim + 1 :]), [])
            if row and row[-1][0][dim][1] + 1 == ranges[dim][0]:
                before, first = row[-1]
                row[-1] = ((*before[:dim], (before[dim][0], ranges[dim][1]), *before[dim + 1 :]), first)
            else:
                row.append((ranges, region))
        found = {ranges: (key, region) for (key, _, _), row in rows.items() for ranges, region in row}
    return kept + [Region(ranges, region.statements) for ranges, (_, region) in sorted(found.items(), key=lambda item: item[0])]


def has_limits(region: Region) -> bool:
    return isinstance(region.ranges, Ranges) and bool(region.ranges.limits)


class Statements:
    """Gives equal numbers to what is equal, across the builders of different regions."""

    def __init__(self, numbers: dict):
        self.numbers = numbers
        self.memo: dict[int, int] = {}

    def of(self, region: Region) -> tuple:
        """Return a hashable stand-in for what a region does."""
        for expr in reachable(roots(region)):  # operands first, so that deep expressions need no deep recursion
            self.key(expr)
        return self.key(region.statements)

    def key(self, x):
        """Return a hashable stand-in for a statement, an expression or whatever these are made of."""
        if isinstance(x, Expr):
            if x.number not in self.memo:
                own = (x.op, self.key(x.args), x.dtype)
                self.memo[x.number] = self.numbers.setdefault(own, len(self.numbers))
            return ("expression", self.memo[x.number])
        if isinstance(x, tuple):
            return tuple([self.key(item) for item in x])
        if isinstance(x, Index):
            return (x.const, frozenset((self.key(term), coefficient) for term, coefficient in x.terms))
        if hasattr(x, "__dataclass_fields__") and type(x).__eq__ is not object.__eq__:
            return (type(x), *[self.key(getattr(x, name)) for name in x.__dataclass_fields__])
        return x
