"""From a Python function to the function that runs in its place.

In: a function. Out: one with the rewritten code, the same globals, closure, name and file. Where the source cannot be read: one with
the original code, whose global names and closure hold what the trace is to see. Invariant: the original is not touched.
"""

from __future__ import annotations

import dis
import functools
import types
import weakref
from collections.abc import Callable
from dataclasses import replace

from jitad.frontend.control.catching import attempts
from jitad.frontend.hooks.staging import Stage, is_library_module
from jitad.frontend.source.buffers import buffers, stores
from jitad.frontend.source.flow import stage_flow
from jitad.frontend.source.recursion import calls_itself, in_loop, recursive
from jitad.frontend.source.sources import NoSource, bare, compile_definition, find_definition
from jitad.frontend.source.syntax import STAGE, Rewriter
from jitad.frontend.tracing.captures import Captures


class CodeCache:
    """Results by code object. Codes are told apart by identity: equal ones may stand in different files."""

    def __init__(self, compute: Callable):
        self.compute = compute
        self.entries: dict[int, tuple] = {}

    def __call__(self, code: types.CodeType, *args):
        entry = self.entries.get(id(code))
        if entry is None or entry[0]() is not code:
            key, entries = id(code), self.entries
            entry = entries[key] = weakref.ref(code, lambda _: entries.pop(key, None)), self.compute(code, *args)
        return entry[1]


def rewrite_code(code: types.CodeType, module_globals: dict, guarded: bool = False, looped: bool = False) -> types.CodeType | NoSource:
    """Return the code that does what `code` does through the constant `STAGE`, or why there is none."""
    try:
        definition = find_definition(code, module_globals)
        names = libraries(module_globals)
        rewriter = Rewriter(code.co_freevars, definition.class_name, buffers(definition.node, names), stores(definition.node, names))
        node = in_loop(bare(definition.node)) if looped else bare(definition.node)
        if node is None:
            return NoSource("it is not a sum of calls of itself")
        node = rewriter.function(stage_flow(node, definition.class_name, guarded))
        return compile_definition(replace(definition, node=node), code) or NoSource("its rewritten form is not valid Python")
    except NoSource as reason:
        return reason
    except RecursionError:
        return NoSource("its expressions are nested too deeply")


rewritten_code = CodeCache(rewrite_code)
looped_code = CodeCache(functools.partial(rewrite_code, looped=True))
guarded_code = CodeCache(functools.partial(rewrite_code, guarded=True))  # for functions that are called in `try` statements


def libraries(names: dict) -> set[str]:
    """Return the global names of libraries' modules."""
    return {name for name, value in list(names.items()) if isinstance(value, types.ModuleType) and is_library_module(value)}


def is_rewritten(code: types.CodeType) -> bool:
    return any(type(const) is Stage for const in code.co_consts)


def rewritten(captures: Captures, function: types.FunctionType, resolve: Callable) -> types.FunctionType:
    """Return the function that runs in the place of `function`; `resolve` is what its calls pass through."""
    code = (guarded_code if attempts() else rewritten_code)(function.__code__, function.__globals__)
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or ()))
    stage = Stage(function.__globals__, cells, resolve)
    if isinstance(code, NoSource):
        captures.unread[function.__code__] = str(code)
        return substituted(function, stage)

    def form(code: types.CodeType) -> types.FunctionType:
        return like(function, bound(code, stage), function.__globals__, tuple(cells[name] for name in code.co_freevars), stage)

    def looped() -> types.FunctionType | None:
        code = looped_code(function.__code__, function.__globals__)
        return None if isinstance(code, NoSource) else form(code)

    return recursive(function, form(code), looped) if calls_itself(function) else form(code)


def bound(code: types.CodeType, stage: Stage) -> types.CodeType:
    """Return `code` with its stage."""

    def bound_constant(const):
        if isinstance(const, types.CodeType):
            return bound(const, stage)
        return stage if type(const) is str and const == STAGE else const

    return code.replace(co_consts=tuple(map(bound_constant, code.co_consts)))


def like(function: types.FunctionType, code: types.CodeType, names: dict, closure: tuple, stage: Stage) -> types.FunctionType:
    """Return a function with this code that looks like `function` and has its defaults."""
    result = types.FunctionType(code, names, function.__name__, None, closure or None)
    for attribute in functools.WRAPPER_ASSIGNMENTS:
        setattr(result, attribute, getattr(function, attribute))
    result.__dict__.update(function.__dict__)
    if function.__defaults__:
        result.__defaults__ = tuple(map(stage.imported, function.__defaults__))
    if function.__kwdefaults__:
        result.__kwdefaults__ = {name: stage.imported(value) for name, value in function.__kwdefaults__.items()}
    return result


# --- without source ---------------------------------------------------------------------------------------------------------


def substituted(function: types.FunctionType, stage: Stage) -> types.FunctionType:
    """Return `function` with its code as it is, on copies of its globals and closure that hold what the trace sees.

    Names that the function itself writes to keep their place and their values.
    """
    code = function.__code__
    loaded, stored = names_used(code)
    names = function.__globals__
    if not stored & names.keys():
        names = dict(names)
        for name in loaded & names.keys():
            names[name] = stage.seen(stage.name(names[name], name))
    closure = []
    for name, cell in stage.cells.items():
        closure.append(cell if name in stored else seen_cell(stage, name, cell))
    return like(function, code, names, tuple(closure), stage)


def seen_cell(stage: Stage, name: str, cell: types.CellType) -> types.CellType:
    try:
        value = cell.cell_contents
    except ValueError:
        return cell
    seen = stage.seen(stage.cell(value, name))
    return cell if seen is value else types.CellType(seen)


def names_used(code: types.CodeType) -> tuple[set[str], set[str]]:
    """Return the global and free names that `code` reads and those that it writes, with those of the functions inside."""
    loaded, stored = set(), set()
    for instruction in dis.get_instructions(code):
        name = instruction.argval
        if instruction.opname in ("STORE_GLOBAL", "DELETE_GLOBAL") or (
                instruction.opname in ("STORE_DEREF", "DELETE_DEREF") and name in code.co_freevars):
            stored.add(name)
        elif instruction.opname.startswith("LOAD_") and isinstance(name, str):
            loaded.add(name)
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            inner = names_used(const)
            loaded |= inner[0]
            stored |= inner[1]
    return loaded, stored
