"""Branches: `if` statements and expressions, `and`, `or`, `not`.

In: a condition and two bodies. Out: what the one that is chosen does; if the condition is only known when the compiled function runs,
both are traced, and each value that either changes becomes a choice between the two. Invariant: an operand or arm that is not
taken has no effect: it does not fail, and contributes nothing to a derivative.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence

from jitad.frontend.arrays.array import Array, to_atom, wrap
from jitad.frontend.arrays.cells import is_traced
from jitad.frontend.arrays.views import reshaped
from jitad.frontend.control.bodies import Pass, State
from jitad.frontend.control.catching import NONE_RAISED, Unwound, attempts, caught, is_raised, resumed
from jitad.frontend.control.lists.appended import Appended
from jitad.frontend.control.lists.growth import with_room
from jitad.frontend.control.merging import Merger
from jitad.frontend.control.raising import raise_where
from jitad.frontend.control.signals import NONE, NOTHING, RAISE, RAISED, RETURN, Signal, is_none, returning
from jitad.frontend.control.state import Site
from jitad.frontend.operations.promotion import cast
from jitad.frontend.tracing.trace import Trace, current_trace
from jitad.frontend.variants import Variant, settled
from jitad.ir import errors
from jitad.ir.program import Atom
from jitad.ir.types import BOOL
from jitad.primitives.elementwise.comparisons import eq

NO_SITE = Site(())


def truth(test):
    """Return what decides about a condition: of a list in arrays, its length."""
    if isinstance(test, Variant):
        return test.truth()
    return test.length() > 0 if isinstance(test, Appended) else test


def decided(test) -> bool | None:
    """Return whether a condition holds, None if that is only known when the compiled function runs."""
    test = truth(test)
    if is_traced(test):
        with contextlib.suppress(errors.ConcreteValueError):
            return bool(test)
        return None
    return bool(test)


def condition(test: Array) -> Atom:
    """Return a traced condition as a boolean atom."""
    return reshaped(cast(to_atom(truth(test)), BOOL), ())


def nothing() -> None:
    return None


# --- statements -------------------------------------------------------------------------------------------------------------------


def branch(test, then: Callable | None, otherwise: Callable | None, site: tuple) -> Signal | None:
    """Run one of two bodies, or stage the choice."""
    holds = decided(test)
    arms = (otherwise or nothing, then or nothing)
    if holds is not None:
        return arms[holds]()
    site = Site(*site)
    refuse_globals(site)
    return chosen_arm(condition(test), arms, State((then, otherwise), (site,)))


def chosen_arm(test: Atom, arms: Sequence[Callable], state: State) -> Signal | None:
    """Trace two bodies and record the choice between them, the first for a `test` that does not hold; of one that raises, the other remains.

    What a `try` statement handles ends the arm that raises it; if both do, nothing after it is reached.
    """
    def construct():
        saved = state.save()
        passes = []
        for taken, arm in enumerate(arms):
            try:
                passes.append(Pass(functools.partial(caught, arm), state, saved, functools.partial(assume, test, bool(taken)), more=True))
            except Exception as error:
                if not is_raised(error):
                    raise
                raise_where(test if taken else ~test, error)
                assume(test, not taken, current_trace())
                return arms[not taken]()
        return Merger(test, passes, state, saved).run()

    signal = with_room(construct, state)
    if signal is not None and signal.known and signal.code == RAISE:
        raise Unwound
    return signal


def assume(test: Atom, holds: bool, trace: Trace) -> None:
    """Note that a condition is known to hold, or not to."""
    trace.assumed.append((test, holds))


def refuse_globals(site: Site) -> None:
    if site.outermost:
        raise errors.ControlFlowError(
            f"the global name {site.outermost[0]} is set in control flow that is decided when the compiled function runs; return the value "
            "from the function instead")


def after(signal: Signal | None, rest: Callable, site: tuple) -> Signal | None:
    """Run the statements after one that gave `signal`, unless it leaves them out."""
    if signal is None:
        return rest()
    if signal.known:
        return signal
    return chosen_arm(is_none(signal), [lambda: signal_left(signal), functools.partial(resumed, rest)], State((rest,), (Site(*site),)))


def signal_left(signal: Signal) -> Signal:
    """Return a signal where it is known to be one."""
    possible = signal.possible - {NONE}
    return Signal(next(iter(possible)) if len(possible) == 1 else signal.code, signal.value, possible)


def unless_raised(function: Callable) -> Callable:
    """Return a function that is left out where the same statement has raised an exception that is handled."""

    @functools.wraps(function, updated=())
    def call(*args, **kwargs):
        found = attempts()
        if not found or not found[-1].pending:
            return function(*args, **kwargs)

        def run():
            return returning(function(*args, **kwargs))

        test = eq(found[-1].atom, NONE_RAISED)
        return chosen_arm(test, [lambda: RAISED, functools.partial(resumed, run)], State((run,), ())).value

    return call


def result(signal: Signal | None):
    """Return what the function returns that ends with `signal`."""
    if signal is None or signal.value is NOTHING:
        return None
    if signal.possible <= {RETURN, RAISE}:
        return signal.value
    return chosen(wrap(is_none(signal)), nothing, lambda: signal.value)


# --- expressions -------------------------------------------------------------------------------------------------------------------


def choose(test, then: Callable, otherwise: Callable):
    """``then() if test else otherwise()``."""
    holds = decided(test)
    if holds is not None:
        return then() if holds else otherwise()
    return chosen(test, then, otherwise)


def chosen(test: Array, then: Callable, otherwise: Callable):
    """Stage the choice between the values of two expressions."""
    arms = [functools.partial(giving, arm) for arm in (otherwise, then)]
    return chosen_arm(condition(test), arms, State((then, otherwise), ())).value


def giving(arm: Callable) -> Signal:
    return returning(arm())


def all_of(first, *others: Callable):
    """``first and others[0]() and ...``."""
    while others:
        first = first if isinstance(first, Variant) else truth(first)
        holds = decided(first)
        if holds is None:
            return chosen(first, functools.partial(following, all_of, others), functools.partial(same, first))
        if not holds:
            return first
        first, others = others[0](), others[1:]
    return first


def any_of(first, *others: Callable):
    """``first or others[0]() or ...``."""
    while others:
        first = first if isinstance(first, Variant) else truth(first)
        holds = decided(first)
        if holds is None:
            return chosen(first, functools.partial(same, first), functools.partial(following, any_of, others))
        if holds:
            return first
        first, others = others[0](), others[1:]
    return first


def following(combine: Callable, operands: tuple):
    return combine(operands[0](), *operands[1:])


def same(x):
    return settled(x)


def not_(x):
    holds = decided(x)
    return wrap(~condition(x), weak=True) if holds is None else not holds


def known(test):
    """Return what decides how many elements are looked at, which bind a name."""
    if decided(test) is None:
        raise errors.ControlFlowError("a name that is bound by := within any() or all() has the value of the element that decides, which is only "
                                      "known when the compiled function runs; write a loop with break")
    return test


def assertion(test, message: Callable = nothing) -> bool:
    """Return whether an assertion holds; one that is only known when the compiled function runs is checked there."""
    holds = decided(test)
    if holds is None:
        text = message()
        raise_where(~condition(test), AssertionError() if text is None else AssertionError(text))
    return holds is not False
