"""Lines that kernels write: a call from a kernel back into Python.

In: a line (`jitad.ir.lines`) and pointers to its values. Out: text on Python's streams, as they are at that moment. Invariant: the GIL is held
while a line is written; what is raised meanwhile (a closed stream, an interrupt) ends the kernel, and is raised again by it.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir

from jitad.codegen.emission import external, room
from jitad.codegen.scalars import I8, I32, I64, POINTER
from jitad.ir import lines
from jitad.lower.grammar.loops import Buffer, Call

SYMBOL = "jitad_print"
_raised: list[BaseException] = []


@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p, ctypes.POINTER(ctypes.c_void_p))
def write(text: bytes, addresses) -> int:
    """Write a line with the values that lie at the addresses; return whether that has failed."""
    try:
        line = lines.load(text.decode())
        line.write([copied(addresses[k], type) for k, type in enumerate(line.types)])
    except BaseException as error:
        _raised.append(error)
        return 1
    return 0


def copied(address: int, type) -> np.ndarray:
    """Return the array of a type that lies at an address."""
    return np.frombuffer(ctypes.string_at(address, type.nbytes), type.dtype, type.size).reshape(type.shape)


def raise_again() -> None:
    """Raise what has ended a kernel, if that came from a line."""
    if _raised:
        raise _raised.pop()


@functools.cache
def provide() -> None:
    """Make the function known to LLVM."""
    llvm.add_symbol(SYMBOL, ctypes.cast(write, ctypes.c_void_p).value)


def provide_for(content: bytes) -> None:
    """Make the function known if machine code calls it."""
    if SYMBOL.encode() in content:
        provide()


def emit_print(builder: ir.IRBuilder, call: Call, pointer: Callable[[Buffer], ir.Value], failure: int) -> ir.Value:
    """Emit the call; its status is 0 or `failure`. The log that it returns is the one it was given."""
    text = bytearray(call.params["line"].encode() + b"\0")
    place = ir.GlobalVariable(builder.module, ir.ArrayType(I8, len(text)), builder.module.get_unique_name("jitad.line"))
    place.linkage, place.global_constant, place.initializer = "internal", True, ir.Constant(ir.ArrayType(I8, len(text)), text)
    log, *values = call.inputs
    addresses = room(builder, POINTER, max(len(values), 1))
    for k, buffer in enumerate(values):
        builder.store(pointer(buffer), builder.gep(addresses, [ir.Constant(I64, k)], source_etype=POINTER))
    failed = builder.call(external(builder, SYMBOL, I32, [POINTER, POINTER]), [place, addresses])
    builder.store(builder.load(pointer(log), typ=I64), pointer(call.outputs[0]))
    return builder.select(builder.icmp_signed("!=", failed, ir.Constant(I32, 0)), ir.Constant(I32, failure), ir.Constant(I32, 0))
