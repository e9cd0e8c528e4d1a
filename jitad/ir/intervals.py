"""Between which bounds integers lie, by what they are made of.

In: an atom of integers, and the bounds of some atoms, such as the numbers of trips of loops. Out: the least and the greatest value that it, or an
element of it, can have. The rules here are what primitives have in their slot `bounds`.
"""

from __future__ import annotations

import math

from jitad.ir.program import Atom, Equation, Literal

Interval = tuple[float, float]  # of integers, or infinite
ANY: Interval = (-math.inf, math.inf)


def bounds(atom: Atom, known: dict[Atom, Interval]) -> tuple[int, int] | None:
    """Return the least and the greatest value of an atom, given those of some; None if they are not known."""
    low, high = interval(atom, dict(known))
    return None if math.isinf(low) or math.isinf(high) else (int(low), int(high))


def interval(atom: Atom, known: dict[Atom, Interval]) -> Interval:
    """Return the bounds of an atom, infinite where they are not known; those that are found are added to `known`."""
    if atom.dtype.kind not in "biu":
        return ANY
    if isinstance(atom, Literal):
        return int(atom.value), int(atom.value)
    if atom not in known:
        rule = atom.equation and atom.equation.primitive.bounds
        found = rule(atom.equation, *[interval(x, known) for x in atom.equation.inputs]) if rule else ANY
        known[atom] = (max(found[0], 0), min(found[1], 1)) if atom.dtype.kind == "b" else found
    return known[atom]


# --- rules -------------------------------------------------------------------------------------------------------------------------------


def of_operand(equation: Equation, x: Interval, *others: Interval) -> Interval:
    """The elements are some of those of the first operand."""
    return x


def of_sum(equation: Equation, x: Interval, y: Interval) -> Interval:
    return x[0] + y[0], x[1] + y[1]


def of_difference(equation: Equation, x: Interval, y: Interval) -> Interval:
    return x[0] - y[1], x[1] - y[0]


def of_product(equation: Equation, x: Interval, y: Interval) -> Interval:
    if any(map(math.isinf, (*x, *y))):
        return ANY
    values = [a * b for a in x for b in y]
    return min(values), max(values)


def of_quotient(equation: Equation, x: Interval, y: Interval) -> Interval:
    if y[0] <= 0 or any(map(math.isinf, (*x, *y))):
        return ANY
    values = [a // b for a in x for b in y]
    return min(values), max(values)


def of_remainder(equation: Equation, x: Interval, y: Interval) -> Interval:
    return (0, y[1] - 1) if y[0] > 0 else ANY


def of_choice(equation: Equation, condition: Interval, x: Interval, y: Interval) -> Interval:
    return min(x[0], y[0]), max(x[1], y[1])


def of_elements_sum(equation: Equation, x: Interval) -> Interval:
    terms = equation.inputs[0].type.size // max(equation.outputs[0].type.size, 1)
    return (terms * x[0], terms * x[1]) if terms else (0, 0)


def of_running_sum(equation: Equation, x: Interval) -> Interval:
    """A sum of the first elements along an axis: at least one of them."""
    terms = equation.inputs[0].shape[equation.params["axis"]]
    return min(x[0], terms * x[0]), max(x[1], terms * x[1])
