"""Running kernels on NumPy arrays.

In: a `Kernel` and values of its inputs' types. Out: new arrays and NumPy scalars of its outputs' types. Invariant: threads may run the same
kernel together.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jitad.codegen.kernel import Kernel
from jitad.ir import errors
from jitad.runtime.config import config
from jitad.runtime.workspaces import with_workspace


def runner(kernel: Kernel) -> Callable[..., tuple]:
    """Return a function of the kernel's inputs, prepared by `as_input`, that gives the tuple of its outputs."""
    scalars = [(k, buffer.type.dtype.type) for k, buffer in enumerate(kernel.loops.outputs) if not buffer.type.ndim]
    return with_scalars(bare_runner(kernel), scalars) if scalars else bare_runner(kernel)


def bare_runner(kernel: Kernel) -> Callable[..., tuple]:
    """Return the same, but with Python's numbers for outputs of shape ()."""
    return with_workspace(kernel.entry, kernel.loops.work_bytes) if kernel.takes_workspace else kernel.entry


def with_scalars(entry: Callable, scalars: list[tuple[int, type]]) -> Callable:
    """Give outputs of shape () as NumPy scalars of their dtype."""
    def run(*inputs):
        outputs = list(entry(*inputs))
        for k, scalar in scalars:
            outputs[k] = scalar(outputs[k])
        return outputs

    return run


def as_input(value, dtype: np.dtype):
    """Return a value as kernels take it: a C-contiguous array in native byte order, or a scalar."""
    if isinstance(value, np.ndarray) and value.ndim:
        flags = value.flags
        if value.dtype is not dtype and value.dtype != dtype or not (flags.c_contiguous and flags.aligned):
            return np.array(value, dtype, order="C")
        return value
    return value.item() if isinstance(value, np.ndarray | np.generic) else value


def check_nan(outputs) -> None:
    """Raise if an output has a NaN and ``config.check_nan`` asks for it."""
    if config.check_nan and any(np.isnan(x).any() for x in outputs if np.asarray(x).dtype.kind in "fc"):
        raise errors.FloatingPointError("a compiled function returned NaN (jitad.config.check_nan is set)")
