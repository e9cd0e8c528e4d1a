"""Settings and counters: ``jitad.config``.

Each setting is an attribute and, at import, an environment variable ``JITAD_<NAME>``.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field


def flag(name: str) -> bool:
    return os.environ.get(f"JITAD_{name}", "").lower() in ("1", "true", "yes", "on")


@dataclass
class Counters:
    """How often things have happened in this process."""

    traces: int = 0
    compiles: int = 0
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
    counters
        `Counters` of traces, compilations and calls of kernels in this process.

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
    counters: Counters = field(default_factory=Counters)


config = Config()
