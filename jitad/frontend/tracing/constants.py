"""NumPy arrays that a function makes while it is traced, and that nobody else can reach: nothing will change them.

In: what a trace has recorded, and the arrays that the outermost one has captured. Out: the same with equal arrays taken for one, and those
computed in place whose elements follow from their indices, as coordinates of grids do. Invariant: every element keeps its value, to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from jitad.frontend.tracing.trace import Trace
from jitad.ir.program import Atom, Equation, Var
from jitad.ir.recorder import Recorder
from jitad.ir.types import ArrayType
from jitad.primitives.declare import full
from jitad.primitives.structural.shaping import iota

EXACT = {"l": 2**62, "d": 2**53, "f": 2**24}  # integers below are exact, and so are their sums and differences


def settle(trace: Trace, equations: list[Equation], outputs: list[Atom]) -> tuple[list[Equation], list[Atom]]:
    """Return what has been recorded, in terms of as few captured arrays as possible."""
    used = {x for equation in equations for x in equation.inputs} | set(outputs)
    ours = [pair for pair in trace.inputs() if pair[1] in used and trace.owns(pair)]
    with Recorder() as recorder:
        found = substitutes(ours)
    for equation in equations if found else ():
        if not found.keys().isdisjoint(equation.inputs):
            equation.inputs = tuple([found.get(x, x) for x in equation.inputs])
    return [*recorder.equations, *equations], [found.get(x, x) for x in outputs]


def substitutes(arrays: Iterable[tuple[np.ndarray, Var]]) -> dict[Var, Atom]:
    """Return what stands for Vars whose arrays follow from indices, or are equal to earlier ones."""
    found: dict[Var, Atom] = {}
    known: dict[tuple, Atom] = {}
    for array, var in arrays:
        array = np.asarray(array, var.dtype)
        key = array.shape, array.dtype, array.tobytes()
        if key not in known:
            atom = from_indices(array)
            known[key] = var if atom is None else atom
        if known[key] is not var:
            found[var] = known[key]
    return found


def from_indices(array: np.ndarray) -> Atom | None:
    """Record an array all of whose elements are equal, or integers that grow by a fixed number along each axis; None for any other."""
    if not array.size:
        return None
    first = array[(0,) * array.ndim]
    values, atom = np.full(array.shape, first), full(first, ArrayType(array.dtype, array.shape))
    if is_exact(array):
        for axis, extent in enumerate(array.shape):
            step = array[tuple([int(k == axis) for k in range(array.ndim)])] - first if extent > 1 else 0
            if step:
                values += (np.arange(extent, dtype=array.dtype) * step).reshape(-1, *(1,) * (array.ndim - axis - 1))
                atom = atom + iota(shape=array.shape, axis=axis, dtype=array.dtype) * full(step, atom.type)
    return atom if values.tobytes() == array.tobytes() else None


def is_exact(array: np.ndarray) -> bool:
    """Return whether all elements are integers with which sums are exact."""
    limit = EXACT.get(array.dtype.char)
    return limit is not None and bool(np.all((-limit < array) & (array < limit)) and np.all(np.rint(array) == array))
