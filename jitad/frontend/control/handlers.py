"""`try` statements.

In: the body, handlers, `else` and `finally` as functions. Out: what they do. Handlers of exceptions that are raised while the function is traced run
at once; of what is only known when the compiled function runs, they are arms of a branch. Invariant: errors that say what jitad cannot do are
not handled by the user's code.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jitad.frontend.control.bodies import State
from jitad.frontend.control.branches import after, chosen_arm, signal_left
from jitad.frontend.control.catching import NONE_RAISED, Attempt, Unwound, attempts, is_none_raised, is_raised, is_users, raised
from jitad.frontend.control.raising import guard
from jitad.frontend.control.signals import NONE, RAISE, RAISED, Signal, codes, is_none
from jitad.frontend.control.state import Site
from jitad.frontend.tracing.growable import Growth
from jitad.frontend.tracing.trace import Concretize, current_trace
from jitad.ir import errors
from jitad.ir.program import Literal, literal
from jitad.ir.recorder import guarding
from jitad.ir.types import BOOL, INT
from jitad.primitives.elementwise.comparisons import eq, ne, select


class Handler(NamedTuple):
    """A handler: a function that gives the classes it handles, what it does with an exception, and whether it looks at which one it is."""

    types: Callable
    function: Callable
    looks: bool


def attempt(body: Callable, handlers: tuple, otherwise: Callable | None, final: Callable | None, site: tuple) -> Signal | None:
    """Run or stage a `try` statement."""
    handlers = [Handler(*handler) for handler in handlers]
    if final is None:
        return handled(body, handlers, otherwise, site)
    try:
        signal = handled(body, handlers, otherwise, site)
    except (Growth, Concretize):
        raise
    except BaseException:
        ended = finished(None, final, site)
        if ended is not None:
            return ended
        raise
    return finished(signal, final, site)


def finished(signal: Signal | None, final: Callable, site: tuple) -> Signal | None:
    """Run `finally`, also where an exception goes on to a `try` statement around, and return the signal of the whole."""
    around = attempts()[-1] if attempts() else None
    pending = around.atom if around is not None else NONE_RAISED
    if around is not None:
        around.clear()
    ended = final()
    if not is_none_raised(pending):
        now = around.atom
        around.set(pending if is_none_raised(now) else select(ne(now, NONE_RAISED), now, pending))
    if ended is None or ended.known:
        return signal if ended is None else ended
    return chosen_arm(is_none(ended), [lambda: signal_left(ended), lambda: signal], State((final,), (Site(*site),)))


def handled(body: Callable, handlers: list[Handler], otherwise: Callable | None, site: tuple) -> Signal | None:
    """Run or stage a `try` statement without `finally`."""
    if current_trace() is None:
        return plain(body, handlers, otherwise)
    kinds = [flat(handler.types()) for handler in handlers]
    check_errors_of_numbers(kinds)
    here, failure = Attempt(tuple(cls for found in kinds for cls in found)), None
    around = attempts()
    if kinds:
        around.append(here)
    try:
        with guarding(guard):
            signal = raised(body())
    except Unwound:
        if not kinds:
            raise
        signal = RAISED
    except Exception as error:
        if not is_users(error) and not is_raised(error):
            raise
        failure = error
    finally:
        if kinds:
            around.remove(here)
    if failure is not None and not here.pending:
        return run(handlers, kinds, failure)
    if failure is not None:
        here.note(literal(True, BOOL), failure)
        signal = RAISED
    if not here.pending:
        return signal if otherwise is None else after(signal, otherwise, site)
    return dispatched(here, signal, handlers, kinds, otherwise, site)


def check_errors_of_numbers(kinds: list[tuple]) -> None:
    if "raise" in np.geterr().values() and any(issubclass(FloatingPointError, types) for types in kinds):
        raise errors.ControlFlowError(
            "a handler for FloatingPointError cannot take effect: the compiled function gives infinity or NaN where np.errstate asks for exceptions; "
            "test the results with np.isfinite")


def flat(types) -> tuple[type, ...]:
    """Return the classes that stand behind `except`."""
    return tuple(cls for part in types for cls in flat(part)) if isinstance(types, tuple) else (types,)


def plain(body: Callable, handlers: list[Handler], otherwise: Callable | None) -> Signal | None:
    try:
        signal = body()
    except BaseException as error:
        found = next((handler for handler in handlers if isinstance(error, handler.types())), None)
        if found is None:
            raise
        return found.function(error)
    return otherwise() if signal is None and otherwise is not None else signal


def run(handlers: list[Handler], kinds: list[tuple], error: Exception) -> Signal | None:
    """Handle an exception that has been raised while tracing, as one that is being handled, so that `raise` raises it again."""
    try:
        raise error
    except Exception:
        found = handler_for(error, kinds)
        if found is None:
            raise
        return handlers[found].function(error)


def handler_for(error: Exception, kinds: list[tuple]) -> int | None:
    return next((k for k, types in enumerate(kinds) if isinstance(error, types)), None)


def dispatched(here: Attempt, signal: Signal | None, handlers: list[Handler], kinds: list[tuple], otherwise: Callable | None,
               site: tuple) -> Signal | None:
    """Stage the choice between the handlers, and going on where nothing was raised."""
    number = here.atom
    groups: dict = {}
    for code, error in here.raised.values():
        k = handler_for(error, kinds)
        if k is None:
            current_trace().home.passed.append(error)
        shared = k is not None and not handlers[k].looks
        groups.setdefault(("all", k) if shared else ("one", code), []).append((code, error))
    arms = [([code for code, _ in group], functools.partial(run, handlers, kinds, group[0][1])) for group in groups.values()]
    if isinstance(number, Literal):
        return next(arm() for found, arm in arms if int(number.value) in found)
    functions = otherwise, *[handler.function for handler in handlers]
    if codes(signal) != {RAISE}:
        arms.insert(0, ([0], functools.partial(unraised, signal, otherwise, site)))

    def choose(k: int) -> Signal | None:
        found, arm = arms[k]
        if k == len(arms) - 1:
            return arm()
        test = functools.reduce(lambda x, y: x | y, [eq(number, literal(code, INT)) for code in found])
        return chosen_arm(test, [functools.partial(choose, k + 1), arm], State(functions, (Site(*site),)))

    return choose(0)


def unraised(signal: Signal | None, otherwise: Callable | None, site: tuple) -> Signal | None:
    """Go on where nothing was raised."""
    possible = codes(signal) - {RAISE}
    if possible == {NONE}:
        return None if otherwise is None else otherwise()
    rest = Signal(next(iter(possible)) if len(possible) == 1 else signal.code, signal.value, possible)
    return rest if otherwise is None or NONE not in possible else after(rest, otherwise, site)
