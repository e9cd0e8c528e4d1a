"""Compiled functions for compiled callers: `compile`."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from jitad.api import jit
from jitad.codegen import embedding
from jitad.compiled import Compiled
from jitad.frontend.arrays.ragged import refuse_sized
from jitad.ir import errors
from jitad.ir.effects import has_effects
from jitad.ir.types import ArrayType
from jitad.primitives.control import print_
from jitad.runtime.execute import as_input


class Executable:
    """A function compiled for one list of types, see `compile`.

    Attributes
    ----------
    inputs, outputs
        The types of the leaves of its arguments that are arrays or numbers, and of its result.
    """

    def __init__(self, function: Compiled, args: tuple):
        entry, _ = function.lookup(args, {})
        if entry.changed or entry.written:
            raise errors.NotImplementedError(f"{function!r} changes arrays in place that it does not own, which no compiled caller expects; "
                                             "return the new values instead")
        refuse_sized(entry.treedef, "a result of a function for compiled callers")
        if has_effects(entry.traced.program, print_):
            raise errors.NotImplementedError(f"{function!r} prints, which its compiled callers cannot wait for: they may run it in threads; "
                                             "return the values instead")
        self.function = function
        self.compiled = entry.kernel
        self.results = entry.treedef.size
        self.bound = [shared(array, dtype) for array, dtype in entry.captured]

    @property
    def inputs(self) -> list[ArrayType]:
        return list(self.compiled.inputs[: len(self.compiled.inputs) - len(self.bound)])

    @property
    def outputs(self) -> list[ArrayType]:
        return list(self.compiled.outputs[: self.results])

    def __repr__(self) -> str:
        return f"<{self.function!r} of ({', '.join(map(str, self.inputs))}) -> ({', '.join(map(str, self.outputs))})>"

    def __call__(self, *args):
        return self.function(*args)

    @functools.cached_property
    def kernel(self) -> Callable:
        """A Numba function, to call from ``@njit`` code and from its parallel loops.

        ``kernel(*inputs)`` returns new arrays and numbers: one as it is, several as a tuple. ``kernel(*inputs, *arrays)`` puts the
        results that are arrays into those given and returns the others.
        """
        return embedding.numba_function(self.compiled, self.results, self.bound)

    @functools.cached_property
    def ctypes(self):
        """A C function, for ``scipy.LowLevelCallable`` and other callers of C functions.

        It takes numbers, and pointers to the elements of arrays; if its only argument is an array with one dimension, the length as an int
        comes first. A single number is returned, NaN if it could not be computed. Other results go to pointers that come after the arguments,
        and 0 is returned for success.
        """
        return embedding.c_function(self.compiled, self.results, self.bound)


def shared(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return a captured array, whose memory the compiled caller reads."""
    found = as_input(array, dtype)
    if not np.may_share_memory(found, array) and array.size:
        raise errors.ValueError(f"the function reads an array of shape {array.shape} from outside that is not C-contiguous, or not in this "
                                "machine's byte order; make it so with np.ascontiguousarray, or pass it as an argument")
    return found


def compile(function: Callable, *args) -> Executable:
    """Compile a function for arguments like these, to be called from compiled code.

    Parameters
    ----------
    function
        A function, plain or transformed: ``compile(grad(f), x)``.
    args
        Examples of its arguments. The compiled function takes their leaves that are arrays (C-contiguous, of the same dtypes and
        shapes) or numbers; others, like strings, are part of it.

    Returns
    -------
    Executable
        Its ``kernel`` is for Numba, its ``ctypes`` for callers of C functions. What the function reads from outside is as it is now, but
        arrays have the values that they have at each call. Arrays for results must not share memory with arguments: a kernel in Numba code
        raises ``ValueError`` if they do, a C function cannot tell.

    Examples
    --------
    >>> import numpy as np, jitad, numba
    >>> slope = jitad.compile(jitad.grad(lambda x: np.sum(np.sin(x))), np.ones(3)).kernel
    >>> @numba.njit(parallel=True)
    ... def slopes(points):
    ...     result = np.empty_like(points)
    ...     for k in numba.prange(len(points)):
    ...         slope(points[k], result[k])
    ...     return result
    >>> slopes(np.zeros((2, 3)))
    array([[1., 1., 1.],
           [1., 1., 1.]])

    >>> from scipy import LowLevelCallable, integrate
    >>> derivative = jitad.compile(jitad.grad(lambda x: x * np.exp(x)), 0.0)
    >>> value, error = integrate.quad(LowLevelCallable(derivative.ctypes), 0, 1)
    >>> round(value, 12) == round(np.e, 12)
    True
    """
    return Executable(function if isinstance(function, Compiled) else jit(function), args)
