"""Matrix products: which are calls, of BLAS or of what is emitted here, and how their operands lie in memory.

In: an equation of the `dot` family (a `Reduce` whose parameters are `contract` and `batch` axes). Out: the operands that BLAS
reads, with transposes looked through, and the strides of the matrices. Invariant: no operand is copied to transpose it unless neither
of its matrix axes is contiguous.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from jitad.ir.program import Atom, Equation, Literal, Var

SMALL_MATRIX = 256  # elements, the least of a matrix for which its product with a vector is a step of its own
SMALL_PRODUCT = 2048  # multiplications, the least of a product of a matrix with few vectors; twice that of others
SHORT = 16
SMALL_OPERAND = 128  # elements of a matrix whose products are spelled out
FEW_VECTORS, LARGE_MATRIX = 8, 2**16  # the most vectors, and elements of a matrix, for a product that is not left to BLAS
LARGER = 16  # how many times more elements a matrix may have for several vectors
GATHERED = 4096  # elements of vectors that may be copied for that


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

    @property
    def transposed(self) -> Matrix:
        return Matrix(self.base, self.batch, self.columns, self.rows, self.column_stride, self.row_stride, self.batch_stride)


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
    """Whether an equation is a product large enough for a call."""
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
    least = SMALL_MATRIX if min(m, n) == 1 else SMALL_PRODUCT if min(m, n) <= FEW_VECTORS else 2 * SMALL_PRODUCT
    return m * n * k >= least


def is_confined(x: Atom, depth: int = 4) -> bool:
    """Whether an operand is zero beyond extents that are computed: loops over it are shorter than its shape says."""
    equation = getattr(x, "equation", None)
    if equation is None or depth == 0:
        return False
    if equation.primitive.confines(equation):
        return True
    return equation.primitive.structural and any(is_confined(y, depth - 1) for y in equation.inputs if y.shape)


def blas_matrices(equation: Equation) -> tuple[Matrix, Matrix] | None:
    """Return the operands of a product that is worth a call, x as rows x contracted and y as contracted x columns."""
    if not worthwhile(equation):
        return None
    (x, y), (left, right) = equation.inputs, dot_axes(equation)
    first, second = matrix(x, left.batch, left.free, left.contract), matrix(y, right.batch, right.contract, right.free)
    return (first, second) if first and second else None


def blas_operands(equation: Equation) -> tuple[Atom, Atom] | None:
    """Return the Vars that a BLAS call would read, or None where the product stays a loop nest."""
    matrices = blas_matrices(equation)
    return matrices and (matrices[0].base, matrices[1].base)


def is_applied(x: Matrix, y: Matrix, dtype: np.dtype) -> bool:
    """Whether the product is that of a matrix with a few vectors, and is computed without BLAS, which packs operands."""
    within_reach = x.row_stride == 1 or (x.column_stride == 1 and (y.row_stride == 1 or y.rows * y.columns <= GATHERED))
    most = LARGE_MATRIX if y.columns == 1 else LARGER * LARGE_MATRIX
    return dtype.kind == "f" and y.columns <= FEW_VECTORS and within_reach and x.rows * x.columns <= most


def product_of(x: Matrix, y: Matrix, dtype: np.dtype) -> dict:
    """Return the parameters of a call that computes a product; it is that of the transposes, `turned`, if the second one is a matrix for few rows."""
    turned = x.rows < y.columns and is_applied(y.transposed, x.transposed, dtype)
    return {"x": y.transposed, "y": x.transposed, "turned": True} if turned else {"x": x, "y": y, "turned": False}
