"""Builtins that look into objects: what they say of traced arrays, and of attributes that a trace reads by name."""

from __future__ import annotations

from collections.abc import Callable

from jitad.frontend.hooks.staging import Stage
from jitad.frontend.tracing.captures import active


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
