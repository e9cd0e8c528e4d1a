"""Functions of numbers applied to each element of arrays: those of ``numba.vectorize`` and ``numpy.vectorize``.

In: a function that computes with numbers, and arrays that are broadcast together. Out: the arrays of its results. Invariant: the function
is traced once, on scalars, so that its branches and loops decide for each element by itself.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from jitad.frontend.arrays.array import wrap
from jitad.frontend.arrays.views import reshaped
from jitad.frontend.control.bodies import Pass, State
from jitad.frontend.control.signals import returning
from jitad.frontend.numpy_api.operands import asarray
from jitad.frontend.operations.promotion import contains_traced
from jitad.frontend.tracing.trees import unflatten
from jitad.ir.passes import PASSES
from jitad.ir.program import Program, Var
from jitad.ir.types import ArrayType
from jitad.primitives.control.bodies import close
from jitad.primitives.declare import to_front
from jitad.primitives.structural.shaping import broadcast


def on_elements(function: Callable, original: Callable) -> Callable:
    """Return what is called in the place of `original`, which applies `function` to each element."""

    @functools.wraps(function, updated=())
    def call(*args):
        if not contains_traced(args):
            return original(*args)
        if not any(map(np.ndim, args)):
            return function(*args)
        given = list(map(asarray, args))
        arrays = np.broadcast_arrays(*given)
        shape, size = arrays[0].shape, arrays[0].size
        numbers = [Var(ArrayType(x.dtype)) for x in arrays]
        state = State((), ())
        run = Pass(lambda: returning(function(*map(wrap, numbers))), state, state.save())
        body, free = close(Program(numbers, run.equations, run.result.atoms), len(numbers))
        operands = [*[x.reshape(-1).atom for x in arrays], *free]
        found, axes = PASSES["push_batch"](body, operands, [*[0] * len(numbers), *[None] * len(free)], size)
        columns = [broadcast(x, shape=(size, *x.shape)) if axis is None else to_front(x, axis) for x, axis in zip(found, axes, strict=True)]
        return unflatten(run.result.treedef, [wrap(reshaped(x, shape), scalar=False).lie_as(given) for x in columns])

    return call
