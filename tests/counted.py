"""How often functions are traced and kernels compiled: a helper of the tests."""

import functools
from contextlib import contextmanager

import jitad

counters = jitad.config.counters


@contextmanager
def expect(traces=None, compiles=None):
    """Expect so many traces and compilations."""
    before = counters.traces, counters.compiles
    yield
    assert traces is None or counters.traces - before[0] == traces, f"{counters.traces - before[0]} traces"
    assert compiles is None or counters.compiles - before[1] == compiles, f"{counters.compiles - before[1]} compilations"


nothing_new = functools.partial(expect, 0, 0)
