"""Splitting nests with long bodies, which LLVM would take more than proportionally long to compile.

In: a nest of element rules and reductions. Out: nests that do the same, one after another, none of which computes and loads many more than
`LONGEST` scalars, or half as many where there is nothing to loop over: LLVM copies all of a loop for its last elements, but orders straight-line
code anew. Invariant: a scalar that a later nest needs is stored, unless it is a number, an index or a load, which are had again. Large arrays of
them have buffers of their own; small ones that one nest makes and the same nest is the last to need share one, since each buffer is a pointer
to pass.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from jitad.ir.types import ArrayType
from jitad.lower.grammar.builder import Builder
from jitad.lower.grammar.index import Index, Range, linear, loop_variable
from jitad.lower.grammar.loops import Accumulate, Buffer, Nest, Reduction, Region, Store
from jitad.lower.grammar.scalars import Expr
from jitad.lower.grammar.walk import expressions, operands, terms
from jitad.lower.steps.joining import has_limits

LONGEST = 1200
TOGETHER = 4096  # bytes of an array of scalars that shares a buffer
LIGHT = {"const", "zero", "load", "in_range"}


def split(nest: Nest, new_buffer: Callable[[ArrayType], Buffer]) -> list[Nest]:
    """Return the nests that take the place of a nest."""
    if not any(len(expressions(region)) > LONGEST and not has_limits(region) for region in nest.regions):
        return [nest]
    parts = [split_region(region, new_buffer, early=len(nest.regions) == 1) for region in nest.regions]
    first = [Nest(nest.box, reductions_of(region), [region]) for found in parts for region in found[:-1]]
    taken = {reduction for earlier in first for reduction in earlier.reductions}
    return [*first, Nest(nest.box, [r for r in nest.reductions if r not in taken], [found[-1] for found in parts])]


def runs_of_regions(nest: Nest) -> list[Nest]:
    """Return nests of some of the regions each, to be emitted one after another: those of a single iteration are one long body together."""
    if nest.reductions:  # they end with the nest
        return [nest]
    runs: list[list[Region]] = [[]]
    size = 0
    for region in nest.regions:
        own = len(expressions(region)) if all(low == high for low, high in region.ranges) else 0
        if size + own > LONGEST and runs[-1]:
            runs.append([])
            size = 0
        size += own
        runs[-1].append(region)
    return [replace(nest, regions=run) for run in runs]


def reductions_of(region: Region) -> list[Reduction]:
    return list(dict.fromkeys(s.reduction for s in region.statements if isinstance(s, Accumulate)))


def split_region(region: Region, new_buffer: Callable[[ArrayType], Buffer], early: bool) -> list[Region]:
    """Return regions to run one after another; `early` says whether statements may be in any but the last."""
    if has_limits(region):
        return [region]
    long = [expr for expr in expressions(region) if expr.op == "load" or not is_light(expr)]
    most = LONGEST if any(low < high for low, high in region.ranges) else LONGEST // 2
    stage = {expr: k // most for k, expr in enumerate(long) if not is_light(expr)}
    last = max(stage.values(), default=0)
    if last < 1:
        return [region]
    ready: dict[Buffer, int] = defaultdict(int)  # when all that is stored in a buffer is computed: one nest fills it
    for statement in region.statements:
        ready[target_of(statement)] = max([ready[target_of(statement)], *stages_of(statement, stage)]) if early else last
    own: list[list] = [[] for _ in range(last + 1)]
    for statement in region.statements:
        own[ready[target_of(statement)]].append(statement)
    rooms = Rooms(region.ranges, new_buffer)
    found: list[Region] = []
    for k in reversed(range(last + 1)):
        kept = [expr for expr in rooms.handed if stage[expr] == k]
        copy = Copy(region.ranges, [expr for expr in stage if stage[expr] == k], lambda expr, last=k: rooms.of(expr, (stage[expr], last)))
        statements = [copy.statement(s) for s in own[k]]
        stores = [replace(rooms.handed[expr], value=copy.value(expr)) for expr in kept]
        found.append(Region(region.ranges, (*stores, *statements)))
    return found[::-1]


def is_light(expr: Expr) -> bool:
    """Whether a scalar is computed again wherever it is needed."""
    return expr.op in LIGHT or expr.dtype.kind in "iu"


def stages_of(statement, stage: dict[Expr, int]) -> Iterable[int]:
    """Iterate over the stages at which what a statement needs is computed."""
    pending, seen = roots_of(statement), set()
    while pending:
        expr = pending.pop()
        if expr in stage:
            yield stage[expr]
        elif expr not in seen:
            seen.add(expr)
            pending += operands(expr)


def target_of(statement) -> Buffer:
    return statement.reduction.buffer if isinstance(statement, Accumulate) else statement.buffer


def roots_of(statement) -> list[Expr]:
    if isinstance(statement, Accumulate):
        return list(statement.parts)
    return [statement.value, *terms(statement.position)]


class Rooms:
    """Where nests over `ranges` store the scalars that later ones need: `handed` tells."""

    def __init__(self, ranges: Sequence[Range], new_buffer: Callable[[ArrayType], Buffer]):
        extents = [high - low + 1 for low, high in ranges]
        self.place = linear([loop_variable(dim) - low for dim, (low, _) in enumerate(ranges)], extents)
        self.extents, self.new_buffer = extents, new_buffer
        self.handed: dict[Expr, Store] = {}
        self.shared: dict[tuple, Buffer] = {}

    def of(self, expr: Expr, ends: tuple[int, int]) -> Store:
        """Return where a scalar is stored that the nests numbered `ends` are the first and the last to use."""
        if expr not in self.handed:
            size = math.prod(self.extents)
            if size * expr.dtype.itemsize > TOGETHER:
                self.handed[expr] = Store(self.new_buffer(ArrayType(expr.dtype, tuple(self.extents))), self.place, None)
            else:
                key = expr.dtype, ends
                buffer = self.shared[key] = self.shared.get(key) or self.new_buffer(ArrayType(expr.dtype, (0, *self.extents)))
                (count, *_) = buffer.type.shape
                buffer.type = ArrayType(expr.dtype, (count + 1, *self.extents))
                self.handed[expr] = Store(buffer, self.place + count * size, None)
        return self.handed[expr]


class Copy:
    """Makes the scalars of one stage again. What it needs of earlier ones it loads from where `room` says that they store it."""

    def __init__(self, ranges: Sequence[Range], own: Iterable[Expr], room: Callable[[Expr], Store]):
        self.builder, self.own, self.room = Builder(ranges), set(own), room
        self.made: dict[Expr, Expr] = {}

    def statement(self, statement):
        if isinstance(statement, Accumulate):
            return Accumulate(statement.reduction, tuple(map(self.value, statement.parts)))
        for term in terms(statement.position):
            self.value(term)
        return Store(statement.buffer, self.mapped(statement.position), self.value(statement.value))

    def value(self, root: Expr) -> Expr:
        """Return the copy of a scalar, after those of its operands."""
        pending = [root]
        while pending:
            expr = pending[-1]
            missing = [] if expr in self.made or not self.is_computed(expr) else [x for x in operands(expr) if x not in self.made]
            if missing:
                pending += missing
            else:
                pending.pop()
                if expr not in self.made:
                    self.made[expr] = self.copied(expr) if self.is_computed(expr) else self.loaded(expr)
        return self.made[root]

    def is_computed(self, expr: Expr) -> bool:
        return expr in self.own or is_light(expr)

    def copied(self, expr: Expr) -> Expr:
        return self.builder.make(expr.op, tuple(map(self.mapped, expr.args)), expr.dtype, expr.bounds)

    def mapped(self, x):
        """Return an operand in terms of copies."""
        if isinstance(x, Expr):
            return self.made[x]
        if isinstance(x, Index):
            return sum((Index(((term if isinstance(term, int) else self.made[term], c),)) for term, c in x.terms), Index((), x.const))
        return x

    def loaded(self, expr: Expr) -> Expr:
        store = self.room(expr)
        return self.builder.make("load", (store.buffer, store.position), expr.dtype)
