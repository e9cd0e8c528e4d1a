"""`loop`: a body run a number of times, up or down.

In: the number of trips, constants, carried values. Invariant: the number of trips is from 0 to `length`; it is a Literal, which then equals
`length`, or only known when the kernel runs. A loop without a bound has `UNBOUNDED` for `length`.
"""

from __future__ import annotations

import numpy as np

from jitad.ir import errors
from jitad.ir.effects import has_effects
from jitad.ir.interpreter import evaluate
from jitad.ir.lowering import UNBOUNDED, Control, Scatter
from jitad.ir.passes import PASSES
from jitad.ir.primitive import Primitive
from jitad.ir.program import Atom, Literal, Program, Var
from jitad.ir.recorder import Recorder, build, current, inline
from jitad.ir.symbolic import ASKED, KNOWN, state_of
from jitad.ir.types import COUNTER, ArrayType
from jitad.primitives.control.bodies import (
    batched_body,
    batched_operands,
    chosen,
    close,
    fixpoint,
    leading,
    limited,
    live,
    move_repeated,
    opposite,
    prune_repeated,
    with_tangents,
)
from jitad.primitives.control.confinement import at_hand_in, confined, counts_in, reading_part, stored_part
from jitad.primitives.control.delays import advance, advanced_body, delayed_body
from jitad.primitives.control.idle import no_trips
from jitad.primitives.control.invariants import recorded_before, without
from jitad.primitives.control.lasting import Lasting, lasting, loop_level
from jitad.primitives.control.printing import one_by_one
from jitad.primitives.control.pulled import first_sum, pulled_body, united
from jitad.primitives.control.rows import settled
from jitad.primitives.control.sweeps import sweeps
from jitad.primitives.control.undefined import empty
from jitad.primitives.declare import is_linear, sample
from jitad.primitives.reductions import reduce_max
from jitad.primitives.structural.indexing import gather, scatter


def loop_type(*types, body, length, consts, reverse):
    carry = list(types[1 + consts :])
    if list(types) != body.input_types or carry != body.output_types or types[0] != COUNTER:
        raise errors.InternalError("loop: operands and body disagree about types")
    return carry


def evaluate_loop(count, *arrays, body, length, consts, reverse):
    held, carry = arrays[:consts], list(arrays[consts:])
    for i in range(count)[::-1] if reverse else range(count):
        carry = evaluate(body, np.int64(i), *held, *carry)
    return carry


def jvp_loop(inputs, tangents, body, length, consts, reverse):
    program, free, held, carry, moving = move_repeated(inputs[1:], tangents[1:], body, consts)
    results = loop(inputs[0], *free, *held, *carry, body=program, length=length, consts=len(free) + len(held), reverse=reverse)
    return with_tangents(results, moving)


def loop_depends(flags, body, length, consts, reverse, through=None):
    """Which results depend on the operands in `flags`."""
    held, through = list(flags[1 : 1 + consts]), through or PASSES["depends"]
    return fixpoint(flags[1 + consts :], lambda carry: through(body, [False, *held, *carry]))


def split_loop(inputs, unknown, linear: Recorder, body, length, consts, reverse):
    """Cut a loop into one that is known, which stacks what the other needs, and one that depends on the unknown operands."""
    carry = loop_depends(unknown, body, length, consts, reverse)
    if length == UNBOUNDED:
        return split_unbounded(inputs, unknown, carry, linear, body, consts, reverse)
    count, *inputs = inputs
    counter, variables = body.inputs[0], body.inputs[1:]
    flags = [*unknown[1 : 1 + consts], *carry]
    trips = max(length, 1)
    prices = {counter: 0.0} | {variables[k]: linear.price(inputs[k]) / trips for k in range(consts) if not flags[k]}
    moving_consts = [k for k in range(consts) if flags[k]]
    known = [k for k in range(consts, len(inputs)) if not flags[k]]
    moving = [k for k in range(consts, len(inputs)) if flags[k]]
    around = linear.lasting or Lasting()
    own = lasting(body, loop_level(count, length, reverse), [variables[k] for k in known])
    left = {array: linear.price_of_last(array) for array, _ in own.values()} | {x: linear.price(last) for x, last in around.states.items()}
    inside = Lasting(own | around.values, {array: Var(array.type) for array in left})
    prices |= {inside.states[array]: price / trips for array, price in left.items()}
    parts = PASSES["partition"](body, [False, *flags], carry, prices, inside)
    parts_known = inside.reread(parts.known, parts.names)
    kept, again = PASSES["economize"](parts_known, parts.residuals, prices, runs=not linear.outermost, trips=length)
    if linear.outermost and linear.free:
        beside = [x for x in kept if x not in prices]
        choice = choose_replay(linear, body, parts, beside, known, moving, consts, length) if isinstance(count, Literal) else None
        if choice is not None:
            return split_again([count, *inputs], unknown, linear, choice, body=body, length=length, consts=consts, reverse=reverse)
        kept, again = PASSES["economize"](parts_known, parts.residuals, prices, trips=length)
    counts = counts_in(confined(parts_known, kept))
    if counts:
        kept, again = PASSES["economize"](parts_known, [*parts.residuals, *counts], prices, runs=not linear.outermost, trips=length)
    kept = [x for x in kept if x not in prices]
    ends = [parts.outputs[k - consts] for k in moving]
    read = {x for equation in (*again, *parts.linear) for x in equation.inputs} | set(ends) | set(counts)
    held = [k for k in range(consts) if not flags[k]]
    held_again = [k for k in held if variables[k] in read]
    last = [array for array, state in inside.states.items() if state in read]

    rest = [variables[k] for k in (*moving_consts, *moving)]
    at_hand = [*[variables[k] for k in held_again], *[inside.states[array] for array in last]]
    tail = Program([counter, *at_hand, *kept, *rest], [*again, *parts.linear], ends)
    found = at_hand_in(tail, confined(parts_known, kept))
    second = unstack(reading_part(tail, found), range(len(at_hand) + 1, len(at_hand) + 1 + len(kept)), length)

    stacks = [Var(x.type.with_shape((length, *x.shape))) for x in kept]
    with Recorder() as recorder:
        recorder.equations += parts.known
        written = [scatter(stack, stored_part(x, found), counter, unique=True) for stack, x in zip(stacks, kept, strict=True)]
    outputs = [*[parts.outputs[k - consts] for k in known], *written]
    first = Program([counter, *[variables[k] for k in (*held, *known)], *stacks], recorder.equations, outputs)
    rooms = [empty(shape=stack.shape, dtype=stack.dtype) for stack in stacks]
    results = loop(count, *[inputs[k] for k in (*held, *known)], *rooms, body=first, length=length, consts=len(held), reverse=reverse)

    states = dict(zip([variables[k] for k in known], results, strict=False)) | around.states
    with linear:
        finals = loop(count, *[inputs[k] for k in held_again], *[states[array] for array in last], *results[len(known) :],
                      *[inputs[k] for k in (*moving_consts, *moving)], body=second, length=length,
                      consts=len(at_hand) + len(stacks) + len(moving_consts), reverse=reverse)
    outputs = dict(zip(known, results, strict=False)) | dict(zip(moving, finals, strict=True))
    return [outputs[k] for k in range(consts, len(inputs))]


def split_unbounded(inputs, unknown, carry, linear: Recorder, body, consts, reverse):
    """The linear part runs as many trips, and the known values again with them."""
    flags = [*unknown[: 1 + consts], *carry]
    keep = opposite(flags)
    known = iter(())
    if not all(carry):
        parts = PASSES["partition"](body, flags)
        first = Program(chosen(body.inputs, keep), parts.known, chosen(parts.outputs, opposite(carry)))
        known = iter(loop(*chosen(inputs, keep), body=first, length=UNBOUNDED, consts=sum(keep[1 : 1 + consts]), reverse=reverse))
    with linear:
        moved = sweeps(*inputs, bodies=(body,), consts=consts, reverse=(reverse,), length=UNBOUNDED)
    return [x if moves else next(known) for x, moves in zip(moved, carry, strict=True)]


def choose_replay(linear, body, parts, kept, known, moving, consts, length):
    """Return how the loop is run again that would keep `kept` of each trip, None if it is not."""
    state = leading(body, known, moving, consts)
    trip = Program(body.inputs, parts.known, [parts.outputs[k - consts] for k in state])
    anew = {body.inputs[k + 1] for k in known if is_made_anew(parts.outputs[k - consts])}
    return linear.choose_replay(length, kept, anew, [body.inputs[k + 1] for k in state], live(trip, [True] * len(state)))


def is_made_anew(x: Atom) -> bool:
    """Whether a value is computed, rather than an array changed in place."""
    equation = getattr(x, "equation", None)
    return equation is not None and not (equation.primitive.control or isinstance(equation.primitive.lower, Scatter))


def split_again(inputs, unknown, linear: Recorder, choice, **params):
    """Cut a loop that is run again from snapshots rather than keeping anything of each trip."""
    with Recorder(current().source) as recorder:
        loop.replay(inputs, *choice, **params)
    (equation,) = recorder.equations
    return equation.primitive.split(list(equation.inputs), unknown, linear, **equation.params)


def unstack(body: Program, places: range, length: int) -> Program:
    """Return a body that reads its inputs at `places` from stacks, at the trip number."""
    inputs = [Var(x.type.with_shape((length, *x.shape)) if k in places else x.type) for k, x in enumerate(body.inputs)]
    with Recorder() as recorder:
        values = [gather(x, inputs[0]) if k in places else x for k, x in enumerate(inputs)]
        outputs = inline(body, values)
    return Program(inputs, recorder.equations, outputs)


def transpose_loop(cotangents, inputs, sums, body, length, consts, reverse):
    """Run the transposed body in the other direction; cotangents of constants are summed up on the way."""
    (count, *inputs), (_, *sums) = inputs, sums
    linear_consts = [k for k in range(consts) if is_linear(inputs[k])]
    known = [k for k in range(consts) if k not in linear_consts]
    flags = [False, *[k in linear_consts for k in range(consts)], *[True] * (len(inputs) - consts)]
    states = list(map(state_of, inputs))
    states[consts:] = loop_depends([KNOWN, *states], body, length, consts, reverse, through=PASSES["asked"])
    asked = [states[k] == ASKED for k in (*linear_consts, *range(consts, len(inputs)))]
    totals = [first_sum(sums[k], inputs[k]) for k in linear_consts]

    def pull(counter, held, state, totals, cts):
        operands = [counter, *[None] * len(inputs)]
        for k, x in zip(known, held, strict=True):
            operands[k + 1] = x
        return state, PASSES["pull_back_body"](body, flags, operands, cts, totals, asked), []

    back = pulled_body(pull, [inputs[k].type for k in known], [], totals, cotangents)
    program, free = close(back.program, 1)
    results = loop(count, *free, *[inputs[k] for k in known], *back.start, body=program, length=length, consts=len(free) + len(known),
                   reverse=not reverse)
    found = dict(zip([*linear_consts, *range(consts, len(inputs))], back.results(results, count, [inputs[k] for k in known]), strict=True))
    return [None, *[united(sums[k], found[k]) if k >= consts else found.get(k) for k in range(len(inputs))]]


def batch_loop(size, inputs, axes, body, length, consts, reverse):
    """All members run as many trips as the one that runs most; a member keeps its values in trips that are not its own."""
    (count, *inputs), (several, *axes) = inputs, axes
    if several is not None:
        if has_effects(body):
            return one_by_one(loop, size, [count, *inputs], [several, *axes],
                              {"body": body, "length": length, "consts": consts, "reverse": reverse})
        body, consts, inputs, axes = limited(body, len(body.outputs), length), consts + 1, [count, *inputs], [several, *axes]
        count = reduce_max(count, axes=(0,))
    held = [axis is not None for axis in axes[:consts]]
    carry = fixpoint([axis is not None for axis in axes[consts:]], lambda flags: batched_body(body, size, [False, *held, *flags], None)[1])
    program, _ = batched_body(body, size, [False, *held, *carry], carry)
    program, free = close(program, 1)
    outputs = loop(count, *free, *batched_operands(inputs, axes, [*held, *carry], size), body=program, length=length,
                   consts=len(free) + consts, reverse=reverse)
    return outputs, [0 if moves else None for moves in carry]


def prune_loop(inputs, used, body, length, consts, reverse):
    return prune_repeated(loop, inputs, used, {"body": body}, consts, length=length, reverse=reverse)


def settle_loop(inputs, used, body, length, consts, reverse):
    found = settled(inputs, used, body, length, consts)
    if found is None:
        return None
    results = loop(*found.inputs, body=found.body, length=length, consts=found.consts, reverse=reverse)
    return [results[found.places[k]] if k in found.places else x for k, x in enumerate(inputs[1 + consts :])]


def delay_in_loop(inputs, used, body, length, consts, reverse):
    """Compute what is handed on from trip to trip later, or else earlier, where that saves passes over memory."""
    params, first = {"length": length, "consts": consts, "reverse": reverse}, 1 + consts
    later = None
    if not reverse or isinstance(inputs[0], Literal):
        later = delayed_body(body, consts, inputs[first:], [True] * len(used), length - 1 if reverse else 0)
    found = advanced_body(later.body if later else body, consts, used)
    if later is None and found is None:
        return None
    body, earlier = found or (later.body, {})
    held, carries = dict(zip(body.inputs[1:first], inputs[1:first], strict=True)), list(inputs[first:])
    for k, equation in earlier.items():
        carries[k] = advance(equation, body.inputs[first + k], carries[k], held)
    results = loop(*inputs[:first], *carries, body=body, **params)
    return later.finals(results, inputs, consts) if later else results


def hoist_from_loop(inputs, choose, body, length, consts, reverse):
    held = dict(zip(body.inputs[1 : 1 + consts], inputs[1 : 1 + consts], strict=True))
    body, values = choose(body, set(held), isinstance(inputs[0], Literal))
    if not values:
        return None
    before = recorded_before(body, values, held)
    return loop(inputs[0], *before, *inputs[1:], body=without(body, values), length=length, consts=consts + len(values), reverse=reverse)


def loop_samples(rng, dtype):
    x, steps = sample(rng, dtype, (0.2, 1.0)), np.asarray(sample(rng, dtype, (0.2, 1.0), (4, 3)))
    body = build(lambda i, rows, x, y: [x * gather(rows, i), y + x], [COUNTER, *[ArrayType(a.dtype, a.shape) for a in (steps, x, x)]])
    return [([np.int64(count), steps, x, sample(rng, dtype)], {"body": body, "length": 4, "consts": 1, "reverse": reverse})
            for count in (4, 2, 0) for reverse in (False, True)]


loop = Primitive(
    "loop",
    type=loop_type,
    evaluate=evaluate_loop,
    jvp=jvp_loop,
    depends=loop_depends,
    split=split_loop,
    prune=prune_loop,
    settle=settle_loop,
    hoist=hoist_from_loop,
    delay=delay_in_loop,
    accumulate=transpose_loop,
    batch=batch_loop,
    lower=Control("loop"),
    samples=loop_samples,
    multiple=True,
)
loop.idle = no_trips(loop)
