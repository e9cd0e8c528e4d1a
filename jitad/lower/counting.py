"""How many scalar operations loops execute: the measure in which reverse mode costs at most four times its function.

An operation is one arithmetic instruction or one elementary function; loads, stores, indices, conversions and choices are free.
"""

from __future__ import annotations

import math

from jitad.ir.lowering import UNBOUNDED
from jitad.lower.loops import Accumulate, Buffer, Call, Choice, Loops, Nest, Region, Repeat, Step
from jitad.lower.walk import children, reachable, roots

FREE = {"const", "zero", "load", "counter", "index", "in_range", "clamp", "index_div", "index_mod", "checked", "convert", "select",
        "eq", "ne", "lt", "le", "gt", "ge", "and", "or", "not"}  # fmt: skip


TRIPS = 100  # of a loop of any number of trips
FEW = 30  # the most trips of a loop that computes their number


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


def count_call(call: Call) -> int:
    """Count a call; a complex multiplication and addition are four times the operations of a real one."""
    if not call.inputs or call.routine == "print":
        return 0
    shape = call.input_types[0].shape
    if call.routine == "argsort":
        return math.prod(shape) * (shape[-1] - 1).bit_length()
    return count_linear_algebra(call, shape) * (4 if call.input_types[0].dtype.kind == "c" else 1)


def count_linear_algebra(call: Call, shape: tuple[int, ...]) -> int:
    if call.routine == "gemm":
        x, y = call.params["x"], call.params["y"]
        return 2 * x.batch * x.rows * x.columns * y.columns
    n, stack = shape[-1], math.prod(shape[:-2])
    if call.routine in ("lu", "cholesky", "definite"):
        return stack * (2 if call.routine == "lu" else 1) * n**3 // 3
    columns = call.output_types[0].shape[-1]
    return stack * n * n * columns * (2 if call.routine == "lu_solve" else 1)


def usual_trips(loop: Repeat) -> int:
    """Return a number of trips between one and the most: where the run decides it, loops within such loops rarely all make the most."""
    most = loop.counter.length
    if isinstance(loop.count, Buffer) and loop.counter.last is None:
        return max(math.isqrt(min(most, FEW**2)), 1)
    return TRIPS if most == UNBOUNDED else most
