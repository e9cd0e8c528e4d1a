"""What the lowering asks of an equation: over which box it runs, and at which index it reads an operand.

In: equations. Out: facts, found by running their element rules on operands that only note where they are read. Boxes that differ little
lie in one *frame*, each at an *offset*, so that what is computed at one place of the frame is mostly what is read there.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import product

from jitad.ir.lowering import Control, Library, Pointwise, Pull, Recurrence, Reduce, Scatter, Undefined
from jitad.ir.program import Atom, Equation, Program, Var
from jitad.lower.index import ZERO, Index, Range, loop_variable
from jitad.lower.products import blas_operands
from jitad.lower.regions import pieces
from jitad.lower.scalars import Builder

Box = tuple[int, ...]
KINDS = {Recurrence: "recurrence", Scatter: "scatter", Library: "call", Control: "control", Undefined: "undefined"}
CLOSE = 8


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
        if self.type.dtype.kind in "iu":  # it may become an index, which is then not known
            return self.builder.make("element", (self, tuple(index)), self.type.dtype)
        return self.builder.const(0, self.type.dtype)


Places = set[tuple[Index, ...]]


def places_read(equation: Equation, x: Var, ranges: Sequence[Range]) -> tuple[Places, list[set[int]]]:
    """Return the indices at which an element rule reads `x`, for an index in a part of its iteration box, and where guards change."""
    record, full = equation.primitive.lower, iteration_box(equation)
    builder = Builder(ranges)
    builder.next_check = lambda extent, axis, **own: None
    probes = [Probe(builder, atom) for atom in equation.inputs]
    if isinstance(record, Pull):
        record.element(builder, identity(full), probes, equation.outputs[0].type, **equation.params)
    else:
        record.element(builder, identity(full), probes, **equation.params)
    places = {place for probe, atom in zip(probes, equation.inputs, strict=True) if atom is x for place in probe.places}
    return places, builder.thresholds


class Reads:
    """Answers about the equations of one Program, each found once."""

    def __init__(self, program: Program):
        self.memo: dict[tuple, bool] = {}
        inner = [equation for equation in program.equations if kind_of(equation) in ("inline", "nest")]
        self.frames = frames([iteration_box(equation) for equation in inner])
        self.offsets = offsets(inner, self)

    def frame(self, equation: Equation) -> Box:
        """Return the box of the nest that an equation would share."""
        box = iteration_box(equation)
        return self.frames.get(box, box)

    def offset(self, equation: Equation) -> Box:
        """Return where in its frame the iteration box of an equation begins."""
        found = self.offsets.get(equation)
        return (0,) * len(iteration_box(equation)) if found is None else found

    def shares_frame(self, equation: Equation, x: Var) -> bool:
        return x.equation is not None and self.frame(x.equation) == self.frame(equation) and x.shape == iteration_box(x.equation)

    def here(self, equation: Equation, x: Var) -> bool:
        """Whether the equation, evaluated at a place of its frame, reads `x` at that very place and nowhere else."""
        key = (equation, x)
        if key not in self.memo:
            inner = kind_of(equation) in ("inline", "nest") and self.shares_frame(equation, x) and 0 not in iteration_box(equation)
            self.memo[key] = inner and self.reads_here(equation, x)
        return self.memo[key]

    def reads_here(self, equation: Equation, x: Var) -> bool:
        box, shift = iteration_box(equation), [a - b for a, b in zip(self.offset(equation), self.offset(x.equation), strict=True)]
        if isinstance(equation.primitive.lower, Pointwise):
            return x.shape == box and not any(shift)
        aligned = tuple([i + s for i, s in zip(identity(box), shift, strict=True)])
        image = [(max(0, -s), min(n, m - s) - 1) for s, n, m in zip(shift, box, x.shape, strict=True)]
        for part in product(*[pieces((0, n - 1), {low, high + 1}) for n, (low, high) in zip(box, image, strict=True)]):
            inside = all(low <= first and last <= high for (first, last), (low, high) in zip(part, image, strict=True))
            if places_read(equation, x, part)[0] - ({aligned} if inside else set()):
                return False
        return True


def shift_of(equation: Equation, x: Var) -> Box | None:
    """Return by how much the index at which an equation reads `x` differs from its own in the interior, if by a fixed amount."""
    box = iteration_box(equation)
    if isinstance(equation.primitive.lower, Pointwise):
        return (0,) * len(box) if x.shape == box else None
    whole = [(0, n - 1) for n in box]
    places, thresholds = places_read(equation, x, whole)
    if any(thresholds):
        longest = [max(pieces(bounds, marks), key=lambda p: p[1] - p[0]) for bounds, marks in zip(whole, thresholds, strict=True)]
        places, _ = places_read(equation, x, longest)
    if len(places) != 1:
        return None
    steps = [i - own for i, own in zip(next(iter(places)), identity(box), strict=True)]
    return None if any(step.terms for step in steps) else tuple([step.const for step in steps])


def offsets(equations: Sequence[Equation], reads: Reads) -> dict[Equation, Box]:
    """Place each box where most of what reads its elements is; a reduction where what it reads is."""
    votes: dict[Equation, list[Box]] = defaultdict(list)
    found: dict[Equation, Box] = {}
    for equation in reversed(equations):
        box = iteration_box(equation)
        if 0 in box:
            continue
        room = [n - m for n, m in zip(reads.frame(equation), box, strict=True)]
        if kind_of(equation) == "inline":
            valid = [vote for vote in votes[equation] if all(0 <= v <= r for v, r in zip(vote, room, strict=True))]
            found[equation] = tuple([median(column) for column in zip(*valid, strict=True)]) if valid else (0,) * len(box)
        for x in equation.inputs:
            if isinstance(x, Var) and reads.shares_frame(equation, x):
                shift = shift_of(equation, x)
                if shift is not None and equation in found:
                    votes[x.equation].append(tuple([a - b for a, b in zip(found[equation], shift, strict=True)]))
    for equation in equations:
        if kind_of(equation) == "nest" and 0 not in iteration_box(equation):
            found[equation] = beside_operands(equation, reads, found)
    return found


def beside_operands(equation: Equation, reads: Reads, found: dict[Equation, Box]) -> Box:
    box = iteration_box(equation)
    for x in equation.inputs:
        if isinstance(x, Var) and reads.shares_frame(equation, x) and x.equation in found:
            shift = shift_of(equation, x)
            place = None if shift is None else tuple([a + b for a, b in zip(found[x.equation], shift, strict=True)])
            if place and all(0 <= p <= n - m for p, n, m in zip(place, reads.frame(equation), box, strict=True)):
                return place
    return (0,) * len(box)


def median(values: Sequence[int]) -> int:
    return sorted(values)[(len(values) - 1) // 2]


def frames(boxes: Sequence[Box]) -> dict[Box, Box]:
    """Return for each box the largest one that is little larger: nests over the two share one loop."""
    found: dict[Box, Box] = {}
    for box in sorted(set(boxes), key=math.prod, reverse=True):
        found[box] = next((frame for frame in found if found[frame] == frame and little_larger(frame, box)), box)
    return found


def little_larger(frame: Box, box: Box) -> bool:
    return len(frame) == len(box) and all(0 <= n - m <= n // CLOSE for n, m in zip(frame, box, strict=True))
