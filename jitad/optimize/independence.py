"""Loops whose trips have nothing to do with each other.

In: a loop around loops. Out: its `Trips`, where no trip reads what another one writes: of each carried array each trip touches elements of its
own, or else uses it to work in, that is reads what it has written itself before, or what no trip writes. Invariant: the trips may run in any
order, or all at once if each has work arrays of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jitad.ir.lowering import UNBOUNDED
from jitad.ir.program import Atom, Equation, Literal, Program, Var
from jitad.primitives.control.affine import Affine, least
from jitad.primitives.control.lasting import MANY, READS, SETS, WRITES, Access, Level, Survey, apart, bounds, loop_level
from jitad.primitives.control.loops import loop

FEW = 16  # trips that are not worth it

Box = tuple[tuple[int, int], ...]  # the first and the last place along each axis


@dataclass(frozen=True)
class Work:
    """An array to work in: what a trip reads as it was before the loop lies in the box `kept`, and it writes all of the box `filled`, and
    nothing else; that is None where it is not known."""

    kept: Box
    filled: Box | None


@dataclass(frozen=True)
class Trips:
    """The carried values of a loop with independent trips, inputs of its body: arrays that the trips `share` out, those that each has as
    its `own`, and values of which each trip leaves a new one, the `latest` of which stays."""

    share: list[Var]
    own: dict[Var, Work]
    latest: list[Var]
    accesses: list[Access]
    level: Level


def independent_trips(count: Atom, body: Program, length: int, consts: int, reverse: bool, few: int = FEW) -> Trips | None:
    """Return how the trips of a loop with this body are independent, None if they are not known to be, or less than `few`."""
    if not isinstance(count, Literal) or length == UNBOUNDED or length < few:
        return None
    carried, level, survey = body.inputs[1 + consts :], loop_level(count, length, reverse), Survey()
    arrays = {var: var for var in body.inputs[1:] if var.ndim}
    ends = survey.walk(body, arrays, {body.inputs[0]: Affine(0, {level: 1})}, (), level)
    read = {x for equation in body.equations for x in equation.inputs} | set(body.outputs)
    share, own, latest = [], {}, []
    for var, end in zip(carried, body.outputs, strict=True):
        found = survey.found.get(var, [])
        if var not in read:
            latest.append(var)
        elif var in survey.spoilt or var in survey.loose or var in survey.stale or ends.get(end) is not var or len(found) > MANY:
            return None
        elif keep_apart(found, level):
            share.append(var)
        elif (work := work_of(found)) is not None and counted_before(body):
            own[var] = work
        else:
            return None
    touched = {*share, *body.inputs[1 : 1 + consts]}
    return Trips(share, own, latest, [access for var in touched for access in survey.found.get(var, ())], level)


def has_loops(body: Program) -> bool:
    return any(equation.primitive is loop for equation in body.equations)


def keep_apart(accesses: Sequence[Access], level: Level) -> bool:
    """Whether no trip writes what another one reads or writes."""
    later = [(level, True)]
    return all(apart(x, y, 1, later) and apart(y, x, 1, later) for y in accesses if is_write(y) for x in accesses)


def is_write(access: Access) -> bool:
    return access.equation.primitive in WRITES


# --- arrays to work in ---------------------------------------------------------------------------------------------------------------


def work_of(accesses: Sequence[Access]) -> Work | None:
    """Return how trips work in an array, if what a trip reads of it, it has written before, or no trip writes; else None."""
    written = [box_of(access) for access in accesses if is_write(access)]
    if None in written:
        return None
    kept = [exposed_box(access, accesses) for access in accesses if access.equation.primitive in READS or adds(access)]
    if None in kept or not all(are_disjoint(box, other) for box in kept for other in written):
        return None
    whole = hull(written)
    dense = [access for access in accesses if is_write(access) and not adds(access) and is_dense(access)]
    return Work(hull(kept), whole if any(box_of(access) == whole for access in dense) else None)


def hull(boxes: Sequence[Box]) -> Box:
    """Return the least box that holds all of `boxes`."""
    found = [box for box in boxes if all(low <= high for low, high in box)]
    if not found:
        return tuple([(0, -1) for _ in boxes[0]]) if boxes else ()
    return tuple([(min(low for low, _ in ends), max(high for _, high in ends)) for ends in zip(*found, strict=True)])


def counted_before(body: Program) -> bool:
    """Whether the numbers of trips of all loops in a body are known."""
    loops = [equation for equation in body.equations if equation.primitive is loop]
    return all(isinstance(equation.inputs[0], Literal) and counted_before(equation.params["body"]) for equation in loops)


def adds(access: Access) -> bool:
    return is_write(access) and access.equation.primitive not in SETS


def box_of(access: Access) -> Box | None:
    """Return the least box that holds all places of an access, the same in each trip of the outermost loop; None if that is not known."""
    (outer, _), *_ = access.path
    limits, box = bounds(access.path), []
    for place in access.places:
        if place is None or any(outer in end.terms for end in place):
            return None
        low, high = place
        ends = least(low, limits), -least(high * -1, limits)
        if not all(isinstance(end, int) for end in ends):
            return None
        box.append(ends)
    return tuple(box)


def are_disjoint(box: Box, other: Box) -> bool:
    return any(low > high or high < start or end < low for (low, high), (start, end) in zip(box, other, strict=True))


def exposed_box(read: Access, accesses: Sequence[Access]) -> Box | None:
    """Return a box that holds what `read` reads and no access has written before in the same trip; None if that is not known."""
    whole = box_of(read)
    if whole is None:
        return None
    for write in accesses:
        if is_write(write) and not adds(write):
            if is_before(write, read) and is_dense(write):
                whole = without(whole, box_of(write))
            elif write.path[:-1] == read.path[:-1] and write.path[-1][0] is read.path[-1][0]:
                whole = first_reads(whole, read, write)
    return whole


def is_before(write: Access, read: Access) -> bool:
    """Whether all of `write` is done, in a trip of the loops around both, before `read` begins."""
    common = 0
    for (one, here), (other, there) in zip(write.path, read.path, strict=False):
        if one is not other:
            return False
        common += 1
        if here != there:
            break
    (_, step), (_, other) = write.path[common - 1], read.path[common - 1]
    inside = {level for level, _ in write.path[:common]}
    return step < other and not any(inside & {*end.terms} for place in write.places for end in place)


def is_dense(write: Access) -> bool:
    """Whether a write reaches every element of its box: each axis is one place, a stretch of them, or gone through by a loop of its own."""
    used: list = []
    for low, high in write.places:
        if low.terms:
            ((symbol, factor), *others) = low.terms.items()
            if others or low != high or abs(factor) != 1 or symbol in used or symbol.last.terms:
                return False
            used.append(symbol)
    steps = [span.step for span in write.equation.params.get("spans", ())] + list(write.equation.params.get("step", ()))
    return all(abs(step) == 1 for step in steps) and all(level.last.terms or level.last.const >= 0 for level, _ in write.path)


def without(box: Box, written: Box) -> Box:
    """Return the least box that holds what is in the one and not in the other."""
    outside = [k for k, ((low, high), (start, end)) in enumerate(zip(box, written, strict=True)) if low < start or end < high]
    if not outside:
        return ((0, -1),) * len(box)
    if len(outside) > 1:
        return box
    (axis,) = outside
    (low, high), (start, end) = box[axis], written[axis]
    rest = (low, min(high, start - 1)) if high <= end else (max(low, end + 1), high) if start <= low else (low, high)
    return (*box[:axis], rest, *box[axis + 1 :])


def first_reads(box: Box, read: Access, write: Access) -> Box:
    """Return what is read before the loop around both has written it, where one trip reads what an earlier one writes."""
    (level, step), (_, other) = write.path[-1], read.path[-1]
    shifts, axis = [], None
    for k, ((low, high), (start, end)) in enumerate(zip(read.places, write.places, strict=True)):
        if low != high or start != end or low.terms != start.terms:
            return box
        if level in low.terms:
            if axis is not None or abs(low.terms[level]) != 1 or len(low.terms) > 1:
                return box
            axis = k
        elif low.const != start.const:
            return box
        shifts.append((start.const - low.const) * low.terms.get(level, 1))
    if axis is None or level.last.terms:
        return box
    earlier = -shifts[axis] if level.reverse else shifts[axis]  # so many trips before it was written
    if earlier < 0 or earlier == 0 and step > other:
        return box
    first, last = (level.last.const - earlier + 1, level.last.const) if level.reverse else (0, earlier - 1)
    place = read.places[axis][0]
    low, high = sorted(place.replace(level, Affine(k)).const for k in (first, last)) if earlier else (0, -1)
    return (*box[:axis], (max(low, box[axis][0]), min(high, box[axis][1])), *box[axis + 1 :])


# --- what it is worth ----------------------------------------------------------------------------------------------------------------


def lies_along(trips: Trips) -> bool:
    """Whether the loop runs along the last axes of more arrays than the loops in it."""
    outer = inner = 0
    for access in trips.accesses:
        if access.places[-1] is None:
            return False
        low, high = access.places[-1]
        symbols = {*low.terms, *high.terms}
        outer += symbols == {trips.level} and low == high
        inner += bool(symbols - {trips.level}) or low != high
    return outer > inner


def is_recurrent(body: Program) -> bool:
    """Whether most loops in a body that hold no other ones hand something on from trip to trip, so that these have to wait for each other."""
    found = list(map(hands_on, innermost(body)))
    return 2 * sum(found) > len(found)


def innermost(body: Program) -> Iterator[Equation]:
    for equation in body.equations:
        if equation.primitive is loop:
            inner = equation.params["body"]
            yield from innermost(inner) if has_loops(inner) else [equation]


def hands_on(equation: Equation) -> bool:
    """Whether a trip of a loop reads what another one has left."""
    count, params = equation.inputs[0], equation.params
    trips = independent_trips(count, params["body"], params["length"], params["consts"], params["reverse"], 1)
    return trips is None or bool(trips.own)
