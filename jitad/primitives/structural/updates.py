"""Writing a box of an array: what an assignment to a slice becomes, and what is added to one."""

from __future__ import annotations

from jitad.ir import errors
from jitad.ir.lowering import Pull
from jitad.ir.primitive import Primitive
from jitad.ir.program import Atom, Var
from jitad.ir.symbolic import Zero, is_zero
from jitad.primitives.declare import common_dtype, full, instantiate, is_linear, sample, uniform
from jitad.primitives.elementwise.arithmetic import add
from jitad.primitives.structural.boxes import SLICES, check_places, embed, places, slice_, where_placed
from jitad.primitives.structural.shaping import ANY, all_to_front, shape_text
from jitad.primitives.structural.spans import Span
from jitad.primitives.structural.windows import window_add, window_update


def update_type(base, new, start, step):
    common_dtype("assignment", [base, new], "biufc")
    if new.ndim != base.ndim:
        raise errors.ValueError(f"could not broadcast input array from shape {shape_text(new.shape)} "
                                f"into shape {shape_text(base.shape)}")
    check_places("update", start, step, new.shape, base.shape)
    return base


def evaluate_update(base, new, start, step):
    result = base.copy()
    result[places(start, step, new.shape)] = new
    return result


def jvp_update(inputs, tangents, start, step):
    result = update(*inputs, start=start, step=step)
    if all(map(is_zero, tangents)):
        return [result], [Zero(result.type)]
    return [result], [update(*map(instantiate, tangents), start=start, step=step)]


def transpose_update(cotangents, inputs, start, step):
    """The elements overwritten receive nothing."""
    (ct,), (base, new) = cotangents, inputs
    shape = new.type.shape
    return [update(ct, full(0, new.type), start=start, step=step) if is_linear(base) else None,
            slice_(ct, start=start, shape=shape, step=step) if is_linear(new) else None]


def update_element(b, index, operands, type, start, step):
    """Element start + step * I is element I of the new values; the others are those of the base."""
    base, new = operands
    return where_placed(b, index, start, step, new.type.shape, new, base(index))


def batch_update(size, inputs, axes, start, step):
    return [update(*all_to_front(size, inputs, axes), start=(0, *start), step=(1, *step))], [0]


def simplify_update(inputs, start, step):
    """What was read from the very places that are written, or is written where everything is overwritten, is there already or alone."""
    base, new = inputs
    if is_box_of(new, slice_, start, step) and new.equation.inputs[0] is base:
        return base
    if is_box_of(base, update, start, step) and base.equation.inputs[1].shape == new.shape:
        return part_put(base.equation.inputs[0], new, start, step)
    return None


def is_box_of(x: Atom, primitive: Primitive, start, step) -> bool:
    """Whether `x` results from an equation of `primitive` for the box at `start`."""
    equation = getattr(x, "equation", None)
    return equation is not None and equation.primitive is primitive and (equation.params["start"], equation.params["step"]) == (start, step)


def part_put(base: Atom, new: Atom, start, step) -> Atom:
    """Return `base` with a box of it replaced, which may change nothing."""
    simpler = simplify_update([base, new], start, step)
    return update(base, new, start=start, step=step) if simpler is None else simpler


def add_embedded(equation, x):
    """What is added where zeros were written is written there."""
    (part,), params = equation.inputs, equation.params
    start, step = params["start"], params["step"]
    if not is_box_of(x, update, start, step) or uniform(x.equation.inputs[1]) != 0 or x.equation.inputs[1].shape != part.shape:
        return None
    return part_put(x.equation.inputs[0], part, start, step)


def write_update(inputs, start, step):
    base, new = inputs
    return None if min(step, default=1) < 1 else window_update(base, new, spans=tuple(map(Span, start, step, new.shape)))


def part_updated(inputs, start, step):
    return inputs[0], inputs[1]


update = Primitive(
    "update",
    type=update_type,
    evaluate=evaluate_update,
    jvp=jvp_update,
    transpose=transpose_update,
    batch=batch_update,
    write=write_update,
    part=part_updated,
    reread=lambda result, part, start, step: slice_(result, start=start, shape=part.shape, step=step),
    simplify=simplify_update,
    lower=Pull(update_element),
    samples=lambda rng, dtype: [
        ([sample(rng, dtype, shape=whole), sample(rng, dtype, shape=part)], {"start": start, "step": step})
        for whole, start, part, step in SLICES],
    nonnegative=lambda equation, known: all(map(known, equation.inputs)),
    structural=True,
    selecting=True,
    dtypes=ANY,
)


def part_added(inputs):
    """Return an array and the part that is added to it where only a part of the other operand is not zero."""
    for x, y in (inputs, inputs[::-1]):
        if isinstance(y, Var) and y.equation is not None and y.equation.primitive is embed and x.shape == y.shape:
            return x, y.equation.inputs[0]
    return None


def write_sum(inputs):
    base, part = part_added(inputs)
    params = next(x.equation.params for x in inputs if x is not base)
    start, step = params["start"], params["step"]
    return None if min(step, default=1) < 1 else window_add(base, part, spans=tuple(map(Span, start, step, part.shape)))


add.write, add.part, embed.add_into = write_sum, part_added, add_embedded
