"""From a Program to `Loops`.

Prepare, schedule, build, share memory, order loops, run nests block by block, lay out arrays, let nests and trips trail, share out loops, plan the
workspace.

In: a Program. Out: `Loops`, whose input and output buffers are those of the Program, in order. Invariant: every output has a buffer of
its own, which no input shares.
"""

from __future__ import annotations

from jitad.ir.program import Program
from jitad.lower.grammar.loops import Buffer, Loops
from jitad.lower.memory.layout import turn_inputs, turn_work
from jitad.lower.memory.padding import pad_rows
from jitad.lower.memory.reuse import share_memory
from jitad.lower.memory.workspace import plan_workspace
from jitad.lower.preparation.prepare import prepare
from jitad.lower.schedule.common_matrices import join_products
from jitad.lower.schedule.effort import spend_effort
from jitad.lower.schedule.loop_order import order_loops
from jitad.lower.schedule.running_sums import reorder_sums
from jitad.lower.schedule.streams import stream_out
from jitad.lower.schedule.strips import strip_mine, used_whole
from jitad.lower.schedule.threads import share_out
from jitad.lower.schedule.trailing import trail
from jitad.lower.schedule.waves import in_waves
from jitad.lower.steps.blocks import lower_block
from jitad.lower.steps.bodies import Context


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
    steps = share_out(in_waves(trail(stream_out(steps))))
    loops = Loops(inputs, outputs, steps, checks=list(context.checks.values()))
    loops.work_bytes = plan_workspace(steps)
    return loops
