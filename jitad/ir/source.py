"""Where in the user's code an equation came from.

In: the Python stack at the moment an operation is recorded. Out: a `Source`. Invariant: never a line of jitad,
of NumPy or of another large library, unless nothing else is on the stack.
"""

from __future__ import annotations

import os
import sys
import types
from typing import NamedTuple

from jitad.ir.libraries import is_library


class Source(NamedTuple):
    """A file and a line (counted from 1) of the user's."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    @property
    def short(self) -> str:
        """The file's name without its folder, and the line."""
        return f"{os.path.basename(self.file)}:{self.line}"


def library_call() -> str | None:
    """Return the name of the function that the user's line has called, if it is one of another library than NumPy."""
    frame, name = sys._getframe(1), None
    while frame is not None and is_library(frame.f_code.co_filename):
        module = frame.f_globals.get("__name__", "")
        if module.partition(".")[0] not in ("jitad", "numpy", *sys.stdlib_module_names):
            name = public_name(frame, module)
        frame = frame.f_back
    return name


def public_name(frame, module: str) -> str:
    """Return the name of the function that a frame runs, as users write it; in a decorator's, of the function that is decorated."""
    code, name = frame.f_code, frame.f_code.co_name
    inner = [frame.f_locals.get(name) for name in code.co_freevars] if "wrap" in code.co_name else []
    for function in inner:
        if isinstance(function, types.FunctionType):
            module, name = function.__module__, function.__name__
    return ".".join([part for part in module.split(".") if not part.startswith("_")] + [name])


def user_source() -> Source:
    """Return the innermost line on the stack that belongs to the user."""
    frame = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if not is_library(file):
            return Source(file, frame.f_lineno)
        frame = frame.f_back
    return Source("<unknown>", 0)
