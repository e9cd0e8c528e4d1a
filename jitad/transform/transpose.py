"""Reverse mode: transposing a linear map.

In: a `LinearMap` and cotangents of its outputs. Out: cotangents of its inputs, recorded in the current recorder: the adjoint for
the inner product Re<a, b>. Invariant: what a selection did not take contributes exactly zero, even where the partial
derivative on the side not taken is infinite or NaN; see `Cotangent`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from jitad.ir import errors
from jitad.ir.facts import same
from jitad.ir.interpreter import evaluate
from jitad.ir.passes import PASSES
from jitad.ir.program import Atom, Equation, Program, Var
from jitad.ir.recorder import Env, Recorder, build, current, inline
from jitad.ir.symbolic import ASKED, MOVING, Linear, Masked, Zero, is_zero
from jitad.ir.types import BOOL, ArrayType
from jitad.primitives.declare import full, instantiate, uniform
from jitad.primitives.elementwise.comparisons import ne, not_, select
from jitad.primitives.reductions import reduce_sum
from jitad.primitives.structural.shaping import reshape
from jitad.transform.asking import spoils, spread
from jitad.transform.linearize import LinearMap
from jitad.transform.partition import partition

KNOWN_SIZE = 4_000_000


@dataclass(frozen=True)
class Cotangent:
    """A cotangent that has passed selections.

    It equals `value` where the boolean atom ``mask()`` is true and is exactly zero elsewhere. `mask` is None where nothing was
    selected, and is not recorded before it is asked for. Where ``guard()`` is false and the mask too, `value` may be anything, inf and NaN
    included; without a guard it is zero where the mask is false. `known` is the mask itself where it does not depend on values: several slices
    may together cover everything, and then nothing is masked. `half` is what was selected from, and the condition, of what is one of two
    values between which a selection chooses. ``mark(other)`` is the union of another mask and this one, where that takes less than both.
    """

    value: Atom
    mask: Callable[[], Atom] | None = None
    guard: Callable[[], Atom] | None = None
    known: np.ndarray | None = None
    half: tuple[Cotangent, Atom] | None = None
    mark: Callable[[Atom], Atom] | None = None

    def settle(self) -> Atom:
        """Return the cotangent as an atom."""
        return self.value if self.guard is None else select(self.guard(), self.value, 0.0)

    def indicator(self) -> Atom:
        """Return 1 where the mask is true and 0 elsewhere, in the dtype of the value."""
        one = full(1, self.value.type)
        return one if self.mask is None else select(self.mask(), one, 0.0)


def once(mask: Callable[[], Atom]) -> Callable[[], Atom]:
    """Record a mask at the first request and remember it."""
    made: list[Atom] = []

    def get():
        if not made:
            made.append(mask())
        return made[0]

    return get


def accumulate(x: Cotangent | None, y: Cotangent) -> Cotangent:
    if x is None:
        return y
    return either(x, y, x.settle() + y.settle())


def either(x: Cotangent, y: Cotangent, value: Atom) -> Cotangent:
    """Return a cotangent that is zero where both `x` and `y` are."""
    if x.mask is None or y.mask is None:
        return Cotangent(value)
    if x.half and y.half and x.half[0] is y.half[0] and opposite(x.half[1], y.half[1]):
        whole = x.half[0]
        return Cotangent(value, whole.mask, known=whole.known, half=whole.half)
    known = None if x.known is None or y.known is None else x.known | y.known
    return Cotangent(value) if known is not None and known.all() else Cotangent(value, once(lambda: union(x, y)), known=known)


def union(x: Cotangent, y: Cotangent) -> Atom:
    """Return where one of two cotangents may differ from zero."""
    first, second = (y, x) if x.mark is not None and y.mark is None else (x, y)
    mask = first.mask()
    if everywhere(mask):
        return mask
    return mask | second.mask() if second.mark is None else second.mark(mask)


def everywhere(mask: Atom) -> bool:
    return bool(uniform(mask))


def opposite(x: Atom, y: Atom) -> bool:
    """Whether one of two conditions is the opposite of the other."""
    return negates(x, y) or negates(y, x)


def negates(x: Atom, y: Atom) -> bool:
    equation = getattr(x, "equation", None)
    return equation is not None and equation.primitive is not_ and same(equation.inputs[0], y)


def pull_back(linear: LinearMap, cotangents: Sequence[Atom | Zero | Masked], sums: Sequence[Atom | Masked | None] = (),
              asked: Sequence[bool] = ()) -> list[Atom | Zero | Masked]:  # fmt: skip
    """Record the transpose of `linear` and return the cotangents of its inputs, added to those in `sums` that are not None.

    Those of the inputs in `asked` are `Masked` where they did not receive something everywhere.
    """
    asked = list(asked) or [False] * len(linear.inputs)
    states = {var: MOVING | ASKED if ask else MOVING for var, ask in zip(linear.inputs, asked, strict=True)}
    spread(linear.equations, states)
    for equation in linear.equations:
        states.update((var, MOVING) for var in equation.outputs if var not in states)
    cts: dict[Var, Cotangent] = {var: found(x) for var, x in zip(linear.inputs, sums, strict=False) if x is not None}
    for tangent, ct in zip(linear.outputs, cotangents, strict=True):
        if not is_zero(tangent) and not is_zero(ct):
            cts[tangent] = accumulate(cts.get(tangent), found(ct))
    recorder = current()
    source = recorder.source
    for equation in reversed(linear.equations):
        if any(var in cts for var in equation.outputs):
            recorder.source = equation.source
            for atom, ct in zip(equation.inputs, transpose(equation, cts, states), strict=True):
                if ct is not None:
                    cts[atom] = accumulate(cts.get(atom), ct)
    result = [told(cts[var], ask) if var in cts else Zero(var.type) for var, ask in zip(linear.inputs, asked, strict=True)]
    recorder.source = source
    return result


def found(ct: Atom | Masked) -> Cotangent:
    """Return the cotangent that a rule has given."""
    return Cotangent(ct.value, lambda: ct.mask) if isinstance(ct, Masked) else Cotangent(ct)


def told(ct: Cotangent, asked: bool) -> Atom | Masked:
    """Return a cotangent for a rule, with its mask if that is asked for."""
    value = ct.settle()
    mask = ct.mask() if asked and ct.mask is not None else None
    return value if mask is None or everywhere(mask) else Masked(value, mask)


def transpose(equation: Equation, cts: dict[Var, Cotangent], moving: dict[Var, int]) -> list[Cotangent | None]:
    """Return the cotangents of an equation's operands; None for those that are known or receive nothing."""
    primitive = equation.primitive
    if primitive.accumulate is not None:
        return transpose_into(equation, cts, moving)
    if primitive.transpose is None and primitive.expand is not None:
        return transpose_expansion(equation, cts, moving)
    if primitive.transpose is None:
        raise errors.NotImplementedError(f"jitad has no reverse mode through {primitive.name}; use jacfwd or jvp", equation.source)
    inputs = [Linear(atom.type) if atom in moving else atom for atom in equation.inputs]
    outputs = [cts.pop(var, None) for var in equation.outputs]
    if primitive.multiple or not (primitive.pointwise or primitive.structural):
        settled = [
            instantiate(Zero(var.type)) if ct is None else ct.settle() for var, ct in zip(equation.outputs, outputs, strict=True)
        ]
        results = primitive.transpose(settled, inputs, **equation.params)
        return [None if skip(result, x) else reached(equation, outputs[0], inputs, k, result)
                for k, (result, x) in enumerate(zip(results, inputs, strict=True))]
    apply = transpose_pointwise if primitive.pointwise else transpose_structural
    return apply(equation, outputs[0], inputs)


def transpose_into(equation: Equation, cts: dict[Var, Cotangent], moving: dict[Var, int]) -> list[Cotangent | None]:
    """Transpose an equation with bodies; what its operands have received so far is handed to them, to add to."""
    inputs = [Linear(atom.type, moving[atom] == ASKED) if atom in moving else atom for atom in equation.inputs]
    after = [cts.pop(var, None) for var in equation.outputs]
    cotangents = [instantiate(Zero(var.type)) if ct is None else told(ct, moving.get(var) == ASKED)
                  for var, ct in zip(equation.outputs, after, strict=True)]
    before = [cts.pop(atom, None) if atom in moving else None for atom in equation.inputs]
    sums = [None if ct is None else told(ct, x.asked) for ct, x in zip(before, inputs, strict=True)]
    results = equation.primitive.accumulate(cotangents, inputs, sums, **equation.params)
    return [None if skip(result, x) else found(result) for result, x in zip(results, inputs, strict=True)]


def transpose_expansion(equation: Equation, cts: dict[Var, Cotangent], moving: dict[Var, int]) -> list[Cotangent | None]:
    """Transpose what an equation stands for."""
    with Recorder(equation.source) as recorder:
        outputs = equation.primitive.expand(equation.inputs, **equation.params)
    inputs = list(dict.fromkeys(atom for atom in equation.inputs if atom in moving))
    parts = partition(Program(inputs, recorder.equations, outputs), [True] * len(inputs))
    current().equations += parts.known
    pairs = [(x, cts.pop(var)) for x, var in zip(parts.outputs, equation.outputs, strict=True) if var in cts]
    taken = [(x, ct.settle()) for x, ct in pairs if x in parts.unknown]
    results = pull_back(LinearMap(inputs, parts.linear, [x for x, _ in taken]), [ct for _, ct in taken])
    found = dict(zip(inputs, results, strict=True))
    cotangents = [found.pop(atom, None) for atom in equation.inputs]
    return [None if ct is None or is_zero(ct) else Cotangent(ct) for ct in cotangents]


def reached(equation: Equation, ct: Cotangent | None, inputs, which: int, result: Atom) -> Cotangent:
    """Return the cotangent of an operand with the mask that follows from that of the results."""
    reach = equation.primitive.reach
    if reach is None or ct is None or ct.mask is None:
        return Cotangent(result)

    def move(mask: Atom) -> Atom:
        return reach(mask, which, inputs, **equation.params)

    known = None
    if ct.known is not None:
        (known,) = evaluate(build(lambda mask: [move(mask)], [ArrayType(BOOL, ct.value.shape)]), ct.known)
    return Cotangent(result) if known is not None and known.all() else Cotangent(result, once(lambda: move(ct.mask())), known=known)


def skip(result, operand) -> bool:
    return result is None or is_zero(result) or not isinstance(operand, Linear)


def transpose_pointwise(equation: Equation, ct: Cotangent, inputs) -> list[Cotangent | None]:
    """The mask stays; multiplication by anything but a number may put inf or NaN where it is false."""
    results = equation.primitive.transpose([ct.value], inputs, **equation.params)
    guard = ct.mask if spoils(inputs) else ct.guard
    cotangents: list[Cotangent | None] = []
    for result, operand in zip(results, inputs, strict=True):
        if skip(result, operand):
            cotangents.append(None)
            continue
        if isinstance(result, Masked):
            new = Cotangent(result.value, both(ct.mask, result.mask), both(ct.guard, result.mask), half=(ct, result.mask))
        else:
            new = Cotangent(result, ct.mask, guard, ct.known, ct.half)
        cotangents.append(unbroadcast(new, operand.type))
    return cotangents


def both(mask: Callable[[], Atom] | None, other: Atom) -> Callable[[], Atom]:
    return (lambda: other) if mask is None else once(lambda: mask() & other)


def unbroadcast(ct: Cotangent, type: ArrayType) -> Cotangent:
    """Sum a cotangent over the axes along which its operand was broadcast."""
    shape = ct.value.shape
    if shape == type.shape:
        return ct
    lead = len(shape) - type.ndim
    axes = tuple(k for k, extent in enumerate(shape) if k < lead or (type.shape[k - lead] == 1 and extent != 1))

    def fold(x):
        x = reduce_sum(x, axes=axes) if axes else x
        return x if x.shape == type.shape else reshape(x, shape=type.shape)

    mask = None if ct.mask is None else once(lambda: ne(fold(ct.indicator()), 0.0))
    return Cotangent(fold(ct.settle()), mask)


def transpose_structural(equation: Equation, ct: Cotangent, inputs) -> list[Cotangent | None]:
    """Moved elements take their masks along; elements that a selection left out receive nothing."""

    def move(x):
        return equation.primitive.transpose([x], inputs, **equation.params)

    results = move(ct.settle())
    masked = ct.mask is not None or equation.primitive.selecting
    known = known_masks(equation, ct, inputs) if masked else None
    moved: list = []

    def mask(k):
        if not moved and equation.primitive.masks is not None:
            moved.extend(equation.primitive.masks(ct.mask and ct.mask(), inputs, **equation.params))
        elif not moved:
            moved.extend(None if x is None else ne(x, 0.0) for x in move(ct.indicator()))
        return full(True, ArrayType(BOOL, inputs[k].type.shape)) if moved[k] is None else moved[k]

    cotangents: list[Cotangent | None] = []
    for k, (result, operand) in enumerate(zip(results, inputs, strict=True)):
        if skip(result, operand):
            cotangents.append(None)
        elif not masked or (known is not None and known[k].all()):
            cotangents.append(Cotangent(result))
        else:
            marks = None if equation.primitive.mark is None else functools.partial(mark, equation, ct, inputs)
            cotangents.append(Cotangent(result, once(lambda k=k: mask(k)), known=None if known is None else known[k], mark=marks))
    return cotangents


def mark(equation: Equation, ct: Cotangent, inputs, before: Atom) -> Atom:
    return equation.primitive.mark(before, ct.mask and ct.mask(), inputs, **equation.params)


def known_masks(equation: Equation, ct: Cotangent, inputs) -> list[np.ndarray] | None:
    """Return the masks of an equation's cotangents if they follow from shapes and slices alone."""
    unknown = ct.mask is not None and ct.known is None
    indexed = any(not isinstance(x, Linear) and x.dtype.kind in "iu" for x in inputs)
    if unknown or indexed or max(x.type.size for x in (ct.value, *inputs)) > KNOWN_SIZE:
        return None
    linear = [k for k, x in enumerate(inputs) if isinstance(x, Linear)]
    held = [x for x in inputs if isinstance(x, Var)]
    move, dtype = equation.primitive.masks, BOOL
    if move is None:  # what is not zero of a cotangent of ones
        move, dtype = equation.primitive.transpose, ct.value.dtype

    def moved(indicator: Atom, *values: Atom) -> list[Atom]:
        rest = iter(values)
        operands = [next(rest) if isinstance(x, Var) else x for x in inputs]
        results = move([indicator] if dtype != BOOL else indicator, operands, **equation.params)
        return [full(True, ArrayType(BOOL, inputs[k].type.shape)) if results[k] is None else instantiate(results[k]) for k in linear]

    ones = np.ones(ct.value.shape, dtype) if ct.known is None else ct.known.astype(dtype)
    program = build(moved, [ArrayType(dtype, ct.value.shape), *[x.type for x in held]], equation.source)
    found = dict(zip(linear, evaluate(program, ones, *[np.zeros(x.shape, x.dtype) for x in held]), strict=True))
    return [found[k] != 0 if k in found else np.ones(()) for k in range(len(inputs))]


def pull_back_body(body: Program, flags: Sequence[bool], operands: Sequence[Atom | None], cotangents: Sequence[Atom | Zero | Masked],
                   sums: Sequence[Atom | Masked | None] = (), asked: Sequence[bool] = (),
                   free: bool = True) -> list[Atom | Zero | Masked]:  # fmt: skip
    """Record the transpose of a body that is linear in the inputs in `flags`, given the others, and return the cotangents of those.

    They are added to `sums`, one for each of those inputs or None; those in `asked` come with their masks. What loops in it need is kept, if
    they are not `free` to run again.
    """
    parts = partition(body, flags, free=free)
    env = Env({var: x for var, x in zip(body.inputs, operands, strict=True) if x is not None})
    for equation in parts.known:
        env.repeat(equation, current())
    inputs = [var for var, moves in zip(body.inputs, flags, strict=True) if moves]
    used = [x for x in parts.residuals if x in env]
    program = Program([*used, *inputs], parts.linear, [x for x in parts.outputs if x in parts.unknown])
    fresh = [Var(var.type) for var in inputs]
    with Recorder(current().source) as linear:
        moved = iter(inline(program, [*[env[x] for x in used], *fresh]))
    outputs = [next(moved) if x in parts.unknown else Zero(x.type) for x in parts.outputs]
    return pull_back(LinearMap(fresh, linear.equations, outputs), cotangents, sums, asked)


PASSES["pull_back_body"] = pull_back_body
