"""Loops with independent trips that run along what lies together in memory: all trips at once, side by side in *lanes*.

In: a Program. Out: the same, where such a loop around others is gone: numbers of its body are vectors with an element for each trip, arrays
that each trip works in have one more axis, the last, and of arrays that the trips share out the lanes take a row. A sweep down each
column, one column after another, becomes a sweep over the rows in which all columns take a step, whatever else there is in the loop, and so do
its derivatives. Invariant: every element is computed from the same values in the same way.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from jitad.ir.lowering import Pointwise
from jitad.ir.program import Atom, Equation, Literal, Program, Var, literal
from jitad.ir.recorder import Recorder, current, rewrite
from jitad.ir.types import INT
from jitad.optimize.bodies import has_bodies, optimize_bodies
from jitad.optimize.dce import eliminate_dead_code
from jitad.optimize.independence import Box, Trips, Work, has_loops, independent_trips, is_recurrent, lies_along
from jitad.optimize.trip_numbers import TripNumber, moved
from jitad.primitives.control.bodies import close, fixpoint
from jitad.primitives.control.loops import loop
from jitad.primitives.declare import full
from jitad.primitives.structural.boxes import slice_
from jitad.primitives.structural.indexing import gather, scatter, scatter_add
from jitad.primitives.structural.shaping import broadcast, iota, reshape
from jitad.primitives.structural.spans import Span
from jitad.primitives.structural.updates import update
from jitad.primitives.structural.windows import window, window_add, window_update

SIZES = (4, 5, 3)  # lanes whose elements do not lie together: so many take little longer than one


def side_by_side(program: Program, batched: bool = False) -> Program:
    """Return `program` with loops whose trips are independent run in lanes, where that pays.

    If it is to be `batched`, its members will run side by side, but not where each trip has arrays to work in: these need lanes.
    """
    return in_lanes(cleared(program), batched) if any(map(has_bodies, program.equations)) else program


def in_lanes(program: Program, batched: bool) -> Program:
    return optimize_bodies(rewrite(program, functools.partial(rule, batched)), functools.partial(in_lanes, batched=batched))


def cleared(program: Program) -> Program:
    """Return `program` without dead code in loops, however deep."""
    return optimize_bodies(eliminate_dead_code(program), cleared)


def rule(batched: bool, equation: Equation, inputs: list[Atom]) -> Sequence[Atom] | None:
    params = equation.params
    if equation.primitive is not loop or not has_loops(params["body"]):
        return None
    trips = independent_trips(inputs[0], **params)
    if trips is None or (batched and not trips.own):
        return None
    along = lies_along(trips)
    if is_alone(params["body"], trips) if along else not is_recurrent(params["body"]):
        return None
    with Recorder(equation.source) as recorder:
        try:
            results = all_at_once(equation, inputs[1:], trips) if along else in_blocks(equation, inputs[1:], trips)
        except Unsuitable:
            return None
    current().equations += recorder.equations
    return results


def is_alone(body: Program, trips: Trips) -> bool:
    """Whether a body does nothing but run a loop, in arrays that its trips share out: the two loops then change places (`lower.interchange`)."""
    loops = [equation for equation in body.equations if equation.primitive is loop]
    if len(loops) > 1 or has_loops(loops[0].params["body"]) or trips.own or trips.latest:
        return False
    return all(x in loops[0].outputs for x in body.outputs)


def all_at_once(equation: Equation, operands: Sequence[Atom], trips: Trips) -> list[Atom]:
    """Record all trips of a loop side by side."""
    consts = equation.params["consts"]
    lanes = Lanes(equation, trips, equation.params["length"], literal(0, INT))
    return lanes.run(operands[:consts], operands[consts:], operands[consts:])


def in_blocks(equation: Equation, operands: Sequence[Atom], trips: Trips) -> list[Atom]:
    """Record a loop over blocks of trips that run side by side, and the trips that are left.

    What the lanes of a block read does not lie together, but they need not wait for each other.
    """
    body, length, consts, reverse = [equation.params[name] for name in ("body", "length", "consts", "reverse")]
    size = next((size for size in SIZES if length % size == 0), SIZES[0])
    count, rest = divmod(length, size)
    held, before = operands[:consts], operands[consts:]
    own = [k for k, var in enumerate(body.inputs[1 + consts :]) if var in trips.own]

    number, *formal = [Var(x.type) for x in (body.inputs[0], *held, *[before[k] for k in own], *before)]
    inside, first = dict(zip(own, formal[consts:], strict=False)), consts + len(own)
    with Recorder(equation.source) as recorder:
        entering = [inside.get(k, x) for k, x in enumerate(formal[first:])]
        results = Lanes(equation, trips, size, number * size).run(formal[:consts], entering, formal[first:])
    block = Program([number, *formal], recorder.equations, results)

    left = Lanes(equation, trips, rest, literal(length - rest, INT))
    states = left.run(held, before, before) if rest and reverse else before
    states = loop(literal(count, INT), *held, *[before[k] for k in own], *states, body=block, length=count, consts=first, reverse=reverse)
    return left.run(held, before, states) if rest and not reverse else states


class Unsuitable(Exception):
    """A body does what lanes cannot do together."""


@dataclass(frozen=True)
class Vector:
    """A number, or an array, of which each lane has its own: the lanes are the last axis."""

    atom: Atom


@dataclass(frozen=True)
class Shared:
    """An array of whose elements each lane has its share."""

    atom: Atom


Value = Atom | TripNumber | Vector | Shared  # an Atom is the same in all lanes


class Lanes:
    """Runs trips of a loop side by side, `size` of them: lane k is trip ``base + k``."""

    def __init__(self, equation: Equation, trips: Trips, size: int, base: Atom):
        self.body, self.length, self.trips, self.size, self.base = equation.params["body"], equation.params["length"], trips, size, base
        self.last = 0 if equation.params["reverse"] else size - 1

    def run(self, consts: Sequence[Atom], before: Sequence[Atom], states: Sequence[Atom]) -> list[Atom]:
        """Record what the trips do to the carried values, `states`, which were others `before` the loop, and return what is left of them."""
        values: list[Value] = list(consts)
        carried = self.body.inputs[1 + len(consts) :]
        for var, x, state in zip(carried, before, states, strict=True):
            values.append(self.work(x, self.trips.own[var]) if var in self.trips.own else Shared(state) if var in self.trips.share else state)
        results = self.program(self.body, [TripNumber(0, (1,)), *values])
        return [self.latest(x, before[k], self.trips.own.get(var)) for k, (var, x) in enumerate(zip(carried, results, strict=True))]

    def work(self, x: Atom, work: Work) -> Vector:
        """Return arrays to work in, with what is read of what was there before."""
        if work.filled is None:
            return self.vector(x)
        rows = Vector(full(0, x.type.with_shape((*x.shape, self.size))))
        part = part_of(x, work.kept)
        if part is None:
            return rows
        return Vector(update(rows.atom, self.vector(part).atom, start=(*[low for low, _ in work.kept], 0), step=(1,) * (x.ndim + 1)))

    def latest(self, x: Value, before: Atom, work: Work | None) -> Atom:
        """Return what the last trip leaves."""
        if isinstance(x, TripNumber):
            return self.base * x.step + (x.start + x.step * self.last)
        if not isinstance(x, Vector):
            return atom_of(x)
        *shape, _ = x.atom.shape
        last = slice_(x.atom, start=(*[0] * len(shape), self.last), shape=(*shape, 1), step=(1,) * x.atom.ndim)
        last = reshape(last, shape=tuple(shape))
        if work is None or work.filled is None:
            return last
        return update(before, part_of(last, work.filled), start=tuple([low for low, _ in work.filled]), step=(1,) * last.ndim)

    def vector(self, x: Value) -> Vector:
        """Return a value with an element, or an array, for each lane."""
        if isinstance(x, Vector):
            return x
        if isinstance(x, Shared):
            raise Unsuitable
        if isinstance(x, TripNumber):
            return Vector(iota(shape=(self.size,), axis=0, dtype=INT) * x.step + self.first(x))
        return Vector(broadcast(reshape(x, shape=(*x.shape, 1)) if x.ndim else x, shape=(*x.shape, self.size)))

    def program(self, program: Program, inputs: Sequence[Value]) -> list[Value]:
        env: dict[Atom, Value] = dict(zip(program.inputs, inputs, strict=True))
        recorder = current()
        for equation in program.equations:
            recorder.source = equation.source
            operands = [x if isinstance(x, Literal) else env[x] for x in equation.inputs]
            env.update(zip(equation.outputs, self.equation(equation, operands), strict=True))
        return [x if isinstance(x, Literal) else env[x] for x in program.outputs]

    def equation(self, equation: Equation, operands: list[Value]) -> Sequence[Value]:
        primitive = equation.primitive
        if primitive is loop:
            return self.loop(equation, operands)
        if all(isinstance(x, Atom) for x in operands):
            return current().repeat(equation, operands)
        if primitive is gather:
            return [self.read(*operands)]
        if primitive in (slice_, update, window, window_update, window_add):
            return [self.element(equation, operands)]
        if primitive is reshape and isinstance(operands[0], Vector):
            return [Vector(reshape(operands[0].atom, shape=(*equation.params["shape"], self.size)))]
        if primitive in (scatter, scatter_add):
            return [self.write(primitive, equation.params.get("unique", False), *operands)]
        if not isinstance(primitive.lower, Pointwise) or any(x.ndim for x in (*equation.inputs, *equation.outputs)):
            raise Unsuitable
        number = moved(primitive, operands)
        if number is not None:
            return [number]
        return [Vector(primitive(*[x if isinstance(x, Atom) else self.vector(x).atom for x in operands], **equation.params))]

    # --- loops -----------------------------------------------------------------------------------------------------------------------

    def loop(self, equation: Equation, operands: list[Value]) -> Sequence[Value]:
        """Record a loop that all lanes run together."""
        (count, *values), consts, body = operands, equation.params["consts"], equation.params["body"]
        if not isinstance(count, Atom):
            raise Unsuitable
        if all(isinstance(x, Atom) for x in values):
            return current().repeat(equation, operands)
        values = [x if isinstance(x, Atom | Shared) or k < consts else self.vector(x) for k, x in enumerate(values)]
        apart = [k >= consts and isinstance(x, Vector) for k, x in enumerate(values)]
        several = fixpoint(apart[consts:], lambda flags: self.own_results(body, values, flags))
        values = [*values[:consts], *[self.vector(x) if own else x for x, own in zip(values[consts:], several, strict=True)]]
        formal = [x if isinstance(x, TripNumber) else renewed(x) for x in values]
        number = Var(body.inputs[0].type)
        with Recorder(equation.source) as recorder:
            results = [self.result(x, before) for x, before in zip(self.program(body, [number, *formal]), formal[consts:], strict=True)]
        kept = [k for k, x in enumerate(formal) if not isinstance(x, TripNumber)]
        program, free = close(Program([number, *[atom_of(formal[k]) for k in kept]], recorder.equations, results), 1)
        params = {**equation.params, "body": program, "consts": len(free) + sum(k < consts for k in kept)}
        found = loop(count, *free, *[atom_of(values[k]) for k in kept], **params)
        return [x if isinstance(before, Atom) else type(before)(x) for x, before in zip(found, formal[consts:], strict=True)]

    def own_results(self, body: Program, values: Sequence[Value], flags: Sequence[bool]) -> list[bool]:
        """Return which carried values of a loop differ from lane to lane after a trip, if those in `flags` did before."""
        consts = len(values) - len(flags)
        carried = [self.vector(x) if own else x for x, own in zip(values[consts:], flags, strict=True)]
        formal = [x if isinstance(x, TripNumber) else renewed(x) for x in (*values[:consts], *carried)]
        with Recorder(current().source):
            results = self.program(body, [Var(body.inputs[0].type), *formal])
        return [isinstance(x, Vector | TripNumber) for x in results]

    def result(self, x: Value, before: Value) -> Atom:
        """Return what a trip leaves of a carried value, as what it was before."""
        if isinstance(before, Vector):
            return self.vector(x).atom
        if isinstance(before, Shared) is not isinstance(x, Shared):
            raise Unsuitable
        return atom_of(x)

    def first(self, x: TripNumber) -> Atom:
        """Return the number of the first lane."""
        if isinstance(self.base, Literal):
            return literal(x.start + x.step * int(self.base.value), INT)
        return self.base * x.step + x.start

    # --- arrays ----------------------------------------------------------------------------------------------------------------------

    def read(self, array: Value, *indices: Value) -> Value:
        if isinstance(array, Vector):
            if not all(isinstance(x, Atom) and not x.ndim for x in indices):
                raise Unsuitable
            return Vector(gather(array.atom, *indices))
        x = atom_of(array)
        if all(isinstance(index, Atom) for index in indices):
            return gather(x, *indices)
        spans, starts = self.spans(x, indices)
        return Vector(reshape(window(x, *starts, spans=spans), shape=(self.size,)))

    def write(self, primitive, unique: bool, array: Value, value: Value, *indices: Value) -> Value:
        if not isinstance(array, Shared):
            if not all(isinstance(x, Atom) and not x.ndim for x in indices):
                raise Unsuitable
            return Vector(primitive(self.vector(array).atom, self.vector(value).atom, *indices, **({"unique": True} if unique else {})))
        spans, starts = self.spans(array.atom, indices)
        new = reshape(self.vector(value).atom, shape=tuple([span.extent for span in spans]))
        return Shared((window_update if primitive is scatter else window_add)(array.atom, new, *starts, spans=spans))

    def element(self, equation: Equation, operands: list[Value]) -> Value:
        """Read or write a box or a window of one element."""
        primitive, params, read = equation.primitive, equation.params, equation.primitive in (slice_, window)
        part = equation.outputs[0] if read else equation.inputs[1]
        if part.type.size != 1 or any(span.counted for span in params.get("spans", ())):
            raise Unsuitable
        rest = iter(operands[1 if read else 2 :])
        starts = [span.start for span in params["spans"]] if "spans" in params else params["start"]
        indices = [next(rest) if start is None else literal(start, INT) for start in starts]
        if read:
            x = self.read(operands[0], *indices)
            return Vector(reshape(x.atom, shape=(*part.shape, self.size))) if isinstance(x, Vector) else reshape(x, shape=part.shape)
        value = Vector(reshape(self.vector(operands[1]).atom, shape=(self.size,)))
        return self.write(scatter_add if primitive is window_add else scatter, True, operands[0], value, *indices)

    def spans(self, array: Atom, indices: Sequence[Value]) -> tuple[tuple[Span, ...], list[Atom]]:
        """Return where the lanes' elements of an array lie: in a row along one axis."""
        if len(indices) != array.ndim or sum(isinstance(index, TripNumber) for index in indices) != 1:
            raise Unsuitable
        spans, starts = [], []
        for index, extent in zip(indices, array.shape, strict=True):
            if isinstance(index, TripNumber):
                ends = index.start, index.start + index.step * (self.length - 1)
                if min(ends) < 0 or max(ends) >= extent:
                    raise Unsuitable
                first = self.first(index)
                spans.append(Span(int(first.value) if isinstance(first, Literal) else None, index.step, self.size))
                starts += [] if isinstance(first, Literal) else [first]
            elif not isinstance(index, Atom) or index.ndim:
                raise Unsuitable
            else:
                spans.append(Span(None, 1, 1))
                starts.append(index)
        return tuple(spans), starts


def part_of(x: Atom, box: Box) -> Atom | None:
    """Return the part of an array in a box, None if there is nothing in it."""
    shape = tuple([high - low + 1 for low, high in box])
    return slice_(x, start=tuple([low for low, _ in box]), shape=shape, step=(1,) * x.ndim) if shape and min(shape) > 0 else None


def atom_of(x: Value) -> Atom:
    return x if isinstance(x, Atom) else x.atom


def renewed(x: Value) -> Value:
    """Return an input of a body that stands for a value."""
    var = Var(atom_of(x).type)
    return var if isinstance(x, Atom) else type(x)(var)
