"""The transpose of `sweeps`.

In: sweeps that are linear in some operands. Out: twice as many, first the known parts in their order, which record what the transposed ones
need, then these in the opposite order and directions. Invariant: what a sweep records for a later one, linear in the operands, is
transposed into what the later one records for the earlier one.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from dataclasses import dataclass

from jitad.ir.passes import PASSES
from jitad.ir.program import Atom, Program, Var
from jitad.ir.symbolic import ASKED, KNOWN, Masked, Zero, is_zero, state_of
from jitad.ir.types import ArrayType
from jitad.primitives.control.bodies import chosen, opposite, unite
from jitad.primitives.control.pulled import PulledBody, first_sum, pulled_body, united
from jitad.primitives.control.sweeps import Sweep, arranged, flow, sweeps
from jitad.primitives.declare import is_linear


@dataclass(frozen=True)
class Cut:
    """A sweep cut in two.

    Attributes
    ----------
    known
        The body of its known part.
    tail
        The part that is linear in its last inputs: constants, the records in `records`, the moving carried values. It gives these, and the
        records in `outputs`.
    tape
        What it reads of the records of the known parts.
    """

    known: Program
    tail: Program
    tape: list[int]
    records: list[int]
    outputs: list[int]


class Transposition:
    """Builds the bodies. `tape` are the types of all records so far, `held` says which constants are linear."""

    def __init__(self, bodies: Sequence[Program], consts: int, linear: Sequence[bool], states: Sequence[int]):
        self.consts, self.held = consts, list(linear[:consts])
        self.asked = [state == ASKED for state in chosen(states[:consts], self.held)]
        self.moving, self.linear_records = flow(bodies, consts, self.held, linear[consts:], PASSES["depends"])
        self.whole = list(arranged(bodies, consts))
        self.tape: list[ArrayType] = []
        self.places: dict[int, int] = {}  # of the known records on the tape
        self.returned: dict[int, list[int]] = {}  # the places of the cotangents of the linear records
        self.cuts = list(map(self.cut, self.whole))
        self.fixed = [x.type for x in chosen(bodies[0].inputs[1 : 1 + consts], opposite(self.held))]
        self.sums = [x.type for x in chosen(bodies[0].inputs[1 : 1 + consts], self.held)]

    def put(self, variables: Sequence) -> range:
        """Record values and return their places."""
        self.tape += [x.type for x in variables]
        return range(len(self.tape) - len(variables), len(self.tape))

    def cut(self, sweep: Sweep) -> Cut:
        counter, variables = sweep.body.inputs[0], sweep.body.inputs[1:]
        constants, before, carried = (variables[: self.consts], variables[self.consts : self.consts + sweep.before],
                                      variables[self.consts + sweep.before :])
        late, moving, ends = self.linear_records[: sweep.before], self.moving[sweep.carry], self.linear_records[sweep.own]
        held, read = chosen(constants, opposite(self.held)), chosen(before, opposite(late))
        at_hand = dict.fromkeys((counter, *held, *read), 0.0)
        parts = PASSES["partition"](sweep.body, [False, *self.held, *late, *moving], [*moving, *ends], at_hand)
        kept, again = PASSES["economize"](parts.known, parts.residuals, at_hand)
        slots = [Var(type) for type in self.tape]
        for k in positions(opposite(late)):
            slots[self.places[k]] = before[k]
        outputs, records = parts.outputs[: sweep.carries], parts.outputs[sweep.carries :]
        known = Program([counter, *held, *slots, *chosen(carried, opposite(moving))], parts.known,
                        [*chosen(outputs, opposite(moving)), *chosen(records, opposite(ends)), *kept])
        self.places.update(zip(positions(opposite(ends), sweep.own.start), self.put(chosen(records, opposite(ends))), strict=True))
        tape = [*[self.places[k] for k in positions(opposite(late))], *self.put(kept)]
        tail = Program([counter, *held, *read, *kept, *chosen(constants, self.held), *chosen(before, late), *chosen(carried, moving)],
                       [*again, *parts.linear], [*chosen(outputs, moving), *chosen(records, ends)])
        return Cut(known, tail, tape, positions(late), positions(ends, sweep.own.start))

    def transposed(self, cut: Cut, totals: Sequence[Atom | Masked], moving: Sequence[Atom | Masked], states: Sequence[int]) -> PulledBody:
        """Return the body of a transposed sweep, which carries sums for the constants and cotangents of what moved."""
        third = len(self.sums)
        reached: list[bool] = []
        asked = [*self.asked, *[state == ASKED for state in states]]

        def pull(counter, fixed, tape, totals, cts):
            values = [counter, *fixed, *[tape[k] for k in cut.tape]]
            count = len(cut.tail.inputs) - len(values)
            back = [functools.reduce(operator.add, [tape[k] for k in self.returned[j]]) if j in self.returned else Zero(x.type)
                    for j, x in zip(cut.outputs, cut.tail.outputs[len(cts) :], strict=True)]
            flags = [False] * len(values) + [True] * count
            between = [False] * (count - third - len(cts))
            pulled = PASSES["pull_back_body"](cut.tail, flags, [*values, *[None] * count], [*cts, *back], totals,
                                              [*asked[:third], *between, *asked[third:]])
            own, fresh, through = pulled[:third], pulled[third : count - len(cts)], pulled[count - len(cts) :]
            reached[:] = [not is_zero(ct) for ct in fresh]
            return [], [*own, *through], chosen(fresh, reached)

        back = pulled_body(pull, self.fixed, self.tape, totals, moving)
        for j, k in zip(chosen(cut.records, reached), self.put(back.program.outputs[len(back.start) :]), strict=True):
            self.returned.setdefault(j, []).append(k)
        return back


def positions(flags: Sequence[bool], start: int = 0) -> list[int]:
    return [start + k for k, flag in enumerate(flags) if flag]


def transpose_sweeps(cotangents, inputs, sums, bodies, consts, reverse, length):
    (count, *inputs), (_, *sums) = inputs, sums
    linear, states = list(map(is_linear, inputs)), list(map(state_of, inputs))
    t = Transposition(bodies, consts, linear, states)
    states = sweeps.depends([KNOWN, *states], bodies, consts, reverse, length, through=PASSES["asked"])
    programs = [cut.known for cut in t.cuts]
    operands = chosen(inputs[consts:], opposite(t.moving))
    known = len(operands)
    start, backs = chosen(sums[:consts], t.held), []
    for sweep, cut in reversed(list(zip(t.whole, t.cuts, strict=True))):
        given, own = (chosen(items[sweep.carry], t.moving[sweep.carry]) for items in (cotangents, states))
        backs.append(t.transposed(cut, list(map(first_sum, start, chosen(inputs[:consts], t.held))), given, own))
        programs.append(backs[-1].program)
        operands += backs[-1].start
        start = [None] * len(start)
    programs, free = unite(programs, 1)
    held = chosen(inputs[:consts], opposite(t.held))
    found = iter(sweeps(count, *free, *held, *operands, bodies=programs, consts=len(free) + len(held), length=length,
                        reverse=(*reverse, *[not down for down in reversed(reverse)]))[known:])
    totals: list = [Zero(type) for type in t.sums]
    carried: list = [None] * len(t.moving)
    for sweep, back in zip(reversed(t.whole), backs, strict=True):
        moving = t.moving[sweep.carry]
        results = iter(back.results([next(found) for _ in back.start], count, held))
        totals = [united(s, next(results)) for s in totals]
        carried[sweep.carry] = [next(results) if moves else None for moves in moving]
    constants = iter(totals)
    results = [next(constants) if moves else None for moves in t.held]
    results += [ct if ct is None else united(s, ct) for s, ct in zip(sums[consts:], carried, strict=True)]
    return [None, *[ct if moves else None for ct, moves in zip(results, linear, strict=True)]]


sweeps.accumulate = transpose_sweeps
