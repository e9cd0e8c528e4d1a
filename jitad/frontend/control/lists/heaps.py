"""Priority queues: the functions of `heapq`.

In: lists, whose elements may be in arrays, of numbers or tuples. Out: the lists in the order in which Python's functions leave them. Invariant:
elements are compared in the same order as there, so that of equal ones the same comes first.
"""

from __future__ import annotations

import functools
import heapq
from collections.abc import Callable

from jitad.frontend.control.comparisons import precedes
from jitad.frontend.hooks.own_code import traced_as_users
from jitad.frontend.numpy_api.builtins import BUILTINS
from jitad.frontend.tracing.trace import current_trace


@traced_as_users
def move_to_root(heap, start, place):
    item = heap[place]
    while place > start and precedes(item, heap[(place - 1) >> 1]):
        heap[place] = heap[(place - 1) >> 1]
        place = (place - 1) >> 1
    heap[place] = item


@traced_as_users
def move_to_leaf(heap, start):
    item, place, count = heap[start], start, len(heap)
    child = 2 * place + 1
    while child < count:
        if child + 1 < count and not precedes(heap[child], heap[child + 1]):
            child = child + 1
        heap[place] = heap[child]
        place = child
        child = 2 * place + 1
    heap[place] = item
    move_to_root(heap, start, place)


@traced_as_users
def heappush(heap, item):
    heap.append(item)
    move_to_root(heap, 0, len(heap) - 1)


@traced_as_users
def heappop(heap):
    last = heap.pop()
    if len(heap) > 0:
        first = heap[0]
        heap[0] = last
        move_to_leaf(heap, 0)
    else:
        first = last
    return first


@traced_as_users
def heapreplace(heap, item):
    first = heap[0]
    heap[0] = item
    move_to_leaf(heap, 0)
    return first


@traced_as_users
def heappushpop(heap, item):
    if len(heap) > 0 and precedes(heap[0], item):
        first = heap[0]
        heap[0] = item
        move_to_leaf(heap, 0)
    else:
        first = item
    return first


@traced_as_users
def heapify(x):
    for place in range(len(x) // 2 - 1, -1, -1):
        move_to_leaf(x, place)


@traced_as_users
def nlargest(n, iterable, key=None):
    return sorted(iterable, key=key, reverse=True)[:n]


@traced_as_users
def nsmallest(n, iterable, key=None):
    return sorted(iterable, key=key)[:n]


def within_traces(function: Callable, own: Callable) -> Callable:
    @functools.wraps(function)
    def call(*args, **kwargs):
        return (function if current_trace() is None else own)(*args, **kwargs)

    return call


for _own in (heappush, heappop, heapreplace, heappushpop, heapify, nlargest, nsmallest):
    _function = getattr(heapq, _own.__name__)
    BUILTINS[_function] = within_traces(_function, _own)
