"""Tangents and cotangents that are known without looking at numbers.

`Zero` is a derivative that vanishes identically: no array of zeros is ever built for it. `Masked` is a cotangent that
counts only where a selection took its branch. `Linear` stands, in transpose rules, for an operand that is not known.
"""

from __future__ import annotations

from dataclasses import dataclass

from jitad.ir.program import Atom
from jitad.ir.types import ArrayType


@dataclass(frozen=True)
class Zero:
    """A tangent or cotangent of the given type that is identically zero."""

    type: ArrayType


@dataclass(frozen=True)
class Linear:
    """An operand in which an equation is linear, seen by a transpose rule."""

    type: ArrayType


@dataclass(frozen=True)
class Masked:
    """A cotangent that equals `value` where the boolean atom `mask` is true and is exactly zero elsewhere.

    The two have the same shape. What `value` holds where the mask is false is irrelevant: it may be inf or NaN.
    """

    value: Atom
    mask: Atom


def is_zero(x) -> bool:
    return isinstance(x, Zero)
