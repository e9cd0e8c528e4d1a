"""Functions of jitad's own that are traced as the user's are: their loops are staged, and what they call is exchanged."""

from __future__ import annotations

import functools
from collections.abc import Callable

FORMS: list[Callable] = []  # what gives the form of such a function that runs in a trace; `calls` enters it

FILES: set[str] = set()  # of these functions
# What derives a function in a trace, which `jitad.functional` enters: `jvp` takes tuples of arguments and tangents, `none` a
# function without arguments, `linear` a linear function, its transpose, its argument and a name, `pullback` an
# argument and a cotangent, the others one argument.
DERIVATIVES: dict[str, Callable] = {}


def traced_as_users(function: Callable) -> Callable:
    """Have a function run in the form in which a function of the user's would."""

    FILES.add(function.__code__.co_filename)

    @functools.wraps(function)
    def call(*args, **kwargs):
        return FORMS[0](function)(*args, **kwargs)

    return call
