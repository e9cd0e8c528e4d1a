"""Carried arrays of which each trip of a loop reads or writes its own row alone.

In: a loop. Out: the same, where rows that nothing reads once they are written stay as they were, so that the array is held, not carried, as is what
no trip changes; where rows of zeros that are added to once are written instead, into an array that begins undefined; and where of several arrays
that are filled with the same rows one is. Invariant: results that are used stay the same, but for the sign of a zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jitad.ir.facts import is_undefined
from jitad.ir.program import Atom, Equation, Literal, Program, Var
from jitad.ir.recorder import Recorder
from jitad.primitives.control.undefined import empty
from jitad.primitives.declare import uniform
from jitad.primitives.structural.indexing import gather, scatter, scatter_add


@dataclass(frozen=True)
class Settled:
    """A loop: its operands, its body, how many constants it has, and which of its results is that of each carried value it had."""

    inputs: list[Atom]
    body: Program
    consts: int
    places: dict[int, int]


@dataclass(frozen=True)
class Access:
    """What a trip does to its own row of a carried array: whether it reads it, and how it writes it then."""

    read: bool
    write: Equation


def settled(inputs: Sequence[Atom], used: Sequence[bool], body: Program, length: int, consts: int) -> Settled | None:
    """Return the loop that carries less, None if it carries nothing more than it has to."""
    lead = 1 + consts
    found, initial = accesses(body, lead), list(inputs[lead:])
    held = [k for k, access in found.items() if access.read and access.write.primitive is scatter and not used[k]]
    held += [k for k, (x, result) in enumerate(zip(body.inputs[lead:], body.outputs, strict=True)) if x is result]
    every = isinstance(inputs[0], Literal)
    summed = [k for k, access in found.items() if not access.read and access.write.primitive is scatter_add and every
              and initial[k].shape[0] == length and uniform(initial[k]) == 0]
    for k in summed:
        initial[k] = empty(shape=initial[k].shape, dtype=initial[k].dtype)
    alike: dict[tuple, int] = {}
    standing = list(range(len(initial)))
    for k, access in found.items():
        if not access.read and is_undefined(initial[k]) and (k in summed or access.write.primitive is scatter):
            standing[k] = alike.setdefault((access.write.inputs[1], initial[k].type), k)
    kept = [k for k in range(len(initial)) if standing[k] == k and k not in held]
    if not summed and len(kept) == len(initial):
        return None
    operands = [*inputs[:lead], *[initial[k] for k in (*held, *kept)]]
    places = {k: kept.index(standing[k]) for k in range(len(initial)) if k not in held}
    return Settled(operands, narrowed(body, lead, held, kept, {k: found[k].write for k in summed if k in kept}), consts + len(held), places)


def accesses(body: Program, lead: int) -> dict[int, Access]:
    """Return the carried values that are arrays of which the body touches the row at its trip number alone."""
    counter, users = body.inputs[0], {x: [] for x in body.inputs[lead:]}
    outputs = list(body.outputs)
    written = {x: [] for x in outputs if isinstance(x, Var)}
    for equation in body.equations:
        for x in set(equation.inputs):
            if x in users:
                users[x].append(equation)
            if x in written:
                written[x].append(equation)
    found = {}
    for k, (x, result) in enumerate(zip(body.inputs[lead:], outputs, strict=True)):
        write = getattr(result, "equation", None)
        if write is None or write.primitive not in (scatter, scatter_add) or list(write.inputs) != [x, write.inputs[1], counter] or x in outputs:
            continue
        reads = [equation for equation in users[x] if equation is not write]
        own = all(equation.primitive is gather and list(equation.inputs) == [x, counter] for equation in reads)
        if own and not written[result] and outputs.count(result) == 1 and write.inputs[1] is not x:
            found[k] = Access(bool(reads), write)
    return found


def narrowed(body: Program, lead: int, held: Sequence[int], kept: Sequence[int], summed: dict[int, Equation]) -> Program:
    """Return the body that holds some carried values, carries others, and writes the rows that it added to."""
    outputs = list(body.outputs)
    with Recorder() as recorder:
        dropped = {write for k in range(len(outputs)) if (k in summed or k not in kept) and (write := outputs[k].equation) is not None}
        recorder.equations += [equation for equation in body.equations if equation not in dropped]
        for k, write in summed.items():
            recorder.source = write.source
            outputs[k] = scatter(*write.inputs, unique=True)
    inputs = [*body.inputs[:lead], *[body.inputs[lead + k] for k in (*held, *kept)]]
    return Program(inputs, recorder.equations, [outputs[k] for k in kept])
