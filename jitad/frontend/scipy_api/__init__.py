"""What is called in the place of SciPy's functions that are written in Python.

They are found by their names and modules, so that SciPy is not imported for them.
"""

from __future__ import annotations

from collections.abc import Callable

from jitad.frontend.promotion import contains_traced
from jitad.frontend.scipy_api import distance, fourier, images, integrals, interpolation, linalg, signals, special, statistics

TABLES = {
    "special": special.FUNCTIONS, "linalg": linalg.FUNCTIONS, "fft": fourier.FUNCTIONS, "signal": signals.FUNCTIONS, "ndimage": images.FUNCTIONS,
    "integrate": integrals.FUNCTIONS, "spatial": distance.FUNCTIONS, "interpolate": interpolation.FUNCTIONS, "stats": statistics.FUNCTIONS,
}  # fmt: skip


def of_scipy(function: Callable) -> Callable | None:
    """Return what is called in the place of a function or a class, None if it is not SciPy's, or jitad does not know it."""
    library, _, rest = (getattr(inner(function), "__module__", None) or "").partition(".")
    known = TABLES.get(rest.partition(".")[0], {}).get(getattr(function, "__qualname__", None)) if library == "scipy" else None
    if known is None:
        return None

    def call(*args, **kwargs):
        traced = contains_traced(args) or contains_traced(list(kwargs.values()))
        return (known if traced else function)(*args, **kwargs)

    return call


def inner(function: Callable) -> Callable:
    return getattr(function, "__wrapped__", function)
