"""Garbage collection while something is compiled.

Programs and loops are many small objects, most of which live until the end: Python's collector would look through everything that the process
holds, again and again, and find nothing. Invariant: what the user has set is set again as soon as nobody compiles.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

NEVER = 2**30

_lock = threading.Lock()
_compiling = 0
_threshold = 0


@contextmanager
def of_young_objects() -> Iterator[None]:
    """Let the collector leave alone what is old."""
    global _compiling, _threshold
    with _lock:
        if not _compiling:
            *young, _threshold = gc.get_threshold()
            gc.set_threshold(*young, NEVER)
        _compiling += 1
    try:
        yield
    finally:
        with _lock:
            _compiling -= 1
            if not _compiling:
                gc.set_threshold(*gc.get_threshold()[:2], _threshold)
