"""Integers that are affine in the numbers of the trips of some loops, as indices are.

In: an operation and its operands. Out: what it makes of such numbers, if that is one again. Invariant: all numbers of one pass are of the same loops.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jitad.ir.primitive import Primitive
from jitad.ir.program import Literal
from jitad.ir.types import INT
from jitad.primitives.elementwise.arithmetic import add, mul, neg, sub


@dataclass(frozen=True)
class TripNumber:
    """``start`` and, for each loop around, its step times the number of the trip."""

    start: int
    steps: tuple[int, ...]

    @property
    def step(self) -> int:
        """What a trip of the innermost loop adds."""
        return self.steps[-1]

    def scaled(self, factor: int) -> TripNumber:
        return TripNumber(self.start * factor, tuple([step * factor for step in self.steps]))


def moved(primitive: Primitive, operands: Sequence) -> TripNumber | None:
    """Return what an operation makes of operands, some of which are such numbers, None if that is not one."""
    found = next((x for x in operands if isinstance(x, TripNumber)), None)
    if found is None or primitive not in (add, sub, neg, mul):
        return None
    fixed = (0,) * len(found.steps)
    known = [x if isinstance(x, TripNumber) else TripNumber(int(x.value), fixed) if isinstance(x, Literal) and x.dtype == INT else None
             for x in operands]  # fmt: skip
    if None in known:
        return None
    if primitive is neg:
        return known[0].scaled(-1)
    x, y = known
    if primitive is mul:
        return x.scaled(y.start) if not any(y.steps) else y.scaled(x.start) if not any(x.steps) else None
    y = y if primitive is add else y.scaled(-1)
    return TripNumber(x.start + y.start, tuple([a + b for a, b in zip(x.steps, y.steps, strict=True)]))
