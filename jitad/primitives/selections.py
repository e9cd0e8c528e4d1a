"""Selections between a number and what it grows to: the number grows in any case, by what is selected.

``np.where(m, s + x, s)`` is ``s + np.where(m, x, -0.0)``, to the last bit. So a sum that a condition adds to remains a sum: its terms may be
computed apart from it, and its cotangent is handed on as it is.
"""

from __future__ import annotations

from collections.abc import Iterator

from jitad.ir.program import Atom, Literal, Var
from jitad.ir.types import broadcast_shapes
from jitad.primitives.elementwise.arithmetic import add, sub
from jitad.primitives.elementwise.comparisons import select

LONGEST = 4  # additions from a number to what it grows to
Term = tuple[object, Atom]  # the operation by which it is added, and what is added


def select_terms(condition: Atom, x: Atom, y: Atom) -> Atom:
    """Return ``select(condition, x, y)``, where one is the other and more, or both are a third and more, as that sum."""
    if x.shape != y.shape or broadcast_shapes(condition.shape, x.shape) != x.shape or x.dtype.kind not in "if":
        return select(condition, x, y)
    ends = {base: terms for base, terms in growths(y)}
    for base, more in growths(x):
        if base in ends and (more or ends[base]):
            return grown(condition, base, more, ends[base])
    return select(condition, x, y)


def growths(x: Atom) -> Iterator[tuple[Atom, tuple[Term, ...]]]:
    """Iterate over the numbers of which `x` is a sum, each with the terms that are added to it, in order; itself first."""
    pending: list[tuple[Atom, tuple[Term, ...]]] = [(x, ())]
    for base, terms in pending:
        if isinstance(base, Var):
            yield base, terms
            equation = base.equation
            if equation is not None and equation.primitive in (add, sub) and len(terms) < LONGEST:
                left, right = equation.inputs
                pending += [(left, ((equation.primitive, right), *terms))] if left.shape == x.shape else []
                pending += [(right, ((add, left), *terms))] if equation.primitive is add and right.shape == x.shape else []


def grown(condition: Atom, base: Atom, more: tuple[Term, ...], less: tuple[Term, ...]) -> Atom:
    """Return `base` and the terms in `more` where the condition holds, else those in `less`."""
    for k in range(max(len(more), len(less))):
        first, second = more[k : k + 1], less[k : k + 1]
        operation = (first or second)[0][0]
        nothing = Literal(base.dtype.type(-0.0 if operation is add else 0))
        x, y = (term_of(terms, operation, nothing) for terms in (first, second))
        base = operation(base, select(condition, x, y))
    return base


def term_of(terms: tuple[Term, ...], operation, nothing: Atom) -> Atom:
    """Return what is to be added by `operation`."""
    if not terms:
        return nothing
    ((own, term),) = terms
    return term if own is operation else -term
