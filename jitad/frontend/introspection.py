"""Builtins that look into objects: what they say of traced arrays, and of attributes that a trace reads by name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jitad.frontend.captures import active
from jitad.frontend.cells import View, is_traced
from jitad.frontend.staging import Stage


def instance_of(x, classes) -> bool:
    """``isinstance``, for which a traced array is an instance of the class of what it stands for."""
    return isinstance(x, classes) or is_traced(x) and isinstance(stand_in(x), classes)


def type_of(x, *definition, **keywords) -> type:
    """``type``, which says of a traced array the class of what it stands for."""
    return type(stand_in(x)) if is_traced(x) and not definition else type(x, *definition, **keywords)


def stand_in(x: View):
    if x.weak is not None:
        return x.weak()
    return x.type.dtype.type() if x.scalar else np.empty(0, x.type.dtype)


def attribute_reader(resolve: Callable) -> Callable:
    """Return the ``getattr`` that reads as rewritten code does."""
    stage = Stage({}, {}, resolve)

    def read(base, name: str, *default):
        try:
            return stage.contents(stage.attribute(base, name))
        except AttributeError:
            if not default:
                raise
            has_attribute(base, name)
            return default[0]

    return read


def has_attribute(base, name: str) -> bool:
    """``hasattr``, which notes the answer for an object that was reached from outside."""
    found, captures = hasattr(base, name), active.captures
    if captures is not None and id(base) in captures.watched:
        captures.read("present" if found else "missing", base, name, None)
    return found
