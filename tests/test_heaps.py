"""Priority queues, and comparisons of tuples: what is first decides, and what follows where that is equal."""

import heapq

import numpy as np
import pytest
from staged import check

import jitad
from jitad.ir import errors
from jitad.testing import check_grads

X = np.sin(7 * np.linspace(0.113, 2.0, 12)) + 1.1


def graph(seed, n):
    rng = np.random.default_rng(seed)
    return rng.uniform(0.1, 1.0, size=(n, n)) * (rng.uniform(size=(n, n)) > 0.4)


def shortest_paths(costs):
    """Dijkstra's algorithm, with outdated entries left in the queue."""
    n = len(costs)
    times, settled, queue, pops = np.full(n, np.inf), np.zeros(n, dtype=bool), [(0.0, 0)], 0
    times[0] = 0.0
    while queue:
        time, node = heapq.heappop(queue)
        pops += 1
        if settled[node]:
            continue
        settled[node] = True
        for other in range(n):
            if costs[node, other] > 0 and time + costs[node, other] < times[other]:
                times[other] = time + costs[node, other]
                heapq.heappush(queue, (times[other], other))
    return times, settled, pops


def greatest(x):
    found = []
    for k in range(len(x)):
        if len(found) < 4:
            heapq.heappush(found, x[k])
        else:
            heapq.heappushpop(found, x[k])
    return sum(found), sorted(found)


def in_order(x):
    queue = [x[k] * 1.0 for k in range(6)]
    heapq.heapify(queue)
    first = heapq.heapreplace(queue, x[7])
    last = heapq.heapreplace(queue, x[8] - 5.0)
    return first, last, heapq.heappushpop(queue, x[9] - 9.0), [heapq.heappop(queue) for _ in range(5)]


def chosen(x):
    pairs = [(x[k] > 1.0, x[k], k) for k in range(5)]
    by_parity = sorted(pairs, key=lambda p: (p[2] % 2, -p[1]), reverse=True)
    return max(pairs), min(p[1:] for p in pairs), sorted(pairs), by_parity, heapq.nlargest(2, pairs)


def compared(x):
    same = (x[0], x[1]) >= (x[0], x[1]), (np.nan * x[0], 1) <= (x[0], 2)
    return same, (x[0], 1.0) < (x[0], x[1]), (x[1], 2) <= (x[0], 3), [x[0]] > [x[0], 1]


@pytest.mark.parametrize("f", [greatest, in_order, chosen, compared], ids=lambda f: f.__name__)
def test_values(f):
    check(f, X)
    check(f, np.sort(X))
    got, wanted = jitad.jit(f)(np.ones(12)), f(np.ones(12))
    assert got == wanted


@pytest.mark.slow
def test_shortest_paths():
    compiled = jitad.jit(shortest_paths)
    for costs in (graph(1, 6), graph(2, 6), np.where(graph(3, 6) > 0, 1.0, 0.0), graph(1, 9), np.zeros((3, 3))):
        for got, wanted in zip(compiled(costs), shortest_paths(costs), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-14)
    check_grads(lambda costs: np.sum(shortest_paths(costs * (graph(1, 6) > 0))[0] ** 2), (graph(1, 6) + 0.1,), order=2)
    check_grads(lambda x: (greatest(x)[0], in_order(x)), (X,))


def test_an_empty_queue():
    def f(x):
        queue = []
        if x > 0:
            heapq.heappush(queue, x)
        return heapq.heappop(queue)

    assert jitad.jit(f)(2.0) == 2.0
    with pytest.raises(IndexError, match="out of bounds"):
        jitad.jit(f)(-2.0)


def test_rows_of_other_things():
    with pytest.raises(errors.NotImplementedError, match="give key="):
        jitad.jit(lambda x: sorted([(x[0], x[:2]), (x[1], x[2:4])]))(X)
