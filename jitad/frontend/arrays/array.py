"""The array that the user's function sees in place of an ndarray while it is traced.

In: whatever Python and NumPy do with an array. Out: recorded operations. What an array shows and how it is changed is told in
`cells`, ufuncs in `rules` and `ufuncs`, indices in `indexing`; the functions of NumPy, which most methods here call by
their name, are in `FUNCTIONS`, which `numpy_api` fills. Methods that give views are defined here; the functions of that name call them.
"""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Callable

import numpy as np

from jitad.frontend.arrays.cells import is_traced, wrap
from jitad.frontend.arrays.indexing import fitted, getitem, setitem
from jitad.frontend.arrays.open_slices import get, put
from jitad.frontend.arrays.reshaping import Reshapable
from jitad.frontend.arrays.views import Part
from jitad.frontend.operations.promotion import cast, promote, to_atom
from jitad.frontend.operations.ufunc_methods import METHODS
from jitad.frontend.operations.ufuncs import OPERANDS, binary, unary
from jitad.frontend.tracing.concrete import value, value_needed, values
from jitad.frontend.tracing.printing import can_be_marked, marked
from jitad.ir import errors
from jitad.ir.source import library_call
from jitad.ir.types import ArrayType, check_dtype, real_dtype
from jitad.primitives.declare import full

__all__ = ["Array", "is_traced", "promote", "to_atom", "wrap"]


FUNCTIONS: dict[Callable, Callable] = {}  # by function of NumPy, and by generalized ufunc


def through_numpy(name: str):
    """Return the method that calls the function of NumPy with this name."""
    function = getattr(np, name)

    def method(self, *args, **kwargs):
        return function(self, *args, **kwargs)

    method.__name__, method.__doc__ = name, f"``np.{name}`` of this array."
    return method


class Array(Reshapable):
    """A traced array. It stands for an ndarray, or for a scalar, whose values are known when the compiled function runs.

    Printing one shows its type, since no values are known (where they can be, they are asked for).
    """

    __slots__ = ()
    __array_priority__ = 1000.0

    # --- NumPy's protocols ------------------------------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        if any(hasattr(x, "indirect") for x in inputs):
            return NotImplemented
        if ufunc.signature is not None and method == "__call__" and ufunc in FUNCTIONS:
            if "out" in kwargs:
                (kwargs["out"],) = kwargs["out"]
            return FUNCTIONS[ufunc](*inputs, **kwargs)
        return METHODS[method](ufunc, *inputs, **kwargs)

    def __array_function__(self, function, types, args, kwargs):
        if any(hasattr(x, "indirect") for x in types):
            return NotImplemented
        implementation = FUNCTIONS.get(function)
        if implementation is None:
            with contextlib.suppress(errors.ConcreteValueError):
                return function(*values(args, function.__name__), **values(kwargs, function.__name__))
            raise errors.NotImplementedError(
                f"jitad does not know {function.__module__}.{function.__name__} of traced arrays; write it with functions that it "
                "knows, or compute it outside of the function and pass the result as an argument")
        return implementation(*args, **kwargs)

    def __array__(self, dtype=None, copy=None):
        called = library_call()
        if called:
            return np.array(value(self, f"{called}, which jitad does not know,", "library"), dtype)
        return np.array(value(self, "the conversion to an ndarray", "array"), dtype)

    # --- operators --------------------------------------------------------------------------------------------------------

    __add__, __radd__, __iadd__ = binary(np.add, operator.add)
    __sub__, __rsub__, __isub__ = binary(np.subtract, operator.sub)
    __mul__, __rmul__, __imul__ = binary(np.multiply, operator.mul)
    __truediv__, __rtruediv__, __itruediv__ = binary(np.divide, operator.truediv)
    __floordiv__, __rfloordiv__, __ifloordiv__ = binary(np.floor_divide, operator.floordiv)
    __mod__, __rmod__, __imod__ = binary(np.remainder, operator.mod)
    __divmod__, __rdivmod__, _ = binary(np.divmod, divmod)
    __pow__, __rpow__, __ipow__ = binary(np.power, operator.pow)
    __lshift__, __rlshift__, __ilshift__ = binary(np.left_shift, operator.lshift)
    __rshift__, __rrshift__, __irshift__ = binary(np.right_shift, operator.rshift)
    __and__, __rand__, __iand__ = binary(np.bitwise_and, operator.and_)
    __or__, __ror__, __ior__ = binary(np.bitwise_or, operator.or_)
    __xor__, __rxor__, __ixor__ = binary(np.bitwise_xor, operator.xor)
    __eq__, _, _ = binary(np.equal, operator.eq)
    __ne__, _, _ = binary(np.not_equal, operator.ne)
    __lt__, _, _ = binary(np.less, operator.lt)
    __le__, _, _ = binary(np.less_equal, operator.le)
    __gt__, _, _ = binary(np.greater, operator.gt)
    __ge__, _, _ = binary(np.greater_equal, operator.ge)
    __neg__ = unary(np.negative, operator.neg)
    __pos__ = unary(np.positive, operator.pos)
    __abs__ = unary(np.absolute, abs)
    __invert__ = unary(np.invert, operator.invert)
    del _

    def __matmul__(self, other):
        return np.matmul(self, other) if isinstance(other, (Array, *OPERANDS)) else NotImplemented

    def __rmatmul__(self, other):
        return np.matmul(other, self) if isinstance(other, OPERANDS) else NotImplemented

    def __imatmul__(self, other):
        self[...] = np.matmul(self, other)
        return self

    # --- values that Python asks for ----------------------------------------------------------------------------------------

    def __bool__(self) -> bool:
        if self.size != 1:
            raise errors.ValueError("The truth value of an array with more than one element is ambiguous. Use a.any() or a.all()"
                                    if self.size else "The truth value of an empty array is ambiguous. Use `array.size > 0` to check "
                                    "that an array is not empty.")
        return bool(value(self, "a decision by if, while, and, or, not", "bool"))

    def __int__(self) -> int:
        return int(value(self, "int()", "int"))

    def __float__(self) -> float:
        return float(value(self, "float()", "float"))

    def __complex__(self) -> complex:
        return complex(value(self, "complex()", "float"))

    def __index__(self) -> int:
        if self.dtype.kind not in "iu" or self.ndim:
            raise errors.TypeError("only integer scalar arrays can be converted to a scalar index")
        return int(value(self, "an index or a size", "index"))

    def __hash__(self) -> int:
        if self.ndim:
            raise errors.TypeError("unhashable type: a traced array")
        return hash(value(self, "hash(), the key of a dict or an element of a set", "index").item())

    def __floor__(self):
        return self.as_int(np.floor)

    def __ceil__(self):
        return self.as_int(np.ceil)

    def __trunc__(self):
        return self.as_int(np.trunc)

    def __round__(self, ndigits=None):
        if ndigits is None:
            return self.as_int(np.rint)
        return wrap(np.round(self, ndigits).atom, weak=self.weak is not None, origins=self.origins)

    def as_int(self, rounding: np.ufunc) -> Array:
        """Return a scalar, rounded, as an int of Python."""
        if self.ndim:
            raise errors.TypeError("only 0-dimensional arrays can be converted to Python scalars")
        return wrap(cast(rounding(self).atom, np.int64), weak=True, origins=self.origins)

    def item(self, *index):
        """Return an element as a scalar of Python."""
        if not index and self.size != 1:
            raise errors.ValueError("can only convert an array of size 1 to a Python scalar")
        index = index[0] if len(index) == 1 else index
        element = self[index] if isinstance(index, tuple) and index else self.reshape(-1)[index or 0]
        return wrap(element.atom, weak=True, origins=self.origins)

    # --- as a container -----------------------------------------------------------------------------------------------------

    __getitem__ = getitem
    __setitem__ = setitem
    get_below, put_below = get, put  # among the elements below some extents

    def __len__(self) -> int:
        if not self.type.shape:
            raise errors.TypeError("len() of unsized object")
        return self.type.shape[0]

    def __iter__(self):
        if not self.type.shape:
            raise errors.TypeError("iteration over a 0-d array")
        return (self[k] for k in range(self.type.shape[0]))

    def __contains__(self, element) -> bool:
        return bool((self == element).any())

    def __repr__(self) -> str:
        return marked(self, "r") if can_be_marked(self) else f"Array({self.type})"

    def __str__(self) -> str:
        return format(self)

    def __format__(self, spec: str) -> str:
        if self.origins:
            raise value_needed(self, "str()")
        return marked(self, "", spec) if can_be_marked(self) else repr(self)

    def __getattr__(self, name: str):
        unknown = "; jitad does not know this one of ndarray's" if hasattr(np.ndarray, name) else ""
        raise errors.AttributeError(f"a traced array has no attribute {name!r}{unknown}", name=name, obj=self)

    def __reduce__(self):
        raise errors.TypeError("a traced array has no values to be pickled")

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    # --- parts -----------------------------------------------------------------------------------------------------------

    @property
    def real(self) -> Array:
        if self.dtype.kind != "c":
            return self
        return self.part(imaginary=False)

    @real.setter
    def real(self, values) -> None:
        self.real[...] = values

    @property
    def imag(self) -> Array:
        if self.dtype.kind != "c":
            zeros = full(0, ArrayType(real_dtype(self.dtype), self.shape))
            return wrap(zeros, weak=self.weak is not None, scalar=True) if self.scalar else self.shown(lambda x: zeros)
        return self.part(imaginary=True)

    @imag.setter
    def imag(self, values) -> None:
        if self.dtype.kind != "c":
            raise errors.TypeError("array does not have imaginary part to set")
        self.imag[...] = values

    def part(self, imaginary: bool) -> Array:
        step = Part(imaginary)
        return wrap(step.read(self.atom), weak=self.weak is not None, scalar=True) if self.scalar else self.through(step)

    # --- copies and changes -----------------------------------------------------------------------------------------------------

    def copy(self, order="C") -> Array:
        """Return a new array with the same elements."""
        result = wrap(self.atom, weak=self.weak is not None, scalar=self.scalar, origins=self.origins)
        return result.laid_out(order, self)

    def __copy__(self) -> Array:
        return self.copy()

    def __deepcopy__(self, memo) -> Array:
        return self.copy()

    def astype(self, dtype, order="K", casting="unsafe", subok=True, copy=True) -> Array:
        """Return the elements converted to `dtype`."""
        dtype = check_dtype(dtype)
        if dtype == self.dtype and not copy and self.weak is None:
            return self
        if not np.can_cast(self.dtype, dtype, casting):
            raise errors.TypeError(f"Cannot cast array data from {self.dtype!r} to {dtype!r} according to the rule '{casting}'")
        return wrap(cast(self.atom, dtype), scalar=self.scalar, origins=self.origins).laid_out(order, self)

    def fill(self, value) -> None:
        """Set all elements to one value."""
        self.assign(fitted(value, self))

    def sort(self, axis=-1, kind=None, order=None) -> None:
        """Sort the elements in place."""
        self[...] = np.sort(self, axis, kind, order)

    def conj(self) -> Array:
        """Return the complex conjugate; an array of real numbers is its own."""
        return np.conjugate(self) if self.dtype.kind == "c" else self

    conjugate = conj
    all, any = through_numpy("all"), through_numpy("any")
    argmax, argmin, argsort = through_numpy("argmax"), through_numpy("argmin"), through_numpy("argsort")
    choose, clip, compress = through_numpy("choose"), through_numpy("clip"), through_numpy("compress")
    cumsum, cumprod = through_numpy("cumsum"), through_numpy("cumprod")
    diagonal, dot, trace = through_numpy("diagonal"), through_numpy("dot"), through_numpy("trace")
    max, min, mean, std, var = (through_numpy(name) for name in ("max", "min", "mean", "std", "var"))
    sum, prod = through_numpy("sum"), through_numpy("prod")
    nonzero, searchsorted = through_numpy("nonzero"), through_numpy("searchsorted")
    repeat, round, take = through_numpy("repeat"), through_numpy("round"), through_numpy("take")
