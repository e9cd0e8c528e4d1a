"""Which names of a function may lead to an array that is written into.

In: the syntax tree of a function, and the names of libraries. Out: names, too many rather than too few; what the function makes and assigns
to them are buffers, to which traced values can be written. Invariant: a name that may share its array with one of these is one of them.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Set

WRITING = frozenset([
    "at", "copyto", "fill", "fill_diagonal", "itemset", "partition", "place", "put", "put_along_axis", "putmask", "shuffle", "sort"])
READING = frozenset([
    "abs", "all", "any", "bool", "complex", "divmod", "enumerate", "float", "id", "int", "isinstance", "len", "max", "min", "pow", "print",
    "range", "repr", "reversed", "round", "slice", "sorted", "str", "sum", "type", "zip"])  # fmt: skip
PASSING = frozenset(["enumerate", "max", "min", "reversed", "sorted", "zip"])
VIEWING = frozenset([
    "asanyarray", "asarray", "atleast_1d", "atleast_2d", "atleast_3d", "broadcast_arrays", "broadcast_to", "diag", "diagonal", "flip", "imag",
    "moveaxis", "ravel", "real", "reshape", "rollaxis", "rot90", "split", "squeeze", "swapaxes", "transpose"])  # fmt: skip
COPYING = frozenset([
    "all", "any", "argmax", "argmin", "astype", "clip", "conj", "copy", "cumprod", "cumsum", "dot", "flatten", "item", "max", "mean", "min",
    "prod", "repeat", "round", "std", "sum", "take", "tolist", "var"])  # fmt: skip


def buffers(function: ast.AST, libraries: Set[str]) -> frozenset[str]:
    """Return the names in `function`, and in functions inside it, under which an array may be written into."""
    return reached(function, libraries, written)


def stores(function: ast.AST, libraries: Set[str]) -> frozenset[str]:
    """Return those under which elements are assigned to, or added to by ``np.add.at`` and its like."""
    return reached(function, libraries, stored)


def reached(function: ast.AST, libraries: Set[str], start: Callable) -> frozenset[str]:
    """Return the names that `start` yields for a node in `function`, and those that may share an array with them."""
    nodes = list(ast.walk(function))
    found = {name for node in nodes for name in start(node, libraries)}
    shared = [pair for node in nodes for pair in sharing(node, libraries)]
    while True:
        more = {name for pair in shared if found.intersection(pair) for name in pair} - found
        if not more:
            return frozenset(found)
        found |= more


def stored(node: ast.AST, libraries: Set[str]) -> Iterator[str]:
    """Yield the names to whose elements a node assigns."""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
        yield from roots(node, libraries)
    elif isinstance(node, ast.Call) and node.args and isinstance(node.func, ast.Attribute) and node.func.attr == "at":
        yield from roots(node.args[0], libraries)


def written(node: ast.AST, libraries: Set[str]) -> Iterator[str]:
    """Yield the names whose arrays a node writes into, or gives to a function that may."""
    if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store):
        yield from roots(node, libraries)
    elif isinstance(node, ast.AugAssign):
        yield from roots(node.target, libraries)
    elif isinstance(node, ast.Call):
        function, name = node.func, name_of(node.func)
        if isinstance(function, ast.Attribute) and name in WRITING and not from_library(function, libraries):
            yield from roots(function.value, libraries)
        if name in WRITING or not (name in READING or from_library(function, libraries)):
            for argument in node.args:
                yield from roots(argument, libraries)
        for keyword in node.keywords:
            yield from roots(keyword.value, libraries)


def sharing(node: ast.AST, libraries: Set[str]) -> Iterator[tuple[str, str]]:
    """Yield pairs of names that may lead to the same array after an assignment, or in a loop."""
    if isinstance(node, ast.Assign):
        targets, value = node.targets, node.value
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr):
        targets, value = [node.target], node.value
    elif isinstance(node, ast.For | ast.comprehension):
        targets, value = [node.target], node.iter
    else:
        return
    for target in targets:
        for left in roots(target, libraries):
            for right in roots(value, libraries):
                yield left, right


def name_of(function: ast.AST) -> str | None:
    """Return the last name by which a function is called."""
    return function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else None


def from_library(function: ast.AST, libraries: Set[str]) -> bool:
    """Return whether what is called is an attribute of a library."""
    while isinstance(function, ast.Attribute):
        function = function.value
    return isinstance(function, ast.Name) and function.id in libraries


def roots(node: ast.AST | None, libraries: Set[str]) -> Iterator[str]:
    """Yield the names whose arrays the value of an expression may share."""
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Call):
        function, name = node.func, name_of(node.func)
        library = from_library(function, libraries)
        if isinstance(function, ast.Attribute) and not library:
            if name in COPYING:
                return
            yield from roots(function.value, libraries)
        elif isinstance(function, ast.Name) and name in READING and name not in PASSING:
            return
        if not library or name in VIEWING:
            for argument in node.args:
                yield from roots(argument, libraries)
    else:
        for part in parts(node):
            yield from roots(part, libraries)


def parts(node: ast.AST | None) -> list:
    """Return the expressions whose arrays the value of another one consists of, or is a choice from."""
    if isinstance(node, ast.Attribute | ast.Subscript | ast.Starred | ast.NamedExpr):
        return [node.value]
    if isinstance(node, ast.Tuple | ast.List):
        return node.elts
    if isinstance(node, ast.Dict | ast.BoolOp):
        return node.values
    return [node.body, node.orelse] if isinstance(node, ast.IfExp) else []
