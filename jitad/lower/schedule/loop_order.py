"""The order of the loops of a nest: the innermost loop is the one along which memory is contiguous.

In: steps. Out: the same steps, with the loops of nests in another order where most of what they read and write lies closer together along
another dimension than the last one, as where operands are transposed. Invariant: no iteration of a nest reads what another one writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from jitad.lower.grammar.loops import Nest, Reduction, ScatterStore, Step, Store
from jitad.lower.grammar.walk import expressions, leaves
from jitad.lower.memory.layout import positions

LINE = 8  # elements: what is further apart costs no more
LEAST = 32  # trips of a loop worth being the innermost
GAIN = 1.5


def order_loops(steps: Sequence[Step]) -> None:
    """Choose the order of the loops of all nests, however deep."""
    for nest in leaves(steps):
        if isinstance(nest, Nest) and len(nest.box) > 1 and not nest.order:
            order_nest(nest)


def order_nest(nest: Nest) -> None:
    costs = distances(nest)
    *outer, last = range(len(nest.box))
    best = min([dim for dim in outer if nest.box[dim] >= LEAST], key=lambda dim: costs[dim], default=last)
    if best != last and GAIN * costs[best] < costs[last] and not depends_on_order(nest):
        nest.order = (*[dim for dim in range(len(nest.box)) if dim != best], best)
        for reduction in nest.reductions:
            arrange(reduction, nest)


def distances(nest: Nest) -> list[float]:
    """Return for each dimension how far apart in memory neighbouring iterations are, summed up over all they read and write."""
    total = [0.0] * len(nest.box)
    for buffer, position, _ in set((buffer, position, 0) for buffer, position, _ in positions(nest)):
        width = 2 if buffer.type.dtype.kind == "c" else 1
        for dim, factor in position.loop_terms():
            total[dim] += min(abs(factor) / width, LINE)
    return total


def depends_on_order(nest: Nest) -> bool:
    """Whether iterations meet: what they write at computed places, and recurrences."""
    for region in nest.regions:
        stored = {(s.buffer.memory, s.position) for s in region.statements if isinstance(s, Store)}
        loaded = {(expr.args[0].memory, expr.args[1]) for expr in expressions(region) if expr.op == "load"}
        if any(isinstance(s, ScatterStore) for s in region.statements) or {b for b, _ in stored} & {b for b, _ in loaded - stored}:
            return True
    return False


def arrange(reduction: Reduction, nest: Nest, pieces: Iterable[int] = ()) -> None:
    """Fit a reduction to the order of the loops, of which those over the dimensions in `pieces` are run in pieces."""
    kept = dict(reduction.position.terms)
    reduction.inner = max((place + 1 for place, dim in enumerate(nest.loops) if dim in kept), default=0)
    interrupted = any(dim not in kept for dim in nest.loops[: reduction.inner])
    reduction.partial = reduction.partial or interrupted or any(dim not in kept for dim in pieces)
