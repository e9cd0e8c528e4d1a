"""Affine functions of the numbers of trips of nested loops, and their least values.

In: integer scalars of the bodies of loops. Out: an `Affine` where one is that. Invariant: `least` is a lower bound of what an expression can
be in any trip: where nothing can be told it is minus infinity.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from jitad.ir.program import Atom, Equation, Literal
from jitad.primitives.elementwise.arithmetic import add, floor_divide, mul, neg, sub
from jitad.primitives.elementwise.comparisons import maximum


@dataclass(frozen=True)
class Affine:
    """``const + sum(coefficient * symbol)``; `terms` has no zeros."""

    const: int
    terms: Mapping = field(default_factory=dict)

    def __add__(self, other: Affine | int) -> Affine:
        other = other if isinstance(other, Affine) else Affine(other)
        terms = dict(self.terms)
        for symbol, coefficient in other.terms.items():
            terms[symbol] = terms.get(symbol, 0) + coefficient
        return Affine(self.const + other.const, {symbol: c for symbol, c in terms.items() if c})

    def __mul__(self, factor: int) -> Affine:
        return Affine(self.const * factor, {symbol: c * factor for symbol, c in self.terms.items() if c * factor})

    def __sub__(self, other: Affine | int) -> Affine:
        return self + other * -1

    def replace(self, symbol, other: Affine) -> Affine:
        """Return the expression with `other` for a symbol."""
        rest = Affine(self.const, {s: c for s, c in self.terms.items() if s is not symbol})
        return rest + other * self.terms[symbol] if symbol in self.terms else self

    def renamed(self, names: Mapping) -> Affine:
        return Affine(self.const, {names.get(symbol, symbol): c for symbol, c in self.terms.items()})


def read_equation(equation: Equation, known: Mapping[Atom, Affine]) -> Affine | None:
    """Return the affine function that an equation computes of those in `known`, None if it is not one."""
    if equation.primitive not in (add, sub, mul, neg, floor_divide):
        return None
    values = [read_atom(x, known) for x in equation.inputs]
    if None in values:
        return None
    if equation.primitive is neg:
        return values[0] * -1
    x, y = values
    if equation.primitive is floor_divide:
        return x if y == Affine(1) else None
    if equation.primitive is mul:
        x, y = (y, x) if x.terms else (x, y)
        return None if x.terms else y * x.const
    return x + y if equation.primitive is add else x - y


def read_atom(x: Atom, known: Mapping[Atom, Affine]) -> Affine | None:
    if isinstance(x, Literal):
        return Affine(int(x.value)) if x.shape == () and x.dtype.kind in "iu" else None
    return known.get(x)


def read_count(x: Atom, known: Mapping[Atom, Affine]) -> Affine | None:
    """Return what a number of trips or elements is where it is above zero."""
    equation = getattr(x, "equation", None)
    if equation is not None and equation.primitive is maximum and x not in known:
        first, second = equation.inputs
        if isinstance(second, Literal) and second.value == 0:
            return read_atom(first, known)
    return read_atom(x, known)


def least(expression: Affine, bounds: Iterable[tuple[object, Affine, Affine]]) -> float:
    """Return a lower bound of an expression. `bounds` are symbols with their least and greatest values, which hold later symbols alone."""
    for symbol, low, high in bounds:
        coefficient = expression.terms.get(symbol, 0)
        if coefficient:
            expression = expression.replace(symbol, low if coefficient > 0 else high)
    return -math.inf if expression.terms else expression.const
