"""What rewritten code does when it reads a name, an attribute or an item, and when it calls.

In: the values that the user's code computes with. Out: within a trace, those that the trace sees; without one, the same. Invariant:
nothing here changes what ordinary Python code means.
"""

from __future__ import annotations

import functools
import operator
import sys
import types
from collections import deque
from collections.abc import Callable

import numpy as np

from jitad.frontend.arrays.cells import captured, is_traced
from jitad.frontend.arrays.ragged import Ragged
from jitad.frontend.control import bodies, branches, catching, comparisons, comprehensions, handlers, names, signals, statements
from jitad.frontend.control.lists import access, heaps, searching  # noqa: F401  they tell Python's functions about lists in arrays
from jitad.frontend.control.lists.elements import in_arrays
from jitad.frontend.control.lists.lookups import element, entry, get, is_open_key
from jitad.frontend.control.trials import distributed, spread
from jitad.frontend.hooks.operators import Operators, class_attribute, is_users
from jitad.frontend.source import recursion
from jitad.frontend.tracing.captures import CONTAINERS, Captures, active
from jitad.frontend.tracing.growable import Growable
from jitad.frontend.tracing.guards import same
from jitad.frontend.tracing.trace import counts_are_results, current_trace
from jitad.frontend.variants import Variant, settled
from jitad.ir.libraries import is_library

CHANGING = frozenset([
    "add", "append", "appendleft", "clear", "difference_update", "discard", "extend", "extendleft", "insert", "intersection_update",
    "move_to_end", "pop", "popitem", "popleft", "remove", "reverse", "rotate", "setdefault", "sort", "symmetric_difference_update",
    "update"])


class Stage(Operators):
    """The constant `STAGE` of a rewritten function.

    Attributes
    ----------
    names, cells
        Where the function's global names and its closure are kept.
    resolve
        ``resolve(captures, function)`` gives what is called in the place of a function.
    """

    __slots__ = ("names", "cells", "resolve")

    def __init__(self, names: dict, cells: dict[str, types.CellType], resolve: Callable):
        self.names = names
        self.cells = cells
        self.resolve = resolve

    # --- names -----------------------------------------------------------------------------------------------------------------

    def name(self, value, name: str):
        """Read a global name, or one of Python's."""
        captures = active.captures
        if captures is None:
            return value
        if name in self.names:
            return captures.read("item", self.names, name, value)
        captures.read("builtin", self.names, name, None)
        return value

    def cell(self, value, name: str):
        """Read a name of an enclosing function."""
        captures = active.captures
        return value if captures is None else captures.read("cell", self.cells[name], None, value)

    # --- what is reached from them -----------------------------------------------------------------------------------------------

    def attribute(self, base, name: str):
        captures = active.captures
        if isinstance(base, Variant):
            return distributed(lambda one: self.attribute(one, name), base)
        return getattr(base, name) if captures is None or is_traced(base) else self.read_attribute(captures, base, name)

    def item(self, base, key):
        captures = active.captures
        if captures is None:
            return base[key]
        if isinstance(base, Variant) or isinstance(key, Variant) or type(key) is tuple and any(isinstance(x, Variant) for x in key):
            return distributed(lambda one, *keys: self.item(one, keys if type(key) is tuple else keys[0]), base, *as_tuple(key))
        return base[key] if is_traced(base) else self.read_item(captures, base, key)

    def slice(self, *bounds):
        return slice(*map(settled, bounds))

    def contents(self, value):
        """Read the whole of what a chain of names, attributes and items leads to."""
        if not isinstance(value, CONTAINERS):
            return value
        captures = active.captures
        return value if captures is None else captures.contents(value)

    def imported(self, value):
        """Read a value that the function itself imports, or the default of a parameter."""
        captures = active.captures
        return value if captures is None else captures.contents(captures.taken(value))

    # --- calls -----------------------------------------------------------------------------------------------------------------

    def callee(self, function):
        """Return what is called in the place of `function`."""
        captures = active.captures
        if captures is None:
            return function
        if isinstance(function, Variant):
            return lambda *args, **kwargs: distributed(lambda one: self.callee(one)(*args, **kwargs), function)
        resolved = self.resolve(captures, function)
        if catching.attempts() and (reads_variants(resolved) or function is print):
            resolved = branches.unless_raised(resolved)
        return spread(resolved) if has_variants() and not reads_variants(resolved) else resolved

    def method(self, base, name: str):
        """Return what is called in the place of ``base.name``."""
        captures = active.captures
        if isinstance(base, Variant):
            return lambda *args, **kwargs: distributed(lambda one: self.method(one, name)(*args, **kwargs), base)
        if captures is None or is_traced(base):
            found = getattr(base, name)
            return spread(found) if captures is not None and has_variants() else found
        if isinstance(base, CONTAINERS) and name not in CHANGING:
            base = captures.contents(base)
        if type(base) is dict and name == "get":
            resolved = functools.partial(get, base)
            return spread(resolved) if has_variants() else resolved
        resolved = self.resolve(captures, self.read_attribute(captures, base, name))
        if catching.attempts() and (reads_variants(resolved) or isinstance(base, CONTAINERS) and name in CHANGING):
            resolved = branches.unless_raised(resolved)
        return spread(resolved) if has_variants() and not isinstance(base, CONTAINERS) and not reads_variants(resolved) else resolved

    def made(self, value):
        """Return what the function has made, arrays of real and complex numbers as ones to which traced values can be written."""
        return written(sys.getrefcount(value) <= UNSHARED, value, "fciub" if active.captures and counts_are_results() else "fc")

    def buffer(self, value):
        """Return what the function has made and assigns elements to: arrays of integers and booleans also."""
        return written(sys.getrefcount(value) <= UNSHARED, value, "fciub")

    def transposed(self, function, rows):
        """``zip(*rows)``, or another function of the rows."""
        return iter(rows.transposed()) if function is zip and in_arrays(rows) and is_traced(rows.length()) else self.callee(function)(*rows)

    def listed(self, value: list) -> list:
        """Return a list that the function makes as one that staged control flow can let grow."""
        return value if active.captures is None else Growable(value)

    def iterable(self, value):
        """Return what a loop runs over."""
        captures, value = active.captures, settled(value)
        if captures is None or isinstance(value, CONTAINERS) or is_traced(value):
            return value
        bodies.check_running(value)
        iterate = class_attribute(type(value), "__iter__")
        return self.resolve(captures, iterate)(value) if is_users(iterate) else value

    # --- control flow ------------------------------------------------------------------------------------------------------------

    branch, after, result, choose, bound = map(staticmethod, (branches.branch, branches.after, branches.result, branches.choose, names.bound))
    all_of, any_of, not_, chain = map(staticmethod, (branches.all_of, branches.any_of, branches.not_, comparisons.chain))
    known, assertion, while_loop, returning = map(staticmethod, (branches.known, branches.assertion, statements.while_loop, signals.returning))

    def for_loop(self, iterable, body: Callable, otherwise: Callable | None, site: tuple, else_site: tuple):
        return statements.for_loop(self.iterable(iterable), body, otherwise, site, else_site)

    attempt, raised = map(staticmethod, (handlers.attempt, catching.raised))
    collected, collect, when = map(staticmethod, (comprehensions.collected, comprehensions.collect, comprehensions.when))

    def each(self, iterable, names: tuple | None, function: Callable) -> None:
        comprehensions.each(self.iterable(iterable), names, function)

    def recursive(self, function: Callable, loop: Callable | None) -> Callable:
        """Return what is called in the place of a function inside of the rewritten one that calls itself."""
        return function if active.captures is None else recursion.recursive(function, function, lambda: loop)

    def breaking(self):
        return signals.BREAKING

    def continuing(self):
        return signals.CONTINUING

    # --- places that are read and then written ------------------------------------------------------------------------------------

    def name_place(self, value, name: str) -> Place:
        return Place(self, value, self.name(value, name))

    def cell_place(self, value, name: str) -> Place:
        return Place(self, value, self.cell(value, name))

    def attribute_place(self, base, name: str) -> Place:
        loaded = self.attribute(base, name)
        found = getattr(base, name) if is_traced(loaded) and not is_traced(base) else loaded
        return Place(self, found, loaded, functools.partial(setattr, base, name))

    def item_place(self, base, key) -> Place:
        loaded = self.item(base, key)
        found = base[key] if is_traced(loaded) and isinstance(base, CONTAINERS) else loaded
        return Place(self, found, loaded, functools.partial(operator.setitem, base, key), keeps=in_arrays(base))

    # --- within a trace --------------------------------------------------------------------------------------------------------

    def read_attribute(self, captures: Captures, base, name: str):
        if isinstance(base, types.ModuleType):
            value = getattr(base, name)
            return value if is_library_module(base) else captures.read("attribute", base, name, value)
        if type(base) is super:
            return self.read_inherited(captures, base, name)
        descriptor = class_attribute(type(base), name)
        getter = computation(descriptor, base, name)
        if getter is not None:
            return self.resolve(captures, getter)(base)
        value = getattr(base, name)
        if id(base) not in captures.watched:
            return value
        if getattr(value, "__self__", None) is base and isinstance(value, BOUND):
            if isinstance(value, types.MethodType):
                captures.read("method", base, name, value.__func__)
            return value
        computed = hasattr(type(descriptor), "__set__") and not isinstance(descriptor, types.MemberDescriptorType)
        if computed and not same(value, getattr(base, name)):
            return captures.taken(value)
        return captures.read("attribute", base, name, value)

    def read_inherited(self, captures: Captures, base: super, name: str):
        """Read an attribute through ``super()``: what a class further on has."""
        classes = base.__self_class__.__mro__
        for cls in classes[classes.index(base.__thisclass__) + 1 :]:
            if name in cls.__dict__:
                descriptor = cls.__dict__[name]
                getter = computation(descriptor, base.__self__, name)
                if getter is not None:
                    return self.resolve(captures, getter)(base.__self__)
                if getattr(cls, name) is descriptor:
                    seen = captures.read("attribute", cls, name, descriptor)
                    return getattr(base, name) if hasattr(type(descriptor), "__get__") else seen
                break
        return getattr(base, name)

    def read_item(self, captures: Captures, base, key):
        if is_open_key(key) and isinstance(base, tuple | list | dict) and not isinstance(base, Growable):
            base = self.contents(base)
            return entry(base, key) if isinstance(base, dict) else element(base, key)
        if isinstance(base, np.ndarray):
            return captured(base)[key] if has_traced_index(key) else base[key]
        getter = class_attribute(type(base), "__getitem__")
        if isinstance(getter, types.FunctionType):
            resolved = self.resolve(captures, getter)
            if resolved is not getter:
                return resolved(base, key)
        if id(base) not in captures.watched:
            return base[key]
        if isinstance(key, slice):
            return captures.contents(base)[key]
        value = base[key]
        if not is_traced(key) and (isinstance(base, list | dict | deque) or same(value, base[key])):
            return captures.read("item", base, key, value)
        return captures.taken(value)

    def seen(self, value):
        """Return what the trace sees of a captured value, for code that is not rewritten."""
        return self.callee(value) if isinstance(value, types.FunctionType) else self.contents(value)


class Place:
    """The target of ``target op= value``: what was found there, what the trace sees of it, and how to write to it."""

    __slots__ = ("stage", "found", "loaded", "write", "keeps")

    def __init__(self, stage: Stage, found, loaded, write: Callable | None = None, keeps: bool = False):
        self.stage = stage
        self.found = found
        self.loaded = loaded
        self.write = write
        self.keeps = keeps  # what was changed in place need not be written again

    def update(self, operation: str, value):
        """Return what is there after the update. An array that was changed in place stays the object that it was."""
        result = getattr(self.stage, operation)(self.loaded, value)
        if result is self.loaded:
            if self.keeps:
                return self.found
            result = self.found
        if self.write is not None:
            self.write(result)
        return result


def as_tuple(key) -> tuple:
    return key if type(key) is tuple else (key,)


def has_variants() -> bool:
    trace = current_trace()
    return trace is not None and trace.home.variants


def reads_variants(function) -> bool:
    """Return whether a function is Python code that is rewritten."""
    function = getattr(function, "__wrapped__", function)
    function = getattr(function, "__func__", function)
    return isinstance(function, types.FunctionType) and any(type(const) is Stage for const in function.__code__.co_consts)


def references(value) -> int:
    return sys.getrefcount(value)


# How many references there are, which versions of Python count differently, to an array that a function is given, to one in a tuple, and to one that
# a view shows, where nobody else has it.
VIEW = np.empty(2)[1:]
UNSHARED, IN_TUPLE, SHOWN = references(np.empty(0)), [references(x) for x in (np.empty(0),)][0], sys.getrefcount(VIEW.base)


def written(alone: bool, value, kinds: str):
    """Return arrays whose dtypes are of some kinds as ones to which traced values can be written, if nobody else has them.

    `alone` says so of `value`, and comes first: once a value is an argument, there is one reference more.
    """
    if not alone or active.captures is None:
        return value
    if type(value) is np.ndarray:
        return writable(value, kinds)
    if type(value) is tuple and any(type(x) is np.ndarray for x in value):
        return tuple([written(references(x) <= IN_TUPLE, x, kinds) for x in value])
    return value


def writable(value: np.ndarray, kinds: str):
    """Return a traced array with what an array holds, if its dtype is of one of `kinds` and nothing else shares its memory."""
    alone = value.base is None or sys.getrefcount(value.base) <= SHOWN
    return captured(value).copy("K") if alone and value.dtype.kind in kinds else value


BOUND = (types.MethodType, types.BuiltinMethodType, types.MethodWrapperType)


def computation(descriptor, base, name: str) -> Callable | None:
    """Return the function of the user's that computes an attribute, None for one that is stored."""
    getter = None
    if isinstance(descriptor, property):
        getter = descriptor.fget
    elif isinstance(descriptor, functools.cached_property) and name not in vars(base):
        getter = descriptor.func
    return getter if is_users(getter) else None


def is_library_module(module: types.ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    return module.__name__ in sys.builtin_module_names if file is None else is_library(file)


def has_traced_index(key) -> bool:
    items = key if isinstance(key, tuple) else (key,)
    return any(is_traced(x) or isinstance(x, Ragged) or isinstance(x, slice) and (is_traced(x.start) or is_traced(x.stop)) for x in items)
