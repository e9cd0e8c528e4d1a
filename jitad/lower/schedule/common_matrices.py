"""Products of one matrix with several vectors become one call, which reads the matrix once.

In: steps. Out: the same, with calls joined that multiply the same matrix, the later one moved to the earlier one or that to the later one.
Invariant: no step reads memory that another step writes in between now and did not before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from jitad.lower.fusion.products import Matrix, is_applied
from jitad.lower.grammar.loops import Call, Step
from jitad.lower.grammar.walk import children, reads, writes

MOST = 4  # vectors


def join_products(steps: list[Step]) -> list[Step]:
    """Return steps with products of common matrices joined, within loops and branches too."""
    found: list[Step] = []
    for step in steps:
        for inner in children(step):
            inner[:] = join_products(inner)
        found.append(step)
        if isinstance(step, Call) and key(step) is not None:
            join_last(found)
    return found


def key(call: Call):
    """Return what calls have in common that can be joined, None if a call is of another kind."""
    if call.routine != "gemm" or call.params["y"].columns > 1 or not is_applied(call.params["x"], call.params["y"], call.outputs[0].type.dtype):
        return None
    return call.inputs[0], layout(call.params["x"]), layout(call.params["y"])


def layout(matrix: Matrix) -> Matrix:
    return replace(matrix, base=None)


def join_last(steps: list[Step]) -> None:
    """Join the last step with an earlier one if there is one to join it with."""
    last = steps[-1]
    for k in range(len(steps) - 2, -1, -1):
        earlier = steps[k]
        if isinstance(earlier, Call) and key(earlier) == key(last) and len(earlier.outputs) + len(last.outputs) <= MOST:
            between = steps[k + 1 : -1]
            if may_pass(last, [earlier, *between]):
                steps[k:] = [joined(earlier, last), *between]
            elif may_pass(earlier, [*between, last]):
                steps[k:] = [*between, joined(earlier, last)]
            return


def may_pass(step: Step, others: Sequence[Step]) -> bool:
    """Whether a step may change places with others."""
    read, written = reads(step), writes(step)
    return all(not written & (reads(other) | writes(other)) and not read & writes(other) for other in others)


def joined(first: Call, second: Call) -> Call:
    return replace(
        first, outputs=first.outputs + second.outputs, inputs=first.inputs + second.inputs[1:],
        output_types=first.output_types + second.output_types, input_types=first.input_types + second.input_types[1:])
