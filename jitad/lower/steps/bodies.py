"""Elements of Vars at indices: what the bodies of loop nests compute, by pulling values through the Program.

In: a Var, an index, and where values lie (`Context`). Out: the scalar expression of the element. Invariant: a value is read from memory if an earlier
step has stored it and computed in place otherwise; each (Var, index) is evaluated once per region.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Callable, Sequence

import numpy as np

from jitad.ir.lowering import Pointwise, Pull, Reduce
from jitad.ir.program import Atom, Equation, Literal, Var
from jitad.ir.source import Source
from jitad.ir.types import ArrayType
from jitad.lower.fusion.fusion import Group, storage
from jitad.lower.fusion.reads import is_place, kind_of, reduced_indices
from jitad.lower.grammar.builder import Builder
from jitad.lower.grammar.index import ZERO, Index
from jitad.lower.grammar.loops import Buffer, Check, Counter

CALLS = {"max": "maximum", "min": "minimum", "and": "and", "or": "or"}
IDENTITY = {"add": 0, "mul": 1, "or": False, "and": True}


class Context:
    """What building steps needs to know about the whole: where values lie, the counters of enclosing loops, the index checks."""

    def __init__(self, buffers: dict[Var, Buffer], outer: Context | None = None):
        self.buffers = buffers
        self.counters: dict[Var, Counter] = dict(outer.counters) if outer else {}
        self.checks: dict[tuple, Check] = outer.checks if outer else {}
        self.numbers = outer.numbers if outer else itertools.count()

    def new_buffer(self, type: ArrayType) -> Buffer:
        return Buffer(type, "work", f"w{next(self.numbers)}")

    def buffer_of(self, var: Var) -> Buffer | None:
        buffer = self.buffers.get(var)
        if buffer is None:
            base = storage(var)
            buffer = self.buffers.get(base) if base is not var else None
        return buffer

    def checks_for(self, equation: Equation, source: Source | None = None) -> Callable[..., Check]:
        """Return what makes the checks of an equation, or of that part of it which the user has at `source`."""
        def make(extent: int, axis: int, **own) -> Check:
            key = (equation, source, extent, axis)
            if key not in self.checks:
                self.checks[key] = Check(len(self.checks) + 1, extent, axis, source or equation.source, **own)
            return self.checks[key]

        return make


class Read:
    """An operand, as element rules see it: ``read(index)`` gives the element."""

    __slots__ = ("body", "atom")

    def __init__(self, body: Body, atom: Atom):
        self.body, self.atom = body, atom

    @property
    def type(self) -> ArrayType:
        return self.atom.type

    def __call__(self, index: Sequence[Index]):
        return self.body.value(self.atom, tuple(index))


class Body:
    """Evaluates Vars at indices within one region of the nest of `group`."""

    def __init__(self, context: Context, group: Group, ranges):
        self.context = context
        self.builder = Builder(ranges)
        self.memo: dict = {}
        self.local = dict(group.offsets) if group.kind == "nest" else {}
        self.short = group.short

    def value(self, atom: Atom, index: tuple[Index, ...]):
        """Return the element of `atom` at `index`."""
        if isinstance(atom, Literal):
            return self.builder.const(atom.value, atom.dtype)
        if atom in self.context.counters:
            return self.builder.counter(self.context.counters[atom])
        key = (atom, index)
        if key not in self.memo:
            self.evaluate_chain(atom, index)
        return self.memo[key]

    def evaluate_chain(self, var: Var, index: tuple[Index, ...]) -> None:
        """Evaluate `var` and, first, the elementwise operations that lead to it: without recursion, since chains can be long."""
        pending = [var]
        while pending:
            var = pending[-1]
            if (var, index) in self.memo:
                pending.pop()
                continue
            ahead = [x for x in self.chained_operands(var, index) if (x, index) not in self.memo]
            if ahead:
                pending.extend(ahead)
            else:
                pending.pop()
                self.memo[var, index] = self.evaluate(var, index)

    def chained_operands(self, var: Var, index) -> list[Var]:
        if self.stored(var, index) is not None or not isinstance(var.equation.primitive.lower, Pointwise):
            return []
        return [x for x in var.equation.inputs if isinstance(x, Var) and x.shape == var.shape and x not in self.context.counters]

    def stored(self, var: Var, index) -> Buffer | None:
        """Return the buffer to read `var` from, or None where this very iteration computes it.

        Roots of one nest read one another only where they are computed, but behind a guard the index need not look like it: what lies in the
        buffer is then of no use, and the element is computed again.
        """
        if var in self.local and (kind_of(var.equation) == "inline" or is_place(index, var.shape, self.short, self.local[var])):
            return None
        if var not in self.context.buffers and storage(var) in self.local:
            return None
        return self.context.buffer_of(var)

    def evaluate(self, var: Var, index: tuple[Index, ...]):
        buffer = self.stored(var, index)
        if buffer is not None:
            return self.builder.load(buffer, index, var.shape)
        return self.element(var.equation, index)

    def element(self, equation: Equation, index: tuple[Index, ...]):
        """Apply the element rule of an equation at `index`."""
        record = equation.primitive.lower
        if isinstance(record, Pointwise):
            operands = [self.value(x, broadcast_index(index, x.shape)) for x in equation.inputs]
            return record.element(self.builder, *operands, **equation.params)
        b, around = self.builder, self.builder.next_check
        b.next_check = self.context.checks_for(equation)
        operands = [Read(self, x) for x in equation.inputs]
        if isinstance(record, Pull):
            value = record.element(b, index, operands, equation.outputs[0].type, **equation.params)
        elif kind_of(equation) == "inline":
            value = self.combined(equation, reduced_indices(equation, index))
        else:
            value = record.element(b, index, operands, **equation.params)
        b.next_check = around
        return value

    def combined(self, equation: Equation, indices: Sequence[tuple[Index, ...]]):
        """Combine the elements of a reduction at `indices` of its box."""
        record: Reduce = equation.primitive.lower
        self.builder.next_check = self.context.checks_for(equation)
        operands = [Read(self, x) for x in equation.inputs]
        elements = [record.element(self.builder, index, operands, **equation.params) for index in indices]
        if not elements:
            return self.builder.const(identity_of(record.combine, equation.outputs[0].dtype), equation.outputs[0].dtype)
        combine = {"add": self.builder.plus, "mul": operator.mul}.get(record.combine) or functools.partial(self.builder.call, CALLS[record.combine])
        return functools.reduce(combine, elements)


def broadcast_index(index: tuple[Index, ...], shape: tuple[int, ...]) -> tuple[Index, ...]:
    """Return the index of an operand of `shape` that NumPy's broadcasting pairs with `index`."""
    if not shape:
        return ()
    tail = index[len(index) - len(shape) :]
    return tuple([ZERO if extent == 1 else i for i, extent in zip(tail, shape, strict=True)])


def identity_of(combine: str, dtype: np.dtype):
    if combine in IDENTITY:
        return dtype.type(IDENTITY[combine])
    low = combine == "max"
    if dtype.kind == "b":
        return np.bool_(not low)
    if dtype.kind == "f":
        return dtype.type(-np.inf if low else np.inf)
    return dtype.type(np.iinfo(dtype).min if low else np.iinfo(dtype).max)
