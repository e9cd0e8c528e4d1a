"""Loops that the reverse sweep runs again although nobody has set a memory budget.

In: what a loop would keep of its trips, what its state takes, and the known part of a trip. Out: a `Choice`, or None where all is kept.
Invariant: what is decided depends on types and parameters alone.

The cost model: a byte that is kept beside what the loop computes anyway is copied, and read once more, far from the processor if there are
many of them; running a trip again costs its arithmetic, and what is kept is that of one segment at a time. So a loop is run again if it
keeps more than `PLENTY` bytes and more than `STATES` times its state, and its trips do at most `RATE` additions for each byte copied. That is so
for factorisations and other updates of all that remains by a few operations, which then take memory of the order of their data, and less
time. Where a trip does more, as most steps of a partial differential equation do, or what is kept is what the loop carries, which is computed where
it is kept, it takes longer, and everything is kept. Of the choices that fit in the larger of the two limits the one that runs each trip least often
is taken, of these the one that runs the fewest trips, then the one that takes least memory.
"""

from __future__ import annotations

import math

from jitad.ir.lowering import Library, Pointwise, Pull, Recurrence, Reduce, Scatter
from jitad.ir.program import Equation, bodies
from jitad.primitives.control.schedules import repetitions
from jitad.transform.budget import LEAST, Choice, Cost, Loop

PLENTY = 16_000_000
STATES = 64
RATE = 0.78


def choose(trips: int, kept: int, copied: int, state: int, trip: list[Equation]) -> Choice | None:
    """Return how a loop is run again that would keep `kept` bytes of each trip, `copied` of them copies, and whose state takes `state` bytes.

    None if it keeps them.
    """
    limit = max(PLENTY, STATES * state)
    if trips * kept <= limit or sum(map(work, trip)) > RATE * copied:
        return None
    cost = Cost(Loop((), 0, trips), 0, kept, state)
    return cost.best(limit, rarely) or LEAST


def rarely(loop: Loop, choice: Choice) -> tuple[int, int]:
    """Return how often a trip is run at most, that in which it is reversed not counted, and how many trips are run in all."""
    return repetitions(-(-loop.trips // choice.segment) + 1, choice.snapshots), loop.trips_run(choice)


def work(equation: Equation) -> float:
    """Return what an equation costs, in additions of floating point numbers; infinitely much if that depends on its operands."""
    record = equation.primitive.lower
    types = [x.type for x in equation.inputs]
    if isinstance(record, Pointwise | Pull):
        result = equation.outputs[0].type
        return record.cost * result.size if result.differentiable else 0
    if isinstance(record, Reduce):
        return math.prod(record.box(*types, **equation.params)[0])
    if isinstance(record, Recurrence):
        return types[0].size
    if isinstance(record, Scatter):
        return types[1].size if record.combine == "add" else 0
    if isinstance(record, Library):
        return math.inf
    costs = [sum(map(work, program.equations)) for program in bodies(equation.params)]
    return max(costs, default=0.0) if "branches" in equation.params else sum(costs) * equation.params.get("length", 1)
