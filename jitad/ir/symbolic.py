"""Tangents and cotangents that are known without looking at numbers.

`Zero` is a derivative that vanishes identically: no array of zeros is ever built for it. `Masked` is a cotangent that
counts only where a selection took its branch. `Linear` stands, in transpose rules, for an operand that is not known.
"""

from __future__ import annotations

from dataclasses import dataclass

from jitad.ir.program import Atom
from jitad.ir.types import ArrayType

KNOWN, MOVING, ASKED = 0, 1, 3  # states of values in a linear map: of those that are asked for, the masks of their cotangents may be needed


@dataclass(frozen=True)
class Zero:
    """A tangent or cotangent of the given type that is identically zero."""

    type: ArrayType


@dataclass(frozen=True)
class Linear:
    """An operand in which an equation is linear, seen by a transpose rule. If `asked`, the mask of its cotangent may be needed."""

    type: ArrayType
    asked: bool = False


@dataclass(frozen=True)
class Masked:
    """A cotangent that equals `value` where the boolean atom `mask` is true and is exactly zero elsewhere.

    The two have the same shape. What `value` holds where the mask is false is irrelevant: it may be inf or NaN. Not so where bodies are pulled
    back: what they are given is zero there, and so is what they give.
    """

    value: Atom
    mask: Atom


def state_of(operand) -> int:
    return KNOWN if not isinstance(operand, Linear) else ASKED if operand.asked else MOVING


def value_of(cotangent):
    return cotangent.value if isinstance(cotangent, Masked) else cotangent


def is_zero(x) -> bool:
    return isinstance(x, Zero)
