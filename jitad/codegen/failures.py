"""What a kernel raises: the number a body returns, the exception, its message and its place."""

from __future__ import annotations

from typing import NamedTuple, NoReturn

from jitad.codegen import printing
from jitad.ir import errors
from jitad.ir.source import Source
from jitad.lower.loops import Call, Loops, Tape
from jitad.lower.walk import leaves, tapes

FIRST_CALL, FIRST_TAPE = 1_000_000, 2_000_000
LIBRARY_MESSAGES = {
    "lu_solve": "Singular matrix", "triangular_solve": "Singular matrix", "cholesky": "Matrix is not positive definite",
    "eigh": "Eigenvalues did not converge",
    "print": "a line could not be written",
}  # fmt: skip


class Failure(NamedTuple):
    """An exception to raise: the name of its class in `jitad.ir.errors`, its message, and the user's line."""

    exception: str
    message: str
    source: Source

    @property
    def cls(self) -> type[errors.JitadError]:
        return getattr(errors, self.exception)

    def throw(self) -> NoReturn:
        printing.raise_again()
        raise self.cls(self.message, self.source)


def failures(loops: Loops) -> dict[int, Failure]:
    """Return what each status that the body of `loops` may return stands for."""
    table = {check.number: Failure(check.error.__name__, check.message, check.source) for check in loops.checks}
    for call in leaves(loops.steps):
        if isinstance(call, Call) and call.routine in LIBRARY_MESSAGES:
            table[call_number(call)] = Failure("LinAlgError", LIBRARY_MESSAGES[call.routine], call.source)
    for tape in tapes(loops.steps):
        table[tape_number(tape)] = Failure("MemoryError", "the trips of this loop take more memory in reverse mode than there is", tape.source)
    return table


def tape_number(tape: Tape) -> int:
    """Return the status where there was no memory for a tape."""
    return FIRST_TAPE + tape.number


def call_number(call: Call) -> int:
    """Return the status of a library call that failed."""
    return FIRST_CALL + call.number
