"""What the rules of loops and branches have in common: bodies closed, moved, batched and made smaller.

In: a body and what is known of its inputs. Out: another body. Invariant: a body has no free Vars once it is a parameter of an equation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jitad.ir.dataflow import leading_to
from jitad.ir.facts import is_undefined
from jitad.ir.lowering import UNBOUNDED
from jitad.ir.passes import PASSES
from jitad.ir.program import Atom, Equation, Program, Var
from jitad.ir.recorder import Recorder, build, inline
from jitad.ir.symbolic import Zero, is_zero
from jitad.ir.types import COUNTER, ArrayType
from jitad.primitives.control.idle import idling
from jitad.primitives.declare import instantiate, to_front
from jitad.primitives.elementwise.comparisons import lt, select
from jitad.primitives.structural.shaping import broadcast, reshape


def close(program: Program, place: int) -> tuple[Program, list[Var]]:
    """Return a Program with its free Vars as inputs, put before input `place`, and these Vars."""
    free = program.free_vars()
    return Program([*program.inputs[:place], *free, *program.inputs[place:]], program.equations, program.outputs), free


def fixpoint(flags: Sequence[bool], step: Callable[[list[bool]], Sequence[bool]]) -> list[bool]:
    """Return the least flags that include `flags` and what ``step(flags)`` makes of them."""
    current = list(flags)
    while True:
        following = [a | b for a, b in zip(current, step(current), strict=True)]
        if following == current:
            return current
        current = following


def leading(body: Program, known: Sequence[int], moving: Sequence[int], consts: int) -> list[int]:
    """Return which of the known carried values those that move depend on, in the same trip or a later one."""
    places = range(consts, len(body.inputs) - 1)
    wanted = fixpoint([k in moving for k in places], lambda flags: read_by(body, flags)[1 + consts :])
    return [k for k, reached in zip(places, wanted, strict=True) if reached and k in known]


def read_by(program: Program, outputs: Sequence[bool]) -> list[bool]:
    """Return which inputs of a body the `outputs` depend on, loops and branches in it taken apart."""
    wanted = set(chosen(program.outputs, outputs))
    for equation in reversed(program.equations):
        used = [var in wanted for var in equation.outputs]
        if any(used):
            wanted.update(pruned(equation, used).inputs)
    return [var in wanted for var in program.inputs]


def pruned(equation: Equation, used: Sequence[bool]) -> Equation:
    """Return an equation that gives the Vars that are used, from the operands that these need; what it needs to carry besides has other names."""
    if equation.primitive.prune is None:
        return equation
    with Recorder(equation.source) as recorder:
        found = equation.primitive.prune(equation.inputs, used, **equation.params)
    if found is None:
        return equation
    (smaller,) = recorder.equations
    names = {x: var for x, var, keep in zip(found, equation.outputs, used, strict=True) if keep}
    smaller.outputs = tuple([names.get(x, x) for x in smaller.outputs])
    return smaller


def unite(programs: Sequence[Program], place: int = 0) -> tuple[tuple[Program, ...], list[Var]]:
    """Return Programs closed over the same free Vars, which come before input `place`."""
    free = list(dict.fromkeys(var for program in programs for var in program.free_vars()))
    inputs = [[*program.inputs[:place], *free, *program.inputs[place:]] for program in programs]
    return tuple(Program(xs, program.equations, program.outputs) for xs, program in zip(inputs, programs, strict=True)), free


def widened(program: Program, types: Sequence[ArrayType], places: Sequence[int]) -> Program:
    """Return a Program of inputs of `types` that applies `program` to those at `places`."""
    inputs = [Var(type) for type in types]
    for place, var in zip(places, program.inputs, strict=True):
        inputs[place] = var
    return Program(inputs, program.equations, program.outputs)


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


def move_repeated(inputs: Sequence[Atom], tangents: Sequence, body: Program, consts: int) -> tuple[Program, list[Var], list, list[Atom], list[bool]]:
    """Return the forward-mode body of a loop, the free Vars it takes, its constants and its carried operands, and which carried values move.

    The body's inputs are the counter, then all of these in this order; tangents of constants and of carried values come behind them.
    """
    has = [not is_zero(t) for t in tangents]
    held = has[:consts]
    moving = fixpoint(has[consts:], lambda flags: moved_body(body, 1, [*held, *flags], None)[1])
    program, _ = moved_body(body, 1, [*held, *moving], moving)
    n, m = len(inputs), sum(held)
    order = [0, *range(1, consts + 1), *range(n + 1, n + 1 + m), *range(consts + 1, n + 1), *range(n + 1 + m, len(program.inputs))]
    program, free = close(Program([program.inputs[k] for k in order], program.equations, program.outputs), 1)
    dots = [first_tangent(x, t) for x, t, moves in zip(inputs, tangents, [*held, *moving], strict=True) if moves]
    return program, free, [*inputs[:consts], *dots[:m]], [*inputs[consts:], *dots[m:]], moving


def with_tangents(results: Sequence[Atom], moving: Sequence[bool]) -> tuple[list[Atom], list]:
    """Return the carried values among the results of a forward-mode loop, and their tangents."""
    outputs, dots = results[: len(moving)], iter(results[len(moving) :])
    return outputs, [next(dots) if moves else Zero(x.type) for x, moves in zip(outputs, moving, strict=True)]


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


def widen_mask(mask: Atom, like: Atom) -> Program:
    return build(lambda m: [broadcast(reshape(m, shape=(*m.shape, *(1,) * (like.ndim - m.ndim))), shape=like.shape)], [mask.type])


def live(program: Program, outputs: Sequence[bool]) -> list[Equation]:
    """Return the equations that the `outputs` depend on."""
    return leading_to(program.equations, chosen(program.outputs, outputs))


def needed(program: Program, outputs: Sequence[bool]) -> list[bool]:
    """Return which inputs of a body the `outputs` depend on."""
    wanted = {*chosen(program.outputs, outputs), *[x for equation in live(program, outputs) for x in equation.inputs]}
    return [var in wanted for var in program.inputs]


def reduced(program: Program, inputs: Sequence[bool], outputs: Sequence[bool]) -> Program:
    """Return a body with those of its inputs, outputs and equations that the chosen outputs need, which are among the chosen inputs."""
    return Program(chosen(program.inputs, inputs), live(program, outputs), chosen(program.outputs, outputs))


def distinct(program: Program, operands: Sequence[Atom], first: int = 0) -> Program:
    """Return a body, whose inputs from `first` on stand for `operands`, that reads equal ones under one name."""
    end = first + len(operands)
    names: dict[Atom, Var] = {}
    for x, var in zip(operands, program.inputs[first:end], strict=True):
        names.setdefault(x, var)
    if len(names) == len(operands):
        return program
    with Recorder() as recorder:
        outputs = inline(program, [*program.inputs[:first], *[names[x] for x in operands], *program.inputs[end:]])
    return Program(program.inputs, recorder.equations, outputs)


def opposite(flags: Sequence[bool]) -> list[bool]:
    return [not flag for flag in flags]


def chosen(items: Sequence, flags: Sequence[bool]) -> list:
    return [x for x, keep in zip(items, flags, strict=True) if keep]


def cut(items: Sequence, *counts: int) -> list[list]:
    """Cut a list in parts of these lengths and what remains."""
    items, parts = list(items), []
    for count in counts:
        parts.append(items[:count])
        items = items[count:]
    return [*parts, items]


def chosen_at(items: Sequence, places: Sequence[int]) -> list:
    return [items[k] for k in places]


def batched_operands(inputs: Sequence[Atom], axes: Sequence[int | None], batched: Sequence[bool], size: int) -> list[Atom]:
    """Return operands with the batch on axis 0 of those in `batched`."""
    return [to_front(x, axis) if axis is not None else repeated(x, size) if moves else x
            for x, axis, moves in zip(inputs, axes, batched, strict=True)]


def repeated(x: Atom, size: int) -> Atom:
    """Return `size` copies of a value; of one that is not there yet, there are as many that are not."""
    shape = (size, *x.shape)
    return x.equation.primitive(**{**x.equation.params, "shape": shape}) if is_undefined(x) else broadcast(x, shape=shape)


def first_tangent(x: Atom, tangent: Atom | Zero) -> Atom:
    """Return the tangent with which a loop begins; that of a value that is not there yet is not there either."""
    return x.equation.primitive(**x.equation.params) if is_zero(tangent) and is_undefined(x) else instantiate(tangent)


def limited(body: Program, carries: int, length: int) -> Program:
    """Return a body with a further constant, the number of trips, that leaves what it carries as it is in trips from there on, at most `length`."""
    count = Var(COUNTER)
    with Recorder() as recorder:
        runs = lt(body.inputs[0], count)
        found = idling(body, body.inputs, runs, {} if length == UNBOUNDED else {body.inputs[0]: (0, max(length - 1, 0))})
        carried = zip(found[:carries], body.inputs[len(body.inputs) - carries :], strict=True)
        outputs = [*[where(runs, new, old) for new, old in carried], *found[carries:]]
    return Program([body.inputs[0], count, *body.inputs[1:]], recorder.equations, outputs)


def where(mask: Atom, new: Atom, old: Atom) -> Atom:
    """Return `new` where the mask, which has the leading axes of the two, holds, else `old`."""
    return select(inline(widen_mask(mask, new), [mask])[0], new, old)


def prune_repeated(primitive, inputs, used, bodies: dict[str, Program], consts: int, **params):
    """Carry only what is used, or what a carried value or the test depends on; hold only the constants that are read.

    `bodies` holds ``body``, and ``test`` if there is one, with the same inputs; the first operand is the number of trips.
    """
    lead = 1 + consts
    bodies = {name: distinct(program, inputs[1:lead], 1) for name, program in bodies.items()}
    body = bodies["body"]
    tested = needed(bodies["test"], [True]) if "test" in bodies else [False] * len(inputs)
    carry = fixpoint([a or b for a, b in zip(used, tested[lead:], strict=True)], lambda flags: needed(body, flags)[lead:])
    held = [a or b for a, b in zip(needed(body, carry)[1:lead], tested[1:lead], strict=True)]
    if all(carry) and all(held):
        return None
    keep = [True, *held, *carry]
    smaller = {name: reduced(program, keep, carry if program is body else [True]) for name, program in bodies.items()}
    results = primitive(*chosen(inputs, keep), **smaller, consts=sum(held), **params)
    lead, finals = results[: len(results) - sum(carry)], iter(results[len(results) - sum(carry) :])
    return [*lead, *[next(finals) if kept else inputs[0] for kept in carry]]
