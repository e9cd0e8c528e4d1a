"""How a body ends other than by reaching its end: signals for `break`, `continue`, `return`, and exceptions.

In: what a body returns, None or a `Signal`. Out: the same, put together or reduced. A signal that is only known when the compiled
function runs has a traced code, and says which codes it may be.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from jitad.frontend.variants import settled
from jitad.ir.program import Atom, literal
from jitad.ir.types import INT
from jitad.primitives.elementwise.comparisons import eq, select

NONE, CONTINUE, BREAK, RETURN, RAISE = range(5)
NOTHING = type("Nothing", (), {"__repr__": lambda self: "<nothing>"})()


class Signal(NamedTuple):
    """How a body ended: a code, the value returned, and the codes that are possible."""

    code: int | Atom
    value: Any = NOTHING
    possible: frozenset[int] = frozenset()

    @property
    def known(self) -> bool:
        return isinstance(self.code, int)

    @property
    def atom(self) -> Atom:
        return literal(self.code, INT) if self.known else self.code


BREAKING = Signal(BREAK, NOTHING, frozenset({BREAK}))
CONTINUING = Signal(CONTINUE, NOTHING, frozenset({CONTINUE}))
RAISED = Signal(RAISE, NOTHING, frozenset({RAISE}))


def returning(value) -> Signal:
    return Signal(RETURN, settled(value), frozenset({RETURN}))


def codes(signal: Signal | None) -> frozenset[int]:
    return frozenset({NONE}) if signal is None else signal.possible


def at_end_of_trip(signal: Signal | None) -> Signal | None:
    """Return what a signal is to the loop: `continue` only ends the trip."""
    if signal is None or signal.possible <= {NONE, CONTINUE}:
        return None
    if CONTINUE not in signal.possible:
        return signal
    code = select(eq(signal.code, CONTINUE), literal(NONE, INT), signal.code)
    return Signal(code, signal.value, signal.possible - {CONTINUE} | {NONE})


def after_loop(signal: Signal | None) -> Signal | None:
    """Return what a signal is to the statements after the loop: `break` has done its work."""
    if signal is None or signal.possible <= {NONE, BREAK}:
        return None
    if BREAK not in signal.possible:
        return signal
    code = select(eq(signal.code, BREAK), literal(NONE, INT), signal.code)
    return Signal(code, signal.value, signal.possible - {BREAK} | {NONE})


def is_none(signal: Signal) -> Atom:
    """Return whether there is no signal."""
    return eq(signal.atom, literal(NONE, INT))
