"""The generators of random numbers that all share, ``np.random`` and ``random``, where the traced function gives them a seed itself.

In: their functions. Out: those of a generator of the trace's own with that seed, which draw what NumPy and Python would; the shared ones are left
alone. Invariant: what is drawn does not depend on when the function is traced, and each draw of it is traced by itself.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np

from jitad.frontend.control.bodies import Body
from jitad.frontend.tracing.captures import Captures
from jitad.frontend.tracing.trace import current_trace
from jitad.ir import errors

SHARED = {np.random.rand.__self__: np.random.RandomState, random.random.__self__: random.Random}


def seeding(captures: Captures, shared) -> Callable:
    """Return what is called in the place of ``np.random.seed`` or ``random.seed``."""

    def seed(seed=None, *version):
        if seed is None:
            raise errors.TypeError("a generator of random numbers gets a seed that is not known; give it a number")
        captures.seeded[shared] = SHARED[shared](seed), current_trace()

    return seed


def of_seeded(captures: Captures, function) -> Callable | None:
    """Return a method of the trace's own generator in the place of one of a shared generator, None if the function gave it no seed."""
    shared = function.__self__
    if function.__name__ == "seed":
        return seeding(captures, shared)
    generator, trace = captures.seeded.get(shared, (None, None))
    if generator is None or not trace.alive:
        return None
    if current_trace() is not trace and isinstance(current_trace(), Body):
        raise errors.ControlFlowError(
            f"{function.__name__} draws random numbers in control flow that is decided when the compiled function runs, or in a loop that is "
            "traced once, and would draw only once; draw an array of them before, or use jitad.unroll for a loop of known length")
    return getattr(generator, function.__name__)
