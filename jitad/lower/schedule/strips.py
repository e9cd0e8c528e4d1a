"""Nests over the same rows, block by block: what one hands on to the next stays in the cache.

In: the steps of a block. Out: the same steps, with runs of nests whose outermost loops have the same extent gathered in `Strips`. Invariant:
what one nest of a strip reads of what another writes, or the other way round, lies in the same row, that is at the same value of the outermost
loop. Work buffers that nothing else uses shrink to the rows of one block.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from jitad.lower.grammar.index import Index, Range
from jitad.lower.grammar.loops import Buffer, Call, Choice, Nest, Repeat, Step, Strips
from jitad.lower.grammar.walk import children, reads, writes
from jitad.lower.memory.layout import LARGEST, positions, turn
from jitad.lower.schedule.loop_order import arrange, depends_on_order

CACHE = 64 * 1024  # bytes that the rows of a block take, together
ACROSS_CACHE = 256 * 1024  # the same where the innermost loop runs across the rows
LEAST_ACROSS = 64
MOST_ACROSS = 64  # iterations per row
WORTHWHILE = 64 * 1024  # bytes that nests have to hand on
VECTOR = 8  # elements of a row along which it is worth running
LATEST = 32  # clusters that a nest may join


@dataclass(frozen=True)
class Access:
    """Positions ``stride * row + (low .. high)`` of some memory; without `stride`, any positions."""

    stride: int | None = None
    low: int = 0
    high: int = 0

    @property
    def within_row(self) -> bool:
        return self.stride is not None and self.low >= 0 and self.high < self.stride


@dataclass(eq=False)
class Cluster:
    """Nests that may run block by block, with their accesses to each memory; or a single step that may not."""

    steps: list[Step]
    rows: int = 0
    accesses: dict[Buffer, set[Access]] = field(default_factory=dict)
    written: set[Buffer] = field(default_factory=set)
    used: set[Buffer] = field(default_factory=set)

    def add(self, step: Step, accesses: dict[Buffer, set[Access]]) -> None:
        self.steps.append(step)
        self.written |= writes(step)
        self.used |= reads(step) | writes(step)
        for memory, found in accesses.items():
            self.accesses.setdefault(memory, set()).update(found)

    def independent(self, other: Cluster) -> bool:
        """Whether the two may change places."""
        return self.written.isdisjoint(other.used) and other.written.isdisjoint(self.used)


def strip_mine(steps: list[Step], lasting: Collection[Buffer]) -> list[Step]:
    """Return the steps with `Strips` where they pay, in loops and branches too. Memory in `lasting` is used by others too."""
    users = Counter(buffer for step in steps for buffer in reads(step) | writes(step))
    for step in steps:
        if not (blocks := children(step)):
            continue
        users.subtract(reads(step) | writes(step))
        shared = own_buffers(step).union(lasting, [buffer for buffer, count in users.items() if count])
        for inner in blocks:
            inner[:] = strip_mine(inner, shared.union(*[reads(x) | writes(x) for block in blocks if block is not inner for x in block]))
        users.update(reads(step) | writes(step))
    paying = [step for cluster in find_clusters(steps, steps) if block_of(cluster) is not None for step in cluster.steps]
    if not paying:
        return steps
    clusters = find_clusters(steps, paying)
    kept = {buffer.memory for buffer in lasting}
    result: list[Step] = []
    for cluster in clusters:
        strips = strips_of(cluster, [other for other in clusters if other is not cluster], kept)
        result += cluster.steps if strips is None else [strips]
    return result


def used_whole(steps: Sequence[Step]) -> set[Buffer]:
    """Return the memory that loops and branches, however deep, use as a whole."""
    found: set[Buffer] = set()
    for step in steps:
        if isinstance(step, Repeat | Choice):
            found |= own_buffers(step).union(*map(used_whole, children(step)))
    return found


def own_buffers(step: Step) -> set[Buffer]:
    """Return the memory that a loop or branch uses itself, besides its steps."""
    if isinstance(step, Choice):
        return {step.index.memory}
    kept = [*step.carries, *step.moves, *step.moves.values(), *step.copies, *step.copies.values(), step.goes_on, step.count, step.trips]
    kept += step.tape.slots if step.tape else []
    return {buffer.memory for buffer in kept if isinstance(buffer, Buffer)}


def find_clusters(steps: Sequence[Step], candidates: Collection[Step]) -> list[Cluster]:
    """Gather nests greedily: each joins the latest cluster with as many rows that it may move up to, or that may move down to it.

    Steps that are not `candidates` stay alone, in their order. Only the `LATEST` clusters are looked at.
    """
    clusters: list[Cluster] = []
    candidates = set(candidates)
    for step in steps:
        rows = step.box[0] if isinstance(step, Nest) and step.box and step.box[0] > 1 and step in candidates else 0
        single = Cluster([], rows)
        single.add(step, accesses_of(step) if rows else {})
        later: list[Cluster] = []
        moves_up = True
        for cluster in reversed(clusters[-LATEST:] if rows else []):
            if cluster.rows == rows and compatible(cluster, single):
                if not moves_up and all(map(cluster.independent, reversed(later))):
                    clusters.remove(cluster)
                    clusters.append(cluster)
                    moves_up = True
                if moves_up:
                    cluster.add(step, single.accesses)
                    break
            later.append(cluster)
            moves_up = moves_up and single.independent(cluster)
        else:
            clusters.append(single)
    return clusters


def compatible(cluster: Cluster, other: Cluster) -> bool:
    """Whether nests meet only in the same rows."""
    for memory in cluster.accesses.keys() & other.accesses.keys():
        found = cluster.accesses[memory] | other.accesses[memory]
        if memory not in other.written and memory not in cluster.written:
            continue
        if not all(access.within_row for access in found) or len({access.stride for access in found}) != 1:
            return False
    return True


def accesses_of(nest: Nest) -> dict[Buffer, set[Access]]:
    """Return where a nest reads and writes each memory. What is reduced over the rows counts as used anywhere."""
    found: dict[Buffer, set[Access]] = {}
    for buffer, position, ranges in positions(nest):
        found.setdefault(buffer.memory, set()).add(access(position, ranges) if buffer.place.row is None else Access())
    return found


def access(position: Index, ranges: Sequence[Range]) -> Access:
    """Find what the row number, the variable of the outermost loop, is multiplied with."""
    terms = dict(position.terms)
    stride = terms.pop(0, 0)
    bounds = Index(tuple(terms.items()), position.const).range(ranges)
    return Access() if stride <= 0 or bounds is None else Access(stride, *bounds)


def block_of(cluster: Cluster) -> int | None:
    """Return how many rows at a time pay, None if that is no number."""
    if len(cluster.steps) == 1:
        return None
    uses = [reads(nest) | writes(nest) for nest in cluster.steps]
    shared = {memory for memory in cluster.accesses if sum(memory in used for used in uses) > 1 and strides(cluster, memory)}
    if sum(memory.nbytes for memory in shared) < WORTHWHILE:
        return None
    across = goes_across(cluster)
    per_row = sum(max(strides(cluster, memory)) * part_bytes(memory) for memory in cluster.accesses if strides(cluster, memory))
    block = max((ACROSS_CACHE if across else CACHE) // max(per_row, 1), LEAST_ACROSS if across else 1)
    block -= block % 8 if block > 8 else block % 2 if block > 1 else 0
    return block if block < cluster.rows else None


def strips_of(cluster: Cluster, others: Sequence[Cluster], lasting: Collection[Buffer]) -> Strips | None:
    """Return the nests of a cluster run block by block; None where that does not pay."""
    block = block_of(cluster)
    if block is None:
        return None
    across = goes_across(cluster)
    outside = set().union(*[other.used for other in others])
    for memory in cluster.written - set(lasting):
        if memory.kind == "work" and lies_in_rows(cluster, memory):
            width = max(strides(cluster, memory))
            if memory not in outside:
                memory.rows = (cluster.rows, block)
                memory.columns = (width, block) if across and width > 1 else None
            elif across and width > 1:
                users = [step for other in [cluster, *others] if memory in other.used for step in other.steps]
                if all(isinstance(step, Nest | Call) for step in users):
                    turn(memory, (width, cluster.rows), users)
    for nest in cluster.steps:
        if across and len(nest.box) > 1:
            nest.order = (*range(1, len(nest.box)), 0)
        for reduction in nest.reductions:
            arrange(reduction, nest, pieces=(0,))
    return Strips(cluster.rows, block, cluster.steps)


def goes_across(cluster: Cluster) -> bool:
    """Whether the innermost loops of all nests of a cluster run across the rows."""
    return all(map(runs_across, cluster.steps)) and not any(stays_in_rows(cluster, memory) for memory in cluster.accesses)


def stays_in_rows(cluster: Cluster, memory: Buffer) -> bool:
    """Whether rows of some memory are long enough to run along them, and its columns cannot be made contiguous."""
    fixed = memory.kind == "output" or memory.kind == "input" and memory.nbytes > LARGEST
    return fixed and max(strides(cluster, memory), default=1) > VECTOR


def runs_across(nest: Nest) -> bool:
    """Whether a nest may have its outermost loop innermost, and has better: because the loops within are short."""
    return len(nest.box) == 1 or (math.prod(nest.box[1:]) <= MOST_ACROSS and not depends_on_order(nest))


def strides(cluster: Cluster, memory: Buffer) -> set[int]:
    """Return how far apart rows of some memory lie, where it is used row by row."""
    return {access.stride for access in cluster.accesses[memory] if access.stride}


def part_bytes(memory: Buffer) -> int:
    return memory.nbytes // max(memory.type.size * (2 if memory.type.dtype.kind == "c" else 1), 1)


def lies_in_rows(cluster: Cluster, memory: Buffer) -> bool:
    """Whether the nests of a cluster use some memory row by row, and all of it lies in rows."""
    found = cluster.accesses[memory]
    parts = memory.type.size * (2 if memory.type.dtype.kind == "c" else 1)
    (stride, *others) = {access.stride for access in found}
    return not others and all(access.within_row for access in found) and stride is not None and stride * cluster.rows == parts
