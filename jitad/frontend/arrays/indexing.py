"""Indexing: what ``a[key]`` shows and what ``a[key] = value`` changes.

In: a view and a key as Python hands it over. Out: a view. Every index is a chain of up to four steps: a `Box` for integers, slices
and None; then, for indices that are arrays or traced, a `Permutation` that brings their axes to the front, the `Element`
addressed, and a `Permutation` that moves the axes of the result to where NumPy has them. Traced integers beside slices are a
`Window`, which leaves the array as it lies. Read through, the chain is an index; written through, an assignment.
"""

from __future__ import annotations

import numpy as np

from jitad.frontend.arrays.cells import View, wrap
from jitad.frontend.arrays.extents import Extent, extent_of
from jitad.frontend.arrays.keys import (
    TRACED_MASK,
    Index,
    check_mask,
    classify,
    consumed,
    is_mask,
    parse,
)
from jitad.frontend.arrays.masks import Selected, mask_of_places, packed, unpacked
from jitad.frontend.arrays.memory_order import UNKNOWN, long_axes
from jitad.frontend.arrays.open_slices import assign, get, is_open, put
from jitad.frontend.arrays.ragged import Ragged, agreed, parts
from jitad.frontend.arrays.views import Box, Element, Permutation, Window, reshaped
from jitad.frontend.control.raising import guard_indices
from jitad.frontend.operations.promotion import cast, to_atom, whole
from jitad.frontend.tracing.concrete import known
from jitad.frontend.variants import settled
from jitad.ir import errors
from jitad.ir.program import Atom, Literal
from jitad.ir.source import user_source
from jitad.ir.types import INT, broadcast_shapes
from jitad.primitives.elementwise.arithmetic import add
from jitad.primitives.elementwise.comparisons import select
from jitad.primitives.selections import select_terms
from jitad.primitives.structural.shaping import broadcast, shape_text
from jitad.primitives.structural.spans import Span


def getitem(a: View, key):
    """Return ``a[key]``."""
    key = settled_key(key)
    if type(key) is tuple:
        key = mask_of_places(key, a.type.shape)
    if type(key) is tuple and unknown_mask(key):
        found = selected(a, key)
        if found is not None:
            return found
        key = tuple(np.flatnonzero(item) if traced_mask(item) and item.ndim == 1 else item for item in key)
    if is_open(key):
        return get(a, tuple(map(Extent, a.type.shape)), key)
    if traced_mask(key):
        if isinstance(key, View) and known(key.atom) is None:
            return selected(a, (key,))
        key = with_known_masks(key)
    index, _ = within(a, parse(key, a.type.shape))
    view = show(a, index)
    atom = view.atom  # read now, so that the equation carries the line of the index
    return view if not (index.scalar or index.copies) else picked(wrap(atom, scalar=index.scalar), a, index)


def picked(result: View, a: View, index: Index) -> View:
    """Note that NumPy has the axes of indices outermost in memory, whose elements it looks up one after another, and return the result."""
    if result.ndim > 1 and index.arrays:
        moved = max(array.ndim for array in index.arrays.values())
        axes = range(index.place, index.place + moved)
        rows = not index.place or len(long_axes(result.shape)) < 2
        order = None if rows else (*axes, *[k for k in range(result.ndim) if k not in axes])
        in_rows = all(array.ndim < 2 or (not array.turned if isinstance(array, View) else array.flags.c_contiguous)
                      for array in index.arrays.values())
        result.cell.order = UNKNOWN if a.turned and result.ndim - moved > 1 or not in_rows else order
        result.cell.assumed = a.cell.assumed and result.ndim - moved > 1
    return result


def settled_key(key):
    """Return a key in which what is one of several is what alone is possible here, and lists in arrays are arrays."""
    return tuple(whole(settled(item)) for item in key) if type(key) is tuple else whole(settled(key))


def setitem(a: View, key, value) -> None:
    """Perform ``a[key] = value``."""
    key, value = settled_key(key), whole(value)
    if a.scalar:
        raise errors.TypeError("a scalar does not support item assignment")
    if type(key) is tuple:
        key = mask_of_places(key, a.type.shape)
    if is_open(key):
        put(a, tuple(map(Extent, a.type.shape)), key, value)
        return
    if traced_mask(key):
        assign_where(a, key, value)
        return
    index, right = within(a, parse(key, a.type.shape))
    view = show(a, index)
    if right is not None:
        view.assign(select(broadcast(right, shape=view.shape), fitted(value, view, fancy=index.copies), view.atom))
    elif isinstance(value, Ragged):
        assign(view, tuple(map(Extent, view.type.shape)), value)
    elif not view.same_place(value):
        view.assign(fitted(value, view, fancy=index.copies))


def within(a: View, index: Index) -> tuple[Index, Atom | None]:
    """Return an index that selects elements in any case, where a `try` statement handles errors, and whether it is the one given."""
    if not index.arrays:
        return index, None
    arrays, right = guard_indices(index.arrays.values(), [a.type.shape[index.box.axes[axis]] for axis in index.arrays])
    return index._replace(arrays=dict(zip(index.arrays, arrays, strict=True))), right


def show(a: View, index: Index) -> View:
    """Return the view of `a` that an index selects, to be read or written."""
    if is_window(index, a.type.shape):
        return show_window(a, index)
    view = a.stepped(index.box)
    if not index.arrays:
        return view
    axes, ndim = tuple(index.arrays), view.type.ndim
    view = permuted(view, (*axes, *[axis for axis in range(ndim) if axis not in index.arrays]))
    indices = index_atoms(index.arrays.values())
    view = view.stepped(Element(indices))
    moved, order = indices[0].ndim, list(range(indices[0].ndim, view.type.ndim))
    return permuted(view, (*order[:index.place], *range(moved), *order[index.place:]))


def is_window(index: Index, shape: tuple[int, ...]) -> bool:
    """Return whether integers are combined with slices such that what they select is not the elements of an axis in front."""
    if not index.arrays or any(array.ndim for array in index.arrays.values()):
        return False
    return tuple(index.arrays) != tuple(range(len(index.arrays))) or not index.box.is_whole(shape) or None in index.box.axes


def show_window(a: View, index: Index) -> View:
    """Return the view of `a` that integers which are not known and slices select."""
    box, axes = index.box, [index.box.axes[place] for place in index.arrays]
    spans = [Span(None, 1, 1) if axis in axes else Span(*where) for axis, where in enumerate(zip(box.start, box.step, box.count, strict=True))]
    view = a.stepped(Window(tuple(spans), index_atoms(index.arrays.values())))
    whole = tuple(span.extent for span in spans)
    rest = tuple(axis for axis in box.axes if axis not in axes)
    return view.stepped(Box((0,) * len(whole), (1,) * len(whole), whole, rest))


def permuted(view: View, axes: tuple[int, ...]) -> View:
    return view if axes == tuple(range(view.type.ndim)) else view.stepped(Permutation(axes))


def index_atoms(arrays) -> tuple[Atom, ...]:
    """Return indices as int64 atoms of their common shape."""
    atoms = [cast(to_atom(array), INT) for array in arrays]
    try:
        shape = broadcast_shapes(*[atom.shape for atom in atoms])
    except errors.ValueError:
        shapes = " ".join(shape_text(atom.shape) for atom in atoms)
        raise errors.IndexError("shape mismatch: indexing arrays could not be broadcast together with shapes "
                                f"{shapes}") from None
    return tuple(atom if atom.shape == shape else broadcast(atom, shape=shape) for atom in atoms)


def fitted(value, view: View, fancy: bool = False) -> Atom:
    """Return `value` as an atom of the type of `view`, converted and broadcast as an assignment does."""
    target = view.type
    if isinstance(value, int | float | complex | np.generic) and not isinstance(value, View):
        atom = Literal(target.dtype.type(value))
    else:
        atom = cast(to_atom(value), target.dtype)
    surplus = max(atom.ndim - target.ndim, 0)
    if all(extent == 1 for extent in atom.shape[:surplus]):
        atom = reshaped(atom, atom.shape[surplus:])
    if atom.shape == target.shape:
        return atom
    if atom.ndim > target.ndim or any(n not in (1, m) for n, m in zip(reversed(atom.shape), reversed(target.shape), strict=False)):
        text = (f"shape mismatch: value array of shape {shape_text(atom.shape)} could not be broadcast to indexing result of shape "
                f"{shape_text(target.shape)}" if fancy else
                f"could not broadcast input array from shape {shape_text(atom.shape)} into shape {shape_text(target.shape)}")
        raise errors.ValueError(text)
    return broadcast(atom, shape=target.shape)


# --- writing where a traced mask is true ------------------------------------------------------------------------------------


def with_known_masks(key):
    """Return a key with the values of its traced masks, or raise if they are not known."""
    if type(key) is tuple:
        return tuple(map(with_known_masks, key))
    if not traced_mask(key):
        return key
    mask = known(key.atom)
    if mask is None:
        raise errors.ConcreteValueError(TRACED_MASK)
    return mask


def traced_mask(key) -> bool:
    """Return whether a key has a mask in it that is only known when the kernel runs."""
    return any(map(traced_mask, key)) if type(key) is tuple else isinstance(key, View) and is_mask(key) and key.ndim > 0


def unknown_mask(key: tuple) -> bool:
    return any(traced_mask(item) and known(item.atom) is None for item in key)


def selected(a: View, key: tuple) -> Selected | None:
    """Return what a mask selects beside integers and slices; None where there are more masks, arrays, or new axes."""
    (mask, *others), position = [item for item in key if traced_mask(item)], next(k for k, item in enumerate(key) if traced_mask(item))
    before, after = key[:position], key[position + 1:]
    if others or is_open(key) or not all(item is Ellipsis or isinstance(item, int | slice) for item in (*before, *after)):
        return None
    missing = a.type.ndim - consumed(list(key)) if Ellipsis in before else 0
    check_mask(mask, consumed(list(before)) + missing, a.type.shape)
    whole = show(a, parse((*before, *[slice(None)] * mask.ndim, *after), a.type.shape))
    lead = sum(isinstance(item, slice) for item in before) + missing
    return Selected(wrap(whole.atom, scalar=False), wrap(mask.atom, scalar=False), lead)


def assign_where(a: View, key, value) -> None:
    """Perform ``a[key] = value`` where one entry of the key is a traced mask and none of the others is an array."""
    items = list(key) if type(key) is tuple else [key]
    position = next(k for k, item in enumerate(items) if traced_mask(item))
    mask, before, after = items[position], items[:position], items[position + 1:]
    whole = parse((*before, *[slice(None)] * mask.ndim, *after), a.type.shape)
    if whole.arrays:
        raise errors.NotImplementedError(f"a traced mask together with other arrays in one index; {TRACED_MASK}")
    missing = a.type.ndim - consumed(items) if any(item is Ellipsis for item in before) else 0
    check_mask(mask, consumed(before) + missing, a.type.shape)
    view = show(a, whole)
    kept = sum(not isinstance(item, int) for item in map(classify, before) if item is not Ellipsis)
    lead = missing + kept
    behind = view.type.ndim - mask.ndim - lead
    if isinstance(value, Selected | Ragged):
        assign_selected(view, mask, value, lead)
        return
    new = cast(to_atom(value), view.type.dtype)
    if new.ndim > behind:
        if new.shape[new.ndim - behind - 1] != 1:
            if known(mask.atom) is None:
                raise errors.NotImplementedError("which value goes where depends on a mask that is only known when the kernel "
                                                 "runs; write a[...] = np.where(mask, value, a)")
            setitem(a, with_known_masks(key), value)
            return
        cut = new.ndim - behind
        new = reshaped(new, (*new.shape[:cut - 1], *(1,) * mask.ndim, *new.shape[cut:]))
    condition = reshaped(mask.atom, (*mask.shape, *(1,) * behind))
    view.assign(select(condition, fitted(wrap(new), view), view.atom))


def assign_selected(view: View, mask: View, value: Selected | Ragged, lead: int) -> None:
    """Assign elements whose number is not known to those that a mask selects."""
    target = Selected(wrap(view.atom, scalar=False), mask, lead)
    if not target.like(value):
        values, extents = parts(packed(value))
        axis = lead - target.ndim + len(extents)  # the axis of the value that has an element for each place of the mask
        if axis < 0 or len(extents) > target.ndim or extents[axis].number == 1:
            raise errors.NotImplementedError("an assignment of a slice to all places that a mask selects; write a[...] = np.where(mask, ..., a)")
        count = agreed(extents[axis], extent_of(np.sum(mask, dtype=INT)), f"the assignment at {user_source().short}")
        value = Selected(unpacked(values, count, mask, axis), mask, axis)
    view.assign(select_terms(target.condition(), fitted(value.values, view), view.atom))


def add_at(a: View, key, value) -> None:
    """Perform ``np.add.at(a, key, value)``: an element that is addressed several times is added to as often."""
    if traced_mask(key):
        raise errors.ConcreteValueError(TRACED_MASK)
    index = parse(key, a.type.shape)
    view = show(a, index)
    new = fitted(value, view, fancy=index.copies)
    if not index.copies:
        view.assign(add(view.atom, new))
        return
    if isinstance(view.step, Permutation):
        new, view = view.step.write(view.base.atom, new), view.base
    view.base.assign(view.step.add(view.base.atom, new))
