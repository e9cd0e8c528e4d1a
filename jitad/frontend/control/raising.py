"""`raise` and `assert` where whether they are reached is only known when the compiled function runs.

In: an exception that an arm of a branch has raised, while it was traced, by a `raise` statement, and the condition of the arm. Out: `raise_unless`
on the log of the function; the other arm is all that is left of the branch. Invariant: the compiled function raises where Python does.
"""

from __future__ import annotations

import ast
import dis
import re

from jitad.frontend.cells import is_traced
from jitad.frontend.printing import MARK, log_cell, write_log
from jitad.ir import errors
from jitad.ir.libraries import is_library
from jitad.ir.program import Atom
from jitad.primitives.checks import raise_unless

RAISE = dis.opmap["RAISE_VARARGS"]


def is_raised(error: Exception) -> bool:
    """Return whether an exception comes from a `raise` statement of the user's."""
    traceback = error.__traceback__
    if traceback is None or isinstance(error, errors.JitadError):
        return False
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    code = traceback.tb_frame.f_code
    return code.co_code[traceback.tb_lasti] == RAISE and not is_library(code.co_filename)


def raise_where(condition: Atom, error: Exception) -> None:
    """Record that an exception is raised where a condition holds."""
    log = log_cell()
    arguments = repr(tuple(map(constant, error.args)))
    write_log(log, raise_unless(log.atom, ~condition, error=errors.name_of(type(error)), arguments=arguments))


def constant(x):
    """Return an argument of an exception, if it is no constant as a text, in which traced values are only described."""
    text = x if isinstance(x, str) else str(x) if is_traced(x) else repr(x)
    try:
        return ast.literal_eval(text) if not isinstance(x, str) and not is_traced(x) else MARK.sub(unnumbered, text)
    except (ValueError, SyntaxError):
        return str(x)


def unnumbered(found: re.Match) -> str:
    """Return what is left of a mark."""
    return f"{found[0].rpartition(' ')[0]}>"
