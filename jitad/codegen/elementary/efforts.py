"""What kernels call for rare arguments of elementary functions: huge angles, negative arguments of the gamma function.

In: object code of a kernel. Out: the functions that it names are known to LLVM. They are compiled when the first kernel names them, in a hurry,
since hardly any kernel calls them, and kept as kernels are. Invariant: only operations of IEEE 754 are in them, so that their results do not
depend on how they are compiled.
"""

from __future__ import annotations

import re
import threading

import llvmlite.binding as llvm

from jitad.codegen import machine
from jitad.codegen.elementary.guard import PREFIX, Guard, define_efforts
from jitad.codegen.elementary.variants import ScalarModule

NAMES = re.compile(PREFIX.encode() + b"([a-z]+)")
_provided: set[str] = set()
_lock = threading.RLock()


def provide(code: bytes) -> None:
    """Make functions known that object code needs; their names are part of it."""
    if PREFIX.encode() not in code:
        return
    with _lock:
        for name in {found.decode() for found in NAMES.findall(code)} - _provided:
            _provided.add(name)
            guard = Guard.table[name]
            content = machine.shared_code(f"effort {name}", lambda guard=guard: text_of(guard))
            provide(content)
            for symbol, address in zip(guard.efforts, machine.load(content, guard.efforts), strict=True):
                llvm.add_symbol(symbol, address)


def text_of(guard: Guard) -> str:
    module = ScalarModule(f"jitad effort {guard.name}")
    define_efforts(module, guard)
    return str(module)
