"""Cutting an iteration box so that guards are decided in its interior.

In: a box (its ranges) and, per dimension, the loop values at which a guard changes. Out: disjoint sub-boxes that cover it: large
ones where every guard is decided (their loops are branch-free and vectorise) and thin shells where guards are evaluated. Where most
of a dimension would be shells, as in an array put together from single elements, each piece becomes a sub-box of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from math import prod

from jitad.lower.index import Range

LARGE = 8
SHARE = 16
MOST_WORK = 20_000  # guards looked at while building the regions of one nest


def regions(box: Sequence[Range], thresholds: Sequence[set[int]], guards: int = 1) -> list[tuple[Range, ...]]:
    """Return the sub-boxes as (low, high) per dimension, both ends included, in row-major order.

    `guards` is the number of guards in the body, each of which is looked at in each region.
    """
    cuts = [segments(bounds, marks) for bounds, marks in zip(box, thresholds, strict=True)]
    if prod(map(len, cuts)) * guards > MOST_WORK:
        cuts = [[(bounds, True)] if is_crowded(pieces) else pieces for bounds, pieces in zip(box, cuts, strict=True)]
    cuts = [[(piece, True) for piece, _ in pieces] if is_crowded(pieces) else join(pieces) for pieces in cuts]
    return list(split(cuts, list(box)))


def tiles(boxes: Iterable[Sequence[int]]) -> list[tuple[Range, ...]]:
    """Cut the smallest box that holds all `boxes`, which start at the same corner, along their ends."""
    cuts = []
    for extents in zip(*boxes, strict=True):
        bounds = [0, *sorted(set(extents))]
        cuts.append([(low, end - 1) for low, end in zip(bounds, bounds[1:], strict=False) if low < end])
    return list(product(*cuts))


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


def split(cuts: list, full: list[Range], done: tuple[Range, ...] = ()) -> Iterator[tuple[Range, ...]]:
    if len(done) == len(cuts):
        yield done
        return
    for piece, large in cuts[len(done)]:
        if large:
            yield from split(cuts, full, (*done, piece))
        else:
            yield (*done, piece, *full[len(done) + 1 :])
