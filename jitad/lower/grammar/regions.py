"""Cutting an iteration box so that guards are decided in its interior.

In: a box (its ranges) and, per dimension, the loop values at which a guard changes. Out: disjoint sub-boxes that cover it: large
ones where every guard is decided (their loops are branch-free and vectorise) and thin shells where guards are evaluated, except along the
innermost dimension beside large ones, where guards would be evaluated for each element: there each piece becomes a sub-box of its own. So
it does where most of a dimension would be shells, as in an array put together from single elements.

Where a guard changes at a number that is only known when the kernel runs, the ranges of a sub-box are bounds of its loops that hold in
any case, and its `Limits` the bounds proper.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise, product
from math import prod

from jitad.lower.grammar.index import Index, Range, structure

LARGE = 8
SHARE = 16
MOST_PIECES = 12
MOST_WORK = 20_000  # guards looked at while building the regions of one nest


class Ranges(tuple):
    """The ranges of the loops of a sub-box, (low, high) per dimension, both ends included.

    `lows` and `highs` restrict them further: per dimension, numbers that a loop does not go below, and does not reach. Their terms are
    scalars that are the same in all iterations.
    """

    lows: tuple[tuple[Index, ...], ...] = ()
    highs: tuple[tuple[Index, ...], ...] = ()

    @property
    def limits(self) -> list[Index]:
        """All of these limits."""
        return [limit for ends in (*self.lows, *self.highs) for limit in ends]

    def is_limited(self, dim: int) -> bool:
        return bool(self.lows) and bool(self.lows[dim] or self.highs[dim])

    def with_limits(self, dim: int, low: Index | None, high: Index | None) -> Ranges:
        """Return these ranges with one more limit of a dimension at either end, or None."""
        found, none = Ranges(self), ((),) * len(self)
        found.lows, found.highs = (
            tuple([(*old, new) if k == dim and new is not None else old for k, old in enumerate(limits or none)])
            for limits, new in ((self.lows, low), (self.highs, high))
        )
        return found

    def below(self, dim: int, limit: Index) -> bool | None:
        """Return whether a loop variable is below a limit by these limits, or not, None if they do not tell."""
        terms, const = structure(limit)
        for known, holds in ((self.highs, True), (self.lows, False)):
            for bound in known[dim] if known else ():
                other, number = structure(bound)
                if other == terms and (number <= const if holds else number >= const):
                    return holds
        return None

    def within(self, ranges: Iterable[Range]) -> Ranges:
        """Return other ranges with the limits of these."""
        found = Ranges(ranges)
        found.lows, found.highs = self.lows, self.highs
        return found


def pieces_at(ranges: Ranges, dim: int, limits: Sequence[Index]) -> list[Ranges]:
    """Cut a dimension at limits in ascending order."""
    ends = [None, *limits, None]
    return [ranges.with_limits(dim, low, high) for low, high in pairwise(ends)]


def regions(box: Sequence[Range], thresholds: Sequence[set[int]], guards: int = 1) -> list[tuple[Range, ...]]:
    """Return the sub-boxes as (low, high) per dimension, both ends included, in row-major order.

    `guards` is the number of guards in the body, each of which is looked at in each region.
    """
    cuts = [segments(bounds, marks) for bounds, marks in zip(box, thresholds, strict=True)]
    if prod(map(len, cuts)) * guards > MOST_WORK:
        cuts = [[(bounds, True)] if is_crowded(pieces) else pieces for bounds, pieces in zip(box, cuts, strict=True)]
    if not cuts:
        return [()]
    apart = [[(piece, True) for piece, _ in pieces] for pieces in cuts]
    joined = [separate if is_crowded(pieces) else join(pieces) for pieces, separate in zip(cuts, apart, strict=True)]
    return list(split(joined, apart[-1] if len(apart[-1]) <= MOST_PIECES else joined[-1]))


def tiles(boxes: Iterable[Sequence[Range]]) -> list[tuple[Range, ...]]:
    """Cut the smallest box that holds all `boxes` along their faces."""
    cuts = []
    for ranges in zip(*boxes, strict=True):
        bounds = sorted({low for low, _ in ranges} | {high + 1 for _, high in ranges})
        cuts.append([(low, end - 1) for low, end in zip(bounds, bounds[1:], strict=False)])
    return list(product(*cuts))


def pieces(bounds: Range, marks: set[int]) -> list[Range]:
    """Cut a range before each of `marks`."""
    ends = sorted({mark for mark in marks if bounds[0] < mark <= bounds[1]} | {bounds[1] + 1})
    return [(low, end - 1) for low, end in zip([bounds[0], *ends], ends, strict=False)]


def segments(whole: Range, marks: set[int]) -> list[tuple[Range, bool]]:
    """Cut a range at `marks`; return the pieces, and whether each is large."""
    bounds = [whole[0], *sorted(marks), whole[1] + 1]
    least = max(LARGE, (bounds[-1] - bounds[0]) // SHARE)
    return [((low, end - 1), end - low >= least) for low, end in zip(bounds, bounds[1:], strict=False)]


def is_crowded(pieces: list[tuple[Range, bool]]) -> bool:
    """Whether most of a range lies in small pieces."""
    small = sum(high - low + 1 for (low, high), large in pieces if not large)
    return 2 * small > pieces[-1][0][1] - pieces[0][0][0] + 1


def join(pieces: list[tuple[Range, bool]]) -> list[tuple[Range, bool]]:
    """Join adjacent small pieces."""
    joined: list[tuple[Range, bool]] = []
    for (low, high), large in pieces:
        if joined and not large and not joined[-1][1]:
            joined[-1] = ((joined[-1][0][0], high), False)
        else:
            joined.append(((low, high), large))
    return joined


def split(cuts: list, innermost: list, done: tuple[Range, ...] = (), interior: bool = True) -> Iterator[tuple[Range, ...]]:
    """Combine the pieces of all dimensions; in the interior of the others, take those in `innermost` for the last."""
    if len(done) == len(cuts):
        yield done
        return
    for piece, large in innermost if interior and len(done) == len(cuts) - 1 else cuts[len(done)]:
        yield from split(cuts, innermost, (*done, piece), interior and large)
