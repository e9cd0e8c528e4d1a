"""Arrays that are added up at several places: neighbours are read from one copy with a rim of zeros.

In: a Program. Out: the same, where several arrays that hold the same elements, shifted, between zeros (the transpose of a stencil) are slices of
one that has zeros all around. Invariant: elements are the same, but for the sign of zeros. No guard is left then where they are read.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

from jitad.ir.program import Atom, Equation, Literal, Program, Var
from jitad.ir.recorder import Env, Recorder
from jitad.lower.preparation.narrowing import Box, demanded, whole
from jitad.primitives.elementwise.arithmetic import mul
from jitad.primitives.structural.boxes import embed, slice_

LEAST = 3  # arrays that are worth a rim
ROOM = 8  # how many times larger than its rim an array is
SMALL = 64


def share_halos(program: Program) -> Program:
    """Return `program` with shifted arrays as slices."""
    groups: dict[Var, list[Equation]] = defaultdict(list)
    factors: dict[Equation, list[Literal]] = {}
    for equation in program.equations:
        if is_shifted(equation):
            source, factors[equation] = scaled(equation.inputs[0])
            groups[source].append(equation)
    groups = {source: group for source, group in groups.items() if len({e.params["start"] for e in group}) >= LEAST}
    if not groups:
        return program
    demands = demanded(program, [whole(x.shape) for x in program.outputs])
    rims = {source: rim for source, group in groups.items() if (rim := rim_of(source, group, demands)) is not None}
    if not rims:
        return program
    env, padded = Env({var: var for var in program.inputs}), {}
    with Recorder() as recorder:
        for source in rims:
            if source in env:
                padded[source] = pad(source, rims[source])
        for equation in program.equations:
            recorder.source = equation.source
            source = scaled(equation.inputs[0])[0] if equation in factors else None
            box = demands.get(equation.outputs[0])
            if source in rims and box is not None:
                value = shifted(padded[source], rims[source], equation, box)
                for factor in factors[equation]:
                    value = mul(value, factor)
                env[equation.outputs[0]] = value
            else:
                env.repeat(equation, recorder)
            for x in equation.outputs:
                if x in rims:
                    padded[x] = pad(env[x], rims[x])
                    env[x] = slice_(padded[x], start=tuple([before for before, _ in rims[x]]), shape=x.shape, step=(1,) * x.ndim)
    return Program(program.inputs, recorder.equations, env.read_all(program.outputs))


def is_shifted(equation: Equation) -> bool:
    """Whether an equation puts an array between zeros."""
    if equation.primitive is not embed or not isinstance(equation.inputs[0], Var):
        return False
    x = equation.inputs[0]
    return set(equation.params["step"]) == {1} and x.dtype.kind == "f" and x.type.size > SMALL


def scaled(x: Var) -> tuple[Var, list[Literal]]:
    """Return what `x` is a multiple of by finite numbers, and these."""
    factors: list[Literal] = []
    while x.equation is not None and x.equation.primitive is mul:
        numbers = [y for y in x.equation.inputs if isinstance(y, Literal)]
        others = [y for y in x.equation.inputs if isinstance(y, Var)]
        if len(others) != 1 or others[0].type != x.type or not math.isfinite(numbers[0].value):
            break
        factors.append(numbers[0])
        (x,) = others
    return x, factors[::-1]


def rim_of(source: Var, group: Sequence[Equation], demands: dict[Var, Box]) -> Box | None:
    """Return how many zeros are read before and after the elements along each axis; None if there are many."""
    rim = [(0, 0)] * source.ndim
    for equation in group:
        box = demands.get(equation.outputs[0])
        if box is not None:
            starts = equation.params["start"]
            rim = [(max(before, start - low), max(after, high - start - n + 1))
                   for (before, after), start, (low, high), n in zip(rim, starts, box, source.shape, strict=True)]
    return tuple(rim) if all((a + b) * ROOM <= n for (a, b), n in zip(rim, source.shape, strict=True)) else None


def pad(x: Atom, rim: Box) -> Atom:
    shape = tuple([before + n + after for (before, after), n in zip(rim, x.shape, strict=True)])
    return embed(x, start=tuple([before for before, _ in rim]), step=(1,) * len(rim), shape=shape)


def shifted(x: Atom, rim: Box, equation: Equation, box: Box) -> Atom:
    """Return what is needed of the result of an equation, between zeros, as a slice of its operand `x` with a rim."""
    lows = [low for low, _ in box]
    start = tuple([low - first + before for low, first, (before, _) in zip(lows, equation.params["start"], rim, strict=True)])
    taken = slice_(x, start=start, shape=tuple([high - low + 1 for low, high in box]), step=(1,) * len(box))
    return embed(taken, start=tuple(lows), step=(1,) * len(box), shape=equation.outputs[0].shape)
