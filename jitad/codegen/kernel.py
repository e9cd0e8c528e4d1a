"""Kernels: `Loops` compiled inside a Numba intrinsic.

In: `Loops`. Out: a `Kernel`, whose `entry` takes arrays and scalars and returns a tuple of new arrays and scalars. Invariant: inputs of
shape () are passed by value, all others as C-contiguous arrays of exactly the declared types; the GIL is released.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.core.extending import intrinsic
from numba.np.numpy_support import from_dtype

from jitad.codegen.failures import failures
from jitad.codegen.module import emit_body
from jitad.codegen.scalars import I8, I32, I64, memory_type
from jitad.ir.types import ArrayType
from jitad.lower.loops import Loops

_numbers = itertools.count()
STACK_BYTES = 4096


@dataclass(frozen=True)
class Kernel:
    """Compiled loops. `entry` is the quick way in from Python, unchecked; `dispatcher` the Numba function."""

    entry: Callable
    dispatcher: Any
    loops: Loops
    takes_workspace: bool

    @property
    def llvm(self) -> str:
        return "\n".join(self.dispatcher.inspect_llvm().values())

    @property
    def assembly(self) -> str:
        return "\n".join(self.dispatcher.inspect_asm().values())


def numba_type(type: ArrayType) -> types.Type:
    scalar = from_dtype(type.dtype)
    return types.Array(scalar, type.ndim, "C") if type.ndim else scalar


def compile_loops(loops: Loops, strict: bool = False, own_workspace: bool = False) -> Kernel:
    """Compile `loops`.

    The entry takes the inputs and, if the loops need more than a little workspace and `own_workspace` is false, a uint8 array of at
    least ``loops.work_bytes`` bytes.
    """
    takes_workspace = loops.work_bytes > STACK_BYTES and not own_workspace
    argtypes = [numba_type(buffer.type) for buffer in loops.inputs]
    if takes_workspace:
        argtypes.append(types.Array(types.uint8, 1, "C"))
    number = next(_numbers)
    body = make_intrinsic(loops, f"jitad_kernel_{number}", strict, takes_workspace)
    names = ", ".join(f"a{k}" for k in range(len(argtypes)))
    namespace = {"body": body}
    exec(f"def kernel({names}):\n    return body({names})\n", namespace)
    dispatcher = njit(nogil=True)(namespace["kernel"])
    dispatcher.compile(tuple(argtypes))
    (result,) = dispatcher.overloads.values()
    return Kernel(result.entry_point, dispatcher, loops, takes_workspace)


def make_intrinsic(loops: Loops, name: str, strict: bool, takes_workspace: bool):
    """Return the Numba intrinsic that runs `loops`: it allocates the outputs, calls the body and raises what went wrong."""
    result = types.Tuple([numba_type(buffer.type) for buffer in loops.outputs])

    def generate(context, builder, signature, args):
        module = builder.module
        function = emit_body(module, loops, name, strict)
        pointers = [input_pointer(context, builder, typ, value) for typ, value in zip(signature.args, args, strict=True)]
        workspace = pointers.pop() if takes_workspace else None
        outputs = [allocate(context, builder, buffer.type) for buffer in loops.outputs]
        held = None
        if workspace is None:
            workspace, held = scratch(context, builder, loops.work_bytes)
        status = builder.call(function, [*pointers, *[pointer for _, pointer in outputs], workspace])
        if held is not None:
            context.nrt.decref(builder, types.MemInfoPointer(types.uint8), held)
        raise_failures(context, builder, loops, status, [array for array, _ in outputs], result)
        values = [
            array if buffer.type.ndim else load_scalar(builder, buffer.type.dtype, pointer)
            for buffer, (array, pointer) in zip(loops.outputs, outputs, strict=True)
        ]
        return context.make_tuple(builder, result, values)

    names = ", ".join(f"a{k}" for k in range(len(loops.inputs) + takes_workspace))
    namespace = {"generate": generate, "result": result}
    exec(f"def body(typingctx{', ' if names else ''}{names}):\n    return result({names}), generate\n", namespace)
    return intrinsic(namespace["body"])


def input_pointer(context, builder, typ, value) -> ir.Value:
    """Return a pointer to the elements of an argument; scalars are put on the stack."""
    from numba.np import arrayobj

    if isinstance(typ, types.Array):
        return arrayobj.make_array(typ)(context, builder, value).data
    slot = cgutils.alloca_once(builder, context.get_data_type(typ))
    builder.store(context.data_model_manager[typ].as_data(builder, value), slot)
    return slot


def allocate(context, builder, type: ArrayType):
    """Return a new output and the pointer to its elements: an array, or for shape () a slot on the stack."""
    from numba.np import arrayobj  # not before a kernel is compiled: it takes as long to import as all of jitad

    if not type.ndim:
        count = 2 if type.dtype.kind == "c" else 1
        return None, cgutils.alloca_once(builder, memory_type(type.dtype), size=ir.Constant(I32, count))
    shape = [ir.Constant(I64, extent) for extent in type.shape]
    array = arrayobj._empty_nd_impl(context, builder, numba_type(type), shape)
    return array._getvalue(), array.data


def load_scalar(builder, dtype: np.dtype, pointer) -> ir.Value:
    """Return the scalar at `pointer` as Numba represents it."""
    element = memory_type(dtype)
    value = builder.load(pointer, typ=element)
    if dtype.kind == "b":
        return builder.icmp_unsigned("!=", value, ir.Constant(I8, 0))
    if dtype.kind == "c":
        second = builder.load(builder.gep(pointer, [ir.Constant(I64, 1)], source_etype=element), typ=element)
        pair = builder.insert_value(ir.Constant(ir.LiteralStructType([element, element]), ir.Undefined), value, 0)
        return builder.insert_value(pair, second, 1)
    return value


def scratch(context, builder, nbytes: int):
    """Return workspace, and what to release after use: on the stack if small, from Numba's allocator otherwise."""
    if nbytes <= STACK_BYTES:
        slot = cgutils.alloca_once(builder, ir.ArrayType(I8, max(nbytes, 1)))
        slot.align = 64
        return slot, None
    size = context.get_constant(types.uintp, nbytes)
    held = context.nrt.meminfo_alloc_aligned(builder, size, context.get_constant(types.uint32, 64))
    return context.nrt.meminfo_data(builder, held), held


def raise_failures(context, builder, loops: Loops, status, arrays, result) -> None:
    """Raise the exception that belongs to a non-zero status, after releasing the outputs."""
    table = failures(loops)
    if not table:
        return
    with builder.if_then(builder.icmp_signed("!=", status, ir.Constant(I32, 0)), likely=False):
        for typ, array in zip(result.types, arrays, strict=True):
            if array is not None:
                context.nrt.decref(builder, typ, array)
        for number, (exception, message, source) in table.items():
            with builder.if_then(builder.icmp_signed("==", status, ir.Constant(I32, number)), likely=False):
                context.call_conv.return_user_exc(builder, exception, (message, source))
