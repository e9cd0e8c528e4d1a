"""Cutting an iteration box so that guards are decided in its interior.

In: a box (its ranges) and, per dimension, the loop values at which a guard changes. Out: disjoint sub-boxes that cover it: large
ones where every guard is decided (their loops are branch-free and vectorise) and thin shells where guards are evaluated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jitad.lower.index import Range

LARGE = 8
SHARE = 16


def regions(box: Sequence[Range], thresholds: Sequence[set[int]]) -> list[tuple[Range, ...]]:
    """Return the sub-boxes as (low, high) per dimension, both ends included, in row-major order."""
    cuts = [segments(bounds, marks) for bounds, marks in zip(box, thresholds, strict=True)]
    return list(split(cuts, list(box)))


def segments(whole: Range, marks: set[int]) -> list[tuple[Range, bool]]:
    """Cut a range at `marks`; return the pieces, and whether each is large. Adjacent small pieces are joined."""
    bounds = [whole[0], *sorted(marks), whole[1] + 1]
    extent = bounds[-1] - bounds[0]
    pieces: list[tuple[Range, bool]] = []
    for low, end in zip(bounds, bounds[1:], strict=False):
        large = end - low >= max(LARGE, extent // SHARE)
        if pieces and not large and not pieces[-1][1]:
            pieces[-1] = ((pieces[-1][0][0], end - 1), False)
        else:
            pieces.append(((low, end - 1), large))
    return [(whole, True)] if not any(large for _, large in pieces) or not marks else pieces


def split(cuts: list, full: list[Range], done: tuple[Range, ...] = ()) -> Iterator[tuple[Range, ...]]:
    if len(done) == len(cuts):
        yield done
        return
    for piece, large in cuts[len(done)]:
        if large:
            yield from split(cuts, full, (*done, piece))
        else:
            yield (*done, piece, *full[len(done) + 1 :])
