"""What bodies of control flow change: names, entries of containers and objects, and how their values are told apart.

In: the functions that the bodies have become, whose closures hold the user's names. Out: `Slot` records, places that are read and
set, and `Picture` records, values taken apart into atoms. Invariant: a name without a value is `UNSET`, never an error here.
"""

from __future__ import annotations

import functools
import io
import random
import sys
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from jitad.frontend.array import Array, to_atom, wrap
from jitad.frontend.guards import same
from jitad.frontend.programs import Leaf, Static, describe
from jitad.frontend.promotion import KINDS, cast, result_type
from jitad.frontend.ragged import Ragged
from jitad.frontend.trees import LEAF, TreeDef, flatten, unflatten
from jitad.frontend.undefined import Undefined
from jitad.ir import errors
from jitad.ir.libraries import is_library
from jitad.ir.program import Atom, Var
from jitad.ir.types import ArrayType
from jitad.primitives.declare import full

UNSET = type("Unset", (), {"__repr__": lambda self: "<unset>"})()
RUNNING = (Iterator, io.IOBase, np.random.Generator, np.random.RandomState, random.Random)
PYTHON = {"b": bool, "i": int, "f": float, "c": complex}


class Site(NamedTuple):
    """What the source tells of a body.

    `names` are those that it binds and whose values matter afterwards, `added` those among them that only ``op=`` binds, `changed`
    those of which it sets attributes or items, `outermost` the global names that it binds, `passing` those whose values do not
    matter afterwards, `assured` those that no path reads without a value.
    """

    names: tuple[str, ...]
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    outermost: tuple[str, ...] = ()
    passing: tuple[str, ...] = ()
    assured: tuple[str, ...] = ()


# --- places ---------------------------------------------------------------------------------------------------------------------


class NameSlot:
    """A name of the user's function."""

    def __init__(self, cell: types.CellType, name: str):
        self.cell = cell
        self.label = name

    def get(self):
        try:
            value = self.cell.cell_contents
        except ValueError:
            return UNSET
        return UNSET if isinstance(value, Undefined) else value

    def set(self, value) -> None:
        if value is not UNSET:
            self.cell.cell_contents = value
        elif self.get() is not UNSET:
            del self.cell.cell_contents


class EntrySlot:
    """An item of a list or dict, an attribute of an object, or the content of a cell of a function inside the user's."""

    def __init__(self, container, key):
        self.container = container
        self.key = key
        self.label = key if isinstance(container, types.CellType) else f".{key}" if is_object(container) else f"[{key!r}]"

    def get(self):
        return entries(self.container, self.key).get(self.key, UNSET)

    def set(self, value) -> None:
        if isinstance(self.container, types.CellType):
            NameSlot(self.container, self.key).set(value)
        elif is_object(self.container):
            set_attribute(self.container, self.key, value)
        else:
            self.container[self.key] = value


def cells_of(*functions: Callable | None) -> dict[str, types.CellType]:
    """Return the cells in the closures of functions, by name."""
    found = {}
    for function in functions:
        if isinstance(function, functools.partial):
            parts = [x for arg in function.args for x in (arg if isinstance(arg, tuple) else (arg,)) if isinstance(x, types.FunctionType)]
            found.update(cells_of(*parts))
        elif function is not None:
            found.update(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    return found


def is_object(x) -> bool:
    return not isinstance(x, list | dict | set | deque)


def slots_of(x) -> list[str]:
    """Return the attributes of an object that are kept in slots of its classes."""
    return [name for cls in type(x).__mro__ for name, member in cls.__dict__.items() if isinstance(member, types.MemberDescriptorType)]


def set_attribute(x, name: str, value) -> None:
    if name in getattr(x, "__dict__", ()) or name not in slots_of(x):
        x.__dict__[name] = value
    else:
        object.__setattr__(x, name, value)


def entries(container, name: str = "") -> dict:
    """Return what a container, an object or a cell holds, by key; for a cell the key is its `name`."""
    if isinstance(container, types.CellType):
        return {name: NameSlot(container, name).get()}
    if isinstance(container, list):
        return dict(enumerate(list.__iter__(container)))
    if isinstance(container, deque):
        return dict(enumerate(container))
    if isinstance(container, set):
        return dict.fromkeys(container, True)
    if isinstance(container, dict):
        return dict(container)
    slots = {name: getattr(container, name) for name in slots_of(container) if hasattr(container, name)}
    return slots | getattr(container, "__dict__", {})


class Containers:
    """The containers, objects and cells that can be reached from functions, as they are now; the cells in `known` apart.

    Attributes
    ----------
    running
        Objects that go on with each use, by id: their state can be neither seen nor put back.
    """

    def __init__(self, cells: dict[str, types.CellType], known: Iterable[types.CellType]):
        self.held: dict[int, tuple[Any, dict]] = {}
        self.running: dict[int, Any] = {}
        self.known = {id(cell) for cell in known}
        for name, cell in cells.items():
            self.reach_cell(name, cell)

    def reach(self, x) -> None:
        cls = type(x)
        if isinstance(x, tuple):
            for element in x:
                self.reach(element)
        elif cls is types.FunctionType:
            for name, cell in zip(x.__code__.co_freevars, x.__closure__ or (), strict=True):
                self.reach_cell(name, cell)
        elif cls is types.MethodType:
            self.reach(x.__self__)
        elif isinstance(x, RUNNING):
            self.running[id(x)] = x
        elif (isinstance(x, list | dict | set | deque) or is_users_object(x)) and id(x) not in self.held:
            found = entries(x)
            self.held[id(x)] = x, found
            if len(found) <= 1000:
                for value in found.values():
                    self.reach(value)

    def reach_cell(self, name: str, cell: types.CellType) -> None:
        if id(cell) not in self.held:
            found = entries(cell, name)
            self.held[id(cell)] = cell, found
            self.reach(found[name])

    def changes(self) -> dict[tuple[int, Any], tuple[EntrySlot, Any]]:
        """Return the entries that are other objects than they were, with their present values; raise if there are more or fewer.

        Lists that were only appended to are in `grown`, with what they got.
        """
        found = {}
        self.grown: list[tuple[list, list]] = []
        for x, before in self.held.values():
            if id(x) in self.known:
                continue
            now = entries(x, next(iter(before), ""))
            if isinstance(x, list) and len(now) > len(before) and all(now[k] is value for k, value in before.items()):
                self.grown.append((x, list(now.values())[len(before):]))
            elif now.keys() != before.keys():
                raise refused_growth(x)
            else:
                found.update({(id(x), key): (EntrySlot(x, key), value) for key, value in now.items() if value is not before[key]})
        return found

    def restore(self) -> None:
        for x, before in self.held.values():
            if unchanged(entries(x, next(iter(before), "")), before):
                continue
            if isinstance(x, types.CellType):
                ((name, value),) = before.items()
                NameSlot(x, name).set(value)
            elif isinstance(x, list):
                list.__setitem__(x, slice(None), list(before.values()))
            elif isinstance(x, deque):
                x.clear()
                x.extend(before.values())
            elif isinstance(x, set | dict):
                x.clear()
                x.update(before)
            else:
                for name in entries(x).keys() - before.keys():
                    object.__delattr__(x, name)
                for name, value in before.items():
                    set_attribute(x, name, value)


def refused_growth(x) -> errors.ControlFlowError:
    return errors.ControlFlowError(
        f"a {type(x).__name__} gets or loses entries in control flow that is decided when the compiled function runs; "
        "assign to the elements of an array made before, or use jitad.unroll for a loop of known length")


def unchanged(now: dict, before: dict) -> bool:
    return list(now) == list(before) and all(value is before[key] for key, value in now.items())


def is_users_object(x) -> bool:
    if isinstance(x, type | types.ModuleType | Array | np.ndarray | np.generic) or not (hasattr(x, "__dict__") or slots_of(x)):
        return False
    return not is_library(getattr(sys.modules.get(type(x).__module__), "__file__", None))


# --- values ---------------------------------------------------------------------------------------------------------------------


@dataclass
class Picture:
    """A value taken apart: its structure, what its leaves are, and the atoms of those that are numbers."""

    treedef: TreeDef
    kinds: list[Leaf | Static]
    atoms: list[Atom | None]

    def rebuilt(self, atoms: Sequence[Atom]):
        """Return the value with other atoms."""
        return assemble(self.treedef, self.kinds, atoms)


def picture(value) -> Picture:
    leaves, treedef = flatten(value)
    kinds = list(map(kind_of_leaf, leaves))
    return Picture(treedef, kinds, [to_atom(x) if isinstance(kind, Leaf) else None for x, kind in zip(leaves, kinds, strict=True)])


def kind_of_leaf(x) -> Leaf | Static:
    if isinstance(x, Ragged):
        raise errors.ControlFlowError(
            "a slice whose extent is only known when the compiled function runs cannot be carried out of a branch or a trip of a loop; keep "
            "the bounds and slice again, or copy it into a part of an array of fixed size")
    try:
        return describe(x)
    except errors.TypeError:
        return Static(x)


def assemble(treedef: TreeDef, kinds: Sequence[Leaf | Static], atoms: Sequence[Atom]):
    """Return the value of this structure, with one atom for each leaf that is a number."""
    atoms = iter(atoms)
    return unflatten(treedef, [presented(next(atoms), kind) if isinstance(kind, Leaf) else kind.value for kind in kinds])


def presented(atom: Atom, kind: Leaf) -> Array:
    return wrap(atom, weak=kind.kind == "python", scalar=kind.kind != "array")


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
    return repr(kind.value) if isinstance(kind, Static) else f"an array {kind.type}" if kind.kind == "array" else f"a number {kind.type}"


def joined_leaf(x: Leaf | Static, y: Leaf | Static) -> Leaf | Static:
    if x == y if isinstance(x, Leaf) and isinstance(y, Leaf) else False:
        return x
    if isinstance(x, Static) or isinstance(y, Static):
        if isinstance(x, Static) and isinstance(y, Static) and same(x.value, y.value):
            return x
        raise StructuresDiffer(f"{kind_text(x)} and {kind_text(y)}")
    if x.type.shape != y.type.shape:
        raise ShapesDiffer(f"shapes {x.type.shape} and {y.type.shape}")
    dtype = result_type((promotion_key(x), promotion_key(y)))
    kinds = {x.kind, y.kind}
    kind = x.kind if len(kinds) == 1 else "array" if "array" in kinds else "scalar"
    return Leaf(ArrayType(dtype, x.type.shape), kind)


def promotion_key(x: Leaf):
    return x.type.dtype if x.kind != "python" else KINDS[PYTHON[x.type.dtype.kind]]


def converted(p: Picture, kinds: Sequence[Leaf | Static]) -> list[Atom]:
    """Return the atoms of a picture in the dtypes of `kinds`."""
    return [cast(atom, kind.type.dtype) for atom, kind in zip(p.atoms, kinds, strict=True) if isinstance(kind, Leaf)]


def placeholders(kinds: Sequence[Leaf | Static]) -> list[Atom]:
    """Return zeros, for values that are not there yet."""
    return [full(0, kind.type) for kind in kinds if isinstance(kind, Leaf)]
