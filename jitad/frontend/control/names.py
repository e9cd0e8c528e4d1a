"""Names that only one arm of a branch gives a value.

In: the values of a name at the ends of both arms, `UNSET` where there is none. Out: `PartlyBound` values, and what rewritten code reads of them.
Invariant: the compiled function raises where Python does, since the name has no value.
"""

from __future__ import annotations

from jitad.frontend.arrays.cells import wrap
from jitad.frontend.control.bodies import Pass
from jitad.frontend.control.pictures import Picture, ShapesDiffer, StructuresDiffer, joined
from jitad.frontend.control.raising import raise_where
from jitad.frontend.control.state import UNSET
from jitad.frontend.control.templates import described, empty, has_containers, node_of, parts, template
from jitad.frontend.operations.promotion import to_atom
from jitad.frontend.tracing.programs import Leaf, Static
from jitad.frontend.tracing.trees import LEAF, structure
from jitad.frontend.undefined import PartlyBound
from jitad.ir.program import literal
from jitad.ir.types import BOOL, ArrayType

PARTLY = structure(PartlyBound, ("value", "given", "name"), (LEAF, LEAF, LEAF))
GIVEN = Leaf(ArrayType(BOOL), "scalar")


def bound(value):
    """Return what is read of a name that some path gives no value."""
    if type(value) is not PartlyBound:
        return value
    name = value.name
    raise_where(~to_atom(value.given), UnboundLocalError(f"cannot access local variable '{name}' where it is not associated with a value"))
    return value.value


def is_partial(values: list) -> bool:
    """Return whether a name has a value in some of two arms only, which is none that can be changed but an array."""
    found = [value.value if type(value) is PartlyBound else value for value in values if value is not UNSET]
    partial = len(found) < len(values) or any(type(value) is PartlyBound for value in values)
    return partial and not any(has_containers(described(value).treedef) for value in found)


def bind_partly(slot, arms: list[Pass], values: list) -> bool:
    """Let the values of a name at the ends of both arms be `PartlyBound` ones; return whether they can be one."""
    pictures = [arm.picture_of(slot) for arm, value in zip(arms, values, strict=True) if value is not UNSET]
    known = next(parts(p)[0] if type(value) is PartlyBound else p for p, value in zip(pictures, [x for x in values if x is not UNSET], strict=True))
    for arm, value in zip(arms, values, strict=True):
        if type(value) is not PartlyBound:
            given = literal(value is not UNSET, BOOL)
            with arm.trace.recorder:
                inner = empty(template(known)) if value is UNSET else arm.picture_of(slot)
            arm.values[slot] = PartlyBound(inner.presented() if value is UNSET else value, wrap(given, scalar=True), slot.label)
            arm.pictures[slot] = node_of(PARTLY, [inner, Picture(LEAF, [GIVEN], [given]), Picture(LEAF, [Static(slot.label)], [None])])
    try:
        joined(*[arm.pictures[slot] for arm in arms])
    except (ShapesDiffer, StructuresDiffer):
        return False
    return True
