"""Where in the user's code an equation came from.

In: the Python stack at the moment an operation is recorded. Out: a `Source`. Invariant: never a line of jitad
or of NumPy, unless nothing else is on the stack.
"""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

import numpy as np

LIBRARIES = (os.path.dirname(os.path.dirname(__file__)) + os.sep, os.path.dirname(np.__file__) + os.sep)
_is_library: dict[str, bool] = {}


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


def is_library(file: str) -> bool:
    """Return whether a file of Python code belongs to jitad or to NumPy."""
    _is_library[file] = found = file.startswith(LIBRARIES) or file.startswith("<__array_function__")
    return found


def user_source() -> Source:
    """Return the innermost line on the stack that belongs to the user."""
    frame = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        library = _is_library.get(file)
        if not (is_library(file) if library is None else library):
            return Source(file, frame.f_lineno)
        frame = frame.f_back
    return Source("<unknown>", 0)
