"""Scalar expressions: what one iteration of a loop nest computes.

In: the element rules of primitives, applied to `Scalars`, in a region to a `jitad.lower.grammar.builder.Builder`. Out: `Expr`, real-valued scalar
operations in SSA form; complex numbers are pairs of them. Invariant: equal expressions of one builder are one object (so common subexpressions
are computed once), and operands are numbered before the expressions that use them.
"""

from __future__ import annotations

import operator

import numpy as np

from jitad.ir.types import BOOL, complex_dtype, real_dtype
from jitad.lower.grammar import complexes, folding
from jitad.lower.grammar.index import Range

OPERATORS = {"add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv}
COMPARISONS = {"eq", "ne", "lt", "le", "gt", "ge"}


class Expr:
    """A real, integer or boolean scalar: operation, operands, dtype. `bounds` is the range of an integer where it is known."""

    __slots__ = ("op", "args", "dtype", "number", "bounds", "builder")

    def __init__(self, op, args, dtype, number, bounds, builder):
        self.op, self.args, self.dtype, self.number, self.bounds, self.builder = op, args, dtype, number, bounds, builder

    def __add__(self, other):
        return self.builder.arithmetic("add", self, other)

    def __sub__(self, other):
        return self.builder.arithmetic("sub", self, other)

    def __mul__(self, other):
        return self.builder.arithmetic("mul", self, other)

    def __truediv__(self, other):
        return self.builder.arithmetic("div", self, other)

    def __neg__(self):
        return self.builder.op("neg", self.dtype, self)

    def __repr__(self) -> str:
        return f"v{self.number}"


class Complex:
    """A complex scalar: two real ones. Multiplication and division as in C without Annex G's recovery of infinities."""

    __slots__ = ("real", "imag")

    def __init__(self, real: Expr, imag: Expr):
        self.real, self.imag = real, imag

    @property
    def dtype(self) -> np.dtype:
        return complex_dtype(self.real.dtype)

    @property
    def builder(self) -> Scalars:
        return self.real.builder

    def __add__(self, other):
        return Complex(self.real + other.real, self.imag + other.imag)

    def __sub__(self, other):
        return Complex(self.real - other.real, self.imag - other.imag)

    def __neg__(self):
        return Complex(-self.real, -self.imag)

    def __mul__(self, other):
        return Complex(self.real * other.real - self.imag * other.imag, self.real * other.imag + self.imag * other.real)

    def __truediv__(self, other):
        return self.builder.call("div", self, other)


class Scalars:
    """Makes expressions, each once, and folds them."""

    def __init__(self):
        self.table: dict = {}

    def make(self, op: str, args: tuple, dtype: np.dtype, bounds: Range | None = None) -> Expr:
        key = (op, args, dtype)
        expr = self.table.get(key)
        if expr is None:
            expr = self.table[key] = Expr(op, args, dtype, len(self.table), bounds, self)
        return expr

    def op(self, op: str, dtype: np.dtype, *args: Expr) -> Expr:
        """Return an expression, folded where the operands allow it."""
        folded = folding.fold(self, op, dtype, args)
        return self.make(op, args, dtype) if folded is None else folded

    def arithmetic(self, op: str, x: Expr, y) -> Expr | Complex:
        if isinstance(y, Complex):
            return OPERATORS[op](Complex(x, self.zero(x.dtype)), y)
        return self.op(op, x.dtype, x, y)

    def muladd(self, x: Expr, y: Expr, z: Expr) -> Expr:
        """Return ``x * y + z``, rounded once if the processor can do that."""
        product = x * y
        if product.op != "mul" or folding.is_number(z, 0):
            return product + z
        return self.op("muladd", z.dtype, *product.args, z)

    def plus(self, total, term):
        """Return ``total + term``, as one operation if the term is a product of real numbers."""
        if isinstance(term, Expr) and term.op == "mul" and term.dtype.kind == "f":
            return self.muladd(*term.args, total)
        return total + term

    def const(self, value, like) -> Expr | Complex:
        """Return a number of the dtype `like` (a dtype, or a scalar that has one)."""
        dtype = like if isinstance(like, np.dtype) else like.dtype
        if dtype.kind == "c":
            value, part = complex(value), real_dtype(dtype)
            imag = self.const(value.imag, part) if value.imag else self.zero(part)
            return Complex(self.const(value.real, part), imag)
        value = dtype.type(value)
        return self.make("const", (value.tobytes(), value.item()), dtype)

    def zero(self, dtype: np.dtype) -> Expr:
        """Return the zero that is exact by construction, such as the imaginary part of a real number: 0 times it is dropped."""
        return self.make("zero", (), dtype)

    def nothing(self, dtype: np.dtype) -> Expr | Complex:
        """Return the zero, of any dtype, that is exact by construction."""
        part = self.zero(real_dtype(dtype))
        return Complex(part, part) if dtype.kind == "c" else part

    def unspecified(self, dtype: np.dtype) -> Expr | Complex:
        """Return a value that nothing reads, and that need not be stored."""
        part = self.make("unspecified", (), real_dtype(dtype))
        return Complex(part, part) if dtype.kind == "c" else part

    def call(self, name: str, *args) -> Expr | Complex:
        """Apply an elementwise primitive by name."""
        if any(isinstance(x, Complex) for x in args):
            return complexes.call(self, name, *[self.as_complex(x) for x in args])
        composed = folding.COMPOSED.get(name)
        if composed is not None:
            return composed(self, *args)
        return self.op(name, BOOL if name in COMPARISONS else args[0].dtype, *args)

    def select(self, condition: Expr, x, y) -> Expr | Complex:
        if isinstance(x, Complex) or isinstance(y, Complex):
            x, y = self.as_complex(x), self.as_complex(y)
            return Complex(self.select(condition, x.real, y.real), self.select(condition, x.imag, y.imag))
        return self.op("select", x.dtype, condition, x, y)

    def convert(self, x, dtype: np.dtype) -> Expr | Complex:
        if dtype.kind == "c":
            if isinstance(x, Complex):
                return Complex(self.convert(x.real, real_dtype(dtype)), self.convert(x.imag, real_dtype(dtype)))
            return Complex(self.convert(x, real_dtype(dtype)), self.zero(real_dtype(dtype)))
        if isinstance(x, Complex):
            if dtype.kind == "b":
                return self.call("or", self.convert(x.real, dtype), self.convert(x.imag, dtype))
            x = x.real
        if x.dtype == dtype:
            return x
        if dtype.kind == "b":
            return self.op("ne", BOOL, x, self.const(0, x.dtype))
        return self.op("convert", dtype, x)

    def complex(self, real: Expr, imag: Expr) -> Complex:
        return Complex(real, imag)

    def as_complex(self, x) -> Complex:
        return x if isinstance(x, Complex) or x.dtype.kind == "b" else Complex(x, self.zero(x.dtype))
