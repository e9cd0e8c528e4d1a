"""Loops: `for` and `while` statements.

In: what a loop runs over or its condition, and its body as a function. Out: what its trips do. Short loops and loops over what only Python
knows are run trip by trip, the others are staged. Invariant: the size of the Program does not grow with the number of trips, beyond
a few trips of a small body; loops that cannot be staged are run trip by trip, up to a number.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from types import CodeType

from jitad.frontend.arrays.cells import is_traced, wrap
from jitad.frontend.control.bodies import Pass, State
from jitad.frontend.control.branches import branch, chosen_arm, decided, signal_left
from jitad.frontend.control.catching import caught, raised, resumed
from jitad.frontend.control.iterables import SHORT, Sequence, Unroll, is_long, sequence_of
from jitad.frontend.control.loops import Apart, Staging
from jitad.frontend.control.pictures import ShapesDiffer, StructuresDiffer
from jitad.frontend.control.signals import BREAK, Signal, after_loop, at_end_of_trip, is_none
from jitad.frontend.control.state import Site
from jitad.frontend.tracing.growable import Growth
from jitad.frontend.tracing.trace import current_trace, runs_apart
from jitad.ir import errors
from jitad.ir.program import Equation, count
from jitad.ir.recorder import current

FALLBACK = 2000  # trips up to which a loop that cannot be staged is run trip by trip
PATIENCE = 250  # equations that the trips of a short loop may record
LOOP = 60  # equations that compile as fast as a staged loop does
FEW = 3  # trips that are worth staging only for the loops in them
MOST_APART = 4  # first trips that are run apart: as many as there may be arrays that change places


def for_loop(iterable, body: Callable, otherwise: Callable | None, site: tuple, else_site: tuple) -> Signal | None:
    """Run or stage a `for` statement."""
    site = Site(*site)
    sequence = None if isinstance(iterable, Unroll) or current_trace() is None else sequence_of(iterable)
    if sequence is None:
        signal = unrolled(iterable, body, site)
    elif is_long(sequence) or is_large(sequence, body, site):
        signal = staged_or_unrolled(sequence, body, site)
    else:
        signal = unrolled(iterable, body, site)
    return ended(signal, otherwise, else_site)


def while_loop(test: Callable, body: Callable, otherwise: Callable | None, site: tuple, else_site: tuple) -> Signal | None:
    """Run or stage a `while` statement: trips are run one by one as long as the condition is known, up to some."""
    site = Site(*site)
    signal, trips, limit = None, 0, SHORT
    recorded = current().equations if current_trace() is not None else []
    before = len(recorded)
    while True:
        holds = decided(test())
        if holds is None or (signal is not None and not signal.known):
            signal = Staging(site, body, test=test).run(signal)
            break
        if not holds:
            break
        if current_trace() is not None and (trips >= limit or (limit == SHORT and trips and count(recorded[before:]) > PATIENCE)):
            limit = max(2 * trips, SHORT + 1)
            try:
                signal = Staging(site, body, test=test).run(signal)
                break
            except errors.JitadError:
                if trips > FALLBACK:
                    raise
        signal = at_end_of_trip(raised(body()))
        trips += 1
        if signal is not None and signal.known:
            break
    return ended(signal, otherwise, else_site)


def ended(signal: Signal | None, otherwise: Callable | None, site: tuple) -> Signal | None:
    """Run the `else` of a loop that ended with `signal`, and return the signal of the whole."""
    if otherwise is None:
        return after_loop(signal)
    if signal is None:
        return otherwise()
    if signal.known:
        return after_loop(signal)
    left = after_loop(signal)
    if left is not None and BREAK not in signal.possible:
        left = signal_left(left)
    return branch(wrap(is_none(signal)), otherwise, None if left is None else lambda: left, site)


def is_large(sequence: Sequence, body: Callable, site: Site, code: CodeType | None = None) -> bool:
    """Return whether the trips of a loop would record a long program. `code` is the user's.

    The first one is traced, by itself, to find out, and if it is short the last one too: loops within it may only then run.
    """
    sizes, code = current_trace().home.trip_sizes, code or body.__code__
    if sequence.length < 2:
        return False
    if code not in sizes:
        sizes[code] = 0
        for place in (0, sequence.length - 1):
            size = trip_size(sequence, place, body, site)
            if size is None:
                del sizes[code]
                return False
            sizes[code] = max(size, sizes[code])
            if sequence.length * size > PATIENCE:
                break
    return sequence.length * sizes[code] > PATIENCE


def trip_size(sequence: Sequence, place: int, body: Callable, site: Site) -> int | None:
    """Return how many equations a trip records, those of few trips only if they are loops, which count as several.

    None if it fails, which it will again, or which does not happen to the function as a whole.
    """
    state = State((body,), (site,))
    try:
        equations = Pass(lambda: caught(lambda: body(sequence.element(place))), state, state.save(), appends=True).equations
        return LOOP * count(equations, is_loop) + (count(equations) if sequence.length > FEW else 0)
    except Growth:
        return PATIENCE
    except Exception:
        return None


def is_loop(equation: Equation) -> bool:
    return "length" in equation.params


def unrolled(iterable: Iterable, body: Callable, site: Site, signal: Signal | None = None) -> Signal | None:
    for number, item in enumerate(iterable):
        if signal is not None and number > FALLBACK:
            raise errors.ControlFlowError(f"a loop over a {type(iterable).__name__} has made {number} trips, and when it ends is decided when the "
                                          "compiled function runs; write while, or a loop over range(...) of the greatest number of trips")
        if signal is None:
            signal = at_end_of_trip(raised(body(item)))
            if signal is not None and signal.known:
                return signal
        else:
            signal = guarded(signal, body, item, site)
    return signal


def guarded(signal: Signal, body: Callable, item, site: Site) -> Signal:
    """Run one more trip unless `signal`, which is traced, has ended the loop."""
    trip = functools.partial(resumed, lambda: at_end_of_trip(raised(body(item))))
    return chosen_arm(is_none(signal), [lambda: signal_left(signal), trip], State((body,), (site,)))


def staged_or_unrolled(sequence: Sequence, body: Callable, site: Site, apart: int = MOST_APART) -> Signal | None:
    """Stage a loop of known length, from its second trip if the first one changes what is carried; or run it trip by trip.

    Where that is asked for, up to `apart` first trips are run by themselves that change arrays which have no name in the loop afterwards.
    """
    apart = apart if apart and runs_apart() and not is_traced(sequence.length) and sequence.length > 1 else 0
    staging = Staging(site, body, sequence=sequence, apart=apart > 0)
    state = State((body,), (site,))
    saved = state.save()
    try:
        return staging.run()
    except Apart:
        saved.restore()
        signal = at_end_of_trip(raised(body(sequence.element(0))))
        if signal is None:
            return staged_or_unrolled(sequence.from_second(), body, site, apart - 1)
        return signal if signal.known else Staging(site, body, sequence=sequence.from_second()).run(signal)
    except (ShapesDiffer, StructuresDiffer, UnboundLocalError, NameError) as error:
        saved.restore()
        if is_traced(sequence.length):
            raise staging.refused(error) from None
        failure = error
    except errors.JitadError:
        saved.restore()
        if is_traced(sequence.length) or sequence.length > FALLBACK:
            raise
        return unrolled(sequence.elements(), body, site)
    signal = at_end_of_trip(raised(body(sequence.element(0))))
    if signal is not None and signal.known:
        return signal
    rest = sequence.from_second()
    try:
        return Staging(site, body, sequence=rest).run(signal)
    except errors.JitadError:
        if sequence.length > FALLBACK:
            raise staging.refused(failure) from None
        return unrolled(rest.elements(), body, site, signal)
