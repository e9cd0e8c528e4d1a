"""`cond`: one of several bodies, by a boolean or an integer."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence

import numpy as np

from jitad.ir import errors
from jitad.ir.effects import has_effects
from jitad.ir.interpreter import evaluate
from jitad.ir.lowering import Control
from jitad.ir.passes import PASSES
from jitad.ir.primitive import Primitive
from jitad.ir.program import Atom, Equation, Program, Var
from jitad.ir.recorder import Recorder, build, inline
from jitad.ir.symbolic import Masked, Zero, is_zero, value_of
from jitad.ir.types import BOOL, INT, ArrayType
from jitad.primitives.control.bodies import batched_body, chosen, chosen_at, cut, distinct, moved_body, needed, reduced, unite, widen_mask
from jitad.primitives.control.idle import idle_body, may_fail
from jitad.primitives.control.printing import one_by_one
from jitad.primitives.control.pulled import mask_of, masks_of, remasked
from jitad.primitives.declare import full, instantiate, is_linear, sample, to_front, uniform
from jitad.primitives.elementwise.comparisons import select
from jitad.primitives.structural.shaping import broadcast


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


def cond_depends(flags, branches, through=None):
    columns = zip(*[(through or PASSES["depends"])(branch, flags[1:]) for branch in branches], strict=True)
    return [functools.reduce(operator.or_, column) for column in columns]


def split_cond(inputs, unknown, linear: Recorder, branches):
    """The known choice also gives what the branches' linear parts need; a branch gives zeros for what only others need."""
    index, *operands = inputs
    flags = list(unknown[1:])
    results = cond_depends(unknown, branches)
    prices = [{var: linear.price(x) for var, x in zip(branch.inputs, operands, strict=True)} for branch in branches]
    parts = [PASSES["partition"](branch, flags, results, own, free=linear.free, outermost=linear.outermost)
             for branch, own in zip(branches, prices, strict=True)]
    known = [k for k, moves in enumerate(flags) if not moves]
    moving = [k for k, moves in enumerate(flags) if moves]
    chosen_for = [PASSES["economize"](part.known, part.residuals, own) for part, own in zip(parts, prices, strict=True)]
    ends = [chosen(part.outputs, results) for part in parts]
    lasts = [[*again, *part.linear] for part, (_, again) in zip(parts, chosen_for, strict=True)]
    read = [k for k in known if any(takes(*each, branch.inputs[k]) for *each, branch in zip(lasts, ends, branches, strict=True))]
    kept = [[x for x in found if x not in branch.inputs] for (found, _), branch in zip(chosen_for, branches, strict=True)]
    slots = [x.type for residuals in kept for x in residuals]
    firsts, seconds, start = [], [], 0
    for part, branch, residuals, last in zip(parts, branches, kept, lasts, strict=True):
        with Recorder() as recorder:
            recorder.equations += part.known
            rooms = [full(0, type) for type in slots]
        rooms[start : start + len(residuals)] = residuals
        outputs = [x for x, moves in zip(part.outputs, results, strict=True) if not moves]
        firsts.append(Program([branch.inputs[k] for k in known], recorder.equations, [*outputs, *rooms]))
        held = [Var(type) for type in slots]
        held[start : start + len(residuals)] = residuals
        moved = [x for x, moves in zip(part.outputs, results, strict=True) if moves]
        seconds.append(Program([*[branch.inputs[k] for k in read], *held, *[branch.inputs[k] for k in moving]], last, moved))
        start += len(residuals)
    found = cond(index, *[operands[k] for k in known], branches=tuple(firsts))
    count = len(results) - sum(results)
    with linear:
        moved = cond(index, *[operands[k] for k in read], *found[count:], *[operands[k] for k in moving], branches=tuple(seconds))
    found, moved = iter(found), iter(moved)
    return [next(moved) if moves else next(found) for moves in results]


def takes(equations: Sequence[Equation], outputs: Sequence[Atom], var: Var) -> bool:
    return var in outputs or any(var in equation.inputs for equation in equations)


def transpose_cond(cotangents, inputs, sums, branches):
    index, *operands = inputs
    totals = sums[1:]
    flags = [is_linear(x) for x in operands]
    known = [k for k, moves in enumerate(flags) if not moves]
    given = [k for k, total in enumerate(totals) if total is not None]
    moving = chosen(operands, flags)
    marked = [k for k, x in enumerate(moving) if x.asked]
    masks: list[list[Atom | None]] = []  # in each branch, of the cotangents that are asked for theirs

    def pulled(branch: Program) -> Program:
        def step(*own):
            fixed, sums, cts, marks = cut(own, len(known), len(given), len(cotangents))
            marks = iter(marks)
            held, own = dict(zip(known, fixed, strict=True)), dict(zip(given, remasked(sums, chosen_at(totals, given), marks), strict=True))
            found = PASSES["pull_back_body"](branch, flags, list(map(held.get, range(len(operands)))), remasked(cts, cotangents, marks),
                                             chosen(list(map(own.get, range(len(operands)))), flags), [x.asked for x in moving])
            masks.append([mask_of(found[k]) for k in marked])
            reached = [full(True, ArrayType(BOOL, moving[k].type.shape)) if mask is None else mask for k, mask in zip(marked, masks[-1], strict=True)]
            return [*[instantiate(value_of(x)) for x in found], *reached]

        return build(step, [x.type for x in atoms])

    received = [*chosen_at(totals, given), *cotangents]
    atoms = [*chosen_at(operands, known), *map(value_of, received), *masks_of(received)]
    programs, free = unite(list(map(pulled, branches)))
    results = cond(index, *free, *atoms, branches=programs)
    results, reached = results[: len(moving)], results[len(moving) :]
    for k, mask, column in zip(marked, reached, zip(*masks, strict=True), strict=True):
        results[k] = masked(index, results[k], mask, column)
    results = iter(results)
    return [None, *[next(results) if moves else None for moves in flags]]


def masked(index: Atom, value: Atom, mask: Atom, branches: Sequence[Atom | None]) -> Atom | Masked:
    """Return a cotangent with its mask, of which it is known what it is in each branch."""
    if all(own is None for own in branches):
        return value
    if all(own is None or is_false(own) for own in branches):
        taken = any_taken(index, [own is None for own in branches])
        mask = broadcast(taken, shape=value.shape) if value.shape else taken
    return Masked(value, mask)


def is_false(mask: Atom) -> bool:
    number = uniform(mask)
    return number is not None and not number


def any_taken(index: Atom, branches: Sequence[bool]) -> Atom:
    """Return whether one of some branches is taken."""
    found = [is_taken(index, number, len(branches) - 1) for number, wanted in enumerate(branches) if wanted]
    return functools.reduce(operator.or_, found) if found else full(False, ArrayType(BOOL))


def is_taken(index: Atom, number: int, last: int) -> Atom:
    """Return whether a branch is the one that is taken; indices before the first and after the last are those."""
    if index.dtype == BOOL:
        return index if number else ~index
    return index < 1 if number == 0 else index >= last if number == last else (index >= number) & (index < number + 1)


def idle_cond(active, inputs, branches):
    index, *operands = inputs
    return cond(index if index.dtype == BOOL else select(active, index, 0), active, *operands, branches=tuple(map(idle_body, branches)))


def batch_cond(size, inputs, axes, branches):
    """With one choice for all members the branches are batched; with a choice for each, all branches run and members select."""
    (index, *operands), (choice, *where) = inputs, axes
    batched = [axis is not None for axis in where]
    operands = [x if axis is None else to_front(x, axis) for x, axis in zip(operands, where, strict=True)]
    if choice is None:
        results = [any(column) for column in zip(*[batched_body(branch, size, batched, None)[1] for branch in branches], strict=True)]
        programs, free = unite([batched_body(branch, size, batched, results)[0] for branch in branches])
        return cond(index, *free, *operands, branches=programs), [0 if moves else None for moves in results]
    if any(map(has_effects, branches)):
        return one_by_one(cond, size, inputs, axes, {"branches": branches})
    everywhere = [True] * len(branches[0].outputs)
    found = []
    for number, branch in enumerate(branches):
        if may_fail(branch, {}):
            program, _ = batched_body(idle_body(branch), size, [True, *batched], everywhere)
            found.append(inline(program, [is_taken(index, number, len(branches) - 1), *operands]))
        else:
            found.append(inline(batched_body(branch, size, batched, everywhere)[0], operands))
    outputs = found[0]
    for number, results in enumerate(found[1:], 1):
        mask = index if index.dtype == BOOL else index >= number
        outputs = [select(inline(widen_mask(mask, new), [mask])[0], new, old) for new, old in zip(results, outputs, strict=True)]
    return outputs, [0] * len(outputs)


def prune_cond(inputs, used, branches):
    branches = [distinct(branch, inputs[1:]) for branch in branches]
    columns = [needed(branch, used) for branch in branches]
    keep = [any(column) for column in zip(*columns, strict=True)]
    if all(used) and all(keep):
        return None
    smaller = tuple(reduced(branch, keep, used) for branch in branches)
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
    accumulate=transpose_cond,
    batch=batch_cond,
    lower=Control("cond"),
    samples=cond_samples,
    multiple=True,
)
cond.idle = idle_cond
