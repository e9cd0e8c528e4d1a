"""Powers of traced arrays and scalars.

In: base and exponent, one of them traced, and the dtype to compute in. Out: their power; exponents that are known become products and roots.
Invariant: integers are raised to exponents that are not negative; what may be negative is checked when the compiled function runs.
"""

from __future__ import annotations

import numpy as np

from jitad.frontend.arrays.cells import View
from jitad.frontend.operations.promotion import atom_of
from jitad.frontend.tracing.concrete import value_needed
from jitad.frontend.tracing.trace import counters
from jitad.ir import errors
from jitad.ir.intervals import bounds
from jitad.ir.program import Atom, Literal, literal
from jitad.ir.types import FLOAT, INT
from jitad.primitives.checks import require
from jitad.primitives.elementwise.arithmetic import abs as absolute
from jitad.primitives.elementwise.arithmetic import reciprocal, sqrt, square
from jitad.primitives.elementwise.comparisons import and_, ge, lt
from jitad.primitives.elementwise.complexes import convert
from jitad.primitives.elementwise.powers import by_quarters, integer_pow, pow
from jitad.primitives.reductions import reduce_and
from jitad.primitives.structural.shaping import broadcast

HIGHEST_POWER = 64
LARGEST = 2**63 - 1
NEGATIVE = "Integers to negative integer powers are not allowed."
TOO_LARGE = "a power of Python integers does not fit into 64 bits, or its exponent is negative; write 2.0**k instead of 2**k"


def power_atom(x, y, dtype: np.dtype) -> Atom:
    """Return a power computed in `dtype`; small integer exponents that are known become products, halves and quarters roots."""
    base, exponent = atom_of(x, dtype), known_exponent(y)
    if exponent is None:
        return pow(base, checked(atom_of(y, dtype)))
    if dtype.kind in "iu" and exponent < 0:
        raise errors.ValueError(NEGATIVE)
    if abs(exponent) <= HIGHEST_POWER and exponent == int(exponent):
        return integer_power(base, int(exponent))
    if dtype.kind == "f" and abs(exponent) < 4 and 4 * exponent == int(4 * exponent):
        return by_quarters(base, int(4 * exponent))
    return sqrt(base) if exponent == 0.5 else pow(base, atom_of(y, dtype))


def known_exponent(y):
    """Return a real exponent that is known at trace time, else None."""
    if isinstance(y, View):
        y = y.atom.value if isinstance(y.atom, Literal) else None
    return y.item() if isinstance(y, np.generic) and y.dtype.kind != "c" else y if isinstance(y, int | float) else None


def integer_power(base: Atom, n: int) -> Atom:
    special_cases = {1: lambda x: x, 2: square}
    if base.dtype.kind in "fc":
        special_cases[-1] = reciprocal
    return special_cases[n](base) if n in special_cases else integer_pow(base, n=n)


def checked(exponent: Atom) -> Atom:
    """Return exponents that are integers only if none of them is negative."""
    if exponent.dtype.kind != "i":
        return exponent
    found = None if exponent.shape else bounds(exponent, counters())
    if found is not None and found[0] >= 0:
        return exponent
    holds = ge(exponent, literal(0, exponent.dtype))
    return required(exponent, reduce_and(holds, axes=tuple(range(len(exponent.shape)))), NEGATIVE)


def required(x: Atom, condition: Atom, message: str) -> Atom:
    """Return integers that the condition is a condition for."""
    zero = convert(require(literal(0, INT), condition, message=message, error="value"), dtype=x.dtype)
    return x + (broadcast(zero, shape=x.shape) if x.shape else zero)


def python_power(x, y: View) -> Atom:
    """Return the power of integers of Python, as one of 64 bits. What follows from arguments that can be known is traced with their values."""
    if y.origins:
        raise value_needed(y, "a power of integers")
    base, exponent = atom_of(x, INT), atom_of(y, INT)
    of_base, of_exponent = (bounds(z, counters()) for z in (base, exponent))
    largest = None if of_base is None else max(map(abs, of_base))
    if of_exponent is not None:
        if of_exponent[0] < 0 or largest is not None and largest > 1 and largest**min(of_exponent[1], HIGHEST_POWER) > LARGEST:
            raise errors.ConcreteValueError(TOO_LARGE)
        if largest is not None:
            return pow(base, exponent)
    size = pow(convert(absolute(base), dtype=FLOAT), convert(exponent, dtype=FLOAT))
    fits = and_(ge(exponent, literal(0, INT)), lt(size, literal(float(2**63), FLOAT)))
    return pow(base, required(exponent, fits, TOO_LARGE))
