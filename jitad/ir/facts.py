"""What can be proven about a value from the equations that define it."""

from __future__ import annotations

from jitad.ir.program import Atom, Literal

DEPTH = 50


def nonnegative(atom: Atom, depth: int = DEPTH) -> bool:
    """Return whether every element of `atom` is provably non-negative (or NaN)."""
    if atom.dtype.kind in "bu":
        return True
    if isinstance(atom, Literal):
        return atom.dtype.kind != "c" and not atom.value < 0
    equation = atom.equation
    if equation is None or depth == 0 or atom.dtype.kind == "c":
        return False
    return equation.primitive.nonnegative(equation, lambda operand: nonnegative(operand, depth - 1))
