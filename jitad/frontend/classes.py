"""What ``isinstance`` and ``type`` say of traced arrays: the class of what each stands for."""

from __future__ import annotations

import numpy as np

from jitad.frontend.cells import View, is_traced


def instance_of(x, classes) -> bool:
    """``isinstance``, for which a traced array is an instance of the class of what it stands for."""
    return isinstance(x, classes) or is_traced(x) and isinstance(stand_in(x), classes)


def type_of(x, *definition, **keywords) -> type:
    """``type``, which says of a traced array the class of what it stands for."""
    return type(stand_in(x)) if is_traced(x) and not definition else type(x, *definition, **keywords)


def stand_in(x: View):
    if x.weak is not None:
        return x.weak()
    return x.type.dtype.type() if x.scalar else np.empty(0, x.type.dtype)
