"""What a traced function reads from outside: globals, closures, attributes, items.

In: each value that rewritten code reads. Out: the value that the trace computes with, and a guard on the place it was read from.
Invariants: an array of floating-point numbers is replaced by the traced array that stands for it, in tuples, lists and dicts too (of
which the trace then sees copies); arrays of anything else keep their values, which are pinned. Objects reached from outside
are *watched*: what is read from them is guarded in turn.
"""

from __future__ import annotations

import copy
import threading
import types
from collections import deque
from collections.abc import Iterable
from operator import is_

import numpy as np

from jitad.frontend.arrays.cells import captured, is_traced
from jitad.frontend.tracing.guards import Check, Guard
from jitad.frontend.tracing.trace import Trace, current_trace, home_trace, outermost_trace, pin
from jitad.ir import errors

PLAIN = frozenset([
    int, float, complex, bool, str, bytes, type(None), type(...), range, slice, types.ModuleType, types.BuiltinFunctionType, np.ufunc])
CONTAINERS = (list, tuple, dict, set, frozenset, deque)


class _Active(threading.local):
    captures: Captures | None = None


active = _Active()


class Captures:
    """The captured values of one trace: ``with Captures() as captures: ...`` around the run of the function.

    Attributes
    ----------
    guards
        The guards, by what they guard. After the block, only those that hold.
    watched
        Objects that were reached from outside, by their id.
    arrays
        The traced arrays that stand for captured ones: id -> (array, traced array).
    functions
        The functions that are called in the place of others: (id, trace) -> (function, its rewritten form).
    trace
        The outermost trace.
    unread
        Codes whose source could not be read, and why.
    seeded
        Generators that have the seeds which the function gave to shared ones, with the traces that it did it in.
    """

    def __init__(self):
        self.guards: dict[tuple, Guard] = {}
        self.watched: dict[int, object] = {}
        self.arrays: dict[int, tuple] = {}
        self.functions: dict[tuple, tuple] = {}
        self.unread: dict[types.CodeType, str] = {}
        self.copies: dict[int, tuple] = {}
        self.seeded: dict[object, tuple] = {}
        self.around: Captures | None = None
        self.trace: Trace | None = None

    def __enter__(self) -> Captures:
        around = self.around = active.captures
        if around is not None:
            for shared in ("watched", "arrays", "functions", "unread", "copies", "seeded"):
                setattr(self, shared, getattr(around, shared))
        active.captures = self
        return self

    def __exit__(self, kind, error, traceback) -> None:
        active.captures = self.around
        if kind is None:
            self.check_aliases()
        if self.around is not None:
            self.around.guards.update({place: guard for place, guard in self.guards.items() if place not in self.around.guards})
        self.guards = {place: guard for place, guard in self.guards.items() if guard.holds()}
        if isinstance(error, errors.JitadError):
            self.explain(error, traceback)

    def check(self, pinned: Iterable[tuple[np.ndarray, np.ndarray]] = ()) -> Check:
        """Return what tells whether all that was read is unchanged, and so are the `pinned` arrays (array, copy)."""
        return Check([*self.guards.values(), *[Guard("bytes", array, None, copy) for array, copy in pinned]])

    def written(self) -> list[tuple[np.ndarray, object]]:
        """Return the captured arrays that the function changed in place, each with the traced array that holds its new values.

        What inner traces change stays in them.
        """
        return [(array, traced) for array, traced in self.arrays.values() if traced.cell.version and traced.cell.trace is self.trace]

    def check_aliases(self) -> None:
        """Raise if the function changes a captured array in place and reads its memory through another one."""
        for array, traced in self.arrays.values():
            if traced.cell.version:
                for other, _ in self.arrays.values():
                    if other is not array and overlap(array, other):
                        raise errors.NotImplementedError(
                            f"an array of shape {array.shape} from outside the function is changed in place, and another one, of shape "
                            f"{other.shape}, that shares its memory is used too; use only one of them and take the views of it inside")

    def explain(self, error: Exception, traceback) -> None:
        """Note in an error that the source of functions on its way could not be read."""
        while traceback is not None:
            code = traceback.tb_frame.f_code
            if code in self.unread:
                error.add_note(f"note: {code.co_qualname} was traced without its source: {self.unread[code]}")
            traceback = traceback.tb_next

    # --- reading ---------------------------------------------------------------------------------------------------------------

    def read(self, kind: str, container, key, value):
        """Note that `value` was found at a place, and return what the trace is to see of it."""
        if is_traced(value):
            return value
        place = kind, id(container), key
        if place not in self.guards:
            self.guards[place] = Guard(kind, container, key, value)
        return self.taken(value)

    def taken(self, value):
        """Return what the trace is to see of a value from outside: its traced array for an array, else itself, watched."""
        cls = type(value)
        if cls in PLAIN or is_traced(value):
            return value
        if cls is np.ndarray or cls is np.memmap:
            return self.array(value)
        self.watch(value)
        if (trace := current_trace()) is not None:
            trace.reach(value)
        return value

    def watch(self, value) -> None:
        """Guard what will be read from an object."""
        if id(value) in self.watched or type(value) in PLAIN:
            return
        self.watched[id(value)] = value
        if isinstance(value, types.MethodType):
            self.watch(value.__self__)

    def array(self, array: np.ndarray):
        """Return the traced array that stands for an array of floating-point numbers; any other is pinned."""
        self.trace = outermost_trace()
        if self.trace is None:
            return array
        if array.dtype.char not in "fdFD":
            return pin(array)
        known = self.arrays.get(id(array))
        if known is None or not known[1].cell.trace.alive:
            known = self.arrays[id(array)] = array, captured(array)
            known[1].cell.trace = home_trace()
        return known[1]

    def contents(self, value):
        """Return a captured container with what the trace is to see of its elements: a copy if these are not the same."""
        if not isinstance(value, CONTAINERS) or id(value) not in self.watched:
            return value
        known = self.copies.setdefault(id(value), Copy(value))
        if known.in_progress:
            return value
        elements = list(value.values() if isinstance(value, dict) else value)
        place = "elements", id(value), None
        if not isinstance(value, tuple | frozenset) and place not in self.guards and not any(map(is_traced, elements)):
            self.guards[place] = Guard("elements", value, None, snapshot(value))
        known.in_progress = True
        seen = [self.contents(self.taken(element)) for element in elements]
        known.in_progress = False
        return known.of(elements, seen)


class Copy:
    """What a trace sees of a container. It stays the same object as long as the elements do."""

    __slots__ = ("container", "seen", "result", "in_progress")

    def __init__(self, container):
        self.container = container
        self.seen: list | None = None
        self.in_progress = False

    def of(self, elements: list, seen: list):
        if self.seen is None or not identical(self.seen, seen):
            self.seen = seen
            self.result = self.container if identical(elements, seen) else rebuilt(self.container, seen)
        return self.result


def identical(xs: list, ys: list) -> bool:
    return len(xs) == len(ys) and all(map(is_, xs, ys))


def snapshot(container):
    """Return a shallow copy, as a dict, set or list."""
    return dict(container) if isinstance(container, dict) else set(container) if isinstance(container, set) else list(container)


def overlap(x: np.ndarray, y: np.ndarray) -> bool:
    """Return whether two arrays share memory, or may do so in a way that is too hard to tell."""
    try:
        return np.shares_memory(x, y, max_work=1000)
    except np.exceptions.TooHardError:
        return True


def rebuilt(container, elements: list):
    """Return a copy of a container with other elements."""
    if isinstance(container, dict):
        result = copy.copy(container)
        result.update(zip(container, elements))
        return result
    if isinstance(container, list | deque):
        result = copy.copy(container)
        result.clear()
        result.extend(elements)
        return result
    if isinstance(container, tuple):
        return container._make(elements) if hasattr(container, "_make") else type(container)(elements)
    return container
