"""Reverse mode: transposing a linear map.

In: a `LinearMap` and cotangents of its outputs. Out: cotangents of its inputs, recorded in the current recorder: the adjoint for
the inner product Re<a, b>. Invariant: what a selection did not take contributes exactly zero, even where the partial
derivative on the side not taken is infinite or NaN; see `Cotangent`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from jitad.ir import errors
from jitad.ir.interpreter import evaluate
from jitad.ir.passes import PASSES
from jitad.ir.program import Atom, Equation, Literal, Program, Var
from jitad.ir.recorder import Env, Recorder, build, current, inline
from jitad.ir.symbolic import Linear, Masked, Zero, is_zero
from jitad.ir.types import BOOL, ArrayType
from jitad.primitives.declare import full, instantiate
from jitad.primitives.elementwise.comparisons import ne, select
from jitad.primitives.reductions import reduce_sum
from jitad.primitives.structural.shaping import broadcast, reshape
from jitad.transform.linearize import LinearMap
from jitad.transform.partition import partition

KNOWN_SIZE = 4_000_000


@dataclass(frozen=True)
class Cotangent:
    """A cotangent that has passed selections.

    It equals `value` where the boolean atom ``mask()`` is true and is exactly zero elsewhere. `mask` is None where nothing was
    selected, and is not recorded before it is asked for. If `exact`, `value` itself is zero where the mask is false; otherwise
    it may be anything there, inf and NaN included. `known` is the mask itself where it does not depend on values: several slices may
    together cover everything, and then nothing is masked.
    """

    value: Atom
    mask: Callable[[], Atom] | None = None
    exact: bool = True
    known: np.ndarray | None = None

    def settle(self) -> Atom:
        """Return the cotangent as an atom."""
        return self.value if self.exact else select(self.mask(), self.value, 0.0)

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
    value = x.settle() + y.settle()
    if x.mask is None or y.mask is None:
        return Cotangent(value)
    known = None if x.known is None or y.known is None else x.known | y.known
    return Cotangent(value) if known is not None and known.all() else Cotangent(value, once(lambda: x.mask() | y.mask()), known=known)


def pull_back(linear: LinearMap, cotangents: Sequence[Atom | Zero], sums: Sequence[Atom | None] = ()) -> list[Atom | Zero]:
    """Record the transpose of `linear` and return the cotangents of its inputs, added to those in `sums` that are not None."""
    cts: dict[Var, Cotangent] = {var: Cotangent(x) for var, x in zip(linear.inputs, sums, strict=False) if x is not None}
    moving = set(linear.inputs)
    for equation in linear.equations:
        moving.update(equation.outputs)
    for tangent, ct in zip(linear.outputs, cotangents, strict=True):
        if not is_zero(tangent) and not is_zero(ct):
            cts[tangent] = accumulate(cts.get(tangent), Cotangent(ct))
    recorder = current()
    source = recorder.source
    for equation in reversed(linear.equations):
        if any(var in cts for var in equation.outputs):
            recorder.source = equation.source
            for atom, ct in zip(equation.inputs, transpose(equation, cts, moving), strict=True):
                if ct is not None:
                    cts[atom] = accumulate(cts.get(atom), ct)
    result = [cts[var].settle() if var in cts else Zero(var.type) for var in linear.inputs]
    recorder.source = source
    return result


def transpose(equation: Equation, cts: dict[Var, Cotangent], moving: set[Var]) -> list[Cotangent | None]:
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


def transpose_into(equation: Equation, cts: dict[Var, Cotangent], moving: set[Var]) -> list[Cotangent | None]:
    """Transpose an equation with bodies; what its operands have received so far is handed to them, to add to."""
    inputs = [Linear(atom.type) if atom in moving else atom for atom in equation.inputs]
    found = [cts.pop(var, None) for var in equation.outputs]
    cotangents = [instantiate(Zero(var.type)) if ct is None else ct.settle() for var, ct in zip(equation.outputs, found, strict=True)]
    before = [cts.pop(atom, None) if atom in moving else None for atom in equation.inputs]
    sums = [None if ct is None else ct.settle() for ct in before]
    results = equation.primitive.accumulate(cotangents, inputs, sums, **equation.params)
    taken = equation.primitive.taken(equation) if equation.primitive.taken is not None else [None] * len(inputs)
    return [None if skip(result, x) else joined(result, ct, mask) for result, x, ct, mask in zip(results, inputs, before, taken, strict=True)]


def joined(value: Atom, before: Cotangent | None, taken: Callable[[], Atom] | None) -> Cotangent:
    """Return the sum of an exact cotangent and of what is zero unless ``taken()``, a scalar, holds."""
    if taken is None or before is not None and before.mask is None:
        return Cotangent(value)

    def mask() -> Atom:
        found = broadcast(taken(), shape=value.shape) if value.shape else taken()
        return found if before is None else found | before.mask()

    return Cotangent(value, once(mask))


def transpose_expansion(equation: Equation, cts: dict[Var, Cotangent], moving: set[Var]) -> list[Cotangent | None]:
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
    exact = ct.exact and all(isinstance(x, Linear | Literal) for x in inputs)
    cotangents: list[Cotangent | None] = []
    for result, operand in zip(results, inputs, strict=True):
        if skip(result, operand):
            cotangents.append(None)
            continue
        if isinstance(result, Masked):
            new = Cotangent(result.value, both(ct.mask, result.mask), exact=False)
        else:
            new = Cotangent(result, ct.mask, ct.mask is None or exact, ct.known)
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
            cotangents.append(Cotangent(result, once(lambda k=k: mask(k)), known=None if known is None else known[k]))
    return cotangents


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


def pull_back_body(body: Program, flags: Sequence[bool], operands: Sequence[Atom | None], cotangents: Sequence[Atom],
                   sums: Sequence[Atom | None] = (), free: bool = True) -> list[Atom | Zero]:  # fmt: skip
    """Record the transpose of a body that is linear in the inputs in `flags`, given the others, and return the cotangents of those.

    They are added to `sums`, one for each of those inputs or None. What loops in it need is kept, if they are not `free` to run again.
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
    return pull_back(LinearMap(fresh, linear.equations, outputs), cotangents, sums)


PASSES["pull_back_body"] = pull_back_body
