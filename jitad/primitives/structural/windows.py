"""Windows: boxes of an array whose places or extents are only known when the kernel runs, read, written and added to.

In: an array, then int64 scalars: the starts that `spans` leaves open, and the counts of the spans that have one. Out: `window` gives an
array of the spans' extents in which element I is element start + step * I of the array where I < count along each axis, and zero
elsewhere; `window_update` and `window_add` write there, and nowhere else. Invariant: counts lie between 0 and the extents, and what they
count lies in the array; a start of an axis of one element without a count is an index that is checked.
"""

from __future__ import annotations

from math import prod

import numpy as np

from jitad.ir import errors
from jitad.ir.lowering import Pull, Scatter
from jitad.ir.primitive import Primitive
from jitad.ir.program import Atom
from jitad.ir.symbolic import Zero, is_zero
from jitad.ir.types import BOOL, INT, ArrayType
from jitad.primitives.declare import common_dtype, full, instantiate, is_linear, linear, sample, to_front, uniform
from jitad.primitives.elementwise.comparisons import and_, lt, select
from jitad.primitives.structural.boxes import embed, slice_
from jitad.primitives.structural.indexing import gather, looked_up, place_mask, scatter, scatter_add
from jitad.primitives.structural.shaping import ANY, all_to_front, broadcast, iota, reshape
from jitad.primitives.structural.spans import (
    Span,
    Spans,
    batched_flat,
    batched_places,
    check_spans,
    counted_mask,
    counts_of,
    covered,
    extents,
    is_index,
    numbers,
    open_operands,
    open_places,
    place,
    unit,
    without_known_counts,
)


def window_type(x, *scalars, spans):
    check_spans("window", x, scalars, spans)
    return x.with_shape(extents(spans))


def write_type(base, new, *scalars, spans):
    check_spans("window", base, scalars, spans)
    common_dtype("assignment", [base, new], "biufc")
    if new.shape != extents(spans):
        raise errors.InternalError(f"window: {new} for {spans}")
    return base


# --- evaluation --------------------------------------------------------------------------------------------------------------------


def evaluate_window(x, *scalars, spans):
    places, own = numbers(spans, scalars, x.shape)
    result = np.zeros(extents(spans), x.dtype)
    result[own] = x[places]
    return result


def evaluate_write(combine):
    def evaluate(base, new, *scalars, spans):
        places, own = numbers(spans, scalars, base.shape)
        result = base.copy()
        result[places] = new[own] if combine == "set" else result[places] + new[own]
        return result

    return evaluate


# --- lowering ----------------------------------------------------------------------------------------------------------------------


def window_element(b, index, operands, type, spans):
    x, *scalars = operands
    return b.counted(index, counts_of(b, scalars, spans),
                     lambda certain: x(place(b, index, x.type, scalars, spans, certain)), b.nothing(type.dtype))


def part_element(b, index, operands, type, spans):
    """As `window_element`, but what lies beyond the counts may be anything."""
    x, *scalars = operands
    return b.counted(index, counts_of(b, scalars, spans),
                     lambda certain: x(place(b, index, x.type, scalars, spans, certain)), b.unspecified(type.dtype))


def placed_element(b, index, operands, type, spans, shape):
    """The element of the window that lies at `index`."""
    x, *scalars = operands
    numbers = []
    for axis, (span, start, i) in enumerate(zip(spans, open_places(spans, scalars)[0], index, strict=True)):
        if is_index(span):
            start = b.checked(start(()), shape[axis], axis)
        elif span.start is None:
            start = b.as_index(start(()))
        numbers.append((i - start) * span.step)
    ends = [end if end is not None else b.as_index(b.const(span.extent, INT))
            for end, span in zip(counts_of(b, scalars, spans), spans, strict=True)]
    zero = b.as_index(b.const(0, INT))

    def read(certain):
        return x(tuple(k if certain else b.clamped(k, span.extent) for k, span in zip(numbers, spans, strict=True)))

    return b.counted([*numbers, *[-k - 1 for k in numbers]], [*ends, *[zero] * len(ends)], read, b.nothing(type.dtype))


def write_place(b, index, operands, spans):
    base, _, *scalars = operands
    return b.counted_index(index, counts_of(b, scalars, spans), lambda: place(b, index, base.type, scalars, spans, True))


# --- rules -------------------------------------------------------------------------------------------------------------------------


def moved_mask(mask: Atom | None, spans: Spans, scalars) -> Atom:
    """Return a mask of the array as one of the window."""
    return counted_mask(spans, scalars) if mask is None else window(mask, *scalars, spans=spans)


def masks_of_window(mask, inputs, spans):
    x, *scalars = inputs
    inside = covered(spans, scalars, x.type.shape)
    if mask is not None and all(abs(span.step) == 1 for span in spans):
        inside = window_place(mask, *scalars, spans=spans, shape=x.type.shape)
    elif mask is not None:
        inside = inside & window_update(full(False, ArrayType(BOOL, x.type.shape)), mask, *scalars, spans=spans)
    return [inside, *[None for _ in scalars]]


def mark_window(before, mask, inputs, spans):
    _, *scalars = inputs
    read = window(before, *scalars, spans=spans)
    return window_update(before, full(True, read.type) if mask is None else read | mask, *scalars, spans=spans)


def masks_of_update(mask, inputs, spans):
    base, new, *scalars = inputs
    if mask is None:
        outside = ~covered(spans, scalars, base.type.shape)
    else:
        outside = window_update(mask, full(False, new.type.with_dtype(BOOL)), *scalars, spans=spans)
    return [outside, moved_mask(mask, spans, scalars), *[None for _ in scalars]]


def masks_of_add(mask, inputs, spans):
    _, _, *scalars = inputs
    return [mask, moved_mask(mask, spans, scalars), *[None for _ in scalars]]


def is_counted(mask: Atom) -> bool:
    """Return whether a mask says where elements are counted, as `counted_mask` and slices of the user's do."""
    equation = getattr(mask, "equation", None)
    if equation is None:
        return False
    if equation.primitive is lt:
        number, limit = equation.inputs
        return getattr(number, "equation", None) is not None and number.equation.primitive is iota and not limit.shape
    return equation.primitive is and_ and any(map(is_counted, equation.inputs))


def counted_by(mask: Atom) -> dict[int, Atom]:
    """Return the counts, by axis, that a mask restricts places to; there may be other restrictions."""
    equation = getattr(mask, "equation", None)
    if equation is None:
        return {}
    if equation.primitive is lt:
        number, limit = equation.inputs
        numbered = getattr(number, "equation", None)
        fits = numbered is not None and numbered.primitive is iota and number.shape == mask.shape and not limit.shape
        return {numbered.params["axis"]: limit} if fits else {}
    return counted_by(equation.inputs[0]) | counted_by(equation.inputs[1]) if equation.primitive is and_ else {}


def confinement(equation) -> tuple[Spans, list[Atom]]:
    """Return the spans, from the first place on, and the counts beyond which the result of an equation is zero."""
    result, counts = equation.outputs[0], {}
    if equation.primitive is window:
        counts = {k: count for k, count in enumerate(open_places(equation.params["spans"], equation.inputs[1:])[1]) if count is not None}
    elif equation.primitive is select and uniform(equation.inputs[2]) == 0 and equation.inputs[0].shape == result.shape:
        counts = counted_by(equation.inputs[0])
    return tuple([Span(0, 1, n, k in counts) for k, n in enumerate(result.shape)]), [counts[k] for k in sorted(counts)]


def selects_counted(equation) -> bool:
    mask, _, other = equation.inputs
    return uniform(other) == 0 and is_counted(mask)


select.confines = selects_counted


def simplify_window(inputs, spans):
    """The window of an array of zeros, or one of known extents."""
    x, *scalars = inputs
    number = uniform(x)
    if number is not None:
        found = full(number, x.type.with_shape(extents(spans)))
        return found if number == 0 else select(counted_mask(spans, scalars), found, 0)
    known = without_known_counts(spans, scalars)
    if known is None or known[0] == spans:
        return None
    result = window(x, *known[1], spans=known[0])
    if result.shape == extents(spans):
        return result
    return embed(result, start=(0,) * result.ndim, step=(1,) * result.ndim, shape=extents(spans))


def batch_window(size, inputs, axes, spans):
    (x, *scalars), (axis, *scalar_axes) = inputs, axes
    if all(a is None for a in scalar_axes):
        return [window(to_front(x, axis), *scalars, spans=(unit(size), *spans))], [0]
    (x,) = all_to_front(size, [x], [axis])
    if not any(span.counted for span in spans):
        return [gather(x, *batched_places(size, spans, scalars, scalar_axes))], [0]
    flat, indices = batched_flat(size, x, scalars, scalar_axes, spans)
    return [gather(flat, *indices)], [0]


def write(name: str, combine: str, flat_write: Primitive, **slots) -> Primitive:
    """Declare a write to a window; it is linear in the array and in what is written together."""

    def jvp(inputs, tangents, spans):
        base, new, *scalars = inputs
        result = primitive(*inputs, spans=spans)
        if is_zero(tangents[0]) and is_zero(tangents[1]):
            return [result], [Zero(result.type)]
        return [result], [primitive(*map(instantiate, tangents[:2]), *scalars, spans=spans)]

    def batch(size, inputs, axes, spans):
        (base, new, *scalars), scalar_axes = inputs, axes[2:]
        base, new = all_to_front(size, [base, new], axes[:2])
        if all(a is None for a in scalar_axes):
            return [primitive(base, new, *scalars, spans=(unit(size), *spans))], [0]
        if not any(span.counted for span in spans):
            return [flat_write(base, new, *batched_places(size, spans, scalars, scalar_axes), unique=True)], [0]
        flat, indices = batched_flat(size, base, scalars, scalar_axes, spans)
        flat = flat_write(flat, new, *indices)
        kept = slice_(flat, start=(0, 0), step=(1, 1), shape=(size, flat.shape[1] - 1))
        return [reshape(kept, shape=base.shape)], [0]

    def choose(inputs, spans):
        base, new, *scalars = inputs
        if prod(extents(spans)) != 1 or any(span.counted for span in spans):
            return None
        starts = [start if isinstance(start, int) else looked_up(start, extent)
                  for start, extent in zip(open_places(spans, scalars)[0], base.shape, strict=True)]
        written = broadcast(new, shape=base.shape)
        return select(place_mask(base.shape, starts), base + written if combine == "add" else written, base)

    def simplify(inputs, spans):
        """Known counts cut off what is not written; what is added where zeros were written is written there."""
        base, new, *scalars = inputs
        if combine == "add" and was_cleared(base, scalars, spans):
            before = base.equation.inputs[0]
            return before if was_read(new, before, scalars, spans) else window_update(before, new, *scalars, spans=spans)
        known = without_known_counts(spans, scalars)
        if known is None or known[0] == spans:
            return None
        shape = extents(known[0])
        if 0 in shape:
            return base
        new = new if new.shape == shape else slice_(new, start=(0,) * new.ndim, step=(1,) * new.ndim, shape=shape)
        return primitive(base, new, *known[1], spans=known[0])

    primitive = Primitive(
        name, write_type, evaluate_write(combine), jvp, batch=batch, lower=Scatter(combine, write_place, lambda *types: 0, distinct=True),
        samples=write_samples, structural=True, nonnegative=lambda equation, known: all(map(known, equation.inputs[:2])),
        simplify=simplify, choose=choose, **slots)
    return primitive


def was_cleared(x: Atom, scalars, spans: Spans) -> bool:
    """Whether `x` is an array in which zeros were written to a window."""
    equation = getattr(x, "equation", None)
    if equation is None or equation.primitive is not window_update or uniform(equation.inputs[1]) != 0:
        return False
    return equation.params["spans"] == spans and list(equation.inputs[2:]) == list(scalars)


def was_read(x: Atom, array: Atom, scalars, spans: Spans) -> bool:
    """Whether `x` is a window of an array."""
    equation = getattr(x, "equation", None)
    return equation is not None and equation.primitive is window and equation.params["spans"] == spans and list(equation.inputs) == [array, *scalars]


def transpose_window_update(cotangents, inputs, spans):
    """What was overwritten receives nothing."""
    (ct,), (base, new, *scalars) = cotangents, inputs
    return [window_update(ct, full(0, new.type), *scalars, spans=spans) if is_linear(base) else None,
            window(ct, *scalars, spans=spans) if is_linear(new) else None, *[None for _ in scalars]]


def transpose_window_add(cotangents, inputs, spans):
    (ct,), (base, new, *scalars) = cotangents, inputs
    return [ct if is_linear(base) else None, window(ct, *scalars, spans=spans) if is_linear(new) else None, *[None for _ in scalars]]


def add_windowed(equation, x):
    """x + (zeros with something added) is x with that added."""
    base, new, *scalars = equation.inputs
    return window_add(x, new, *scalars, spans=equation.params["spans"]) if uniform(base) == 0 else None


CASES = (((5,), (Span(None, 1, 4, True),), lambda rng: [1, rng.integers(0, 5)]),
         ((5,), (Span(None, -1, 5, True),), lambda rng: [4, rng.integers(0, 6)]),
         ((4, 3), (Span(None, 1, 1), Span(0, 1, 3, True)), lambda rng: [rng.integers(-4, 4), rng.integers(0, 4)]),
         ((4, 5), (Span(1, 1, 3, True), Span(None, 2, 2, True)), lambda rng: [rng.integers(0, 3), *rng.integers(0, 3, 2)]),
         ((3,), (Span(None, 1, 2),), lambda rng: [rng.integers(0, 2)]))  # fmt: skip


def window_samples(rng, dtype):
    return [([sample(rng, dtype, shape=shape), *map(np.int64, draw(rng))], {"spans": spans}) for shape, spans, draw in CASES]


def write_samples(rng, dtype):
    return [([sample(rng, dtype, shape=shape), sample(rng, dtype, shape=extents(spans)), *map(np.int64, draw(rng))], {"spans": spans})
            for shape, spans, draw in CASES]


window = linear(Primitive(
    "window",
    type=window_type,
    evaluate=evaluate_window,
    transpose=lambda cts, inputs, spans: [
        window_add(full(0, inputs[0].type), cts[0], *inputs[1:], spans=spans), *[None for _ in inputs[1:]]],
    masks=masks_of_window,
    mark=mark_window,
    batch=batch_window,
    simplify=simplify_window,
    lower=Pull(window_element),
    samples=window_samples,
    nonnegative=lambda equation, known: known(equation.inputs[0]),
    confines=lambda equation: any(span.counted for span in equation.params["spans"]),
    structural=True,
    selecting=True,
    dtypes=ANY,
))
window_part = linear(Primitive(
    "window_part",
    type=window_type,
    evaluate=evaluate_window,
    transpose=lambda cts, inputs, spans: window.transpose(cts, inputs, spans=spans),
    masks=masks_of_window,
    mark=mark_window,
    batch=batch_window,
    lower=Pull(part_element),
    structural=True,
    selecting=True,
    dtypes="",
))
window_place = linear(Primitive(
    "window_place",
    type=lambda x, *scalars, spans, shape: write_type(x.with_shape(shape), x, *scalars, spans=spans),
    evaluate=lambda x, *scalars, spans, shape: evaluate_write("set")(np.zeros(shape, x.dtype), x, *scalars, spans=spans),
    batch=lambda size, inputs, axes, spans, shape: window_update.batch(
        size, [full(0, inputs[0].type.with_shape((size, *shape))), *inputs], [0, *axes], spans=spans),
    lower=Pull(placed_element, repeats=True),
    samples=lambda rng, dtype: [([new, *scalars], {"spans": params["spans"], "shape": base.shape})
                                for (base, new, *scalars), params in write_samples(rng, dtype)
                                if all(abs(span.step) == 1 for span in params["spans"])],
    dtypes="?",
))
window_add = write("window_add", "add", scatter_add, transpose=transpose_window_add, masks=masks_of_add, add_into=add_windowed, selecting=True,
                   dtypes="dfDl")
window_update = write("window_update", "set", scatter, transpose=transpose_window_update, masks=masks_of_update, selecting=True, dtypes=ANY)
window.places = window_part.places = lambda inputs, spans: open_operands(spans, inputs[0].shape, 1)
window_place.places = lambda inputs, spans, shape: open_operands(spans, shape, 1)
window_add.places = window_update.places = lambda inputs, spans: open_operands(spans, inputs[0].shape, 2)
