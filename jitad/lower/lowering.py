"""From a Program to `Loops`: prepare, schedule, build, plan the workspace.

In: a Program. Out: `Loops`, whose input and output buffers are those of the Program, in order. Invariant: every output has a buffer of
its own, which no input shares.
"""

from __future__ import annotations

from jitad.ir.program import Program, Var
from jitad.lower.fusion import is_alias, schedule
from jitad.lower.loops import Buffer, Call, Loops, Nest
from jitad.lower.nests import Context, build
from jitad.lower.prepare import prepare

ALIGNMENT = 64


def lower(program: Program) -> Loops:
    """Return the loops that compute `program`."""
    program = prepare(program)
    plan = schedule(program)
    inputs = [Buffer(var.type, "input", f"in{k}") for k, var in enumerate(program.inputs)]
    outputs = [Buffer(atom.type, "output", f"out{k}") for k, atom in enumerate(program.outputs)]
    buffers = dict(zip(program.inputs, inputs, strict=True))
    assign_outputs(program, outputs, buffers, plan.roots)
    context = Context(buffers)
    for group in plan.groups:
        for var in group.roots:
            if var not in buffers:
                buffers[var] = Buffer(var.type, "work", f"w{len(buffers)}")
    steps: list[Nest | Call] = []
    uses: list[tuple[set[Buffer], set[Buffer]]] = []
    for group in plan.groups:
        context.reads = set()
        made = build(context, group)
        for step in made:
            if isinstance(step, Call):
                step.number = len(steps)
        steps += made
        written = {buffers[var] for var in group.roots}
        uses += [(set(context.reads), written)] * len(made)
    loops = Loops(inputs, outputs, steps, checks=list(context.checks.values()))
    loops.work_bytes = plan_workspace(uses)
    return loops


def assign_outputs(program: Program, outputs: list[Buffer], buffers: dict[Var, Buffer], roots: set[Var]) -> None:
    """Let each output be computed in its own buffer, and what it is a reshape of too."""
    for var, buffer in zip(program.outputs, outputs, strict=True):
        buffers[var] = buffer
    for var, buffer in zip(program.outputs, outputs, strict=True):
        while is_alias(var.equation) and var.equation.inputs[0] in roots and var.equation.inputs[0] not in buffers:
            var = var.equation.inputs[0]
            buffers[var] = buffer


def plan_workspace(uses: list[tuple[set[Buffer], set[Buffer]]]) -> int:
    """Place work buffers so that those alive at the same time do not overlap; return the bytes needed."""
    first: dict[Buffer, int] = {}
    last: dict[Buffer, int] = {}
    for step, (reads, writes) in enumerate(uses):
        for buffer in (*reads, *writes):
            if buffer.kind == "work":
                first.setdefault(buffer, step)
                last[buffer] = step
    placed: list[Buffer] = []
    total = 0
    for buffer in sorted(first, key=lambda b: (first[b], b.name)):
        live = sorted((b.offset, b.offset + b.nbytes) for b in placed if last[b] >= first[buffer])
        offset = 0
        for low, high in live:
            if offset + buffer.nbytes <= low:
                break
            offset = max(offset, -(-high // ALIGNMENT) * ALIGNMENT)
        buffer.offset = offset
        placed.append(buffer)
        total = max(total, offset + buffer.nbytes)
    return total
