"""How many scalar operations loops execute: the measure in which reverse mode costs at most four times its function.

An operation is one arithmetic instruction or one elementary function; loads, stores, indices, conversions and choices are free.
"""

import math

from jitad.ir.lowering import UNBOUNDED
from jitad.lower.grammar.counting import count_call
from jitad.lower.grammar.loops import Accumulate, Call, Choice, Loops, Nest, Region, Repeat, Step
from jitad.lower.grammar.walk import children, reachable, roots

FREE = {"const", "zero", "load", "counter", "index", "in_range", "clamp", "index_div", "index_mod", "checked", "convert", "select",
        "eq", "ne", "lt", "le", "gt", "ge", "and", "or", "not"}  # fmt: skip


def count_operations(loops: Loops) -> int:
    """Return the number of operations of one run."""
    return sum(map(count_step, loops.steps))


def count_step(step: Step) -> int:
    """Count one run of a step: a choice as its dearest branch, a loop without a bound as one trip."""
    if isinstance(step, Call):
        return count_call(step)
    if isinstance(step, Nest):
        return count_nest(step)
    inner = [sum(map(count_step, steps)) for steps in children(step)]
    if isinstance(step, Choice):
        return max(inner)
    if not isinstance(step, Repeat):
        return sum(inner)
    return sum(inner) * (1 if step.counter.length == UNBOUNDED else step.counter.length)


def count_nest(nest: Nest) -> int:
    return sum(count_body(region) * math.prod(high - low + 1 for low, high in region.ranges) for region in nest.regions)


def count_body(region: Region) -> int:
    arithmetic = sum(expr.op not in FREE for expr in reachable(roots(region)))
    return arithmetic + sum(len(s.parts) for s in region.statements if isinstance(s, Accumulate))
