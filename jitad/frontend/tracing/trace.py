"""Traces: the state of running a Python function once on traced arrays.

In: a function and what its arguments are (`Leaf`, `Static`). Out: a `Traced`, the Program that it performs. Invariants: a NumPy
array from outside is an input of the Program of the outermost trace, read at each call, never a constant; what it
held while the trace ran is kept only if the function itself changed it in place; arrays that decided the course of the trace are
listed as pinned.
"""

from __future__ import annotations

import sys
import threading
from types import CodeType

import numpy as np

from jitad.ir import errors
from jitad.ir.program import Var
from jitad.ir.recorder import Recorder
from jitad.ir.types import type_of

SMALL = 8192  # bytes: up to here a copy costs less than NumPy's comparison
OWN = (object(),)  # nobody else has a reference to it


class Concretize(BaseException):
    """Python needs the values of arguments: `leaves` are the numbers of those of `trace` to be retraced with as static."""

    def __init__(self, trace: Trace, leaves: frozenset[int]):
        super().__init__(f"the values of leaves {sorted(leaves)} decide the course of the function")
        self.trace = trace
        self.leaves = leaves


class _Stack(threading.local):
    def __init__(self):
        self.traces: list[Trace] = []


_stack = _Stack()
running: list[Trace] = []  # of all threads: none traces while it is empty


def current_trace() -> Trace | None:
    """Return the innermost trace of this thread, None outside of any."""
    return _stack.traces[-1] if _stack.traces else None


def runs_apart() -> bool:
    """Return whether first trips that change other arrays than later ones are run apart from these."""
    return _stack.traces[0].apart


def counts_are_results() -> bool:
    """Return whether arrays of integers and booleans that the function makes are for traced values too."""
    return _stack.traces[0].counts_are_results


def home_trace() -> Trace | None:
    """Return the innermost trace of this thread that is one of a function, None outside of any."""
    return _stack.traces[-1].home if _stack.traces else None


def outermost_trace() -> Trace | None:
    """Return the trace of this thread that all others are in, None outside of any."""
    return _stack.traces[0] if _stack.traces else None


def trace_around(trace: Trace) -> Trace | None:
    """Return the trace of this thread in which another one runs, None if there is none."""
    place = _stack.traces.index(trace)
    return _stack.traces[place - 1] if place else None


def counters() -> dict[Var, tuple[int, int]]:
    """Return the counters of the loops around, with their least and greatest values."""
    found: dict[Var, tuple[int, int]] = {}
    trace = current_trace()
    while trace is not None:
        found.update(trace.counters)
        trace = trace.around
    return found


def tracing() -> bool:
    """Return whether a trace is running in this thread."""
    return bool(_stack.traces)


class Trace:
    """A run of the user's function on traced arrays: ``with Trace() as trace: ...``.

    Attributes
    ----------
    recorder
        Where the operations go.
    captured
        The NumPy arrays met: id -> (array, the Var that stands for it). Filled on the outermost trace of a thread only.
    pinned
        The NumPy arrays whose values decided the course of the trace: id -> (array, copy). Also on the outermost only.
    alive
        Whether its arrays may still be used.
    home
        The trace of the function that it belongs to: itself, but for the bodies of control flow.
    trip_sizes
        How many equations a trip of a short loop records, for each loop in the source.
    appended
        What was appended to lists whose elements are in arrays (`jitad.frontend.control.lists.elements.Part`).
    images
        In the body of a loop, cells that are the same memory as one of two others: a test, the one if it does not hold, the one if it does.
    around
        The trace of the body or function around a body.
    counters
        In the body of a loop, its counter, with its least and greatest value.
    room
        How many times as many elements as usual lists of unknown length have room for.
    marks, log
        The marks that stand for values in text (on the outermost only), and the cell with the log of what was printed (on those of functions),
        None as long as nothing was: see `jitad.frontend.tracing.printing`.
    tries, passed
        The `try` statements whose bodies are being traced, innermost last, and exceptions that they have passed on.
    assumed
        Conditions that are known here, each with whether it holds.
    variants
        Whether there are values that are one of several of different structures.
    calls
        The calls that are running of functions that call themselves, by the traces that they were made in.
    apart
        Whether first trips of loops that change arrays from before, under names that have others later, are run apart. Also on the outermost.
    counts_are_results
        Whether arrays of integers and booleans that the function makes, and may write to, are for traced values too. Also on the outermost.
    in_rows
        Whether what the function does is known only for arguments in C order. Also on the outermost.
    """

    def __init__(self, room: int = 1, apart: bool = False, counts_are_results: bool = False):
        self.apart = apart
        self.counts_are_results = counts_are_results
        self.in_rows = False
        self.marks: list = []
        self.log = None
        self.tries: list = []
        self.passed: list = []
        self.assumed: list[tuple] = []
        self.variants = False
        self.calls: dict[CodeType, list[Trace]] = {}
        self.home: Trace = self
        self.images: dict | None = None
        self.around: Trace | None = None
        self.counters: dict[Var, tuple[int, int]] = {}
        self.appended: list = []
        self.room = room
        self.trip_sizes: dict[CodeType, int] = {}
        self.recorder = Recorder()
        self.captured: dict[int, tuple[np.ndarray, Var]] = {}
        self.pinned: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self.changed: list[tuple[np.ndarray, Var]] = []
        self.snapshots: dict[int, np.ndarray] = {}
        self.alive = False

    def reach(self, x) -> None:
        """Take note of an object from outside that is about to be used: a body has to see what it changes of it."""

    def __enter__(self) -> Trace:
        _stack.traces.append(self)
        running.append(self)
        self.recorder.__enter__()
        self.alive = True
        return self

    def __exit__(self, *exc) -> None:
        self.alive = False
        self.recorder.__exit__()
        running.remove(_stack.traces.pop())
        for key in list(self.captured) if exc[0] is None else ():
            self.check_unchanged(key)
        self.snapshots.clear()
        self.pinned = {key: pin for key, pin in self.pinned.items() if may_change(pin) and same_bytes(*pin)}

    def note(self, cell) -> None:
        """Take note of a cell whose `pending` is about to change."""

    def adopt(self, cell) -> None:
        """Let a cell of an enclosing trace be written in this one."""
        raise errors.TypeError("an array of an enclosing function is changed in place inside a function that is traced on its own; pass it "
                               "as an argument and return the new values instead")

    def capture(self, array: np.ndarray) -> Var:
        key = id(array)
        if key in self.captured and self.check_unchanged(key):
            return self.captured[key][1]
        var = Var(type_of(array))
        self.captured[key] = array, var
        self.snapshots[key] = array.copy()
        return var

    def check_unchanged(self, key: int) -> bool:
        """Return whether a captured array still has the values it was captured with; if not, those are bound to its Var."""
        array, var = self.captured[key]
        snapshot = self.snapshots[key]
        if same_bytes(array, snapshot):
            return True
        self.changed.append((snapshot, var))
        del self.captured[key], self.snapshots[key]
        return False

    def owns(self, captured: tuple[np.ndarray, Var]) -> bool:
        """Return whether nobody else has a reference to a captured array, or to what it is a view of."""
        base = captured[0].base
        alone = base is None or isinstance(base, np.ndarray) and base.base is None and references((base,)) <= 3
        return alone and references(captured) <= 1 + (id(captured[0]) in self.pinned)

    def inputs(self) -> list[tuple[np.ndarray, Var]]:
        """Return the captured arrays and the Vars that stand for them."""
        return [*self.captured.values(), *self.changed]


def concretize(origins: frozenset[tuple[Trace, int]]) -> Concretize:
    """Return the request for the values of `origins`, pairs (trace, number of the leaf), as far as the innermost trace has them."""
    for trace in reversed(_stack.traces):
        leaves = frozenset(number for owner, number in origins if owner is trace)
        if leaves:
            return Concretize(trace, leaves)
    raise errors.InternalError("the arguments of a trace that has ended are asked for")


def same_bytes(x: np.ndarray, y: np.ndarray) -> bool:
    """Return whether two arrays have the same shape, dtype and bytes."""
    if x.shape != y.shape or x.dtype != y.dtype:
        return False
    if x.nbytes > SMALL and x.flags.c_contiguous and y.flags.c_contiguous and not x.dtype.hasobject:
        word = np.uint8 if x.nbytes % 8 else np.uint64
        return np.array_equal(x.reshape(-1).view(word), y.reshape(-1).view(word))
    return x.tobytes() == y.tobytes()


def references(pair: tuple) -> int:
    """Return how many references there are to the first object in a tuple, the tuple's included."""
    return 1 + sys.getrefcount(pair[0]) - sys.getrefcount(OWN[0])


def may_change(pin: tuple[np.ndarray, np.ndarray]) -> bool:
    """Return whether anyone but the trace can reach a pinned array."""
    ours = 2  # the tuple, and the argument of getrefcount
    return pin[0].base is not None or sys.getrefcount(pin[0]) > ours


def capture(array: np.ndarray) -> Var:
    """Return the Var that stands for a NumPy array from outside of the trace."""
    if not _stack.traces:
        raise errors.LeakedArrayError("a traced array is used after the trace that made it has ended")
    return _stack.traces[0].capture(array)


def captured_arrays() -> dict[Var, np.ndarray]:
    """Return what the Vars that stand for NumPy arrays held when they were captured."""
    return {var: array for array, var in _stack.traces[0].inputs()} if _stack.traces else {}


def pin(array: np.ndarray) -> np.ndarray:
    """Return `array`, noting that its values decide the course of the trace: when they change, the trace is no longer valid."""
    if _stack.traces and id(array) not in _stack.traces[0].pinned:
        _stack.traces[0].pinned[id(array)] = array, array.copy()
    return array
