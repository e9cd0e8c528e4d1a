"""What control flow does about lists that it lets grow.

In: a construct, as a function that traces its bodies and records it. Out: its result. Invariant: when the construct is recorded, the lists that
its bodies change keep their elements in arrays, made in the trace in which the lists were, with room for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from jitad.frontend.control.bodies import Body, Pass, State
from jitad.frontend.control.lists.appended import Appended, promote
from jitad.frontend.control.state import refused_growth, replace
from jitad.frontend.tracing.growable import Growable, Growth
from jitad.frontend.tracing.trace import current_trace
from jitad.ir import errors

ATTEMPTS = 12
Lengths = list[tuple[Appended, int | None, int | None]]


def with_room(construct: Callable, state: State):
    """Return ``construct()``, which is repeated until the lists that it changes are in arrays."""
    for _ in range(ATTEMPTS):
        try:
            return construct()
        except Growth as growth:
            make_room(growth, state)
    raise errors.ControlFlowError("the types of the elements that are appended to a list here do not settle")


def make_room(growth: Growth, state: State) -> None:
    """Put a list into arrays, if it belongs to the current trace; otherwise leave that to the construct around this one."""
    trace, x = current_trace(), growth.list
    if isinstance(trace, Body) and id(x) in trace.held:
        raise growth
    if type(x) is list:
        elements, x = x, Growable(x)
        if not replace(state, elements, x):
            raise refused_growth(elements)
        growth.list = x
    promote(growth)


def longest(passes: Iterable[Pass]) -> Lengths:
    """Return the lists that arms append to, with their greatest lengths before and after any of them."""
    found: dict[int, tuple] = {}
    for run in passes:
        for x, before, most in run.longer:
            known = found.get(id(x), (x, before, before))[2]
            found[id(x)] = x, before, None if known is None or most is None else max(known, most)
    return list(found.values())


def settle(lengths: Lengths) -> None:
    """Let lists be as long as they may have become; ask for more room where there is not enough."""
    for x, before, most in lengths:
        store = x.store
        if store.home is current_trace() and not store.checked and (most is None or most > store.capacity):
            raise Growth(x, [], None if most is None else most - before)
        store.most = most
