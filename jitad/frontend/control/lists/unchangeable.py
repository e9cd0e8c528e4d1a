"""Lists and dicts that refuse to be changed, because a change could not be seen in all that it would change in Python.

In: why, as a message. Out: subclasses of list and dict that are read as these are.
"""

from __future__ import annotations

from jitad.frontend.tracing.growable import Growable
from jitad.frontend.tracing.trees import treat_as
from jitad.ir import errors

OF_LISTS = ("append", "extend", "insert", "pop", "remove", "clear", "sort", "reverse", "__setitem__", "__delitem__", "__iadd__", "__imul__")
OF_DICTS = ("__setitem__", "__delitem__", "__ior__", "update", "pop", "popitem", "clear", "setdefault")


def unchangeable(message: str) -> tuple[type[list], type[dict]]:
    """Return a class of lists and one of dicts whose changes are refused with a message."""
    def refuse(*args, **kwargs):
        raise errors.ControlFlowError(message)

    lists = type("UnchangeableList", (Growable,), {"__slots__": (), **dict.fromkeys(OF_LISTS, refuse)})
    dicts = type("UnchangeableDict", (dict,), dict.fromkeys(OF_DICTS, refuse))
    treat_as(list, lists)
    treat_as(dict, dicts)
    return lists, dicts
