"""Values that are to be one although their structures differ: both are given one structure, with variants where they have nothing in common.

In: pictures of two values, or of more, one after the other. Out: a `Template`; pictures fitted to it. Invariant: lists, dicts and arrays of different
shapes are no alternatives, since a change of them, or what is computed with them, would not be seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import FunctionType, ModuleType

import numpy as np

from jitad.frontend.arrays.array import Array
from jitad.frontend.control.pictures import (
    Picture,
    ShapesDiffer,
    StructuresDiffer,
    attributes,
    joined,
    kind_of_leaf,
    kind_text,
    placeholders,
    structure_text,
)
from jitad.frontend.tracing.programs import Leaf, Static
from jitad.frontend.tracing.trees import LEAF, OBJECTS, TreeDef, flatten, structure, unflatten
from jitad.frontend.variants import Variant
from jitad.ir.program import literal
from jitad.ir.types import INT, ArrayType
from jitad.primitives.elementwise.comparisons import eq, select

VARIANT = TreeDef(Variant, (), ())
CODE = Leaf(ArrayType(INT), "python")


@dataclass
class Template:
    """What values are to look like: leaves of these kinds, in a structure; or a node with templates of its children; or one of `variants`."""

    treedef: TreeDef | None = None
    kinds: list = field(default_factory=list)
    children: list[Template] | None = None
    variants: list[Template] | None = None

def parts(p: Picture) -> list[Picture]:
    """Return the pictures of the children of a node."""
    found, start = [], 0
    for child in p.treedef.children:
        end = start + child.size
        found.append(Picture(child, p.kinds[start:end], p.atoms[start:end]))
        start = end
    return found


def template(p: Picture) -> Template:
    if p.treedef is not LEAF and p.treedef.cls is Variant:
        return Template(variants=[template(part) for part in parts(p)[1:]])
    if p.treedef is not LEAF and holds_variant(p.treedef):
        return Template(p.treedef, p.kinds, children=list(map(template, parts(p))))
    return Template(p.treedef, p.kinds)


def holds_variant(treedef: TreeDef) -> bool:
    return treedef.cls is Variant or any(map(holds_variant, treedef.children))


def common(x: Template, y: Template) -> Template:
    """Return a template for the values of two."""
    if x.variants is None and y.variants is None:
        if x.children is None and y.children is None:
            try:
                return Template(x.treedef, joined(Picture(x.treedef, x.kinds, []), Picture(y.treedef, y.kinds, [])))
            except StructuresDiffer:
                pass
        if same_node(x.treedef, y.treedef):
            return Template(x.treedef, x.kinds, children=[common(a, b) for a, b in pairs(x, y)])
    found = list(x.variants or [x])
    for other in y.variants or [y]:
        k, both = next(((k, both) for k, one in enumerate(found) if (both := alike(one, other)) is not None), (None, None))
        if k is None:
            found.append(other)
        else:
            found[k] = both
    for one in found:
        check_unchanging(one)
    return Template(variants=found)


def with_variants(x: Picture, y: Picture) -> Template | None:
    """Return the template of two values at least one of which holds variants already, None for others."""
    return common(template(x), template(y)) if holds_variant(x.treedef) or holds_variant(y.treedef) else None


def alike(x: Template, y: Template) -> Template | None:
    """Return the template of two without further alternatives, None if there is none."""
    if x.variants is not None or y.variants is not None:
        return None
    if x.children is None and y.children is None:
        try:
            return Template(x.treedef, joined(Picture(x.treedef, x.kinds, []), Picture(y.treedef, y.kinds, [])))
        except (ShapesDiffer, StructuresDiffer):
            return None
    children = [alike(a, b) for a, b in pairs(x, y)] if same_node(x.treedef, y.treedef) else [None]
    return None if None in children else Template(x.treedef, x.kinds, children=children)


def pairs(x: Template, y: Template) -> list[tuple[Template, Template]]:
    """Return the children of two nodes of a class."""
    return list(zip(*[t.children or list(map(template, parts(Picture(t.treedef, t.kinds, [])))) for t in (x, y)], strict=True))


def same_node(x: TreeDef, y: TreeDef) -> bool:
    return x is not LEAF and y is not LEAF and x.cls is y.cls and x.keys == y.keys and 0 < len(x.children) == len(y.children)


def check_unchanging(t: Template) -> None:
    """Refuse alternatives that can be changed, and objects made in the arms of a branch, whose arrays end with these."""
    if t.variants is None and (has_containers(t.treedef) or any(isinstance(kind, Static) and has_ended(kind.value) for kind in t.kinds)):
        raise StructuresDiffer(f"{structure_text(Picture(t.treedef, t.kinds, []))} and something else")


def has_ended(x) -> bool:
    """Return whether an object has arrays of a trace that has ended, itself or in a part of it."""
    waiting, met = [x], set()
    while waiting:
        one = waiting.pop()
        if isinstance(one, Array) and not one.cell.trace.alive:
            return True
        if id(one) not in met and not isinstance(one, type | FunctionType | ModuleType | Array | np.ndarray):
            met.add(id(one))
            waiting += attributes(one).values() if not isinstance(one, tuple | list) else one
    return False


def has_containers(treedef: TreeDef) -> bool:
    return treedef is not LEAF and (issubclass(treedef.cls, list | dict) or any(map(has_containers, treedef.children)))


def fitted(p: Picture, t: Template) -> Picture:
    """Return the picture of a value in the structure of a template that it is one of the values of."""
    if t.variants is not None:
        return fitted_variant(p, t)
    if t.children is not None:
        return node_of(t.treedef, [fitted(child, part) for child, part in zip(parts(p), t.children, strict=True)])
    return p


def node_of(treedef: TreeDef, children: list[Picture]) -> Picture:
    """Return the picture of a node with these children."""
    return Picture(structure(treedef.cls, treedef.keys, tuple(child.treedef for child in children)),
                   [kind for child in children for kind in child.kinds], [atom for child in children for atom in child.atoms])


def fitted_variant(p: Picture, t: Template) -> Picture:
    is_variant = p.treedef is not LEAF and p.treedef.cls is Variant
    number, values = (parts(p)[0].atoms[0], parts(p)[1:]) if is_variant else (literal(0, INT), [p])
    places = [place_of(template(value), t) for value in values]
    children = list(map(empty, t.variants))
    for value, k in zip(values, places, strict=True):
        children[k] = fitted(value, t.variants[k])
    code = number if places == list(range(len(places))) else literal(places[-1], INT)
    for k, place in enumerate(places[:-1] if code is not number else ()):
        code = select(eq(number, literal(k, INT)), literal(place, INT), code)
    return node_of(VARIANT, [Picture(LEAF, [CODE], [code]), *children])


def place_of(x: Template, t: Template) -> int:
    """Return which alternative of a template a value is."""
    found = next((k for k, one in enumerate(t.variants) if alike(one, x) is not None), None)
    if found is None:
        raise StructuresDiffer(f"{kind_text(x.kinds[0]) if x.kinds else 'None'} and what it is elsewhere")
    return found


def empty(t: Template) -> Picture:
    """Return zeros in the place of a value."""
    if t.variants is not None:
        return node_of(VARIANT, [Picture(LEAF, [CODE], [literal(0, INT)]), *map(empty, t.variants)])
    if t.children is not None:
        return node_of(t.treedef, list(map(empty, t.children)))
    atoms = iter(placeholders(t.kinds))
    return Picture(t.treedef, t.kinds, [next(atoms) if isinstance(kind, Leaf) else None for kind in t.kinds])


def placed(value, t: Template):
    """Return a value in the structure of a template, to be compared leaf by leaf with another of that structure."""
    if t.children is not None:
        children = OBJECTS[value.__class__](value)[1]
        flat = structure(t.treedef.cls, t.treedef.keys, (LEAF,) * len(t.children))
        return unflatten(flat, [placed(child, part) for child, part in zip(children, t.children, strict=True)])
    if t.variants is None:
        return value
    values = value.values if isinstance(value, Variant) else (value,)
    found = [empty(one).presented() for one in t.variants]
    for one in values:
        found[place_of(template(described(one)), t)] = one
    return Variant(0, tuple(found))


def described(value) -> Picture:
    """Return the picture of a value without its atoms, which may be those of a trace that has ended."""
    leaves, treedef = flatten(value, OBJECTS)
    return Picture(treedef, list(map(kind_of_leaf, leaves)), [])
