"""The record of one program to compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

ARRAYS = ("JAX", "PyTorch", "torch.compile", "autograd", "PyTensor")
"""The libraries of arrays; CasADi has a node for each element, and does not broadcast."""


@dataclass(frozen=True)
class Benchmark:
    """A scalar function and its arguments.

    Attributes
    ----------
    name
        What the table calls it.
    function
        The plain NumPy source, which every library gets.
    by_hand
        What a specialist would write instead, for Numba to compile: takes the same arguments, returns the value, then the gradients.
    arguments
        The arrays it is called with.
    differentiated
        How many of them, from the first, the gradient is for.
    plain
        The contenders, besides those by hand and jitad, that take the plain source: loops leave out those that do not take updates in place, or
        that are made of the operations of all trips, or that take forever with single numbers.
    workspace
        Arrays that the version by hand keeps from call to call: its last arguments.
    written
        By contender, the program as its users would write it, where the plain source will not do. It takes the library as its first argument.
        That for Devito returns a function of no arguments that computes the value and the gradient.
    """

    name: str
    function: Callable
    by_hand: Callable
    arguments: tuple[np.ndarray, ...]
    differentiated: int
    plain: tuple[str, ...] = ARRAYS
    workspace: tuple[np.ndarray, ...] = ()
    written: Mapping[str, Callable] = field(default_factory=dict)
