"""Loops that the reverse sweep runs again from snapshots: `replayed`, and `replay`, what is linear in its derivative.

In: as for a `loop` that counts up, or with a `test` as for a `while_`. It is reversed in segments of `segment` trips, each of which is run once
more to keep what its reversal needs, from a state that is found again with at most `snapshots` copies of it (`schedules`), however many trips
there are. Invariant: every trip computes what it does in the loop, from the same numbers.

A loop that no other one surrounds keeps the first snapshots when it first runs, those of one whose trips are not counted before it runs thinned
out on the way (`online`). Another one keeps what it starts from, for each trip of those around it, and begins with that when it is reversed.
"""

from __future__ import annotations

from collections.abc import Sequence

from jitad.ir.lowering import UNBOUNDED
from jitad.ir.passes import PASSES
from jitad.ir.primitive import Primitive
from jitad.ir.program import Atom, Equation, Literal, Program, Var
from jitad.ir.recorder import Recorder, build, current, inline
from jitad.ir.symbolic import ASKED, KNOWN, is_zero, state_of
from jitad.ir.types import COUNTER
from jitad.primitives.control import online
from jitad.primitives.control.bodies import chosen, chosen_at, close, cut, leading, opposite
from jitad.primitives.control.delays import delayed_body
from jitad.primitives.control.loops import loop
from jitad.primitives.control.pulled import first_sum, pulled_body, united
from jitad.primitives.control.schedules import number, room, route
from jitad.primitives.control.undefined import empty
from jitad.primitives.control.whiles import while_
from jitad.primitives.declare import full
from jitad.primitives.elementwise.arithmetic import floor_divide
from jitad.primitives.elementwise.comparisons import gt, maximum, minimum, select
from jitad.primitives.structural.indexing import gather, scatter
from jitad.primitives.tables import bounded

# --- the loop -------------------------------------------------------------------------------------------------------------------


def plain(body, length, consts, test, segment=None, snapshots=None) -> tuple[Primitive, dict]:
    """Return what a replayed loop is when nothing more is to be reversed: a primitive and its parameters."""
    if test is None:
        return loop, {"body": body, "length": length, "consts": consts, "reverse": False}
    return while_, {"body": body, "length": length, "consts": consts, "test": test}


def as_loop(inputs, **params):
    primitive, params = plain(**params)
    return primitive(*inputs, **params)


def type_of_replayed(*types, **params):
    primitive, params = plain(**params)
    return primitive.type(*types, **params)


def evaluate_replayed(*arrays, **params):
    primitive, params = plain(**params)
    return primitive.evaluate(*arrays, **params)


def depends_replayed(flags, through=None, **params):
    primitive, params = plain(**params)
    return primitive.depends(flags, **params, through=through)


def jvp_replayed(inputs, tangents, segment, snapshots, **params):
    """Apply the rule of the loop, and replay the one that it records."""
    primitive, params = plain(**params)
    with Recorder(current().source) as recorder:
        outputs, dots = primitive.jvp(inputs, tangents, **params)
    found = again(recorder, segment, snapshots)
    return [found[x] for x in outputs], [t if is_zero(t) else found[t] for t in dots]


def batch_replayed(size, inputs, axes, segment, snapshots, **params):
    primitive, params = plain(**params)
    with Recorder(current().source) as recorder:
        outputs, axes = primitive.batch(size, inputs, axes, **params)
    found = again(recorder, segment, snapshots)
    return [found[x] for x in outputs], axes


def again(recorder: Recorder, segment: int, snapshots: int) -> dict[Var, Var]:
    """Record what a rule of a loop has recorded, the loop at its end as a replayed one; return what its results are now."""
    *before, equation = recorder.equations
    current().equations += before
    params = {name: equation.params.get(name) for name in ("body", "length", "consts", "test")}
    return dict(zip(equation.outputs, replayed(*equation.inputs, **params, segment=segment, snapshots=snapshots), strict=True))


def split_replayed(inputs, unknown, linear: Recorder, body, length, consts, test, segment, snapshots):
    """Run what is known; the rest starts from where it did, or from snapshots kept on the way."""
    (limit, *inputs), unknown = inputs, unknown[1:]
    late = depends_replayed([False, *unknown], body=body, length=length, consts=consts, test=test)[test is not None :]
    flags = [*unknown[:consts], *late]
    later = None if test else delayed_body(body, consts, inputs[consts:], opposite(late), 0)
    if later is not None:
        outputs = split_replayed([limit, *inputs], [False, *unknown], linear, later.body, length, consts, test, segment, snapshots)
        return later.finals(outputs, [limit, *inputs], consts)
    counter, variables = body.inputs[0], body.inputs[1:]
    held, known = places_of(opposite(flags), consts)
    moving_consts, moving = places_of(flags, consts)
    states = leading(body, known, moving, consts)

    parts = PASSES["partition"](body, [False, *flags])
    step = Program([counter, *[variables[k] for k in (*held, *known)]], parts.known, [parts.outputs[k - consts] for k in known])
    before, carried, rows_of = chosen_at(inputs, held), chosen_at(inputs, known), [known.index(k) for k in states]
    begun = linear.outermost and bool(states) and (test is None or snapshots >= online.LEAST)
    decide = test and Program(chosen(test.inputs, [True, *opposite(flags)]), test.equations, test.outputs)
    if begun and test is None:
        count, (results, start) = limit, first_run(step, before, carried, rows_of, limit, length, segment, snapshots)
    elif begun:
        count, results, start = online.run_online(step, decide, before, carried, rows_of, limit, length, segment, snapshots)
    else:
        results = as_loop([limit, *before, *carried], body=step, length=length, consts=len(held), test=decide)
        count, start = limit if test is None else results[0], chosen_at(inputs, states)
        results = results[len(results) - len(known) :]
    rows = [k - consts for k in states]

    def rest(i, *atoms):
        given = dict(zip([*held, *moving_consts, *states, *moving], atoms, strict=True))
        unused = [empty(shape=x.shape, dtype=x.dtype) if k not in given else given[k] for k, x in enumerate(variables)]
        outputs = inline(body, [i, *unused])
        return [outputs[k] for k in (*rows, *[k - consts for k in moving])]

    types = [variables[k].type for k in (*held, *moving_consts, *states, *moving)]
    program, free = close(build(rest, [COUNTER, *types], current().source), 1)
    with linear:
        finals = replay(count, *free, *before, *start, *chosen_at(inputs, [*moving_consts, *moving]), body=program, length=length,
                        held=len(free) + len(held), states=len(states), consts=len(moving_consts), segment=segment, snapshots=snapshots,
                        begun=begun)
    found = dict(zip(known, results, strict=True)) | dict(zip(moving, finals, strict=True))
    return [*([] if test is None else [count]), *[found[k] for k in range(consts, len(inputs))]]


def places_of(flags: Sequence[bool], consts: int) -> tuple[list[int], list[int]]:
    """Return the places in `flags`, those of constants and those of carried values."""
    found = [k for k, flag in enumerate(flags) if flag]
    return [k for k in found if k < consts], [k for k in found if k >= consts]


replayed = Primitive(
    "replayed",
    type=type_of_replayed,
    evaluate=evaluate_replayed,
    jvp=jvp_replayed,
    depends=depends_replayed,
    split=split_replayed,
    batch=batch_replayed,
    expand=as_loop,
    multiple=True,
)


def replay_loop(inputs, segment, snapshots, body, length, consts, reverse):
    count, *inputs = inputs
    if reverse:
        body = build(lambda i, count, *atoms: inline(body, [count - (i + 1), *atoms]), [COUNTER, COUNTER, *body.input_types[1:]])
        inputs, consts = [count, *inputs], consts + 1
    return replayed(count, *inputs, body=body, length=length, consts=consts, test=None, segment=segment, snapshots=snapshots)


def replay_while(inputs, segment, snapshots, test, body, length, consts):
    return replayed(*inputs, body=body, length=length, consts=consts, test=test, segment=segment, snapshots=snapshots)


def most_trips(equation: Equation) -> int:
    return equation.params["length"]


loop.replay, loop.trips = replay_loop, most_trips
while_.replay, while_.trips = replay_while, most_trips


# --- from snapshot to snapshot --------------------------------------------------------------------------------------------------


def segments(count: Atom, segment: int) -> Atom:
    if isinstance(count, Literal):
        return number(-(-int(count.value) // segment))
    return count if segment == 1 else floor_divide(count + (segment - 1), number(segment))


def most(length: int, segment: int) -> int:
    """Return how many segments there are at most."""
    return length if length == UNBOUNDED else -(-length // segment)


def within(x: Atom, length: int) -> Atom:
    """Return the number of a trip, of which it is known that it is one."""
    return x if length == UNBOUNDED else bounded(x, extent=length)


def begin(starts: Sequence[Atom], snapshots: int) -> list[Atom]:
    """Return the number of the last snapshot, where all are, and their stacks, of which the first rows are there."""
    stacks = [empty(shape=(snapshots, *x.shape), dtype=x.dtype) for x in starts]
    return [number(0), full(0, room(snapshots)), *[scatter(stack, x, number(0), unique=True) for stack, x in zip(stacks, starts, strict=True)]]


def first_run(step: Program, held, carried, states: Sequence[int], count, length: int, segment: int, snapshots: int):
    """Record the run of all trips; return the values carried at its end, and as `begin` the first snapshots of those in `states`."""
    stacks = [empty(shape=(snapshots, *carried[k].shape), dtype=carried[k].dtype) for k in states]
    begun = number(0), full(0, room(snapshots)), stacks
    results, top, places, stacks = travel(step, held, carried, states, begun, segments(count, segment), count, length, segment)
    return results, [top, places, *stacks]


def travel(step: Program, held, carried, states, begun, target: Atom, count: Atom, length: int, segment: int):
    """Record the run of segments from the last snapshot, where `carried` was, up to `target`, snapshots being kept on the way.

    Return what is carried there, and the snapshots.
    """
    top, places, stacks = begun
    snapshots = places.shape[0] - 1
    places, end = route(places, top, target)

    def act(i, first, places, *rest):
        held_here, now, stacks = cut(rest, len(held), len(carried))
        row = bounded(first + i, extent=snapshots)
        stacks = [scatter(stack, now[k], row, unique=True) for stack, k in zip(stacks, states, strict=True)]
        start, stop = gather(places, row) * segment, gather(places, bounded(row + 1, extent=snapshots + 1)) * segment
        return [*advance(step, held_here, start, minimum(stop, count), now, length), *stacks]

    operands = [top, places, *held, *carried, *stacks]
    program, free = close(build(act, [COUNTER, *[x.type for x in operands]], current().source), 1)
    results = loop(end - top, *free, *operands, body=program, length=snapshots, consts=len(free) + 2 + len(held), reverse=False)
    return results[: len(carried)], maximum(end - 1, top), places, results[len(carried) :]


def advance(step: Program, held, start: Atom, stop: Atom, carried, length: int) -> list[Atom]:
    """Record the run of trips from `start` up to `stop`."""

    def trip(i, start, *atoms):
        return inline(step, [within(start + i, length), *atoms])

    types = [COUNTER, start.type, *[x.type for x in (*held, *carried)]]
    program, free = close(build(trip, types, current().source), 1)
    return loop(stop - start, *free, start, *held, *carried, body=program, length=length, consts=len(free) + 1 + len(held), reverse=False)


# --- the linear part ------------------------------------------------------------------------------------------------------------


def expand_replay(inputs, body, length, held, states, consts, segment, snapshots, begun):
    """Record the loop of the states, from where they started, and of what moves."""
    (count,), before, noted, start, rest = cut(inputs, 1, held, 2 * begun, states)
    if begun:
        start = [gather(stack, number(0)) for stack in start]
    return loop(count, *before, *rest[:consts], *start, *rest[consts:], body=body, length=length, consts=held + consts,
                reverse=False)[states:]


def whole_replay(types, params) -> Program:
    return build(lambda *atoms: expand_replay(list(atoms), **params), types, current().source)


def evaluate_replay(*arrays, body, length, held, states, consts, segment, snapshots, begun):
    (count,), before, _, start, rest = cut(arrays, 1, held, 2 * begun, states)
    start = [stack[0] for stack in start] if begun else start
    return loop.evaluate(count, *before, *rest[:consts], *start, *rest[consts:], body=body, length=length, consts=held + consts,
                         reverse=False)[states:]


def jvp_replay(inputs, tangents, **params):
    return PASSES["push_forward"](whole_replay([x.type for x in inputs], params), inputs, tangents)


def batch_replay(size, inputs, axes, **params):
    types = [x.type if axis is None else x.type.with_shape((*x.shape[:axis], *x.shape[axis + 1 :]))
             for x, axis in zip(inputs, axes, strict=True)]
    return PASSES["push_batch"](whole_replay(types, params), inputs, axes, size)


def transpose_replay(cotangents, inputs, sums, body, length, held, states, consts, segment, snapshots, begun):
    """Go through the segments from the last to the first: find the state before one again, run it keeping residuals, and reverse it."""
    (count,), before, noted, start, linear = cut(inputs, 1, held, 2 * begun, states)
    sums = sums[len(inputs) - len(linear) :]
    noted = [*noted, *start] if begun else begin(start, snapshots) if states else []
    flags = [False] * (1 + held) + [True] * consts + [False] * states + [True] * len(cotangents)
    parts = PASSES["partition"](body, flags)
    step = Program([x for x, moves in zip(body.inputs, flags, strict=True) if not moves], parts.known, parts.outputs[:states])
    whole = one_segment(body, count, length, held + consts, segment)
    where = [*[KNOWN] * (1 + held), *map(state_of, linear[:consts]), *[KNOWN] * states, *map(state_of, linear[consts:])]
    moved = loop.depends(where, body, length, held + consts, False, through=PASSES["asked"])[states:]
    asked = [state == ASKED for state in (*map(state_of, linear[:consts]), *moved)]

    def pull(j, before, noted, totals, cts):
        state, noted = find(j, noted, step, before, count, length, segment) if states else ([], [])
        operands = [j, *whole[1], *before, *[None] * consts, *state, *[None] * len(cts)]
        pulled = PASSES["pull_back_body"](whole[0], [*flags[:1], *[False] * len(whole[1]), *flags[1:]], operands,
                                          [*[full(0, x.type) for x in state], *cts], totals, asked, free=segment == 1)
        return noted, pulled, []

    totals = list(map(first_sum, sums[:consts], linear[:consts]))
    back = pulled_body(pull, *[[x.type for x in group] for group in (before, noted)], totals, cotangents)
    program, free = close(back.program, 1)
    trips = segments(count, segment)
    results = loop(trips, *free, *before, *noted, *back.start, body=program, length=most(length, segment), consts=len(free) + held,
                   reverse=True)
    found = back.results(results, trips, before)
    return [*[None] * (len(inputs) - len(linear)), *found[:consts], *map(united, sums[consts:], found[consts:])]


def find(j: Atom, noted, step: Program, held, count: Atom, length: int, segment: int) -> tuple[list[Atom], list[Atom]]:
    """Record the way to the state before segment `j`, not after the last snapshot but one; return it and the snapshots."""
    (top, places), stacks = noted[:2], noted[2:]
    snapshots = places.shape[0] - 1
    top = top - select(gt(gather(places, bounded(top, extent=snapshots + 1)), j), number(1), number(0))
    row = bounded(top, extent=snapshots)
    state = [gather(stack, row) for stack in stacks]
    state, top, places, stacks = travel(step, held, state, range(len(state)), (top, places, stacks), j, count, length, segment)
    return state, [top, places, *stacks]


def one_segment(body: Program, count: Atom, length: int, consts: int, segment: int) -> tuple[Program, list[Var]]:
    """Return the Program of segment `j` of a loop, its first input, and the operands to add after it; the last segment may be shorter."""
    if segment == 1:
        return body, []

    def run(j, *operands):
        def trip(i, j, *atoms):
            return inline(body, [within(j * segment + i, length), *atoms])

        program = build(trip, [COUNTER, *body.input_types])
        whole = isinstance(count, Literal) and int(count.value) % segment == 0
        trips = number(segment) if whole else minimum(number(segment), count - j * segment)
        return loop(trips, j, *operands, body=program, length=segment, consts=1 + consts, reverse=False)

    return close(build(run, body.input_types, current().source), 1)


replay = Primitive(
    "replay",
    type=lambda *types, body, states, **params: body.output_types[states:],
    evaluate=evaluate_replay,
    jvp=jvp_replay,
    accumulate=transpose_replay,
    batch=batch_replay,
    expand=expand_replay,
    multiple=True,
)
