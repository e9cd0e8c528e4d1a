"""What a kernel raises: the number a body returns, the exception, its message and its place."""

from __future__ import annotations

import ast
from typing import NamedTuple, NoReturn

from jitad.codegen import printing
from jitad.ir import errors
from jitad.ir.source import Source
from jitad.lower.grammar.loops import Call, Loops, Tape
from jitad.lower.grammar.walk import leaves, tapes

FIRST_CALL, FIRST_TAPE = 1_000_000, 2_000_000
LIBRARY_MESSAGES = {
    "lu_solve": "Singular matrix", "triangular_solve": "Singular matrix", "cholesky": "Matrix is not positive definite",
    "eigh": "Eigenvalues did not converge", "svd": "SVD did not converge", "svdvals": "SVD did not converge",
    "eig": "Eigenvalues did not converge, or a matrix has infs or NaNs", "eigvals": "Eigenvalues did not converge, or a matrix has infs or NaNs",
    "print": "a line could not be written",
}  # fmt: skip


class Failure(NamedTuple):
    """An exception to raise: the name of its class (`jitad.ir.errors.class_named`), its message, and the user's line.

    The message of one that is not jitad's is its arguments, as Python writes them.
    """

    exception: str
    message: str
    source: Source

    @property
    def cls(self) -> type[Exception]:
        return errors.class_named(self.exception)

    @property
    def arguments(self) -> tuple:
        return (self.message, self.source) if issubclass(self.cls, errors.JitadError) else ast.literal_eval(self.message)

    def throw(self) -> NoReturn:
        printing.raise_again()
        error = self.cls(*self.arguments)
        if not isinstance(error, errors.JitadError):
            error.add_note(errors.where(self.source))
        raise error


def failures(loops: Loops) -> dict[int, Failure]:
    """Return what each status that the body of `loops` may return stands for."""
    table = {check.number: Failure(check.error, check.message, check.source) for check in loops.checks}
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
