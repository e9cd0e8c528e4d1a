"""The scalars of one region of a nest: what depends on indices, and on which values these have there.

In: the element rules of primitives, applied to a `Builder`. Out: `Expr`. Invariant: an index that is used is in range wherever its region runs, or
is checked when it does; what a guard decides in all of the region is not asked in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jitad.ir import errors
from jitad.ir.types import BOOL, INT, real_dtype
from jitad.lower.grammar.index import Index, Range, is_invariant, linear, loop_variable
from jitad.lower.grammar.loops import Buffer, Check, Counter
from jitad.lower.grammar.regions import Ranges
from jitad.lower.grammar.scalars import Complex, Expr, Scalars

ORDER = {"lt", "le", "gt", "ge"}


class Builder(Scalars):
    """Makes expressions for one region of a nest; `ranges` are the values each loop variable takes there (both ends included).

    `thresholds` collects, per dimension, the loop values at which an undecided guard changes its truth, and `limits` pairs of a
    dimension and such a value that is only known when the kernel runs; cutting the region there decides the guard.
    """

    def __init__(self, ranges: Sequence[Range]):
        super().__init__()
        self.ranges = ranges if isinstance(ranges, Ranges) else Ranges(ranges)
        self.thresholds: list[set[int]] = [set() for _ in ranges]
        self.limits: list[tuple[int, Index]] = []
        self.checks: list[Check] = []
        self.next_check: Callable[[int], Check] | None = None

    # --- integers as indices ----------------------------------------------------------------------------------------

    def call(self, name: str, *args) -> Expr | Complex:
        """Apply an elementwise primitive by name; a comparison of indices may be decided."""
        if name in ORDER and args[0].dtype == INT:
            decided = self.in_order(name, *map(self.as_index, args))
            if decided is not None:
                return self.const(decided, BOOL)
        return super().call(name, *args)

    def select(self, condition: Expr, x, y) -> Expr | Complex:
        value = super().select(condition, x, y)
        if isinstance(value, Expr) and value.op == "select" and value.dtype == INT and value.bounds is None:
            ends = [self.as_index(k).range(self.ranges) for k in (x, y)]
            if None not in ends:
                value.bounds = min(ends[0][0], ends[1][0]), max(ends[0][1], ends[1][1])
        return value

    def load(self, buffer: Buffer, index: Sequence[Index], shape: Sequence[int]) -> Expr | Complex:
        """Read an element of a buffer seen as an array of `shape`."""
        position, dtype = linear(index, shape), buffer.type.dtype
        if dtype.kind == "c":
            position, part = position * 2, real_dtype(dtype)
            return Complex(self.make("load", (buffer, position), part), self.make("load", (buffer, position + 1), part))
        return self.make("load", (buffer, position), dtype)

    def index(self, i: Index) -> Expr:
        """Return an index as an int64 scalar."""
        if not i.terms:
            return self.const(i.const, INT)
        if not i.const and len(i.terms) == 1 and i.terms[0][1] == 1 and isinstance(i.terms[0][0], Expr):
            return i.terms[0][0]
        return self.make("index", (i,), INT, i.range(self.ranges))

    def as_index(self, x: Expr) -> Index:
        """Return an int64 scalar as an index, affine where sums and multiples of counters are."""
        if x.op in ("const", "zero"):
            return Index((), x.args[1] if x.args else 0)
        if x.op == "index":
            return x.args[0]
        if x.op in ("add", "sub"):
            left, right = map(self.as_index, x.args)
            return left + right if x.op == "add" else left - right
        if x.op == "neg":
            return -self.as_index(x.args[0])
        if x.op == "mul":
            left, right = map(self.as_index, x.args)
            if not left.terms or not right.terms:
                return left * right.const if not right.terms else right * left.const
        return Index(((x, 1),))

    def counter(self, counter: Counter) -> Expr:
        """Return the trip number of an enclosing loop."""
        return self.make("counter", (counter,), INT, (0, max(counter.length - 1, 0)))

    def floor_div(self, i: Index, divisor: int) -> Index:
        """Return ``i // divisor`` for a non-negative index."""
        inside = Index(tuple((t, c // divisor) for t, c in i.terms if c % divisor == 0), i.const // divisor)
        rest = Index(tuple((t, c) for t, c in i.terms if c % divisor), i.const % divisor)
        bounds = rest.range(self.ranges)
        if bounds is not None and bounds[0] >= 0 and bounds[1] < divisor:
            return inside
        bounds = i.range(self.ranges)
        return self.as_index(self.make("index_div", (i, divisor), INT, bounds and (bounds[0] // divisor, bounds[1] // divisor)))

    def remainder(self, i: Index, divisor: int) -> Index:
        """Return ``i % divisor`` for a non-negative index."""
        rest = Index(tuple((t, c) for t, c in i.terms if c % divisor), i.const % divisor)
        bounds = rest.range(self.ranges)
        if bounds is not None and bounds[0] >= 0 and bounds[1] < divisor:
            return rest
        return self.as_index(self.make("index_mod", (i, divisor), INT, (0, divisor - 1)))

    def checked(self, i: Expr, extent: int, axis: int = 0, **own) -> Index:
        """Return an integer scalar as an index into an axis of `extent`: negative ones count from the end, others are an error.

        A check with a message of its own has it in `own`.
        """
        index = self.as_index(self.convert(i, INT))
        bounds = self.bounds(index, extent)
        if bounds is not None and bounds[0] >= 0 and bounds[1] < extent:
            return index
        if bounds is not None and bounds[0] >= -extent and bounds[1] < 0:
            return index + extent
        check = self.next_check(extent, axis, **own)
        return self.as_index(self.make("checked", (self.index(index), check), INT, (0, max(extent - 1, 0))))

    def bounds(self, index: Index, extent: int) -> Range | None:
        """Return the range of an index into an axis, as far as it is known.

        Where the ranges of its terms do not show that it is inside, a counter is replaced by 0 or by its last value in terms of outer ones.
        """
        bounds = index.range(self.ranges)
        if bounds is None or (bounds[0] >= 0 and bounds[1] < extent):
            return bounds
        return max(bounds[0], self.extreme(index, -1)), min(bounds[1], self.extreme(index, 1))

    def extreme(self, index: Index, sign: int) -> int:
        """Return a lower bound (`sign` -1) or an upper bound (1) of an index."""
        while True:
            inner = [(term, c) for term, c in index.terms if isinstance(term, Expr) and term.op == "counter" and term.args[0].last]
            if not inner:
                return index.range(self.ranges)[sign > 0]
            outer = {counter for term, _ in inner for counter, _ in term.args[0].last[0]}
            term, coefficient = next(pair for pair in inner if pair[0].args[0] not in outer)
            counters, last = term.args[0].last
            index = index - Index(((term, coefficient),))
            if coefficient * sign > 0:
                for counter, factor in counters:
                    index = index + self.as_index(self.counter(counter)) * (factor * coefficient)
                index = index + last * coefficient

    def bounded(self, i: Expr, extent: int) -> Expr:
        """Return an integer scalar that is from 0 to ``extent - 1``, with that as its bounds."""
        index = self.as_index(i)
        bounds = index.range(self.ranges)
        if bounds is not None and bounds[0] >= 0 and bounds[1] < extent:
            return i
        return self.make("clamp", (index, extent), INT, (0, extent - 1))

    # --- guards -----------------------------------------------------------------------------------------------------

    def within(self, index: Sequence[Index], extents: Sequence[int], then: Callable, otherwise):
        """Return ``then(index)`` where every ``0 <= index[k] < extents[k]``, else the scalar `otherwise`.

        Where that is undecided in this region, `then` sees indices clamped into range and the result is selected.
        """
        safe, conditions = list(index), []
        for k, (i, extent) in enumerate(zip(index, extents, strict=True)):
            bounds = i.range(self.ranges)
            if extent == 0 or (bounds is not None and (bounds[1] < 0 or bounds[0] >= extent)):
                return otherwise
            if bounds is not None and bounds[0] >= 0 and bounds[1] < extent:
                continue
            self.note_thresholds(i, extent)
            conditions.append(self.make("in_range", (i, extent), BOOL))
            safe[k] = self.clamped(i, extent)
        value = then(tuple(safe))
        for condition in conditions:
            value = self.select(condition, value, otherwise)
        return value

    def in_order(self, comparison: str, x: Index, y: Index) -> bool | None:
        """Return whether a comparison of indices holds in all of this region or nowhere in it, None if that is undecided."""
        if comparison in ("lt", "le"):
            return self.before(x, y + (comparison == "le"))
        holds = self.before(x, y + (comparison == "gt"))
        return None if holds is None else not holds

    def before(self, i: Index, bound: Index) -> bool | None:
        """Return whether ``i < bound`` in all of this region or nowhere in it, None if that is undecided."""
        difference = i - bound
        found = difference.range(self.ranges)
        if found is not None and (found[1] < 0 or found[0] >= 0):
            return found[1] < 0
        terms = difference.loop_terms()
        if len(terms) != 1 or abs(terms[0][1]) != 1:
            return None
        ((dim, sign),) = terms
        rest = difference - loop_variable(dim) * sign
        below = self.below(dim, -rest if sign == 1 else rest + 1)
        return below if below is None or sign == 1 else not below

    def below(self, dim: int, limit: Index) -> bool | None:
        """Return whether a loop variable is below a limit in all of this region or nowhere in it, None if that is undecided."""
        if not limit.terms:
            low, high = self.ranges[dim]
            if low < limit.const <= high:
                self.thresholds[dim].add(limit.const)
            return None
        if not is_invariant(limit):
            return None
        decided = self.ranges.below(dim, limit)
        if decided is None:
            self.limits.append((dim, limit))
        return decided

    def counted(self, index: Sequence[Index], counts: Sequence[Index | None], then: Callable, otherwise):
        """Return ``then(certain)`` where every ``index[k] < counts[k]``, else the scalar `otherwise`.

        Where that is undecided in this region, `certain` is false, and the result is selected.
        """
        pairs = [(i, count) for i, count in zip(index, counts, strict=True) if count is not None]
        known = [self.before(*pair) for pair in pairs]
        if False in known:
            return otherwise
        conditions = [self.op("lt", BOOL, *map(self.index, pair)) for pair, holds in zip(pairs, known, strict=True) if holds is None]
        value = then(not conditions)
        for condition in conditions:
            value = self.select(condition, value, otherwise)
        return value

    def counted_index(self, index: Sequence[Index], counts: Sequence[Index | None], then: Callable):
        """Return ``then()`` unless some ``index[k] >= counts[k]`` in all of this region.

        Where that is undecided, the region has to be cut: nothing can be written to a place that depends on a guard.
        """
        known = [self.before(i, count) for i, count in zip(index, counts, strict=True) if count is not None]
        if None in known and not self.limits:
            raise errors.InternalError("where something is written is not decided by cutting")
        return None if False in known else then()

    def clamped(self, i: Index, extent: int) -> Index:
        """Return an index moved into an axis of `extent`."""
        return self.as_index(self.make("clamp", (i, extent), INT, (0, extent - 1)))

    @property
    def guards(self) -> int:
        """The number of guards that are undecided in this region."""
        return sum(expr.op == "in_range" for expr in self.table.values())

    def note_thresholds(self, i: Index, extent: int) -> None:
        term = i.loop_term()
        if term is not None:
            dim, coefficient = term
            for bound in (-i.const, extent - i.const):
                crossing = -(-bound // coefficient) if coefficient > 0 else bound // coefficient + 1
                low, high = self.ranges[dim]
                if low < crossing <= high:
                    self.thresholds[dim].add(crossing)
