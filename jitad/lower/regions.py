"""Cutting an iteration box so that guards are decided in its interior.

In: a box and, per dimension, the loop values at which a guard changes. Out: disjoint sub-boxes that cover it: large ones where every
guard is decided (their loops are branch-free and vectorise) and thin shells where guards are evaluated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jitad.lower.index import Range

LARGE = 8
SHARE = 16


def regions(box: Sequence[int], thresholds: Sequence[set[int]]) -> list[tuple[Range, ...]]:
    """Return the sub-boxes as (low, high) per dimension, both ends included, in row-major order."""
    cuts = [segments(extent, marks) for extent, marks in zip(box, thresholds, strict=True)]
    return list(split(cuts, [(0, extent - 1) for extent in box]))


def segments(extent: int, marks: set[int]) -> list[tuple[Range, bool]]:
    """Cut 0 .. extent-1 at `marks`; return the pieces, and whether each is large. Adjacent small pieces are joined."""
    bounds = [0, *sorted(marks), extent]
    pieces: list[tuple[Range, bool]] = []
    for low, end in zip(bounds, bounds[1:], strict=False):
        large = end - low >= max(LARGE, extent // SHARE)
        if pieces and not large and not pieces[-1][1]:
            pieces[-1] = ((pieces[-1][0][0], end - 1), False)
        else:
            pieces.append(((low, end - 1), large))
    return [((0, extent - 1), True)] if not any(large for _, large in pieces) or not marks else pieces


def split(cuts: list, full: list[Range], done: tuple[Range, ...] = ()) -> Iterator[tuple[Range, ...]]:
    if len(done) == len(cuts):
        yield done
        return
    for piece, large in cuts[len(done)]:
        if large:
            yield from split(cuts, full, (*done, piece))
        else:
            yield (*done, piece, *full[len(done) + 1 :])
