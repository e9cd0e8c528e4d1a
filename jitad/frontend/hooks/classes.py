"""What ``isinstance`` and ``type`` say of traced arrays: the class of what each stands for."""

from __future__ import annotations

import numpy as np

from jitad.frontend.arrays.cells import is_traced
from jitad.frontend.arrays.masks import Selected
from jitad.frontend.arrays.ragged import Ragged
from jitad.frontend.tracing.growable import Growable


def instance_of(x, classes) -> bool:
    """``isinstance``, for which a traced array is an instance of the class of what it stands for."""
    return isinstance(x, classes) or stands(x) and isinstance(stand_in(x), classes)


def type_of(x, *definition, **keywords) -> type:
    """``type``, which says of a traced array the class of what it stands for."""
    return type(stand_in(x)) if not definition and stands(x) else type(x, *definition, **keywords)


def stands(x) -> bool:
    """Return whether a trace has something in the place of another."""
    return is_traced(x) or isinstance(x, Ragged | Selected | Growable)


def stand_in(x):
    if isinstance(x, Growable):
        return []
    if isinstance(x, Ragged | Selected):
        return np.empty((0,) * x.ndim, x.dtype)
    if x.weak is not None:
        return x.weak()
    return x.type.dtype.type() if x.scalar else np.empty(0, x.type.dtype)
