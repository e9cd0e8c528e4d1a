"""Snapshots of a loop that runs until a test fails, kept while it runs for the first time.

In: the known part of a trip, the test, and what is carried. Out: what is carried at the end, and snapshots. Invariant: these are equally far apart.

The loop starts with snapshots of every segment; each time that there are too many, every other one is dropped. Where they are not of every segment,
they are at most two thirds of those that may be held: the others are for the reverse sweep, which finds states between them. It then runs about as
many trips as if their number had been known from the beginning (`schedules`): with 100 snapshots for 1,000 segments 1.94 times as many as there
are in all, where 1.90 is the least.
"""

from __future__ import annotations

from collections.abc import Sequence

from jitad.ir.program import Atom, Program
from jitad.ir.recorder import build, current, inline
from jitad.ir.types import COUNTER
from jitad.primitives.control.bodies import close
from jitad.primitives.control.loops import loop
from jitad.primitives.control.schedules import number, room
from jitad.primitives.control.undefined import empty
from jitad.primitives.control.whiles import while_
from jitad.primitives.declare import full
from jitad.primitives.elementwise.arithmetic import floor_divide
from jitad.primitives.elementwise.comparisons import and_, eq, ge, lt, minimum, select
from jitad.primitives.structural.indexing import gather, scatter
from jitad.primitives.tables import bounded

LEAST = 4  # snapshots: of fewer the first run keeps the first one alone


def kept(snapshots: int) -> tuple[int, int]:
    """Return how many snapshots the first run keeps of every segment, and how many that are further apart: even numbers."""
    apart, every = snapshots // 3 * 2, snapshots // 2 * 2
    return every if apart > every // 2 else apart, apart


def run_online(step: Program, decide: Program, held: Sequence[Atom], carried: Sequence[Atom], states: Sequence[int], limit: Atom, length: int,
               segment: int, snapshots: int):
    """Record the run of all trips; return their number, the values carried at its end, and the snapshots of those in `states`.

    These are the number of the last one, the segments before which they were taken, and a stack for each value.
    """
    (every, others), consts = kept(snapshots), len(held)

    def goes_on(i, limit, *atoms):
        held, (count, *_), now = atoms[:consts], atoms[consts : consts + 4], atoms[consts + 4 : consts + 4 + len(carried)]
        return [and_(lt(count, limit), *inline(decide, [count, *held, *now]))]

    def keep(i, limit, *atoms):
        held, (count, top, apart, places) = atoms[:consts], atoms[consts : consts + 4]
        now, stacks = list(atoms[consts + 4 : consts + 4 + len(carried)]), list(atoms[consts + 4 + len(carried) :])
        many = ge(top + 1, select(eq(apart, number(1)), number(every), number(others)))
        half = floor_divide(top + 1, number(2))
        places, *stacks = thinned([places, *stacks], select(many, half - 1, number(0)), every // 2)
        row = bounded(select(many, half, top + 1), extent=snapshots)
        apart = select(many, apart * 2, apart)
        places = scatter(places, floor_divide(count, number(segment)), row, unique=True)
        stacks = [scatter(stack, now[k], row, unique=True) for stack, k in zip(stacks, states, strict=True)]
        trips, *now = some_trips(step, decide, held, now, count, minimum(apart * segment, limit - count), length)
        return [count + trips, row, apart, places, *now, *stacks]

    stacks = [empty(shape=(snapshots, *carried[k].shape), dtype=carried[k].dtype) for k in states]
    operands = [limit, *held, number(0), number(-1), number(1), full(0, room(snapshots)), *carried, *stacks]
    types, source = [COUNTER, *[x.type for x in operands]], current().source
    body, free = close(build(keep, types, source), 1)
    test = build(lambda i, *atoms: goes_on(i, *atoms[len(free) :]), body.input_types, source)
    _, count, top, _, places, *rest = while_(limit, *free, *operands, test=test, body=body, length=length, consts=len(free) + 1 + consts)
    return count, rest[: len(carried)], [top, places, *rest[len(carried) :]]


def thinned(stacks: Sequence[Atom], last: Atom, most: int) -> list[Atom]:
    """Record the moving of rows 2, 4, ... of each stack to the places 1, 2, ... up to `last`, which is less than `most`."""

    def move(i, *stacks):
        return [scatter(stack, gather(stack, (i + 1) * 2), i + 1, unique=True) for stack in stacks]

    body = build(move, [COUNTER, *[x.type for x in stacks]], current().source)
    return loop(last, *stacks, body=body, length=most, consts=0, reverse=False)


def some_trips(step: Program, decide: Program, held, carried, start: Atom, limit: Atom, length: int) -> list[Atom]:
    """Record the run of trips from `start` on while the test holds, up to a limit; return their number and what is carried."""

    def of_trip(program: Program):
        return build(lambda i, start, *atoms: inline(program, [start + i, *atoms]), [COUNTER, *[x.type for x in operands]], current().source)

    operands = [start, *held, *carried]
    body, free = close(of_trip(step), 1)
    test = of_trip(decide)
    if free:
        test = build(lambda i, *atoms: inline(test, [i, *atoms[len(free) :]]), body.input_types, current().source)
    return while_(limit, *free, *operands, test=test, body=body, length=length, consts=len(free) + 1 + len(held))
