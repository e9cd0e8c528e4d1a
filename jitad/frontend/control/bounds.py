"""Bounds of traced integers that follow from the counters of the loops around, and from what they are made of.

In: an integer atom. Out: the least and the greatest value that it, or an element of it, can have, or None if that is not known.
"""

from __future__ import annotations

import math

from jitad.frontend.tracing.trace import Trace, current_trace
from jitad.ir.program import Atom, Equation, Literal, Var

Interval = tuple[float, float]  # of integers, or infinite
ANY: Interval = (-math.inf, math.inf)


def added(equation: Equation, x: Interval, y: Interval) -> Interval:
    return x[0] + y[0], x[1] + y[1]


def subtracted(equation: Equation, x: Interval, y: Interval) -> Interval:
    return x[0] - y[1], x[1] - y[0]


def multiplied(equation: Equation, x: Interval, y: Interval) -> Interval:
    if any(map(math.isinf, (*x, *y))):
        return ANY
    values = [a * b for a in x for b in y]
    return min(values), max(values)


def quotient(equation: Equation, x: Interval, y: Interval) -> Interval:
    if y[0] <= 0 or any(map(math.isinf, (*x, *y))):
        return ANY
    values = [a // b for a in x for b in y]
    return min(values), max(values)


def remainder(equation: Equation, x: Interval, y: Interval) -> Interval:
    return (0, y[1] - 1) if y[0] > 0 else ANY


def summed(equation: Equation, x: Interval) -> Interval:
    terms = equation.inputs[0].type.size // max(equation.outputs[0].type.size, 1)
    return (terms * x[0], terms * x[1]) if terms else (0, 0)


def accumulated(equation: Equation, x: Interval) -> Interval:
    """A sum of the first elements along an axis: at least one of them."""
    terms = equation.inputs[0].shape[equation.params["axis"]]
    return min(x[0], terms * x[0]), max(x[1], terms * x[1])


def same(equation: Equation, x: Interval, *others: Interval) -> Interval:
    return x


RULES = {
    "add": added, "sub": subtracted, "mul": multiplied, "floor_divide": quotient, "mod": remainder,
    "neg": lambda equation, x: (-x[1], -x[0]),
    "maximum": lambda equation, x, y: (max(x[0], y[0]), max(x[1], y[1])),
    "minimum": lambda equation, x, y: (min(x[0], y[0]), min(x[1], y[1])),
    "select": lambda equation, test, x, y: (min(x[0], y[0]), max(x[1], y[1])),
    "iota": lambda equation: (0, equation.params["shape"][equation.params["axis"]] - 1),
    "argsort": lambda equation, x: (0, equation.inputs[0].shape[-1] - 1),
    "bounded": lambda equation, x: (0, equation.params["extent"] - 1),
    "reduce_sum": summed, "cumsum": accumulated,
    "convert": same, "require": same, "reshape": same, "broadcast": same, "slice": same, "transpose": same, "gather": same,
    "reduce_min": same, "reduce_max": same,
}  # fmt: skip


def counters() -> dict[Var, Interval]:
    """Return the counters of the loops around, with their bounds."""
    found: dict[Var, Interval] = {}
    trace: Trace | None = current_trace()
    while trace is not None:
        found.update(getattr(trace, "counters", {}))
        trace = getattr(trace, "around", None)
    return found


def bounds(atom: Atom, known: dict[Var, Interval]) -> tuple[int, int] | None:
    """Return the least and the greatest value of an atom, given those of some."""
    low, high = interval(atom, dict(known))
    return None if math.isinf(low) or math.isinf(high) else (int(low), int(high))


def interval(atom: Atom, known: dict[Atom, Interval]) -> Interval:
    """Return the bounds of an atom, infinite where they are not known; those that are found are added to `known`."""
    if atom.dtype.kind not in "biu":
        return ANY
    if isinstance(atom, Literal):
        return int(atom.value), int(atom.value)
    if atom not in known:
        rule = atom.equation and RULES.get(atom.equation.primitive.name)
        found = rule(atom.equation, *[interval(x, known) for x in atom.equation.inputs]) if rule else ANY
        known[atom] = (max(found[0], 0), min(found[1], 1)) if atom.dtype.kind == "b" else found
    return known[atom]
