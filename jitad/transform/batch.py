"""Batching: one Program for many inputs at once.

In: a Program, the batch axis of each input (None where all members share it) and the number of members. Out: a Program whose
outputs carry the batch on axis 0. Invariant: an equation none of whose operands is batched is recorded once, unbatched.
"""

from __future__ import annotations

from collections.abc import Sequence

from jitad.ir import errors
from jitad.ir.passes import PASSES
from jitad.ir.program import Atom, Literal, Program, Var
from jitad.ir.recorder import Env, Recorder, current
from jitad.ir.types import ArrayType
from jitad.primitives.declare import to_front
from jitad.primitives.structural.shaping import broadcast


def batch(program: Program, axes: Sequence[int | None], size: int) -> Program:
    """Return the batched Program; its input i has an extra axis ``axes[i]`` of extent `size` unless that is None."""
    inputs = [Var(with_axis(var.type, axis, size)) for var, axis in zip(program.inputs, axes, strict=True)]
    with Recorder() as recorder:
        outputs, axes = push_batch(program, inputs, axes, size)
        outputs = [spread(x, axis, size) for x, axis in zip(outputs, axes, strict=True)]
    return Program(inputs, recorder.equations, outputs)


def push_batch(program: Program, inputs: Sequence[Atom], axes: Sequence[int | None], size: int):
    """Record `program` on batched `inputs`; return the outputs and their batch axes (None: the same for all members)."""
    recorder = current()
    env = Env(zip(program.inputs, inputs, strict=True))
    batched = {var: axis for var, axis in zip(program.inputs, axes, strict=True) if axis is not None}
    source = recorder.source
    for equation in program.equations:
        recorder.source = equation.source
        operands = env.read_all(equation.inputs)
        if not any(atom in batched for atom in equation.inputs):
            env.update(zip(equation.outputs, recorder.repeat(equation, operands), strict=True))
            continue
        if equation.primitive.batch is None:
            name = equation.primitive.name
            raise errors.NotImplementedError(f"jitad cannot batch {name}; loop over the members instead", equation.source)
        outputs, out_axes = equation.primitive.batch(size, operands, [batched.get(x) for x in equation.inputs], **equation.params)
        env.define(equation, outputs)
        batched.update((var, axis) for var, axis in zip(equation.outputs, out_axes, strict=True) if axis is not None)
    recorder.source = source
    outputs = program.outputs
    return env.read_all(outputs), [None if isinstance(x, Literal) else batched.get(x) for x in outputs]


def spread(x: Atom, axis: int | None, size: int) -> Atom:
    """Return `x` with its batch on axis 0."""
    return broadcast(x, shape=(size, *x.shape)) if axis is None else to_front(x, axis)


def with_axis(type: ArrayType, axis: int | None, size: int) -> ArrayType:
    if axis is None:
        return type
    shape = list(type.shape)
    shape.insert(axis if axis >= 0 else axis + len(shape) + 1, size)
    return type.with_shape(tuple(shape))


PASSES["batch"] = batch
PASSES["push_batch"] = push_batch
