"""Memory that kernels work in, lent from call to call.

In: the entry of a kernel that takes a workspace. Out: a function that does not. Invariant: a workspace belongs to one call at a time, and a
call gets one that earlier calls have used, if there is one free: touching fresh memory is slow.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable

import numpy as np

from jitad.codegen import tapes

ALIGNMENT = 64


class Pool:
    """The workspaces of one kernel, for one of its users, that no call is using."""

    def __init__(self, nbytes: int):
        self.nbytes = nbytes
        self.free: list[np.ndarray] = []
        with _lock:
            _pools.add(self)

    def allocate(self) -> np.ndarray:
        room = np.empty(self.nbytes + ALIGNMENT, np.uint8)
        shift = -room.ctypes.data % ALIGNMENT
        return room[shift : shift + self.nbytes]


_pools: weakref.WeakSet[Pool] = weakref.WeakSet()
_lock = threading.Lock()


def with_workspace(entry: Callable, pool: Pool) -> Callable:
    """Return ``entry`` with a workspace of `pool` as its last argument."""

    def run(*inputs):
        free = pool.free  # another list after a clearance: what was in use then is not kept
        try:
            workspace = free.pop()
        except IndexError:
            workspace = pool.allocate()
        try:
            return entry(*inputs, workspace)
        finally:
            free.append(workspace)

    return run


def clear_workspaces() -> int:
    """Free the memory that compiled functions keep for their next calls, and return how many bytes that was.

    Memory of calls that are running in other threads is freed when they end.

    Examples
    --------
    >>> import jitad, numpy as np
    >>> _ = jitad.grad(lambda x: np.sum(np.sort(np.cumsum(x)) ** 2))(np.ones(1000))
    >>> jitad.clear_workspaces() > 8000
    True
    >>> jitad.clear_workspaces()
    0
    """
    freed = tapes.clear()
    with _lock:
        for pool in list(_pools):
            cleared, pool.free = pool.free, []
            freed += pool.nbytes * len(cleared)
    return freed
