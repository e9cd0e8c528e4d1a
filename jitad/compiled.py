"""Compiled functions: from a call with NumPy arrays to a call of a kernel.

In: a Python function and, at each call, its arguments. Out: its results. The first call with a *signature* traces and compiles, later
ones look the kernel up. Invariant: a kernel is used only while everything its trace has read from outside is as it was, and gets the
captured arrays as they are now.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jitad.codegen.kernel import Kernel
from jitad.frontend.arrays.array import Array
from jitad.frontend.arrays.cells import refresh
from jitad.frontend.tracing.captures import Captures, overlap
from jitad.frontend.tracing.guards import Check
from jitad.frontend.tracing.printing import printed
from jitad.frontend.tracing.programs import Held, Leaf, Static, Traced, check_results, describe, trace_function
from jitad.frontend.tracing.trace import Concretize, Trace, tracing
from jitad.frontend.tracing.trees import LEAF, TreeDef, flatten, unflatten
from jitad.ir import errors
from jitad.pipeline import to_kernel
from jitad.runtime import collection
from jitad.runtime.config import config
from jitad.runtime.execute import as_input, check_nan, runner
from jitad.runtime.workspaces import Pool
from jitad.shortcuts import make_shortcut


@dataclass(eq=False)
class Entry:
    """One traced signature.

    Attributes
    ----------
    traced
        The Program and the structure of its results: the function's, then the new values of what it changed in place, and the log of what it
        has printed.
    treedef
        The structure of the function's own result.
    inputs
        The number and dtype of each leaf of the arguments that is an input of the Program.
    changed, written
        The numbers of the argument leaves, and the captured arrays, that receive the results at the end.
    in_rows
        The numbers of the argument leaves that have to lie in C order, since arrays were changed that are views only if they do.
    check
        Whether what the trace has read from outside is unchanged.
    derived
        Programs made from this one, by name.
    called, shortcut
        Whether it has run, and the short way that was then made for such calls.
    """

    traced: Traced
    treedef: TreeDef
    inputs: list[tuple[int, np.dtype]]
    changed: list[int]
    in_rows: list[int]
    written: list[np.ndarray]
    check: Check
    derived: dict = field(default_factory=dict)
    called: bool = False
    shortcut: Callable[[tuple], Any] | None = None

    @functools.cached_property
    def kernel(self) -> Kernel:
        return to_kernel(self.traced.program)

    @functools.cached_property
    def run(self) -> Callable[..., tuple]:
        return runner(self.kernel, pool=self.workspaces)

    @functools.cached_property
    def workspaces(self) -> Pool:
        return Pool(self.kernel.work_bytes)

    @functools.cached_property
    def captured(self) -> list[tuple[np.ndarray, np.dtype]]:
        return [(array, var.dtype) for array, var in self.traced.captured]

    def operands(self, leaves: list) -> list:
        """Return the Program's inputs for these arguments."""
        for number in self.in_rows:
            x = leaves[number]
            if isinstance(x, np.ndarray) and not x.flags.c_contiguous:
                raise errors.ValueError(f"an array of shape {x.shape} does not lie in memory in C order, and what the function does follows from "
                                        "that: it changes an array in place that it has reshaped, which NumPy copies or not, or asks for elements as "
                                        "they lie in memory; pass np.ascontiguousarray of the argument")
        values = [as_input(leaves[number], dtype) for number, dtype in self.inputs]
        return values + [as_input(array, dtype) for array, dtype in self.captured] if self.captured else values

    def restore(self, outputs) -> Any:
        """Return the kernel's outputs in the structure of the function's result."""
        if self.treedef is LEAF:
            return as_result(outputs[0], self.traced.results[0])
        own = [as_result(x, leaf) for x, leaf in zip(outputs, self.traced.results[: self.treedef.size], strict=False)]
        return unflatten(self.treedef, own)

    def check_aliases(self, leaves: list) -> None:
        """Raise if the function changes an array in place, and is given its memory in another array too."""
        arguments = {number: leaves[number] for number, _ in self.inputs if isinstance(leaves[number], np.ndarray)}
        pairs = [(arguments[k], y) for k in self.changed for number, y in arguments.items() if number != k]
        pairs += [(arguments[k], array) for k in self.changed for array, _ in self.captured]
        pairs += [(array, y) for array in self.written for y in arguments.values()]
        for x, y in pairs:
            if overlap(x, y):
                raise errors.ValueError(f"an array of shape {x.shape} is changed in place, and its memory is used through another one, of "
                                        f"shape {y.shape}, too; pass a copy of one of them")

    def write_back(self, leaves: list, outputs) -> None:
        """Copy what the function changed in place to where it came from."""
        targets = [*[leaves[number] for number in self.changed], *self.written]
        for target, value in zip(targets, outputs[self.treedef.size :], strict=False):
            target[...] = value


def as_result(x, leaf: Leaf):
    return np.asarray(x) if leaf.kind == "array" and not leaf.type.ndim else x


class Compiled:
    """A function that is traced and compiled at its first call with each signature.

    ``body(args, kwargs)`` is run within a trace. `shortcuts` are those of calls without keywords, `named_shortcuts` those of calls with some.
    `recipe` is a function and arguments with which it makes this one anew. Other processes get this one by its name, or else by its recipe.
    """

    def __init__(self, body: Callable, wrapped: Callable | None = None, static_argnums=(), static_argnames=()):
        self.body = body
        self.static_argnums = static_argnums
        self.static_argnames = static_argnames
        self.plans: dict[tuple, Plan] = {}
        self.shortcuts: tuple[Callable, ...] = ()
        self.named_shortcuts: tuple[Callable, ...] = ()
        self.lock = threading.RLock()
        self.recipe: tuple[Callable, tuple] | None = None
        if wrapped is not None:
            functools.update_wrapper(self, wrapped, updated=())

    def __repr__(self) -> str:
        return f"<compiled {getattr(self, '__qualname__', self.body)}>"

    def __reduce__(self):
        name = getattr(self, "__qualname__", None)
        if name is not None and found_by_name(self.__module__, name) is self and not (self.__module__ == "__main__" and sent_by_value()):
            return name
        if self.recipe is None:
            raise errors.TypeError(f"{self!r} cannot be pickled, since it is not found under its name; define it in a module, outside of functions")
        return self.recipe

    def __copy__(self) -> Compiled:
        return self

    def __deepcopy__(self, memo) -> Compiled:
        return self

    def __get__(self, instance, owner=None):
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args, **kwargs):
        try:
            if kwargs:
                given, shortcuts = (args, kwargs), self.named_shortcuts
            else:
                given, shortcuts = args, self.shortcuts
            for shortcut in shortcuts:  # which decline in a trace
                result = shortcut(given)
                if result is not NotImplemented:
                    return result
            if not tracing():
                return self.run(args, kwargs)
        except errors.RoomError:
            self.make_room(args, kwargs)
            return self(*args, **kwargs)
        return self.body(args, kwargs)

    def run(self, args: tuple, kwargs: dict):
        """Run the kernel for these arguments, which is made if there is none."""
        entry, leaves = self.lookup(args, kwargs)
        if entry.changed or entry.written:
            entry.check_aliases(leaves)
        outputs = entry.run(*entry.operands(leaves))
        config.counters.calls += 1
        self.put_first(entry, args, kwargs)
        if config.check_nan:
            check_nan(outputs)
        if entry.changed or entry.written:
            entry.write_back(leaves, outputs)
        return entry.restore(outputs)

    def put_first(self, entry: Entry, args: tuple, kwargs: dict) -> None:
        """Let the next call try the shortcut of `entry` first."""
        if not entry.called:
            args, kwargs = self.hold(args, kwargs)
            entry.called, entry.shortcut = True, make_shortcut(entry, (args, kwargs) if kwargs else args)
        if entry.shortcut is None:
            return
        if kwargs:
            self.named_shortcuts = first(entry.shortcut, self.named_shortcuts)
        else:
            self.shortcuts = first(entry.shortcut, self.shortcuts)

    def lookup(self, args: tuple, kwargs: dict) -> tuple[Entry, list]:
        """Return the entry for these arguments, traced anew if there is none that is still valid, and their leaves."""
        leaves, treedef = self.leaves(args, kwargs)
        plan = self.plan(leaves, treedef)
        entry = plan.find(leaves)
        if entry is None:
            with self.lock:
                entry = plan.find(leaves) or self.trace(plan, leaves, treedef)
        return entry, leaves

    def leaves(self, args: tuple, kwargs: dict) -> tuple[list, TreeDef]:
        if self.static_argnums or self.static_argnames:
            args, kwargs = self.hold(args, kwargs)
        return flatten((args, kwargs))

    def plan(self, leaves: list, treedef: TreeDef) -> Plan:
        signature = (config.strict, config.memory, treedef, *map(key, leaves))
        return self.plans.get(signature) or self.plans.setdefault(signature, Plan())

    def make_room(self, args: tuple, kwargs: dict) -> None:
        """Let the function be traced anew, with lists that have room for more elements."""
        plan = self.plan(*self.leaves(args, kwargs))
        with self.lock:
            if plan.room >= MOST_ROOM:
                raise
            plan.room *= MORE
            plan.entries.clear()
            self.shortcuts = self.named_shortcuts = ()

    def hold(self, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        numbers = {number % len(args) for number in self.static_argnums if -len(args) <= number < len(args)}
        held = tuple(Held(x) if k in numbers else x for k, x in enumerate(args))
        return held, {name: Held(x) if name in self.static_argnames else x for name, x in kwargs.items()}

    def trace(self, plan: Plan, leaves: list, treedef: TreeDef) -> Entry:
        """Trace with these arguments; leaves whose values Python turns out to need become static."""
        refusal: Exception | None = None
        while True:
            specs = [spec(x, number in plan.static) for number, x in enumerate(leaves)]
            trace = Trace(plan.room, plan.apart, plan.counts_are_results or refusal is not None)
            try:
                with collection.of_young_objects():
                    entry = self.trace_once(specs, treedef, trace)
            except Concretize as request:
                if request.trace is not trace:
                    raise
                plan.static |= request.leaves
                plan.entries.clear()
            except errors.AliasError:
                if plan.apart:
                    raise
                plan.apart = True
            except Exception as error:
                if refusal is not None:
                    raise refusal from refusal.__cause__
                if plan.counts_are_results or not errors.is_about_values(error):
                    raise
                refusal = error
            else:
                plan.counts_are_results |= refusal is not None
                plan.add(leaves, entry)
                return entry

    def trace_once(self, specs: list[Leaf | Static], treedef: TreeDef, trace: Trace) -> Entry:
        changed: list[int] = []
        in_rows: list[int] = []
        structures: list[TreeDef] = []

        def call(args, kwargs):
            arguments, _ = flatten((args, kwargs))
            result = self.body(args, kwargs)
            check_results(result)
            for x in arguments:
                if isinstance(x, Array) and x.cell.pending:
                    refresh(x.cell)
            changed[:] = [k for k, x in enumerate(arguments) if isinstance(x, Array) and not x.scalar and x.cell.version]
            in_rows[:] = [k for k, x in enumerate(arguments) if isinstance(x, Array) and x.ndim and trace.in_rows]
            structures[:] = [flatten(result)[1]]
            written = [traced for _, traced in captures.written()]
            return result, [arguments[k] for k in changed], written, printed()

        config.counters.traces += 1
        with Captures() as captures:
            for leaf in specs:
                if isinstance(leaf, Static):
                    captures.watch(leaf.value)
            traced = trace_function(call, specs, treedef, trace)
            for array, _ in traced.captured:
                captures.read("shape", array, None, array.shape)
        written = [array for array, _ in captures.written()]
        inputs = [(number, leaf.type.dtype) for number, leaf in enumerate(specs) if isinstance(leaf, Leaf)]
        return Entry(traced, structures[0], inputs, list(changed), in_rows, written, captures.check(traced.pinned))


def found_by_name(module: str, name: str):
    """Return what a module has under a dotted name, None if there is nothing."""
    found = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def sent_by_value() -> bool:
    """Return whether cloudpickle is asking, which sends what the main script defines by value: its processes do not run that script."""
    frame = sys._getframe(1)
    while frame is not None and not frame.f_globals.get("__name__", "").endswith("cloudpickle"):
        frame = frame.f_back
    return frame is not None


class Plan:
    """The entries of one signature, by the values of the leaves that had to be static.

    `room` is how many times as many elements as usual lists of unknown length have room for, `apart` whether first trips of loops are traced
    apart from the others because what they change is needed afterwards, `counts_are_results` whether arrays of integers and booleans are made
    for traced values.
    """

    def __init__(self):
        self.room = 1
        self.apart = False
        self.counts_are_results = False
        self.static: frozenset[int] = frozenset()
        self.entries: dict[tuple, list[Entry]] = {}

    def values(self, leaves: list) -> tuple:
        found = [leaves[number] for number in sorted(self.static)]
        return tuple([x.item() if isinstance(x, np.ndarray) else x for x in found])

    def find(self, leaves: list) -> Entry | None:
        for entry in self.entries.get(self.values(leaves), ()):
            if entry.check.holds():
                return entry
        return None

    def add(self, leaves: list, entry: Entry) -> None:
        """Keep an entry, and of those before it the few latest, in case what they have read comes back."""
        kept = self.entries.setdefault(self.values(leaves), [])
        kept.insert(0, entry)
        del kept[4:]


def first(shortcut: Callable, shortcuts: tuple[Callable, ...]) -> tuple[Callable, ...]:
    """Return the shortcuts to try, this one before the others; those tried last are dropped if there are many."""
    return (shortcut, *[other for other in shortcuts if other is not shortcut][: SHORTCUTS - 1])


def spec(x, static: bool) -> Leaf | Static:
    if isinstance(x, Held):
        return Static(x.value)
    return Static(x.copy() if isinstance(x, np.ndarray) else x) if static else describe(x)


def key(x):
    """Return what a leaf contributes to the signature."""
    cls = x.__class__
    if cls is np.ndarray:
        return x.dtype, x.shape
    if cls in SCALARS or issubclass(cls, np.generic):
        return cls
    if isinstance(x, np.ndarray):
        return cls, x.dtype, x.shape
    if isinstance(x, Array):
        raise errors.LeakedArrayError(f"a traced array ({x.type}) is used after the trace that made it has ended; return it from the "
                                      "traced function instead of keeping it elsewhere")
    try:
        hash(x)
    except TypeError:
        if isinstance(x, Held):
            raise errors.TypeError(f"a static argument is part of a key and must be hashable, which a {type(x.value).__name__} is not; "
                                   "pass a tuple, or let the function read it from outside") from None
        raise errors.TypeError(f"an argument of type {type(x).__name__} is neither an array nor a number nor hashable; make it a part of "
                               "a tuple, list or dict, or let the function read it from outside") from None
    return cls, x


SHORTCUTS = 4
MORE, MOST_ROOM = 16, 1 << 16  # factors by which the room for the elements of lists grows, and in all
SCALARS = frozenset([bool, int, float, complex])
