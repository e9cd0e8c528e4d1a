"""`while_`: a body run as long as a test holds."""

from __future__ import annotations

from collections.abc import Sequence

from jitad.ir import errors
from jitad.ir.interpreter import evaluate
from jitad.ir.lowering import Control
from jitad.ir.passes import PASSES
from jitad.ir.primitive import Primitive
from jitad.ir.program import Program, Var
from jitad.ir.recorder import Recorder, inline
from jitad.ir.symbolic import Zero, is_zero
from jitad.ir.types import ArrayType
from jitad.primitives.comparisons import select
from jitad.primitives.control.bodies import batched_body, close, fixpoint, moved_body, prune_repeated, widen_mask
from jitad.primitives.declare import instantiate, to_front
from jitad.primitives.reductions import reduce_or
from jitad.primitives.shaping import broadcast


def while_type(*types, test, body, consts):
    carry = list(types[consts:])
    if list(types) != body.input_types or list(types) != test.input_types or carry != body.output_types:
        raise errors.InternalError("while: operands and bodies disagree about types")
    return carry


def evaluate_while(*arrays, test, body, consts):
    held, carry = arrays[:consts], list(arrays[consts:])
    while evaluate(test, *held, *carry)[0]:
        carry = evaluate(body, *held, *carry)
    return carry


def jvp_while(inputs, tangents, test, body, consts):
    has = [not is_zero(t) for t in tangents]
    held = has[:consts]
    moving = fixpoint(has[consts:], lambda flags: moved_body(body, 0, [*held, *flags], None)[1])
    program, _ = moved_body(body, 0, [*held, *moving], moving)
    n, m = len(inputs), sum(held)
    order = [*range(consts), *range(n, n + m), *range(consts, n), *range(n + m, len(program.inputs))]
    program, free = close(Program([program.inputs[k] for k in order], program.equations, program.outputs), 0)
    types = program.input_types
    decide = widened(test, types, [len(free) + k for k in (*range(consts), *range(consts + m, n + m))])
    dots = [instantiate(t) for t, moves in zip(tangents, [*held, *moving], strict=True) if moves]
    results = while_(*free, *inputs[:consts], *dots[:m], *inputs[consts:], *dots[m:], test=decide, body=program,
                     consts=len(free) + consts + m)
    outputs, moved = results[: n - consts], iter(results[n - consts :])
    return outputs, [next(moved) if moves else Zero(x.type) for x, moves in zip(outputs, moving, strict=True)]


def widened(program: Program, types: Sequence[ArrayType], places: Sequence[int]) -> Program:
    """Return a Program of inputs of `types` that applies `program` to those at `places`."""
    inputs = [Var(type) for type in types]
    for place, var in zip(places, program.inputs, strict=True):
        inputs[place] = var
    return Program(inputs, program.equations, program.outputs)


def while_depends(flags, test, body, consts):
    held = list(flags[:consts])
    return fixpoint(flags[consts:], lambda carry: PASSES["depends"](body, [*held, *carry]))


def split_while(inputs, unknown, linear, test, body, consts):
    raise errors.NotImplementedError("reverse mode through a while loop whose number of trips is only known when it runs is not "
                                     "implemented; use jvp or jacfwd, or a for loop over a range with break")


def batch_while(size, inputs, axes, test, body, consts):
    """All members go on until the last is done; those that are done keep their values."""
    held = [axis is not None for axis in axes[:consts]]

    def results(flags):
        decides = batched_body(test, size, [*held, *flags], None)[1][0]
        return [moves or decides for moves in batched_body(body, size, [*held, *flags], None)[1]]

    carry = fixpoint([axis is not None for axis in axes[consts:]], results)
    decide, (several,) = batched_body(test, size, [*held, *carry], None)
    program, _ = batched_body(body, size, [*held, *carry], carry)
    if several:
        program = keep_finished(program, decide, consts)
        with Recorder() as recorder:
            recorder.equations += decide.equations
            outputs = [reduce_or(decide.outputs[0], axes=(0,))]
        decide = Program(decide.inputs, recorder.equations, outputs)
    operands = [to_front(x, axis) if axis is not None else broadcast(x, shape=(size, *x.shape)) if moves else x
                for x, axis, moves in zip(inputs, axes, [*held, *carry], strict=True)]
    outputs = while_(*operands, test=decide, body=program, consts=consts)
    return outputs, [0 if moves else None for moves in carry]


def keep_finished(body: Program, test: Program, consts: int) -> Program:
    """Return a body that changes only the members for which the test holds."""
    with Recorder() as recorder:
        (goes_on,) = inline(test, body.inputs)
        recorder.equations += body.equations
        outputs = []
        for new, old in zip(body.outputs, body.inputs[consts:], strict=True):
            mask = inline(widen_mask(goes_on, new), [goes_on])[0]
            outputs.append(select(mask, new, old))
    return Program(body.inputs, recorder.equations, outputs)


while_ = Primitive(
    "while",
    type=while_type,
    evaluate=evaluate_while,
    jvp=jvp_while,
    depends=while_depends,
    split=split_while,
    prune=lambda inputs, used, test, body, consts: prune_repeated(while_, inputs, used, {"body": body, "test": test}, 0, consts),
    batch=batch_while,
    lower=Control("while"),
    multiple=True,
)
