"""Text about values that are only known when the compiled function runs, and `print`, which shows it there.

In: traced values and formats. Out: strings in which *marks*, ``<float64[3] #7>``, stand for them, and which may be joined, cut and formatted as
any string may; `print` records what is to be written in their place. Invariant: a mark stands for the value at the time it was made, also if
the array has been changed since.
"""

from __future__ import annotations

import re
import sys
from typing import NamedTuple

from jitad.frontend.arrays.cells import Cell, View, is_traced, wrap
from jitad.frontend.tracing.trace import Trace, current_trace, home_trace, outermost_trace, trace_around
from jitad.ir import errors
from jitad.ir.lines import PRINTF, Line, Place
from jitad.ir.program import Atom, literal
from jitad.ir.types import INT
from jitad.primitives.control import print_

MARK = re.compile(r"<[a-z0-9]+(?:\[[0-9, ]*\])? #(\d+|\?)>")
PRINTF_FIELD = re.compile(r"%(?:\((\w+)\))?([-+ #0]*(?:\*|\d+)?(?:\.(?:\*|\d+))?)[hlL]?([diouxXeEfFgGcrsa%])")
STREAMS = ("stdout", "stderr")


class Mark(NamedTuple):
    """What a mark stands for: atoms of a trace, of which the first is shown, and how."""

    text: str
    trace: Trace
    atoms: list[Atom]
    kind: str
    conversion: str
    format: str


def marked(x: View, conversion: str, format: str = "") -> str:
    """Return a string in which a mark stands for a traced value."""
    kind = "array" if not x.scalar else "scalar" if x.weak is None else "python"
    return mark(x.type, [x.atom], kind, conversion, format)


def mark(name, atoms: list[Atom], kind: str, conversion: str, format: str = "") -> str:
    marks = outermost_trace().marks
    text = f"<{name} #{len(marks)}>"
    marks.append(Mark(text, current_trace(), atoms, kind, conversion, format))
    return text


def can_be_marked(x: View) -> bool:
    """Return whether a value belongs to a trace that is running, and has not become another's."""
    return x.cell.trace is not None and x.cell.trace.alive and not x.cell.pending


def united(x, y) -> str | None:
    """Return the string that two are which differ in what marks stand for alone, None if they differ in more. It cannot be printed."""
    if not isinstance(x, str) or not isinstance(y, str):
        return None
    x, y = MARK.sub(spoilt, x), MARK.sub(spoilt, y)
    return x if x == y else None


def spoilt(found: re.Match) -> str:
    return f"{found[0].rpartition('#')[0]}#?>"


def printf(text: str, values):
    """Return ``text % values``, some of which are traced."""
    single = not isinstance(values, tuple | dict)
    rest = iter((values,) if single else values if isinstance(values, tuple) else ())

    def field(found: re.Match) -> str:
        name, flags, letter = found.groups()
        if letter == "%":
            return "%"
        sizes = tuple([next(rest) for _ in range(flags.count("*"))])
        value = values[name] if name else next(rest)
        if not is_traced(value):
            return f"%{flags}{letter}" % (*sizes, value)
        return marked(value, PRINTF, flags.replace("*", "%d") % sizes + letter)

    return PRINTF_FIELD.sub(field, text)


# --- print ----------------------------------------------------------------------------------------------------------------------------


def shown(*values, sep=" ", end="\n", file=None, flush=False):
    """``print`` within a trace: what is written when the compiled function runs."""
    if current_trace() is None:
        return print(*values, sep=sep, end=end, file=file, flush=flush)
    stream = stream_name(sys.stdout if file is None else file)
    if stream is None:
        raise errors.NotImplementedError("print to a file in a traced function: the compiled one writes to sys.stdout and sys.stderr only; return "
                                         "the values, and write them outside")
    text = (" " if sep is None else sep).join([marked(x, "s") if is_traced(x) else str(x) for x in values]) + ("\n" if end is None else end)
    record(text, stream, bool(flush))


def stream_name(file) -> str | None:
    return next((name for name in STREAMS if file is getattr(sys, name)), None)


def method_of_stream(function):
    """Return what is called in the place of ``sys.stdout.write`` or ``flush``, None for other functions."""
    stream = stream_name(function.__self__)
    if stream is None or function.__name__ not in ("write", "flush"):
        return None

    def call(text=""):
        record(text, stream, function.__name__ == "flush")
        return len(text)

    return call


def record(text: str, stream: str, flush: bool) -> None:
    """Record that a text is written."""
    atoms: dict[Atom, int] = {}
    parts, start = [], 0
    for found in MARK.finditer(text):
        place = mark_named(found)
        if place is None and found[1] != "?":
            continue
        if place is None or not place.trace.alive:
            raise errors.ControlFlowError("a text about values of a loop or branch that is decided when the compiled function runs is printed after "
                                          "it; print it there, or carry the values and make the text here")
        first, *extents = [atoms.setdefault(atom, len(atoms)) for atom in place.atoms]
        parts += [text[start : found.start()], Place(first, place.kind, tuple(extents), place.conversion, place.format)]
        start = found.end()
    parts.append(text[start:])
    types = tuple([atom.type for atom in atoms])
    log = log_cell()
    line = Line(tuple([part for part in parts if part != ""]), types, stream, flush)
    write_log(log, print_(log.atom, *atoms, line=line.dump()))


def mark_named(found: re.Match) -> Mark | None:
    """Return the mark that a piece of text looks like, None if it is no mark."""
    marks = outermost_trace().marks
    known = found[1] != "?" and int(found[1]) < len(marks)
    return marks[int(found[1])] if known and marks[int(found[1])].text == found[0] else None


# --- the log --------------------------------------------------------------------------------------------------------------------------


def log_cell() -> Cell:
    """Return the cell with the log of the function that is traced."""
    home = home_trace()
    if home.log is None:
        around = trace_around(home)
        start = literal(0, INT) if around is None or around.home.log is None else around.home.log.atom
        home.log = Cell(start, home)
    return home.log


def begin_log(atom: Atom) -> None:
    """Let the function that is traced begin with this log."""
    home_trace().log = Cell(atom, home_trace())


def write_log(log: Cell, atom: Atom) -> None:
    view = wrap(atom, scalar=False)
    view.cell = log
    view.assign(atom)


def printed() -> list[View]:
    """Return the log of the function that is traced, in a list that is empty if it has printed nothing."""
    log = home_trace().log
    return [] if log is None or not log.version else [wrap(log.atom, scalar=False)]


def continue_log(atom: Atom) -> None:
    """Go on with the log of a function that was traced within this one."""
    write_log(log_cell(), atom)
