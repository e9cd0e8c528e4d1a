"""Values that bodies of control flow hand over, taken apart into atoms.

In: a value, of nested containers. Out: a `Picture`, from which the value can be made anew with other atoms; or what the leaves are that stand
for either of two values.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from types import FunctionType, MemberDescriptorType

from jitad.frontend.arrays.array import Array, to_atom, wrap
from jitad.frontend.arrays.cells import lying
from jitad.frontend.arrays.memory_order import common_order
from jitad.frontend.operations.promotion import KINDS, cast, result_type
from jitad.frontend.tracing.growable import Growable
from jitad.frontend.tracing.guards import same
from jitad.frontend.tracing.printing import united
from jitad.frontend.tracing.programs import Leaf, Static, describe
from jitad.frontend.tracing.trees import LEAF, OBJECTS, TreeDef, flatten, unflatten
from jitad.ir import errors
from jitad.ir.program import Atom, Var
from jitad.ir.types import ArrayType
from jitad.primitives.declare import full

LIST = "list of "  # in the kind of a leaf that is a list of numbers
PYTHON = {"b": bool, "i": int, "f": float, "c": complex}



@dataclass
class Picture:
    """A value taken apart: its structure, what its leaves are, and the atoms of those that are numbers."""

    treedef: TreeDef
    kinds: list[Leaf | Static]
    atoms: list[Atom | None]

    def rebuilt(self, atoms: Sequence[Atom]):
        """Return the value with other atoms."""
        return assemble(self.treedef, self.kinds, atoms)

    def presented(self):
        """Return the value."""
        return self.rebuilt([atom for atom, kind in zip(self.atoms, self.kinds, strict=True) if isinstance(kind, Leaf)])


def picture(value) -> Picture:
    leaves, treedef = flatten(value, OBJECTS)
    kinds = list(map(kind_of_leaf, leaves))
    return Picture(treedef, kinds, [to_atom(x) if isinstance(kind, Leaf) else None for x, kind in zip(leaves, kinds, strict=True)])


def kind_of_leaf(x) -> Leaf | Static:
    try:
        return describe(x)
    except errors.TypeError:
        return Static(x)


def assemble(treedef: TreeDef, kinds: Sequence[Leaf | Static], atoms: Sequence[Atom]):
    """Return the value of this structure, with one atom for each leaf that is a number."""
    atoms = iter(atoms)
    return unflatten(treedef, [presented(next(atoms), kind) if isinstance(kind, Leaf) else kind.value for kind in kinds], Growable)


def presented(atom: Atom, kind: Leaf) -> Array:
    return lying(wrap(atom, weak=kind.kind == "python", scalar=kind.kind != "array"), kind.order)


def fresh(kind: Leaf) -> Var:
    return Var(kind.type)


class ShapesDiffer(errors.ControlFlowError):
    """Two values that are to be one have different shapes."""


class StructuresDiffer(errors.ControlFlowError):
    """Two values that are to be one have different structures."""


def joined(a: Picture, b: Picture) -> list[Leaf | Static]:
    """Return what the leaves of a value are that is either of two; raise if there is no such value."""
    if a.treedef is not b.treedef:
        raise StructuresDiffer(f"{structure_text(a)} and {structure_text(b)}")
    return [joined_leaf(x, y) for x, y in zip(a.kinds, b.kinds, strict=True)]


def structure_text(p: Picture) -> str:
    if p.treedef is LEAF:
        return kind_text(p.kinds[0])
    return repr(unflatten(p.treedef, ["*"] * p.treedef.size)).replace("'", "")


def kind_text(kind: Leaf | Static) -> str:
    if isinstance(kind, Static) and attributes(kind.value) and type(kind.value).__repr__ is object.__repr__:
        return f"an object of the class {type(kind.value).__name__} (as a dataclass, it would be chosen field by field)"
    return repr(kind.value) if isinstance(kind, Static) else f"an array {kind.type}" if kind.kind == "array" else f"a number {kind.type}"


def slots_of(x) -> list[str]:
    """Return the attributes of an object that are kept in slots of its classes."""
    return [name for cls in type(x).__mro__ for name, member in cls.__dict__.items() if isinstance(member, MemberDescriptorType)]


def attributes(x) -> dict:
    """Return the attributes of an object, those kept in slots too."""
    return {name: getattr(x, name) for name in slots_of(x) if hasattr(x, name)} | getattr(x, "__dict__", {})


def joined_leaf(x: Leaf | Static, y: Leaf | Static) -> Leaf | Static:
    if x == y if isinstance(x, Leaf) and isinstance(y, Leaf) else False:
        return x
    if isinstance(x, Static) or isinstance(y, Static):
        if isinstance(x, Static) and isinstance(y, Static) and (same(x.value, y.value) or same_function(x.value, y.value)):
            return x
        text = united(x.value, y.value) if isinstance(x, Static) and isinstance(y, Static) else None
        if text is not None:
            return Static(text)
        raise StructuresDiffer(f"{kind_text(x)} and {kind_text(y)}")
    if x.type.shape != y.type.shape:
        raise ShapesDiffer(f"shapes {x.type.shape} and {y.type.shape}")
    dtype = result_type((promotion_key(x), promotion_key(y)))
    kinds = {x.kind, y.kind}
    lists = [kind.startswith(LIST) for kind in kinds]
    if any(lists) and not all(lists):
        raise StructuresDiffer("a list and an array")
    kind = x.kind if len(kinds) == 1 else "array" if "array" in kinds else LIST + "scalar" if any(lists) else "scalar"
    return Leaf(ArrayType(dtype, x.type.shape), kind, common_order(x.order, y.order))


def same_function(f, g) -> bool:
    """Return whether two functions are one that was defined twice: with the same code, names and defaults."""
    if not (isinstance(f, FunctionType) and isinstance(g, FunctionType)) or f.__code__ is not g.__code__ or f.__dict__ or g.__dict__:
        return False
    own = [(*(h.__closure__ or ()), h.__globals__, h.__kwdefaults__) for h in (f, g)]
    return all(map(operator.is_, *own)) and same(f.__defaults__, g.__defaults__)


def promotion_key(x: Leaf):
    return x.type.dtype if x.kind != "python" else KINDS[PYTHON[x.type.dtype.kind]]


def converted(p: Picture, kinds: Sequence[Leaf | Static]) -> list[Atom]:
    """Return the atoms of a picture in the dtypes of `kinds`."""
    return [cast(atom, kind.type.dtype) for atom, kind in zip(p.atoms, kinds, strict=True) if isinstance(kind, Leaf)]


def placeholders(kinds: Sequence[Leaf | Static]) -> list[Atom]:
    """Return zeros, for values that are not there yet."""
    return [full(0, kind.type) for kind in kinds if isinstance(kind, Leaf)]
