"""What a loop reads of an array that it updates in place, and does not overwrite afterwards: it can be read again when the loop has run.

In: the body of a loop, with all loops and branches in it. Out: the values that are read from, or written to, elements of a carried array which
no later write reaches. Invariant: such a value is, bit for bit, what the same places of the array hold that the loop leaves.

So the factors of a matrix are read from where they are, and a factorisation keeps nothing but its result. A write is later than an access if
it is executed after it: in a later trip of one of the loops around both, or further on in the same trip of all of them. It does not reach
the elements accessed if along some axis its places lie all below or all above theirs, for affine places between affine bounds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from jitad.ir.program import Atom, Equation, Literal, Program, Var
from jitad.ir.recorder import Env, Recorder
from jitad.primitives.control.affine import Affine, least, read_atom, read_count, read_equation
from jitad.primitives.structural.boxes import slice_
from jitad.primitives.structural.indexing import gather, scatter, scatter_add
from jitad.primitives.structural.spans import Spans, is_index, open_places
from jitad.primitives.structural.updates import update
from jitad.primitives.structural.windows import window, window_add, window_update

MANY = 100  # accesses to one array that are compared with each other

READS = (gather, window, slice_)
SETS = (scatter, window_update, update)
WRITES = (*SETS, scatter_add, window_add)

Places = tuple[Affine, Affine] | None  # the least and the greatest along an axis; None where that is not known


@dataclass(eq=False)
class Level:
    """A loop around an access: the number of its last trip, which is affine in the levels outside it, and its direction."""

    last: Affine
    reverse: bool = False


Path = tuple[tuple[Level, float], ...]


@dataclass(frozen=True)
class Access:
    """An equation that reads or writes an array: where, and when, namely the levels around it, each with the step of its body."""

    equation: Equation
    places: tuple[Places, ...]
    path: Path


def lasting(body: Program, level: Level, carried: Sequence[Var]) -> dict[Var, tuple[Var, Equation]]:
    """Return the values that stay in the arrays in `carried`, inputs of the body of a loop: each with the array and what reads or writes it."""
    survey = Survey()
    states = survey.walk(body, {var: var for var in carried}, {body.inputs[0]: Affine(0, {level: 1})}, (), level)
    ends = dict(zip(body.inputs[len(body.inputs) - len(body.outputs) :], body.outputs, strict=True))
    found = {}
    for array, accesses in survey.found.items():
        if array in survey.spoilt or states.get(ends[array]) is not array or len(accesses) > MANY:
            continue
        writes = [access for access in accesses if access.equation.primitive in WRITES]
        for access in accesses:
            value = value_of(access.equation)
            if value is not None and all(untouched(access, write) for write in writes):
                found[value] = array, access.equation
    return found


def value_of(equation: Equation) -> Var | None:
    """Return what is read, or what is written and can be read as it was."""
    if equation.primitive in READS:
        return equation.outputs[0]
    if equation.primitive not in SETS:
        return None
    base, value, *_ = equation.inputs
    counted = any(span.counted for span in equation.params.get("spans", ()))
    return None if counted or isinstance(value, Literal) or value.dtype != base.dtype else value


def read_back(equation: Equation, array: Atom, names: Env) -> Atom:
    """Record the read of what `equation` reads or writes from another state of the array."""
    _, *rest = [names.get(x, x) for x in equation.inputs]
    params = equation.params
    if equation.primitive in READS:
        return equation.primitive(array, *rest, **params)
    value, *places = rest
    if equation.primitive is scatter:
        return gather(array, *places)
    if equation.primitive is window_update:
        return window(array, *places, **params)
    return slice_(array, start=params["start"], step=params["step"], shape=value.shape)


# --- the survey --------------------------------------------------------------------------------------------------------------------


class Survey:
    """Collects the accesses to arrays, those to states that have been changed already apart, as `stale`.

    `spoilt` are arrays that are not only updated in place, `loose` those that are also read in other ways.
    """

    def __init__(self):
        self.found: dict[Var, list[Access]] = {}
        self.stale: dict[Var, list[Access]] = {}
        self.spoilt: set[Var] = set()
        self.loose: set[Var] = set()

    def walk(self, program: Program, arrays: dict[Var, Var], known: dict[Atom, Affine], path: Path, level: Level) -> dict[Var, Var]:
        """Walk over a body. `arrays` gives the array that an input is the state of; return the Vars that are the states at the end."""
        states, before, known = dict(arrays), {}, dict(known)
        for step, equation in enumerate(program.equations):
            value = read_equation(equation, known)
            if value is not None:
                known[equation.outputs[0]] = value
            used = [x for x in equation.inputs if x in states or x in before]
            if not used:
                continue
            here = (*path, (level, float(step)))
            entering = dict(states)
            if equation.primitive.control:
                self.loose.update(before[x] for x in used if x in before)
                self.control(equation, states, known, here)
            else:
                self.access(equation, states, before, known, here)
            before |= {x: array for x, array in entering.items() if x not in states}
        return states

    def access(self, equation: Equation, states: dict[Var, Var], before: dict[Var, Var], known: dict[Atom, Affine], path: Path) -> None:
        """Note what an equation does to `states`, or reads of states there were `before`."""
        base, *others = equation.inputs
        access = Access(equation, places_of(equation, known, path), path) if equation.primitive in (*READS, *WRITES) else None
        if access is None or base not in states | before:
            others = equation.inputs
        elif base in states:
            self.found.setdefault(states[base], []).append(access)
            if equation.primitive in WRITES:
                states[equation.outputs[0]] = states.pop(base)
        elif equation.primitive in READS:
            self.stale.setdefault(before[base], []).append(access)
        else:
            self.spoilt.add(before[base])
        self.loose.update((states | before)[x] for x in others if x in states or x in before)

    def control(self, equation: Equation, states: dict[Var, Var], known: dict[Atom, Affine], path: Path) -> None:
        """Walk over the bodies of an equation, and note the states after it."""
        params = equation.params
        if "branches" in params:
            self.branches(equation, states, known, path)
        elif "length" in params and "body" in params and "test" not in params and isinstance(params.get("reverse"), bool):
            self.loop(equation, states, known, path)
        else:
            self.spoilt.update(states.pop(x) for x in set(equation.inputs) & set(states))

    def loop(self, equation: Equation, states: dict[Var, Var], known: dict[Atom, Affine], path: Path) -> None:
        body, consts, operands = equation.params["body"], equation.params["consts"], equation.inputs[1:]
        counter, *formal = body.inputs
        carried = operands[consts:]
        held = {var: states[x] for var, x in zip(formal, operands[:consts], strict=False) if x in states and x not in carried}
        moved = {var: states[x] for var, x in zip(formal[consts:], carried, strict=True) if x in states}
        level = loop_level(equation.inputs[0], equation.params["length"], equation.params["reverse"], known)
        scalars = scalars_of(formal, operands, known) | {counter: Affine(0, {level: 1})}
        last = self.walk(body, held | moved, scalars, path, level)
        self.spoilt.update(array for var, array in held.items() if var not in last)
        for x, end, result in zip(carried, body.outputs, equation.outputs, strict=True):
            if x in states:
                array = states.pop(x)
                if last.get(end) is array and carried.count(x) == 1:
                    states[result] = array
                else:
                    self.spoilt.add(array)

    def branches(self, equation: Equation, states: dict[Var, Var], known: dict[Atom, Affine], path: Path) -> None:
        """Branches count as steps one after another."""
        operands, bodies = equation.inputs[1:], equation.params["branches"]
        *outer, (around, step) = path
        ends = []
        for number, body in enumerate(bodies):
            entering = {var: states[x] for var, x in zip(body.inputs, operands, strict=True) if x in states}
            here = (*outer, (around, step + number / len(bodies)))
            ends.append(self.walk(body, entering, scalars_of(body.inputs, operands, known), here, Level(Affine(0))))
            if len(set(entering.values())) < len(entering):
                self.spoilt.update(entering.values())
        for place, x in enumerate(operands):
            if x not in states:
                continue
            array = states[x]
            results = [var for k, var in enumerate(equation.outputs)
                       if all(end.get(body.outputs[k]) is array for end, body in zip(ends, bodies, strict=True))]
            if results:
                states[results[0]] = states.pop(x)
            elif any(body.inputs[place] not in end for end, body in zip(ends, bodies, strict=True)):
                self.spoilt.add(states.pop(x))


def loop_level(count: Atom, length: int, reverse: bool, known: Mapping[Atom, Affine] = MappingProxyType({})) -> Level:
    trips = read_count(count, known)
    return Level((Affine(length) if trips is None else trips) - 1, reverse)


def scalars_of(formal: Sequence[Var], operands: Sequence[Atom], known: dict[Atom, Affine]) -> dict[Atom, Affine]:
    return {var: value for var, x in zip(formal, operands, strict=True) if (value := read_atom(x, known)) is not None}


# --- where -------------------------------------------------------------------------------------------------------------------------


def places_of(equation: Equation, known: dict[Atom, Affine], path: Path) -> tuple[Places, ...]:
    """Return the places that an equation reads or writes in its first operand, per axis."""
    base, *rest = equation.inputs
    params, shape = equation.params, base.shape
    if equation.primitive in (gather, scatter, scatter_add):
        indices = rest if equation.primitive is gather else rest[1:]
        found = [index_place(read_atom(x, known) if x.shape == () else None, n, path) for x, n in zip(indices, shape, strict=False)]
        return (*found, *[(Affine(0), Affine(n - 1)) for n in shape[len(found) :]])
    if "spans" in params:
        return window_places(params["spans"], rest if equation.primitive is window else rest[1:], shape, known, path)
    counts = params.get("shape", rest[0].shape if rest else ())
    return tuple([stretch(Affine(start), step, Affine(count)) for start, step, count in zip(params["start"], params["step"], counts, strict=True)])


def index_place(index: Affine | None, extent: int, path: Path) -> Places:
    """Negative indices count from the end."""
    if index is None:
        return None
    if not index.terms and index.const < 0:
        index = index + extent
    return (index, index) if least(index, bounds(path)) >= 0 else None


def window_places(spans: Spans, scalars, shape, known: dict[Atom, Affine], path: Path) -> tuple[Places, ...]:
    found: list[Places] = []
    for span, start, count, extent in zip(spans, *open_places(spans, scalars), shape, strict=True):
        begin = Affine(start) if isinstance(start, int) else read_atom(start, known)
        number = None if count is None else read_count(count, known)
        if is_index(span):
            found.append(index_place(begin, extent, path))
        else:
            found.append(None if begin is None else stretch(begin, span.step, Affine(span.extent) if number is None else number))
    return tuple(found)


def stretch(start: Affine, step: int, count: Affine) -> Places:
    end = start + (count - 1) * step
    return (start, end) if step > 0 else (end, start)


# --- when --------------------------------------------------------------------------------------------------------------------------


def bounds(path: Path) -> list[tuple[Level, Affine, Affine]]:
    return [(level, Affine(0), level.last) for level, _ in reversed(path)]


def untouched(access: Access, write: Access) -> bool:
    """Whether no execution of `write` after one of `access` reaches the same elements."""
    common = 0
    for (one, _), (other, _) in zip(access.path, write.path, strict=False):
        if one is not other:
            break
        common += 1
    later = write.path[common - 1][1] > access.path[common - 1][1]
    if later and not apart(access, write, common, []):
        return False
    levels = [level for level, _ in access.path[:common]]
    return all(apart(access, write, depth + 1, [(level, not level.reverse)]) for depth, level in enumerate(levels))


def apart(access: Access, other: Access, depth: int, pairs: Sequence[tuple[Level, bool]]) -> bool:
    """Whether the two reach different elements if the trips at the levels before `depth` are the same, but for those in `pairs`, the last of
    them: there `other` is in a trip of a greater number, or of a lesser one."""
    names = {level: Level(level.last) for level, _ in (*pairs, *other.path[depth:])}
    limits = [(names[level], Affine(0), level.last.renamed(names)) for level, _ in reversed(other.path[depth:])]
    limits += bounds(access.path[depth:])
    for level, greater in reversed(pairs):
        here, there, last = Affine(0, {level: 1}), names[level], level.last
        if not last.terms and last.const < 1:
            return True
        down = [(there, Affine(0), here - 1), (level, Affine(1), last)]
        limits += [(there, here + 1, last.renamed(names)), (level, Affine(0), last - 1)] if greater else down
    limits += bounds(access.path[: depth - len(pairs)])
    for own, others in zip(access.places, other.places, strict=True):
        if own is None or others is None:
            continue
        (low, high), (below, above) = own, [end.renamed(names) for end in others]
        if least(below - high, limits) > 0 or least(low - above, limits) > 0:
            return True
    return False


# --- what splits of loops and branches pass on -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Lasting:
    """What a linear part can read from arrays in their last states: `values` as `lasting` gives them, `states` the arrays in that state."""

    values: dict[Var, tuple[Var, Equation]] = field(default_factory=dict)
    states: dict[Var, Atom] = field(default_factory=dict)

    def inside(self) -> Lasting:
        """Return the same for a body, whose inputs the states become."""
        return Lasting(self.values, {array: Var(array.type) for array in self.states})

    def reread(self, known: Sequence[Equation], names: Env) -> list[Equation]:
        """Return the equations of a known part, with those values that can be read from the last states read there.

        `names` are what the Vars of the body are called there.
        """
        makers = {var: equation for equation in known for var in equation.outputs}
        replaced = {}
        for value, (array, source) in self.values.items():
            maker = makers.get(names.get(value, value))
            if maker is not None and len(maker.outputs) == 1:
                with Recorder(source.source) as recorder:
                    read_back(source, self.states[array], names)
                (equation,) = recorder.equations
                equation.outputs = maker.outputs
                replaced[maker] = equation
        return in_order([replaced.get(equation, equation) for equation in known]) if replaced else list(known)


def in_order(equations: Sequence[Equation]) -> list[Equation]:
    """Return equations in an order in which values come before their uses."""
    makers = {var: equation for equation in equations for var in equation.outputs}
    done: dict[Equation, None] = {}

    def emit(equation: Equation) -> None:
        for x in equation.inputs:
            if x in makers and makers[x] not in done:
                emit(makers[x])
        done[equation] = None

    for equation in equations:
        if equation not in done:
            emit(equation)
    return list(done)
