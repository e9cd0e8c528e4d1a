"""Loops that the reverse sweep runs again from snapshots: `replayed`, and `replay`, what is linear in its derivative.

In: as for a `loop` of `length` trips that counts up. It is reversed in segments of `segment` trips, each of which is run once more to keep
what its reversal needs, from a state that is found again with at most `snapshots` copies of it (`schedules`). Invariant: every trip computes
what it does in the loop, from the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

from jitad.ir.passes import PASSES
from jitad.ir.primitive import Primitive
from jitad.ir.program import Atom, Equation, Literal, Program, Var, literal
from jitad.ir.recorder import Recorder, build, current, inline
from jitad.ir.symbolic import Zero, is_zero
from jitad.ir.types import INT
from jitad.primitives.comparisons import minimum
from jitad.primitives.control.bodies import COUNTER, close, leading
from jitad.primitives.control.loops import evaluate_loop, loop
from jitad.primitives.control.schedules import Schedule, schedule
from jitad.primitives.control.undefined import empty
from jitad.primitives.declare import full, instantiate
from jitad.primitives.indexing import gather, scatter
from jitad.primitives.tables import bounded, table


def number(value: int) -> Atom:
    return literal(value, INT)


def plan(length: int, segment: int, snapshots: int) -> Schedule:
    return schedule(-(-length // segment), snapshots)


# --- the loop -------------------------------------------------------------------------------------------------------------------


def as_loop(inputs, body, length, consts, segment, snapshots):
    """Record the loop that a replayed one is when nothing more is to be reversed."""
    return loop(number(length), *inputs, body=body, length=length, consts=consts, reverse=False)


def jvp_replayed(inputs, tangents, body, length, consts, segment, snapshots):
    """Apply the rule of `loop`, and replay the loop that it records."""
    count = number(length)
    with Recorder(current().source) as recorder:
        outputs, dots = loop.jvp([count, *inputs], [Zero(count.type), *tangents], body=body, length=length, consts=consts, reverse=False)
    found = again(recorder, segment, snapshots)
    return [found[x] for x in outputs], [t if is_zero(t) else found[t] for t in dots]


def batch_replayed(size, inputs, axes, body, length, consts, segment, snapshots):
    with Recorder(current().source) as recorder:
        outputs, axes = loop.batch(size, [number(length), *inputs], [None, *axes], body=body, length=length, consts=consts, reverse=False)
    found = again(recorder, segment, snapshots)
    return [found[x] for x in outputs], axes


def again(recorder: Recorder, segment: int, snapshots: int) -> dict[Var, Var]:
    """Record what a rule of `loop` has recorded, the loop at its end as a replayed one; return what its results are now."""
    *before, equation = recorder.equations
    current().equations += before
    params = {name: equation.params[name] for name in ("body", "length", "consts")}
    return dict(zip(equation.outputs, replayed(*equation.inputs[1:], **params, segment=segment, snapshots=snapshots), strict=True))


def depends_replayed(flags, body, length, consts, segment, snapshots):
    return loop.depends([False, *flags], body=body, length=length, consts=consts, reverse=False)


def split_replayed(inputs, unknown, linear: Recorder, body, length, consts, segment, snapshots):
    """Run what is known, keeping snapshots of the part of it that the rest depends on."""
    flags = [*unknown[:consts], *depends_replayed(unknown, body, length, consts, segment, snapshots)]
    counter, variables = body.inputs[0], body.inputs[1:]
    held = [k for k in range(consts) if not flags[k]]
    moving_consts = [k for k in range(consts) if flags[k]]
    known = [k for k in range(consts, len(inputs)) if not flags[k]]
    moving = [k for k in range(consts, len(inputs)) if flags[k]]
    states = leading(body, known, moving, consts)

    parts = PASSES["partition"](body, [False, *flags])
    step = Program([counter, *[variables[k] for k in (*held, *known)]], parts.known, [parts.outputs[k - consts] for k in known])
    rows = [k - consts for k in states]
    results, stacks = first_run(step, chosen_at(inputs, held), chosen_at(inputs, known), [known.index(k) for k in states], length, segment,
                                plan(length, segment, snapshots))

    def rest(i, *atoms):
        given = dict(zip([*held, *moving_consts, *states, *moving], atoms, strict=True))
        unused = [empty(shape=x.shape, dtype=x.dtype) if k not in given else given[k] for k, x in enumerate(variables)]
        outputs = inline(body, [i, *unused])
        return [outputs[k] for k in (*rows, *[k - consts for k in moving])]

    types = [variables[k].type for k in (*held, *moving_consts, *states, *moving)]
    program, free = close(build(rest, [COUNTER, *types], current().source), 1)
    with linear:
        finals = replay(*free, *chosen_at(inputs, held), *stacks, *chosen_at(inputs, [*moving_consts, *moving]), body=program,
                        length=length, held=len(free) + len(held), states=len(states), consts=len(moving_consts), segment=segment,
                        snapshots=snapshots)
    found = dict(zip(known, results, strict=True)) | dict(zip(moving, finals, strict=True))
    return [found[k] for k in range(consts, len(inputs))]


def chosen_at(items: Sequence, places: Sequence[int]) -> list:
    return [items[k] for k in places]


def first_run(step: Program, held, carried, states: Sequence[int], length: int, segment: int, steps: Schedule):
    """Record the run of all trips; return the carried values at its end, and stacks with the first snapshots of those in `states`."""
    rooms = [empty(shape=(steps.rows, *carried[k].shape), dtype=carried[k].dtype) for k in states]
    ends = table(values=(*[place * segment for place in steps.first[1:]], length))

    def run(row, ends, *atoms):
        held_here, (place,), now, stacks = cut(atoms, len(held), 1, len(carried))
        stacks = [scatter(stack, now[k], row, unique=True) for stack, k in zip(stacks, states, strict=True)]
        end = gather(ends, row)
        return [end, *advance(step, held_here, place, end, now, length), *stacks]

    operands = [*held, number(0), *carried, *rooms]
    program, free = close(build(run, [COUNTER, ends.type, *[x.type for x in operands]], current().source), 1)
    _, *results = loop(number(len(steps.first)), *free, ends, *operands, body=program, length=len(steps.first),
                       consts=len(free) + 1 + len(held), reverse=False)
    return results[: len(carried)], results[len(carried) :]


def advance(step: Program, held, place: Atom, end: Atom, carried, length: int) -> list[Atom]:
    """Record the run of trips from `place` up to `end`."""

    def trip(i, place, *atoms):
        return inline(step, [bounded(place + i, extent=length), *atoms])

    types = [COUNTER, place.type, *[x.type for x in (*held, *carried)]]
    program, free = close(build(trip, types, current().source), 1)
    return loop(end - place, *free, place, *held, *carried, body=program, length=length, consts=len(free) + 1 + len(held), reverse=False)


replayed = Primitive(
    "replayed",
    type=lambda *types, body, length, consts, segment, snapshots: body.output_types,
    evaluate=lambda *arrays, body, length, consts, segment, snapshots: evaluate_loop(
        length, *arrays, body=body, length=length, consts=consts, reverse=False),
    jvp=jvp_replayed,
    depends=depends_replayed,
    split=split_replayed,
    batch=batch_replayed,
    expand=as_loop,
    multiple=True,
)


def replay_loop(inputs, segment, snapshots, body, length, consts, reverse):
    """Record a loop with a known number of trips as one that is replayed."""
    if reverse:
        body = build(lambda i, *atoms: inline(body, [number(length - 1) - i, *atoms]), body.input_types)
    return replayed(*inputs[1:], body=body, length=length, consts=consts, segment=segment, snapshots=snapshots)


def trips_of_loop(equation: Equation) -> int | None:
    return equation.params["length"] if isinstance(equation.inputs[0], Literal) else None


loop.replay, loop.trips = replay_loop, trips_of_loop


# --- its linear part ------------------------------------------------------------------------------------------------------------


def expand_replay(inputs, body, length, held, states, consts, segment, snapshots):
    """Record the loop of the states, from the first snapshots on, and of what moves."""
    before, stacks, rest = inputs[:held], inputs[held : held + states], inputs[held + states :]
    start = [gather(stack, number(0)) for stack in stacks]
    return loop(number(length), *before, *rest[:consts], *start, *rest[consts:], body=body, length=length, consts=held + consts,
                reverse=False)[states:]


def whole_replay(types, params) -> Program:
    return build(lambda *atoms: expand_replay(list(atoms), **params), types, current().source)


def evaluate_replay(*arrays, body, length, held, states, consts, segment, snapshots):
    start = [stack[0] for stack in arrays[held : held + states]]
    rest = arrays[held + states :]
    return evaluate_loop(length, *arrays[:held], *rest[:consts], *start, *rest[consts:], body=body, length=length, consts=held + consts,
                         reverse=False)[states:]


def jvp_replay(inputs, tangents, **params):
    return PASSES["push_forward"](whole_replay([x.type for x in inputs], params), inputs, tangents)


def batch_replay(size, inputs, axes, **params):
    types = [x.type if axis is None else x.type.with_shape((*x.shape[:axis], *x.shape[axis + 1 :]))
             for x, axis in zip(inputs, axes, strict=True)]
    return PASSES["push_batch"](whole_replay(types, params), inputs, axes, size)


def transpose_replay(cotangents, inputs, sums, body, length, held, states, consts, segment, snapshots):
    """Go through the segments from the last to the first: find the state before one again, run it keeping residuals, and reverse it."""
    steps = plan(length, segment, snapshots)
    linear, sums = inputs[held + states :], sums[held + states :]
    flags = [False] * (1 + held) + [True] * consts + [False] * states + [True] * len(cotangents)
    parts = PASSES["partition"](body, flags)
    step = Program([x for x, moves in zip(body.inputs, flags, strict=True) if not moves], parts.known, parts.outputs[:states])
    tables = Tables(steps, segment)
    count = len(tables.atoms)

    def trip(j, *atoms):
        given, before, stacks, cts = cut(atoms, count, held, states)
        state, stacks = tables.find(j, given, step, before, stacks, length)
        operands = [j, *before, *[None] * consts, *state, *[None] * (len(cts) - consts)]
        pulled = PASSES["pull_back_body"](one_segment(body, length, held + consts, segment), flags, operands,
                                          [*[full(0, x.type) for x in state], *cts[consts:]], cts[:consts], free=segment == 1)
        return [*stacks, *map(instantiate, pulled)]

    start = [full(0, x.type) if s is None else s for x, s in zip(linear[:consts], sums, strict=False)]
    operands = [*tables.atoms, *inputs[: held + states], *start, *cotangents]
    program, free = close(build(trip, [COUNTER, *[x.type for x in operands]], current().source), 1)
    results = loop(number(len(steps.restored)), *free, *operands, body=program, length=len(steps.restored),
                   consts=len(free) + count + held, reverse=True)
    carried = [ct if s is None else s + ct for s, ct in zip(sums[consts:], results[states + consts :], strict=True)]
    return [*[None] * (held + states), *results[states : states + consts], *carried]


def cut(items: Sequence, *counts: int) -> list[list]:
    """Cut a list in parts of these lengths and what remains."""
    items, parts = list(items), []
    for count in counts:
        parts.append(items[:count])
        items = items[count:]
    return [*parts, items]


def one_segment(body: Program, length: int, consts: int, segment: int) -> Program:
    """Return the Program of segment `j` of a loop, its first input; the last segment may be shorter."""
    if segment == 1:
        return body

    def run(j, *operands):
        def trip(i, j, *atoms):
            return inline(body, [bounded(j * segment + i, extent=length), *atoms])

        program = build(trip, [COUNTER, *body.input_types])
        count = minimum(number(segment), length - j * segment) if length % segment else number(segment)
        return loop(count, j, *operands, body=program, length=segment, consts=1 + consts, reverse=False)

    return build(run, body.input_types, current().source)


class Tables:
    """The schedule as rows of integers: `atoms`."""

    def __init__(self, steps: Schedule, segment: int):
        self.steps = steps
        pairs = [pair for actions in steps.actions for pair in actions]
        starts = [0]
        for actions in steps.actions:
            starts.append(starts[-1] + len(actions))
        self.most = max(map(len, steps.actions))
        columns = [[row for row, _ in steps.restored], [place * segment for _, place in steps.restored], starts]
        self.pairs = len(pairs)
        columns += [[row for row, _ in pairs], [end * segment for _, end in pairs]] if pairs else []
        self.atoms = [table(values=tuple(column)) for column in columns]

    def find(self, j: Atom, atoms, step: Program, held, stacks, length: int) -> tuple[list[Atom], list[Atom]]:
        """Record the way to the state before segment `j`; return it and the stacks of snapshots."""
        restored, places, starts, *actions = atoms
        row = bounded(gather(restored, j), extent=self.steps.rows)
        state = [gather(stack, row) for stack in stacks]
        if not self.most or not state:
            return state, list(stacks)
        first = gather(starts, j)

        def act(i, first, rows, ends, *rest):
            held_here, (place,), state, stacks = cut(rest, len(held), 1, len(step.outputs))
            action = bounded(first + i, extent=self.pairs)
            row, end = bounded(gather(rows, action), extent=self.steps.rows), gather(ends, action)
            stacks = [scatter(stack, x, row, unique=True) for stack, x in zip(stacks, state, strict=True)]
            return [end, *advance(step, held_here, place, end, state, length), *stacks]

        operands = [first, *actions, *held, gather(places, j), *state, *stacks]
        program, free = close(build(act, [COUNTER, *[x.type for x in operands]], current().source), 1)
        _, *results = loop(gather(starts, j + 1) - first, *free, *operands, body=program, length=self.most,
                           consts=len(free) + 3 + len(held), reverse=False)
        return results[: len(state)], results[len(state) :]


replay = Primitive(
    "replay",
    type=lambda *types, body, length, held, states, consts, segment, snapshots: body.output_types[states:],
    evaluate=evaluate_replay,
    jvp=jvp_replay,
    accumulate=transpose_replay,
    batch=batch_replay,
    expand=expand_replay,
    multiple=True,
)
