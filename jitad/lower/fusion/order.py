"""Writes in place come after the reads of what they overwrite.

In: a Program. Out: the same equations in an order in which an array is updated (`scatter`) only when nothing else in the Program still
has to read its old value, where the data flow allows that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from jitad.ir.lowering import Pointwise, Pull, Scatter
from jitad.ir.program import Atom, Equation, Program, Var

PART = 4  # how many times smaller than an array a part of it is that is worth keeping


def overwrites(equation: Equation) -> bool:
    """Whether an equation gives a changed version of its first operand."""
    return isinstance(equation.primitive.lower, Scatter)


def delay_writes(program: Program) -> Program:
    """Return `program` with each update as late as what uses its result allows."""
    if not any(map(overwrites, program.equations)):
        return program
    waiting: dict[Var, Equation] = {}
    ordered: list[Equation] = []

    def emit(equation: Equation) -> None:
        release(x for x in equation.inputs if isinstance(x, Var))
        ordered.append(equation)

    def release(variables: Iterable[Var]) -> None:
        for var in variables:
            if var in waiting:
                emit(waiting.pop(var))

    for equation in program.equations:
        if overwrites(equation):
            waiting[equation.outputs[0]] = equation
        else:
            emit(equation)
    release(list(waiting))
    return Program(program.inputs, ordered, program.outputs)


def readers_of_overwritten(program: Program, roots: set[Var]) -> dict[Var, frozenset[Var]]:
    """Return, for each Var, the overwritten arrays that are read wherever it is computed in place."""
    bases = {equation.inputs[0] for equation in program.equations if overwrites(equation)}
    reads: dict[Var, frozenset[Var]] = {}
    if not bases:
        return reads
    for equation in program.equations:
        found: frozenset[Var] = frozenset()
        for x in equation.inputs:
            if isinstance(x, Var):
                found |= {x} & bases
                if x not in roots:
                    found |= reads.get(x, frozenset())
        for var in equation.outputs:
            reads[var] = found
    return reads


def values_to_keep(program: Program, roots: set[Var]) -> set[Var]:
    """Return what has to be computed before an update because it reads what is overwritten.

    That is: new values that read what their update, or one before it, overwrites; and parts of an overwritten array that others than
    its update use.
    """
    reads = readers_of_overwritten(program, roots)
    writers = {equation.inputs[0]: equation.outputs[0] for equation in program.equations if overwrites(equation)}
    earlier: dict[Var, frozenset[Var]] = {}
    kept: set[Var] = set()
    for equation in program.equations:
        if overwrites(equation):
            base = equation.inputs[0]
            before = earlier.get(base, frozenset())
            earlier[equation.outputs[0]] = before | {base}
            for updates in [operands[1] for operands, _ in equation.primitive.lower.writes(equation)]:
                if not isinstance(updates, Var) or updates.equation is None:
                    continue
                parts = [] if updates.type.size <= 1 else read_elsewhere(equation, reads, roots)
                kept.update(parts or ())
                overwritten = before | {base} if parts is None else before
                if (reads.get(updates, frozenset()) | {updates}) & overwritten:
                    kept.add(updates)
    users = users_in_place(program, roots | kept)
    for equation in program.equations:
        base = equation.inputs[0] if equation.inputs else None
        (part, *_) = equation.outputs
        if base in writers and part.type.size * PART <= base.type.size and users[part] - {writers[base]}:
            kept.add(part)
    return kept


def read_elsewhere(write: Equation, reads: dict[Var, frozenset[Var]], roots: set[Var]) -> list[Var] | None:
    """Return the parts of the overwritten array that the new values of a window are computed from, apart from its own elements.

    None if they are not small, or if it cannot be told that each element is otherwise computed from the one at its very place.
    """
    base, updates, *places = write.inputs
    if not write.primitive.lower.distinct:
        return None
    parts: list[Var] = []
    pending: list[Atom] = [updates]
    while pending:
        x = pending.pop()
        if base not in reads.get(x, frozenset()) | {x} or x in roots and x is not base:
            continue
        if not same_places(x, updates):
            if x is base or x.type.size * PART > base.type.size:
                return None
            parts.append(x)
        elif x is base or x.equation is None:
            return None
        elif isinstance(x.equation.primitive.lower, Pointwise) or (is_reshape(x.equation) and same_places(x.equation.inputs[0], x)):
            pending += x.equation.inputs
        elif x.equation.params != write.params or list(x.equation.inputs) != [base, *places]:
            return None
    return parts


def is_reshape(equation: Equation) -> bool:
    return isinstance(equation.primitive.lower, Pull) and equation.primitive.lower.alias


def same_places(x: Atom, y: Atom) -> bool:
    """Whether two shapes differ in axes of extent 1 at most."""
    return [n for n in x.shape if n != 1] == [n for n in y.shape if n != 1]


def users_in_place(program: Program, roots: set[Var]) -> dict[Var, set[Var]]:
    """Return, for each Var, the roots that compute it in place."""
    users: dict[Var, set[Var]] = defaultdict(set)
    for equation in reversed(program.equations):
        for var in equation.outputs:
            found = {var} if var in roots else users[var]
            for x in equation.inputs:
                if isinstance(x, Var):
                    users[x] |= found
    return users
