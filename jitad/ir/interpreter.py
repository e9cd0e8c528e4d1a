"""Evaluate a Program with NumPy, one equation after another: the reference that compiled kernels are held against."""

from __future__ import annotations

import numpy as np

from jitad.ir import errors
from jitad.ir.program import Literal, Program


def evaluate(program: Program, *arrays) -> list[np.ndarray]:
    """Return the outputs of `program` on `arrays`, as arrays of exactly the types that the Program declares."""
    env = {}

    def write(var, value):
        value = np.asarray(value)
        if value.dtype != var.dtype or value.shape != var.shape:
            raise errors.InternalError(f"{var.equation!r} evaluates to {value.dtype}{list(value.shape)}, not {var.type}")
        env[var] = value

    def read(atom):
        return np.asarray(atom.value) if isinstance(atom, Literal) else env[atom]

    for var, array in zip(program.inputs, arrays, strict=True):
        write(var, array)
    with np.errstate(all="ignore"):
        for equation in program.equations:
            results = equation.primitive.evaluate(*map(read, equation.inputs), **equation.params)
            for var, value in zip(equation.outputs, results if equation.primitive.multiple else [results], strict=True):
                write(var, value)
    return [read(atom) for atom in program.outputs]
