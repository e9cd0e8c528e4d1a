"""What the lowering asks of an equation: over which box it runs, and at which index it reads an operand.

In: equations. Out: facts, found by running their element rules on operands that only note where they are read.

A nest loops over the long axes of a box. Its short ones are *spelled out*: each iteration runs all their *places*, so that arrays of shapes
(n,), (n, 1), (n, 3) and (3, n) share one loop over n. Loops that differ little lie in one *frame*, each box at an *offset*, so that what is
computed at one place of the frame is mostly what is read there.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Sequence

from jitad.ir.lowering import Control, Library, Pointwise, Pull, Recurrence, Reduce, Scatter, Undefined
from jitad.ir.program import Atom, Equation, Program, Var
from jitad.lower.fusion.products import SHORT, blas_operands
from jitad.lower.grammar.builder import Builder
from jitad.lower.grammar.index import Index, Range, loop_variable
from jitad.lower.grammar.regions import pieces

Box = tuple[int, ...]
KINDS = {Recurrence: "recurrence", Scatter: "scatter", Library: "call", Control: "control", Undefined: "undefined"}
CLOSE = 8
SHORT_ALONE = 9  # places that are spelled out where nothing is left to loop over
FEW, FEW_IN_ALL = 4, 64
LONG = 64  # iterations of a loop that is worth running across places that are not together in memory
MOST_PLACES = 4000  # of all equations of a Program; if there are more, only axes of extent 1 are spelled out


def kind_of(equation: Equation) -> str:
    """Return ``inline`` for element rules, reductions of few elements among them, otherwise the kind of step that an equation takes."""
    record = equation.primitive.lower
    if isinstance(record, Pointwise | Pull):
        return "inline"
    if isinstance(record, Reduce):
        return "call" if blas_operands(equation) else "inline" if is_short(equation) else "nest"
    return KINDS[type(record)]


def is_short(equation: Equation) -> bool:
    """Whether a reduction is best spelled out: it has few terms, and loops over its results, or there are few in all."""
    terms, results = terms_of(equation), equation.outputs[0].type.size
    return terms <= FEW or terms <= SHORT and (results >= SHORT**2 or terms * results <= FEW_IN_ALL)


def terms_of(equation: Equation) -> int:
    """Return how many elements a reduction combines."""
    box, axes = reduced_box(equation)
    return math.prod([box[axis] for axis in axes])


def reduced_box(equation: Equation) -> tuple[Box, Sequence[int]]:
    """Return the box of a reduction and the axes of it that are reduced."""
    return equation.primitive.lower.box(*[atom.type for atom in equation.inputs], **equation.params)


def iteration_box(equation: Equation) -> Box:
    return tuple(reduced_box(equation)[0]) if kind_of(equation) == "nest" else equation.outputs[0].shape


def loop_axes(box: Box, short: int) -> list[int]:
    """Return the axes of a box that are loops; all others together have at most `short` places, or fewer if there are no others."""
    if math.prod(box) <= SHORT:
        short = min(short, SHORT_ALONE)
    elif max(box, default=0) < LONG:
        short = min(short, FEW)
    axes, places = [], 1
    for axis in reversed(range(len(box))):
        if 0 < places * box[axis] <= short:
            places *= box[axis]
        else:
            axes.append(axis)
    return axes[::-1]


def places(box: Box, short: int, offset: Sequence[int] | None = None) -> list[tuple[Index, ...]]:
    """Return the indices that one iteration of the nest over a box runs, if the box begins at `offset` of the loops, by default at 0."""
    loops = {axis: own_variable(dim, offset) for dim, axis in enumerate(loop_axes(box, short))}
    return list(itertools.product(*[[loops[axis]] if axis in loops else map(constant, range(n)) for axis, n in enumerate(box)]))


def own_variable(dim: int, offset: Sequence[int] | None) -> Index:
    return loop_variable(dim) - offset[dim] if offset else loop_variable(dim)


def constant(value: int) -> Index:
    return Index((), value)


def is_place(index: Sequence[Index], box: Box, short: int, offset: Sequence[int]) -> bool:
    """Whether an index into an array of shape `box`, which begins at `offset` of the loops, is one of its `places`."""
    loops = {axis: own_variable(dim, offset) for dim, axis in enumerate(loop_axes(box, short))}
    return all(i == loops[axis] if axis in loops else not i.terms for axis, i in enumerate(index))


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


def places_read(
    equation: Equation, x: Var, ranges: Sequence[Range], indices: Sequence[tuple[Index, ...]]
) -> tuple[Places, list[set[int]]]:
    """Return where an element rule reads `x`, at indices that depend on loops over `ranges`, and where guards change."""
    record = equation.primitive.lower
    builder = Builder(ranges)
    builder.next_check = lambda extent, axis, **own: None
    probes = [Probe(builder, atom) for atom in equation.inputs]
    for index in indices:
        if isinstance(record, Pull):
            record.element(builder, index, probes, equation.outputs[0].type, **equation.params)
        else:
            for term in reduced_indices(equation, index) if kind_of(equation) == "inline" else [index]:
                record.element(builder, term, probes, **equation.params)
    places = {place for probe, atom in zip(probes, equation.inputs, strict=True) if atom is x for place in probe.places}
    return places, builder.thresholds


def reduced_indices(equation: Equation, index: Sequence[Index]) -> list[tuple[Index, ...]]:
    """Return the indices of the elements that a reduction combines to its element at `index`."""
    box, axes = reduced_box(equation)
    kept = iter(index)
    return list(itertools.product(*[map(constant, range(n)) if axis in axes else [next(kept)] for axis, n in enumerate(box)]))


class Reads:
    """Answers about the equations of one Program, each found once."""

    def __init__(self, program: Program):
        self.memo: dict[tuple, bool] = {}
        self.loops_of: dict[Equation, Box] = {}
        self.frame_of: dict[Equation, Box] = {}
        inner = [equation for equation in program.equations if kind_of(equation) in ("inline", "nest")]
        boxes = [iteration_box(equation) for equation in inner]
        spelled = sum(math.prod([n for axis, n in enumerate(box) if axis not in loop_axes(box, SHORT)]) for box in boxes)
        self.short = SHORT if spelled <= MOST_PLACES else 1
        self.frames = frames([self.loop_box(box) for box in set(boxes)])
        self.offsets = offsets(inner, self)

    def loop_box(self, box: Box) -> Box:
        """Return the extents of the loops over a box."""
        return tuple([box[axis] for axis in loop_axes(box, self.short)])

    def frame(self, equation: Equation) -> Box:
        """Return the loops of the nest that an equation would share."""
        if equation not in self.frame_of:
            box = self.loops(equation)
            self.frame_of[equation] = self.frames.get(box, box)
        return self.frame_of[equation]

    def loops(self, equation: Equation) -> Box:
        """Return the extents of the loops that an equation needs."""
        if equation not in self.loops_of:
            self.loops_of[equation] = self.loop_box(iteration_box(equation))
        return self.loops_of[equation]

    def offset(self, equation: Equation) -> Box:
        """Return where in its frame an equation's loops begin."""
        found = self.offsets.get(equation)
        return (0,) * len(self.loops(equation)) if found is None else found

    def shares_frame(self, equation: Equation, x: Var) -> bool:
        return x.equation is not None and self.frame(x.equation) == self.frame(equation) and x.shape == iteration_box(x.equation)

    def here(self, equation: Equation, x: Var) -> bool:
        """Whether the equation, evaluated at a place of its frame, reads `x` at that very place, short axes aside, and nowhere else."""
        key = (equation, x)
        if key not in self.memo:
            inner = kind_of(equation) in ("inline", "nest") and self.shares_frame(equation, x) and 0 not in iteration_box(equation)
            self.memo[key] = inner and self.reads_here(equation, x)
        return self.memo[key]

    def reads_here(self, equation: Equation, x: Var) -> bool:
        loops, shift = self.loops(equation), [a - b for a, b in zip(self.offset(equation), self.offset(x.equation), strict=True)]
        if isinstance(equation.primitive.lower, Pointwise):
            return self.same_axes(equation, x) and not any(shift)
        indices, back = places(iteration_box(equation), self.short), [-step for step in shift]
        image = [(max(0, -s), min(n, m - s) - 1) for s, n, m in zip(shift, loops, self.loop_box(x.shape), strict=True)]
        for part in itertools.product(*[pieces((0, n - 1), {low, high + 1}) for n, (low, high) in zip(loops, image, strict=True)]):
            inside = all(low <= first and last <= high for (first, last), (low, high) in zip(part, image, strict=True))
            read, _ = places_read(equation, x, part, indices)
            if not all(inside and is_place(index, x.shape, self.short, back) for index in read):
                return False
        return True

    def same_axes(self, equation: Equation, x: Var) -> bool:
        """Whether broadcasting `x` to the box of an equation pairs the axes that are loops."""
        box = iteration_box(equation)
        return x.shape == box or loop_axes(x.shape, self.short) == [axis - len(box) + len(x.shape) for axis in loop_axes(box, self.short)]

    def shift(self, equation: Equation, x: Var) -> Box | None:
        """Return by how much the index at which an equation reads `x` differs from its own in the interior, if by a fixed amount."""
        loops, axes = self.loops(equation), loop_axes(x.shape, self.short)
        if isinstance(equation.primitive.lower, Pointwise):
            return (0,) * len(loops) if self.same_axes(equation, x) else None
        whole, indices = [(0, n - 1) for n in loops], places(iteration_box(equation), self.short)
        read, thresholds = places_read(equation, x, whole, indices)
        if any(thresholds):
            longest = [max(pieces(bounds, marks), key=lambda p: p[1] - p[0]) for bounds, marks in zip(whole, thresholds, strict=True)]
            read, _ = places_read(equation, x, longest, indices)
        found = {tuple([index[axis] - loop_variable(dim) for dim, axis in enumerate(axes)]) for index in read}
        if len(found) != 1:
            return None
        (steps,) = found
        return None if any(step.terms for step in steps) else tuple([step.const for step in steps])


def offsets(equations: Sequence[Equation], reads: Reads) -> dict[Equation, Box]:
    """Place each box where most of what reads its elements is; a reduction, and what nothing reads, where what it reads is."""
    votes: dict[Equation, list[Box]] = defaultdict(list)
    found: dict[Equation, Box] = {}
    inner = [equation for equation in equations if 0 not in reads.loops(equation)]
    place_by_readers(inner, reads, found, votes, lambda loops, frame: loops != frame)
    for equation in inner:
        if equation not in found and isinstance(equation.primitive.lower, Pointwise):
            place = beside_operands(equation, reads, found)
            if place is not None:
                found[equation] = place
                vote(equation, reads, found, votes)
    place_by_readers(inner, reads, found, votes, lambda loops, frame: False)
    for equation in equations:
        if kind_of(equation) == "nest" and 0 not in iteration_box(equation):
            found[equation] = beside_operands(equation, reads, found) or (0,) * len(reads.loops(equation))
    return found


def place_by_readers(equations: Sequence[Equation], reads: Reads, found: dict, votes: dict, open_: Callable[[Box, Box], bool]) -> None:
    """Place boxes by the votes of their readers, at 0 if there are none; where `open_(loops, frame)`, leave them without a place then."""
    for equation in reversed(equations):
        loops, frame = reads.loops(equation), reads.frame(equation)
        if kind_of(equation) != "inline" or equation in found:
            continue
        room = [n - m for n, m in zip(frame, loops, strict=True)]
        valid = [vote for vote in votes[equation] if all(0 <= v <= r for v, r in zip(vote, room, strict=True))]
        if valid or not open_(loops, frame):
            found[equation] = tuple([median(column) for column in zip(*valid, strict=True)]) if valid else (0,) * len(loops)
            vote(equation, reads, found, votes)


def vote(equation: Equation, reads: Reads, found: dict, votes: dict) -> None:
    """Say where what an equation reads would best be."""
    for x in equation.inputs:
        if isinstance(x, Var) and reads.shares_frame(equation, x):
            shift = reads.shift(equation, x)
            if shift is not None:
                votes[x.equation].append(tuple([a - b for a, b in zip(found[equation], shift, strict=True)]))


def beside_operands(equation: Equation, reads: Reads, found: dict[Equation, Box]) -> Box | None:
    """Return a place at which an equation reads an operand where that is."""
    loops = reads.loops(equation)
    for x in equation.inputs:
        if isinstance(x, Var) and reads.shares_frame(equation, x) and x.equation in found:
            shift = reads.shift(equation, x)
            place = None if shift is None else tuple([a + b for a, b in zip(found[x.equation], shift, strict=True)])
            if place and all(0 <= p <= n - m for p, n, m in zip(place, reads.frame(equation), loops, strict=True)):
                return place
    return None


def median(values: Sequence[int]) -> int:
    return sorted(values)[(len(values) - 1) // 2]


def frames(boxes: Sequence[Box]) -> dict[Box, Box]:
    """Return for each box one that is little larger than it and others beside it: nests over them share its loops."""
    found: list[tuple[Box, Box, list[Box]]] = []  # what surrounds boxes, what they have in common, and they
    for box in sorted(set(boxes), key=math.prod, reverse=True):
        for k, (frame, common, own) in enumerate(found):
            if len(frame) == len(box):
                around, inside = tuple(map(max, frame, box)), tuple(map(min, common, box))
                if little_larger(around, inside):
                    found[k] = around, inside, [*own, box]
                    break
        else:
            found.append((box, box, [box]))
    return {box: frame for frame, _, own in found for box in own}


def little_larger(frame: Box, box: Box) -> bool:
    return all(0 <= n - m <= n // CLOSE for n, m in zip(frame, box, strict=True))
