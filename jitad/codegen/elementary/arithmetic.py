"""Arithmetic on LLVM values, written as formulas.

In: an LLVM builder. Out: `Scalar`, an LLVM value with Python's operators; each operator emits exactly one IEEE operation, without fast-math
flags, so that compensated arithmetic keeps its meaning. Invariant: everything emitted here is straight-line code that LLVM vectorises.
The same formulas serve scalars and vectors of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from llvmlite import ir

I1 = ir.IntType(1)


class Scalar:
    """An LLVM value: a float, an integer of the same width, or a truth value. Python numbers become constants of its type."""

    __slots__ = ("m", "value")

    def __init__(self, m: Arithmetic, value: ir.Value):
        self.m, self.value = m, value

    @property
    def is_float(self) -> bool:
        return self.value.type == self.m.type

    def operand(self, other) -> ir.Value:
        return other.value if isinstance(other, Scalar) else constant(self.value.type, other)

    def binary(self, name: str, other, reverse: bool = False) -> Scalar:
        operands = (self.value, self.operand(other))
        return Scalar(self.m, getattr(self.m.builder, name)(*(operands[::-1] if reverse else operands)))

    def __add__(self, other):
        return self.binary("fadd" if self.is_float else "add", other)

    def __radd__(self, other):
        return self + other

    def __sub__(self, other):
        return self.binary("fsub" if self.is_float else "sub", other)

    def __rsub__(self, other):
        return self.binary("fsub" if self.is_float else "sub", other, reverse=True)

    def __mul__(self, other):
        return self.binary("fmul" if self.is_float else "mul", other)

    def __rmul__(self, other):
        return self * other

    def __truediv__(self, other):
        return self.binary("fdiv", other)

    def __rtruediv__(self, other):
        return self.binary("fdiv", other, reverse=True)

    def __neg__(self):
        return Scalar(self.m, self.m.builder.fneg(self.value) if self.is_float else self.m.builder.neg(self.value))

    def __abs__(self):
        return self.m.intrinsic("fabs", self)

    def __and__(self, other):
        return self.binary("and_", other)

    def __or__(self, other):
        return self.binary("or_", other)

    def __xor__(self, other):
        return self.binary("xor", other)

    def __lshift__(self, count: int):
        return self.binary("shl", count)

    def __rshift__(self, count: int):
        """Shift to the right, zeros coming in: arithmetic shifts of 64 bits have no AVX2 instruction."""
        return self.binary("lshr", count)

    def compare(self, sign: str, other) -> Scalar:
        b = self.m.builder
        compare = b.fcmp_ordered if self.is_float else b.icmp_signed
        return Scalar(self.m, compare(sign, self.value, self.operand(other)))

    def __lt__(self, other):
        return self.compare("<", other)

    def __le__(self, other):
        return self.compare("<=", other)

    def __gt__(self, other):
        return self.compare(">", other)

    def __ge__(self, other):
        return self.compare(">=", other)

    def equals(self, other) -> Scalar:
        return self.compare("==", other)

    def differs(self, other) -> Scalar:
        return self.compare("!=", other)


def constant(type: ir.Type, value) -> ir.Constant:
    return ir.Constant(type, [value] * type.count if isinstance(type, ir.VectorType) else value)


def zip_pairs(items: Sequence) -> list[Sequence]:
    return [items[k : k + 2] for k in range(0, len(items), 2)]


class Arithmetic:
    """Emits operations of one floating-point format, double or single precision.

    Attributes
    ----------
    lanes, element
        The number of elements of a vector, 0 for a scalar; the LLVM type of one.
    double
        Whether the format is that of doubles.
    width, mantissa, bias
        The number of bits of a float, and of its mantissa as stored; the bias of exponents.
    """

    def __init__(self, builder: ir.IRBuilder, type: ir.Type):
        self.builder, self.type = builder, type
        self.lanes = type.count if isinstance(type, ir.VectorType) else 0
        self.element = type.element if self.lanes else type
        self.double = isinstance(self.element, ir.DoubleType)
        self.mantissa, self.bias = (52, 1023) if self.double else (23, 127)
        self.width = 64 if self.double else 32
        self.integer = ir.VectorType(ir.IntType(self.width), self.lanes) if self.lanes else ir.IntType(self.width)
        self.sign_bit = 1 << (self.width - 1)
        self.smallest_normal = 2.0 ** (1 - self.bias)
        self.huge = 2.0 ** (self.bias - 1)

    def pick(self, double, single):
        """Return what belongs to the format."""
        return double if self.double else single

    def const(self, value: float) -> Scalar:
        return Scalar(self, constant(self.type, value))

    def intrinsic(self, name: str, *operands: Scalar) -> Scalar:
        symbol = f"llvm.{name}.{f'v{self.lanes}' if self.lanes else ''}f{self.width}"
        module, signature = self.builder.module, ir.FunctionType(self.type, [self.type] * len(operands))
        function = module.globals.get(symbol) or ir.Function(module, signature, symbol)
        return Scalar(self, self.builder.call(function, [x.value for x in operands]))

    def lift(self, x) -> Scalar:
        return x if isinstance(x, Scalar) else self.const(x)

    def fma(self, x, y, z) -> Scalar:
        """x * y + z, rounded once."""
        return self.intrinsic("fma", self.lift(x), self.lift(y), self.lift(z))

    def sqrt(self, x: Scalar) -> Scalar:
        return self.intrinsic("sqrt", x)

    def rint(self, x: Scalar) -> Scalar:
        return self.intrinsic("rint", x)

    def copysign(self, x, sign: Scalar) -> Scalar:
        return self.intrinsic("copysign", self.lift(x), sign)

    def select(self, condition: Scalar, x, y) -> Scalar:
        """x where the condition holds, else y."""
        like = x if isinstance(x, Scalar) else y
        if not isinstance(like, Scalar):
            like = self.const(0.0)
        return Scalar(self, self.builder.select(condition.value, like.operand(x), like.operand(y)))

    def at_most(self, x: Scalar, bound) -> Scalar:
        """The smaller of both; NaN stays NaN. One instruction on x86."""
        return self.select(self.lift(bound) < x, bound, x)

    def at_least(self, x: Scalar, bound) -> Scalar:
        """The larger of both; NaN stays NaN. One instruction on x86."""
        return self.select(self.lift(bound) > x, bound, x)

    def bits(self, x: Scalar) -> Scalar:
        return Scalar(self, self.builder.bitcast(x.value, self.integer))

    def from_bits(self, i: Scalar) -> Scalar:
        return Scalar(self, self.builder.bitcast(i.value, self.type))

    # --- single precision computed in double -----------------------------------------------------------------------------

    def wide(self) -> Arithmetic:
        return Arithmetic(self.builder, ir.DoubleType())

    def widened(self, x: Scalar) -> Scalar:
        """A float as one of this format, that of doubles."""
        return x if x.value.type == self.type else Scalar(self, self.builder.fpext(x.value, self.type))

    def narrowed(self, x: Scalar, m: Arithmetic) -> Scalar:
        """A double as a float of the format of `m`, rounded."""
        return x if m.double else Scalar(m, self.builder.fptrunc(x.value, m.type))

    # --- polynomials ----------------------------------------------------------------------------------------------------

    def polynomial(self, x: Scalar, coefficients: Sequence[float]) -> Scalar:
        """The constant term comes first. Neighbours are paired up to twice (Estrin), for a short chain; then Horner's rule."""
        terms: list[Scalar | float] = list(coefficients)
        for _ in range((len(terms) > 3) + (len(terms) > 7)):
            terms = [self.fma(x, *pair[::-1]) if len(pair) == 2 else pair[0] for pair in zip_pairs(terms)]
            x = x * x
        total = self.lift(terms.pop())
        while terms:
            total = self.fma(total, x, terms.pop())
        return total

    # --- sums and products with their rounding errors -------------------------------------------------------------------

    def fast_two_sum(self, x: Scalar, y: Scalar) -> tuple[Scalar, Scalar]:
        """x + y exactly, as a sum and its error, where |x| >= |y| or x is a multiple of the last place of y (Dekker 1971)."""
        total = x + y
        return total, (x - total) + y

    def two_sum(self, x, y) -> tuple[Scalar, Scalar]:
        """x + y exactly, as a sum and its error (Knuth)."""
        total = x + y
        rest = total - x
        return total, (x - (total - rest)) + (y - rest)

    def two_product(self, x: Scalar, y) -> tuple[Scalar, Scalar]:
        """x * y exactly, as a product and its error."""
        product = x * y
        return product, self.fma(x, y, -product)

    # --- rounding to integers and powers of two -------------------------------------------------------------------------

    def round(self, x: Scalar, factor: float) -> tuple[Scalar, Scalar]:
        """The integer nearest to x * factor, as a float and as an integer.

        Adding 1.5 * 2**mantissa leaves the rounded value in the low bits of the sum: the trick holds for |x * factor| < 2**(mantissa - 1)
        and needs no conversion instruction, which AVX2 lacks.
        """
        magic = 1.5 * 2.0**self.mantissa
        shifted = self.fma(x, factor, magic)
        return shifted - magic, self.bits(shifted)

    def round_with_power(self, x: Scalar, factor: float) -> tuple[Scalar, Scalar]:
        """The integer nearest to x * factor, as a float, and two to its power, which has to be a normal number.

        The exponent's bias comes in with what is added for rounding.
        """
        magic = 1.5 * 2.0**self.mantissa + self.bias
        shifted = self.fma(x, factor, magic)
        return shifted - magic, self.from_bits(self.bits(shifted) << self.mantissa)

    def scale(self, x: Scalar, exponent: Scalar) -> Scalar:
        """x * 2**exponent, for an exponent from `round` between about -2 * bias and 2 * bias, rounded once; overflows to infinity.

        The power is split in two, so that neither half overflows or underflows.
        """
        biased = exponent + 2 * self.bias
        half = biased >> 1
        first, second = (self.from_bits(i << self.mantissa) for i in (half, biased - half))
        return (x * first) * second

    def power_of_two(self, exponent: Scalar) -> Scalar:
        """2**exponent, for an exponent from `round` in the range of normal numbers."""
        return self.from_bits((exponent + self.bias) << self.mantissa)
