"""Residuals that are zero beyond counts, as windows with counts are: only what counts is stored, and read again.

In: what a loop keeps of each trip, and the equations that give it. Out: what is stored instead, and the reverse sweep's body reading it as before.
Invariant: a residual that is stored in part is read in that part alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jitad.ir.dataflow import leading_to
from jitad.ir.program import Atom, Equation, Literal, Program, Var
from jitad.ir.recorder import Env, Recorder
from jitad.primitives.structural.spans import Spans
from jitad.primitives.structural.windows import confinement, window, window_part

Confined = dict[Var, tuple[Spans, list[Atom]]]


def confined(known: Sequence[Equation], kept: Sequence[Var]) -> Confined:
    """Return those of `kept` that are zero beyond counts, arrays of several axes: the spans from the first place on, and the counts."""
    wanted = {x for x in kept if x.ndim > 1}
    found = {x: confinement(equation) for equation in known for x in equation.outputs if x in wanted}
    return {x: (spans, counts) for x, (spans, counts) in found.items() if counts}


def counts_in(found: Confined) -> list[Var]:
    return list(dict.fromkeys(count for _, counts in found.values() for count in counts if isinstance(count, Var)))


def stored_part(x: Var, found: Confined) -> Atom:
    """Record what to store of a residual."""
    if x not in found:
        return x
    spans, counts = found[x]
    return window_part(x, *counts, spans=spans)


def reading_part(body: Program, stored: Mapping[Var, tuple[Spans, list[Atom]]]) -> Program:
    """Return a body that takes of its inputs in `stored` what counts; the counts are inputs of it, or computed in it."""
    first = leading_to(body.equations, [count for _, counts in stored.values() for count in counts])
    inputs = [Var(x.type) for x in body.inputs]
    env = Env(zip(body.inputs, inputs, strict=True))
    with Recorder() as recorder:
        for equation in first:
            env.repeat(equation, recorder)
        for x, (spans, counts) in stored.items():
            env[x] = window(env[x], *env.read_all(counts), spans=spans)
        for equation in body.equations:
            if equation not in first:
                env.repeat(equation, recorder)
    return Program(inputs, recorder.equations, env.read_all(body.outputs))


def at_hand_in(body: Program, found: Confined) -> Confined:
    """Return the residuals in `found` whose counts a body has without taking any of them."""
    there = {*body.inputs, *[x for equation in body.equations for x in equation.outputs]}
    definitions = {x: equation for equation in body.equations for x in equation.outputs}

    def depends(x: Atom) -> bool:
        return x in found or (x in definitions and any(map(depends, definitions[x].inputs)))

    return {x: (spans, counts) for x, (spans, counts) in found.items()
            if x in body.inputs and all(isinstance(count, Literal) or (count in there and not depends(count)) for count in counts)}
