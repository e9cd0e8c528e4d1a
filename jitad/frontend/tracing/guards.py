"""Guards: is what a trace has read from outside still as it was?

In: `Guard` records, each a place in a Python object and the value found there. Out: a `Check` that tells whether all of them still
hold, at the price of one load and one comparison each: as a function, and as source for generated ones. Numbers and strings are
compared by type and value, everything else by identity; containers that were read as a whole element by element.
"""

from __future__ import annotations

import functools
import keyword
from collections.abc import Callable, Iterable
from operator import is_
from typing import Any, NamedTuple

import numpy as np

from jitad.frontend.tracing.trace import same_bytes

READS = {
    "item": "{c}[{k}]",
    "cell": "{c}.cell_contents",
    "attribute": "{a}",
    "method": "{a}.__func__",
    "call": "{k}({c})",
}
CONDITIONS = {
    "builtin": "{k} not in {c}",
    "elements": "same_elements({c}, {v})",
    "bytes": "same_bytes({c}, {v})",
    "shape": "{c}.shape == {v}",
    "present": "hasattr({c}, {k})",
    "missing": "not hasattr({c}, {k})",
}


class Guard(NamedTuple):
    """A value and where it was found.

    `kind` says how: ``item`` and ``attribute`` `key` of `container`, the content of a ``cell``, the function behind a ``method``, the ``call``
    of the function `key`,
    the absence of a global that would hide a ``builtin``, all ``elements`` of a container, the ``shape`` or all ``bytes`` of an array,
    that an attribute is ``present`` or ``missing``.
    """

    kind: str
    container: Any
    key: Any
    value: Any

    def holds(self) -> bool:
        """Return whether the value is still the same."""
        return single_test(self.test("c", "k", "v", general=True))(self.container, self.key, self.value)

    def test(self, c: str, k: str, v: str, general: bool = False) -> str:
        """Return the test as Python source in which these names stand for the container, the key and the value.

        A `general` one serves for every attribute, the others are written for the key, which is faster.
        """
        if self.kind in CONDITIONS:
            return CONDITIONS[self.kind].format(c=c, k=k, v=v)
        named = not general and isinstance(self.key, str) and self.key.isidentifier() and not keyword.iskeyword(self.key)
        read = READS[self.kind].format(c=c, k=k, a=f"{c}.{self.key}" if named else f"getattr({c}, {k})")
        return f"({read} is {v} or same({read}, {v}))" if isinstance(self.value, VALUES) else f"{read} is {v}"


VALUES = (int, float, complex, str, bytes, tuple, np.generic)


@functools.cache
def single_test(source: str) -> Callable[[Any, Any, Any], bool]:
    return compiled(f"""
def test(c, k, v):
    try:
        return {source}
    except Exception:
        return False
""", "test", {"same": same, "same_elements": same_elements, "same_bytes": same_bytes})


class Check:
    """Whether all `guards` hold.

    Attributes
    ----------
    source
        The Python expression that tells, in the names of `scope`. If it raises, they do not.
    """

    def __init__(self, guards: Iterable[Guard]):
        self.scope: dict[str, Any] = {"same": same, "same_elements": same_elements, "same_bytes": same_bytes}
        numbers: dict[tuple[str, int], str] = {}

        def name(kind: str, value) -> str:
            text = numbers.setdefault((kind, id(value)), f"{kind}{len(numbers)}")
            self.scope[text] = value
            return text

        tests = [guard.test(name("c", guard.container), key_source(guard.key, name), name("v", guard.value)) for guard in guards]
        self.source = " and ".join(tests) or "True"

    @functools.cached_property
    def holds(self) -> Callable[[], bool]:
        """The function that tells."""
        return compiled(f"""
def holds():
    try:
        return {self.source}
    except Exception:
        return False
""", "holds", self.scope)


def key_source(key, name: Callable[[str, Any], str]) -> str:
    return repr(key) if type(key) in (str, int) else name("k", key)


def compiled(source: str, name: str, scope: dict[str, Any]):
    scope = dict(scope)
    exec(source, scope)
    return scope[name]


# --- sameness --------------------------------------------------------------------------------------------------------------


def same(x, y) -> bool:
    """Return whether two values are one object, or equal numbers, strings or tuples of one type."""
    if x is y:
        return True
    cls = type(x)
    if cls is not type(y):
        return False
    if issubclass(cls, np.generic):
        return x.dtype == y.dtype and x.tobytes() == y.tobytes()
    if cls is float or cls is complex:
        return repr(x) == repr(y)
    if issubclass(cls, tuple):
        return len(x) == len(y) and all(map(same, x, y))
    return cls in (int, bool, str, bytes) and x == y


def same_elements(container, snapshot) -> bool:
    """Return whether a list, dict or set has the elements of its `snapshot`, in the same order."""
    if len(container) != len(snapshot):
        return False
    if isinstance(container, dict):
        return all(map(is_, container.values(), snapshot.values())) and all(map(same, container, snapshot)) or (
            all(map(same, container.items(), snapshot.items())))
    if isinstance(container, set | frozenset):
        return container == snapshot
    return all(map(is_, container, snapshot)) or all(map(same, container, snapshot))
