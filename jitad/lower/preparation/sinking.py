"""What is computed inside the loops and branches that read it: integers and parts of arrays.

In: an equation with bodies. Out: the same, where numbers, integer scalars that take an addition or so, arrays of indices, and parts of arrays
of which the bodies read parts (a row of a stack, element by element) are no operands but computed again in the bodies: indices stay affine in
the counters of all enclosing loops, and rows are not copied. Invariant: what is sunk costs a body next to nothing, and reads no array that the
equation changes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from jitad.ir.facts import is_read
from jitad.ir.lowering import Pointwise, Pull
from jitad.ir.program import Atom, Equation, Literal, Program, Var
from jitad.ir.recorder import Recorder, current, inline
from jitad.ir.types import COUNTER
from jitad.primitives.elementwise.complexes import convert

CHEAP = 1.0


@dataclass(frozen=True)
class Layout:
    """Where the operands of an equation with bodies are: operands `first` to `last` are held, and inputs of its bodies from `place` on."""

    bodies: dict[str, tuple[Program, ...]]
    first: int
    last: int
    place: int


def layout(equation: Equation) -> Layout:
    params, count = equation.params, len(equation.inputs)
    groups = {name: value if isinstance(value, tuple) else (value,) for name, value in params.items()}
    bodies = {name: group for name, group in groups.items() if group and all(isinstance(x, Program) for x in group)}
    if "consts" in params:
        return Layout(bodies, 1, 1 + params["consts"], 1)
    choosing = len(next(iter(bodies.values()))[0].inputs) < count
    return Layout(bodies, int(choosing), count, 0)


def is_sunk(atom: Atom, held: Collection[Atom]) -> bool:
    """Whether bodies compute `atom` themselves, but for the arrays in `held`."""
    if isinstance(atom, Literal):
        return True
    if atom.equation is None:
        return False
    if is_index(atom.equation):
        return True
    record, inputs = atom.equation.primitive.lower, atom.equation.inputs
    if isinstance(record, Pull):
        return is_part(atom.equation) and not {atom, inputs[0]} & set(held) and not is_lookup(atom.equation)
    return isinstance(record, Pointwise) and record.cost <= CHEAP and all(x.type == COUNTER for x in (atom, *inputs))


def is_index(equation: Equation) -> bool:
    """Return whether the result follows from the indices of its elements alone."""
    return isinstance(equation.primitive.lower, Pull) and not equation.inputs


def is_lookup(equation: Equation) -> bool:
    """Whether the result is a place that data tell, looked up among those that there are, which checks it."""
    numbers, *places = equation.inputs
    return getattr(numbers, "equation", None) is not None and is_index(numbers.equation) and any(map(is_read, places))


def is_part(equation: Equation) -> bool:
    """Whether the result is elements of the first operand, fewer than all, at places that scalars give."""
    if not equation.primitive.selecting or not all(x.type == COUNTER for x in equation.inputs[1:]):
        return False
    return equation.outputs[0].type.size < equation.inputs[0].type.size


def reads_parts(body: Program, place: int) -> bool:
    """Whether a body, and those in it, read their input at `place` a part at a time."""
    var = body.inputs[place]
    return var not in body.outputs and all(takes_part(equation, var) for equation in body.equations if var in equation.inputs)


def takes_part(equation: Equation, var: Var) -> bool:
    if not equation.primitive.control:
        return equation.inputs[0] is var and is_part(equation)
    where = layout(equation)
    uses = [k for k, x in enumerate(equation.inputs) if x is var]
    return all(where.first <= k < where.last and reads_parts(body, k - where.first + where.place)
               for k in uses for group in where.bodies.values() for body in group)


def sink(equation: Equation, inputs: Sequence[Atom]) -> Sequence[Atom] | None:
    """Record an equation whose bodies compute what they can of the operands that they hold; None if that is nothing."""
    where = layout(equation)
    first, last, choosing = where.first, where.last, where.first > where.place
    operands = inputs[first:last]
    held = {*inputs[last:]} | {
        x for k, x in enumerate(operands)
        if x.type != COUNTER and not all(reads_parts(body, where.place + k) for group in where.bodies.values() for body in group)
    }  # fmt: skip
    if not any(is_sunk(x, held) for x in operands) and not (choosing and isinstance(inputs[0], Literal)):
        return None
    choice = [convert(x, dtype=x.dtype) if choosing and isinstance(x, Literal) else x for x in inputs[:first]]
    kept = leaves(operands, held)
    changed: dict = {"consts": len(kept)} if "consts" in equation.params else {}
    for name, group in where.bodies.items():
        fresh = tuple(computing(body, operands, kept, where.place) for body in group)
        changed[name] = fresh if isinstance(equation.params[name], tuple) else fresh[0]
    return equation.primitive(*choice, *kept, *inputs[last:], **{**equation.params, **changed})


def leaves(atoms: Sequence[Atom], held: Collection[Atom]) -> list[Var]:
    """Return what is left to hold: what `atoms` are, or are computed from."""
    found: dict[Var, None] = {}
    for atom in atoms:
        if not is_sunk(atom, held):
            found[atom] = None
        elif isinstance(atom, Var):
            found.update(dict.fromkeys(leaves(atom.equation.inputs, held)))
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
