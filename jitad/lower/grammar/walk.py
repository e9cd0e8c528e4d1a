"""Walking over loop IR: which expressions and buffers a region or a nest uses."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from jitad.lower.grammar.index import Index
from jitad.lower.grammar.loops import Accumulate, Buffer, Call, Choice, Counter, Nest, Parallel, Region, Repeat, Step, Strips, Tape
from jitad.lower.grammar.scalars import Expr


def reachable(values: Iterable[Expr]) -> list[Expr]:
    """Return the expressions that `values` need, operands first."""
    seen: dict[int, Expr] = {}
    pending = list(values)
    while pending:
        expr = pending.pop()
        if expr.number not in seen:
            seen[expr.number] = expr
            pending += operands(expr)
    return [seen[number] for number in sorted(seen)]


def operands(expr: Expr) -> list[Expr]:
    found = [x for x in expr.args if isinstance(x, Expr)]
    for x in expr.args:
        if isinstance(x, Index):
            found += terms(x)
    return found


def terms(index: Index) -> list[Expr]:
    """Return the scalar expressions in an index."""
    return [term for term, _ in index.terms if isinstance(term, Expr)]


def varying(exprs: Iterable[Expr], dims: Collection[int], written: Collection[Buffer]) -> set[int]:
    """Return the numbers of the expressions, operands first, that may differ between iterations of some loops.

    Nothing is known of memory in `written`. Checks are to be made in each iteration.
    """
    found: set[int] = set()

    def differs(x) -> bool:
        if isinstance(x, Index):
            return any(term.number in found if isinstance(term, Expr) else term in dims for term, _ in x.terms)
        return isinstance(x, Expr) and x.number in found

    for expr in exprs:
        unknown = expr.op == "checked" or expr.op == "load" and expr.args[0].memory in written
        if unknown or any(map(differs, expr.args)):
            found.add(expr.number)
    return found


def roots(region: Region) -> list[Expr]:
    """Return the expressions that the statements of a region name."""
    found: list[Expr] = []
    for statement in region.statements:
        if isinstance(statement, Accumulate):
            found += statement.parts
        else:
            found += [statement.value, *terms(statement.position)]
    return found


def expressions(region: Region) -> Sequence[Expr]:
    """Return the expressions that a region computes, those of the limits of its loops included.

    Those of each limit, and those of the body, may have been made by different builders: their numbers are their own.
    """
    if region.found is None:
        limits = [expr for limit in region.ranges.limits for expr in reachable(terms(limit))]
        object.__setattr__(region, "found", (*dict.fromkeys(limits), *reachable(roots(region))))
    return region.found


def buffers(nest: Nest) -> list[Buffer]:
    """Return the buffers a nest reads or writes, in a fixed order."""
    found: dict[Buffer, None] = {reduction.buffer: None for reduction in nest.reductions}
    for region in nest.regions:
        for statement in region.statements:
            if not isinstance(statement, Accumulate):
                found[statement.buffer] = None
        for expr in expressions(region):
            if expr.op == "load":
                found[expr.args[0]] = None
    return list(found)


def counters(nest: Nest) -> list[Counter]:
    """Return the counters of enclosing loops that a nest reads."""
    exprs = (expr for region in nest.regions for expr in expressions(region))
    return list(dict.fromkeys(expr.args[0] for expr in exprs if expr.op == "counter"))


def has_checks(nest: Nest) -> bool:
    """Whether a nest checks indices."""
    return any(expr.op == "checked" for region in nest.regions for expr in expressions(region))


def children(step: Step) -> list[list[Step]]:
    """Return the lists of steps inside a step."""
    if isinstance(step, Repeat):
        return [step.test, step.steps]
    if isinstance(step, Strips | Parallel):
        return [step.steps]
    return step.branches if isinstance(step, Choice) else []


def leaves(steps: Iterable[Step]) -> Iterator[Nest | Call]:
    """Iterate over the nests and calls in steps, however deep."""
    for step in steps:
        if isinstance(step, Nest | Call):
            yield step
        for inner in children(step):
            yield from leaves(inner)


def is_shared(steps: Iterable[Step]) -> bool:
    """Whether threads share out any of the steps, however deep."""
    return any(
        isinstance(step, Parallel) or (isinstance(step, Call) and step.shared) or any(map(is_shared, children(step)))
        or (isinstance(step, Strips) and is_shared(step.apart)) for step in steps)


def tapes(steps: Iterable[Step]) -> Iterator[Tape]:
    """Iterate over the tapes that loops record on, however deep."""
    for step in steps:
        if isinstance(step, Repeat) and step.tape is not None and step is step.tape.last:
            yield step.tape
        for inner in children(step):
            yield from tapes(inner)


def reads(step: Step) -> set[Buffer]:
    """Return the memory that a step may read."""
    if isinstance(step, Call):
        return {buffer.memory for buffer in step.inputs}
    if isinstance(step, Nest):
        found = {reduction.buffer.memory for reduction in step.reductions if reduction.partial}
        for region in step.regions:
            found |= {expr.args[0].memory for expr in expressions(region) if expr.op == "load"}
            found |= {s.buffer.memory for s in region.statements if not isinstance(s, Accumulate) and getattr(s, "combine", "") == "add"}
        return found
    found: set[Buffer] = {step.index.memory} if isinstance(step, Choice) else set()
    if isinstance(step, Repeat):
        found |= {b.memory for b in (*step.moves, *step.moves.values(), *step.copies.values())}
        found |= {b.memory for b in (step.goes_on, step.count) if isinstance(b, Buffer)}
    return found.union(*[reads(inner) for steps in children(step) for inner in steps])


def writes(step: Step) -> set[Buffer]:
    """Return the memory that a step may write."""
    if isinstance(step, Call):
        return {buffer.memory for buffer in step.outputs}
    if isinstance(step, Nest):
        found = {reduction.buffer.memory for reduction in step.reductions}
        return found | {s.buffer.memory for region in step.regions for s in region.statements if not isinstance(s, Accumulate)}
    found = {b.memory for b in (*step.moves, *step.moves.values(), *step.copies)} if isinstance(step, Repeat) else set()
    if isinstance(step, Repeat) and step.trips is not None:
        found.add(step.trips.memory)
    return found.union(*[writes(inner) for steps in children(step) for inner in steps])
