"""The shortest way from a call to a kernel.

In: an `Entry` that has run once, and the arguments it ran with, the static ones as `Held`: their tuple, or where some have keywords, the pair of
the tuple and the dict. Out: one generated Python function of the like, without a loop over leaves or a search: it takes the containers apart,
calls the kernel, which looks at the leaves, writes back what was changed in place and builds the result. Invariant: it does what
`Compiled.__call__` does on its long way, or gives `NotImplemented` for arguments of another signature and has done nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from jitad.frontend.tracing.programs import Held
from jitad.frontend.tracing.trace import running
from jitad.frontend.tracing.trees import LEAF, MADE, SIZED, TreeDef, flatten
from jitad.runtime.config import config
from jitad.runtime.execute import as_input, runner

SCALARS = frozenset([bool, int, float, complex, np.float64, np.complex128])  # classes that kernels can tell apart
COMPARED = frozenset([bool, int, str])  # classes of values outside the Program that count as the same where they are equal
UNPACKED = (tuple, list, dict)
MISS = "return NotImplemented"


def make_shortcut(entry, args: tuple) -> Callable[[tuple], Any] | None:
    """Return the function for calls whose arguments look like `args`, None where the long way is needed."""
    leaves, treedef = flatten(args)
    numbers = {number for number, _ in entry.inputs}
    if entry.written or not all(can_check(x, k in numbers) for k, x in enumerate(leaves)):
        return None
    classes = [leaves[number].__class__ for number, _ in entry.inputs]
    classes += [as_input(array, dtype).__class__ for array, dtype in entry.captured]
    scope = {"kernel": runner(entry.kernel, tuple(classes), entry.workspaces), "ready": as_input, "running": running, "config": config,
             "counters": config.counters, "NotImplemented": NotImplemented, "ndarray": np.ndarray, "may_share": np.may_share_memory,
             "contiguous": contiguous, "mode": config.unchecked(), **entry.check.scope}
    lines = [f"if running or config.mode is not mode: {MISS}", *unchanged(entry.check.source)]
    names: list[str] = []
    if treedef.flat and len(numbers) == len(leaves) and not entry.captured and not entry.changed and not entry.in_rows:
        operands = "*args"
    else:
        if not take_apart(treedef, "args", leaves, numbers, names, lines, scope):
            return None
        for k, (array, dtype) in enumerate(entry.captured):
            scope[f"captured{k}"], scope[f"dtype{k}"] = array, dtype
            names.append(f"captured{k}" if as_input(array, dtype) is array else f"ready(captured{k}, dtype{k})")
        operands = ", ".join(names)
    places = {number: name for (number, _), name in zip(entry.inputs, names, strict=False)}
    changed = [places[number] for number in entry.changed]
    lines += [f"if {places[number]}.__class__ is not ndarray or not {places[number]}.flags.c_contiguous: {MISS}" for number in entry.in_rows]
    lines += [unshared(x, y) for x in changed for y in arrays(leaves, entry, names) if x != y]
    lines += [f"outputs = kernel({operands})", "if outputs is NotImplemented:", f"    outputs = kernel(*map(contiguous, ({operands},)))",
              f"    if outputs is NotImplemented: {MISS}", "counters.calls += 1"]
    lines += [f"{name}[...] = outputs[{k}]" for k, name in enumerate(changed, entry.treedef.size)]
    lines += result(entry, scope)
    exec("def call(args):\n    " + "\n    ".join(lines), scope)
    return scope["call"]


def unchanged(source: str) -> list[str]:
    """Return the lines that see to it that what was read from outside is as it was."""
    return [] if source == "True" else ["try:", f"    if not ({source}): {MISS}", f"except Exception: {MISS}"]


def contiguous(x):
    """Return an array as kernels take it, if only its layout is another one."""
    return np.ascontiguousarray(x) if x.__class__ is np.ndarray and not x.flags.c_contiguous else x


def arrays(leaves: list, entry, names: list[str]) -> list[str]:
    """Return the names of the inputs that are arrays."""
    own = [name for (number, _), name in zip(entry.inputs, names, strict=False) if isinstance(leaves[number], np.ndarray)]
    return own + [f"captured{k}" for k in range(len(entry.captured))]


def unshared(x: str, y: str) -> str:
    """Return the line that sees to it that an array which is changed has its memory for itself, as far as that is quickly told."""
    return f"if {x}.__class__ is not ndarray or {y}.__class__ is not ndarray or may_share({x}, {y}): {MISS}"


def can_check(x, is_input: bool) -> bool:
    """Return whether a shortcut can tell whether a leaf is what it was made for."""
    if isinstance(x, np.ndarray):
        return is_input and x.__class__ is np.ndarray and x.ndim > 0
    return x.__class__ in SCALARS or not is_input


def take_apart(treedef: TreeDef, name: str, leaves: list, numbers: set[int], names: list[str], lines: list[str], scope: dict) -> bool:
    """Write the lines that check a container and name its leaves; return whether that is possible.

    `names` receives those of the Program's inputs; other leaves must be the objects they were, or equal where that is quickly told.
    """
    place = iter(range(len(leaves)))

    def visit(treedef: TreeDef, name: str, known: bool) -> bool:
        if treedef is LEAF:
            number = next(place)
            if number in numbers:
                names.append(name)
            else:
                value = leaves[number].value if isinstance(leaves[number], Held) else leaves[number]
                scope[f"static{number}"], scope[f"class{number}"] = value, value.__class__
                other = f"{name}.__class__ is not class{number} or {name} != static{number}" if value.__class__ in COMPARED else "True"
                lines.append(f"if {name} is not static{number} and ({other}): {MISS}")
            return True
        cls = treedef.cls
        if cls is type(None):
            lines.append(f"if {name} is not None: {MISS}")
            return True
        if cls not in UNPACKED and not hasattr(cls, "_fields"):
            return False
        scope[f"{name}_class"], scope[f"{name}_keys"] = cls, treedef.keys
        other_class = "" if known else f"{name}.__class__ is not {name}_class or "
        lines.append(f"if {other_class}len({name}) != {len(treedef.children)}: {MISS}")
        if cls is dict:
            lines.append(f"if tuple({name}) != {name}_keys: {MISS}")
        parts = [f"{name}_{k}" for k in range(len(treedef.children))]
        if parts:
            lines.append(f"{', '.join(parts)}, = {name}{'.values()' * (cls is dict)}")
        return all([visit(child, part, False) for child, part in zip(treedef.children, parts, strict=True)])

    return visit(treedef, name, True)


# --- the result --------------------------------------------------------------------------------------------------------------------


def result(entry, scope: dict) -> list[str]:
    """Return the lines that build the result of the kernel's `outputs`."""
    kinds = [leaf.kind == "array" and not leaf.type.ndim for leaf in entry.traced.results]
    treedef = entry.treedef
    if treedef is LEAF and not kinds[0]:
        return ["return outputs[0]"]
    if treedef.cls is tuple and treedef.flat and not any(kinds) and treedef.size == len(kinds):
        return ["return outputs"]
    scope["asarray"] = np.asarray
    names = [f"x{k}" for k in range(len(kinds))]
    leaves = [f"asarray({name})" if kind else name for name, kind in zip(names, kinds, strict=True)]
    unpack = [f"{', '.join(names)}, = outputs"] if names else []
    return [*unpack, f"return {build(treedef, iter(leaves), scope)}"]


def build(treedef: TreeDef, leaves, scope: dict) -> str:
    """Return the expression that builds a tree."""
    if treedef is LEAF:
        return next(leaves)
    children = [build(child, leaves, scope) for child in treedef.children]
    if treedef.cls is tuple:
        return f"({', '.join(children)},)" if children else "()"
    if treedef.cls is list:
        return f"[{', '.join(children)}]"
    if treedef.cls is type(None):
        return "None"
    if treedef.cls is dict and all(key.__class__ in (str, int) for key in treedef.keys):
        return "{" + ", ".join([f"{key!r}: {child}" for key, child in zip(treedef.keys, children, strict=True)]) + "}"
    name = f"make{len(scope)}"
    scope[name] = rebuild(treedef)
    return f"{name}({', '.join(children)})"


def rebuild(treedef: TreeDef) -> Callable:
    """Return a function that builds a dict, NamedTuple or dataclass from its children."""
    cls, keys = treedef.cls, treedef.keys
    if cls in SIZED:
        return lambda *children: SIZED[cls].make(keys, children)
    if cls in MADE:
        return lambda *children: MADE[cls](keys, children)
    if issubclass(cls, dict):
        return lambda *children: cls(zip(keys, children, strict=True))
    if issubclass(cls, tuple):
        return lambda *children: cls._make(children)

    def make(*children):
        node = object.__new__(cls)
        for name, child in zip(keys, children, strict=True):
            object.__setattr__(node, name, child)
        return node

    return make
