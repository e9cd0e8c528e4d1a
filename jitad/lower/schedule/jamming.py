"""Iterations of an outer loop side by side in the innermost one: what they share is read once (unroll-and-jam).

In: a nest that reduces. Out: its `jam`. Rows that are added up share the sums, products of matrices each operand with a
row of results. Invariant: no iteration of a nest reads what another one writes.
"""

from __future__ import annotations

import math

from jitad.lower.grammar.loops import Nest, Region
from jitad.lower.grammar.walk import expressions, varying, writes
from jitad.lower.memory.layout import positions
from jitad.lower.schedule.loop_order import depends_on_order
from jitad.lower.schedule.threads import price

FACTORS = (2, 4)
DIVISION, DIVIDED = 8.0, 2.0  # what a division takes in accesses, and one by what others are divided by too
CODE = 0.1  # what a copy of the body is worth, as a part of its time
PARALLEL = 4  # additions for one access
LEAST_TRIPS = 8  # of the innermost loop
LEAST_WORK = 4096  # iterations of a nest
REGISTERS = 25  # for results
MOST_CODE = 120  # expressions in a body
SHARERS = 4  # iterations that make one division of theirs
GAIN = 1.15
FREE = {"const", "zero", "load", "counter", "index"}


def best_jam(nest: Nest) -> tuple[tuple[int, int], ...]:
    """Return the pairs of a dimension and a number of iterations of it that save most memory accesses."""
    if not nest.reductions or len(nest.box) < 2 or len(nest.regions) != 1:
        return ()
    (region,) = nest.regions
    *outer, inner = nest.loops
    if nest.box[inner] < LEAST_TRIPS or nest.trips < LEAST_WORK or region.ranges.limits or depends_on_order(nest):
        return ()
    size = sum(expr.op not in FREE for expr in expressions(region)) + len(region.statements)
    loads = sum(expr.op == "load" for expr in expressions(region))
    touched = [set(dict(position.terms)) for buffer, position, _ in set((b, p, 0) for b, p, _ in positions(nest))]
    touched = [dims for dims in touched if inner in dims]
    sums = [set(dict(r.position.terms)) for r in nest.reductions for _ in range(r.width)]
    divisors = [dims for dims in divisors_of(region, nest) if inner in dims]
    chosen: dict[int, int] = {}

    def cost(jam: dict[int, int]) -> float:
        """Return about how long an iteration takes, in accesses."""
        arithmetic = (price(region) - loads) / PARALLEL + sum(cost_of_division(dims, jam) for dims in divisors)
        return arithmetic + sum(1 / shared(dims, jam) for dims in touched)

    def fits(jam: dict[int, int]) -> bool:
        registers = sum(math.prod(f for dim, f in jam.items() if dim in dims) for dims in sums)
        return registers <= REGISTERS and size * math.prod(jam.values()) <= MOST_CODE

    while True:
        options = [{**chosen, dim: f} for dim in outer if dim not in chosen for f in FACTORS if f <= nest.box[dim]]
        options = [option for option in options if fits(option)]
        best = min(options, key=lambda jam: cost(jam) * (1 + CODE * math.prod(jam.values())), default=chosen)
        if best == chosen or cost(chosen) < GAIN * cost(best):
            return tuple(sorted(chosen.items()))
        chosen = best


def shared(dims: set[int], jam: dict[int, int]) -> int:
    """Return how many iterations side by side have in common what depends on some dimensions."""
    return math.prod(f for dim, f in jam.items() if dim not in dims)


def cost_of_division(dims: set[int], jam: dict[int, int]) -> float:
    return DIVIDED + 1.5 * DIVISION / shared(dims, jam) if shared(dims, jam) >= SHARERS else DIVISION


def divisors_of(region: Region, nest: Nest) -> list[set[int]]:
    """Return the dimensions that the divisors in a region depend on."""
    exprs, written = expressions(region), writes(nest)
    numbers = {expr.args[1].number for expr in exprs if expr.op == "div" and expr.dtype.kind == "f"}
    found = {dim: varying(exprs, [dim], written) for dim in nest.loops} if numbers else {}
    return [{dim for dim, those in found.items() if number in those} for number in numbers]
