"""Integers that are known when the compiled function runs: bounds of slices, and the extents that follow from them.

In: Python's and traced integers. Out: an `Extent`, ``const + sum(coefficient * atom)``, in which what is added and subtracted cancels, so
that extents that are equal are found to be, and its bounds from those of the counters of the loops around.
"""

from __future__ import annotations

from collections.abc import Callable

from jitad.frontend.arrays.cells import View, wrap
from jitad.frontend.operations.promotion import cast
from jitad.frontend.tracing.trace import counters
from jitad.ir.facts import same
from jitad.ir.intervals import bounds
from jitad.ir.program import Atom, Literal, Var, literal
from jitad.ir.types import INT
from jitad.primitives.elementwise.arithmetic import floor_divide
from jitad.primitives.elementwise.comparisons import lt, maximum, minimum, select


class Extent:
    """``const + sum(coefficient * atom)``"""

    __slots__ = ("terms", "const")

    def __init__(self, const: int = 0, terms: tuple[tuple[Atom, int], ...] = ()):
        self.const = const
        self.terms = terms

    @property
    def number(self) -> int | None:
        """The value, if it is known."""
        return None if self.terms else self.const

    def __add__(self, other: Extent | int) -> Extent:
        if isinstance(other, int):
            return Extent(self.const + other, self.terms)
        terms = list(self.terms)
        for atom, c in other.terms:
            place = next((k for k, (own, _) in enumerate(terms) if same(own, atom)), None)
            if place is None:
                terms.append((atom, c))
            else:
                terms[place] = terms[place][0], terms[place][1] + c
        return Extent(self.const + other.const, tuple((atom, c) for atom, c in terms if c))

    def __mul__(self, factor: int) -> Extent:
        return Extent(self.const * factor, tuple((atom, c * factor) for atom, c in self.terms) if factor else ())

    def __sub__(self, other: Extent | int) -> Extent:
        return self + other * -1

    def equals(self, other: Extent) -> bool:
        """Return whether two extents are known to be equal."""
        return (self - other).number == 0

    def bounds(self) -> tuple[int, int] | None:
        """Return the least and the greatest value, None if they are not known."""
        low = high = self.const
        known = counters() if self.terms else {}
        for atom, c in self.terms:
            found = bounds(atom, known)
            if found is None:
                return None
            low, high = low + min(c * found[0], c * found[1]), high + max(c * found[0], c * found[1])
        return low, high

    def at_least(self, other: Extent | int) -> bool:
        """Return whether this is known not to be below another."""
        found = (self - other).bounds()
        return found is not None and found[0] >= 0

    def atom(self) -> Atom:
        """Record the value."""
        total: Atom | None = None
        for atom, c in sorted(self.terms, key=lambda term: term[1] < 0):
            part = atom if abs(c) == 1 else atom * literal(abs(c), INT)
            total = part if total is None and c > 0 else -part if total is None else total + part if c > 0 else total - part
        if total is None:
            return literal(self.const, INT)
        return total if not self.const else total + literal(self.const, INT)

    def traced(self):
        """Return the value as Python's int, or as a traced one."""
        return self.const if not self.terms else wrap(self.atom(), weak=True)


def extent_of(x) -> Extent:
    """Return an integer of Python's, a traced one, or an atom as an `Extent`."""
    if isinstance(x, Extent):
        return x
    if isinstance(x, View):
        x = cast(x.atom, INT)
    return affine(x) if isinstance(x, Atom) else Extent(int(x))


def affine(atom: Atom) -> Extent:
    """Take sums, differences and multiples apart."""
    if isinstance(atom, Literal):
        return Extent(int(atom.value))
    name, operands = (atom.equation.primitive.name, atom.equation.inputs) if isinstance(atom, Var) and atom.equation else ("", ())
    if atom.dtype == INT and not atom.shape:
        if name in ("add", "sub"):
            first, second = map(affine, operands)
            return first + second if name == "add" else first - second
        if name == "neg":
            return affine(operands[0]) * -1
        if name == "mul" and any(isinstance(x, Literal) for x in operands):
            first, second = sorted(map(affine, operands), key=lambda extent: extent.number is None)
            return second * first.const
    return Extent(0, ((atom, 1),))


def opaque(atom: Atom) -> Extent:
    return Extent(0, ((atom, 1),))


def clipped(x: Extent, low: Extent, high: Extent) -> Extent:
    """Return ``max(low, min(x, high))``."""
    return combined(combined(x, high, minimum, high.at_least(x)), low, maximum, x.at_least(low))


def at_least_zero(x: Extent) -> Extent:
    return combined(x, Extent(0), maximum, x.at_least(0))


def combined(x: Extent, y: Extent, extremum: Callable, is_first: bool) -> Extent:
    """Return the lesser or the greater of two, knowing whether it is the first."""
    if is_first:
        return x
    if (x - y).number is not None:
        return y
    return opaque(extremum(x.atom(), y.atom()))


def from_end(x: Extent, length: Extent) -> Extent:
    """Return the place that an index means in an axis: negative ones count from its end."""
    found = x.bounds()
    if found is not None and found[0] >= 0:
        return x
    if found is not None and found[1] < 0:
        return x + length
    return opaque(select(lt(x.atom(), 0), (x + length).atom(), x.atom()))


def quotient(x: Extent, divisor: int) -> Extent:
    """Return ``ceil(x / divisor)`` for x >= 0."""
    if divisor == 1 or x.number is not None:
        return x if divisor == 1 else Extent(-(-x.const // divisor))
    return opaque(floor_divide((x + (divisor - 1)).atom(), literal(divisor, INT)))
