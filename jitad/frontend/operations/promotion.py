"""Operands and their dtypes: NumPy's promotion (NEP 50), applied to atoms.

In: traced arrays, NumPy arrays and scalars, Python scalars, and nests of lists, tuples and deques of them. Out: atoms. An operand's
*kind* is the key to all decisions: its dtype, or for Python's numbers int, float or complex, which adapt to the dtypes they meet.
"""

from __future__ import annotations

import functools
import warnings
from collections import deque

import numpy as np

from jitad.frontend.arrays.cells import KINDS, View, wrap
from jitad.frontend.arrays.views import reshaped
from jitad.frontend.tracing.trace import capture
from jitad.ir import errors
from jitad.ir.program import Atom, Literal
from jitad.ir.source import user_source
from jitad.ir.types import BOOL, check_dtype
from jitad.primitives.elementwise.comparisons import ne
from jitad.primitives.elementwise.complexes import convert
from jitad.primitives.structural.boxes import concatenate

PYTHON_DTYPES = {bool: BOOL, int: np.dtype(np.int64), float: np.dtype(np.float64), complex: np.dtype(np.complex128)}
OPERANDS = (View, np.ndarray, np.generic)
NESTS = (list, tuple, deque)  # what NumPy reads as an array element by element
ONES = {int: 1, float: 1.0, complex: 1j}


def kind_of(x):
    """Return the kind of an operand: a dtype, int, float or complex."""
    if isinstance(x, View):
        return x.kind
    return KINDS.get(type(x)) or check_dtype(x.dtype)


def as_operand(x):
    """Return `x` if it is a traced array, a NumPy array or a scalar, otherwise what NumPy would make of it, or raise `TypeError`."""
    if isinstance(x, OPERANDS) or type(x) in KINDS:
        return x
    if isinstance(x, NESTS):
        return from_nest(x)
    if isinstance(x, int | float | complex):
        return next(kind(x) for kind in (int, float, complex) if isinstance(x, kind))
    if hasattr(x, "__array__"):
        return np.asarray(x)
    raise errors.TypeError(f"a {type(x).__name__} cannot be an operand together with a traced array")


def cast(atom: Atom, dtype: np.dtype) -> Atom:
    """Return `atom` converted to `dtype`."""
    if atom.dtype == dtype:
        return atom
    dtype = check_dtype(dtype)
    if isinstance(atom, Literal):
        with np.errstate(all="ignore"):
            return Literal(atom.value.astype(dtype))
    if atom.dtype.kind == "c" and dtype.kind == "b":
        return ne(atom, 0)
    if atom.dtype.kind == "c" and dtype.kind != "c":
        warnings.warn(f"{user_source()}: casting complex values to real discards the imaginary part",
                      np.exceptions.ComplexWarning, stacklevel=2)
    return convert(atom, dtype=dtype)


def atom_of(x, dtype: np.dtype) -> Atom:
    """Return an operand as an atom of `dtype`."""
    if isinstance(x, View):
        atom = x.atom
        return atom if atom.dtype is dtype else cast(atom, dtype)
    if isinstance(x, np.ndarray):
        return cast(capture(x), dtype)
    return Literal(dtype.type(x))


def to_atom(x) -> Atom:
    """Return `x` as an atom of the dtype that NumPy gives it.

    A traced array gives its current value, a NumPy array the Var that stands for it, a scalar a Literal; a nest of lists and tuples
    becomes one array.
    """
    if isinstance(x, View):
        return x.atom
    x = as_operand(x)
    if isinstance(x, View):
        return x.atom
    kind = kind_of(x)
    return atom_of(x, PYTHON_DTYPES.get(kind, kind))


@functools.cache
def result_type(kinds: tuple) -> np.dtype:
    """Return the dtype that NumPy promotes operands of these kinds to."""
    return check_dtype(np.result_type(*[ONES.get(kind, kind) for kind in kinds]))


def promote(*xs) -> list[Atom]:
    """Return the operands as atoms of the dtype that NumPy promotes them to."""
    operands = [as_operand(x) for x in xs]
    dtype = result_type(tuple(map(kind_of, operands)))
    return [atom_of(x, dtype) for x in operands]


# --- nests of lists and tuples ----------------------------------------------------------------------------------------------


def contains_traced(x) -> bool:
    """Return whether `x` is a traced array or a nest of sequences with one."""
    if isinstance(x, NESTS):
        return hasattr(x, "as_array") or any(map(contains_traced, x))
    return isinstance(x, View)


def whole(x):
    """Return a list whose elements are in arrays as an array."""
    return x.as_array() if hasattr(x, "as_array") and isinstance(x, list) else x


def from_nest(x):
    """Return a nest of sequences as one array, as ``np.array`` would: traced if one of its leaves is."""
    x = whole(x)
    if not isinstance(x, NESTS):
        return x
    if not contains_traced(x):
        array = np.asarray(x)
        check_dtype(array.dtype)
        return array
    leaves: list = []
    shape = nest_shape(x, leaves)
    atoms = list(map(to_atom, leaves))
    dtype = check_dtype(np.result_type(*[atom.dtype for atom in atoms]))
    atoms = [cast(atom, dtype) for atom in atoms]
    return wrap(reshaped(concatenate(*[reshaped(atom, (atom.type.size,)) for atom in atoms], axis=0), shape), scalar=False)


def nest_shape(x, leaves: list) -> tuple[int, ...]:
    """Append the leaves of a nest to `leaves` and return its shape."""
    x = whole(x)
    if not isinstance(x, NESTS) or not contains_traced(x):
        leaves.append(as_operand(x))
        return np.shape(leaves[-1]) if not isinstance(leaves[-1], View) else leaves[-1].type.shape
    shapes = [nest_shape(element, leaves) for element in x]
    if any(shape != shapes[0] for shape in shapes):
        raise errors.ValueError("setting an array element with a sequence. The requested array has an inhomogeneous "
                                f"shape: its elements have the shapes {', '.join(map(str, dict.fromkeys(shapes)))}")
    return (len(x), *shapes[0])
