"""The record of one program to compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


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
    in_place
        Whether the function updates arrays in place, which the other libraries do not take, or take forever with.
    scalar
        Whether the function computes long with single numbers, which the libraries of arrays take forever with.
    workspace
        Arrays that the version by hand keeps from call to call: its last arguments.
    in_jax
        The function as it is written for JAX, which it takes as its first argument, if the plain source will not do.
    in_devito
        What makes of Devito and the arguments a function of none that computes the value and the gradient, if that can be said in Devito.
    """

    name: str
    function: Callable
    by_hand: Callable
    arguments: tuple[np.ndarray, ...]
    differentiated: int
    in_place: bool = False
    scalar: bool = False
    workspace: tuple[np.ndarray, ...] = ()
    in_jax: Callable | None = None
    in_devito: Callable | None = None
