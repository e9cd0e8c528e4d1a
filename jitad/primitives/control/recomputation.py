"""Programs whose intermediate values are not kept for the reverse sweep: `checkpoint`, and `recompute`, what becomes of it there.

In: the operands of a Program. Out: its outputs. What a reverse sweep needs of a `checkpoint` it computes again from the operands, in a
`recompute` that also takes the cotangents and so cannot run before they are there. Invariant: a `checkpoint` that is left when all
derivatives have been taken is inlined; a `recompute` stays apart from the equations around it, or it would be merged with those it repeats.
"""

from __future__ import annotations

from jitad.ir.interpreter import evaluate
from jitad.ir.lowering import Control
from jitad.ir.passes import PASSES
from jitad.ir.primitive import Primitive
from jitad.ir.program import Atom, Program
from jitad.ir.recorder import Recorder, build, inline
from jitad.ir.symbolic import Masked, Zero, is_zero, value_of
from jitad.ir.types import ArrayType
from jitad.primitives.control.bodies import batched_body, chosen, close, cut, moved_body, needed, reduced
from jitad.primitives.control.idle import idle_body
from jitad.primitives.control.invariants import recorded_before, without
from jitad.primitives.control.pulled import masks_of, remasked
from jitad.primitives.declare import is_linear, sample, to_front


def restricted(inputs, program: Program, outputs):
    """Return the Program of some outputs, with the operands that it needs."""
    keep = needed(program, outputs)
    return chosen(inputs, keep), reduced(program, keep, outputs)


def transpose_checkpoint(cotangents, inputs, sums, program):
    """The intermediate values are computed in the Program that pulls the cotangents back, and adds to what operands have received already.

    So terms are added in the order in which they are without a checkpoint.
    """
    flags = [is_linear(x) for x in inputs]
    known = chosen(inputs, [not moves for moves in flags])
    moving = chosen(sums, flags)
    given = [x for x in moving if x is not None]
    changed: list[bool] = []
    new: list[Atom | Masked] = []

    def pull(*atoms):
        held, totals, cts, marks = cut(atoms, len(known), len(given), len(cotangents))
        marks = iter(marks)
        held, totals = iter(held), iter(remasked(totals, given, marks))
        operands = [None if moves else next(held) for moves in flags]
        own = [None if x is None else next(totals) for x in moving]
        pulled = PASSES["pull_back_body"](program, flags, operands, remasked(cts, cotangents, marks), own, [x.asked for x in chosen(inputs, flags)])
        changed[:] = [not is_zero(ct) and value_of(ct) is not value_of(x) for ct, x in zip(pulled, own, strict=True)]
        new[:] = chosen(pulled, changed)
        return [*map(value_of, new), *masks_of(new)]

    operands = [*known, *map(value_of, (*given, *cotangents)), *masks_of((*given, *cotangents))]
    pulled, free = close(build(pull, [x.type for x in operands]), 0)
    found = iter(recompute(*free, *operands, program=pulled) if any(changed) else ())
    values = [next(found) for _ in new]
    added = iter(remasked(values, new, found))
    results = iter([next(added) if moves else x for moves, x in zip(changed, moving, strict=True)])
    return [next(results) if moves else None for moves in flags]


def keeping(name: str, **slots) -> Primitive:
    """Declare a primitive that stands for a Program and keeps its intermediate values from the reverse sweep."""

    def jvp(inputs, tangents, program):
        moved, has = moved_body(program, 0, [not is_zero(t) for t in tangents], None)
        moved, free = close(moved, 0)
        found = primitive(*free, *inputs, *[t for t in tangents if not is_zero(t)], program=moved)
        outputs, dots = found[: len(has)], iter(found[len(has) :])
        return outputs, [next(dots) if moves else Zero(x.type) for x, moves in zip(outputs, has, strict=True)]

    def depends(flags, program, through=None):
        return (through or PASSES["depends"])(program, flags)

    def split(inputs, unknown, linear: Recorder, program):
        """The linear part has the whole Program again, as far as its outputs need it."""
        late = depends(unknown, program)
        parts = PASSES["partition"](program, unknown)
        held = [not moves for moves in unknown]
        now = Program(chosen(program.inputs, held), parts.known, parts.outputs)
        operands, now = restricted(chosen(inputs, held), now, [not moves for moves in late])
        known = iter(primitive(*operands, program=now) if now.outputs else ())
        operands, later = restricted(inputs, program, late)
        with linear:
            moved = iter(primitive(*operands, program=later))
        return [next(moved) if moves else next(known) for moves in late]

    def batch(size, inputs, axes, program):
        moved, has = batched_body(program, size, [axis is not None for axis in axes], None)
        operands = [x if axis is None else to_front(x, axis) for x, axis in zip(inputs, axes, strict=True)]
        return primitive(*operands, program=moved), [0 if moves else None for moves in has]

    def prune(inputs, used, program):
        operands, smaller = restricted(inputs, program, used)
        if len(operands) == len(inputs) and all(used):
            return None
        found = iter(primitive(*operands, program=smaller))
        return [next(found) if kept else inputs[0] for kept in used]

    primitive = Primitive(
        name,
        type=lambda *types, program: program.output_types,
        evaluate=lambda *arrays, program: evaluate(program, *arrays),
        jvp=jvp,
        accumulate=transpose_checkpoint,
        batch=batch,
        idle=lambda active, inputs, program: primitive(active, *inputs, program=idle_body(program)),
        depends=depends,
        split=split,
        prune=prune,
        samples=samples,
        multiple=True,
        **slots,
    )
    return primitive


def samples(rng, dtype):
    x = sample(rng, dtype)
    program = build(lambda x, y: [x * y * x, x + y], [ArrayType(x.dtype, x.shape)] * 2)
    return [([x, sample(rng, dtype)], {"program": program})]


def hoist_from_checkpoint(inputs, choose, program):
    _, values = choose(program, set(program.inputs), True)
    if not values:
        return None
    before = recorded_before(program, values, dict(zip(program.inputs, inputs, strict=True)))
    return checkpoint(*before, *inputs, program=without(program, values, 0))


checkpoint = keeping("checkpoint", hoist=hoist_from_checkpoint, expand=lambda inputs, program: inline(program, inputs))
recompute = keeping("recompute", lower=Control("block"))
