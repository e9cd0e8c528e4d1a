"""When each buffer holds a value that is still read.

In: steps in which no buffer is an alias yet. Out: `Lifetimes`, on a time line on which each nest, call and end of a trip takes two moments: it
reads at an even one and writes at the odd one after it. Invariant: a buffer may be overwritten at all moments outside its intervals.

A buffer is *defined* by the first step in its block that writes it; later ones change it. Values flow around loops: what a trip reads
before it defines it is live at the end of the trip.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from jitad.lower.grammar.loops import Accumulate, Buffer, Choice, Nest, Repeat, Step, Store
from jitad.lower.grammar.scalars import Expr
from jitad.lower.grammar.walk import children, reads, writes


@dataclass(eq=False)
class Interval:
    """`buffer` is live from `start` to `end`.

    If its definition at `start` copies `source`, the two hold the same value until it is `changed`.
    """

    buffer: Buffer
    start: float
    end: float
    source: Buffer | None = None
    changed: float = math.inf


@dataclass
class Lifetimes:
    """The intervals of each buffer, and what happens at a moment: a step, or the assignments at the end of a trip."""

    intervals: dict[Buffer, list[Interval]] = field(default_factory=dict)
    events: dict[int, Step | dict[Buffer, Buffer]] = field(default_factory=dict)


def lifetimes(steps: Sequence[Step], lasting: Sequence[Buffer]) -> Lifetimes:
    """Return the lifetimes in `steps`, at whose end the buffers in `lasting` are read."""
    survey = Survey()
    survey.define(steps, set())
    survey.number(steps)
    survey.live = {buffer: survey.moment + 2 for buffer in lasting}
    survey.block(steps)
    survey.write(set(survey.live), -1)
    for buffer, intervals in survey.found.intervals.items():
        for interval in intervals:
            interval.source, interval.changed = survey.origin(buffer, interval)
    return survey.found


class Survey:
    """Walks over steps backwards. `live` are the buffers that are read later, with the last moment of the interval that is open."""

    def __init__(self):
        self.found = Lifetimes()
        self.defined: dict[Step, set[Buffer]] = {}
        self.exposed: dict[Step, set[Buffer]] = {}
        self.killed: dict[Step, set[Buffer]] = {}
        self.times: dict[Step, int] = {}
        self.starts: dict[Step, list[int]] = {}
        self.ends: dict[Step, int] = {}
        self.writers: dict[Buffer, list[int]] = {}
        self.moment = 0
        self.live: dict[Buffer, float] = {}
        self.stores: dict[Nest, dict[Buffer, list]] = {}

    def define(self, steps: Sequence[Step], written: set[Buffer]) -> set[Buffer]:
        """Note which leaf defines which buffer; return what is written after the steps."""
        written = set(written)
        for step in steps:
            if isinstance(step, Choice):
                written |= set.union(*[self.define(branch, written) for branch in step.branches])
            elif isinstance(step, Repeat):
                written |= set(step.carries)
                written |= self.define([*step.test, *step.steps], written)
                written |= {step.trips} if step.trips else set()
            else:
                self.defined[step] = writes(step) - written
                written |= self.defined[step]
        return written

    def number(self, steps: Sequence[Step]) -> None:
        """Give each step its moment, and those with steps inside also the moment of their end."""
        for step in steps:
            self.times[step] = self.tick(step)
            if not children(step):
                for buffer in writes(step) - self.defined[step]:
                    self.writers.setdefault(buffer, []).append(self.times[step] + 1)
            self.starts[step] = []
            for inner in children(step):
                self.starts[step].append(self.tick(step))
                self.number(inner)
            if isinstance(step, Repeat):
                self.ends[step] = self.tick(step.moves)
            elif isinstance(step, Choice):
                self.ends[step] = self.tick(step)
            self.summarize(step)

    def tick(self, event) -> int:
        self.moment += 2
        self.found.events[self.moment] = event
        return self.moment

    def summarize(self, step: Step) -> None:
        """Note what a step reads of what was there before it, and what it writes completely."""
        if isinstance(step, Choice):
            parts = [self.summary(branch) for branch in step.branches]
            self.exposed[step] = {step.index}.union(*[exposed for exposed, _ in parts])
            self.killed[step] = set.intersection(*[killed for _, killed in parts])
        elif isinstance(step, Repeat):
            self.exposed[step] = (self.around(step) - set(step.fresh)) | ({step.count} if isinstance(step.count, Buffer) else set())
            self.killed[step] = set(step.fresh) | ({step.trips} if step.trips else set())
            if not may_end_at_once(step):
                self.killed[step] |= self.summary(step.steps)[1] | set(step.moves)
        else:
            self.killed[step] = self.defined[step]
            self.exposed[step] = reads(step) - self.defined[step]

    def summary(self, steps: Sequence[Step]) -> tuple[set[Buffer], set[Buffer]]:
        exposed: set[Buffer] = set()
        killed: set[Buffer] = set()
        for step in steps:
            exposed |= self.exposed[step] - killed
            killed |= self.killed[step]
        return exposed, killed

    def around(self, step: Repeat) -> set[Buffer]:
        """Return what is live at the end of a trip because the next one reads it."""
        exposed, killed = self.summary([*step.test, *step.steps])
        exposed = exposed | (set(step.moves.values()) - killed)
        return exposed if step.goes_on is None else exposed | ({step.goes_on} - killed)

    # --- the walk -----------------------------------------------------------------------------------------------------------

    def block(self, steps: Sequence[Step]) -> None:
        for step in reversed(steps):
            if isinstance(step, Choice):
                self.choice(step)
            elif isinstance(step, Repeat):
                self.repeat(step)
            else:
                self.write(self.defined[step], self.times[step] + 1)
                for buffer in writes(step) - self.defined[step]:
                    self.live.setdefault(buffer, self.times[step] + 1)
                self.read(reads(step) - self.defined[step], self.times[step])

    def read(self, buffers: set[Buffer], moment: float) -> None:
        for buffer in buffers:
            self.live.setdefault(buffer, moment)

    def write(self, buffers: set[Buffer], moment: float) -> None:
        for buffer in buffers:
            interval = Interval(buffer, moment, max(self.live.pop(buffer, moment), moment))
            self.found.intervals.setdefault(buffer, []).append(interval)

    def switch(self, buffers: set[Buffer], moment: float) -> None:
        """Let `buffers` be what is live before `moment`."""
        self.write(set(self.live) - buffers, moment)
        self.read(buffers, moment - 1)

    def choice(self, step: Choice) -> None:
        after, before = set(self.live), {step.index}
        for k, branch in reversed(list(enumerate(step.branches))):
            self.block(branch)
            before |= set(self.live)
            self.switch(after if k else before, self.starts[step][k])

    def repeat(self, step: Repeat) -> None:
        end = self.ends[step]
        if step.trips is not None:
            self.write({step.trips}, end + 1)
        after = set(self.live)
        self.read(self.around(step), end + 1)
        self.write(set(step.moves), end + 1)
        self.read(set(step.moves.values()), end)
        self.block(step.steps)
        if may_end_at_once(step):
            self.read(after if step.goes_on is None else {step.goes_on} | after, self.starts[step][1])
        self.block(step.test)
        self.write(set(step.fresh), self.times[step] + 1)
        if isinstance(step.count, Buffer):
            self.read({step.count}, self.times[step])

    def stores_of(self, nest: Nest) -> dict[Buffer, list]:
        if nest not in self.stores:
            self.stores[nest] = stores_of(nest)
        return self.stores[nest]

    def origin(self, buffer: Buffer, interval: Interval) -> tuple[Buffer | None, float]:
        """Return what the definition at the start of an interval copies, and when the copy is first changed."""
        step = self.found.events.get(interval.start - 1)
        source = copied(self.stores_of(step), buffer) if isinstance(step, Nest) else None
        later = [moment for one in (buffer, source) for moment in self.writers.get(one, ()) if moment > interval.start]
        return source, min(later, default=math.inf)


def may_end_at_once(step: Repeat) -> bool:
    """Whether a loop may run no trip."""
    return step.goes_on is not None or not isinstance(step.count, int)


def stores_of(nest: Nest) -> dict[Buffer, list]:
    """Return what a nest stores in each buffer."""
    found: dict[Buffer, list] = defaultdict(list)
    for region in nest.regions:
        for statement in region.statements:
            if not isinstance(statement, Accumulate):
                found[statement.buffer].append(statement)
    return found


def copied(stores: dict[Buffer, list], target: Buffer) -> Buffer | None:
    """Return the buffer that a nest, which stores so, makes `target` a copy of, if it does."""
    sources = {s.value.args[0] if is_copy(s) else None for s in stores.get(target, ())}
    (source,) = sources if len(sources) == 1 else (None,)
    return source if source is not None and source.type.size == target.type.size else None


def is_copy(statement) -> bool:
    """Whether a store writes the element at the same place of another buffer."""
    return isinstance(statement, Store) and loads(statement.value) and statement.value.args[1] == statement.position


def loads(value: Expr) -> bool:
    return value.op == "load"
