"""The record in which a primitive is declared, and the registry of all of them.

Everything that any pass needs to know about a primitive stands in one `Primitive`: passes read its slots and never
its name. `None` in a slot means that the pass does not apply, and the pass says so in an error.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jitad.ir import errors
from jitad.ir.lowering import Control
from jitad.ir.recorder import current
from jitad.ir.registry import REGISTRY


@dataclass(eq=False)
class Primitive:
    """One operation of the IR.

    Calling a primitive, ``sin(x)`` or ``reduce_sum(x, axes=(0,))``, records an equation in the current recorder and
    returns its output atom (a list of atoms for primitives with several outputs).

    Attributes
    ----------
    name
        The name in printed Programs, also the key in `REGISTRY`.
    type : ``(*types, **params) -> ArrayType | list[ArrayType]``
        Checks the operands and gives the result's type. Raises the errors that the user would see from NumPy.
    evaluate : ``(*arrays, **params) -> array | list``
        The reference meaning, in NumPy.
    jvp : ``(inputs, tangents, **params) -> (outputs, tangents)``
        Records the outputs and their tangents. A tangent is an atom or a `Zero`; both results are lists.
    transpose : ``(cotangents, inputs, **params) -> list``
        For a primitive that is linear in the inputs given as `Linear(type)`: their cotangents (an atom, `Masked` or
        `Zero`) from those of the outputs (atoms, one per output); None for the inputs that are known. It is the adjoint
        for the inner product Re<a, b>.
    accumulate : ``(cotangents, inputs, sums, **params) -> list``
        For a primitive with bodies, instead of `transpose`: `sums` are cotangents that its operands have already (None where there are none), and
        the results include them, so that bodies can add to an array in place. Cotangents and sums may be `Masked`, and results for operands
        that are `asked` for their masks.
    reach : ``(mask, which, inputs, **params) -> mask``
        For a linear primitive that is neither pointwise nor structural: the elements of operand `which` on which results depend where the
        boolean atom `mask` is true; `inputs` as for `transpose`.
    masks : ``(mask, inputs, **params) -> list of masks``
        For a structural primitive: the elements of each linear operand on which the results depend that are in the boolean atom `mask` (None:
        all), as boolean atoms (None: all of them). Without it, they are found by moving ones and zeros.
    mark : ``(before, mask, inputs, **params) -> mask``
        For what reads a part of its first operand: the boolean atom `before`, of its shape, with what is read for the results in `mask` (None: all)
        set besides.
    batch : ``(size, inputs, axes, **params) -> (outputs, axes)``
        The operation on operands with an extra axis of extent `size` (at ``axes[i]``; None where there is none).
    lower
        How the lowering evaluates it: one of the records in `jitad.ir.lowering`.
    samples : ``(rng, dtype) -> list[(inputs, params)]``
        Inputs to test with, for each dtype in `dtypes`.
    depends : ``(flags, through, **params) -> list``
        For a primitive with bodies: which results depend on the operands in `flags`, or have another property that spreads as
        ``through(body, flags)`` says (flags are then united by ``|``). Without it, all depend on any.
    split : ``(inputs, unknown, linear, **params) -> outputs``
        For a primitive with bodies, some operands of which are tangents: records what does not depend on them in the current
        recorder and the rest in the recorder `linear`.
    prune : ``(inputs, used, **params) -> outputs``
        For a primitive with bodies: records a version that computes the results in `used`; the others may be anything.
    settle : ``(inputs, used, **params) -> outputs | None``
        For a loop: records a version that carries fewer of the arrays of which each trip reads or writes its own row alone, or writes rows
        where it added to zeros, None if there are none; results that are not in `used` may be anything.
    replay : ``(inputs, segment, snapshots, **params) -> outputs``
        For a loop: records a version that reverse mode runs again, from at most `snapshots` copies of its state, `segment` trips at a
        time, instead of keeping what it needs of each trip.
    trips : ``(equation) -> int``
        For a loop that can be replayed: how often it runs its body at most.
    nonnegative : ``(equation, known) -> bool``
        Whether the result is provably non-negative (or NaN); `known(atom)` asks the same of an operand.
    bounds : ``(equation, *intervals) -> interval``
        The least and the greatest that integers can be, from those of the operands (`jitad.ir.intervals`).
    simplify : ``(inputs, **params) -> atom | None``
        A simpler equal of the operation on these operands (it may record equations), or None.
    choose : ``(inputs, **params) -> atom | None``
        For a write to an array: the same as a choice, for each element, between what is written there and what was there before. None if
        several elements are written.
    part : ``(inputs, **params) -> (atom, atom) | None``
        For an operation that may change a part of an array only: the array, and what is put there or added.
    write : ``(inputs, **params) -> atom | None``
        The same as a write to that part, which leaves the other elements where they are, if there is such a write.
    reread : ``(result, type, **params) -> atom``
        For a write of values of a type to an array: the values, read from what the array is then.
    hoist : ``(inputs, choose, **params) -> outputs | None``
        For a loop, or what runs a Program once: records a version before which those values of its body are computed that
        ``choose(body, held, certain)`` gives, with the body to take them from; `held` are the inputs of the body that are the same in every
        trip, `certain` says that there is one. None if there are no such values.
    delay : ``(inputs, used, **params) -> outputs | None``
        For a loop: records a version that computes at the beginning of a trip what this one computes at the end of the trip before and
        carries, None if there is nothing of the kind; results that are not in `used` may be anything.
    add_into : ``(equation, x) -> atom | None``
        ``x + result`` without forming the result of `equation`, where that is cheaper.
    contract : ``(inputs) -> atom | None``
        For a sum or a difference: the same with an operand that is a product multiplied and added in one operation, None if there is no such.
    through : ``(inputs, alone, needed, **params) -> atom | None``
        The operation carried out on the operands of what gives its operand, where that is cheaper; ``alone(atom)`` says that a single equation
        uses an atom, `needed` that the operand is needed together with the result, so that it would be gone through twice.
    summed : ``(equation, axes, alone) -> atom | None``
        The sum of the result of `equation` along axes from its operands, where that is cheaper than summing the result up.
    expand : ``(inputs, **params) -> list of atoms``
        What is left of the operation when all derivatives have been taken, where that is simpler.
    confines : ``(equation) -> bool``
        Whether the result is zero beyond extents that are only known when the kernel runs.
    guard : ``(inputs, **params) -> (atom, inputs, exception)``
        For an operation that may fail: when it does not, operands with which it never does, and what is raised otherwise.
    places : ``(inputs, **params) -> [(number, extent, safe)]``
        For an operation at computed places: the operands that tell them, each with the extent of the axis that it is checked for, None if what
        it holds is known to be right, and with a number for which it is right in any case.
    idle : ``(active, inputs, **params) -> outputs``
        For an operation with bodies: records a version in which nothing fails where `active`, a boolean scalar, does not hold; its results are
        then anything.
    fails
        The exception that it may raise when the kernel runs, because of what its operands hold.
    effect
        It does something when the kernel runs besides giving its results, which are its first operands.
    pointwise
        Each element of the result depends on the operands' elements at the same index alone.
    structural
        Linear, moving elements without arithmetic on them (sums of moved elements count as moving).
    selecting
        Structural, and some elements of the operand may not reach the result (slices and gathers).
    dtypes
        Character codes of the dtypes that tests sample.
    constants
        The operands with respect to which no derivative is known.
    multiple
        Whether `type`, `evaluate` and calls give lists.
    """

    name: str
    type: Callable
    evaluate: Callable
    jvp: Callable | None = None
    transpose: Callable | None = None
    accumulate: Callable | None = None
    reach: Callable | None = None
    masks: Callable | None = None
    mark: Callable | None = None
    batch: Callable | None = None
    depends: Callable | None = None
    split: Callable | None = None
    prune: Callable | None = None
    settle: Callable | None = None
    replay: Callable | None = None
    trips: Callable | None = None
    lower: Any = None
    samples: Callable | None = None
    nonnegative: Callable = lambda equation, known: False
    bounds: Callable | None = None
    simplify: Callable | None = None
    choose: Callable | None = None
    part: Callable | None = None
    write: Callable | None = None
    reread: Callable | None = None
    hoist: Callable | None = None
    delay: Callable | None = None
    add_into: Callable | None = None
    contract: Callable | None = None
    through: Callable | None = None
    summed: Callable | None = None
    expand: Callable | None = None
    confines: Callable = lambda equation: False
    guard: Callable | None = None
    places: Callable | None = None
    idle: Callable | None = None
    fails: str = ""
    effect: bool = False
    pointwise: bool = False
    structural: bool = False
    selecting: bool = False
    dtypes: str = "dfD"
    constants: tuple[int, ...] = ()
    multiple: bool = False

    def __post_init__(self):
        if self.name in REGISTRY:
            raise errors.InternalError(f"primitive {self.name} is declared twice")
        REGISTRY[self.name] = self

    @functools.cached_property
    def control(self) -> str:
        """The kind of `Control` that it is lowered to; empty for other primitives."""
        return self.lower.kind if isinstance(self.lower, Control) else ""

    def __call__(self, *inputs, **params):
        outputs = current().record(self, inputs, params)
        return list(outputs) if self.multiple else outputs[0]

    def __repr__(self) -> str:
        return self.name
