"""How much there is to do: the operations of library calls, and the trips of loops.

An operation is one arithmetic instruction.
"""

from __future__ import annotations

import math

from jitad.ir.lowering import UNBOUNDED
from jitad.lower.grammar.loops import Buffer, Call, Repeat

TRIPS = 100  # of a loop of any number of trips
FEW = 30  # the most trips of a loop that computes their number


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
        return 2 * x.batch * x.rows * x.columns * y.columns * len(call.outputs)
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
