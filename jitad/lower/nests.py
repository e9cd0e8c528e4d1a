"""Building loop nests: the straight-line body of each group of roots, by pulling values through the Program.

In: a `Schedule` and the buffers of its roots. Out: the steps (`Nest`, `Call`) that compute one group. Invariant: a value is read from
memory if an earlier step stored it and computed in place otherwise; each (Var, index) is evaluated once per region.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence

import numpy as np

from jitad.ir.facts import is_undefined
from jitad.ir.lowering import Pointwise, Pull, Reduce
from jitad.ir.program import Atom, Equation, Literal, Var
from jitad.ir.types import ArrayType, real_dtype
from jitad.lower.fusion import Group, is_alias, storage
from jitad.lower.index import ZERO, Index, Range, loop_variable, structure
from jitad.lower.index import linear as linear_position
from jitad.lower.joining import joined
from jitad.lower.loops import Accumulate, Buffer, Call, Check, Counter, Nest, Reduction, Region, ScatterStore, Store
from jitad.lower.products import blas_matrices
from jitad.lower.reads import SHORT, is_place, iteration_box, kind_of, loop_axes, places, reduced_box, reduced_indices
from jitad.lower.regions import Ranges, pieces_at, regions, tiles
from jitad.lower.scalars import Builder, Complex, Expr

LIMITS = 6


class Read:
    """An operand, as element rules see it: ``read(index)`` gives the element."""

    __slots__ = ("body", "atom")

    def __init__(self, body: Body, atom: Atom):
        self.body, self.atom = body, atom

    @property
    def type(self) -> ArrayType:
        return self.atom.type

    def __call__(self, index: Sequence[Index]):
        return self.body.value(self.atom, tuple(index))


class Body:
    """Evaluates Vars at indices within one region of the nest of `group`."""

    def __init__(self, context: Context, group: Group, ranges):
        self.context = context
        self.builder = Builder(ranges)
        self.memo: dict = {}
        self.local = dict(group.offsets) if group.kind == "nest" else {}
        self.short = group.short

    def value(self, atom: Atom, index: tuple[Index, ...]):
        """Return the element of `atom` at `index`."""
        if isinstance(atom, Literal):
            return self.builder.const(atom.value, atom.dtype)
        if atom in self.context.counters:
            return self.builder.counter(self.context.counters[atom])
        key = (atom, index)
        if key not in self.memo:
            self.evaluate_chain(atom, index)
        return self.memo[key]

    def evaluate_chain(self, var: Var, index: tuple[Index, ...]) -> None:
        """Evaluate `var` and, first, the elementwise operations that lead to it: without recursion, since chains can be long."""
        pending = [var]
        while pending:
            var = pending[-1]
            if (var, index) in self.memo:
                pending.pop()
                continue
            ahead = [x for x in self.chained_operands(var, index) if (x, index) not in self.memo]
            if ahead:
                pending.extend(ahead)
            else:
                pending.pop()
                self.memo[var, index] = self.evaluate(var, index)

    def chained_operands(self, var: Var, index) -> list[Var]:
        if self.stored(var, index) is not None or not isinstance(var.equation.primitive.lower, Pointwise):
            return []
        return [x for x in var.equation.inputs if isinstance(x, Var) and x.shape == var.shape and x not in self.context.counters]

    def stored(self, var: Var, index) -> Buffer | None:
        """Return the buffer to read `var` from, or None where this very iteration computes it.

        Roots of one nest read one another only where they are computed, but behind a guard the index need not look like it: what lies in the
        buffer is then of no use, and the element is computed again.
        """
        if var in self.local and (kind_of(var.equation) == "inline" or is_place(index, var.shape, self.short, self.local[var])):
            return None
        if var not in self.context.buffers and storage(var) in self.local:
            return None
        return self.context.buffer_of(var)

    def evaluate(self, var: Var, index: tuple[Index, ...]):
        buffer = self.stored(var, index)
        if buffer is not None:
            return self.builder.load(buffer, index, var.shape)
        return self.element(var.equation, index)

    def element(self, equation: Equation, index: tuple[Index, ...]):
        """Apply the element rule of an equation at `index`."""
        record = equation.primitive.lower
        if isinstance(record, Pointwise):
            operands = [self.value(x, broadcast_index(index, x.shape)) for x in equation.inputs]
            return record.element(self.builder, *operands, **equation.params)
        b, around = self.builder, self.builder.next_check
        b.next_check = self.context.checks_for(equation)
        operands = [Read(self, x) for x in equation.inputs]
        if isinstance(record, Pull):
            value = record.element(b, index, operands, equation.outputs[0].type, **equation.params)
        elif kind_of(equation) == "inline":
            value = self.combined(equation, reduced_indices(equation, index))
        else:
            value = record.element(b, index, operands, **equation.params)
        b.next_check = around
        return value

    def combined(self, equation: Equation, indices: Sequence[tuple[Index, ...]]):
        """Combine the elements of a reduction at `indices` of its box."""
        record: Reduce = equation.primitive.lower
        self.builder.next_check = self.context.checks_for(equation)
        operands = [Read(self, x) for x in equation.inputs]
        elements = [record.element(self.builder, index, operands, **equation.params) for index in indices]
        if not elements:
            return self.builder.const(identity_of(record.combine, equation.outputs[0].dtype), equation.outputs[0].dtype)
        combine = {"add": self.builder.plus, "mul": operator.mul}.get(record.combine) or functools.partial(self.builder.call, CALLS[record.combine])
        return functools.reduce(combine, elements)


def broadcast_index(index: tuple[Index, ...], shape: tuple[int, ...]) -> tuple[Index, ...]:
    """Return the index of an operand of `shape` that NumPy's broadcasting pairs with `index`."""
    if not shape:
        return ()
    tail = index[len(index) - len(shape) :]
    return tuple([ZERO if extent == 1 else i for i, extent in zip(tail, shape, strict=True)])


class Context:
    """What building steps needs to know about the whole: where values lie, the counters of enclosing loops, the index checks."""

    def __init__(self, buffers: dict[Var, Buffer], outer: Context | None = None):
        self.buffers = buffers
        self.counters: dict[Var, Counter] = dict(outer.counters) if outer else {}
        self.checks: dict[tuple, Check] = outer.checks if outer else {}
        self.numbers = outer.numbers if outer else itertools.count()

    def new_buffer(self, type: ArrayType) -> Buffer:
        return Buffer(type, "work", f"w{next(self.numbers)}")

    def buffer_of(self, var: Var) -> Buffer | None:
        buffer = self.buffers.get(var)
        if buffer is None:
            base = storage(var)
            buffer = self.buffers.get(base) if base is not var else None
        return buffer

    def checks_for(self, equation: Equation) -> Callable[..., Check]:
        def make(extent: int, axis: int, **own) -> Check:
            key = (equation, extent, axis)
            if key not in self.checks:
                self.checks[key] = Check(len(self.checks) + 1, extent, axis, equation.source, **own)
            return self.checks[key]

        return make


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


CALLS = {"max": "maximum", "min": "minimum", "and": "and", "or": "or"}
IDENTITY = {"add": 0, "mul": 1, "or": False, "and": True}


def identity_of(combine: str, dtype: np.dtype):
    if combine in IDENTITY:
        return dtype.type(IDENTITY[combine])
    low = combine == "max"
    if dtype.kind == "b":
        return np.bool_(not low)
    if dtype.kind == "f":
        return dtype.type(-np.inf if low else np.inf)
    return dtype.type(np.iinfo(dtype).min if low else np.iinfo(dtype).max)


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
        for here in places(updates.shape, short):
            b.next_check = context.checks_for(equation)
            place = record.place(b, here, [Read(body, x) for x in equation.inputs], **equation.params)
            if place is not None:
                parts = parts_of(body.value(updates, here))
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
    operands = [matrices[0].base, matrices[1].base] if matrices else equation.inputs
    params = {"x": matrices[0], "y": matrices[1]} if matrices else equation.params
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
