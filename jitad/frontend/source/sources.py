"""From a code object to the syntax tree that it was compiled from, and from a changed tree back to code.

In: the code of a Python function. Out: its `Definition`. Invariant: a Definition is returned only if compiling it unchanged gives
that very code; so a file that was edited after its import, or code that someone else generated, is recognised and never
mistaken for the source.
"""

from __future__ import annotations
import __future__

import ast
import contextlib
import functools
import linecache
import threading
import types
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from jitad.frontend.source.scopes import FUNCTIONS

FUTURE_FLAGS = functools.reduce(
    int.__or__, [getattr(__future__, name).compiler_flag for name in __future__.all_feature_names if name != "nested_scopes"])


HIDDEN = "_" * 16  # in front of the name of a class, which mangles names as without, but is not the name that the user knows
_one_at_a_time = threading.Lock()


class NoSource(Exception):
    """The source of a function cannot be read; the message says why."""


@dataclass(frozen=True)
class Definition:
    """A function in its source.

    Attributes
    ----------
    node
        The function.
    class_name
        The name of the class around it, which mangles names such as ``__x``.
    imports
        The names that its module imports: CPython compiles calls of their attributes in another way.
    """

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    class_name: str | None
    imports: frozenset[str]


def find_definition(code: types.CodeType, module_globals: dict | None = None) -> Definition:
    """Return the definition that `code` was compiled from, or raise `NoSource`."""
    try:
        return definition_in(linecache.getlines(code.co_filename, module_globals), code)
    except NoSource:
        linecache.checkcache(code.co_filename)  # the file may have been edited and imported again
        return definition_in(linecache.getlines(code.co_filename, module_globals), code)


def definition_in(lines: list[str], code: types.CodeType) -> Definition:
    if not lines:
        raise NoSource("it was defined by exec or in an interactive session, which keep no source")
    try:
        tree, imports = parse("".join(lines))
    except (SyntaxError, ValueError) as error:
        raise NoSource(f"its file cannot be parsed ({error})") from None
    matching = []
    for node, class_name in functions_at(tree, code.co_firstlineno, None):
        if getattr(node, "name", "<lambda>") == code.co_name:
            definition = Definition(node, class_name, imports)
            compiled = compile_definition(definition, code)
            if compiled is not None and (same_code(compiled, code) or is_instrumented(code)):
                matching.append((definition, compiled))
    if not matching:
        raise NoSource("its file has changed since it was imported, or its code was generated")
    if len(matching) > 1:
        positions = list(code.co_positions())
        matching.sort(key=lambda match: list(match[1].co_positions()) != positions)
    return matching[0][0]


@functools.lru_cache(32)
def parse(source: str) -> tuple[ast.Module, frozenset[str]]:
    """Return the tree of a module and the names that it imports."""
    with quiet():
        tree = ast.parse(source)
    return tree, frozenset(Imports(tree).names)


class Imports(ast.NodeVisitor):
    """The names that a module imports, outside of its functions and classes."""

    def __init__(self, tree: ast.Module):
        self.names: set[str] = set()
        self.visit(tree)

    def visit_alias(self, node):
        self.names.add(node.asname or node.name.partition(".")[0])

    def visit_FunctionDef(self, node):
        pass

    visit_AsyncFunctionDef = visit_ClassDef = visit_Expr = visit_Assign = visit_FunctionDef


@contextlib.contextmanager
def quiet():
    """Keep Python from repeating, or raising, its warnings about a source that it has compiled before."""
    with _one_at_a_time, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def functions_at(node: ast.AST, line: int, class_name: str | None) -> Iterator[tuple[ast.AST, str | None]]:
    """Yield the functions inside `node` that begin at a line of the file, with the name of the class around them."""
    for child in ast.iter_child_nodes(node):
        if hasattr(child, "lineno"):
            first = min([child.lineno, *[decorator.lineno for decorator in getattr(child, "decorator_list", ())]])
            if not first <= line <= child.end_lineno:
                continue
            if first == line and isinstance(child, FUNCTIONS):
                yield child, class_name
        yield from functions_at(child, line, child.name if isinstance(child, ast.ClassDef) else class_name)


def compile_definition(definition: Definition, code: types.CodeType) -> types.CodeType | None:
    """Compile a definition in the place of `code`, which gives its free variables, its file and its language features.

    None if the definition cannot stand in that place.
    """
    node = bare(definition.node)
    place = {"lineno": node.lineno, "col_offset": 0, "end_lineno": node.lineno, "end_col_offset": 0}
    body = [ast.Expr(node, **place) if isinstance(node, ast.Lambda) else node]
    depth = 1
    if definition.class_name is not None:
        name = f"{HIDDEN}{definition.class_name}"
        body = [ast.ClassDef(name, bases=[], keywords=[], body=body, decorator_list=[], type_params=[], **place)]
        depth += 1
    if code.co_freevars:
        free = [ast.arg(name, **place) for name in code.co_freevars]
        args = ast.arguments(posonlyargs=[], args=free, kwonlyargs=[], kw_defaults=[], defaults=[])
        body = [ast.FunctionDef("free", args=args, body=body, decorator_list=[], type_params=[], **place)]
        depth += 1
    imports = [ast.Import([ast.alias(name, **place)], **place) for name in definition.imports.intersection(code_names(code))]
    flags = code.co_flags & FUTURE_FLAGS
    try:
        with quiet():
            compiled = compile(ast.Module(imports + body, type_ignores=[]), code.co_filename, "exec", flags=flags, dont_inherit=True)
    except (SyntaxError, ValueError):
        return None
    for _ in range(depth):
        compiled = next(const for const in compiled.co_consts if isinstance(const, types.CodeType))
    return renamed(compiled, compiled.co_qualname, code.co_qualname) if set(compiled.co_freevars) <= set(code.co_freevars) else None


def renamed(code: types.CodeType, old: str, new: str) -> types.CodeType:
    """Return `code` with qualified names that begin with `new` instead of `old`: its own, and those of what it defines."""
    inside = f"{old}.<locals>."

    def renamed_constant(const):
        if isinstance(const, types.CodeType):
            return renamed(const, old, new)
        return new + const.removeprefix(old) if type(const) is str and const.startswith(inside) else const

    return code.replace(co_consts=tuple(map(renamed_constant, code.co_consts)), co_qualname=new + code.co_qualname.removeprefix(old))


def code_names(code: types.CodeType) -> set[str]:
    """Return all names in a code and the codes inside it."""
    inner = [code_names(const) for const in code.co_consts if isinstance(const, types.CodeType)]
    return {*code.co_names, *code.co_varnames, *code.co_cellvars, *code.co_freevars}.union(*inner)


def bare(node):
    """Return a function without what belongs to the place of its definition: decorators, defaults, annotations."""
    args = shallow_copy(node.args)
    args.defaults, args.kw_defaults = [], [None] * len(args.kwonlyargs)
    for field in ("posonlyargs", "args", "kwonlyargs"):
        setattr(args, field, [unannotated(arg) for arg in getattr(args, field)])
    args.vararg, args.kwarg = unannotated(args.vararg), unannotated(args.kwarg)
    node = shallow_copy(node)
    node.args = args
    if not isinstance(node, ast.Lambda):
        node.decorator_list, node.returns, node.type_params = [], None, []
    return node


def unannotated(arg: ast.arg | None) -> ast.arg | None:
    if arg is None or arg.annotation is None:
        return arg
    arg = shallow_copy(arg)
    arg.annotation = None
    return arg


def shallow_copy(node: ast.AST) -> ast.AST:
    return node.__class__(**node.__dict__)


def same_code(x: types.CodeType, y: types.CodeType) -> bool:
    """Return whether two code objects do the same, wherever they stand in their files."""
    if (x.co_code, x.co_names, x.co_varnames, x.co_cellvars) != (y.co_code, y.co_names, y.co_varnames, y.co_cellvars):
        return False
    return len(x.co_consts) == len(y.co_consts) and all(map(same_constant, x.co_consts, y.co_consts))


def same_constant(x, y) -> bool:
    if isinstance(x, types.CodeType):
        return isinstance(y, types.CodeType) and same_code(x, y)
    return type(x) is type(y) and (x == y or repr(x) == repr(y))


def is_instrumented(code: types.CodeType) -> bool:
    """Return whether pytest put its own code in the place of the assertions; the rest of it is as in the source."""
    if any(name.startswith("@py_") for name in (*code.co_names, *code.co_varnames, *code.co_cellvars)):
        return True
    return any(isinstance(const, types.CodeType) and is_instrumented(const) for const in code.co_consts)
