"""What a trip of a transposed loop does: cotangents are pulled back, and with them the masks of those that are asked for.

In: a function that pulls back the cotangents of one trip. Out: a body that carries sums for constants, cotangents, and masks. Invariant: a mask is
carried only where trips differ in it, that of a cotangent only where it depends on data; one that all trips have alike is recorded once, after the
loop, and one that holds everywhere not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from jitad.ir.dataflow import leading_to
from jitad.ir.facts import is_fixed
from jitad.ir.program import Atom, Equation, Literal, Program, Var
from jitad.ir.recorder import Env, Recorder, current, inline
from jitad.ir.symbolic import Linear, Masked, Zero, is_zero, value_of
from jitad.ir.types import BOOL, COUNTER, ArrayType
from jitad.primitives.control.bodies import pruned
from jitad.primitives.declare import full, instantiate
from jitad.primitives.structural.shaping import broadcast


@dataclass(frozen=True)
class PulledBody:
    """The body of a transposed loop: trip number, constants, what else it reads or carries, sums, cotangents, masks.

    Attributes
    ----------
    program
        The body; its outputs are what it carries, then what else the trip gives.
    start
        With what the sums, the cotangents and the masks begin.
    masks
        For each sum and each cotangent where it may differ from zero after a trip; None where that is not asked for, or everywhere.
    marks
        The masks before the trip, by the place among sums and cotangents; those in `carried` are carried.
    state
        How many carried values come before the sums among the outputs.
    sums
        How many sums there are.
    equations
        The equations of the body.
    held
        Its constants.
    """

    program: Program
    start: list[Atom]
    masks: list[Atom | None]
    marks: dict[int, Var]
    before: dict[int, Atom]
    carried: list[int]
    state: int
    equations: list[Equation]
    held: list[Var]

    def results(self, finals: Sequence[Atom], count: Atom, held: Sequence[Atom]) -> list[Atom | Masked]:
        """Return sums and cotangents after `count` trips with constants `held`, masked where they may not differ from zero."""
        values = finals[self.state : self.state + len(self.masks)]
        found = dict(zip(self.carried, finals[self.state + len(self.masks) :], strict=False))
        found |= {k: self.alike(k, count, held) for k in self.marks if k not in found}
        return [x if found.get(k) is None else Masked(x, found[k]) for k, x in enumerate(values)]

    def alike(self, k: int, count: Atom, held: Sequence[Atom]) -> Atom | None:
        """Return the mask of a sum to which every trip adds at the same places; None if everywhere."""
        mark, before, mask = self.marks[k], self.before[k], self.masks[k]
        if mask is mark:
            return before
        if mask is not None:
            known = [*self.held, mark]
            (mask,) = inline(Program(known, leading_to(self.equations, [mask], known), [mask]), [*held, before])
        if isinstance(count, Literal):
            return mask
        ran = broadcast(count > 0, shape=before.shape) if before.shape else count > 0
        return before | ran if mask is None else before | (mask & ran)


def pulled_body(pull: Callable, fixed: Sequence[ArrayType], state: Sequence[ArrayType], sums: Sequence[Atom | Masked],
                cotangents: Sequence[Atom | Masked]) -> PulledBody:  # fmt: skip
    """Record what a trip does: ``pull(counter, constants, state, sums, cotangents)`` gives what it carries besides, cotangents, and more.

    The sums and cotangents with which the loop begins come with their masks if these are asked for.
    """
    begin, n = [*sums, *cotangents], len(sums)
    masked = [isinstance(x, Masked) and (k < n or is_selected(x.mask)) for k, x in enumerate(begin)]
    while True:
        counter, held, before, own = Var(COUNTER), *[[Var(type) for type in group] for group in (fixed, state, [value_of(x).type for x in begin])]
        marks = {k: Var(ArrayType(BOOL, x.type.shape)) for k, x in enumerate(own) if masked[k]}
        with Recorder(current().source) as recorder:
            given = [Masked(x, marks[k]) if k in marks else x for k, x in enumerate(own)]
            after, found, others = pull(counter, held, before, given[:n], given[n:])
            masks = [mask_of(x) for x in found]
            grown = [was or (k >= n and is_selected(mask)) for k, (was, mask) in enumerate(zip(masked, masks, strict=True))]
            if grown == masked:
                carried = [k for k in marks if k >= n or not (masks[k] is None or is_fixed(masks[k], {*held, marks[k]}))]
                ends = [full(True, marks[k].type) if masks[k] is None else masks[k] for k in carried]
                outputs = [*after, *[instantiate(value_of(x)) for x in found], *ends, *others]
                break
        masked = grown
    starts = {k: begin[k].mask if isinstance(begin[k], Masked) else full(True, mark.type) for k, mark in marks.items()}
    program = Program([counter, *held, *before, *own, *[marks[k] for k in carried]], recorder.equations, outputs)
    program = without({mark for k, mark in marks.items() if k not in carried}, program)
    start = [*map(value_of, begin), *[starts[k] for k in carried]]
    return PulledBody(program, start, masks, marks, starts, carried, len(after), recorder.equations, held)


def without(marks: set[Var], program: Program) -> Program:
    """Return a Program that takes some masks, which its results do not depend on, for false."""
    if not any(x in marks for equation in program.equations for x in equation.inputs):
        return program
    inputs = [Var(var.type) for var in program.inputs]
    with Recorder(current().source) as recorder:
        env = Env(zip(program.inputs, inputs, strict=True))
        env.update((mark, full(False, mark.type)) for mark in marks)
        for equation in program.equations:
            env.repeat(equation, recorder)
    return Program(inputs, recorder.equations, env.read_all(program.outputs))


def is_selected(mask: Atom | None) -> bool:
    """Whether a mask depends on data, rather than on shapes and numbers of trips and places alone."""
    met, open = set(), [mask]
    while open:
        x = open.pop()
        if not isinstance(x, Var) or x in met:
            continue
        met.add(x)
        if x.equation is None and x.dtype.kind not in "iu":
            return True
        if x.equation is not None:
            open += pruned(x.equation, [x is var for var in x.equation.outputs]).inputs
    return False


def first_sum(total: Atom | Masked | None, operand: Linear) -> Atom | Masked:
    """Return with what the cotangent of a constant begins."""
    if total is not None:
        return total
    zeros = full(0, operand.type)
    return Masked(zeros, full(False, ArrayType(BOOL, operand.type.shape))) if operand.asked else zeros


def mask_of(x: Atom | Masked | Zero) -> Atom | None:
    """Return where a cotangent may differ from zero; None if everywhere."""
    return x.mask if isinstance(x, Masked) else full(False, ArrayType(BOOL, x.type.shape)) if is_zero(x) else None


def remasked(cotangents: Sequence[Atom], like: Sequence[Atom | Masked], masks: Iterable[Atom]) -> list[Atom | Masked]:
    """Return cotangents, masked where those that they are `like` are."""
    masks = iter(masks)
    return [Masked(x, next(masks)) if isinstance(old, Masked) else x for x, old in zip(cotangents, like, strict=True)]


def masks_of(cotangents: Sequence[Atom | Masked]) -> list[Atom]:
    return [x.mask for x in cotangents if isinstance(x, Masked)]


def united(x: Atom | Masked | Zero | None, y: Atom | Masked) -> Atom | Masked:
    """Add two cotangents."""
    if x is None or is_zero(x):
        return y
    value = value_of(x) + value_of(y)
    return Masked(value, x.mask | y.mask) if isinstance(x, Masked) and isinstance(y, Masked) else value
