"""From a Program to `Loops`.

Prepare, schedule, build, share memory, order loops, run nests block by block, lay out arrays, let nests trail, share out loops, plan the
workspace.

In: a Program. Out: `Loops`, whose input and output buffers are those of the Program, in order. Invariant: every output has a buffer of
its own, which no input shares.
"""

from __future__ import annotations

from jitad.ir.program import Program
from jitad.lower.blocks import lower_block
from jitad.lower.bodies import Context
from jitad.lower.common_matrices import join_products
from jitad.lower.effort import spend_effort
from jitad.lower.layout import turn_inputs, turn_work
from jitad.lower.loop_order import order_loops
from jitad.lower.loops import Buffer, Loops
from jitad.lower.padding import pad_rows
from jitad.lower.prepare import prepare
from jitad.lower.reuse import share_memory
from jitad.lower.running_sums import reorder_sums
from jitad.lower.streams import stream_out
from jitad.lower.strips import strip_mine, used_whole
from jitad.lower.threads import share_out
from jitad.lower.trailing import trail
from jitad.lower.workspace import plan_workspace


def lower(program: Program) -> Loops:
    """Return the loops that compute `program`."""
    program = prepare(program)
    inputs = [Buffer(var.type, "input", f"in{k}") for k, var in enumerate(program.inputs)]
    outputs = [Buffer(atom.type, "output", f"out{k}") for k, atom in enumerate(program.outputs)]
    context = Context(dict(zip(program.inputs, inputs, strict=True)))
    steps = share_memory(lower_block(program, outputs, context), outputs)
    order_loops(steps)
    steps = strip_mine(steps, set(outputs))
    turn_work(steps, used_whole(steps).union(outputs))
    steps = turn_inputs(steps, inputs)
    steps = pad_rows(steps, inputs, outputs)
    steps = join_products(steps)
    spend_effort(steps)
    reorder_sums(steps)
    steps = share_out(trail(stream_out(steps)))
    loops = Loops(inputs, outputs, steps, checks=list(context.checks.values()))
    loops.work_bytes = plan_workspace(steps)
    return loops
