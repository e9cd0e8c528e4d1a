"""Settings and counters: ``jitad.config``.

Each setting is an attribute and, at import, an environment variable ``JITAD_<NAME>``.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from dataclasses import dataclass, field

import numpy as np

from jitad.codegen.threads import team
from jitad.ir import errors


def flag(name: str) -> bool:
    return os.environ.get(f"JITAD_{name}", "").lower() in ("1", "true", "yes", "on")


def default_cache_dir() -> str | None:
    """Return ``JITAD_CACHE_DIR``, by default a folder where the system keeps what can be made again; None if there is no such place."""
    given = os.environ.get("JITAD_CACHE_DIR")
    if given is not None:
        return given or None
    base = os.environ.get("XDG_CACHE_HOME") or (os.environ.get("LOCALAPPDATA") if os.name == "nt" else None)
    if not base and sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Caches")
    base = base or os.path.expanduser("~/.cache")
    return os.path.join(base, "jitad") if os.path.isabs(base) else None


UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


def byte_count(value: int | str) -> int:
    """Return a number of bytes, given as a number or as text such as ``"200MB"`` or ``"1.5 GiB"``."""
    if isinstance(value, str):
        found = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*([kmgt]?i?)b?(?:ytes)?\s*", value, re.IGNORECASE)
        unit = UNITS.get(found[2].lower()) if found else None
        if unit:
            return int(float(found[1]) * unit)
    elif isinstance(value, int | np.integer) and not isinstance(value, bool):
        return int(value)
    raise errors.ValueError(f"an amount of memory is a number of bytes or a text such as '200MB' or '2 GiB', not {value!r}")


def thread_count(value: int | str | None) -> int | None:
    """Return a number of threads, given as a number or as text; None is for jitad to choose."""
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value)
    if isinstance(value, int | np.integer) and not isinstance(value, bool) and value > 0:
        return int(value)
    raise errors.ValueError(f"a number of threads is a positive integer, or None for as many as there are CPUs, not {value!r}")


@dataclass
class Counters:
    """How often things have happened in this process."""

    traces: int = 0
    compiles: int = 0
    loads: int = 0
    calls: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)


@dataclass
class Config:
    """The settings of jitad.

    Attributes
    ----------
    strict
        Round every floating-point operation by itself; otherwise a product and a sum may be fused (as compilers of C and
        Fortran do by default). ``JITAD_STRICT``.
    verify
        Check every Program between passes, and the loops made of it. ``JITAD_VERIFY``.
    check_nan
        Raise `FloatingPointError` when a compiled function returns NaN. ``JITAD_CHECK_NAN``.
    verbose
        Print a line for each trace and each compilation. ``JITAD_VERBOSE``.
    cache_dir
        The folder where compiled kernels are kept for later processes, None or ``""`` for none. ``JITAD_CACHE_DIR``; by default ``jitad``
        in the user's cache folder (``XDG_CACHE_HOME``, ``~/.cache``).
    cache_megabytes
        How much they may take; those that have not been used for longest go first. ``JITAD_CACHE_MEGABYTES``.
    memory
        What a derivative may take, for `grad` and the like without a `memory` of their own: a number of bytes, text such as ``"2GB"``, or
        None. ``JITAD_MEMORY``.
    threads
        How many threads a kernel may use for loops that are long enough; None: as many as there are CPUs in the main thread, and one in
        threads that you have made. One kernel at a time uses several. Results are the same for any number of them. ``JITAD_THREADS``.
    counters
        `Counters` of traces, compilations, loads from disk and calls of kernels in this process.
    mode
        What a kernel is compiled for and may be called under without looking at its results: one object for all that are equal, else None.

    Examples
    --------
    >>> import jitad, numpy as np
    >>> square = jitad.jit(lambda x: x * x)
    >>> _ = square(np.ones(3))
    >>> before = jitad.config.counters.compiles
    >>> _ = square(np.zeros(3))
    >>> jitad.config.counters.compiles - before
    0
    """

    strict: bool = field(default_factory=lambda: flag("STRICT"))
    verify: bool = field(default_factory=lambda: flag("VERIFY"))
    check_nan: bool = field(default_factory=lambda: flag("CHECK_NAN"))
    verbose: bool = field(default_factory=lambda: flag("VERBOSE"))
    cache_dir: str | os.PathLike | None = field(default_factory=default_cache_dir)
    cache_megabytes: float = field(default_factory=lambda: float(os.environ.get("JITAD_CACHE_MEGABYTES", 512)))
    memory: int | str | None = field(default_factory=lambda: os.environ.get("JITAD_MEMORY") or None)
    threads: int | None = field(default_factory=lambda: thread_count(os.environ.get("JITAD_THREADS")))
    counters: Counters = field(default_factory=Counters)
    mode: tuple | None = field(init=False, repr=False, compare=False)

    def __setattr__(self, name: str, value):
        if name == "threads":
            value = thread_count(value)
            team.settle(value)
        super().__setattr__(name, value)
        if name != "mode" and "counters" in self.__dict__:
            self.mode = None if self.check_nan else self.unchecked()

    def unchecked(self) -> tuple:
        """Return the `mode` there is without `check_nan`."""
        mode = self.strict, self.memory
        return MODES.setdefault(mode, mode)


MODES: dict[tuple, tuple] = {}
config = Config()
