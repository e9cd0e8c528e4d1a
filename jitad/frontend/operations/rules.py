"""What each ufunc of NumPy and of ``scipy.special`` means: the tables from ufunc to a function of atoms.

The operands come in the dtypes of the loop that NumPy would run; so does the result leave. Most are one primitive; the
rest are composed here. What has several results gives a tuple.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

import numpy as np

from jitad.frontend.operations.special import SCIPY_RULES
from jitad.ir.program import Atom
from jitad.ir.types import BOOL
from jitad.primitives.declare import full
from jitad.primitives.elementwise import arithmetic as ar
from jitad.primitives.elementwise import comparisons as co
from jitad.primitives.elementwise import powers, transcendental
from jitad.primitives.elementwise.complexes import complex_, conj, convert, imag, real

LOG2 = float(np.log(2.0))


def truth(x: Atom) -> Atom:
    return x if x.dtype == BOOL else co.ne(x, 0)


class ByKind:
    """A rule that depends on the kind of the first operand's dtype: ``ByKind(rest, b=..., iu=...)``."""

    def __init__(self, rest: Callable, **rules: Callable):
        self.rest = rest
        self.table = {kind: rule for kinds, rule in rules.items() for kind in kinds}

    def choose(self, kind: str) -> Callable:
        return self.table.get(kind, self.rest)

    def __call__(self, *xs):
        return self.choose(xs[0].dtype.kind)(*xs)


def same(x: Atom) -> Atom:
    return x


def constant(value: bool) -> Callable:
    return lambda x: full(value, x.type.with_dtype(BOOL))


def times(factor: float) -> Callable:
    return lambda x: x * factor


def complex_sign(z: Atom) -> Atom:
    size = ar.abs(z)
    return co.select(co.eq(size, 0), full(0, z.type), z / complex_(size, full(0, size.type)))


def complex_rint(z: Atom) -> Atom:
    return complex_(ar.rint(real(z)), ar.rint(imag(z)))


def divmod_(x: Atom, y: Atom) -> tuple[Atom, Atom]:
    return ar.floor_divide(x, y), ar.mod(x, y)


def modf(x: Atom) -> tuple[Atom, Atom]:
    whole = ar.trunc(x)
    rest = co.select(co.isinf(x), full(0, x.type), x - whole)
    return ar.copysign(rest, x), whole


def ldexp(x: Atom, n: Atom) -> Atom:
    """x 2^n in four steps, none of which overflows unless the result does."""
    n = co.minimum(co.maximum(convert(n, dtype=x.dtype), -2400.0), 2400.0)
    quarter = ar.trunc(0.25 * n)
    step = transcendental.exp2(quarter)
    return x * step * step * step * transcendental.exp2(n - 3 * quarter)


def lcm(x: Atom, y: Atom) -> Atom:
    divisor, size = ar.gcd(x, y), ar.abs
    nothing = co.eq(divisor, 0)
    return co.select(nothing, 0, ar.floor_divide(size(x), co.select(nothing, 1, divisor)) * size(y))


def frexp(x: Atom) -> tuple[Atom, Atom]:
    """Return numbers from 1/2 to 1, and the powers of 2 that they are multiplied with."""
    plain = co.isfinite(x) & ~co.eq(x, 0)
    safe = ar.abs(co.select(plain, x, 1.0))
    power = ar.floor(transcendental.log(safe) * (1 / math.log(2))) + 1
    part = ldexp(safe, -power)
    power = co.select(part >= 1, power + 1, co.select(part < 0.5, power - 1, power))  # rounding of the logarithm
    return co.select(plain, ldexp(x, -power), x), convert(co.select(plain, power, 0.0), dtype=np.dtype(np.int32))


RULES: dict[np.ufunc, Callable] = {
    np.add: ByKind(ar.add, b=co.or_),
    np.subtract: ar.sub,
    np.multiply: ByKind(ar.mul, b=co.and_),
    np.divide: ar.div,
    np.floor_divide: ar.floor_divide,
    np.remainder: ar.mod,
    np.fmod: ar.fmod,
    np.divmod: divmod_,
    np.negative: ar.neg,
    np.positive: same,
    np.absolute: ByKind(ar.abs, b=same),
    np.fabs: ar.abs,
    np.sign: ByKind(ar.sign, c=complex_sign),
    np.conjugate: ByKind(same, c=conj),
    np.power: powers.pow,
    np.float_power: powers.pow,
    np.square: ar.square,
    np.sqrt: ar.sqrt,
    np.cbrt: ar.cbrt,
    np.reciprocal: ar.reciprocal,
    np.hypot: ar.hypot,
    np.copysign: ar.copysign,
    np.heaviside: ar.heaviside,
    np.modf: modf,
    np.frexp: frexp,
    np.ldexp: ldexp,
    np.gcd: ar.gcd,
    np.lcm: lcm,
    np.rint: ByKind(ar.rint, c=complex_rint),
    np.floor: ByKind(ar.floor, biu=same),
    np.ceil: ByKind(ar.ceil, biu=same),
    np.trunc: ByKind(ar.trunc, biu=same),
    np.maximum: co.maximum,
    np.minimum: co.minimum,
    np.fmax: ByKind(co.maximum, f=co.fmax),
    np.fmin: ByKind(co.minimum, f=co.fmin),
    np.equal: co.eq,
    np.not_equal: co.ne,
    np.less: co.lt,
    np.less_equal: co.le,
    np.greater: co.gt,
    np.greater_equal: co.ge,
    np.logical_and: lambda x, y: truth(x) & truth(y),
    np.logical_or: lambda x, y: truth(x) | truth(y),
    np.logical_xor: lambda x, y: co.xor(truth(x), truth(y)),
    np.logical_not: lambda x: ~truth(x),
    np.bitwise_and: co.and_,
    np.bitwise_or: co.or_,
    np.bitwise_xor: co.xor,
    np.invert: co.not_,
    np.left_shift: co.left_shift,
    np.right_shift: co.right_shift,
    np.isnan: ByKind(co.isnan, biu=constant(False)),
    np.isfinite: ByKind(co.isfinite, biu=constant(True)),
    np.isinf: ByKind(co.isinf, biu=constant(False), c=lambda z: co.isinf(real(z)) | co.isinf(imag(z))),
    np.signbit: co.signbit,
    np.deg2rad: times(float(np.pi / 180)),
    np.radians: times(float(np.pi / 180)),
    np.rad2deg: times(float(180 / np.pi)),
    np.degrees: times(float(180 / np.pi)),
    np.exp: transcendental.exp,
    np.exp2: transcendental.exp2,
    np.expm1: transcendental.expm1,
    np.log: transcendental.log,
    np.log2: transcendental.log2,
    np.log10: transcendental.log10,
    np.log1p: transcendental.log1p,
    np.sin: transcendental.sin,
    np.cos: transcendental.cos,
    np.tan: transcendental.tan,
    np.arcsin: transcendental.arcsin,
    np.arccos: transcendental.arccos,
    np.arctan: transcendental.arctan,
    np.arctan2: transcendental.arctan2,
    np.sinh: transcendental.sinh,
    np.cosh: transcendental.cosh,
    np.tanh: transcendental.tanh,
    np.arcsinh: transcendental.arcsinh,
    np.arccosh: transcendental.arccosh,
    np.arctanh: transcendental.arctanh,
    np.logaddexp: transcendental.logaddexp,
    np.logaddexp2: transcendental.logaddexp2,
}

def module_of(ufunc: np.ufunc) -> str | None:
    """Return ``"numpy"`` or ``"scipy.special"``, where a ufunc is from there. SciPy is not imported for the answer."""
    for name in ("numpy", "scipy.special"):
        if getattr(sys.modules.get(name), ufunc.__name__, None) is ufunc:
            return name
    return None


def rule_of(ufunc: np.ufunc) -> Callable | None:
    """Return what a ufunc means, None if jitad does not know it."""
    if ufunc.__name__ in SCIPY_RULES and module_of(ufunc) == "scipy.special":
        return SCIPY_RULES[ufunc.__name__]
    return RULES.get(ufunc)
