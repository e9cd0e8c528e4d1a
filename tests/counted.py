"""How often functions are traced and kernels compiled, and how much loops do: helpers of the tests."""

import functools
from contextlib import contextmanager

import jitad
from jitad.lower.grammar.loops import Repeat
from jitad.lower.grammar.walk import children

counters = jitad.config.counters


@contextmanager
def expect(traces=None, compiles=None):
    """Expect so many traces and compilations."""
    before = counters.traces, counters.compiles
    yield
    assert traces is None or counters.traces - before[0] == traces, f"{counters.traces - before[0]} traces"
    assert compiles is None or counters.compiles - before[1] == compiles, f"{counters.compiles - before[1]} compilations"


nothing_new = functools.partial(expect, 0, 0)


def work_of_trips(steps, inside=False):
    """The sizes of the nests that are run in every trip of a loop."""
    for step in steps:
        for inner in children(step):
            yield from work_of_trips(inner, inside or isinstance(step, Repeat))
        if inside and not children(step):
            yield step.trips
