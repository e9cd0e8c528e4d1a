"""Matrix products: which go to BLAS, and how their operands lie in memory.

In: an equation of the `dot` family (a `Reduce` whose parameters are `contract` and `batch` axes). Out: the operands that BLAS
reads, with transposes looked through, and the strides of the matrices. Invariant: no operand is copied to transpose it unless neither
of its matrix axes is contiguous.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from jitad.ir.program import Atom, Equation, Literal, Var

SMALL_MATRIX = 1024
SMALL_PRODUCT = 4096
SHORT = 16
SMALL_OPERAND = 128  # elements of a matrix whose products are spelled out


@dataclass(frozen=True)
class Matrix:
    """An operand as a stack of matrices: `rows` x `columns`, element (i, j) at ``i*row_stride + j*column_stride``."""

    base: Var
    batch: int
    rows: int
    columns: int
    row_stride: int
    column_stride: int
    batch_stride: int

    @property
    def direct(self) -> bool:
        """Whether BLAS can read it: one of the matrix axes is contiguous."""
        return self.row_stride == 1 or self.column_stride == 1


def look_through(atom: Atom) -> tuple[Atom, tuple[int, ...]]:
    """Return the Var that `atom` is a transpose of, and the axes of it, in order of the axes of `atom`."""
    axes = tuple(range(atom.ndim))
    while isinstance(atom, Var) and atom.equation is not None and "axes" in atom.equation.params and is_transpose(atom.equation):
        permutation = atom.equation.params["axes"]
        axes = tuple(permutation[k] for k in axes)
        atom = atom.equation.inputs[0]
    return atom, axes


def is_transpose(equation: Equation) -> bool:
    """A structural equation that keeps all elements and the number of axes, and permutes them."""
    return equation.primitive.structural and len(equation.params["axes"]) == equation.inputs[0].ndim == equation.outputs[0].ndim


def matrix(atom: Atom, batch: tuple[int, ...], rows: tuple[int, ...], columns: tuple[int, ...]) -> Matrix | None:
    """Return `atom` as a stack of matrices, by way of what it is a transpose of or else stored as it is; None if that takes a copy."""
    if isinstance(atom, Literal):
        return None
    for base, axes in (look_through(atom), (atom, tuple(range(atom.ndim)))):
        strides = [math.prod(base.shape[k + 1 :]) for k in range(base.ndim)]
        merged = [merge([(base.shape[axes[k]], strides[axes[k]]) for k in group]) for group in (batch, rows, columns)]
        if None not in merged:
            (size, batch_stride), (m, row_stride), (n, column_stride) = merged
            found = Matrix(base, size, m, n, row_stride, column_stride, batch_stride)
            if found.direct:
                return found
    return None


def merge(axes: list[tuple[int, int]]) -> tuple[int, int] | None:
    """Merge axes (extent, stride) into one, or return None. No axes merge into extent 1."""
    axes = [axis for axis in axes if axis[0] != 1]
    if not axes:
        return 1, 1
    for (_, outer), (extent, inner) in zip(axes, axes[1:], strict=False):
        if outer != extent * inner:
            return None
    return math.prod(extent for extent, _ in axes), axes[-1][1]


@dataclass(frozen=True)
class Side:
    """The axes of one operand of a product."""

    batch: tuple[int, ...]
    free: tuple[int, ...]
    contract: tuple[int, ...]


def dot_axes(equation: Equation) -> tuple[Side, Side]:
    """Return how the axes of both operands of a product are used."""
    pairs = zip(equation.inputs, equation.params["batch"], equation.params["contract"], strict=True)
    return tuple(Side(tuple(b), tuple(k for k in range(x.ndim) if k not in c and k not in b), tuple(c)) for x, b, c in pairs)


def worthwhile(equation: Equation) -> bool:
    """Whether an equation is a product large enough for a BLAS call."""
    if "contract" not in equation.params or equation.outputs[0].dtype.kind not in "fc":
        return False
    x, y = equation.inputs
    if isinstance(x, Literal) or isinstance(y, Literal) or 0 in (*x.shape, *y.shape) or is_confined(x) or is_confined(y):
        return False
    left, right = dot_axes(equation)
    m, n = math.prod(x.shape[k] for k in left.free), math.prod(y.shape[k] for k in right.free)
    k = math.prod(x.shape[i] for i in left.contract)
    if k == 1 or m == n == 1 or (k <= SHORT and min(m, n) <= SHORT and k * min(m, n) <= SMALL_OPERAND):
        return False
    return m * n * k >= SMALL_PRODUCT if m > 1 and n > 1 else max(m * k, n * k) >= SMALL_MATRIX


def is_confined(x: Atom, depth: int = 4) -> bool:
    """Whether an operand is zero beyond extents that are computed: loops over it are shorter than its shape says."""
    equation = getattr(x, "equation", None)
    if equation is None or depth == 0:
        return False
    if equation.primitive.confines(equation):
        return True
    return equation.primitive.structural and any(is_confined(y, depth - 1) for y in equation.inputs if y.shape)


def blas_matrices(equation: Equation) -> tuple[Matrix, Matrix] | None:
    """Return the operands of a product that is worth a BLAS call, x as rows x contracted and y as contracted x columns."""
    if not worthwhile(equation):
        return None
    (x, y), (left, right) = equation.inputs, dot_axes(equation)
    first, second = matrix(x, left.batch, left.free, left.contract), matrix(y, right.batch, right.contract, right.free)
    return (first, second) if first and second else None


def blas_operands(equation: Equation) -> tuple[Atom, Atom] | None:
    """Return the Vars that a BLAS call would read, or None where the product stays a loop nest."""
    matrices = blas_matrices(equation)
    return matrices and (matrices[0].base, matrices[1].base)
