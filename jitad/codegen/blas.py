"""BLAS and LAPACK as SciPy ships them, called from LLVM IR by their Fortran interface.

In: routine names without the precision letter (``gemm``) and operands. Out: calls of external functions whose addresses SciPy's
``__pyx_capi__`` tables give. Invariant: symbols are registered with LLVM once per process, under names that do not depend on it.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir

from jitad.codegen.emission import room
from jitad.codegen.scalars import I8, I32, I64, POINTER, memory_type

LETTERS = {"f": "s", "d": "d", "F": "c", "D": "z"}
LAPACK = {"getrf", "potrf"}
PREFIX = "scipy_"  # of their symbols


@functools.cache
def register(name: str) -> None:
    """Make SciPy's routine `name` (``dgemm``) known to LLVM."""
    from scipy.linalg import cython_blas, cython_lapack

    capsule = (cython_lapack if name[1:] in LAPACK else cython_blas).__pyx_capi__[name]
    get_name, get_pointer = ctypes.pythonapi.PyCapsule_GetName, ctypes.pythonapi.PyCapsule_GetPointer
    get_name.restype, get_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    llvm.add_symbol(PREFIX + name, get_pointer(capsule, get_name(capsule)))


def routines_in(module: ir.Module) -> tuple[str, ...]:
    """Return the routines that a module calls; they must be registered before its code is loaded."""
    return tuple(symbol.removeprefix(PREFIX) for symbol in module.globals if symbol.startswith(PREFIX))


def call(builder: ir.IRBuilder, routine: str, dtype: np.dtype, *operands) -> None:
    """Call `routine` for `dtype`. Operands: a str (a character), an int, a float (a scalar of `dtype`), or an LLVM pointer."""
    symbol = PREFIX + LETTERS[dtype.char] + routine
    pointers = [by_reference(builder, operand, dtype) for operand in operands]
    function = builder.module.globals.get(symbol)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(ir.VoidType(), [POINTER] * len(pointers)), symbol)
        function.attributes.add("nounwind")
    builder.call(function, pointers)


def by_reference(builder: ir.IRBuilder, operand, dtype: np.dtype) -> ir.Value:
    if isinstance(operand, str):
        return constant_slot(builder, [ir.Constant(I8, ord(operand))])
    if isinstance(operand, int):
        return constant_slot(builder, [ir.Constant(I32, operand)])
    if isinstance(operand, float):
        element = memory_type(dtype)
        return constant_slot(builder, [ir.Constant(element, operand), ir.Constant(element, 0.0)][: 1 + (dtype.kind == "c")])
    return operand


def constant_slot(builder: ir.IRBuilder, values: Sequence[ir.Constant]) -> ir.Value:
    slot = room(builder, values[0].type, len(values))
    for k, value in enumerate(values):
        builder.store(value, builder.gep(slot, [ir.Constant(I64, k)], source_etype=value.type))
    return slot
