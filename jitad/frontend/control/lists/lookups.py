"""Elements of lists, tuples and dicts of constants or of anything else, asked for by what is only known when the compiled function runs.

In: a container, and a traced number. Out: the element, taken from one array for each leaf where the elements are alike, else a `Variant` of all of
them. Invariant: a place or key that the container does not have raises what Python raises.
"""

from __future__ import annotations

import numpy as np

from jitad.frontend.arrays.array import Array, wrap
from jitad.frontend.arrays.open_slices import is_open_bound
from jitad.frontend.control.branches import choose
from jitad.frontend.control.choices import note_pick
from jitad.frontend.control.lists.elements import common, element_picture
from jitad.frontend.control.pictures import ShapesDiffer, StructuresDiffer, presented
from jitad.frontend.control.raising import raise_where
from jitad.frontend.operations.promotion import PYTHON_DTYPES, cast, from_nest, to_atom
from jitad.frontend.tracing.programs import Leaf
from jitad.frontend.tracing.trace import capture
from jitad.frontend.tracing.trees import unflatten
from jitad.frontend.variants import Variant
from jitad.ir import errors
from jitad.ir.program import literal
from jitad.ir.types import BOOL, INT
from jitad.primitives.elementwise.comparisons import eq, select

MOST = 64  # elements that have nothing in common


def is_open_key(key) -> bool:
    """Return whether a key is a number that is only known when the compiled function runs."""
    return isinstance(key, Array) and not key.shape and is_open_bound(key)


def element(elements: list | tuple, key: Array):
    """Return ``elements[key]``."""
    if key.dtype.kind not in "bi":
        raise errors.TypeError(f"{type(elements).__name__} indices must be integers or slices, not {key.dtype}")
    if not elements:
        raise errors.IndexError(f"{type(elements).__name__} index out of range")
    if all(type(x) in PYTHON_DTYPES and type(x) is type(elements[0]) for x in elements):
        found = wrap(capture(np.array(elements)), scalar=False)[key]
        return wrap(found.atom, weak=True, scalar=True)
    pictures = list(map(element_picture, elements))
    try:
        kinds = common(pictures)
    except (ShapesDiffer, StructuresDiffer):
        if len({(type(x), len(x) if type(x) is tuple else None) for x in elements}) == 1 and type(elements[0]) is tuple:
            return tuple(element(parts, key) for parts in zip(*elements, strict=True))
        return one_of(elements, key)
    leaves = []
    for k, kind in enumerate(kinds):
        if not isinstance(kind, Leaf):
            leaves.append(kind.value)
            continue
        column = from_nest([wrap(cast(p.atoms[k], kind.type.dtype), scalar=False) for p in pictures])
        leaves.append(presented(column[key].atom, kind))
    found = unflatten(pictures[0].treedef, leaves)
    place, count = cast(to_atom(key), INT), len(elements)
    note_pick(found, elements, lambda k: eq(place, literal(k, INT)) | eq(place, literal(k - count, INT)))
    return found


def are_alike(elements: list | tuple) -> bool:
    """Return whether elements can be kept in arrays."""
    try:
        common(list(map(element_picture, elements)))
    except (ShapesDiffer, StructuresDiffer):
        return False
    return True


def one_of(elements: list | tuple, key: Array) -> Variant:
    if len(elements) > MOST:
        raise errors.ControlFlowError(f"one of {len(elements)} elements that are of several kinds is asked for by a number that is known when the "
                                      "compiled function runs; keep them in several lists, or index in each arm of a branch")
    places = wrap(capture(np.arange(len(elements))), scalar=False)
    return Variant(wrap(places[key].atom, weak=True, scalar=True), tuple(elements))


def entry(table: dict, key: Array, *default):
    """Return ``table[key]``, or ``table.get(key, default)``."""
    place, found = literal(0, INT), literal(False, BOOL)
    for k, own in enumerate(table):
        if isinstance(own, bool | int | float | np.number):
            same = to_atom(key == own)
            place, found = select(same, literal(k, INT), place), found | same
    place = wrap(place, weak=True, scalar=True)
    if default:
        return choose(wrap(found, weak=True), lambda: element(list(table.values()), place), lambda: default[0]) if table else default[0]
    raise_where(~found, KeyError("a key that the dict does not have"))
    return element(list(table.values()), place) if table else None


def get(table: dict, key, default=None):
    """``table.get(key, default)``."""
    return entry(table, key, default) if is_open_key(key) else table.get(key, default)
