"""Nested containers, taken apart into leaves and put together again.

In: tuples, lists, dicts, NamedTuples, dataclass instances and None, nested. Out: the leaves from left to right and a `TreeDef`,
which is hashable: two trees have equal ones just if they differ in their leaves only (dicts: also in the order of their keys).
Anything else is a leaf, subclasses of the containers included (but `OrderedDict`, which is a node).
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from jitad.frontend.tracing.growable import Growable
from jitad.ir import errors


class TreeDef:
    """The structure of a tree: the class of its root, what identifies the children (keys, fields), and their structures.

    Equal structures are one object, so that comparing and hashing them costs nothing.
    """

    __slots__ = ("cls", "keys", "children", "flat", "size", "__weakref__")

    def __init__(self, cls: type | None, keys: tuple, children: tuple[TreeDef, ...]):
        self.cls = cls
        self.keys = keys
        self.children = children
        self.flat = all(child is LEAF for child in children)
        self.size = sum(child.size for child in children)

    def __repr__(self) -> str:
        return f"TreeDef({unflatten(self, '*' * self.size)})".replace("'", "")

    def __str__(self) -> str:
        return repr(self)[len("TreeDef("):-1]

    def __reduce__(self):
        return (leaf_structure, ()) if self is LEAF else (structure, (self.cls, self.keys, self.children))


LEAF = TreeDef.__new__(TreeDef)
LEAF.cls, LEAF.keys, LEAF.children, LEAF.flat, LEAF.size = None, (), (), True, 1
_structures: dict[tuple, TreeDef] = {}


def leaf_structure() -> TreeDef:
    return LEAF


def structure(cls: type, keys: tuple, children: tuple[TreeDef, ...]) -> TreeDef:
    """Return the one `TreeDef` with these parts."""
    found = _structures.get((cls, keys, children))
    return found or _structures.setdefault((cls, keys, children), TreeDef(cls, keys, children))


# --- taking apart: for each class of nodes, the function that gives (keys, children) of a node -----------------------------


def no_keys(node) -> tuple[tuple, Iterable]:
    return (), node


def nothing(node) -> tuple[tuple, Iterable]:
    return (), ()


def dict_entries(node) -> tuple[tuple, Iterable]:
    return tuple(node), node.values()


def dataclass_entries(node) -> tuple[tuple, Iterable]:
    names = tuple(field.name for field in dataclasses.fields(node))
    return names, [getattr(node, name) for name in names]


def treat_as_list(cls: type, parts: Callable, sized: Sized) -> None:
    """Let a subclass of list be a node, but not one of those that control flow looks into; a `Sized` one, if its parts have keys."""
    _parts[cls] = parts
    OBJECTS[cls] = LISTS_AS_LEAVES[cls] = None
    PLAIN[cls], SIZED[cls] = list, sized


def treat_as(plain: type, cls: type) -> None:
    """Let a subclass of list or dict be a node like those of the plain class."""
    _parts[cls] = OBJECTS[cls] = _parts[plain]
    LISTS_AS_LEAVES[cls] = LISTS_AS_LEAVES[plain]
    PLAIN[cls] = plain


class Sized(NamedTuple):
    """A class of nodes with room for more elements than they have: ``make(keys, children) -> node``; the last children are the numbers of these.

    There are as many numbers as `counts` says, all children but the first if it is None. ``fill(keys, children, other)`` gives the children of
    a node with as much room and as many elements that has the numbers of `other`, None if that has another structure.
    """

    make: Callable
    counts: int | None
    fill: Callable


def treat_as_sized(cls: type, parts: Callable, sized: Sized | None = None, plain: type | None = None) -> None:
    """Let instances of a class be `Sized` nodes, ``parts(node) -> (keys, children)``, or be taken for those of the class `plain`."""
    _parts[cls] = OBJECTS[cls] = LISTS_AS_LEAVES[cls] = parts
    if sized is None:
        PLAIN[cls] = plain
    else:
        SIZED[cls] = sized


def treat_as_made(cls: type, parts: Callable, make: Callable) -> None:
    """Let instances of a class be nodes, ``parts(node) -> (keys, children)``, that ``make(keys, children)`` puts together."""
    _parts[cls] = OBJECTS[cls] = LISTS_AS_LEAVES[cls] = parts
    MADE[cls] = make


def find_parts(cls: type) -> Callable | None:
    if dataclasses.is_dataclass(cls):
        return dataclass_entries
    return no_keys if issubclass(cls, tuple) and hasattr(cls, "_fields") else None


class _Parts(dict):
    """The function that takes a node of a class apart; None for classes of leaves."""

    def __missing__(self, cls):
        self[cls] = found = find_parts(cls)
        return found


_parts = _Parts({tuple: no_keys, list: no_keys, Growable: no_keys, dict: dict_entries, OrderedDict: dict_entries, type(None): nothing})
OBJECTS = _Parts(_parts)  # for control flow
LISTS_AS_LEAVES = _Parts(_parts | {list: None, Growable: None})
PLAIN = {Growable: list}  # classes whose structure is that of another
SIZED: dict[type, Sized] = {}
MADE: dict[type, Callable] = {}


def parts_of(node: Any) -> tuple[tuple, list] | None:
    """Return what identifies the children of a node, and the children; None for a leaf."""
    found = _parts[node.__class__]
    if found is None:
        return None
    keys, children = found(node)
    return keys, list(children)


def flatten(tree: Any, table: _Parts = _parts) -> tuple[list, TreeDef]:
    """Return the leaves of `tree`, from left to right, and its structure. The nodes are those of `table`."""
    leaves: list = []
    return leaves, _flatten(tree, leaves, table)


def _flatten(tree, leaves: list, table: _Parts) -> TreeDef:
    cls = tree.__class__
    parts = table[cls]
    if parts is None:
        leaves.append(tree)
        return LEAF
    keys, children = parts(tree)
    structures = []
    for child in children:
        if table[child.__class__] is None:
            leaves.append(child)
            structures.append(LEAF)
        else:
            structures.append(_flatten(child, leaves, table))
    key = (cls if keys and cls in SIZED else PLAIN.get(cls, cls), keys, tuple(structures))
    return _structures.get(key) or structure(*key)


# --- putting together ------------------------------------------------------------------------------------------------------


def unflatten(treedef: TreeDef, leaves: Sequence, lists: type = list) -> Any:
    """Return the tree of structure `treedef` with these leaves, whose lists are of the class `lists`."""
    if len(leaves) != treedef.size:
        raise errors.InternalError(f"{len(leaves)} leaves for a tree with {treedef.size}")
    if treedef.cls is tuple and treedef.flat:
        return tuple(leaves)
    return _build(treedef, iter(leaves), lists)


def _build(treedef: TreeDef, leaves: Iterator, lists: type):
    if treedef is LEAF:
        return next(leaves)
    cls, children = treedef.cls, [_build(child, leaves, lists) for child in treedef.children]
    if cls in SIZED:
        return SIZED[cls].make(treedef.keys, children)
    if cls in MADE:
        return MADE[cls](treedef.keys, children)
    if cls is tuple or cls is list:
        return tuple(children) if cls is tuple else children if lists is list else lists(children)
    if issubclass(cls, dict):
        return cls(zip(treedef.keys, children, strict=True))
    if cls is type(None):
        return None
    if issubclass(cls, tuple):
        return cls._make(children)
    node = object.__new__(cls)
    for name, child in zip(treedef.keys, children, strict=True):
        object.__setattr__(node, name, child)
    return node


def leaf_paths(treedef: TreeDef) -> list[str]:
    """Return for each leaf the subscript that leads to it, for messages: ``[0]['w']``, ``.weights[1]``, or "" at the root."""
    if treedef is LEAF:
        return [""]
    cls = treedef.cls
    if issubclass(cls, dict):
        names = [f"[{key!r}]" for key in treedef.keys]
    elif cls in SIZED or cls in MADE:
        names = [f"[{k}]" for k in range(len(treedef.children))]
    else:
        names = [f".{key}" for key in treedef.keys or getattr(cls, "_fields", ())] or [f"[{k}]" for k in range(len(treedef.children))]
    return [name + rest for name, child in zip(names, treedef.children, strict=True) for rest in leaf_paths(child)]


def sized_nodes(treedef: TreeDef, start: int = 0) -> list[tuple[TreeDef, range, range]]:
    """Return the nodes that are `Sized`, with the numbers of the leaves that are arrays and of those that say how many elements count."""
    if treedef.cls in SIZED:
        counts = SIZED[treedef.cls].counts
        middle, end = start + (1 if counts is None else treedef.size - counts), start + treedef.size
        return [(treedef, range(start, middle), range(middle, end))]
    found = []
    for child in treedef.children:
        found += sized_nodes(child, start)
        start += child.size
    return found
