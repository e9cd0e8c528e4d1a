"""`raise` and `assert` where whether they are reached is only known when the compiled function runs.

In: an exception that an arm of a branch has raised, while it was traced, by a `raise` statement, and the condition of the arm. Out: `raise_unless`
on the log of the function, if no `try` statement handles it; the other arm is all that is left of the branch. Invariant: the compiled function
raises where Python does.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from jitad.frontend.arrays.cells import is_traced, wrap
from jitad.frontend.control.catching import NONE_RAISED, attempt_for, attempts, catches
from jitad.frontend.operations.promotion import cast, to_atom
from jitad.frontend.tracing.printing import MARK, log_cell, write_log
from jitad.frontend.tracing.trace import counters, current_trace
from jitad.ir import errors
from jitad.ir.intervals import bounds
from jitad.ir.primitive import Primitive
from jitad.ir.program import Atom
from jitad.ir.recorder import current
from jitad.ir.types import INT
from jitad.primitives.checks import raise_unless
from jitad.primitives.declare import full
from jitad.primitives.elementwise.comparisons import eq, ge, lt, select
from jitad.primitives.reductions import reduce_and


def raise_where(condition: Atom, error: Exception) -> None:
    """Record that an exception is raised where a condition holds."""
    attempt = attempt_for(error)
    if attempt is not None:
        attempt.note(condition, error)
        return
    if attempts() and attempts()[-1].pending:
        condition = condition & eq(attempts()[-1].atom, NONE_RAISED)
    log = log_cell()
    arguments = repr(tuple(map(constant, error.args)))
    write_log(log, raise_unless(log.atom, ~condition, error=errors.name_of(type(error)), arguments=arguments))


def guard(primitive: Primitive, inputs: Sequence[Atom], params: dict) -> Sequence[Atom]:
    """Within a `try` statement: record that an operation which fails raises what is handled, and return operands with which it does not fail."""
    trace = current_trace()
    if trace is None or current() is not trace.recorder:
        return inputs
    holds, safe, error = primitive.guard(inputs, **params)
    if isinstance(error, errors.RoomError) or not catches(type(error)):
        return inputs
    raise_where(~holds, error)
    return safe


def guard_indices(arrays: Sequence, extents: Sequence[int]) -> tuple[list, Atom | None]:
    """Within a `try` statement: the same for indices, as traced arrays, into axes of these extents; and whether they are right, None for surely."""
    if not catches(IndexError):
        return list(arrays), None
    found, right = [], None
    for array, extent in zip(arrays, extents, strict=True):
        atom = cast(to_atom(array), INT)
        low_high = bounds(atom, counters())
        if low_high is None or low_high[0] < -extent or low_high[1] >= extent:
            inside = ge(atom, full(-extent, atom.type)) & lt(atom, full(extent, atom.type))
            holds = reduce_and(inside, axes=tuple(range(inside.ndim))) if inside.ndim else inside
            right = holds if right is None else right & holds
            raise_where(~holds, errors.IndexError(f"index is out of bounds for axis with size {extent}"))
            array = wrap(select(inside, atom, full(0, atom.type)), scalar=not atom.ndim)
        found.append(array)
    return found, right


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
