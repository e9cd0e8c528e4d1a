"""How functions that SciPy ships for compiled code become primitives.

In: a row like those of `elementwise`. Out: a primitive that calls the function for each element, in double precision. Where a derivative has no
known form, as for the order of a Bessel function, asking for it is an error.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jitad.ir import errors
from jitad.ir.primitive import Primitive
from jitad.primitives.declare import elementwise, from_scipy

COST = 100.0  # additions
DOUBLE = np.dtype(np.float64)
UNKNOWN: set[Callable] = set()


def library(name: str, *partials: Callable, function: str = "", letters: str = "", k: int | None = None, **options) -> Primitive:
    """Declare a function of SciPy's.

    Parameters
    ----------
    name, partials, options
        As for `elementwise`.
    function, letters
        SciPy's name, if it is another one, and the C types of operands and results (see `jitad.codegen.special_functions`); by default doubles.
    k
        Which of several results it is.
    """
    function, letters = function or name, letters or "d" * len(partials)
    operation = ":".join([name, function, letters, *([] if k is None else [str(k)])])

    def element(b, *xs):
        return b.convert(b.call(operation, *[b.convert(x, DOUBLE) for x in xs]), xs[0].dtype)

    def evaluate(*xs):
        xs = [x.astype(np.int64) if letter == "l" else x for x, letter in zip(xs, letters, strict=False)]
        result = from_scipy(function)(*xs)
        return np.asarray(result if k is None else result[k], np.result_type(*[x for x in xs if x.dtype.kind == "f"]))

    constants = tuple(k for k, partial in enumerate(partials) if partial in UNKNOWN)
    return elementwise(name, evaluate, *partials, element=element, cost=COST, kinds="f", constants=constants, **options)


def unknown(function: str, parameter: str) -> Callable:
    """The partial derivative that has no known form."""

    def partial(*_):
        raise errors.NotImplementedError(f"jitad does not know the derivative of scipy.special.{function} with respect to {parameter}; hold it "
                                         "constant with jitad.stop_gradient, or give a derivative with jitad.custom_jvp")

    UNKNOWN.add(partial)
    return partial


def parameters(name: str, *others: str) -> list[Callable]:
    """The partial derivatives of which none is known."""
    return [unknown(name, other) for other in others]
