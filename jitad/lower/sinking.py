"""Integers computed inside the loops and branches that read them: indices stay affine in the counters of all enclosing loops.

In: an equation with bodies. Out: the same, where numbers, and integer scalars that take an addition or so, are no operands but computed again
in the bodies. Invariant: what is sunk depends on scalars only, so that it costs a body next to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from jitad.ir.lowering import Pointwise
from jitad.ir.program import Atom, Equation, Literal, Program, Var
from jitad.ir.recorder import Recorder, current, inline
from jitad.ir.types import INT, ArrayType
from jitad.primitives.complexes import convert

CHEAP = 1.0


def is_sunk(atom: Atom) -> bool:
    """Whether bodies compute `atom` themselves."""
    if isinstance(atom, Literal):
        return True
    equation = atom.equation
    if equation is None or atom.type != ArrayType(INT) or not isinstance(equation.primitive.lower, Pointwise):
        return False
    return equation.primitive.lower.cost <= CHEAP and all(x.type == ArrayType(INT) for x in equation.inputs)


def sink(equation: Equation, inputs: Sequence[Atom]) -> Sequence[Atom] | None:
    """Record an equation whose bodies compute what they can of the operands that they hold; None if that is nothing."""
    params = equation.params
    bodies = {name: value if isinstance(value, tuple) else (value,) for name, value in params.items()}
    bodies = {name: group for name, group in bodies.items() if group and all(isinstance(x, Program) for x in group)}
    repeated, choosing = "consts" in params, len(next(iter(bodies.values()))[0].inputs) < len(inputs)
    first, last = int(repeated or choosing), 1 + params["consts"] if repeated else len(inputs)
    held = inputs[first:last]
    if not any(map(is_sunk, held)) and not (choosing and isinstance(inputs[0], Literal)):
        return None
    choice = [convert(x, dtype=x.dtype) if choosing and isinstance(x, Literal) else x for x in inputs[:first]]
    kept = leaves(held)
    changed = {}
    for name, group in bodies.items():
        fresh = tuple(computing(body, held, kept, int(repeated)) for body in group)
        changed[name] = fresh if isinstance(params[name], tuple) else fresh[0]
    if repeated:
        changed["consts"] = len(kept)
    return equation.primitive(*choice, *kept, *inputs[last:], **{**params, **changed})


def leaves(atoms: Sequence[Atom]) -> list[Var]:
    """Return what is left to hold: what `atoms` are, or are computed from."""
    found: dict[Var, None] = {}
    for atom in atoms:
        if not is_sunk(atom):
            found[atom] = None
        elif isinstance(atom, Var):
            found.update(dict.fromkeys(leaves(atom.equation.inputs)))
    return list(found)


def computing(body: Program, held: Sequence[Atom], kept: Sequence[Var], place: int) -> Program:
    """Return a body that takes `kept` instead of `held`, from input `place` on."""
    before, rest = body.inputs[:place], body.inputs[place + len(held) :]
    fresh = {x: Var(x.type) for x in kept}

    def value(atom: Atom) -> Atom:
        if isinstance(atom, Literal):
            return atom
        if atom not in fresh:
            fresh[atom] = current().repeat(atom.equation, [value(x) for x in atom.equation.inputs])[0]
        return fresh[atom]

    with Recorder(body.equations[0].source if body.equations else None) as recorder:
        outputs = inline(body, [*before, *[value(x) for x in held], *rest])
    return Program([*before, *[fresh[x] for x in kept], *rest], recorder.equations, outputs)
