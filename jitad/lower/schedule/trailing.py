"""Nests over the rows of grids that trail one another: what one has read or written is in the cache yet when the next one comes.

In: steps. Out: the same steps, with nests that work on the same large arrays gathered in `Strips` with `lags`: each runs so many rows behind the
first one as what it reads, or overwrites, of the others asks for. Invariant: of two iterations of different nests that touch the same element,
one of them writing, the same one is first.

Nests of a step of a time loop read neighbouring rows of what the ones before have written. One after another they fetch all of it again, from
the third cache or from memory; trailing by a row or two they find it in the first or second one.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from jitad.lower.grammar.index import Index
from jitad.lower.grammar.loops import Buffer, Nest, ScatterStore, Step, Strips
from jitad.lower.grammar.regions import Ranges
from jitad.lower.grammar.walk import children, reads, writes
from jitad.lower.memory.layout import positions
from jitad.lower.memory.reuse import unclamped
from jitad.lower.schedule.strips import Cluster, access
from jitad.lower.schedule.threads import place_key

LARGE = 2**20  # bytes that the nests use, together: what a second cache holds
SHARED = 0.25  # of them that a nest must have in common with those before
NEAR = 2**17  # bytes of the rows of a block
WINDOW = 2**18  # bytes of the rows between the first nest and the last
LONGEST_LAG = 8
ROW = 32  # iterations that are worth a call
ALIKE = 4  # rows that nests may have more than others
LATEST = 8  # steps that a nest may move up to
NEVER = -(2**40)  # rows


@dataclass(frozen=True)
class Touch:
    """Positions ``stride * row + (low .. high)`` in the rows from `first` to `last`; without `stride`, any positions."""

    stride: int | None
    low: int
    high: int
    first: int
    last: int


Parts = dict[Buffer, dict[tuple, set[Touch]]]


@dataclass(eq=False)
class Train:
    """Nests, which of them use what, and how many rows they are behind; or a single step that no nest can follow."""

    cluster: Cluster
    lags: list[int] = field(default_factory=list)
    parts: list[Parts] = field(default_factory=list)


def trail(steps: list[Step]) -> list[Step]:
    """Return the steps with nests that trail one another where that pays, in loops and branches too."""
    trains: list[Train] = []
    for step in steps:
        for inner in children(step) if not isinstance(step, Strips) else ():
            inner[:] = trail(inner)
        parts = parts_of(step) if isinstance(step, Nest) and may_trail(step) else None
        if not parts or not followed(trains, step, parts):
            cluster = Cluster([])
            cluster.add(step, {})
            trains.append(Train(cluster, [0] if parts else [], [parts] if parts else []))
    return [step for train in trains for step in steps_of(train)]


def may_trail(nest: Nest) -> bool:
    """Whether a nest runs row by row, and nothing asks for an order of the rows."""
    scatters = any(isinstance(statement, ScatterStore) for region in nest.regions for statement in region.statements)
    rows = len(nest.box) > 1 and nest.loops[0] == 0 and math.prod(nest.box[1:]) >= ROW
    return rows and not (nest.reductions or scatters or nest.streamed or nest.plain)


def parts_of(nest: Nest) -> Parts:
    """Return where a nest reads and writes each part of each memory."""
    found: Parts = defaultdict(lambda: defaultdict(set))
    fixed: list[tuple[set[Touch], Index, Ranges]] = []
    for buffer, position, ranges in positions(nest):
        touches, position = found[buffer.memory][place_key(buffer)], unclamped(position)
        if 0 in dict(position.terms):
            reached = access(position, ranges)
            touches.add(Touch(reached.stride, reached.low, reached.high, *ranges[0]))
        else:
            fixed.append((touches, position, ranges))
    for touches, position, ranges in fixed:
        stride, bounds = max([one.stride or 0 for one in touches], default=0), position.range(ranges)
        first, last = ranges[0]
        known = stride and bounds is not None
        touches.add(Touch(stride, bounds[0] - stride * last, bounds[1] - stride * first, first, last) if known else Touch(None, 0, 0, first, last))
    return found


def followed(trains: Sequence[Train], nest: Nest, parts: Parts) -> bool:
    """Add a nest to the latest train that it can follow, if it may move up to that."""
    alone = Cluster([])
    alone.add(nest, {})
    for train in reversed(trains[-LATEST:]):
        lag = lag_behind(train, nest, parts) if train.lags else None
        if lag is not None and pays(train, nest, lag, parts):
            train.cluster.add(nest, {})
            train.lags.append(lag)
            train.parts.append(parts)
            return True
        if not alone.independent(train.cluster):
            return False
    return False


def lag_behind(train: Train, nest: Nest, parts: Parts) -> int | None:
    """Return how many rows behind the first nest of a train another one may run, None if it has to wait for all rows."""
    if abs(nest.box[0] - train.cluster.steps[0].box[0]) > ALIKE:
        return None
    lag = 0
    for earlier, before, others in zip(train.cluster.steps, train.lags, train.parts, strict=True):
        changed = writes(earlier) | writes(nest)
        for memory in changed & others.keys() & parts.keys():
            distance = reach(others[memory], parts[memory])
            if distance is None:
                return None
            lag = max(lag, before + distance)
    return lag if lag <= LONGEST_LAG else None


def reach(first: dict[tuple, set[Touch]], second: dict[tuple, set[Touch]]) -> int | None:
    """Return how many rows ahead the first nest touches what the second one does in some row, `NEVER` if there is no such row; None if that is
    not known."""
    found = meetings(first, second)
    return None if found is None else max([rows_ahead(*touches) for _, *touches in found], default=NEVER)


def meetings(first: dict[tuple, set[Touch]], second: dict[tuple, set[Touch]]) -> list[tuple[tuple, int, set[Touch], set[Touch]]] | None:
    """Return, for each part of some memory that two nests use, its key, its stride and what both touch; None if that is not known."""
    found = []
    for key, ones in first.items():
        for other, twos in second.items():
            if key != other and key[:-1] == other[:-1]:
                continue
            strides = {one.stride for one in ones | twos}
            if key != other or len(strides) != 1 or None in strides:
                return None
            found.append((key, *strides, ones, twos))
    return found


def rows_ahead(stride: int, ones: set[Touch], twos: set[Touch]) -> int:
    """Return the largest difference of two rows in which the same element is touched."""
    a, b = (np.array([(x.low, x.high, x.first, x.last) for x in found]) for found in (ones, twos))
    low, high, first, last = (a[:, None, k] for k in range(4))
    least = np.maximum(-((high - b[:, 0]) // stride), first - b[:, 3])
    most = np.minimum((b[:, 1] - low) // stride, last - b[:, 2])
    return int(np.max(most, initial=NEVER, where=most >= least))


def pays(train: Train, nest: Nest, lag: int, parts: Parts) -> bool:
    """Whether what a nest has in common with those before is worth keeping near, and can be kept."""
    used, own = train.cluster.used, reads(nest) | writes(nest)
    nbytes, shared = (sum(memory.nbytes for memory in found) for found in (used | own, used & own))
    return nbytes >= LARGE and shared >= SHARED * nbytes and (lag + 1) * row_bytes([*train.parts, parts]) <= WINDOW


def row_bytes(parts: Sequence[Parts]) -> int:
    """Return how many bytes nests use, per row, of the arrays that they go through row by row."""
    widths: dict[Buffer, int] = defaultdict(int)
    for found in parts:
        for memory, places in found.items():
            for (_, *row), touches in places.items():
                if all(one.stride for one in touches):
                    nbytes = memory.nbytes if row == [0] else row[0]
                    widths[memory] = max(widths[memory], nbytes // (1 + max(one.last for one in touches)))
    return sum(widths.values())


def steps_of(train: Train) -> list[Step]:
    if len(train.lags) < 2:
        return train.cluster.steps
    rows = max(nest.box[0] for nest in train.cluster.steps)
    block = max(NEAR // row_bytes(train.parts) - max(train.lags), 1)
    return [Strips(rows, block, train.cluster.steps, tuple(train.lags))]
