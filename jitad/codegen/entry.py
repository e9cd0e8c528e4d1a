"""The way from Python into a kernel and back, in LLVM IR: what a C extension would do, for one list of types.

In: the body of a kernel. Out: a function ``entry(table, arguments, count) -> object`` by CPython's vectorcall convention, and Python
functions bound to it. It takes arrays and numbers, and returns a tuple of new arrays and NumPy scalars, or `NotImplemented` if an argument
is not of the exact class, dtype, shape and layout. Invariant: the GIL is released while a body runs that is not over at once; the code
holds no address: objects come from the table, a tuple, and functions of CPython and NumPy are symbols.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Sequence

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir

from jitad.codegen import tapes
from jitad.codegen.elementary import align_stack
from jitad.codegen.emission import external, room
from jitad.codegen.scalars import I8, I32, I64, POINTER, memory_type
from jitad.codegen.threads import team
from jitad.ir.types import SUPPORTED, ArrayType

VOID, DOUBLE = ir.VoidType(), ir.DoubleType()
WORD = ctypes.sizeof(ctypes.c_void_p)
HEADER = object.__basicsize__  # what any object starts with; its class comes last
CLASS = HEADER - WORD
ITEMS = tuple.__basicsize__  # where the elements of a tuple are
DATA, NDIM, DIMENSIONS, DTYPE, FLAGS = (HEADER + place for place in (0, 8, 16, 40, 48))  # of an ndarray
READY = 0x0001 | 0x0100  # NumPy's flags C_CONTIGUOUS and ALIGNED
STACK_BYTES = 4096
PYTHON = {
    "Py_IncRef": (VOID, [POINTER]), "Py_DecRef": (VOID, [POINTER]), "PyErr_Occurred": (POINTER, []), "PyErr_Clear": (VOID, []),
    "PyEval_SaveThread": (POINTER, []), "PyEval_RestoreThread": (VOID, [POINTER]), "PyTuple_New": (POINTER, [I64]),
    "PyLong_AsLongLong": (I64, [POINTER]), "PyLong_AsUnsignedLongLong": (I64, [POINTER]), "PyLong_FromLongLong": (POINTER, [I64]),
    "PyObject_Call": (POINTER, [POINTER, POINTER, POINTER]), **tapes.ALLOCATION,
}  # fmt: skip
NUMPY = {  # the place in NumPy's table of functions, which never changes
    "PyArray_Scalar": (60, (POINTER, [POINTER, POINTER, POINTER])),
    "PyArray_NewFromDescr": (94, (POINTER, [POINTER, POINTER, I32, POINTER, POINTER, POINTER, I32, POINTER])),
}
CLASSES = {"f": float, "c": complex, "b": bool, "i": int, "u": int}
FIXED = [NotImplemented, np.ndarray, True]  # what every table starts with; then what raises, the inputs' dtypes or classes, outputs' dtypes


@functools.cache
def provide_symbols() -> None:
    """Make the functions of CPython and NumPy known to LLVM."""
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    table = get_pointer(np._core._multiarray_umath._ARRAY_API, None)
    for name, (place, _) in NUMPY.items():
        llvm.add_symbol(f"jitad_{name}", ctypes.c_void_p.from_address(table + place * WORD).value)
    for name in PYTHON:
        llvm.add_symbol(f"jitad_{name}", ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value)


class _Method(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("function", ctypes.c_void_p), ("flags", ctypes.c_int), ("doc", ctypes.c_char_p)]


FASTCALL = 0x0080
_methods: dict[int, _Method] = {}


def method_at(address: int) -> _Method:
    """Return CPython's description of the entry at `address`. It is never freed: functions look at it when the process ends and they are."""
    if address not in _methods:
        _methods[address] = _Method(b"kernel", address, FASTCALL, None)
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(_methods[address]))
    return _methods[address]


def bind(address: int, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], fail: Callable, classes: Sequence[type] = ()) -> Callable:
    """Return the Python function of the entry at `address`.

    Parameters
    ----------
    fail
        A function of the status that a body has returned; it raises.
    classes
        The class of each input, looked at where the shape is (): those in `CLASSES`, or NumPy's that are subclasses of them.
    """
    classes = classes or [CLASSES[type.dtype.kind] for type in inputs]
    taken = [SUPPORTED[type.dtype] if type.ndim else cls for type, cls in zip(inputs, classes, strict=True)]
    table = (*FIXED, fail, *taken, *[SUPPORTED[type.dtype] for type in outputs])
    create = ctypes.pythonapi.PyCMethod_New
    create.restype, create.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p, ctypes.c_void_p]
    return create(ctypes.addressof(method_at(address)), table, None, None)


def emit_entry(body: ir.Function, name: str, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], work_bytes: int, shared: bool,
               brief: bool) -> None:
    """Emit the entry of `body` in its module; if it is `shared`, several threads may run it together, and if it is `brief`, it keeps the GIL.

    If the body needs more workspace than fits on the stack, the entry takes one more argument: a uint8 array that is large enough.
    """
    EntryEmitter(body, name, inputs, outputs, work_bytes).emit(shared, brief)


class EntryEmitter:
    """Emits one entry."""

    def __init__(self, body: ir.Function, name: str, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], work_bytes: int):
        self.body, self.inputs, self.outputs, self.work_bytes = body, inputs, outputs, work_bytes
        self.function = ir.Function(body.module, ir.FunctionType(POINTER, [POINTER, POINTER, I64]), name)
        align_stack(self.function)
        self.table, self.arguments, self.count = self.function.args
        self.builder = ir.IRBuilder(self.function.append_basic_block("entry"))
        self.mismatch = self.function.append_basic_block("mismatch")
        self.failed = self.function.append_basic_block("failed")

    def emit(self, shared: bool, brief: bool) -> None:
        b = self.builder
        takes_workspace = self.work_bytes > STACK_BYTES
        self.require(b.icmp_signed("==", self.count, ir.Constant(I64, len(self.inputs) + takes_workspace)))
        pointers = [self.read(k, type) for k, type in enumerate(self.inputs)]
        ir.IRBuilder(self.failed).ret(ir.Constant(POINTER, None))
        arrays, targets = [], []
        for k, type in enumerate(self.outputs):
            arrays.append(self.new_array(k, type) if type.ndim else None)
            targets.append(self.field(arrays[-1], DATA) if type.ndim else room(b, I64, 2))
        if takes_workspace:
            workspace = self.field(self.argument(len(self.inputs)), DATA)
        else:
            workspace = room(b, I8, max(self.work_bytes, 1), align=64)
        thread = None if brief else self.call("PyEval_SaveThread")
        threads = team.call(b, team.ENTER) if shared else ir.Constant(I32, 1)
        status = b.call(self.body, [*pointers, *targets, workspace, threads])
        if shared:
            team.call(b, team.LEAVE, threads)
        if not brief:
            self.call("PyEval_RestoreThread", thread)
        with b.if_then(b.icmp_signed("!=", status, ir.Constant(I32, 0)), likely=False):
            self.fail(status)
        b.ret(self.results(arrays, targets))
        b.position_at_end(self.mismatch)
        b.ret(self.counted(self.entry(0)))

    # --- reading --------------------------------------------------------------------------------------------------------------

    def field(self, base: ir.Value, place: int, type: ir.Type = POINTER) -> ir.Value:
        """Return what lies `place` bytes behind `base`."""
        return self.builder.load(self.builder.gep(base, [ir.Constant(I64, place)], source_etype=I8), typ=type)

    def entry(self, place: int) -> ir.Value:
        return self.field(self.table, ITEMS + WORD * place)

    def argument(self, number: int) -> ir.Value:
        return self.field(self.arguments, WORD * number)

    def require(self, condition: ir.Value) -> None:
        """Return `NotImplemented` unless a condition holds."""
        following = self.builder.append_basic_block("matches")
        self.builder.cbranch(condition, following, self.mismatch)
        self.builder.position_at_end(following)

    def same(self, x: ir.Value, y: ir.Value) -> None:
        self.require(self.builder.icmp_unsigned("==", x, y))

    def read(self, number: int, type: ArrayType) -> ir.Value:
        """Return the pointer to the elements of an argument."""
        x, expected = self.argument(number), self.entry(len(FIXED) + 1 + number)
        if not type.ndim:
            self.same(self.field(x, CLASS), expected)
            return self.read_scalar(x, type.dtype)
        self.same(self.field(x, CLASS), self.entry(1))
        self.same(self.field(x, DTYPE), expected)
        self.same(self.field(x, NDIM, I32), ir.Constant(I32, type.ndim))
        self.same(self.builder.and_(self.field(x, FLAGS, I32), ir.Constant(I32, READY)), ir.Constant(I32, READY))
        dimensions = self.field(x, DIMENSIONS)
        for axis, extent in enumerate(type.shape):
            self.same(self.field(dimensions, WORD * axis, I64), ir.Constant(I64, extent))
        return self.field(x, DATA)

    def read_scalar(self, x: ir.Value, dtype: np.dtype) -> ir.Value:
        b, element, kind = self.builder, memory_type(dtype), dtype.kind
        slot = room(b, element, 2)
        if kind in "fc":
            for part in range(1 + (kind == "c")):
                value = self.field(x, HEADER + 8 * part, DOUBLE)
                value = value if element == DOUBLE else b.fptrunc(value, element)
                b.store(value, b.gep(slot, [ir.Constant(I64, part)], source_etype=element))
        elif kind == "b":
            b.store(b.zext(b.icmp_unsigned("==", x, self.entry(2)), I8), slot)
        else:
            value = self.call("PyLong_AsLongLong" if kind == "i" else "PyLong_AsUnsignedLongLong", x)
            with b.if_then(b.icmp_signed("==", value, ir.Constant(I64, -1)), likely=False):
                problem = self.call("PyErr_Occurred")
                with b.if_then(b.icmp_unsigned("!=", problem, ir.Constant(POINTER, None)), likely=False):
                    self.call("PyErr_Clear")
                    b.branch(self.mismatch)
                    b.position_at_end(b.append_basic_block("never"))
            b.store(value if element == I64 else b.trunc(value, element), slot)
        return slot

    # --- returning ------------------------------------------------------------------------------------------------------------

    def call(self, name: str, *operands: ir.Value) -> ir.Value:
        result, arguments = PYTHON[name] if name in PYTHON else NUMPY[name][1]
        return self.builder.call(external(self.builder, f"jitad_{name}", result, arguments), operands)

    def counted(self, x: ir.Value) -> ir.Value:
        self.call("Py_IncRef", x)
        return x

    def dtype_of(self, number: int) -> ir.Value:
        return self.entry(len(FIXED) + 1 + len(self.inputs) + number)

    def new_array(self, number: int, type: ArrayType) -> ir.Value:
        null = ir.Constant(POINTER, None)
        extents = ir.GlobalVariable(self.builder.module, ir.ArrayType(I64, type.ndim), f"{self.function.name}.shape{number}")
        extents.global_constant, extents.linkage = True, "internal"
        extents.initializer = ir.Constant(extents.value_type, list(type.shape))
        return self.owned(self.call("PyArray_NewFromDescr", self.entry(1), self.counted(self.dtype_of(number)), ir.Constant(I32, type.ndim), extents,
                                    null, null, ir.Constant(I32, 0), null))

    def owned(self, x: ir.Value) -> ir.Value:
        """Return an object that was made, which what fails from now on gives back, and then what was made before it."""
        x = self.made(x)
        release = self.function.append_basic_block("release")
        with self.builder.goto_block(release):
            self.call("Py_DecRef", x)
            self.builder.branch(self.failed)
        self.failed = release
        return x

    def made(self, x: ir.Value) -> ir.Value:
        """Return `x`; if it could not be made, give back all that is owned and leave the entry to the exception that CPython has set."""
        following = self.builder.append_basic_block("made")
        self.builder.cbranch(self.builder.icmp_unsigned("==", x, ir.Constant(POINTER, None)), self.failed, following)
        self.builder.position_at_end(following)
        return x

    def fail(self, status: ir.Value) -> None:
        before = self.failed
        number = self.owned(self.call("PyLong_FromLongLong", self.builder.sext(status, I64)))
        arguments = self.tuple_of([number])
        self.call("PyObject_Call", self.entry(len(FIXED)), arguments, ir.Constant(POINTER, None))
        self.call("Py_DecRef", arguments)
        self.builder.branch(before)
        self.builder.position_at_end(self.builder.append_basic_block("never"))
        self.failed = before

    def results(self, arrays: list[ir.Value | None], slots: list[ir.Value]) -> ir.Value:
        """Return the tuple of the outputs."""
        scalars = [self.owned(self.call("PyArray_Scalar", slot, self.dtype_of(number), ir.Constant(POINTER, None))) if array is None else None
                   for number, (array, slot) in enumerate(zip(arrays, slots, strict=True))]
        return self.tuple_of([y if x is None else x for x, y in zip(arrays, scalars, strict=True)])

    def tuple_of(self, parts: list[ir.Value]) -> ir.Value:
        """Return a tuple of objects that are owned, which are then the tuple's."""
        result = self.made(self.call("PyTuple_New", ir.Constant(I64, len(parts))))
        for place, x in enumerate(parts):
            self.builder.store(x, self.builder.gep(result, [ir.Constant(I64, ITEMS + WORD * place)], source_etype=I8))
        return result
