"""`while_`: a body run as long as a test holds, but no more often than a limit.

In: the limit, constants, carried values. Out: the number of trips, then the carried values. The test has the inputs of the body. Invariant:
the limit is at most `length`; a loop without one has `UNBOUNDED` for both.
"""

from __future__ import annotations

import numpy as np

from jitad.ir import errors
from jitad.ir.effects import has_effects
from jitad.ir.interpreter import evaluate
from jitad.ir.lowering import Control
from jitad.ir.passes import PASSES
from jitad.ir.primitive import Primitive
from jitad.ir.program import Program, Var, literal
from jitad.ir.recorder import Recorder, build, inline
from jitad.ir.symbolic import Zero
from jitad.ir.types import BOOL, COUNTER, INT, ArrayType
from jitad.primitives.control.bodies import (
    batched_body,
    batched_operands,
    chosen,
    fixpoint,
    move_repeated,
    opposite,
    prune_repeated,
    where,
    widened,
    with_tangents,
)
from jitad.primitives.control.idle import idling, may_fail, no_trips
from jitad.primitives.control.invariants import recorded_before, without
from jitad.primitives.control.printing import one_by_one
from jitad.primitives.control.sweeps import sweeps
from jitad.primitives.declare import sample
from jitad.primitives.elementwise.comparisons import gt, lt
from jitad.primitives.elementwise.complexes import real
from jitad.primitives.reductions import reduce_max, reduce_or


def while_type(*types, test, body, length, consts):
    carry = list(types[1 + consts :])
    if list(types) != body.input_types or list(types) != test.input_types or carry != body.output_types or types[0] != COUNTER:
        raise errors.InternalError("while: operands and bodies disagree about types")
    if test.output_types != [ArrayType(BOOL)]:
        raise errors.InternalError("while: the test is not a boolean")
    return [COUNTER, *carry]


def evaluate_while(limit, *arrays, test, body, length, consts):
    held, carry, trips = arrays[:consts], list(arrays[consts:]), 0
    while trips < limit and evaluate(test, np.int64(trips), *held, *carry)[0]:
        carry = evaluate(body, np.int64(trips), *held, *carry)
        trips += 1
    return [np.int64(trips), *carry]


def jvp_while(inputs, tangents, test, body, length, consts):
    program, free, held, carry, moving = move_repeated(inputs[1:], tangents[1:], body, consts)
    start, carried = 1 + len(free), 1 + len(free) + len(held)
    decide = widened(test, program.input_types, [0, *range(start, start + consts), *range(carried, carried + len(moving))])
    trips, *results = while_(inputs[0], *free, *held, *carry, test=decide, body=program, length=length, consts=len(free) + len(held))
    outputs, dots = with_tangents(results, moving)
    return [trips, *outputs], [Zero(COUNTER), *dots]


def while_depends(flags, test, body, length, consts, through=None):
    held, through = list(flags[1 : 1 + consts]), through or PASSES["depends"]
    return [False, *fixpoint(flags[1 + consts :], lambda carry: through(body, [False, *held, *carry]))]


def split_while(inputs, unknown, linear, test, body, length, consts):
    """The known loop counts its trips; the linear part runs as many, and the known values again with them."""
    late = while_depends(unknown, test, body, length, consts)[1:]
    flags = [False, *unknown[1 : 1 + consts], *late]
    keep = opposite(flags)
    parts = PASSES["partition"](body, flags)
    known = Program(chosen(body.inputs, keep), parts.known, chosen(parts.outputs, opposite(late)))
    decide = Program(chosen(test.inputs, keep), test.equations, test.outputs)
    trips, *found = while_(*chosen(inputs, keep), test=decide, body=known, length=length, consts=sum(keep[1 : 1 + consts]))
    with linear:
        moved = sweeps(trips, *inputs[1:], bodies=(body,), consts=consts, reverse=(False,), length=length)
    known = iter(found)
    return [trips, *[x if moves else next(known) for x, moves in zip(moved, late, strict=True)]]


def batch_while(size, inputs, axes, test, body, length, consts):
    """All members go on until the last is done; those that are done keep their values."""
    (limit, *inputs), (several, *axes) = inputs, axes
    if has_effects(body):
        return one_by_one(while_, size, [limit, *inputs], [several, *axes], {"test": test, "body": body, "length": length, "consts": consts})
    if several is not None:
        test, body = below(test), Program([body.inputs[0], Var(COUNTER), *body.inputs[1:]], body.equations, body.outputs)
        consts, inputs, axes = consts + 1, [limit, *inputs], [several, *axes]
        limit = reduce_max(limit, axes=(0,))
    held = [axis is not None for axis in axes[:consts]]

    def decides(flags):
        return batched_body(test, size, [False, *held, *flags], None)[1][0]

    def results(flags):
        return [moves or decides(flags) for moves in batched_body(body, size, [False, *held, *flags], None)[1]]

    carry = fixpoint([axis is not None for axis in axes[consts:]], results)
    apart = decides(carry)
    operands = batched_operands(inputs, axes, [*held, *carry], size)
    if apart:
        body = idle_when_finished(body, test)
        test, body, carry = counting(test, consts), counted(body, consts), [True, *carry]
        operands.insert(consts, batched_operands([literal(0, INT)], [None], [True], size)[0])
    decide, _ = batched_body(test, size, [False, *held, *carry], None)
    program, _ = batched_body(body, size, [False, *held, *carry], carry)
    if apart:
        program = keep_finished(program, decide, consts)
        with Recorder() as recorder:
            recorder.equations += decide.equations
            outputs = [reduce_or(decide.outputs[0], axes=(0,))]
        decide = Program(decide.inputs, recorder.equations, outputs)
    outputs = while_(limit, *operands, test=decide, body=program, length=length, consts=consts)
    if apart:
        return outputs[1:], [0 if moves else None for moves in carry]
    return outputs, [None, *[0 if moves else None for moves in carry]]


def idle_when_finished(body: Program, test: Program) -> Program:
    """Return a body in which nothing fails where the test does not hold."""
    if not may_fail(body, {}):
        return body
    return build(lambda *inputs: idling(body, inputs, inline(test, inputs)[0]), body.input_types)


def below(test: Program) -> Program:
    """Return a test with a further constant, the limit."""
    counter, limit = test.inputs[0], Var(COUNTER)
    with Recorder() as recorder:
        recorder.equations += test.equations
        outputs = [test.outputs[0] & lt(counter, limit)]
    return Program([counter, limit, *test.inputs[1:]], recorder.equations, outputs)


def counting(test: Program, consts: int) -> Program:
    """Return the test of a loop that carries the number of its trips first."""
    return Program([*test.inputs[: 1 + consts], Var(COUNTER), *test.inputs[1 + consts :]], test.equations, test.outputs)


def counted(body: Program, consts: int) -> Program:
    """Return a body that carries the number of its trips first."""
    trips = Var(COUNTER)
    with Recorder() as recorder:
        recorder.equations += body.equations
        outputs = [trips + 1, *body.outputs]
    return Program([*body.inputs[: 1 + consts], trips, *body.inputs[1 + consts :]], recorder.equations, outputs)


def keep_finished(body: Program, test: Program, consts: int) -> Program:
    """Return a body that changes only the members for which the test holds."""
    with Recorder() as recorder:
        (goes_on,) = inline(test, body.inputs)
        recorder.equations += body.equations
        outputs = [where(goes_on, new, old) for new, old in zip(body.outputs, body.inputs[1 + consts :], strict=True)]
    return Program(body.inputs, recorder.equations, outputs)


def prune_while(inputs, used, test, body, length, consts):
    return prune_repeated(while_, inputs, used[1:], {"body": body, "test": test}, consts, length=length)


def while_samples(rng, dtype):
    """Halve a value until it is small."""
    a, x = sample(rng, dtype, (0.5, 0.9)), sample(rng, dtype, (0.2, 1.0))
    type = ArrayType(x.dtype, x.shape)
    test = build(lambda i, a, x, y: [gt(reduce_max(real(x) if x.dtype.kind == "c" else x, axes=(0, 1)), 0.2)], [COUNTER, type, type, type])
    body = build(lambda i, a, x, y: [a * x, x * y + a], [COUNTER, type, type, type])
    return [([np.int64(limit), a, x, x + 0.5], {"test": test, "body": body, "length": 9, "consts": 1}) for limit in (9, 2, 0)]


def hoist_from_while(inputs, choose, test, body, length, consts):
    """What the test computes stays: it is run once more than the body."""
    held = dict(zip(body.inputs[1 : 1 + consts], inputs[1 : 1 + consts], strict=True))
    body, values = choose(body, set(held), False)
    if not values:
        return None
    before, body = recorded_before(body, values, held), without(body, values)
    places = [0, *range(1 + len(values), len(body.inputs))]
    test = widened(test, body.input_types, places)
    return while_(inputs[0], *before, *inputs[1:], test=test, body=body, length=length, consts=consts + len(values))


while_ = Primitive(
    "while",
    type=while_type,
    evaluate=evaluate_while,
    jvp=jvp_while,
    depends=while_depends,
    split=split_while,
    prune=prune_while,
    hoist=hoist_from_while,
    batch=batch_while,
    lower=Control("while"),
    samples=while_samples,
    multiple=True,
)
while_.idle = no_trips(while_)
