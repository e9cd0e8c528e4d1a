"""Sharing memory: a value computed from another of the same type overwrites it where nothing reads the old one any more.

In: the steps of a block. Out: the steps, with buffers made aliases of others and copies onto themselves dropped. Invariant: a buffer is
overwritten only by steps after the last that reads it, or by a nest that reads each of its elements where it writes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from jitad.lower.loops import Accumulate, Buffer, Nest, Region, ScatterStore, Step, Store
from jitad.lower.scalars import Expr
from jitad.lower.walk import reachable, reads, roots, writes


def share_memory(steps: list[Step], made: Sequence[Buffer], outputs: Sequence[Buffer], carries: Sequence[Buffer]) -> list[Step]:
    """Alias what can be, for the buffers `made` by these steps; the memory of `carries` may be taken over too.

    Buffers in `outputs` outlive the steps: nothing may overwrite them.
    """
    lasting = set(outputs)
    owned = [*carries, *[buffer for buffer in made if buffer.kind == "work" and buffer not in lasting]]
    for target in made:
        if target.kind != "work" or target.alias is not None:
            continue
        first = next((k for k, step in enumerate(steps) if target in writes(step)), None)
        if first is None or not isinstance(steps[first], Nest):
            continue
        for source in owned:
            memory = source.memory
            if memory is not target and may_overwrite(steps, first, target, memory, lasting):
                target.alias = memory
                break
    return [clean for step in steps if (clean := without_self_copies(step)) is not None]


def may_overwrite(steps: list[Step], first: int, target: Buffer, source: Buffer, lasting: set[Buffer]) -> bool:
    """Whether `target`, first written by ``steps[first]``, can take the memory of `source`."""
    if source.type != target.type or any(other.memory is source for other in lasting):
        return False
    if source not in reads(steps[first]):
        return False
    if not reads_where_it_writes(steps[first], target, source):
        return False
    for step in steps[first:]:
        if source in writes(step):
            return False
    changes = not copies(steps[first], target, source)
    for step in steps[first + 1 :]:
        if source in reads(step) and (changes or not (isinstance(step, Nest) and step.trips == 1 and target in writes(step))):
            return False
    return True


def copies(nest: Nest, target: Buffer, source: Buffer) -> bool:
    """Whether a nest makes `target` the same as `source`."""
    statements = [s for region in nest.regions for s in region.statements if not isinstance(s, Accumulate) and s.buffer.memory is target]
    return all(loads(s.value, source) and s.value.args[1] == s.position for s in statements)


def loads(value: Expr, buffer: Buffer) -> bool:
    return value.op == "load" and value.args[0].memory is buffer


def reads_where_it_writes(nest: Nest, target: Buffer, source: Buffer) -> bool:
    """Whether every element of `source` is read only in the iteration that writes that element of `target`."""
    if any(reduction.buffer.memory in (target, source) for reduction in nest.reductions):
        return False
    for region in nest.regions:
        written = {s.position for s in region.statements if isinstance(s, Store | ScatterStore) and s.buffer.memory is target}
        for expr in reachable(roots(region)):
            if expr.op == "load" and expr.args[0].memory is source and expr.args[1] not in written and nest.trips != 1:
                return False
    return True


def without_self_copies(step: Step) -> Step | None:
    """Return a step without stores of what is there already; None if nothing is left."""
    if not isinstance(step, Nest):
        return step
    parts = []
    for region in step.regions:
        kept = tuple(s for s in region.statements if not copies_itself(s))
        if kept:
            parts.append(region if len(kept) == len(region.statements) else Region(region.ranges, kept))
    if not parts and not step.reductions:
        return None
    return step if parts == step.regions else replace(step, regions=parts)


def copies_itself(statement) -> bool:
    if isinstance(statement, Accumulate) or not isinstance(statement, Store):
        return False
    return loads(statement.value, statement.buffer.memory) and statement.value.args[1] == statement.position
