"""When to keep and when to rerun: binomial checkpointing of a chain of steps (Griewank and Walther's revolve).

In: the number of steps to reverse, and of snapshots that may be held at a time, that of the first step included. Out: a `Schedule`, and the
number of steps that it runs. Invariant: no schedule with as many snapshots runs fewer.

With s snapshots, and no step run more than r times before it is reversed, ``comb(s + r, s)`` steps can be reversed.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from math import comb


@dataclass(frozen=True)
class Schedule:
    """How a chain that has been run once is reversed.

    Attributes
    ----------
    rows
        How many snapshots are held at most.
    first
        The steps before which the first run keeps snapshots, in the rows 0, 1, ...
    restored
        For each step of the chain, in order: the row from which its reversal starts, and the step before which that was kept.
    actions
        For each step: the pairs (row, target) of what comes next. The state is kept in the row, then run up to the target; the last one
        is the step itself.
    """

    rows: int
    first: tuple[int, ...]
    restored: tuple[tuple[int, int], ...]
    actions: tuple[tuple[tuple[int, int], ...], ...]

    @property
    def steps_run(self) -> int:
        """The number of steps run, beyond the first run and the one of each step that is then reversed."""
        total = 0
        for (_, place), actions in zip(self.restored, self.actions, strict=True):
            for _, target in actions:
                total, place = total + target - place, target
        return total


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


def gap(steps: int, snapshots: int) -> int:
    """Return how far from the first of at least two steps to keep the second of the snapshots; the first is held already."""
    reps = repetitions(steps, snapshots)
    spare = steps - comb(snapshots + reps - 1, snapshots)
    return comb(snapshots + reps - 2, snapshots) + min(spare, comb(snapshots + reps - 2, snapshots - 1))


def descend(held: list[int], target: int, snapshots: int) -> list[int]:
    """Run from the last snapshot in `held` to `target`; add the snapshots kept on the way, and return where the runs between them end."""
    ends: list[int] = []
    place = held[-1]
    while place < target:
        free = snapshots - len(held) + 1
        place += gap(target - place + 1, free) if free > 1 else target - place
        ends.append(place)
        if place < target:
            held.append(place)
    return ends


@functools.lru_cache(maxsize=64)
def schedule(steps: int, snapshots: int) -> Schedule:
    """Return the schedule that reverses `steps` steps, holding up to `snapshots` snapshots.

    The first run goes on to the end of the chain, as if that were one more step, reversed when it is reached.
    """
    held = [0]
    descend(held, steps, snapshots)
    first, rows = tuple(held), len(held)
    restored, actions = [], []
    for step in reversed(range(steps)):
        while held[-1] > step:
            held.pop()
        row = len(held) - 1
        restored.append((row, held[-1]))
        actions.append(tuple((row + k, end) for k, end in enumerate(descend(held, step, snapshots))))
        rows = max(rows, len(held))
    return Schedule(rows, first, tuple(restored[::-1]), tuple(actions[::-1]))
