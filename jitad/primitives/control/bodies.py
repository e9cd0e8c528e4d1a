"""What the rules of loops and branches have in common: bodies closed, moved, batched and made smaller.

In: a body and what is known of its inputs. Out: another body. Invariant: a body has no free Vars once it is a parameter of an equation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jitad.ir.passes import PASSES
from jitad.ir.program import Atom, Program, Var
from jitad.ir.recorder import Recorder, build
from jitad.ir.symbolic import Zero, is_zero
from jitad.ir.types import INT, ArrayType
from jitad.primitives.declare import instantiate, to_front
from jitad.primitives.shaping import broadcast, reshape

COUNTER = ArrayType(INT)


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
    return build(lambda m: [broadcast(reshape(m, shape=(*m.shape, *(1,) * (like.ndim - 1))), shape=like.shape)], [mask.type])


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
