"""Kernels as functions for compiled callers: Numba's, and C's.

In: a `Kernel`, and arrays for its last inputs. Out: a Numba function, or a C function, of the others. Invariant: every call has a workspace of its
own and runs in the thread that makes it, so that threads may call together; nothing takes the GIL.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir

from jitad.codegen import machine
from jitad.codegen.emission import external, room, room_for
from jitad.codegen.entry import STACK_BYTES
from jitad.codegen.kernel import Kernel
from jitad.codegen.scalars import I8, I32, I64, POINTER, memory_type
from jitad.ir import errors
from jitad.ir.types import ArrayType

ALIGNMENT = 64
ALONE = ir.Constant(I32, 1)  # the number of threads: the caller may be one of several


def body_type(kernel: Kernel) -> ir.FunctionType:
    return ir.FunctionType(I32, [*[POINTER] * (len(kernel.inputs) + len(kernel.outputs) + 1), I32])


def address_of(array: np.ndarray) -> ir.Constant:
    return ir.Constant(I64, array.ctypes.data).inttoptr(POINTER)


# --- Numba --------------------------------------------------------------------------------------------------------------------------


def numba_function(kernel: Kernel, results: int, bound: Sequence[np.ndarray] = ()) -> Callable:
    """Return a function compiled by Numba.

    It takes the inputs before those that are `bound`, and returns the first outputs, those that are `results`; or after the inputs an array for
    each of these that is one, which it fills, and returns the others. One result is returned as it is, several as a tuple.
    """
    from numba import njit
    from numba.core.extending import intrinsic

    @intrinsic
    def run(typingctx, arguments):
        caller = Caller(kernel, results, list(bound), list(arguments))
        return caller.result(arguments), caller.generate

    @njit(nogil=True)
    def function(*arguments):
        return run(arguments)

    return function


class Caller:
    """Emits one call of a kernel from a function of Numba's, for arguments of given Numba types."""

    def __init__(self, kernel: Kernel, results: int, bound: list[np.ndarray], given: list):
        self.kernel, self.bound, self.given = kernel, bound, given
        self.outputs, self.others = kernel.outputs[:results], kernel.outputs[results:]
        self.inputs = list(kernel.inputs[: len(kernel.inputs) - len(bound)])
        self.arrays = [type for type in self.outputs if type.ndim]
        self.fills = len(given) != len(self.inputs)
        wanted = [*self.inputs, *self.arrays * self.fills]
        if len(given) != len(wanted):
            self.refuse(f"takes {len(self.inputs)} arguments, or {len(self.inputs) + len(self.arrays)} with those for the results, not {len(given)}")
        for place, (type, typ) in enumerate(zip(wanted, given, strict=True)):
            self.check(type, typ, place)

    def refuse(self, problem: str) -> None:
        from numba.core.errors import TypingError

        raise TypingError(f"a kernel of jitad {problem}")

    def check(self, type: ArrayType, typ, place: int) -> None:
        from numba import types
        from numba.np.numpy_support import from_dtype

        scalar, filled = from_dtype(type.dtype), place >= len(self.inputs)
        if type.ndim:
            right = isinstance(typ, types.Array) and (typ.ndim, typ.dtype, typ.layout) == (type.ndim, scalar, "C")
            if not right or not typ.aligned or filled and not typ.mutable:
                self.refuse(f"takes {'a writable' * filled or 'a'} C-contiguous array of {scalar} with {type.ndim} dimensions as argument "
                            f"{place}, not {typ}")
        elif not isinstance(typ, types.Number | types.Boolean):
            self.refuse(f"takes a number as argument {place}, not {typ}")

    def result(self, arguments):
        """Return the signature of the call."""
        from numba import types

        results = [numba_type(type) for type in self.outputs if not (type.ndim and self.fills)]
        whole = results[0] if len(results) == 1 else types.Tuple(results) if results else types.none
        return whole(arguments)

    def generate(self, context, builder, signature, args):
        from numba.core import types
        from numba.np import arrayobj

        (arguments,) = args
        values = [builder.extract_value(arguments, k) for k in range(len(self.given))]
        pointers, filled, arrays = [], [], []
        for place, (type, typ, value) in enumerate(zip([*self.inputs, *self.arrays], self.given, values, strict=False)):
            if type.ndim:
                array = arrayobj.make_array(typ)(context, builder, value)
                self.check_shape(context, builder, array, type, place)
                if place >= len(self.inputs):
                    self.check_apart(context, builder, (place, type, array.data), arrays)
                arrays.append((place, type, array.data))
                (pointers if place < len(self.inputs) else filled).append(array.data)
            else:
                wanted = numba_type(type)
                value = context.cast(builder, value, typ, wanted)
                pointers.append(room_for(builder, context.data_model_manager[wanted].as_data(builder, value)))
        pointers += [address_of(array) for array in self.bound]
        arrays, targets = [], []
        for type in self.outputs:
            array = None
            if type.ndim and not self.fills:
                array = arrayobj._empty_nd_impl(context, builder, numba_type(type), [ir.Constant(I64, extent) for extent in type.shape])
            arrays.append(array)
            targets.append(array.data if array else filled.pop(0) if type.ndim else room(builder, I64, 2))
        targets += [room(builder, I64, 2) for _ in self.others]
        workspace, held = self.workspace(context, builder)
        function = context.add_dynamic_addr(builder, self.kernel.addresses[1], info=self.kernel.code.body_name)
        function = builder.bitcast(function, body_type(self.kernel).as_pointer())
        status = builder.call(function, [*pointers, *targets, workspace, ALONE])
        if held is not None:
            context.nrt.decref(builder, types.MemInfoPointer(types.uint8), held)
        self.raise_failures(context, builder, status, arrays)
        results = [array._getvalue() if array else load_scalar(builder, type.dtype, target)
                   for type, array, target in zip(self.outputs, arrays, targets, strict=False) if array or not type.ndim]
        if len(results) == 1:
            return results[0]
        return context.make_tuple(builder, signature.return_type, results) if results else context.get_dummy_value()

    def check_shape(self, context, builder, array, type: ArrayType, place: int) -> None:
        for axis, extent in enumerate(type.shape):
            found = builder.extract_value(array.shape, axis)
            with builder.if_then(builder.icmp_signed("!=", found, ir.Constant(I64, extent)), likely=False):
                message = f"argument {place} of a kernel of jitad has another shape than {type.shape}, for which it was compiled"
                context.call_conv.return_user_exc(builder, ValueError, (message,))

    def check_apart(self, context, builder, target: tuple, others: list[tuple]) -> None:
        """Raise if an array for a result shares memory with an argument before it: the kernel takes it that none does."""
        place, type, start = target
        for other, other_type, other_start in others:
            first, second = (builder.ptrtoint(x, I64) for x in (start, other_start))
            before = builder.icmp_unsigned("<", first, builder.add(second, ir.Constant(I64, other_type.nbytes)))
            after = builder.icmp_unsigned("<", second, builder.add(first, ir.Constant(I64, type.nbytes)))
            with builder.if_then(builder.and_(before, after), likely=False):
                message = f"argument {place} of a kernel of jitad is for a result, but it shares memory with argument {other}, which must not be"
                context.call_conv.return_user_exc(builder, ValueError, (message,))

    def workspace(self, context, builder):
        """Return memory to work in, and what to release after use: on the stack if small, from Numba's allocator otherwise."""
        from numba.core import types

        if not self.kernel.work_bytes:
            return room(builder, I8, STACK_BYTES, align=ALIGNMENT), None
        size = context.get_constant(types.uintp, self.kernel.work_bytes)
        held = context.nrt.meminfo_alloc_aligned(builder, size, context.get_constant(types.uint32, ALIGNMENT))
        return context.nrt.meminfo_data(builder, held), held

    def raise_failures(self, context, builder, status, arrays) -> None:
        failures = self.kernel.code.failures
        if not failures:
            return
        with builder.if_then(builder.icmp_signed("!=", status, ir.Constant(I32, 0)), likely=False):
            for type, array in zip(self.outputs, arrays, strict=True):
                if array:
                    context.nrt.decref(builder, numba_type(type), array._getvalue())
            for number, failure in failures.items():
                with builder.if_then(builder.icmp_signed("==", status, ir.Constant(I32, number)), likely=False):
                    context.call_conv.return_user_exc(builder, failure.cls, failure.arguments)


def numba_type(type: ArrayType):
    from numba import types
    from numba.np.numpy_support import from_dtype

    scalar = from_dtype(type.dtype)
    return types.Array(scalar, type.ndim, "C") if type.ndim else scalar


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


# --- C ------------------------------------------------------------------------------------------------------------------------------

C_TYPES = {np.dtype(t): t for t in (ctypes.c_bool, ctypes.c_float, ctypes.c_double, *[
    getattr(ctypes, f"c_{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32, 64)])}


def c_function(kernel: Kernel, results: int, bound: Sequence[np.ndarray] = ()):
    """Return a function of C's, as `ctypes` has it.

    A single result of shape () is returned, NaN if it could not be computed (0 for integers); else the results are pointers
    behind the arguments, and what is returned is 0 for success. Arguments are numbers, or pointers to the elements of arrays; if there is
    but one argument, with one dimension, its length comes first, as an int.
    """
    inputs = list(kernel.inputs[: len(kernel.inputs) - len(bound)])
    outputs = kernel.outputs[:results]
    for type in (*inputs, *outputs):
        if type.dtype.kind == "c" and not type.ndim:
            raise errors.TypeError("C functions take and return no complex numbers here; take and return arrays of them")
    returns = len(outputs) == 1 and not outputs[0].ndim
    counted = len(inputs) == 1 and inputs[0].ndim == 1 and returns
    name = f"{kernel.code.name}.c{results}{hash(tuple(array.ctypes.data for array in bound)) if bound else ''}"
    llvm.add_symbol(kernel.code.body_name, kernel.addresses[1])
    module = ir.Module(name)
    emit_c_function(module, name, kernel, inputs, outputs, bound, returns, counted)
    (address,) = machine.load(machine.object_code(module), [name])
    arguments = [ctypes.POINTER(C_TYPES.get(type.dtype, ctypes.c_double)) if type.ndim else C_TYPES[type.dtype] for type in inputs]
    targets = [] if returns else [ctypes.POINTER(C_TYPES.get(type.dtype, ctypes.c_double)) for type in outputs]
    result = C_TYPES[outputs[0].dtype] if returns else ctypes.c_int
    function = ctypes.CFUNCTYPE(result, *[ctypes.c_int] * counted, *arguments, *targets)(address)
    function.bound = bound  # whose memory it reads
    return function


def emit_c_function(module, name: str, kernel: Kernel, inputs, outputs, bound, returns: bool, counted: bool) -> None:
    parameters = [POINTER if type.ndim else memory_type(type.dtype) for type in inputs]
    element = memory_type(outputs[0].dtype) if returns else I32
    types = [*[I32] * counted, *parameters, *[POINTER] * (0 if returns else len(outputs))]
    function = ir.Function(module, ir.FunctionType(element, types), name)
    b = ir.IRBuilder(function.append_basic_block("entry"))
    arguments = list(function.args)
    wrong = ir.Constant(element, float("nan") if isinstance(element, ir.FloatType | ir.DoubleType) else 0)
    if counted:
        with b.if_then(b.icmp_signed("!=", arguments.pop(0), ir.Constant(I32, inputs[0].size)), likely=False):
            b.ret(wrong)
    pointers = [x if type.ndim else room_for(b, x) for type, x in zip(inputs, arguments, strict=False)]
    targets = [room(b, I64, 2)] if returns else arguments[len(inputs) :]
    targets += [room(b, I64, 2) for _ in kernel.outputs[len(outputs) :]]
    large = kernel.work_bytes
    workspace = held = None
    if large:
        held = b.call(external(b, "malloc", POINTER, [I64]), [ir.Constant(I64, large + ALIGNMENT)])
        start = b.and_(b.add(b.ptrtoint(held, I64), ir.Constant(I64, ALIGNMENT - 1)), ir.Constant(I64, -ALIGNMENT))
        workspace = b.inttoptr(start, POINTER)
    else:
        workspace = room(b, I8, STACK_BYTES, align=ALIGNMENT)
    body = ir.Function(module, body_type(kernel), kernel.code.body_name)
    status = b.call(body, [*pointers, *[address_of(array) for array in bound], *targets, workspace, ALONE])
    if large:
        b.call(external(b, "free", ir.VoidType(), [POINTER]), [held])
    failed = b.icmp_signed("!=", status, ir.Constant(I32, 0))
    b.ret(b.select(failed, wrong, b.load(targets[0], typ=element)) if returns else status)
