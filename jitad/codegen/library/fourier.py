"""Fourier transforms as NumPy computes them, called from LLVM IR.

In: a `Call` of ``fft``, ``rfft`` or ``irfft``. Out: calls of the inner loops of the ufuncs that ``numpy.fft`` is made of, along any axis,
nothing copied. Invariant: code names loops by symbols that do not depend on the process; whoever loads it has made known those it needs.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
from collections.abc import Callable
from math import prod

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir

from jitad.codegen import machine
from jitad.codegen.emission import external, room
from jitad.codegen.loop import Loop
from jitad.codegen.scalars import I64, POINTER, memory_type
from jitad.ir.types import ArrayType, real_dtype
from jitad.lower.grammar.loops import Buffer, Call

PREFIX = "jitad_fourier_"
TYPES = {"fft": "{0}{1}->{0}", "ifft": "{0}{1}->{0}", "rfft_n_even": "{1}{1}->{0}", "rfft_n_odd": "{1}{1}->{0}", "irfft": "{0}{1}->{1}"}
LOOP = ctypes.CFUNCTYPE(None, *[ctypes.POINTER(ctypes.c_void_p)], *[ctypes.POINTER(ctypes.c_ssize_t)] * 2, ctypes.c_void_p)


class UFunc(ctypes.Structure):
    """The beginning of a ufunc, which NumPy's C interface lays down: its loops, and what each is given besides its operands."""

    _fields_ = [
        ("head", ctypes.c_byte * object.__basicsize__), ("nin", ctypes.c_int), ("nout", ctypes.c_int), ("nargs", ctypes.c_int),
        ("identity", ctypes.c_int), ("functions", ctypes.POINTER(ctypes.c_void_p)), ("data", ctypes.POINTER(ctypes.c_void_p)),
        ("ntypes", ctypes.c_int),
    ]  # fmt: skip


def emit_transform(builder: ir.IRBuilder, call: Call, pointer: Callable[[Buffer], ir.Value]) -> None:
    """Along the last axis all rows at once, otherwise for each index of the axes before it all of those behind."""
    (source,), (target,) = call.input_types, call.output_types
    axis, pair = call.params["axis"], COMPLEX.get(target.dtype, target.dtype)
    before, behind = prod(target.shape[:axis]), prod(target.shape[axis + 1 :])
    along = [type.shape[axis] for type in (source, target)]
    columns = behind > 1
    count = behind if columns else before
    strides = [type.dtype.itemsize * (1 if columns else n) for type, n in zip((source, target), along, strict=True)]
    steps = [type.dtype.itemsize * behind for type in (source, target)]
    factor = room(builder, memory_type(real_dtype(pair)))
    builder.store(ir.Constant(memory_type(real_dtype(pair)), call.params["factor"]), factor)
    dimensions, steps = numbers(builder, [count, *along]), numbers(builder, [strides[0], 0, strides[1], *steps])
    loop = external(builder, PREFIX + loop_name(call, target, axis) + pair.char, ir.VoidType(), [POINTER] * 3)
    operands = room(builder, POINTER, 3)
    with Loop(builder, 0, before - 1 if columns else 0) as k:
        places = [part(builder, pointer(buffer), k, type, before) for buffer, type in ((call.inputs[0], source), (call.outputs[0], target))]
        for number, place in enumerate((places[0], factor, places[1])):
            builder.store(place, builder.gep(operands, [ir.Constant(I64, number)], source_etype=POINTER))
        builder.call(loop, [operands, dimensions, steps])


COMPLEX = {np.dtype(real): np.dtype(pair) for real, pair in ("fF", "dD")}


def loop_name(call: Call, target: ArrayType, axis: int) -> str:
    if call.routine == "rfft":
        return "rfft_n_odd" if call.params["n"] % 2 else "rfft_n_even"
    return "ifft" if call.params.get("sign", -1) > 0 else call.routine


def part(builder: ir.IRBuilder, base: ir.Value, k: ir.Value, type: ArrayType, count: int) -> ir.Value:
    """Return the address of the k-th of so many parts of an array."""
    return builder.gep(base, [builder.mul(k, ir.Constant(I64, type.size // count * type.dtype.itemsize))], source_etype=ir.IntType(8))


def numbers(builder: ir.IRBuilder, values: list[int]) -> ir.Value:
    slot = room(builder, I64, len(values))
    for k, value in enumerate(values):
        builder.store(ir.Constant(I64, value), builder.gep(slot, [ir.Constant(I64, k)], source_etype=I64))
    return slot


# --- NumPy's loops ------------------------------------------------------------------------------------------------------------


def provide_for(content: bytes) -> None:
    """Make known the loops that machine code calls."""
    for name in TYPES:
        for pair in "FD":
            if (PREFIX + name + pair).encode() in content:
                provide(name, pair)


@functools.cache
def provide(name: str, pair: str) -> None:
    """Make a loop known to LLVM, as a function of operands, dimensions and steps."""
    address, data = loop_of_numpy(name, pair) or (ctypes.cast(loop_through_python(name, pair), ctypes.c_void_p).value, 0)
    symbol = PREFIX + name + pair
    text = f"""
define void @{symbol}(ptr %operands, ptr %dimensions, ptr %steps) {{
  call void inttoptr (i64 {address} to ptr)(ptr %operands, ptr %dimensions, ptr %steps, ptr inttoptr (i64 {data or 0} to ptr))
  ret void
}}
"""
    llvm.add_symbol(symbol, *machine.load(machine.direct_object_code(text), [symbol]))


def loop_of_numpy(name: str, pair: str) -> tuple[int, int | None] | None:
    """Return the addresses of a loop and of its data; None where NumPy has none of the kind."""
    try:
        ufunc = getattr(importlib.import_module("numpy.fft._pocketfft_umath"), name)
    except (ImportError, AttributeError):
        return None
    record = UFunc.from_address(id(ufunc))
    types = TYPES[name].format(pair, real_dtype(np.dtype(pair)).char)
    if (record.nin, record.nout, record.ntypes) != (2, 1, len(ufunc.types)) or types not in ufunc.types:
        return None
    number = ufunc.types.index(types)
    return record.functions[number], record.data[number] if record.data else None


@functools.cache
def loop_through_python(name: str, pair: str):
    """Return a loop that calls NumPy's function; what that raises (for want of memory) leaves NaN."""
    real = real_dtype(np.dtype(pair)).char
    given, _, _, _, made = TYPES[name].format(pair, real)
    function = {"fft": np.fft.fft, "irfft": np.fft.irfft, "ifft": np.fft.ifft}.get(name, np.fft.rfft)

    @LOOP
    def run(operands, dimensions, steps, data):
        count, taken, results = dimensions[0], dimensions[1], dimensions[2]
        x = strided(operands[0], (count, taken), (steps[0], steps[3]), given)
        result = strided(operands[2], (count, results), (steps[2], steps[4]), made)
        try:
            n = {"irfft": results}.get(name, taken)
            result[...] = function(x, n, norm="backward" if function in (np.fft.fft, np.fft.rfft) else "forward")
            result *= np.dtype(real).type(strided(operands[1], (), (), real))
        except BaseException:
            result[...] = np.nan

    return run


def strided(address: int, shape: tuple[int, ...], strides: tuple[int, ...], char: str) -> np.ndarray:
    dtype = np.dtype(char)
    size = dtype.itemsize + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    return np.ndarray(shape, dtype, (ctypes.c_byte * size).from_address(address), 0, strides)
