"""What loops keep, in bytes: the lines below a Program that `show` prints.

In: an optimized Program. Out: text. What is kept is found as it is stored: in arrays that are undefined where a loop starts, and that its
trips fill.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from jitad.ir.lowering import Scatter, Undefined
from jitad.ir.program import Atom, Equation, Program, Var, bodies
from jitad.ir.types import ArrayType
from jitad.pipeline import bytes_taken
from jitad.transform.budget import text


class Kept(NamedTuple):
    """An array that a loop fills, `depth` loops or branches down, the loop's place in the source, and whether its rows are snapshots."""

    source: str
    type: ArrayType
    depth: int
    snapshots: bool

    @property
    def row(self) -> str:
        shape = self.type.shape
        return f"{shape[0]} x {self.type.with_shape(shape[1:])}{', snapshots' if self.snapshots else ''}"


def kept(program: Program, depth: int = 0) -> Iterator[Kept]:
    """Iterate over the arrays that the loops of a Program fill."""
    for equation in program.equations:
        for x in started_empty(equation):
            yield Kept(equation.source.short, x.type, depth, runs_itself(equation))
        for body in bodies(equation.params):
            yield from kept(body, depth + 1)


def started_empty(equation: Equation) -> list[Var]:
    """Return the carried values of a loop that are undefined at its start, or all but one of their rows."""
    body = equation.params.get("body")
    if not isinstance(body, Program):
        return []
    initial = equation.inputs[len(equation.inputs) - len(body.outputs) :]
    return [x for x in initial if is_undefined(x)]


def is_undefined(x: Atom) -> bool:
    if not isinstance(x, Var) or x.equation is None:
        return False
    record = x.equation.primitive.lower
    return isinstance(record, Undefined) or isinstance(record, Scatter) and is_undefined(x.equation.inputs[0])


def runs_itself(equation: Equation) -> bool:
    """Whether the trips of a loop run stretches of the loop that stands in the source, so that what it fills are snapshots between them."""
    return any(inner.params.get("body") and inner.source == equation.source for inner in equation.params["body"].equations)


def account(program: Program) -> str:
    """Return the lines that say what the loops keep and how much a call takes; none if no loop keeps anything."""
    found = list(kept(program))
    if not found:
        return ""
    rows = [(f"{'  ' * x.depth}{x.source}", x.row, text(x.type.nbytes)) for x in found]
    rows.append(("in a call, results included", "", text(bytes_taken(program))))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [f"# {a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}" for a, b, c in rows]
    return "\n".join(["", "# kept by loops:", *lines])
