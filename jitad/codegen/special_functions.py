"""The special functions that SciPy ships for compiled code (``scipy.special.cython_special``), called from LLVM IR, one element at a time.

In: an operation ``primitive:function:letters`` (or ``primitive:function:letters:k`` for the k-th of several results), whose letters are the C types
of the operands, d for double and l for int64, and doubles. Out: a double. Invariant: symbols are registered with LLVM once per process, under names
that do not depend on it.
"""

from __future__ import annotations

import functools
import importlib
import re

import llvmlite.binding as llvm
from llvmlite import ir

from jitad.codegen.emission import room
from jitad.codegen.library.blas import capsule_address, capsule_signature
from jitad.codegen.scalars import I32, I64, POINTER
from jitad.ir import errors

PREFIX = "special:"
DOUBLE = ir.DoubleType()
C_TYPES = {"double": "d", "long": "l", "Py_ssize_t": "l", "double *": "p", "int __pyx_skip_dispatch": ""}


@functools.cache
def signatures() -> dict[tuple[str, str], str]:
    """Return the names in SciPy's table of the functions, by function and letters; those of results (p) follow those of operands."""
    found = {}
    for name, capsule in importlib.import_module("scipy.special.cython_special").__pyx_capi__.items():
        result, _, operands = capsule_signature(capsule).rstrip(")").partition(" (")
        letters = [C_TYPES.get(operand, "o" if operand.startswith("struct ") else "?") for operand in operands.split(", ")]
        if result in ("double", "void") and "?" not in letters:
            function = re.fullmatch(r"(?:__pyx_fuse_[\d_]*)?(.+)", name)[1]
            found.setdefault((function, "".join(letters)), name)
    return found


def call(builder: ir.IRBuilder, operation: str, operands: list[ir.Value]) -> ir.Value:
    """Return a function of doubles."""
    _, function, letters, *place = operation.split(":")
    operands = [builder.fptosi(x, I64) if letter == "l" else x for x, letter in zip(operands, letters, strict=False)]
    types = [I64 if letter == "l" else DOUBLE for letter in letters.rstrip("po")]
    symbol = f"{PREFIX}{function}:{letters}"
    results = letters.count("p")
    if results:
        slots = [room(builder, DOUBLE) for _ in range(results)]
        builder.call(declared(builder, symbol, ir.VoidType(), [*types, *[POINTER] * results]), [*operands, *slots])
        return builder.load(slots[int(place[0])], typ=DOUBLE)
    types, operands = [*types, I32], [*operands, ir.Constant(I32, 1)]  # no method of Python's overrides it
    if letters.endswith("o"):
        types, operands = [*types, POINTER], [*operands, ir.Constant(POINTER, None)]  # optional arguments, of which none is given
    return builder.call(declared(builder, symbol, DOUBLE, types), operands)


def declared(builder: ir.IRBuilder, symbol: str, result: ir.Type, types: list[ir.Type]) -> ir.Function:
    function = builder.module.globals.get(symbol)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(result, types), symbol)
        for attribute in ("nounwind", "willreturn") if POINTER in types else ("nounwind", "willreturn", "readnone"):
            set.add(function.attributes, attribute)
    return function


@functools.cache
def register(symbol: str) -> None:
    """Make a function known to LLVM."""
    function, letters = symbol.removeprefix(PREFIX).split(":")
    name = signatures().get((function, letters))
    if name is None:
        raise errors.NotImplementedError(f"the installed SciPy has no scipy.special.{function} for compiled code; a newer one may have it")
    llvm.add_symbol(symbol, capsule_address(importlib.import_module("scipy.special.cython_special").__pyx_capi__[name]))


def symbols_in(module: ir.Module) -> tuple[str, ...]:
    """Return the functions that a module calls; they must be registered before its code is loaded."""
    return tuple(symbol for symbol in module.globals if symbol.startswith(PREFIX))
