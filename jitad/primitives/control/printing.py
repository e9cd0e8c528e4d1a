"""`print`: what a kernel writes while it runs.

In: the *log*, an int64 scalar that stands for what was written before, and values. Out: the log after it. Invariant: the log is handed from one
`print` to the next, through loops and branches as any carried value, so that the order of lines is the order of data; a line that nothing
continues, in what reverse mode runs again, is dead code.
"""

from __future__ import annotations

from collections.abc import Sequence

from jitad.ir import errors, lines
from jitad.ir.lowering import Library
from jitad.ir.primitive import Primitive
from jitad.ir.program import Atom, literal
from jitad.ir.recorder import build
from jitad.ir.registry import REGISTRY
from jitad.ir.symbolic import Zero
from jitad.ir.types import COUNTER, INT, ArrayType
from jitad.primitives.checks import log_of
from jitad.primitives.control.bodies import close
from jitad.primitives.control.undefined import empty
from jitad.primitives.declare import to_front
from jitad.primitives.structural.indexing import gather, scatter

LOG = ArrayType(INT)


def print_type(log, *values, line):
    if log != LOG or values != lines.load(line).types:
        raise errors.InternalError(f"print: {log}, {values} for {line}")
    return log


def evaluate_print(log, *values, line):
    lines.load(line).write(values)
    return log


def jvp_print(inputs, tangents, line):
    return [print_(*inputs, line=line)], [Zero(LOG)]


def batch_print(size, inputs, axes, line):
    """Write a line for each member, or one if it is the same for all."""
    log, *values = [x if axis is None else to_front(x, axis) for x, axis in zip(inputs, axes, strict=True)]
    if not any(axis is not None for axis in axes[1:]):
        return [print_(log_of(log), *values, line=line)], [None]

    def member(k, log):
        return [print_(log, *[x if axis is None else gather(x, k) for x, axis in zip(values, axes[1:], strict=True)], line=line)]

    return repeated(size, member, [log_of(log)]), [None]


def repeated(size: int, member, start: Sequence[Atom]) -> list[Atom]:
    """Record a loop of ``member(k, *carried) -> carried`` over the members of a batch."""
    body, free = close(build(member, [COUNTER, *[x.type for x in start]]), 1)
    return REGISTRY["loop"](literal(size, INT), *free, *start, body=body, length=size, consts=len(free), reverse=False)


def one_by_one(primitive: Primitive, size: int, inputs: Sequence[Atom], axes: Sequence[int | None], params: dict):
    """Batch an operation by running it for one member after another, each of which prints what it has to."""
    inputs = [x if axis is None else to_front(x, axis) for x, axis in zip(inputs, axes, strict=True)]
    types = primitive.type(*[x.type if axis is None else x.type.with_shape(x.shape[1:]) for x, axis in zip(inputs, axes, strict=True)], **params)

    def member(k, *buffers):
        results = primitive(*[x if axis is None else gather(x, k) for x, axis in zip(inputs, axes, strict=True)], **params)
        return [scatter(buffer, x, k, unique=True) for buffer, x in zip(buffers, results, strict=True)]

    results = repeated(size, member, [empty(shape=(size, *type.shape), dtype=type.dtype) for type in types])
    return results, [0] * len(results)


print_ = Primitive(
    "print",
    type=print_type,
    evaluate=evaluate_print,
    jvp=jvp_print,
    batch=batch_print,
    lower=Library("print"),
    effect=True,
)
