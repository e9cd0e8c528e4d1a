"""What can be proven about a value from the equations that define it."""

from __future__ import annotations

from collections.abc import Collection

from jitad.ir.lowering import Pointwise, Pull, Undefined
from jitad.ir.program import Atom, Equation, Literal
from jitad.ir.types import COUNTER

DEPTH = 50


def is_undefined(atom: Atom) -> bool:
    """Return whether an atom is an array that is written before it is read, as no equation has written it yet."""
    equation = getattr(atom, "equation", None)
    return equation is not None and isinstance(equation.primitive.lower, Undefined)


def is_fixed(atom: Atom, known: Collection[Atom] = ()) -> bool:
    """Return whether an atom is computed from numbers of the Program and what is `known` alone."""
    met, open = {atom}, [atom]
    while open:
        x = open.pop()
        if isinstance(x, Literal) or x in known:
            continue
        if x.equation is None:
            return False
        fresh = set(x.equation.inputs) - met
        met |= fresh
        open += fresh
    return True


def is_number(equation: Equation) -> bool:
    """Return whether an equation computes an integer of integers, and so can be done anywhere."""
    return isinstance(equation.primitive.lower, Pointwise | Pull) and all(x.type == COUNTER for x in (*equation.inputs, *equation.outputs))


def is_read(number: Atom) -> bool:
    """Whether a number is read from an array, or computed from one that is."""
    equation = getattr(number, "equation", None)
    if equation is None or not isinstance(equation.primitive.lower, Pointwise | Pull):
        return False
    return isinstance(equation.primitive.lower, Pull) and bool(equation.inputs) or any(map(is_read, equation.inputs))


def nonnegative(atom: Atom) -> bool:
    """Return whether every element of `atom` is provably non-negative (or NaN)."""
    found: dict[Atom, bool] = {}

    def known(atom: Atom, depth: int) -> bool:
        if atom not in found:
            found[atom] = decide(atom, depth)
        return found[atom]

    def decide(atom: Atom, depth: int) -> bool:
        if atom.dtype.kind in "bu":
            return True
        if isinstance(atom, Literal):
            return atom.dtype.kind != "c" and not atom.value < 0
        equation = atom.equation
        if equation is None or depth == 0 or atom.dtype.kind == "c":
            return False
        return equation.primitive.nonnegative(equation, lambda operand: known(operand, depth - 1))

    return known(atom, DEPTH)


def same(x: Atom, y: Atom) -> bool:
    """Return whether two atoms have the same value because they were computed alike, as in ``d[0] * d[0]``."""
    met: set[tuple[Atom, Atom]] = set()

    def alike(x: Atom, y: Atom, depth: int) -> bool:
        if x is y or (x, y) in met:
            return True
        if isinstance(x, Literal) or isinstance(y, Literal):
            return isinstance(x, Literal) and isinstance(y, Literal) and x.dtype == y.dtype and x.value.tobytes() == y.value.tobytes()
        first, second = x.equation, y.equation
        if first is None or second is None or depth == 0 or first.primitive is not second.primitive or first.params != second.params:
            return False
        if first.outputs.index(x) != second.outputs.index(y) or len(first.inputs) != len(second.inputs):
            return False
        met.add((x, y))
        return all(alike(a, b, depth - 1) for a, b in zip(first.inputs, second.inputs, strict=True))

    return alike(x, y, DEPTH)
