"""The kernels of this process, by what determines their code.

In: a Program. Out: its `Kernel`, found in memory, loaded from disk or compiled. Invariant: two Programs share code only if they consist of the
same equations under the same settings, and a kernel only if these come from the same lines too.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from jitad.codegen.kernel import Code, Kernel
from jitad.ir.content import Content, content
from jitad.ir.program import Program
from jitad.runtime import collection, disk
from jitad.runtime.config import config

_kernels: dict[Content, tuple[Kernel, Program]] = {}  # Programs are kept, since digests may mention objects in them
_lock = threading.RLock()


def get(program: Program, make: Callable[[str], Code]) -> Kernel:
    """Return the kernel of `program`; ``make(name)`` compiles it if no equal Program has been compiled before."""
    found = content(program, config.strict)
    with _lock:
        if found not in _kernels:
            code = disk.load(found) if found.lasting else None
            if code is None:
                code = make_code(program, found, make)
            else:
                config.counters.loads += 1
            _kernels[found] = Kernel(code, program.input_types, program.output_types), program
        return _kernels[found][0]


def make_code(program: Program, found: Content, make: Callable[[str], Code]) -> Code:
    start = time.perf_counter()
    with collection.of_young_objects():
        code = make(f"jitad_{found.digest}")
    config.counters.compiles += 1
    if config.verbose:
        print(f"jitad: compiled {len(program.equations)} equations in {time.perf_counter() - start:.2f} s")
    if found.lasting:
        disk.store(code, found)
    return code


def clear() -> None:
    """Forget all kernels."""
    with _lock:
        _kernels.clear()
