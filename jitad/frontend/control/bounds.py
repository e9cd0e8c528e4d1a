"""Bounds of traced integers that follow from the counters of the loops around.

In: an integer atom. Out: the least and the greatest value that it can have, or None if that is not known.
"""

from __future__ import annotations

from jitad.frontend.trace import Trace, current_trace
from jitad.ir.program import Atom, Literal, Var

Interval = tuple[int, int]


def corners(combine):
    def rule(x: Interval, y: Interval) -> Interval:
        values = [combine(a, b) for a in x for b in y]
        return min(values), max(values)

    return rule


def quotient(x: Interval, y: Interval) -> Interval | None:
    return None if y[0] <= 0 else corners(int.__floordiv__)(x, y)


RULES = {
    "add": corners(int.__add__), "sub": corners(int.__sub__), "mul": corners(int.__mul__), "floor_divide": quotient,
    "neg": lambda x: (-x[1], -x[0]),
    "maximum": lambda x, y: (max(x[0], y[0]), max(x[1], y[1])),
    "minimum": lambda x, y: (min(x[0], y[0]), min(x[1], y[1])),
}  # fmt: skip


def counters() -> dict[Var, Interval]:
    """Return the counters of the loops around, with their bounds."""
    found: dict[Var, Interval] = {}
    trace: Trace | None = current_trace()
    while trace is not None:
        found.update(getattr(trace, "counters", {}))
        trace = getattr(trace, "around", None)
    return found


def bounds(atom: Atom, known: dict[Var, Interval]) -> Interval | None:
    """Return the least and the greatest value of an atom, given those of some."""
    if isinstance(atom, Literal):
        return int(atom.value), int(atom.value)
    if atom in known:
        return known[atom]
    rule = atom.equation and RULES.get(atom.equation.primitive.name)
    if rule is None:
        return None
    operands = [bounds(x, known) for x in atom.equation.inputs]
    return None if None in operands else rule(*operands)
