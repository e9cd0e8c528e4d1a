"""Nests of loops with independent trips that do arithmetic on elements become operations on whole arrays.

In: a Program. Out: the same, where such nests are gone: a number of a trip is an element of an array with an axis for each loop around it, of extent
one where it is the same in all trips of that loop, and sums are sums along axes. So ``d[i, j] = c[i, j] - c[i - 1, j]`` is what ``d[1:] = c[1:] -
c[:-1]`` is, and its adjoint a gather rather than a scatter. Invariant: every element is computed from the same values in the same way; only sums
may be added up in another order.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from jitad.ir.lowering import UNBOUNDED, Pointwise
from jitad.ir.program import Atom, Equation, Literal, Program, literal
from jitad.ir.recorder import Recorder, current, rewrite
from jitad.ir.types import INT
from jitad.optimize.bodies import has_bodies, optimize_bodies
from jitad.optimize.trip_numbers import TripNumber, moved
from jitad.primitives.control.affine import Affine
from jitad.primitives.control.lasting import MANY, SETS, WRITES, Access, Survey, apart, loop_level
from jitad.primitives.control.loops import loop
from jitad.primitives.elementwise.arithmetic import add, mul, sub
from jitad.primitives.reductions import reduce_sum
from jitad.primitives.structural.boxes import slice_
from jitad.primitives.structural.indexing import gather, scatter, scatter_add
from jitad.primitives.structural.shaping import broadcast, iota, reshape, transpose
from jitad.primitives.structural.spans import Span
from jitad.primitives.structural.updates import update
from jitad.primitives.structural.windows import window, window_add, window_update

FEW = 16  # trips that are not worth it
MANY_TRIPS, TIMES = 1 << 16, 4  # so many trips, and so many for each element there is, are not to have an array of their own
READS = (gather, window, slice_)


def on_grids(program: Program, in_order: bool) -> Program:
    """Return `program` with nests of independent trips as operations on whole arrays; those that add up sums only if not `in_order`."""
    if not any(map(has_bodies, program.equations)):
        return program
    changed = rewrite(program, functools.partial(rule, in_order))
    return optimize_bodies(changed, lambda body: on_grids(body, in_order))


def rule(in_order: bool, equation: Equation, inputs: list[Atom]) -> Sequence[Atom] | None:
    if equation.primitive is not loop or not has_count(equation) or in_order and has_numbers(equation) or not are_apart(equation):
        return None
    with Recorder(equation.source) as recorder:
        try:
            results = [atom_of(x) for x in Grid(()).loop(equation, list(inputs))]
        except Unsuitable:
            return None
    current().equations += recorder.equations
    return results


class Unsuitable(Exception):
    """A body does what is not done to whole arrays."""


def cancel(terms: Sequence[Value]) -> bool:
    """Whether terms of a trip may undo each other, as those that round a number to a multiple of another."""
    return any(isinstance(x, Literal) for x in terms) or len(set(terms)) < len(terms)


# --- which nests ---------------------------------------------------------------------------------------------------------------------


def has_count(equation: Equation) -> bool:
    """Whether the numbers of trips of a loop and of those in it are known, and are neither few nor far more than there are elements."""
    found = trips_of(equation)
    return found is not None and FEW <= found <= max(MANY_TRIPS, TIMES * max(x.type.size for x in (*equation.inputs, *equation.outputs)))


def has_numbers(equation: Equation) -> bool:
    """Whether a loop, or one in it, carries anything but arrays."""
    inner = [other for other in equation.params["body"].equations if other.primitive is loop]
    return not all(x.ndim for x in equation.outputs) or any(map(has_numbers, inner))


def trips_of(equation: Equation) -> int | None:
    """Return the number of trips of the longest nest of loops, None if it is not known, or there is anything else that has a body."""
    params = equation.params
    if equation.primitive is not loop or not isinstance(equation.inputs[0], Literal) or params["length"] in (0, UNBOUNDED):
        return None
    inner = [trips_of(other) for other in params["body"].equations if has_bodies(other)]
    return None if None in inner else params["length"] * max(inner, default=1)


def are_apart(equation: Equation) -> bool:
    """Whether no trip, of the loop or of one in it, reads or writes what another one writes."""
    body, consts = equation.params["body"], equation.params["consts"]
    level, survey = loop_level(equation.inputs[0], equation.params["length"], equation.params["reverse"]), Survey()
    ends = survey.walk(body, {var: var for var in body.inputs[1:] if var.ndim}, {body.inputs[0]: Affine(0, {level: 1})}, (), level)
    for var, end in zip(body.inputs[1 + consts :], body.outputs, strict=True):
        found = survey.found.get(var, [])
        if var.ndim and (var in survey.spoilt | survey.loose or var in survey.stale or ends.get(end) is not var or len(found) > MANY):
            return False
        if not all(in_any_order(x, y) for x in found if x.equation.primitive in WRITES for y in found):
            return False
    return True


def in_any_order(x: Access, y: Access) -> bool:
    """Whether two accesses reach different elements in different trips of each loop around both."""
    for depth, ((level, _), (other, _)) in enumerate(zip(x.path, y.path, strict=False)):
        if level is not other:
            break
        if not all(apart(x, y, depth + 1, [(level, greater)]) for greater in (False, True)):
            return False
    return True


# --- values --------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Field:
    """A number for each trip: an array with axes for the loops around, of extent 1 along those it does not depend on."""

    atom: Atom


@dataclass(frozen=True)
class Sum:
    """A number that a loop carries, and what its trips add to it: each term with the operation by which it is added."""

    type: object
    terms: tuple[tuple[object, Field | Atom | TripNumber], ...] = ()


Value = Atom | TripNumber | Field | Sum  # an Atom is the same in all trips


def atom_of(x: Value) -> Atom:
    if not isinstance(x, Atom):
        raise Unsuitable
    return x


class Grid:
    """Runs all trips of some loops, one in another, of `sizes` trips."""

    def __init__(self, sizes: tuple[int, ...]):
        self.sizes = sizes

    def loop(self, equation: Equation, operands: list[Value]) -> list[Value]:
        """Record what all trips of a loop in these do."""
        params, (count, *values) = equation.params, operands
        if not isinstance(count, Literal):
            raise Unsuitable
        body, consts, inner = params["body"], params["consts"], Grid((*self.sizes, params["length"]))
        held = [inner.entered(x) for x in values[:consts]]
        carried = [inner.entered(x) if var.ndim else Sum(var.type) for x, var in zip(values[consts:], body.inputs[1 + consts :], strict=True)]
        results = inner.program(body, [TripNumber(0, (*[0] * len(self.sizes), 1)), *held, *carried])
        return [self.left(x, before, inner) for x, before in zip(results, values[consts:], strict=True)]

    def entered(self, x: Value) -> Value:
        """Return a value as it is seen in the innermost of the loops."""
        if isinstance(x, TripNumber):
            return replace(x, steps=(*x.steps, 0))
        return Field(reshape(x.atom, shape=(*x.atom.shape, 1))) if isinstance(x, Field) else x

    def left(self, x: Value, before: Value, inner: Grid) -> Value:
        """Return what a loop leaves of a carried value."""
        if not isinstance(x, Sum):
            if not isinstance(before, Atom) or not before.ndim:
                raise Unsuitable
            return atom_of(x)
        if len(x.terms) > 1 and cancel([term for _, term in x.terms]):
            raise Unsuitable
        for operation, term in x.terms:
            before = self.apply(operation, {}, [before, self.total(inner.field(term).atom, inner)])
        return before

    def total(self, x: Atom, inner: Grid) -> Value:
        """Return the sum of the terms of all trips of the innermost loop."""
        x = reduce_sum(broadcast(x, shape=(*x.shape[:-1], inner.sizes[-1])), axes=(x.ndim - 1,))
        return Field(x) if x.ndim else x

    def field(self, x: Value) -> Field:
        """Return a number that may differ from trip to trip."""
        if isinstance(x, Field):
            return x
        if isinstance(x, Sum) or isinstance(x, Atom) and x.ndim:
            raise Unsuitable
        ones = (1,) * len(self.sizes)
        if isinstance(x, Atom):
            return Field(broadcast(x, shape=ones))
        total = literal(x.start, INT)
        for axis, (step, size) in enumerate(zip(x.steps, self.sizes, strict=True)):
            if step:
                total = add(total, mul(iota(shape=(*ones[:axis], size, *ones[axis + 1 :]), axis=axis, dtype=INT), literal(step, INT)))
        return Field(broadcast(total, shape=ones) if not total.ndim else total)

    # --- equations -------------------------------------------------------------------------------------------------------------------

    def program(self, program: Program, inputs: Sequence[Value]) -> list[Value]:
        env: dict[Atom, Value] = dict(zip(program.inputs, inputs, strict=True))
        recorder = current()
        for equation in program.equations:
            recorder.source = equation.source
            operands = [x if isinstance(x, Literal) else env[x] for x in equation.inputs]
            env.update(zip(equation.outputs, self.equation(equation, operands), strict=True))
        return [x if isinstance(x, Literal) else env[x] for x in program.outputs]

    def equation(self, equation: Equation, operands: list[Value]) -> Sequence[Value]:
        primitive, params = equation.primitive, equation.params
        if primitive is loop:
            return self.loop(equation, operands)
        if primitive in WRITES:
            return [self.write(equation, operands)]
        if all(isinstance(x, Atom) for x in operands):
            return current().repeat(equation, operands)
        if primitive in READS:
            return [self.read(equation, operands)]
        if primitive is reshape and equation.outputs[0].type.size == equation.inputs[0].type.size == 1:
            return operands
        if not isinstance(primitive.lower, Pointwise) or any(x.type.size != 1 for x in (*equation.inputs, *equation.outputs)):
            raise Unsuitable
        return [self.apply(primitive, params, operands)]

    def apply(self, primitive, params: dict, operands: list[Value]) -> Value:
        """Record arithmetic on numbers."""
        first, *others = operands
        if primitive is add and others and isinstance(others[0], Sum):
            first, others = others[0], [first]
        if isinstance(first, Sum) and primitive in (add, sub) and not isinstance(others[0], Sum):
            return replace(first, terms=(*first.terms, (primitive, others[0])))
        place = moved(primitive, operands)
        if place is not None:
            return place
        if all(isinstance(x, Atom) for x in operands):
            return primitive(*operands, **params)
        return Field(primitive(*[x if isinstance(x, Literal) else self.field(x).atom for x in operands], **params))

    # --- elements --------------------------------------------------------------------------------------------------------------------

    def read(self, equation: Equation, operands: list[Value]) -> Field:
        """Record the read of an element."""
        array = atom_of(operands[0])
        indices = indices_of(equation, operands[1:], equation.outputs[0])
        spans, starts, levels = self.spans(array, indices)
        part = reshape(read_part(array, spans, starts), shape=tuple([self.sizes[level] for level in levels]))
        if levels != sorted(levels):
            order = sorted(range(len(levels)), key=levels.__getitem__)
            part = transpose(part, axes=tuple(order))
        return Field(reshape(part, shape=tuple([size if level in levels else 1 for level, size in enumerate(self.sizes)])))

    def write(self, equation: Equation, operands: list[Value]) -> Atom:
        """Record the write of an element."""
        array, value = atom_of(operands[0]), self.field(operands[1])
        spans, starts, levels = self.spans(array, indices_of(equation, operands[2:], equation.inputs[1]))
        if len(levels) != len(self.sizes):
            raise Unsuitable
        new = broadcast(value.atom, shape=self.sizes)
        if levels != sorted(levels):
            new = transpose(new, axes=tuple(levels))
        new = reshape(new, shape=tuple([span.extent for span in spans]))
        if equation.primitive in SETS:
            return window_update(array, new, *starts, spans=spans) if starts else update(array, new, **box(spans))
        return window_add(array, new, *starts, spans=spans) if starts else update(array, read_part(array, spans, ()) + new, **box(spans))

    def spans(self, array: Atom, indices: Sequence[Value]) -> tuple[tuple[Span, ...], list[Atom], list[int]]:
        """Return where elements of an array lie, with the numbers of the loops that run along its axes."""
        if len(indices) != array.ndim:
            raise Unsuitable
        spans, starts, levels = [], [], []
        for index, extent in zip(indices, array.shape, strict=True):
            if isinstance(index, TripNumber):
                running = [level for level, step in enumerate(index.steps) if step]
                last = index.start + sum(step * (size - 1) for step, size in zip(index.steps, self.sizes, strict=True))
                if len(running) > 1 or min(index.start, last) < 0 or max(index.start, last) >= extent or set(running) & set(levels):
                    raise Unsuitable
                step = sum(index.steps)
                if step < 0:
                    raise Unsuitable
                spans.append(Span(index.start, max(step, 1), self.sizes[running[0]] if running else 1))
                levels += running
            elif isinstance(index, Literal) and 0 <= int(index.value) < extent:
                spans.append(Span(int(index.value), 1, 1))
            elif isinstance(index, Atom) and not index.ndim:
                spans.append(Span(None, 1, 1))
                starts.append(index)
            else:
                raise Unsuitable
        return tuple(spans), starts, levels


def read_part(array: Atom, spans: Sequence[Span], starts: Sequence[Atom]) -> Atom:
    return window(array, *starts, spans=spans) if starts else slice_(array, **box(spans), shape=tuple([span.extent for span in spans]))


def box(spans: Sequence[Span]) -> dict:
    return {"start": tuple([span.start for span in spans]), "step": tuple([span.step for span in spans])}


def indices_of(equation: Equation, operands: list[Value], part: Atom) -> list[Value]:
    """Return the indices of the element that an equation reads or writes."""
    params = equation.params
    if part.type.size != 1 or any(span.counted for span in params.get("spans", ())):
        raise Unsuitable
    if equation.primitive in (gather, scatter, scatter_add):
        return operands
    rest = iter(operands)
    starts = [span.start for span in params["spans"]] if "spans" in params else params["start"]
    return [next(rest) if start is None else literal(start, INT) for start in starts]
