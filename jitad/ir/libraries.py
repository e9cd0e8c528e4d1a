"""Which files belong to libraries, whose functions are called as they are, and which to the user."""

from __future__ import annotations

import functools
import os
import sysconfig

import numpy as np

OURS = os.path.join(os.path.dirname(os.path.dirname(__file__)), "")
NUMPY = os.path.join(os.path.dirname(np.__file__), "")
STANDARD = tuple({os.path.join(sysconfig.get_path(kind), "") for kind in ("stdlib", "platstdlib")})
INSTALLED = ("site-packages", "dist-packages")
LIBRARIES = frozenset([
    "IPython", "_pytest", "dask", "h5py", "hypothesis", "ipykernel", "jax", "jaxlib", "llvmlite", "matplotlib", "numba", "numpy",
    "pandas", "pluggy", "pytest", "scipy", "skimage", "sklearn", "sympy", "torch", "tqdm", "xarray"])


@functools.cache
def is_library(file: str | None) -> bool:
    """Return whether a file is one of Python's, of jitad's, of NumPy's or of another large library."""
    if file is None or file.startswith(("<frozen", "<__array_function__", OURS, NUMPY)):
        return True
    parts = file.split(os.sep)
    for folder in INSTALLED:
        if folder in parts:
            return parts[parts.index(folder) + 1].removesuffix(".py") in LIBRARIES
    return file.startswith(STANDARD)
