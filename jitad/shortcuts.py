"""The shortest way from a call to a kernel, for positional arguments that are plain arrays and numbers.

In: an `Entry` that has run once. Out: one generated Python function of the arguments, without a loop over leaves or a search: it checks
the layout of arrays, calls the kernel and builds the result. Invariant: it does what `Compiled.__call__` does on its long way.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jitad.frontend.trees import LEAF, TreeDef
from jitad.runtime.config import config
from jitad.runtime.execute import as_input

READY = 0x0001 | 0x0100  # NumPy's flags C_CONTIGUOUS and ALIGNED


def call_signature(args: tuple) -> tuple:
    """Return the key of a call: dtypes and shapes of arrays, classes of anything else."""
    return tuple([(x.dtype, x.shape) if x.__class__ is np.ndarray else x.__class__ for x in args])


def make_shortcut(entry, args: tuple) -> Callable | None:
    """Return the function for calls that look like ``entry(*args)``, None where the long way is needed."""
    plain = all(x.__class__ in (np.ndarray, float) for x in args)
    if not plain or len(entry.inputs) != len(args) or entry.changed or entry.written:
        return None
    names = [f"a{k}" for k in range(len(args))]
    scope = {"kernel": entry.bare, "ready": as_input, "check": entry.check, "config": config, "counters": config.counters}
    condition = f"config.check_nan or config.strict is not {config.strict} or not check()"
    lines = [f"def call({', '.join(names)}):", f"    if {condition}: return None"]
    for k, (x, (_, dtype)) in enumerate(zip(args, entry.inputs, strict=True)):
        if isinstance(x, np.ndarray):
            scope[f"t{k}"] = dtype
            native = x.dtype == dtype and x.dtype.isnative and x.ndim
            test = f"if a{k}.flags.num & {READY} != {READY}: " if native else ""
            lines.append(f"    {test}a{k} = ready(a{k}, t{k})")
    for k, (array, dtype) in enumerate(entry.captured):
        scope[f"c{k}"], scope[f"d{k}"] = array, dtype
        names.append(f"ready(c{k}, d{k})")
    outputs = [f"r{k}" for k in range(len(entry.traced.results))]
    lines.append(f"    {', '.join(outputs)}, = kernel({', '.join(names)})" if outputs else f"    kernel({', '.join(names)})")
    lines += ["    counters.calls += 1", f"    return [{structure(entry, scope)}]"]
    exec("\n".join(lines), scope)
    return scope["call"]


def structure(entry, scope: dict) -> str:
    """Return the expression that builds the result."""
    leaves = []
    for k, leaf in enumerate(entry.traced.results):
        scalar = not leaf.type.ndim
        scope[f"s{k}"] = leaf.type.dtype.type if leaf.kind != "array" else lambda x, dtype=leaf.type.dtype: np.asarray(x, dtype)
        leaves.append(f"s{k}(r{k})" if scalar else f"r{k}")
    return build(entry.treedef, iter(leaves), scope)


def build(treedef: TreeDef, leaves, scope: dict) -> str:
    if treedef is LEAF:
        return next(leaves)
    children = [build(child, leaves, scope) for child in treedef.children]
    if treedef.cls is tuple:
        return f"({', '.join(children)},)" if children else "()"
    if treedef.cls is list:
        return f"[{', '.join(children)}]"
    if treedef.cls is type(None):
        return "None"
    name = f"make{len(scope)}"
    scope[name] = rebuild(treedef)
    return f"{name}({', '.join(children)})"


def rebuild(treedef: TreeDef) -> Callable:
    """Return a function that builds a dict, NamedTuple or dataclass from its children."""
    cls, keys = treedef.cls, treedef.keys
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
