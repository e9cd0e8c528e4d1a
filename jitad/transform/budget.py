"""Fitting a derivative into a memory budget, by choosing which loops the reverse sweep runs again and from how many snapshots.

In: a Program, a number of bytes, and a function that says how many bytes the derivative of a Program takes. Out: the Program with some loops
`replay`-ed. Invariant: its derivative fits; of the ways tried that do, the one with the fewest trips is taken.

The cost model: a loop of n trips that is replayed in segments of m trips from s snapshots takes ``a + m * b + s * c`` bytes, whatever n is,
with a, b and c found by trying. It runs at least ``least_steps(n / m + 1, s) * m`` trips beside the n whose residuals are kept. Where n is only
known when the kernel runs, it is the most that it can be; without a bound, several numbers are considered, and the loop has to be replayed.
Of the other loops outermost ones are replayed first, loops inside them only if that does not suffice; among loops beside one another those that
save most.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

from jitad.ir import errors
from jitad.ir.lowering import UNBOUNDED
from jitad.ir.program import Atom, Equation, Program, bodies, with_bodies
from jitad.ir.recorder import current, rewrite
from jitad.primitives.control.schedules import least_steps

MOST_SNAPSHOTS = 2**20
LEAST_GAIN = 0.02
EXPECTED = (10**2, 10**4, 10**6)  # trips of a loop without a bound


class Choice(NamedTuple):
    """How a loop is replayed."""

    segment: int
    snapshots: int


LEAST = Choice(1, 1)

Path = tuple[int, ...]  # of an equation: its number, that of the body within it, and so on
Choices = dict[Path, Choice]


class Loop(NamedTuple):
    """A loop that can be replayed: where it is, how deep in others, and how many trips it makes at most."""

    path: Path
    depth: int
    most: int

    @property
    def trips(self) -> int:
        """The number of trips for which memory is useful."""
        return min(self.most, EXPECTED[-1])

    def trips_run(self, choice: Choice) -> float:
        """Return how many trips are run beyond those of a loop that keeps everything; for each trip on average if their number has no bound."""
        if self.most == UNBOUNDED:
            return sum([beyond(trips, choice) / trips for trips in EXPECTED])
        return beyond(self.most, choice)


def beyond(trips: int, choice: Choice) -> int:
    segments = -(-trips // choice.segment)
    return (least_steps(segments + 1, choice.snapshots) - segments) * choice.segment + trips


def loops_of(program: Program, path: Path = (), depth: int = 0) -> Iterator[Loop]:
    """Iterate over the loops of a Program that can be replayed."""
    for number, equation in enumerate(program.equations):
        trips = equation.primitive.trips and equation.primitive.trips(equation)
        if trips and trips > 1:
            yield Loop((*path, number), depth, trips)
        for place, body in enumerate(bodies(equation.params)):
            yield from loops_of(body, (*path, number, place), depth + bool(trips))


def replayed(program: Program, choices: Choices, path: Path = ()) -> Program:
    """Return `program` with the loops in `choices` replayed."""
    if not any(found[: len(path)] == path for found in choices):
        return program
    numbers = itertools.count()

    def rule(equation: Equation, inputs: list[Atom]):
        here, places = (*path, next(numbers)), itertools.count()
        params = with_bodies(equation.params, lambda body: replayed(body, choices, (*here, next(places))))
        if here in choices:
            return equation.primitive.replay(inputs, *choices[here], **params)
        return current().record(equation.primitive, inputs, params)

    return rewrite(program, rule)


class Cost(NamedTuple):
    """What the derivative takes, as found by trying: `base` bytes, and more for each trip of a segment, snapshot, and segment."""

    loop: Loop
    base: float
    per_trip: float
    per_snapshot: float

    def bytes(self, choice: Choice) -> float:
        return self.base + self.per_trip * choice.segment + self.per_snapshot * choice.snapshots

    def best(self, limit: float, order: Callable[[Loop, Choice], float | tuple] = Loop.trips_run) -> Choice | None:
        """Return the choice that comes first in `order`, of these that with the fewest bytes, that takes at most `limit` of them, if any does.

        Segments that are all of the same length are preferred.
        """
        found: list[Choice] = []
        for segment in segments(self.loop.trips):
            most = min(-(-self.loop.trips // segment), MOST_SNAPSHOTS)
            rest = limit - self.bytes(Choice(segment, 1))
            if rest >= 0:
                found.append(Choice(segment, min(most, 1 + int(rest / self.per_snapshot)) if self.per_snapshot > 0 else most))
        return min(found, key=lambda choice: (order(self.loop, choice), self.loop.trips % choice.segment > 0, self.bytes(choice)), default=None)


def segments(trips: int) -> Iterator[int]:
    """Iterate over lengths of segments, all small ones and some of the larger ones."""
    segment = 1
    while segment <= trips:
        yield segment
        segment = max(segment + 1, segment * 33 // 32)


def cost_of(loop: Loop, choices: Choices, size: Callable[[Choices], int]) -> Cost:
    """Try three choices for a loop, the others being replayed as in `choices`.

    The bytes are the most taken at any moment, so a convex function of the choice: what is found is not too little in between.
    """
    some = max(loop.trips // 16, 1)
    few, many = (1, 2) if loop.trips < 4 else (2, min(16, loop.trips))
    at, longer, more = (size(choices | {loop.path: Choice(*choice)}) for choice in ((some, few), (loop.trips, few), (some, many)))
    per_trip, per_snapshot = max(longer - at, 0) / (loop.trips - some), max(more - at, 0) / (many - few)
    return Cost(loop, at - per_trip * some - per_snapshot * few, per_trip, per_snapshot)


def fit(program: Program, limit: int, measure: Callable[[Program], float], estimate: Callable[[Program], float]) -> Program:
    """Return `program`, or a version of it with loops replayed, for which ``measure`` gives at most `limit` bytes.

    Choices are compared by what ``estimate`` gives, which differs from that by about the same for all, and takes less time.
    """
    stored = measure(program)
    if stored <= limit:
        return program
    sizes, loops = Sizes(program, measure, estimate), list(loops_of(program))
    included = [loop for loop in loops if loop.most == UNBOUNDED] if stored == math.inf else []
    choices = {loop.path: LEAST for loop in included}
    taken = sizes.measured(choices)
    if taken == math.inf:
        raise errors.MemoryError("a memory budget cannot be kept where reverse mode goes through the derivative of a loop whose number of trips is "
                                 "only known when it runs; write a for loop over a range of known length, or leave the budget out")
    sizes.rest = taken - sizes.expected(choices)
    add_loops([loop for loop in loops if loop not in included], included, choices, taken, limit, sizes.expected)
    least = sizes.measured(choices)
    sizes.rest += least - sizes.expected(choices)
    for number, loop in enumerate(reversed(included)):
        taken = sizes.expected(choices)
        choices[loop.path] = spend(loop, choices, taken + (limit - taken) // (len(included) - number), sizes)
    found = sizes.measured(choices)
    if found > limit:
        kept = f"with everything kept that the reverse sweep needs the derivative takes {text(stored)}, " if stored < math.inf else ""
        raise errors.MemoryError(f"a memory budget of {text(limit)} cannot be met: {kept}with as much as possible computed again "
                                 f"{'' if kept else 'the derivative takes '}{text(min(least, found))}")
    return replayed(program, choices)


class Sizes:
    """How many bytes the derivative takes with some loops replayed, each found once; `rest` is what an estimate leaves out."""

    def __init__(self, program: Program, measure: Callable[[Program], float], estimate: Callable[[Program], float]):
        self.program, self.rest = program, 0
        self.counts = {"measured": measure, "expected": estimate}
        self.known: dict[tuple, int] = {}

    def find(self, kind: str, choices: Choices) -> int:
        key = kind, *choices.items()
        if key not in self.known:
            self.known[key] = self.counts[kind](replayed(self.program, choices))
        return self.known[key]

    def measured(self, choices: Choices) -> int:
        return self.find("measured", choices)

    def expected(self, choices: Choices) -> int:
        return self.find("expected", choices) + self.rest


def add_loops(loops: list[Loop], included: list[Loop], choices: Choices, taken: float, limit: int, size: Callable[[Choices], float]) -> None:
    """Add `loops` to those that are replayed, outer ones first, until together they save enough if each takes the least memory."""
    for depth in sorted({loop.depth for loop in loops}):
        if taken <= limit:
            return
        costs = [cost_of(loop, choices, size) for loop in loops if loop.depth == depth]
        for cost in sorted(costs, key=lambda cost: cost.bytes(LEAST)):
            if taken <= limit:
                return
            less = size(choices | {cost.loop.path: LEAST})
            if less < taken * (1 - LEAST_GAIN):
                included.append(cost.loop)
                choices[cost.loop.path], taken = LEAST, less


def spend(loop: Loop, choices: Choices, limit: int, sizes: Sizes) -> Choice:
    """Return the choice for one of the loops in `choices` that runs the fewest trips and lets the whole take at most `limit` bytes."""
    cost, room = cost_of(loop, choices, sizes.expected), limit
    while True:
        choice = cost.best(room)
        if choice is None:
            return choices[loop.path]
        excess = sizes.measured(choices | {loop.path: choice}) - limit
        if excess <= 0:
            return choice
        room -= max(excess, limit // 50)


def text(count: int) -> str:
    """Return a number of bytes, rounded up."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= unit:
            return f"{-(-count * 100 // unit) / 100:g} {name}"
    return f"{count} bytes"
