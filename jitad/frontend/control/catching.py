"""Exceptions that are only known when the compiled function runs, inside of `try` statements that handle them.

In: exceptions raised while the body of a `try` statement is traced, each with the condition under which it is. Out: a cell of the statement, in
which the number of the first one is found, 0 if there is none; and signals `RAISE`, by which bodies leave out what comes after it. Invariant:
nothing that the user's function does after an exception takes effect; what is left of the statement that raises may be computed, of numbers
that mean nothing.
"""

from __future__ import annotations

import dis
from collections.abc import Callable

from jitad.frontend.arrays.cells import Cell, wrap
from jitad.frontend.control.signals import NONE, NOTHING, RAISE, RAISED, Signal, codes
from jitad.frontend.hooks.own_code import FILES
from jitad.frontend.tracing.trace import Trace, current_trace, trace_around
from jitad.ir import errors
from jitad.ir.libraries import is_library
from jitad.ir.program import Atom, Literal, literal
from jitad.ir.source import user_source
from jitad.ir.types import BOOL, INT
from jitad.primitives.elementwise.comparisons import eq, ne, select

RAISE_STATEMENT = dis.opmap["RAISE_VARARGS"]
NONE_RAISED = literal(0, INT)


class Unwound(BaseException):
    """What is traced is reached only after an exception: the body that it belongs to ends here."""


class Attempt:
    """A `try` statement whose body is being traced.

    Attributes
    ----------
    types
        The classes of exceptions that it handles.
    cell
        Holds the number of the exception that was raised, 0 if there is none.
    raised
        The exceptions, by what tells them apart, each with its number.
    """

    def __init__(self, types: tuple[type, ...]):
        self.types = types
        self.cell = Cell(NONE_RAISED, current_trace())
        self.raised: dict[tuple, tuple[int, BaseException]] = {}

    @property
    def atom(self) -> Atom:
        return self.cell.atom

    @property
    def pending(self) -> bool:
        """Return whether there may be an exception here."""
        return not is_none_raised(self.atom)

    def note(self, condition: Atom, error: BaseException) -> None:
        """Record that an exception is raised where a condition holds, if none was before."""
        number = literal(self.number(error), INT)
        if self.pending:
            condition = condition & eq(self.atom, NONE_RAISED)
        always = isinstance(condition, Literal) and condition.value
        self.set(number if always else select(condition, number, self.atom))

    def number(self, error: BaseException) -> int:
        """Return the number of an exception."""
        key = type(error), repr(error.args), place_of(error)
        number, _ = self.raised.get(key, (len(self.raised) + 1, None))
        self.raised[key] = number, error
        return number

    def set(self, atom: Atom) -> None:
        view = wrap(atom, scalar=False)
        view.cell = self.cell
        view.assign(atom)

    def clear(self) -> None:
        """Go on where it is known that nothing was raised."""
        if self.pending:
            self.set(NONE_RAISED)


def is_none_raised(atom: Atom) -> bool:
    return isinstance(atom, Literal) and not atom.value


def place_of(error: BaseException):
    """Return where an exception was raised, as far as is known."""
    traceback = error.__traceback__
    if traceback is None:
        return user_source()
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback.tb_frame.f_code, traceback.tb_lasti


def attempts(trace: Trace | None = None) -> list[Attempt]:
    """Return the `try` statements that the code being traced is in, within its function."""
    trace = trace or current_trace()
    return [] if trace is None else trace.home.tries


def attempt_for(error: BaseException) -> Attempt | None:
    """Return the `try` statement that an exception leaves or is handled by, None if none handles it; refuse what cannot leave its function."""
    found = attempts()
    if any(isinstance(error, attempt.types) for attempt in found):
        return found[-1]
    around = current_trace() and trace_around(current_trace().home)
    while around is not None:
        if any(isinstance(error, attempt.types) for attempt in attempts(around)):
            raise errors.ControlFlowError(
                f"the handler for {type(error).__name__} cannot take effect: it is raised when the compiled function runs, in a function that is "
                "differentiated or compiled by itself; test for the condition with if or np.where instead")
        around = trace_around(around.home)
    return None


def catches(types: type | tuple[type, ...]) -> bool:
    """Return whether a `try` statement around the code being traced may handle an exception of a class."""
    trace = current_trace()
    while trace is not None:
        if any(issubclass(types, attempt.types) for attempt in attempts(trace)):
            return True
        trace = trace_around(trace.home)
    return False


def is_raised(error: BaseException) -> bool:
    """Return whether an exception comes from a `raise` statement of code that is traced, or is one that a `try` statement has passed on."""
    if any(error is known for known in current_trace().home.passed):
        return True
    traceback = error.__traceback__
    if traceback is None or isinstance(error, errors.JitadError):
        return False
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    code = traceback.tb_frame.f_code
    return code.co_code[traceback.tb_lasti] == RAISE_STATEMENT and (code.co_filename in FILES or not is_library(code.co_filename))


def is_users(error: BaseException) -> bool:
    """Return whether an exception is one that plain Python would raise too, not one by which jitad says what it cannot do."""
    return isinstance(error, (errors.IndexError, errors.ValueError)) or not isinstance(error, (errors.JitadError, NameError, RecursionError))


def caught(body: Callable) -> Signal | None:
    """Return the signal of a body; `RAISED` if it raises what a `try` statement around it handles."""
    try:
        return body()
    except Unwound:
        return RAISED
    except Exception as error:
        attempt = attempt_for(error) if attempts() and (is_raised(error) or is_users(error)) else None
        if attempt is None:
            raise
        attempt.note(literal(True, BOOL), error)
        return RAISED


def raised(signal: Signal | None = None) -> Signal | None:
    """Return a signal, or `RAISE` where an exception has been raised."""
    found = attempts()
    if not found or not found[-1].pending or signal is not None and signal.known and signal.code == RAISE:
        return signal
    atom = found[-1].atom
    if isinstance(atom, Literal):
        return RAISED
    code, value = (literal(NONE, INT), NOTHING) if signal is None else (signal.atom, signal.value)
    return Signal(select(ne(atom, NONE_RAISED), RAISED.atom, code), value, codes(signal) | {RAISE})


def resumed(body: Callable):
    """Run a body that is reached only if nothing was raised."""
    for attempt in attempts():
        attempt.clear()
    return body()


