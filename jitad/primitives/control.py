"""Control flow: `loop` (a known number of trips), `while_`, `cond`. Their bodies are closed Programs in the parameters.

In: constants, then carried values. Out: the carried values at the end. Rules rewrite the bodies with the passes themselves
(`jitad.ir.passes`). Invariant: a body's inputs are the trip number (loops only), the constants, the carried values; its outputs are
the carried values, of unchanged types. An array that a body updates (`scatter`) is carried; one that it reads is a constant.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from jitad.ir import errors
from jitad.ir.interpreter import evaluate
from jitad.ir.lowering import Control, Undefined
from jitad.ir.passes import PASSES
from jitad.ir.primitive import Primitive
from jitad.ir.program import Atom, Program, Var
from jitad.ir.recorder import Recorder, build, inline
from jitad.ir.symbolic import Zero, is_zero
from jitad.ir.types import BOOL, INT, ArrayType
from jitad.primitives.comparisons import select
from jitad.primitives.declare import full, instantiate, is_linear, sample, to_front
from jitad.primitives.indexing import gather, scatter
from jitad.primitives.reductions import reduce_or
from jitad.primitives.shaping import broadcast

COUNTER = ArrayType(INT)

# --- an array whose elements are all written before they are read -----------------------------------------------------------

empty = Primitive(
    "empty",
    type=lambda shape, dtype: ArrayType(np.dtype(dtype), tuple(shape)),
    evaluate=lambda shape, dtype: np.zeros(shape, dtype),
    batch=None,
    lower=Undefined(),
)


# --- closing bodies -----------------------------------------------------------------------------------------------------------


def close(program: Program, place: int) -> tuple[Program, list[Var]]:
    """Return a Program with its free Vars as inputs, put before input `place`, and these Vars."""
    free = program.free_vars()
    return Program([*program.inputs[:place], *free, *program.inputs[place:]], program.equations, program.outputs), free


def fixpoint(flags: Sequence[bool], step: Callable[[list[bool]], Sequence[bool]]) -> list[bool]:
    """Return the least flags that include `flags` and what ``step(flags)`` makes of them."""
    current = list(flags)
    while True:
        following = [a or b for a, b in zip(current, step(current), strict=True)]
        if following == current:
            return current
        current = following


def dots_of(types: Sequence[ArrayType], moving: Sequence[bool]) -> list:
    return [Var(type) if moves else Zero(type) for type, moves in zip(types, moving, strict=True)]


def moved_body(body: Program, lead: int, moving: Sequence[bool], results: Sequence[bool] | None) -> tuple[Program, list[bool]]:
    """Return the forward-mode Program of a body, and which of its results have tangents.

    Its inputs are those of the body, then tangents of those that move; after the body's outputs it gives tangents of those in `results`, or
    if that is None of those that have any. The first `lead` inputs never move.
    """
    inputs = [Var(var.type) for var in body.inputs]
    dots = dots_of([var.type for var in inputs], [*[False] * lead, *moving])
    with Recorder() as recorder:
        outputs, moved = PASSES["push_forward"](body, inputs, dots)
        has = [not is_zero(t) for t in moved]
        wanted = has if results is None else results
        moved = [instantiate(t) for t, keep in zip(moved, wanted, strict=True) if keep]
    return Program([*inputs, *[t for t in dots if not is_zero(t)]], recorder.equations, [*outputs, *moved]), has


# --- loop -----------------------------------------------------------------------------------------------------------------------


def loop_type(*types, body, length, consts, reverse):
    carry = list(types[consts:])
    if [COUNTER, *types] != body.input_types or carry != body.output_types:
        raise errors.InternalError("loop: operands and body disagree about types")
    return carry


def evaluate_loop(*arrays, body, length, consts, reverse):
    held, carry = arrays[:consts], list(arrays[consts:])
    for i in range(length)[::-1] if reverse else range(length):
        carry = evaluate(body, np.int64(i), *held, *carry)
    return carry


def jvp_loop(inputs, tangents, body, length, consts, reverse):
    has = [not is_zero(t) for t in tangents]
    held = has[:consts]
    moving = fixpoint(has[consts:], lambda flags: moved_body(body, 1, [*held, *flags], None)[1])
    program, _ = moved_body(body, 1, [*held, *moving], moving)
    n, m = len(inputs), sum(held)
    order = [0, *range(1, consts + 1), *range(n + 1, n + 1 + m), *range(consts + 1, n + 1), *range(n + 1 + m, len(program.inputs))]
    program = Program([program.inputs[k] for k in order], program.equations, program.outputs)
    program, free = close(program, 1)
    dots = [instantiate(t) for t, moves in zip(tangents, [*held, *moving], strict=True) if moves]
    results = loop(*free, *inputs[:consts], *dots[:m], *inputs[consts:], *dots[m:], body=program, length=length,
                   consts=len(free) + consts + m, reverse=reverse)
    outputs, moved = results[: n - consts], iter(results[n - consts :])
    return outputs, [next(moved) if moves else Zero(x.type) for x, moves in zip(outputs, moving, strict=True)]


def loop_depends(flags, body, length, consts, reverse):
    """Which results depend on the operands in `flags`."""
    held = list(flags[:consts])
    return fixpoint(flags[consts:], lambda carry: PASSES["depends"](body, [False, *held, *carry]))


def split_loop(inputs, unknown, linear: Recorder, body, length, consts, reverse):
    """Cut a loop into one that is known, which stacks what the other needs, and one that depends on the unknown operands."""
    carry = loop_depends(unknown, body, length, consts, reverse)
    parts = PASSES["partition"](body, [False, *unknown[:consts], *carry], carry)
    counter, variables = body.inputs[0], body.inputs[1:]
    flags = [*unknown[:consts], *carry]
    held = [k for k in range(consts) if not flags[k]]
    moving_consts = [k for k in range(consts) if flags[k]]
    known = [k for k in range(consts, len(inputs)) if not flags[k]]
    moving = [k for k in range(consts, len(inputs)) if flags[k]]
    kept, again = PASSES["economize"](parts, set(body.inputs[: consts + 1]))

    stacks = [Var(x.type.with_shape((length, *x.shape))) for x in kept]
    with Recorder() as recorder:
        recorder.equations += parts.known
        written = [scatter(stack, x, counter, unique=True) for stack, x in zip(stacks, kept, strict=True)]
    outputs = [*[parts.outputs[k - consts] for k in known], *written]
    first = Program([counter, *[variables[k] for k in (*held, *known)], *stacks], recorder.equations, outputs)
    rooms = [empty(shape=stack.shape, dtype=stack.dtype) for stack in stacks]
    results = loop(*[inputs[k] for k in (*held, *known)], *rooms, body=first, length=length, consts=len(held), reverse=reverse)

    rest = [variables[k] for k in (*moving_consts, *moving)]
    tail = Program([counter, *[variables[k] for k in held], *kept, *rest], [*again, *parts.linear],
                   [parts.outputs[k - consts] for k in moving])
    second = unstack(tail, range(len(held) + 1, len(held) + 1 + len(kept)), length)
    with linear:
        finals = loop(*[inputs[k] for k in held], *results[len(known) :], *[inputs[k] for k in (*moving_consts, *moving)], body=second,
                      length=length, consts=len(held) + len(stacks) + len(moving_consts), reverse=reverse)
    found = dict(zip(known, results, strict=False)) | dict(zip(moving, finals, strict=True))
    return [found[k] for k in range(consts, len(inputs))]


def unstack(body: Program, places: range, length: int) -> Program:
    """Return a body that reads its inputs at `places` from stacks, at the trip number."""
    inputs = [Var(x.type.with_shape((length, *x.shape)) if k in places else x.type) for k, x in enumerate(body.inputs)]
    with Recorder() as recorder:
        values = [gather(x, inputs[0]) if k in places else x for k, x in enumerate(inputs)]
        outputs = inline(body, values)
    return Program(inputs, recorder.equations, outputs)


def transpose_loop(cotangents, inputs, body, length, consts, reverse):
    """Run the transposed body in the other direction; cotangents of constants are summed up on the way."""
    linear_consts = [k for k in range(consts) if is_linear(inputs[k])]
    known = [k for k in range(consts) if k not in linear_consts]
    flags = [False, *[k in linear_consts for k in range(consts)], *[True] * (len(inputs) - consts)]

    def step(counter, *atoms):
        held, sums, cts = atoms[: len(known)], atoms[len(known) : len(known) + len(linear_consts)], atoms[len(known) + len(linear_consts) :]
        operands = [counter, *[None] * len(inputs)]
        for k, x in zip(known, held, strict=True):
            operands[k + 1] = x
        pulled = PASSES["pull_back_body"](body, flags, operands, list(cts))
        own, back = pulled[: len(linear_consts)], pulled[len(linear_consts) :]
        return [*[s if is_zero(ct) else s + ct for s, ct in zip(sums, own, strict=True)], *map(instantiate, back)]

    types = [COUNTER, *[inputs[k].type for k in (*known, *linear_consts)], *[ct.type for ct in cotangents]]
    program, free = close(build(step, types), 1)
    zeros = [full(0, inputs[k].type) for k in linear_consts]
    results = loop(*free, *[inputs[k] for k in known], *zeros, *cotangents, body=program, length=length, consts=len(free) + len(known),
                   reverse=not reverse)
    found = dict(zip([*linear_consts, *range(consts, len(inputs))], results, strict=True))
    return [found.get(k) for k in range(len(inputs))]


def batch_loop(size, inputs, axes, body, length, consts, reverse):
    held = [axis is not None for axis in axes[:consts]]
    carry = fixpoint([axis is not None for axis in axes[consts:]], lambda flags: batched_body(body, size, [False, *held, *flags], None)[1])
    program, _ = batched_body(body, size, [False, *held, *carry], carry)
    program, free = close(program, 1)
    operands = [to_front(x, axis) if axis is not None else broadcast(x, shape=(size, *x.shape)) if moves else x
                for x, axis, moves in zip(inputs, axes, [*held, *carry], strict=True)]
    outputs = loop(*free, *operands, body=program, length=length, consts=len(free) + consts, reverse=reverse)
    return outputs, [0 if moves else None for moves in carry]


def batched_body(body: Program, size: int, batched: Sequence[bool], results: Sequence[bool] | None) -> tuple[Program, list[bool]]:
    """Return a body whose `batched` inputs carry the batch on axis 0, as do its `results`; and which results do by themselves."""
    inputs = [Var(var.type.with_shape((size, *var.shape)) if moves else var.type) for var, moves in zip(body.inputs, batched, strict=True)]
    with Recorder() as recorder:
        outputs, axes = PASSES["push_batch"](body, inputs, [0 if moves else None for moves in batched], size)
        has = [axis is not None for axis in axes]
        wanted = has if results is None else results
        outputs = [to_front(x, axis) if axis is not None else broadcast(x, shape=(size, *x.shape)) if keep else x
                   for x, axis, keep in zip(outputs, axes, wanted, strict=True)]
    return Program(inputs, recorder.equations, outputs), has


def needed(program: Program, outputs: Sequence[bool]) -> list[bool]:
    """Return which inputs of a body the `outputs` depend on."""
    wanted = {x for x, keep in zip(program.outputs, outputs, strict=True) if keep}
    for equation in reversed(program.equations):
        if any(var in wanted for var in equation.outputs):
            wanted.update(equation.inputs)
    return [var in wanted for var in program.inputs]


def chosen(items: Sequence, flags: Sequence[bool]) -> list:
    return [x for x, keep in zip(items, flags, strict=True) if keep]


def prune_repeated(primitive, inputs, used, bodies: dict[str, Program], lead: int, consts: int, **params):
    """Carry only what is used, or what a carried value or the test depends on; hold only the constants that are read."""
    body = bodies["body"]
    always = [False] * (len(inputs) - consts)
    if "test" in bodies:
        always = needed(bodies["test"], [True])[consts:]
    carry = fixpoint([a or b for a, b in zip(used, always, strict=True)], lambda flags: needed(body, flags)[lead + consts :])
    held = needed(body, carry)[lead : lead + consts]
    if "test" in bodies:
        held = [a or b for a, b in zip(held, needed(bodies["test"], [True])[:consts], strict=True)]
    if all(carry) and all(held):
        return None
    keep = [*held, *carry]
    smaller = {"body": Program([*body.inputs[:lead], *chosen(body.inputs[lead:], keep)], body.equations, chosen(body.outputs, carry))}
    if "test" in bodies:
        smaller["test"] = Program(chosen(bodies["test"].inputs, keep), bodies["test"].equations, bodies["test"].outputs)
    results = iter(primitive(*chosen(inputs, keep), **smaller, consts=sum(held), **params))
    return [next(results) if kept else inputs[0] for kept in carry]


def prune_loop(inputs, used, body, length, consts, reverse):
    return prune_repeated(loop, inputs, used, {"body": body}, 1, consts, length=length, reverse=reverse)


def loop_samples(rng, dtype):
    x, steps = sample(rng, dtype, (0.2, 1.0)), np.asarray(sample(rng, dtype, (0.2, 1.0), (4, 3)))
    body = build(lambda i, rows, x, y: [x * gather(rows, i), y + x], [COUNTER, *[ArrayType(a.dtype, a.shape) for a in (steps, x, x)]])
    return [([steps, x, sample(rng, dtype)], {"body": body, "length": 4, "consts": 1, "reverse": reverse}) for reverse in (False, True)]


loop = Primitive(
    "loop",
    type=loop_type,
    evaluate=evaluate_loop,
    jvp=jvp_loop,
    depends=loop_depends,
    split=split_loop,
    prune=prune_loop,
    transpose=transpose_loop,
    batch=batch_loop,
    lower=Control("loop"),
    samples=loop_samples,
    multiple=True,
)

# --- while --------------------------------------------------------------------------------------------------------------------------


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


def widen_mask(mask: Atom, like: Atom) -> Program:
    from jitad.primitives.shaping import reshape

    return build(lambda m: [broadcast(reshape(m, shape=(*m.shape, *(1,) * (like.ndim - 1))), shape=like.shape)], [mask.type])


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

# --- cond -----------------------------------------------------------------------------------------------------------------------------


def cond_type(index, *types, branches):
    for branch in branches:
        if branch.input_types != list(types) or branch.output_types != branches[0].output_types:
            raise errors.InternalError("cond: operands and branches disagree about types")
    if index not in (ArrayType(BOOL), ArrayType(INT)):
        raise errors.InternalError(f"cond: the choice has type {index}")
    return branches[0].output_types


def evaluate_cond(index, *arrays, branches):
    return evaluate(branches[int(np.clip(int(index), 0, len(branches) - 1))], *arrays)


def jvp_cond(inputs, tangents, branches):
    index, *operands = inputs
    moving = [not is_zero(t) for t in tangents[1:]]
    flags = [moved_body(branch, 0, moving, None)[1] for branch in branches]
    results = [any(column) for column in zip(*flags, strict=True)]
    programs, free = unite([moved_body(branch, 0, moving, results)[0] for branch in branches])
    dots = [t for t in tangents[1:] if not is_zero(t)]
    found = cond(index, *free, *operands, *dots, branches=programs)
    count = len(results)
    moved = iter(found[count:])
    return found[:count], [next(moved) if moves else Zero(x.type) for x, moves in zip(found, results, strict=False)]


def unite(programs: Sequence[Program]) -> tuple[tuple[Program, ...], list[Var]]:
    """Return Programs closed over the same free Vars, which come first."""
    free = list(dict.fromkeys(var for program in programs for var in program.free_vars()))
    return tuple(Program([*free, *program.inputs], program.equations, program.outputs) for program in programs), free


def cond_depends(flags, branches):
    columns = zip(*[PASSES["depends"](branch, flags[1:]) for branch in branches], strict=True)
    return [any(column) for column in columns]


def split_cond(inputs, unknown, linear: Recorder, branches):
    """The known choice also gives what the branches' linear parts need; a branch gives zeros for what only others need."""
    index, *operands = inputs
    flags = list(unknown[1:])
    results = cond_depends(unknown, branches)
    parts = [PASSES["partition"](branch, flags, results) for branch in branches]
    known = [k for k, moves in enumerate(flags) if not moves]
    moving = [k for k, moves in enumerate(flags) if moves]
    kept = [[x for x in part.residuals if x not in branch.inputs] for part, branch in zip(parts, branches, strict=True)]
    slots = [x.type for residuals in kept for x in residuals]
    firsts, seconds, start = [], [], 0
    for part, branch, residuals in zip(parts, branches, kept, strict=True):
        with Recorder() as recorder:
            recorder.equations += part.known
            rooms = [full(0, type) for type in slots]
        rooms[start : start + len(residuals)] = residuals
        outputs = [x for x, moves in zip(part.outputs, results, strict=True) if not moves]
        firsts.append(Program([branch.inputs[k] for k in known], recorder.equations, [*outputs, *rooms]))
        held = [Var(type) for type in slots]
        held[start : start + len(residuals)] = residuals
        moved = [x for x, moves in zip(part.outputs, results, strict=True) if moves]
        seconds.append(Program([*[branch.inputs[k] for k in known], *held, *[branch.inputs[k] for k in moving]], part.linear, moved))
        start += len(residuals)
    found = cond(index, *[operands[k] for k in known], branches=tuple(firsts))
    count = len(results) - sum(results)
    with linear:
        moved = cond(index, *[operands[k] for k in known], *found[count:], *[operands[k] for k in moving], branches=tuple(seconds))
    found, moved = iter(found), iter(moved)
    return [next(moved) if moves else next(found) for moves in results]


def transpose_cond(cotangents, inputs, branches):
    index, *operands = inputs
    flags = [is_linear(x) for x in operands]
    known = [k for k, moves in enumerate(flags) if not moves]

    def pulled(branch: Program) -> Program:
        def step(*atoms):
            held = [None] * len(operands)
            for k, x in zip(known, atoms, strict=False):
                held[k] = x
            return list(map(instantiate, PASSES["pull_back_body"](branch, flags, held, list(atoms[len(known) :]))))

        return build(step, [*[operands[k].type for k in known], *[ct.type for ct in cotangents]])

    programs, free = unite(list(map(pulled, branches)))
    results = iter(cond(index, *free, *[operands[k] for k in known], *cotangents, branches=programs))
    return [None, *[next(results) if moves else None for moves in flags]]


def batch_cond(size, inputs, axes, branches):
    """With one choice for all members the branches are batched; with a choice for each, all branches run and members select."""
    (index, *operands), (choice, *where) = inputs, axes
    batched = [axis is not None for axis in where]
    operands = [x if axis is None else to_front(x, axis) for x, axis in zip(operands, where, strict=True)]
    if choice is None:
        results = [any(column) for column in zip(*[batched_body(branch, size, batched, None)[1] for branch in branches], strict=True)]
        programs, free = unite([batched_body(branch, size, batched, results)[0] for branch in branches])
        return cond(index, *free, *operands, branches=programs), [0 if moves else None for moves in results]
    everywhere = [True] * len(branches[0].outputs)
    found = [inline(batched_body(branch, size, batched, everywhere)[0], operands) for branch in branches]
    outputs = found[0]
    for number, results in enumerate(found[1:], 1):
        mask = index if index.dtype == BOOL else index >= number
        outputs = [select(inline(widen_mask(mask, new), [mask])[0], new, old) for new, old in zip(results, outputs, strict=True)]
    return outputs, [0] * len(outputs)


def prune_cond(inputs, used, branches):
    columns = [needed(branch, used) for branch in branches]
    keep = [any(column) for column in zip(*columns, strict=True)]
    if all(used) and all(keep):
        return None
    smaller = tuple(Program(chosen(branch.inputs, keep), branch.equations, chosen(branch.outputs, used)) for branch in branches)
    results = iter(cond(inputs[0], *chosen(inputs[1:], keep), branches=smaller))
    return [next(results) if kept else inputs[0] for kept in used]


def cond_samples(rng, dtype):
    type = ArrayType(np.dtype(dtype), (2, 3))
    branches = tuple(build(function, [type, type]) for function in (lambda x, y: [x * y, x], lambda x, y: [y + x, y * y]))
    choices = (np.False_, np.True_, np.int64(1), np.int64(7))
    return [([index, sample(rng, dtype), sample(rng, dtype)], {"branches": branches}) for index in choices]


cond = Primitive(
    "cond",
    type=cond_type,
    evaluate=evaluate_cond,
    jvp=jvp_cond,
    depends=cond_depends,
    split=split_cond,
    prune=prune_cond,
    transpose=transpose_cond,
    batch=batch_cond,
    lower=Control("cond"),
    samples=cond_samples,
    multiple=True,
)
