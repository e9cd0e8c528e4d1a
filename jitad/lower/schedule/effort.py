"""How much compiling a nest is worth: nests that take little of the time of a kernel get plain code.

In: steps. Out: the same steps, with `plain` set on nests that take next to no time, and `jam` on those that take much
(see `jitad.lower.schedule.jamming`). Nests that sum up are never plain, so that the order in which they add does not depend on what else the
kernel does.
Invariant: what is computed stays the same, but for the order in which jammed sums are added up.

`most_work` tells how much work steps are at most.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from jitad.ir.lowering import UNBOUNDED
from jitad.lower.grammar.counting import count_call, usual_trips
from jitad.lower.grammar.loops import Call, Choice, Nest, Repeat, Step
from jitad.lower.grammar.walk import children
from jitad.lower.schedule.jamming import best_jam
from jitad.lower.schedule.threads import work

PLAIN = 100  # how many times more work all is than all that is plain
MUCH = 10  # how many times more work all is than what is jammed


def spend_effort(steps: Iterable[Step]) -> None:
    """Mark the nests that are worth less, or more, than others."""
    found = sorted(weights(steps, 1), key=lambda pair: pair[0])
    total = sum(weight for weight, _ in found)
    least = 0
    for weight, nest in found:
        least += weight
        if isinstance(nest, Nest):
            nest.plain = PLAIN * least < total and not any(reduction.is_sum for reduction in nest.reductions)
            if MUCH * weight > total:
                nest.jam = best_jam(nest)


def most_work(steps: Iterable[Step]) -> float:
    """Return about how much work steps are if all loops make all their trips; infinity where that is not known, or surely much."""
    most = 0.0
    for step in steps:
        if isinstance(step, Nest):
            most += work(step)
        elif isinstance(step, Repeat) and step.counter.length != UNBOUNDED:
            most += step.counter.length * (1 + sum(map(most_work, children(step))))
        elif isinstance(step, Choice):
            most += sum(map(most_work, children(step)))
        else:
            return math.inf
    return most


def weights(steps: Iterable[Step], times: int) -> Iterator[tuple[int, Nest | Call]]:
    """Iterate over nests and calls with the work that they are in all trips of the loops around them."""
    for step in steps:
        if isinstance(step, Nest):
            yield times * work(step), step
        elif isinstance(step, Call):
            yield times * count_call(step), step
        trips = usual_trips(step) if isinstance(step, Repeat) else 1
        for inner in children(step):
            yield from weights(inner, times * trips)
