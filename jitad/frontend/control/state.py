"""What bodies of control flow change: names, entries of containers and objects, and the lengths of lists.

In: the functions that the bodies have become, whose closures hold the user's names. Out: `Slot` records, places that are read and
set. Invariant: a name without a value is `UNSET`, never an error here.
"""

from __future__ import annotations

import functools
import io
import random
import sys
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from jitad.frontend.arrays.array import Array
from jitad.frontend.control.lists.appended import Appended
from jitad.frontend.control.pictures import attributes, slots_of
from jitad.frontend.undefined import PartlyBound, Undefined
from jitad.frontend.variants import Variant
from jitad.ir import errors
from jitad.ir.libraries import is_library

UNSET = type("Unset", (), {"__repr__": lambda self: "<unset>"})()
LENGTH = "the length of a list"
RUNNING = (Iterator, io.IOBase, np.random.Generator, np.random.RandomState, random.Random)


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
        return UNSET if isinstance(value, Undefined) and not isinstance(value, PartlyBound) else value

    def set(self, value) -> None:
        if value is not UNSET:
            self.cell.cell_contents = value
        elif self.get() is not UNSET:
            del self.cell.cell_contents


class EntrySlot:
    """An item of a list or dict, the length of a list, an attribute of an object, or the content of a cell of a function inside the user's."""

    def __init__(self, container, key):
        self.container = container
        self.key = key
        self.label = key if isinstance(container, types.CellType | Appended) else f".{key}" if is_object(container) else f"[{key!r}]"

    def get(self):
        return entries(self.container, self.key).get(self.key, UNSET)

    def set(self, value) -> None:
        if isinstance(self.container, types.CellType):
            NameSlot(self.container, self.key).set(value)
        elif isinstance(self.container, Appended):
            self.container.store.count = value
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


def set_attribute(x, name: str, value) -> None:
    if name in getattr(x, "__dict__", ()) or name not in slots_of(x):
        x.__dict__[name] = value
    else:
        object.__setattr__(x, name, value)


def entries(container, name: str = "") -> dict:
    """Return what a container, an object or a cell holds, by key; for a cell the key is its `name`."""
    if isinstance(container, types.CellType):
        return {name: NameSlot(container, name).get()}
    if isinstance(container, Appended):
        return {LENGTH: container.length()}
    if isinstance(container, list):
        return dict(enumerate(list.__iter__(container)))
    if isinstance(container, deque):
        return dict(enumerate(container))
    if isinstance(container, set):
        return dict.fromkeys(container, True)
    if isinstance(container, dict):
        return dict(container)
    return attributes(container)


class Containers:
    """The containers, objects and cells that can be reached from functions, as they are now; the cells in `known` apart.

    Attributes
    ----------
    running
        Objects that go on with each use, by id: their state can be neither seen nor put back.
    """

    def __init__(self, cells: dict[str, types.CellType], known: Iterable[types.CellType]):
        self.held: dict[int, tuple[Any, dict]] = {}
        self.most: list[tuple[Appended, int | None]] = []
        self.running: dict[int, Any] = {}
        self.known = {id(cell) for cell in known}
        for name, cell in cells.items():
            self.reach_cell(name, cell)

    def reach(self, x) -> None:
        cls = type(x)
        if isinstance(x, tuple | Variant):
            for element in x if isinstance(x, tuple) else x.values:
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
            if cls is Appended:
                self.most.append((x, x.store.most))
            if len(found) <= 1000:
                for value in found.values():
                    self.reach(value)

    def reach_cell(self, name: str, cell: types.CellType) -> None:
        if id(cell) not in self.held:
            found = entries(cell, name)
            self.held[id(cell)] = cell, found
            self.reach(found[name])

    def changes(self, more: bool = False) -> dict[tuple[int, Any], tuple[EntrySlot, Any]]:
        """Return the entries that are other objects than they were, with their present values; raise if there are fewer, or `more` and may not be.

        Lists that have other lengths are in `grown`, with the elements they had and have.
        """
        found = {}
        self.grown: list[tuple[list, list, list]] = []
        for x, before in self.held.values():
            if id(x) in self.known or isinstance(x, Appended) != (LENGTH in before):
                continue
            now = entries(x, next(iter(before), ""))
            if isinstance(x, list) and len(now) != len(before):
                self.grown.append((x, list(before.values()), list(now.values())))
            elif now.keys() != before.keys() and not (more and before.keys() < now.keys() and not isinstance(x, set | deque)):
                raise refused_growth(x)
            else:
                found.update({(id(x), key): (EntrySlot(x, key), value) for key, value in now.items() if value is not before.get(key, UNSET)})
        return found

    def others(self, slot) -> Iterator:
        """Yield the lists and dicts that have other names than that of a slot."""
        for container, found in self.held.values():
            if not (isinstance(slot, NameSlot) and container is slot.cell):
                yield from (x for x in found.values() if isinstance(x, list | dict))

    def longer(self) -> list[tuple[Appended, int | None, int | None]]:
        """Return the lists that may have more elements than they could have: a list, and the greatest length before and now."""
        return [(x, before, x.store.most) for x, before in self.most if x.store.most != before]

    def restore(self) -> None:
        for x, most in self.most:
            x.store.most = most
        for x, before in self.held.values():
            if isinstance(x, Appended) and LENGTH in before:
                x.store.count = before[LENGTH]
            if isinstance(x, Appended) or LENGTH in before:
                continue
            if unchanged(entries(x, next(iter(before), "")), before):
                continue
            if isinstance(x, types.CellType):
                ((name, value),) = before.items()
                NameSlot(x, name).set(value)
            elif isinstance(x, list):
                x[:] = before.values()
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


def replace(state, old, new) -> bool:
    """Put another object in the place of one, if no name of a function may have it too; return whether it could be done."""
    containers = Containers(state.cells, ())
    places = [EntrySlot(x, key) for x, found in containers.held.values() for key, value in found.items() if value is old]
    if not places or any(isinstance(place.container, types.CellType) for place in places):
        return False
    for place in places:
        place.set(new)
    return True


def refused_growth(x) -> errors.ControlFlowError:
    return errors.ControlFlowError(
        f"a {type(x).__name__} gets or loses entries in control flow that is decided when the compiled function runs; "
        "give a dict or an object the same entries in both arms of a branch, or all of them before; assign to the elements of an array made before, "
        "append to a list that the function makes by [] or list(...), or use jitad.unroll for a loop of known length")


def unchanged(now: dict, before: dict) -> bool:
    return list(now) == list(before) and all(value is before[key] for key, value in now.items())


def is_users_object(x) -> bool:
    if isinstance(x, type | types.ModuleType | Array | np.ndarray | np.generic) or not (hasattr(x, "__dict__") or slots_of(x)):
        return False
    return not is_library(getattr(sys.modules.get(type(x).__module__), "__file__", None))


