"""What the lowering asks of an equation: over which box it runs, and at which index it reads an operand.

In: equations. Out: facts, found by running their element rules on operands that only note where they are read.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from jitad.ir.lowering import Control, Library, Pointwise, Pull, Recurrence, Reduce, Scatter, Undefined
from jitad.ir.program import Atom, Equation, Program, Var
from jitad.lower.index import ZERO, Index, loop_variable
from jitad.lower.products import blas_operands
from jitad.lower.scalars import Builder

Box = tuple[int, ...]
KINDS = {Recurrence: "recurrence", Scatter: "scatter", Library: "call", Control: "control", Undefined: "undefined"}
CLOSE = 16


def kind_of(equation: Equation) -> str:
    """Return ``inline`` for element rules, otherwise the kind of step that an equation takes."""
    record = equation.primitive.lower
    if isinstance(record, Pointwise | Pull):
        return "inline"
    if isinstance(record, Reduce):
        return "call" if blas_operands(equation) else "nest"
    return KINDS[type(record)]


def iteration_box(equation: Equation) -> Box:
    record = equation.primitive.lower
    if isinstance(record, Reduce):
        return tuple(record.box(*[atom.type for atom in equation.inputs], **equation.params)[0])
    return equation.outputs[0].shape


def identity(box: Sequence[int]) -> tuple[Index, ...]:
    """Return the index of an iteration of a nest; the only one along an axis of extent 1 is zero."""
    return tuple([loop_variable(dim) if extent != 1 else ZERO for dim, extent in enumerate(box)])


class Probe:
    """An operand that notes the indices at which it is read."""

    def __init__(self, builder: Builder, atom: Atom):
        self.builder, self.type = builder, atom.type
        self.places: list[tuple[Index, ...]] = []

    def __call__(self, index: Sequence[Index]):
        self.places.append(tuple(index))
        return self.builder.const(0, self.type.dtype)


def places_read(equation: Equation, x: Var, box: Box) -> set[tuple[Index, ...]]:
    """Return the indices at which an element rule reads `x`, for an index in the part `box` of its iteration box."""
    record, full = equation.primitive.lower, iteration_box(equation)
    builder = Builder([(0, extent - 1) for extent in box])
    builder.next_check = lambda extent, axis, **own: None
    probes = [Probe(builder, atom) for atom in equation.inputs]
    if isinstance(record, Pull):
        record.element(builder, identity(full), probes, equation.outputs[0].type, **equation.params)
    else:
        record.element(builder, identity(full), probes, **equation.params)
    return {place for probe, atom in zip(probes, equation.inputs, strict=True) if atom is x for place in probe.places}


class Reads:
    """Answers about the equations of one Program, each found once."""

    def __init__(self, program: Program):
        self.memo: dict[tuple, bool] = {}
        self.frames = frames([iteration_box(equation) for equation in program.equations if kind_of(equation) in ("inline", "nest")])

    def frame(self, equation: Equation) -> Box:
        """Return the box of the nest that an equation would share."""
        box = iteration_box(equation)
        return self.frames.get(box, box)

    def here(self, equation: Equation, x: Var) -> bool:
        """Whether the equation, evaluated at an index of its box, reads `x`, of that shape, at that very index and nowhere else."""
        if isinstance(equation.primitive.lower, Pointwise):
            return x.shape == equation.outputs[0].shape
        key = (equation, x, "here")
        if key not in self.memo:
            box = iteration_box(equation)
            self.memo[key] = x.shape == box and kind_of(equation) == "nest" and places_read(equation, x, box) == {identity(box)}
        return self.memo[key]

    def through(self, equation: Equation, x: Var) -> bool:
        """Whether an index map leaves the index as it is where it reads `x`, as a slice from the start or a pad at the end does."""
        key = (equation, x, "through")
        if key not in self.memo:
            box = equation.outputs[0].shape
            part = tuple([min(pair) for pair in zip(box, x.shape, strict=False)])
            self.memo[key] = len(x.shape) == len(box) and 0 not in part and places_read(equation, x, part) == {identity(box)}
        return self.memo[key]


def frames(boxes: Sequence[Box]) -> dict[Box, Box]:
    """Return for each box the largest one that is little larger: nests over the two share one loop."""
    found: dict[Box, Box] = {}
    for box in sorted(set(boxes), key=math.prod, reverse=True):
        found[box] = next((frame for frame in found if found[frame] == frame and little_larger(frame, box)), box)
    return found


def little_larger(frame: Box, box: Box) -> bool:
    return len(frame) == len(box) and all(0 <= n - m <= n // CLOSE for n, m in zip(frame, box, strict=True))
