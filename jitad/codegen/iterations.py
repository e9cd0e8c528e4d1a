"""One iteration of a loop nest in LLVM IR: expressions, and what they read and write.

In: the expressions of a region, and the values of the loop variables. Out: code at the current place. Invariant: it is straight-line, but for a
nest without loops that stops at a failed check.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence

from llvmlite import ir

from jitad.codegen import special_functions
from jitad.codegen.elementary.arithmetic import Arithmetic, Scalar
from jitad.codegen.elementary.division import Divisor
from jitad.codegen.memory import Places
from jitad.codegen.scalars import I1, I8, I32, I64, ScalarEmitter, constant, register_type
from jitad.lower.grammar.index import Index
from jitad.lower.grammar.loops import Buffer, Nest, ScatterStore
from jitad.lower.grammar.scalars import Expr
from jitad.lower.grammar.walk import varying, writes
from jitad.lower.schedule.jamming import SHARERS

LONG = 16  # trips of a loop in which numbers are divided by one that is the same for all


class IterationEmitter:
    """Emits expressions of a nest at the current place; `status` is where the number of a failed check goes, unless `fail` stops at it.

    Attributes
    ----------
    variables
        The values of the loop variables.
    values
        Those of the expressions that are there, by their numbers.
    sharers, apart
        How many iterations are computed side by side, and the expressions that each computes for itself.
    """

    def __init__(
        self, builder: ir.IRBuilder, nest: Nest, strict: bool, places: Places, status: ir.Value,
        fail: Callable[[ir.Value, ir.Value], None] | None = None,
    ):  # fmt: skip
        self.builder, self.nest, self.strict, self.places, self.status, self.fail = builder, nest, strict, places, status, fail
        self.scalars = ScalarEmitter(builder, strict)
        self.written = writes(nest)
        self.variables: dict[int, ir.Value] = {}
        self.values: dict[int, ir.Value] = {}
        self.divisors: dict[int, Divisor] = {}
        self.sharers, self.apart = 1, set()

    def evaluate(self, exprs: Sequence[Expr], known: Mapping[int, ir.Value] | None = None) -> None:
        """Emit expressions, operands first; the outcomes of index checks are combined, so that they do not keep a loop from vectorising."""
        self.values = dict(known or {})
        self.outcomes: list[ir.Value] = []
        self.changing = varying(exprs, self.nest.loops[-1:], self.written) if exprs else set()
        for expr in exprs:
            self.values[expr.number] = self.expression(expr)
        if self.outcomes:
            outcome = functools.reduce(self.larger, self.outcomes)
            self.builder.store(self.larger(self.builder.load(self.status, typ=I32), outcome), self.status)

    def larger(self, x: ir.Value, y: ir.Value) -> ir.Value:
        return self.builder.select(self.builder.icmp_signed(">", x, y), x, y)

    def scatter(self, statement: ScatterStore, value: ir.Value) -> None:
        position = self.index(statement.buffer.located(statement.position))
        if statement.combine == "add":
            before = self.read(statement.buffer, position)
            value = self.builder.or_(before, value) if value.type == I1 else (
                self.builder.fadd if statement.value.dtype.kind == "f" else self.builder.add)(before, value)
        self.write(statement.buffer, position, value)

    # --- expressions and memory -----------------------------------------------------------------------------------------

    def expression(self, expr: Expr) -> ir.Value:
        op, args = expr.op, expr.args
        if op in ("const", "zero"):
            return constant(args[1] if args else 0, expr.dtype)
        if op == "load":
            return self.read(args[0], self.index(args[0].located(args[1])))
        if op == "index":
            return self.index(args[0])
        if op == "counter":
            return self.places.trips[args[0]]
        if op in ("in_range", "clamp", "index_div", "index_mod"):
            return self.index_operation(op, self.index(args[0]), args[1])
        if op == "checked":
            index, bad, number = *self.scalars.checked(self.values[args[0].number], args[1].extent), ir.Constant(I32, args[1].number)
            if self.fail is not None:
                self.fail(bad, number)
                return index
            self.outcomes.append(self.builder.select(bad, number, ir.Constant(I32, 0)))
            return self.builder.select(bad, ir.Constant(I64, 0), index)
        if op == "div" and self.divides_many(expr):
            return self.divided(*args)
        operands = [self.values[x.number] for x in args]
        if expr in self.nest.sums and not self.strict:
            return self.scalars.add(op, operands, flags=("reassoc",))
        return special_functions.call(self.builder, expr.op, operands) if ":" in expr.op else self.scalars.emit(expr, operands)

    def divides_many(self, expr: Expr) -> bool:
        """Whether the divisor is the same in all trips of an innermost loop that is long, or in several iterations side by side."""
        if self.strict or expr.dtype.kind != "f" or not self.nest.loops:
            return False
        divisor = expr.args[1].number
        long = self.nest.box[self.nest.loops[-1]] >= LONG
        return long and divisor not in self.changing or self.sharers >= SHARERS and divisor not in self.apart

    def divided(self, x: Expr, y: Expr) -> ir.Value:
        m = Arithmetic(self.builder, register_type(y.dtype))
        if y.number not in self.divisors:
            self.divisors[y.number] = Divisor(m, Scalar(m, self.values[y.number]))
        return self.divisors[y.number].divide(Scalar(m, self.values[x.number])).value

    def index_operation(self, op: str, i: ir.Value, extent: int) -> ir.Value:
        b, n = self.builder, ir.Constant(I64, extent)
        if op == "in_range":
            return b.icmp_unsigned("<", i, n)
        if op == "clamp":
            return self.scalars.clamp(i, extent)
        return b.udiv(i, n) if op == "index_div" else b.urem(i, n)

    def index(self, index: Index) -> ir.Value:
        b, total = self.builder, None
        for term, coefficient in index.terms:
            value = self.variables[term] if isinstance(term, int) else self.values[term.number]
            if coefficient != 1:
                value = b.mul(value, ir.Constant(I64, coefficient), flags=("nsw",))
            total = value if total is None else b.add(total, value, flags=("nsw",))
        offset = ir.Constant(I64, index.const)
        return offset if total is None else b.add(total, offset, flags=("nsw",)) if index.const else total

    def read(self, buffer: Buffer, position: ir.Value) -> ir.Value:
        value = self.places.load(self.builder, buffer, position)
        return self.builder.icmp_unsigned("!=", value, ir.Constant(I8, 0)) if buffer.type.dtype.kind == "b" else value

    def write(self, buffer: Buffer, position: ir.Value, value: ir.Value) -> None:
        if buffer.type.dtype.kind == "b":
            value = self.builder.zext(value, I8)
        self.places.store(self.builder, buffer, position, value)
