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
from jitad.runtime.workspaces import Pool, with_workspace


def runner(kernel: Kernel, classes: tuple[type, ...] = (), pool: Pool | None = None) -> Callable[..., tuple]:
    """Return a function of the kernel's inputs, prepared by `as_input`, that gives the tuple of its outputs.

    It gives `NotImplemented` for arguments of any other kind; of scalars, `classes` says which. `pool` is where workspaces are kept.
    """
    entry = kernel.bind(classes) if classes else kernel.entry
    return with_workspace(entry, pool or Pool(kernel.work_bytes)) if kernel.work_bytes else entry


def as_input(value, dtype: np.dtype):
    """Return a value as kernels take it: a C-contiguous array of that very dtype, or a number of Python."""
    if isinstance(value, np.ndarray) and value.ndim:
        flags = value.flags
        if value.dtype is dtype and value.__class__ is np.ndarray and flags.c_contiguous and flags.aligned:
            return value
        value = np.require(value, dtype, "CAE")
        return value if value.dtype is dtype else value.view(dtype)
    return value.item() if isinstance(value, np.ndarray | np.generic) else value


def check_nan(outputs) -> None:
    """Raise if an output has a NaN and ``config.check_nan`` asks for it."""
    if config.check_nan and any(np.isnan(x).any() for x in outputs if np.asarray(x).dtype.kind in "fc"):
        raise errors.FloatingPointError("a compiled function returned NaN (jitad.config.check_nan is set)")
