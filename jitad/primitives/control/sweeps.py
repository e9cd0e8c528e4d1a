"""`sweeps`: bodies run over the same trips one after another, up or down, each with what the ones before it recorded in that trip.

In: the number of trips, constants, then the carried values of each sweep. Out: those at the end. Reverse mode through loops whose number
of trips has no useful bound is made of it: a sweep up records what the sweep down needs. The records never leave the equation, so that no
array of the IR has an extent that is only known when the kernel runs.

Invariant: the inputs of a body are the trip number, the constants, all that the sweeps before it record in a trip, and its carried values; its
outputs are these and what it records itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from jitad.ir import errors
from jitad.ir.interpreter import evaluate
from jitad.ir.lowering import UNBOUNDED, Control
from jitad.ir.passes import PASSES
from jitad.ir.primitive import Primitive
from jitad.ir.program import Atom, Program
from jitad.ir.recorder import build
from jitad.ir.symbolic import Zero, is_zero
from jitad.ir.types import COUNTER, ArrayType
from jitad.primitives.control.bodies import (
    batched_body,
    batched_operands,
    chosen,
    fixpoint,
    limited,
    moved_body,
    needed,
    opposite,
    reduced,
    unite,
)
from jitad.primitives.control.idle import no_trips
from jitad.primitives.declare import instantiate, sample
from jitad.primitives.reductions import reduce_max


@dataclass(frozen=True)
class Sweep:
    """One body and its place in the whole: `carry` among the carried values of all sweeps, `before` and `own` among the records."""

    body: Program
    carry: slice
    before: int
    own: slice

    @property
    def carries(self) -> int:
        return self.carry.stop - self.carry.start


def arranged(bodies: Sequence[Program], consts: int) -> Iterator[Sweep]:
    """Iterate over sweeps with their places."""
    place = before = 0
    for body in bodies:
        carries = len(body.inputs) - 1 - consts - before
        records = len(body.outputs) - carries
        yield Sweep(body, slice(place, place + carries), before, slice(before, before + records))
        place, before = place + carries, before + records


def sweeps_type(*types, bodies, consts, reverse, length):
    carried = types[1 + consts :]
    records: list[ArrayType] = []
    for sweep in arranged(bodies, consts):
        carry = list(carried[sweep.carry])
        if sweep.body.input_types != [COUNTER, *types[1 : 1 + consts], *records, *carry] or sweep.body.output_types[: len(carry)] != carry:
            raise errors.InternalError("sweeps: operands and bodies disagree about types")
        records += sweep.body.output_types[len(carry) :]
    return list(carried)


def evaluate_sweeps(count, *arrays, bodies, consts, reverse, length):
    held, carried = arrays[:consts], list(arrays[consts:])
    records: list[list] = [[] for _ in range(count)]
    for sweep, down in zip(arranged(bodies, consts), reverse, strict=True):
        for k in range(count)[::-1] if down else range(count):
            results = evaluate(sweep.body, np.int64(k), *held, *records[k], *carried[sweep.carry])
            carried[sweep.carry] = results[: sweep.carries]
            records[k] += results[sweep.carries :]
    return carried


def flow(bodies: Sequence[Program], consts: int, held: Sequence[bool], carried: Sequence[bool], step: Callable):
    """Return which carried values and which records have a property that spreads: ``step(body, flags of its inputs)`` gives its outputs."""
    carried, records = list(carried), []
    for sweep in arranged(bodies, consts):

        def outputs(flags, body=sweep.body, known=(False, *held, *records)):
            return list(step(body, [*known, *flags]))

        n = sweep.carries
        carried[sweep.carry] = fixpoint(carried[sweep.carry], lambda flags, n=n, outputs=outputs: outputs(flags)[:n])
        records += outputs(carried[sweep.carry])[n:]
    return carried, records


def jvp_sweeps(inputs, tangents, bodies, consts, reverse, length):
    count, *inputs = inputs
    has = [not is_zero(t) for t in tangents[1:]]
    held = has[:consts]
    moving, records = flow(bodies, consts, held, has[consts:], lambda body, flags: moved_body(body, 1, flags[1:], None)[1])
    programs, operands = [], []
    order: list[tuple[bool, int]] = []  # the records: whether it is a tangent, and of which record
    for sweep in arranged(bodies, consts):
        flags = moving[sweep.carry]
        own = records[sweep.own]
        program, _ = moved_body(sweep.body, 1, [*held, *records[: sweep.before], *flags], [*flags, *own])
        old = iter(program.inputs[len(sweep.body.inputs) :])
        dots = [[next(old) if moves else None for moves in group] for group in (held, records[: sweep.before], flags)]
        first, found = program.inputs[: len(sweep.body.inputs)], program.outputs
        lead = 1 + consts
        mixed = [(dots[1] if tangent else first[lead:])[k] for tangent, k in order]
        inner = [*first[:lead], *present(dots[0]), *mixed, *first[lead + sweep.before :], *present(dots[2])]
        n, m, r = sweep.carries, sum(flags), len(own)
        outputs = [*found[:n], *found[n + r : n + r + m], *found[n : n + r], *found[n + r + m :]]
        programs.append(Program(inner, program.equations, outputs))
        order += [(False, k) for k in range(sweep.own.start, sweep.own.stop)]
        order += [(True, sweep.own.start + k) for k, moves in enumerate(own) if moves]
        given = [t for t, moves in zip(tangents[1 + consts :][sweep.carry], flags, strict=True) if moves]
        operands += [*inputs[consts:][sweep.carry], *map(instantiate, given)]
    programs, free = unite(programs, 1)
    dots = [t for t in tangents[1 : 1 + consts] if not is_zero(t)]
    found = iter(sweeps(count, *free, *inputs[:consts], *dots, *operands, bodies=programs, consts=len(free) + consts + len(dots),
                        reverse=reverse, length=length))
    outputs, moved = [], []
    for sweep in arranged(bodies, consts):
        flags = moving[sweep.carry]
        outputs += [next(found) for _ in flags]
        moved += [next(found) if moves else None for moves in flags]
    return outputs, [Zero(x.type) if t is None else t for x, t in zip(outputs, moved, strict=True)]


def present(items: Sequence) -> list:
    return [x for x in items if x is not None]


def sweeps_depend(flags, bodies, consts, reverse, length, through=None):
    return flow(bodies, consts, flags[1 : 1 + consts], flags[1 + consts :], through or PASSES["depends"])[0]


def split_sweeps(inputs, unknown, linear, bodies, consts, reverse, length):
    """The linear part runs the known sweeps again, and so needs nothing of them but what they start from."""
    params = {"consts": consts, "reverse": reverse, "length": length}
    late = sweeps_depend(unknown, bodies, **params)
    known = iter(known_sweeps(inputs, unknown, late, bodies, **params) if not all(late) else ())
    with linear:
        moved = sweeps(*inputs, bodies=bodies, **params)
    return [x if moves else next(known) for x, moves in zip(moved, late, strict=True)]


def known_sweeps(inputs, unknown, late, bodies, consts, reverse, length) -> list[Atom]:
    """Record what does not depend on the operands that are unknown."""
    held = list(unknown[1 : 1 + consts])
    _, records = flow(bodies, consts, held, unknown[1 + consts :], PASSES["depends"])
    programs = []
    for sweep in arranged(bodies, consts):
        flags = [False, *held, *records[: sweep.before], *late[sweep.carry]]
        parts = PASSES["partition"](sweep.body, flags)
        ends = [*late[sweep.carry], *records[sweep.own]]
        programs.append(Program(chosen(sweep.body.inputs, opposite(flags)), parts.known, chosen(parts.outputs, opposite(ends))))
    keep = opposite([False, *held, *late])
    return sweeps(*chosen(inputs, keep), bodies=tuple(programs), consts=consts - sum(held), reverse=reverse, length=length)


def batch_sweeps(size, inputs, axes, bodies, consts, reverse, length):
    """All members run as many trips as the one that runs most; a member keeps its values in trips that are not its own."""
    (count, *inputs), (several, *axes) = inputs, axes
    if several is not None:
        bodies = tuple([limited(sweep.body, sweep.carries, length) for sweep in arranged(bodies, consts)])
        consts, inputs, axes = consts + 1, [count, *inputs], [several, *axes]
        count = reduce_max(count, axes=(0,))
    batched = [axis is not None for axis in axes]
    held = batched[:consts]
    carried, records = flow(bodies, consts, held, batched[consts:], lambda body, flags: batched_body(body, size, flags, None)[1])
    programs = [batched_body(sweep.body, size, [False, *held, *records[: sweep.before], *carried[sweep.carry]],
                             [*carried[sweep.carry], *records[sweep.own]])[0] for sweep in arranged(bodies, consts)]
    programs, free = unite(programs, 1)
    outputs = sweeps(count, *free, *batched_operands(inputs, axes, [*held, *carried], size), bodies=programs, consts=len(free) + consts,
                     reverse=reverse, length=length)
    return outputs, [0 if moves else None for moves in carried]


def prune_sweeps(inputs, used, bodies, consts, reverse, length):
    """Keep the carried values and the records that what is used depends on, the constants that are read, and the sweeps that do something."""
    carried, held = list(used), [False] * consts
    whole = list(arranged(bodies, consts))
    records = [False] * whole[-1].own.stop
    for sweep in reversed(whole):
        lead = 1 + consts + sweep.before
        carried[sweep.carry] = fixpoint(carried[sweep.carry],
                                        lambda flags, sweep=sweep, lead=lead: needed(sweep.body, [*flags, *records[sweep.own]])[lead:])
        read = needed(sweep.body, [*carried[sweep.carry], *records[sweep.own]])
        held = [a or b for a, b in zip(held, read[1 : 1 + consts], strict=True)]
        records[: sweep.before] = [a or b for a, b in zip(records[: sweep.before], read[1 + consts : lead], strict=True)]
    programs, directions = [], []
    for sweep, down in zip(whole, reverse, strict=True):
        ends = [*carried[sweep.carry], *records[sweep.own]]
        keep = [True, *held, *records[: sweep.before], *carried[sweep.carry]]
        if any(ends):
            programs.append(reduced(sweep.body, keep, ends))
            directions.append(down)
    if len(programs) == len(bodies) and all(held) and all(carried) and all(records):
        return None
    results = iter(sweeps(*chosen(inputs, [True, *held, *carried]), bodies=tuple(programs), consts=sum(held), reverse=tuple(directions),
                          length=length) if programs else ())
    return [next(results) if kept else inputs[0] for kept in carried]


def sweeps_samples(rng, dtype):
    """A recurrence of three carried values that records in every trip, and a sweep down that reads it."""
    x = sample(rng, dtype, (0.2, 1.0))
    type = ArrayType(x.dtype, x.shape)
    up = build(lambda i, a, x, y: [a * x + y, y * a, x * y], [COUNTER, type, type, type])
    down = build(lambda i, a, r, z: [r * z + a], [COUNTER, type, type, type])
    params = {"bodies": (up, down), "consts": 1, "reverse": (False, True), "length": UNBOUNDED}
    return [([np.int64(count), x, x + 0.5, x * 0.7, x - 0.1], params) for count in (3, 1, 0)]


sweeps = Primitive(
    "sweeps",
    type=sweeps_type,
    evaluate=evaluate_sweeps,
    jvp=jvp_sweeps,
    depends=sweeps_depend,
    split=split_sweeps,
    prune=prune_sweeps,
    batch=batch_sweeps,
    lower=Control("sweeps"),
    samples=sweeps_samples,
    multiple=True,
)
sweeps.idle = no_trips(sweeps)
