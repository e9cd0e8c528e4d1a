"""BLAS and LAPACK as SciPy ships them, called from LLVM IR by their Fortran interface.

In: routine names without the precision letter (``gemm``) and operands. Out: calls of external functions in the library that SciPy is linked
with. Invariant: symbols are registered with LLVM once per process, under names that do not depend on it.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
from collections.abc import Sequence
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir

from jitad.codegen.emission import room
from jitad.codegen.scalars import I8, I32, I64, POINTER, memory_type

LETTERS = {"f": "s", "d": "d", "F": "c", "D": "z"}
LAPACK = {"getrf", "potrf", "syevd", "heevd", "gesdd", "geqrf", "orgqr", "ungqr", "geev"}
PREFIX = "scipy_"  # of their symbols


@functools.cache
def register(name: str) -> None:
    """Make SciPy's routine `name` (``dgemm``) known to LLVM."""
    module = "cython_lapack" if name[1:] in LAPACK else "cython_blas"
    llvm.add_symbol(PREFIX + name, linked_address(module, name) or exported_address(module, name))


def linked_address(module: str, name: str) -> int | None:
    """Return the address of a routine in the library that a module of ``scipy.linalg`` is linked with; None if it is not found there.

    The module is not initialised for that, which would run the whole package: 160 ms instead of 2.
    """
    library = shared_library(module)
    for symbol in (f"scipy_{name}_", f"{name}_"):
        if library is not None and hasattr(library, symbol):
            return ctypes.cast(getattr(library, symbol), ctypes.c_void_p).value
    return None


@functools.cache
def shared_library(module: str) -> ctypes.CDLL | None:
    package = importlib.util.find_spec("scipy")
    folders = [Path(folder, "linalg") for folder in package.submodule_search_locations or ()] if package else []
    files = [folder / (module + suffix) for folder in folders for suffix in EXTENSION_SUFFIXES]
    try:
        return next((ctypes.CDLL(str(file)) for file in files if file.exists()), None)
    except OSError:
        return None


def exported_address(module: str, name: str) -> int:
    """Return the address of a routine as SciPy tells other extension modules."""
    return capsule_address(importlib.import_module(f"scipy.linalg.{module}").__pyx_capi__[name])


def capsule_signature(capsule) -> str:
    """Return the C signature of a function that Cython exports."""
    function = ctypes.pythonapi.PyCapsule_GetName
    function.restype, function.argtypes = ctypes.c_char_p, [ctypes.py_object]
    return function(capsule).decode()


def capsule_address(capsule) -> int:
    """Return the address of a function that Cython exports."""
    function = ctypes.pythonapi.PyCapsule_GetPointer
    function.restype, function.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return function(capsule, capsule_signature(capsule).encode())


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
