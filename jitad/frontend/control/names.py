"""Names that only one arm of a branch gives a value.

In: the values of a name at the ends of both arms, `UNSET` where there is none. Out: `PartlyBound` values, and what rewritten code reads of them.
Invariant: the compiled function raises where Python does, since the name has no value.
"""

from __future__ import annotations

import numpy as np

from jitad.frontend.array import Array
from jitad.frontend.cells import wrap
from jitad.frontend.control.bodies import Pass
from jitad.frontend.control.pictures import Picture, kind_of_leaf, picture, placeholders
from jitad.frontend.control.raising import raise_where
from jitad.frontend.control.state import UNSET
from jitad.frontend.promotion import to_atom
from jitad.frontend.trees import LEAF
from jitad.frontend.undefined import PartlyBound
from jitad.ir.program import literal
from jitad.ir.types import BOOL

NUMBERS = (bool, int, float, complex, np.generic)


def bound(value):
    """Return what is read of a name that some path gives no value."""
    if type(value) is not PartlyBound:
        return value
    name = value.name
    raise_where(~to_atom(value.given), UnboundLocalError(f"cannot access local variable '{name}' where it is not associated with a value"))
    return value.value


def is_partial(values: list) -> bool:
    """Return whether a name has a value in some of two arms only, and it is a number."""
    found = [value.value if type(value) is PartlyBound else value for value in values if value is not UNSET]
    partial = len(found) < len(values) or any(type(value) is PartlyBound for value in values)
    return partial and all(value.scalar if isinstance(value, Array) else isinstance(value, NUMBERS) for value in found)


def bind_partly(slot, arms: list[Pass], values: list) -> None:
    """Let the values of a name at the ends of both arms be `PartlyBound` ones."""
    known = [kind_of_leaf(next(value.value if type(value) is PartlyBound else value for value in values if value is not UNSET))]
    for arm, value in zip(arms, values, strict=True):
        if type(value) is not PartlyBound:
            number = Picture(LEAF, known, placeholders(known)) if value is UNSET else arm.picture_of(slot)
            given = wrap(literal(value is not UNSET, BOOL), scalar=True)
            value = arm.values[slot] = PartlyBound(number.rebuilt(number.atoms), given, slot.label)
            arm.pictures[slot] = picture(value)
