"""NumPy functions that NumPy itself writes in Python, on top of functions that the table has.

In: such a function. Out: the same code, run on traced arrays: its value, its dtype, its shape and its errors are NumPy's because it is
NumPy's. All that stands between is that ``array``, ``asarray`` and their like, which would ask a traced array for numbers,
are exchanged for those in `READERS`. Only functions that never look at values are adopted.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Hashable

import numpy as np

from jitad.frontend.hooks.classes import instance_of
from jitad.frontend.numpy_api.creation import READERS, REDIRECTS
from jitad.frontend.numpy_api.table import implements, named

NAMES = """
    angle append apply_over_axes array_split atleast_1d atleast_2d atleast_3d column_stack corrcoef diag_indices_from diff
    dsplit dstack expand_dims fft.fftshift fft.ifftshift flip fliplr flipud hsplit hstack i0 iscomplex isreal ix_ linalg.cross
    linalg.matrix_norm linalg.matrix_power linalg.matrix_transpose linalg.multi_dot linalg.tensorinv linalg.vector_norm
    matrix_transpose moveaxis poly polyadd polyder polyint polysub polyval put_along_axis rollaxis rot90 split stack
    take_along_axis trapezoid tril_indices_from triu_indices_from unstack unwrap vsplit vstack
"""


POLYNOMIALS = "numpy.polynomial."  # whose modules call each other's functions, and fill arrays of zeros


class Redirected:
    """A module of NumPy as adopted code of `user`, the name of a module, sees it."""

    def __init__(self, module: types.ModuleType, user: str):
        self.module, self.user = module, user

    def __getattr__(self, name: str):
        value = getattr(self.module, name)
        found = redirected(value, self.user)
        inner = found is value and isinstance(value, types.FunctionType) and value.__module__.startswith(POLYNOMIALS)
        return in_scope(value) if inner else found


_scopes: dict[str, dict] = {}


def redirected(value, user: str):
    """Return what stands for a global of NumPy's in adopted code of a module."""
    if isinstance(value, types.ModuleType) and value.__name__.startswith("numpy"):
        return Redirected(value, user)
    table = REDIRECTS if user.startswith(POLYNOMIALS) else READERS
    return value if not isinstance(value, Hashable) else table.get(value, value)


def scope(module: str) -> dict:
    """Return the globals of a module of NumPy's with its array constructors exchanged, in its own helper functions too."""
    if module not in _scopes:
        own = vars(sys.modules[module])
        names = _scopes[module] = {name: redirected(value, module) for name, value in own.items()}
        names["isinstance"] = instance_of
        for name, value in own.items():
            if isinstance(value, types.FunctionType) and value.__globals__ is own and names[name] is value:
                names[name] = in_scope(value)
    return _scopes[module]


def in_scope(function: types.FunctionType) -> types.FunctionType:
    names = scope(function.__globals__["__name__"])
    copy = types.FunctionType(function.__code__, names, function.__name__, function.__defaults__, function.__closure__)
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


def adopt(function: Callable) -> None:
    implements(function)(in_scope(function.__wrapped__))


for function in named(*NAMES.split()):
    adopt(function)

concatenator = type(np.r_).__getitem__  # of np.c_ as well
REDIRECTS[concatenator] = in_scope(concatenator)
