"""When to keep and when to rerun: binomial checkpointing of a chain of steps (Griewank and Walther's revolve).

In: the number of steps to reverse, and of snapshots that may be held at a time, that of the first step included. Out: how many steps that
runs, and the way from a snapshot to a step as equations, since the number of steps may be known only when the kernel runs. Invariant: no
schedule with as many snapshots runs fewer.

With s snapshots, and no step run more than r times before it is reversed, ``comb(s + r, s)`` steps can be reversed.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

from jitad.ir.lowering import UNBOUNDED
from jitad.ir.program import Atom, literal
from jitad.ir.recorder import build
from jitad.ir.types import COUNTER, INT, ArrayType
from jitad.primitives.control.whiles import while_
from jitad.primitives.elementwise.arithmetic import floor_divide
from jitad.primitives.elementwise.comparisons import gt, lt, minimum, select
from jitad.primitives.structural.indexing import gather, scatter
from jitad.primitives.tables import bounded


def repetitions(steps: int, snapshots: int) -> int:
    """Return how often a step is run at most before the run in which it is reversed."""
    reps = 0
    while comb(snapshots + reps, snapshots) < steps:
        reps += 1
    return reps


def least_steps(steps: int, snapshots: int) -> int:
    """Return how many steps are run in all, not counting the run of each in which it is reversed."""
    reps = repetitions(steps, snapshots)
    return reps * steps - comb(snapshots + reps, snapshots + 1) if reps else 0


def number(value: int) -> Atom:
    return literal(value, INT)


def run(test, body, limit: Atom, consts: Sequence[Atom], carried: Sequence[Atom]) -> list[Atom]:
    """Record a loop that goes on as long as ``test`` holds; return what it carries at its end."""
    types = [COUNTER, *[x.type for x in (*consts, *carried)]]
    _, *results = while_(limit, *consts, *carried, test=build(lambda *xs: [test(*xs)], types), body=build(body, types), length=UNBOUNDED,
                         consts=len(consts))
    return results


def gap(steps: Atom, snapshots: Atom) -> Atom:
    """Record how far from the first of at least two steps to keep the second of the snapshots; the first is held already.

    With r repetitions that is ``comb(s + r - 2, s)`` and, of the steps beyond ``comb(s + r - 1, s)``, up to ``comb(s + r - 2, s - 1)``. A single
    snapshot is there already: all steps but the last are run.
    """
    several = gt(snapshots, number(1))

    def test(i, steps, snapshots, before, last, reached):
        return lt(reached, steps)

    def body(i, steps, snapshots, before, last, reached):
        return [last, reached, floor_divide(reached * (snapshots + (i + 1)), i + 1)]

    limit = select(several, number(UNBOUNDED), number(0))
    before, last, _ = run(test, body, limit, [steps, snapshots], [number(0), number(0), number(1)])
    return select(several, before + minimum(steps - last, last - before), steps - 1)


def route(places: Atom, top: Atom, target: Atom) -> tuple[Atom, Atom]:
    """Record the way from the last of the snapshots that are held to step `target`: return `places` with it, and the number of its end there.

    The snapshots 0 to `top` are held, of the steps at these `places`, of which there is one more than there may be snapshots.
    """
    rows = places.shape[0]

    def test(i, target, top, places):
        return lt(gather(places, bounded(top, extent=rows)), target)

    def body(i, target, top, places):
        place = gather(places, bounded(top, extent=rows))
        following = place + gap(target - place + 1, (rows - 1) - top)
        return [top + 1, scatter(places, following, bounded(top + 1, extent=rows), unique=True)]

    top, places = run(test, body, number(UNBOUNDED), [target], [top, places])
    return places, top


def room(snapshots: int) -> ArrayType:
    """Return the type of the places of as many snapshots."""
    return ArrayType(INT, (snapshots + 1,))
