"""The levels of what is computed in loop nests: when each root can be computed, and when it is.

In: a Program, its roots, and which reads are at the index of the nest that computes what is read. Out: a level for each root. Invariant: what a
root reads at the same index of the same nest is at its level or before, all else before; what overwrites an array comes after its readers.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence

from jitad.ir.program import Literal, Program, Var
from jitad.lower.fusion.order import overwrites, readers_of_overwritten
from jitad.lower.fusion.reads import Reads, kind_of

MOST_MEMBERS = 64  # of a group, one of which may move alone


def earliest_levels(program: Program, reads: Reads, roots: set[Var]) -> dict[Var, int]:
    """Return the first level at which each Var can be had at the same index of the same nest.

    `done` is the level from which on it can be had at any index.
    """
    ready: dict[Var, int] = {}
    done: dict[Var, int] = {}
    overwritten = readers_of_overwritten(program, roots)
    last_read: dict[Var, int] = defaultdict(int)
    for equation in program.equations:
        inputs = [x for x in equation.inputs if isinstance(x, Var)]
        level = max([ready.get(x, 0) if reads.here(equation, x) else done.get(x, 0) for x in inputs], default=0)
        if overwrites(equation):
            level = max(level, last_read[equation.inputs[0]])
        after = max([level, *[done.get(x, 0) for x in inputs]])
        for var in equation.outputs:
            if var in roots:
                for base in overwritten.get(var, ()):
                    last_read[base] = max(last_read[base], level + 1)
            stored = var in roots
            ready[var] = level + (stored and kind_of(equation) != "inline")
            done[var] = level + 1 if stored else after
    return {var: ready[var] - (kind_of(var.equation) != "inline") for var in roots}


def latest_levels(program: Program, reads: Reads, roots: set[Var], earliest: dict[Var, int]) -> dict[Var, int]:
    """Delay whole groups, as far as what reads them allows, to a level where a nest with their box runs anyway."""
    groups = {var: (reads.frame(var.equation), level) for var, level in earliest.items()}
    delayed = delay(program, reads, roots, earliest, groups, set(groups.values()))
    stuck = {groups[var] for var, level in delayed.items() if level == earliest[var]}
    levels = delay(program, reads, roots, earliest, groups, set(groups.values()) - stuck)
    arrays = loads(program, roots)
    for _ in range(2):  # one that moves may have kept another one back
        groups = {var: (reads.frame(var.equation), level) for var, level in levels.items()}
        levels = delay(program, reads, roots, levels, groups, set(), arrays)
    return levels


def loads(program: Program, roots: set[Var]) -> dict[Var, frozenset[Var]]:
    """Return, for each root, the arrays in memory that it is computed from."""
    found: dict[Var, frozenset[Var]] = {}
    for equation in program.equations:
        arrays = [x for x in equation.inputs if isinstance(x, Var) and x.type.size > 1]
        read = frozenset().union(*[frozenset([x]) if x in roots or x.equation is None else found[x] for x in arrays])
        found.update((var, read) for var in equation.outputs)
    return {var: found[var] for var in roots}


def reads_alone(var: Var, groups: dict[Var, tuple], members: dict[tuple, list[Var]], loads: dict[Var, frozenset[Var]]) -> bool:
    """Whether a root is computed from arrays that no other one of its group is computed from."""
    others = members[groups[var]]
    return len(others) <= MOST_MEMBERS and not any(loads[var] <= loads[x] for x in others if x is not var)


def delay(
    program: Program, reads: Reads, roots: set[Var], earliest: dict[Var, int], groups: dict[Var, tuple], movable: set[tuple],
    loads: dict[Var, frozenset[Var]] | None = None,
) -> dict:
    """Move the roots of `movable` groups to the latest level that has a nest with their box and precedes their readers.

    Of other groups, those move alone that the nest they move to has all the `loads` for: they then more often overwrite what they succeed, and
    what is reduced is read once.
    A nest of one iteration costs next to nothing: it may stand at any level, so that it does not hold up what it reads.
    `here` is the first level at which a Var is read at the index of the nest that may compute it, `anywhere` that of all other reads.
    """
    runs: dict[tuple, set[int]] = defaultdict(set)
    read: dict[tuple, frozenset[Var]] = defaultdict(frozenset)
    for var, (box, level) in groups.items():
        runs[box].add(level)
        read[box, level] |= loads[var] if loads else frozenset()
    ascending = {box: sorted(found) for box, found in runs.items()}
    reading: dict[tuple, list[int]] = defaultdict(list)
    for (box, level), arrays in sorted(read.items(), key=lambda item: item[0][1]):
        for x in arrays:
            reading[box, x].append(level)
    members: dict[tuple, list[Var]] = defaultdict(list)
    for var, group in groups.items():
        members[group].append(var)
    levels, end = dict(earliest), max(earliest.values(), default=0) + 1
    overwritten = readers_of_overwritten(program, roots)
    written = {equation.inputs[0]: earliest[equation.outputs[0]] for equation in program.equations if overwrites(equation)}
    here: dict[Var, float] = defaultdict(lambda: math.inf)
    anywhere: dict[Var, float] = defaultdict(lambda: math.inf)
    for equation in reversed(program.equations):
        kind = kind_of(equation)
        (var, *_) = equation.outputs
        if var in roots:
            if kind in ("inline", "nest") and groups[var] in movable:
                limit = min(here[var] if kind == "inline" else here[var] - 1, anywhere[var] - 1)
                limit = max(earliest[var], min([limit, *[written[base] - 1 for base in overwritten.get(var, ())]]))
                box, _ = groups[var]
                if math.prod(box) == 1:
                    levels[var] = min(limit, end)
                else:
                    levels[var] = next(latest(ascending[box], earliest[var], limit))
            elif kind in ("inline", "nest") and loads is not None:
                nearest = here[var] if kind == "inline" else here[var] - 1
                limit = min([nearest, anywhere[var] - 1, *[written[base] - 1 for base in overwritten.get(var, ())]])
                box, _ = groups[var]
                moves = loads[var] and (kind == "inline" or reads_alone(var, groups, members, loads))
                later = latest(min([reading[box, x] for x in loads[var]], key=len), earliest[var] + 1, limit) if moves else iter(())
                found = (level for level in later if loads[var] <= read[box, level])
                levels[var] = next(found, earliest[var]) if kind == "inline" else min(found, default=earliest[var])
            here[var], anywhere[var] = levels[var], math.inf
        for x in equation.inputs:
            if isinstance(x, Literal):
                continue
            if reads.here(equation, x):
                here[x], anywhere[x] = min(here[x], here[var]), min(anywhere[x], anywhere[var])
            else:
                anywhere[x] = min(anywhere[x], here[var], anywhere[var])
    return levels


def latest(levels: Sequence[int], first: int, last: float) -> Iterator[int]:
    """Iterate over those of ascending `levels` that are neither before `first` nor after `last`, the latest first."""
    for place in reversed(range(bisect_left(levels, first), bisect_right(levels, last))):
        yield levels[place]
