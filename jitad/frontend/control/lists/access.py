"""What traced code does with lists, whether their elements are in arrays or not.

In: the built-in functions `len`, `list`, `sorted`, and indices that are traced numbers; and lists as arguments and results of what is traced.
Out: what Python gives, or an ordinary list that has become an `Appended`.
"""

from __future__ import annotations

from collections.abc import Iterator, MappingView
from itertools import chain
from typing import NamedTuple

import numpy as np

from jitad.frontend.arrays.array import Array
from jitad.frontend.arrays.cells import is_traced
from jitad.frontend.arrays.masks import Selected
from jitad.frontend.arrays.open_slices import is_open_bound
from jitad.frontend.arrays.ragged import Ragged
from jitad.frontend.control.lists.appended import Appended, in_array, made, promote
from jitad.frontend.control.lists.columns import Store
from jitad.frontend.control.lists.lookups import are_alike, element
from jitad.frontend.control.orders import FEW, are_rows, in_order_of, itself
from jitad.frontend.control.pictures import LIST
from jitad.frontend.numpy_api.builtins import BUILTINS
from jitad.frontend.numpy_api.operands import asarray
from jitad.frontend.operations.promotion import contains_traced, whole
from jitad.frontend.tracing.concrete import known
from jitad.frontend.tracing.growable import Growable, Growth
from jitad.frontend.tracing.programs import Leaf
from jitad.frontend.tracing.trace import current_trace
from jitad.frontend.tracing.trees import LEAF, Sized, TreeDef, parts_of, treat_as_list, unflatten
from jitad.ir import errors


class Element(NamedTuple):
    """What an element of a list is whose length is known at run time, and whether it is a tuple for Python."""

    treedef: TreeDef
    kinds: tuple
    plain: type


def taken_apart(x: Appended) -> tuple[tuple, list]:
    """Return a list as a node: its elements, or if its length is known at run time, what has room for them and how many there are."""
    store = x.store
    if not is_traced(store.count):
        return (), list(x)
    x.check_sources()
    return (Element(store.treedef, tuple(store.kinds), store.plain),), [*store.columns, store.count]


def put_together(keys: tuple, children: list):
    """Return the list with these columns and this length: of numbers, Python's list of the elements that count."""
    (element,), (*columns, count) = keys, children
    if all(is_traced(column) for column in columns):
        room = columns[0].shape[0]
        store = Store(element.treedef, list(element.kinds), columns, room, count, room, False, current_trace(), plain=element.plain)
        return made(Growable(), store)
    if isinstance(count, str):
        return "list of a length known at run time"
    return element.plain([
        unflatten(element.treedef, [plain(next(parts), kind) if isinstance(kind, Leaf) else kind.value for kind in element.kinds])
        for parts in (iter([column[k] for column in columns]) for k in range(count))])


def plain(x, kind: Leaf):
    """Return a part of a column of numbers as what it is."""
    if kind.kind.startswith(LIST):
        return [plain(y, kind._replace(kind=kind.kind.removeprefix(LIST))) for y in x]
    return x.item() if kind.kind == "python" else x.copy() if kind.kind == "array" and x.ndim else x


def fill(keys: tuple, children: list, other) -> list | None:
    """Return a list of numbers as columns with room for more."""
    (element,), (*columns, count) = keys, children
    rows = [parts_like(element.treedef, one) for one in other] if isinstance(other, element.plain) and len(other) == count else [None]
    if None in rows:
        return None
    filled = []
    for number, column in zip([k for k, kind in enumerate(element.kinds) if isinstance(kind, Leaf)], columns, strict=True):
        given = np.array([row[number] for row in rows]) if rows else column[:0]
        if given.shape[1:] != column.shape[1:]:
            return None
        filled.append(np.concatenate([given, np.zeros_like(column[len(given) :], given.dtype)]))
    return [*filled, count]


def parts_like(treedef: TreeDef, tree) -> list | None:
    """Return what a tree has at the leaves of a structure, None if it has another one."""
    if treedef is LEAF:
        return [tree]
    found = parts_of(tree)
    if found is None or type(tree) is not treedef.cls or found[0] != treedef.keys or len(found[1]) != len(treedef.children):
        return None
    parts = [parts_like(child, part) for child, part in zip(treedef.children, found[1], strict=True)]
    return None if None in parts else list(chain.from_iterable(parts))


treat_as_list(Appended, taken_apart, Sized(put_together, 1, fill))


def length(x):
    return x.length() if isinstance(x, Appended | Ragged | Selected) else len(x)


def listed(*args) -> list:
    """``list`` within a trace."""
    if args and isinstance(args[0], Appended):
        return args[0].copy()
    return Growable(*args)


def in_order(values, /, *, key=None, reverse=False):
    """``sorted`` within a trace: of traced numbers, a list in an array."""
    if key is not None and current_trace() is not None:
        return in_order_of(values, key, reverse)
    values = list(values) if isinstance(values, Iterator | MappingView) else whole(values)
    if are_rows(values) and contains_traced(values):
        return in_order_of(values, itself, reverse)
    if not isinstance(values, Array | Ragged) and not contains_traced(values) or key is not None:
        return sorted(values, key=key, reverse=reverse)
    array = np.sort(asarray(values) if not isinstance(values, Ragged) else values)
    if array.ndim != 1:
        raise errors.ValueError("arrays are compared by sorted(); write np.sort")
    array = array[::-1] if reverse else array
    elements = array.values if isinstance(array, Ragged) else array
    count = array.length() if isinstance(array, Ragged) else array.shape[0]
    return in_array(elements.copy(), Leaf(elements.type.with_shape(()), "scalar"), count)


def as_list(x: Array):
    """``x.tolist()``: numbers of Python, where there are many of them in a list that is an array."""
    found = known(x.atom)
    if found is not None:
        return found.tolist()
    if not x.ndim:
        return x.item()
    if x.ndim > 1 or len(x) <= FEW:
        return Growable([as_list(row) for row in x])
    numbers = x.astype({"f": np.float64, "c": np.complex128, "b": np.bool_}.get(x.dtype.kind, np.int64))
    return in_array(numbers.copy(), Leaf(numbers.type.with_shape(()), "python"))


Array.tolist = as_list
BUILTINS[len] = length
BUILTINS[sorted] = in_order
BUILTINS[list] = listed


# --- ordinary lists, asked for an element by a traced number -----------------------------------------------------------------------------


def get(x: Growable, key):
    """Return an element of a list, or a part of it. If the place is only known when the compiled function runs, it is kept in arrays."""
    if not is_open_place(key):
        return list.__getitem__(x, key)
    if not isinstance(key, slice) and (type(x) is not Growable or len(x) and not are_alike(list(list.__iter__(x)))):
        return element(list(list.__iter__(x)), key)
    keep_in_arrays(x)
    return x[key]


def put(x: Growable, key, value) -> None:
    if not is_open_place(key):
        list.__setitem__(x, key, value)
        return
    keep_in_arrays(x)
    x[key] = value


def is_open_place(key) -> bool:
    """Return whether a key is a number that is only known when the compiled function runs, or a slice with such a bound."""
    if isinstance(key, slice):
        return is_open_bound(key.start) or is_open_bound(key.stop)
    return is_open_bound(key) and key.dtype.kind in "iu"


def keep_in_arrays(x: Growable) -> None:
    trace = current_trace()
    growth = Growth(x, [], 0)
    if not len(x):
        raise errors.IndexError("list index out of range")
    if type(x) is not Growable:
        raise errors.ControlFlowError("an element of a list is asked for by a number that is known when the compiled function runs, as is which of "
                                      "two lists this is; index in each arm of the branch")
    if id(x) in getattr(trace, "held", ()):
        raise growth
    promote(growth)


Growable.__getitem__, Growable.__setitem__ = get, put
