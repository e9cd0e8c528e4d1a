"""Building loop nests: the boxes that each group of roots goes through, and what is stored there.

In: a group of a `Schedule` and the buffers of its roots. Out: the steps (`Nest`, `Call`) that compute it. Invariant: every element of the roots is
stored once.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence

from jitad.ir.facts import is_undefined
from jitad.ir.lowering import Reduce
from jitad.ir.program import Atom, Literal, Var
from jitad.ir.types import real_dtype
from jitad.lower.fusion.fusion import Group, is_alias
from jitad.lower.fusion.products import blas_matrices, product_of
from jitad.lower.fusion.reads import SHORT, iteration_box, kind_of, loop_axes, places, reduced_box
from jitad.lower.grammar.builder import Builder
from jitad.lower.grammar.index import Index, Range, loop_variable, structure
from jitad.lower.grammar.index import linear as linear_position
from jitad.lower.grammar.loops import Accumulate, Buffer, Call, Nest, Reduction, Region, ScatterStore, Store
from jitad.lower.grammar.regions import Ranges, pieces_at, regions, tiles
from jitad.lower.grammar.scalars import Complex, Expr
from jitad.lower.steps.bodies import Body, Context, Read, broadcast_index, identity_of
from jitad.lower.steps.joining import joined

LIMITS = 6


def build(context: Context, group: Group) -> list[Nest | Call]:
    """Return the steps that compute the roots of `group`."""
    builders = {"nest": build_nest, "recurrence": build_recurrence, "scatter": build_scatter, "call": build_call}
    return builders[group.kind](context, group)


def cut(box: Sequence[Range], body_of: Callable[[Sequence], tuple[Builder, list]], dims: Collection[int] | None = None) -> list[Region]:
    """Return the regions of a box; ``body_of(ranges)`` gives the builder and the statements of one of them.

    Only the dimensions `dims` are cut, by default all.
    """
    if any(low > high for low, high in box):
        return []
    builder, statements = body_of(box)
    limits = [(dim, limit) for dim, limit in builder.limits if dims is None or dim in dims]
    if limits and len(builder.ranges.limits) < LIMITS:
        parts = pieces_at(builder.ranges, limits[0][0], comparable(limits))
        return [region for part in parts for region in cut(part, body_of, dims)]
    thresholds = [marks if dims is None or dim in dims else set() for dim, marks in enumerate(builder.thresholds)]
    parts = regions(box, thresholds, builder.guards)
    if parts == [box]:
        return [Region(box, tuple(statements))] if statements else []
    found = []
    for part in map(builder.ranges.within, parts):
        if 2 * volume(part) > volume(box):  # there, indices that were clamped are not, and guards on them can be decided by a cut
            found += cut(part, body_of, dims)
        elif statements := body_of(part)[1]:
            found.append(Region(part, tuple(statements)))
    return found


def volume(box: Sequence[Range]) -> int:
    return math.prod([high - low + 1 for low, high in box])


def comparable(limits: Sequence[tuple[int, Index]]) -> list[Index]:
    """Return the limits that differ from the first one, of the same dimension, by a number, in ascending order."""
    dim, first = limits[0]
    terms, _ = structure(first)
    found = {limit.const: limit for k, limit in limits if k == dim and structure(limit)[0] == terms}
    return [found[const] for const in sorted(found)]


def whole(box: Sequence[int]) -> tuple[Range, ...]:
    return tuple([(0, extent - 1) for extent in box])


def build_nest(context: Context, group: Group) -> list[Nest]:
    """Each part of the box is run by the roots whose own boxes it lies in."""
    short, starts = group.short, group.offsets
    extents = {var: [iteration_box(var.equation)[axis] for axis in loop_axes(iteration_box(var.equation), short)] for var in group.roots}
    boxes = {var: box_at(starts[var], extents[var]) for var in group.roots}
    stored = [var for var in group.roots if kind_of(var.equation) == "inline" and not in_place(context, var)]
    reduced = {var: make_reductions(context, var, short, starts[var]) for var in group.roots if kind_of(var.equation) != "inline"}

    def body_of(ranges):
        def runs(var):
            return all(first <= low and high <= last for (low, high), (first, last) in zip(ranges, boxes[var], strict=True))

        body = Body(context, group, ranges)
        statements = []
        for var in filter(runs, stored):
            for place in places(var.shape, short, starts[var]):
                statements += stores(context.buffers[var], linear_position(place, var.shape), body.value(var, place))
        for var in filter(runs, reduced):
            for reduction, indices in reduced[var]:
                parts = parts_of(body.combined(var.equation, indices))
                if not all(is_identity(part, value) for part, value in zip(parts, (reduction.identity, 0), strict=False)):
                    statements.append(Accumulate(reduction, parts))
        return body.builder, statements

    parts = joined([region for tile in tiles(boxes.values()) for region in cut(tile, body_of)])
    for var, pairs in reduced.items():
        for reduction, _ in pairs:
            own = [region.ranges for region in parts if any(isinstance(s, Accumulate) and s.reduction is reduction for s in region.statements)]
            reduction.partial = reduction.partial or len(own) != 1 or not writes_all(own[0], boxes[var][: reduction.inner])
    for pairs in reduced.values():  # those of one buffer fill it together
        for reduction, _ in pairs:
            reduction.partial = any(other.partial for other, _ in pairs)
    return [Nest(group.box, [reduction for pairs in reduced.values() for reduction, _ in pairs], parts)]


def is_identity(part: Expr, value) -> bool:
    """Whether combining a part with anything else leaves that as it is."""
    return part.op in ("const", "zero") and (part.args[1] if part.args else 0) == value


def writes_all(ranges: Ranges, outer: Sequence[Range]) -> bool:
    """Whether the outer loops of a region run over all of their extents."""
    return all(bounds == whole and not ranges.is_limited(dim) for dim, (bounds, whole) in enumerate(zip(ranges, outer, strict=False)))


def box_at(offset: Sequence[int], box: Sequence[int]) -> tuple[Range, ...]:
    return tuple([(low, low + extent - 1) for low, extent in zip(offset, box, strict=True)])


def in_place(context: Context, var: Var) -> bool:
    """Whether `var` is a reshape of what lies in its own buffer already."""
    x = var
    while is_alias(x.equation):
        x = x.equation.inputs[0]
        if context.buffers.get(x) is context.buffers[var]:
            return True
    return False


def parts_of(value) -> tuple:
    return (value.real, value.imag) if isinstance(value, Complex) else (value,)


def stores(buffer: Buffer, position: Index, value) -> list[Store]:
    parts = parts_of(value)
    return [Store(buffer, position * len(parts) + k, part) for k, part in enumerate(parts) if part.op != "unspecified"]


def make_reductions(context: Context, var: Var, short: int, offset: tuple[int, ...]) -> list[tuple[Reduction, list[tuple[Index, ...]]]]:
    """Return, for each place of a result, its reduction and the indices of the elements that one iteration contributes to it."""
    box, axes = reduced_box(var.equation)
    loops = loop_axes(box, short)
    kept = [axis for axis in range(len(box)) if axis not in axes]
    inner = max((dim for dim, axis in enumerate(loops) if axis not in axes), default=-1) + 1
    partial = any(axis in axes for axis in loops[:inner])
    combine = var.equation.primitive.lower.combine
    start = identity_of(combine, real_dtype(var.dtype))
    contributions: dict[tuple[Index, ...], list] = defaultdict(list)
    for place in places(box, short, offset):
        contributions[tuple([place[axis] for axis in kept])].append(place)
    return [
        (Reduction(context.buffers[var], combine, start, inner, partial, linear_position(index, [box[axis] for axis in kept])), found)
        for index, found in contributions.items()
    ]


def build_recurrence(context: Context, group: Group) -> list[Nest]:
    """The loop runs along the axis in the direction of the recurrence and reads the element before from the result itself.

    The first elements are regions of their own, so that no element before them is addressed.
    """
    (var,) = group.roots
    equation, box = var.equation, group.box
    axis, reverse, record = equation.params["axis"], equation.params["reverse"], equation.primitive.lower
    k = loop_variable(axis)
    index = [loop_variable(dim) for dim in range(len(box))]
    index[axis] = -k + (box[axis] - 1) if reverse else k
    before = list(index)
    before[axis] = index[axis] + (1 if reverse else -1)
    buffer = context.buffers[var]

    def body_of(ranges):
        body = Body(context, group, ranges)
        b = body.builder
        first = ranges[axis][1] == 0
        state = b.const(record.initial(var.dtype), var.dtype) if first else b.load(buffer, before, var.shape)
        operands = [body.value(x, broadcast_index(tuple(index), x.shape)) for x in equation.inputs]
        return b, stores(buffer, linear_position(index, var.shape), record.step(b, state, *operands))

    ranges = whole(box)
    halves = [(*ranges[:axis], half, *ranges[axis + 1 :]) for half in ((0, min(0, box[axis] - 1)), (1, box[axis] - 1))]
    return [Nest(box, [], [region for half in halves for region in cut(half, body_of)])]


def build_scatter(context: Context, group: Group) -> list[Nest]:
    """Copy the base, if there is anything in it, then write the updates one after another; where the last counts, in an order to keep."""
    (var,) = group.roots
    equation, (base, updates, *others) = var.equation, var.equation.inputs
    buffer, record = context.buffers[var], equation.primitive.lower
    everywhere = tuple(map(loop_variable, range(var.type.ndim)))

    def copy(ranges):
        body = Body(context, group, ranges)
        return body.builder, stores(buffer, linear_position(everywhere, var.shape), body.value(base, everywhere))

    ordered = record.ordered(*[x.type for x in equation.inputs])
    short = SHORT if record.combine == "add" and all(x.ndim for x in others) else 1
    loops = loop_axes(updates.shape, short)

    def write(ranges):
        body = Body(context, group, ranges)
        b = body.builder
        statements = []
        for here, (operands, source) in itertools.product(places(updates.shape, short), record.writes(equation)):
            b.next_check = context.checks_for(equation, source)
            place = record.place(b, here, [Read(body, x) for x in operands], **equation.params)
            if place is not None:
                parts = parts_of(body.value(operands[1], here))
                if record.combine == "set" or not all(is_identity(part, 0) for part in parts):
                    position = linear_position(place, var.shape)
                    statements += [ScatterStore(buffer, position * len(parts) + k, part, record.combine)
                                   for k, part in enumerate(parts) if part.op != "unspecified"]
        return b, statements

    dims = {dim for dim, axis in enumerate(loops) if axis == 0 or axis >= ordered} if ordered else None
    box = tuple([updates.shape[axis] for axis in loops])
    written = Nest(box, [], cut(whole(box), write, dims))
    if is_undefined(base):
        buffer.undefined = True
        return [written]
    return [Nest(var.shape, [], cut(whole(var.shape), copy)), written]


def build_call(context: Context, group: Group) -> list[Call]:
    equation = group.roots[0].equation
    matrices = blas_matrices(equation) if isinstance(equation.primitive.lower, Reduce) else None
    routine = "gemm" if matrices else equation.primitive.lower.routine
    params = product_of(*matrices, equation.outputs[0].dtype) if matrices else equation.params
    operands = [params["x"].base, params["y"].base] if matrices else equation.inputs
    numbers = {x: context.new_buffer(x.type) for x in operands if isinstance(x, Literal) or x in context.counters}
    inputs = [numbers[x] if x in numbers else context.buffer_of(x) for x in operands]
    outputs = [context.buffers[x] for x in equation.outputs]
    call = Call(routine, outputs, inputs, [x.type for x in equation.outputs], [x.type for x in operands], params, equation.source)
    return [*[stored_number(context, group, x, buffer) for x, buffer in numbers.items()], call]


def stored_number(context: Context, group: Group, x: Atom, buffer: Buffer) -> Nest:
    """Return the step that puts a number, which has no place in memory, into a buffer."""
    def body_of(ranges):
        body = Body(context, group, ranges)
        return body.builder, stores(buffer, linear_position((), ()), body.value(x, ()))

    return Nest((), [], cut((), body_of))
