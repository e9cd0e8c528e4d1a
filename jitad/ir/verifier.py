"""Check that a Program obeys the grammar: single definitions before uses, and types that the primitives agree with."""

from __future__ import annotations

from jitad.ir import errors
from jitad.ir.program import Atom, Equation, Literal, Program, Var
from jitad.ir.types import SUPPORTED


def verify(program: Program) -> Program:
    """Return `program` unchanged, or raise `InternalError` naming the first equation that breaks a rule."""
    defined: set[Var] = set()

    def define(var, where):
        if var in defined:
            raise errors.InternalError(f"{place(where)}: defined twice")
        if var.dtype not in SUPPORTED:
            raise errors.InternalError(f"{place(where)}: dtype {var.dtype}")
        defined.add(var)

    def use(atom: Atom, where):
        if not isinstance(atom, Literal) and atom not in defined:
            raise errors.InternalError(f"{place(where)}: used before it is defined ({atom!r})")

    for var in program.inputs:
        define(var, "an input of the Program")
    for equation in program.equations:
        for atom in equation.inputs:
            use(atom, equation)
        types = equation.primitive.type(*[atom.type for atom in equation.inputs], **equation.params)
        types = list(types) if equation.primitive.multiple else [types]
        if types != [var.type for var in equation.outputs]:
            raise errors.InternalError(f"{place(equation)}: its types should be {', '.join(map(str, types))}")
        for var in equation.outputs:
            define(var, equation)
    for atom in program.outputs:
        use(atom, "an output of the Program")
    return program


def place(where: Equation | str) -> str:
    return where if isinstance(where, str) else f"{where.source}: {where!r}"
