"""Sharing memory: a value that replaces another, or is computed from it, takes its memory where nothing reads the old one.

In: steps in which every value has a buffer of its own. Out: the steps, with buffers made aliases of others, copies onto themselves
dropped, and memory changing places after the trips of loops where a carried value cannot stay in place. Invariant: of two buffers that
share memory at most one is live at any moment, unless they hold the same value; a step that reads one and writes the other reads each
element in the iteration that writes it.

First come the values that loops carry, then copies (initial values of loops, results of branches, arrays that are updated), then values
computed element by element from others; at last the outputs of the kernel, whose memory cannot change places.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain

from jitad.lower.grammar.index import Index
from jitad.lower.grammar.loops import Accumulate, Buffer, Nest, Region, Repeat, Step
from jitad.lower.grammar.scalars import Expr
from jitad.lower.grammar.walk import children, expressions, leaves, writes
from jitad.lower.memory.lifetimes import Interval, Lifetimes, copied, is_copy, lifetimes, stores_of

SMALL = 32  # elements of a carried value that is copied after a trip rather than having its memory change places

Pair = tuple[Buffer, Buffer]


def share_memory(steps: list[Step], outputs: Sequence[Buffer]) -> list[Step]:
    """Return the steps after letting buffers share memory. Those in `outputs` outlive the steps."""
    loops = list(repeats(steps))
    sharing = Sharing(lifetimes(steps, outputs), loops)
    pairs = [*(pair for loop in loops for pair in loop.moves.items()), *copies(steps)]
    sharing.merge_all(pair for pair in chain(pairs, sharing.replacements()) if all(buffer.kind == "work" for buffer in pair))
    moving = settle_moves(loops)
    sharing.merge_all(pair for pair in chain(pairs, sharing.replacements()) if not moving & {buffer.memory for buffer in pair})
    return without_self_copies(steps)


def repeats(steps: Iterable[Step]) -> Iterator[Repeat]:
    """Iterate over the loops in steps, inner ones first."""
    for step in steps:
        for inner in children(step):
            yield from repeats(inner)
        if isinstance(step, Repeat):
            yield step


def copies(steps: Sequence[Step]) -> Iterator[Pair]:
    """Iterate over (target, source) of the nests that copy whole buffers."""
    for nest in leaves(steps):
        if isinstance(nest, Nest):
            stores = stores_of(nest)
            for target in writes(nest):
                source = copied(stores, target)
                if source is not None:
                    yield target, source


class Sharing:
    """Decides what may share memory, and lets it."""

    def __init__(self, found: Lifetimes, loops: Sequence[Repeat]):
        self.events = found.events
        self.intervals = {buffer: sorted(own, key=start) for buffer, own in found.intervals.items()}
        self.carried = {(loop, source) for loop in loops for source in loop.moves.values()}
        self.places: dict[Nest, list[tuple[dict, dict]]] = {}
        self.born, self.dying = defaultdict(set), defaultdict(set)
        for buffer, own in self.intervals.items():
            for interval in own:
                self.born[interval.start - 1].add(buffer)
                self.dying[interval.end].add(buffer)

    def replacements(self) -> Iterator[Pair]:
        """Iterate over (target, source) where a nest writes the first elements of one at places where it reads the last ones of the other.

        Whoever asks for the next pair has let those of the last one share memory if they can: each source is then given away, and no target
        is offered another.
        """
        for moment, nest in self.events.items():
            for read, written in self.places_of(nest) if isinstance(nest, Nest) else ():
                anywhere = nest.trips == 1
                offered = defaultdict(dict)
                for source, positions in read.items():
                    if source in self.dying[moment]:
                        offered[source.type.dtype, source.type.size, anywhere or next(iter(positions))][source] = None
                for target in (target for target in written if target in self.born[moment]):
                    for position in [True] if anywhere else written[target]:
                        sources = offered[target.type.dtype, target.type.size, position]
                        for source in list(sources):
                            yield target, source
                            if target.memory is source.memory:
                                del sources[source]
                                break

    def places_of(self, nest: Nest) -> list[tuple[dict[Buffer, dict], dict[Buffer, dict]]]:
        if nest not in self.places:
            self.places[nest] = [places(region) for region in nest.regions]
        return self.places[nest]

    def merge_all(self, pairs: Iterable[Pair]) -> None:
        for target, source in pairs:
            self.merge(target.memory, source.memory)

    def merge(self, x: Buffer, y: Buffer) -> None:
        """Let two buffers share memory if they can."""
        kinds = {x.kind, y.kind}
        if x is y or x.type.dtype != y.type.dtype or x.type.size != y.type.size or not kinds <= {"work", "output"} or kinds == {"output"}:
            return
        if "output" in kinds and x.type.size <= SMALL:  # it is copied at the end, and may be in registers until then
            return
        if self.conflict(x, y):
            return
        old, new = (y, x) if x.kind == "output" else (x, y)
        old.alias = new
        new.undefined |= old.undefined
        self.intervals[new] = list(heapq.merge(self.intervals.get(new, []), self.intervals.pop(old, []), key=start))

    def conflict(self, x: Buffer, y: Buffer) -> bool:
        """Whether the lifetimes of two pieces of memory exclude each other."""
        active: dict[Buffer, list[Interval]] = {x: [], y: []}
        for interval, own, other in heapq.merge([(i, x, y) for i in self.intervals.get(x, [])], [(i, y, x) for i in self.intervals.get(y, [])],
                                                key=lambda item: item[0].start):  # fmt: skip
            active[other] = [before for before in active[other] if before.end + 1 >= interval.start]
            if any(self.clash(interval, before) for before in active[other]):
                return True
            active[own].append(interval)
        return False

    def clash(self, later: Interval, earlier: Interval) -> bool:
        begin = later.start
        if later.source is earlier.buffer and earlier.start < begin and not self.both_carried(later.buffer, earlier.buffer):
            begin = later.changed
        if begin > later.end:
            return False
        if begin <= earlier.end:
            return True
        meet = begin - 1 == earlier.end and earlier.end % 2 == 0
        return meet and not self.in_place(later.buffer, earlier.buffer, earlier.end)

    def both_carried(self, x: Buffer, y: Buffer) -> bool:
        """Whether a loop carries both on, so that each needs memory of its own after the trip."""
        return any((loop, y) in self.carried for loop, buffer in self.carried if buffer is x)

    def in_place(self, target: Buffer, source: Buffer, moment: float) -> bool:
        """Whether what happens at `moment` can write `target` where it reads `source` for the last time."""
        event = self.events.get(moment)
        if isinstance(event, dict):  # carried values are assigned all at once
            return True
        return isinstance(event, Nest) and self.reads_where_it_writes(event, target, source)

    def reads_where_it_writes(self, nest: Nest, target: Buffer, source: Buffer) -> bool:
        """Whether every element of `source` is read only in the iteration that writes that element of `target`."""
        if any(reduction.buffer in (target, source) for reduction in nest.reductions):
            return False
        if nest.trips == 1:
            return True
        return all(position in written.get(target, ()) for read, written in self.places_of(nest) for position in read.get(source, ()))


def start(interval: Interval) -> float:
    return interval.start


def places(region: Region) -> tuple[dict[Buffer, dict], dict[Buffer, dict]]:
    """Return the positions in each buffer that an iteration reads, and those that it writes."""
    read, written = defaultdict(dict), defaultdict(dict)
    for expr in expressions(region):
        if expr.op == "load":
            read[expr.args[0]][unclamped(expr.args[1])] = None
    for statement in region.statements:
        if not isinstance(statement, Accumulate):
            written[statement.buffer][statement.position] = None
    return dict(read), dict(written)


def unclamped(index: Index) -> Index:
    """Return an index without the clamps on the way to it: where one changes an index, what is read is not used."""
    total = Index((), index.const)
    for term, coefficient in index.terms:
        clamped = isinstance(term, Expr) and term.op == "clamp"
        total += (unclamped(term.args[0]) if clamped else Index(((term, 1),))) * coefficient
    return total


def settle_moves(loops: Sequence[Repeat]) -> set[Buffer]:
    """Let memory change places, or copy small values, where carried values are not in place; return the memory that moves."""
    moving: set[Buffer] = set()
    for loop in loops:
        assigned = {target.memory: source.memory for target, source in loop.moves.items() if target.memory is not source.memory}
        loop.copies = {target: source for target, source in assigned.items() if target.type.size <= SMALL}
        large = {target: source for target, source in assigned.items() if target not in loop.copies}
        loop.moves = exchange(list(large), list(large.values()))
        moving |= set(loop.moves)
    return moving


def exchange(targets: list[Buffer], sources: list[Buffer]) -> dict[Buffer, Buffer]:
    """Return the permutation of memory that brings `sources` to `targets`; what is then free goes where memory was taken."""
    moves = dict(zip(targets, sources, strict=True))
    free = [buffer for buffer in moves if buffer not in moves.values()]
    needy = [buffer for buffer in moves.values() if buffer not in moves]
    return moves | dict(zip(needy, free, strict=True))


def without_self_copies(steps: Iterable[Step]) -> list[Step]:
    """Return steps without stores of what is there already."""
    kept = []
    for step in steps:
        if isinstance(step, Nest):
            kept += without_copies_in(step)
        else:
            for inner in children(step):
                inner[:] = without_self_copies(inner)
            kept.append(step)
    return kept


def without_copies_in(nest: Nest) -> list[Nest]:
    parts = []
    for region in nest.regions:
        kept = tuple(s for s in region.statements if not copies_itself(s))
        if kept:
            parts.append(region if len(kept) == len(region.statements) else Region(region.ranges, kept))
    if not parts and not nest.reductions:
        return []
    return [nest if parts == nest.regions else replace(nest, regions=parts)]


def copies_itself(statement) -> bool:
    return not isinstance(statement, Accumulate) and is_copy(statement) and statement.value.args[0].place is statement.buffer.place
