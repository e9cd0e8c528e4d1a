"""Lists that staged loops change elsewhere than at their end: queues, traced-back paths, lists turned round."""

import bisect

import numpy as np
import pytest
from staged import check

import jitad
from jitad.testing import check_grads

X = np.sin(7 * np.linspace(0.113, 2.0, 16)).reshape(4, 4) + 1.1


def traced_back(scores):
    best, pointers = scores[:, 0], []
    for step in range(1, 6):
        candidates = best[:, None] + scores * step
        pointers.append(candidates.argmax(0))
        best = candidates.max(0)
    path = [int(best.argmax())]
    for pointer in reversed(pointers):
        path.insert(0, int(pointer[path[0]]))
    return weighted(path) * best


def weighted(values):
    """Return a number that tells in which order values come."""
    total = 0.0
    for k, value in enumerate(values):
        total = total + (k + 1) ** 2 * value
    return total


def breadth_first(costs):
    queue, seen, distance = [(0, 0)], np.zeros((4, 4), bool), np.zeros((4, 4))
    while queue:
        i, j = queue.pop(0)
        for di, dj in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            a, b = i + di, j + dj
            if 0 <= a < 4 and 0 <= b < 4 and not seen[a, b]:
                seen[a, b] = True
                distance[a, b] = distance[i, j] + costs[a, b]
                queue.append((a, b))
    return distance


def halved(x):
    found, v = [], x[0, 1]
    while v > 0.1:
        found.append(v)
        v = v * 0.7
    return found


def turned(x):
    found = halved(x)
    found.reverse()
    total = 0.0
    for k, v in enumerate(reversed(found)):
        total = total * 0.5 + k * v
    return weighted(found), total


def inserted(x):
    found = halved(x)
    for place, value in ((0, 5.0), (-1, x[0, 0]), (100, 7.0), (-100, x[1, 1]), (int(np.argmax(x[0])), 3.0)):
        found.insert(place, value)
    return weighted(found), len(found)


def taken_out(x):
    found = halved(x)
    del found[0]
    first, place = found.pop(1), int(np.argmin(x[0])) - 3
    return first, found.pop(place), weighted(found)


def put_before(x):
    return weighted([2.0, x[0, 0]] + halved(x))


@pytest.mark.parametrize("function", [traced_back, breadth_first, turned, inserted, taken_out, put_before])
def test_values_and_derivatives(function):
    check(function, X)
    for got, wanted in zip(np.atleast_1d(jitad.jit(function)(X[::-1].copy() * 1.3)), np.atleast_1d(function(X[::-1] * 1.3)), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-13)


def test_places_out_of_range():
    with pytest.raises(IndexError):
        jitad.jit(lambda x: halved(x).pop(100))(X)


def test_lists_that_are_searched_and_sorted():
    def squares(x):
        found = []
        for v in x:
            if v > 0.2:
                found.append(v * v)
        return found

    def of_run_time_length(x):
        found = squares(x)
        place = found.index(max(found))
        found.remove(min(found))
        last = found[-1]
        found.sort(key=lambda v: -v)
        found.append(x[0])
        found.sort()
        return place * last + found[0] + 2 * found[1] + 3 * found[-1] + bisect.bisect(found, 0.3) * x[1]

    def of_known_length(x):
        found = x[:4].tolist()
        found.remove(max(found))
        found.sort(reverse=True)
        return found[0] + 2 * found[2] + found.index(min(found)) * x[0] + sum(v**2 for v in x.tolist())

    def sorted_in(x):
        kept, levels = [], [0.0, 0.3, 0.6, 1.0]
        for v in x:
            if v > 0.1:
                bisect.insort(kept, v)
        place = bisect.bisect_left(levels, x[1])
        return kept[0] + 3 * kept[-2] + levels[place] * x[0]

    x = np.array([0.45, 0.23, 0.81, 0.14, 0.67, 0.38] * 4) + np.linspace(0, 0.1, 24)
    for function in (of_run_time_length, of_known_length, sorted_in):
        np.testing.assert_allclose(jitad.jit(function)(x), function(x))
        check_grads(function, (x,))
    with pytest.raises(ValueError, match="not in the list"):
        jitad.jit(lambda x: x.tolist().index(7.0))(x)
