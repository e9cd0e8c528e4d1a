"""Lists that a staged loop appends to.

In: a list, and how many values of which type a trip appends. Out: an `Appended`, which stands for the list during and after the loop
and keeps its elements in an array. Invariant: what it shows is what Python's list would hold at that point of the program.
"""

from __future__ import annotations

import numpy as np

from jitad.frontend.array import Array, wrap
from jitad.frontend.cells import is_traced
from jitad.frontend.control.iterables import Sequence
from jitad.frontend.masks import Selected
from jitad.frontend.numpy_api.builtins import BUILTINS
from jitad.frontend.ragged import Ragged
from jitad.frontend.trees import treat_as_list
from jitad.ir import errors
from jitad.primitives.control import empty


class Appended(list):
    """A list whose first elements are those of an array, and whose last ones, appended since, are its own.

    Attributes
    ----------
    buffer
        The array, along its first axis.
    start
        How many elements of the array belong to the list; within the loop a traced number.
    """

    def __init__(self, buffer: Array, start):
        super().__init__()
        self.buffer = buffer
        self.start = start
        self.staged = False

    def enter(self, start) -> None:
        """Begin a trip at which the list has `start` elements."""
        self.start, self.staged = start, True

    def leave(self, count: int) -> None:
        """End the loop, after which the list has `count` elements."""
        self.start, self.staged = count, False

    def length(self):
        return self.start + list.__len__(self)

    def append(self, value) -> None:
        if self.staged:
            self.buffer[self.length()] = value
        list.append(self, value)

    def as_array(self) -> Array:
        """Return the elements as one array."""
        if self.staged:
            raise errors.ControlFlowError("the whole of a list is asked for in the loop that appends to it; make an array of the final "
                                          "size before the loop")
        tail = list(list.__iter__(self))
        return np.concatenate([self.buffer, np.stack(tail)]) if tail else self.buffer.copy()

    def sequence(self) -> Sequence:
        whole = self.as_array()
        return Sequence(whole.shape[0], lambda k: whole[k])

    def __len__(self) -> int:
        return int(self.length())

    def __iter__(self):
        return iter(self.as_array())

    def __getitem__(self, key):
        tail = list.__len__(self)
        if isinstance(key, slice):
            return self.as_array()[key]
        if not is_traced(key) and -tail <= key < 0:
            return list.__getitem__(self, key)
        if not is_traced(key) and key < 0:
            return self.buffer[self.length() + key]
        return self.buffer[key] if self.staged or not tail else self.as_array()[key]

    def unsupported(self, *args, **kwargs):
        raise errors.ControlFlowError("a list that a staged loop appends to is changed in another way; use an array of the final size")

    insert = pop = remove = extend = sort = reverse = clear = __setitem__ = __delitem__ = __iadd__ = unsupported


treat_as_list(Appended)


def length(x):
    return x.length() if isinstance(x, Appended | Ragged | Selected) else len(x)


BUILTINS[len] = length


def buffer_for(elements: list, extent: int, type) -> Array:
    """Return an array for `extent` elements of a type, the first of which are there already."""
    buffer = wrap(empty(shape=(extent, *type.shape), dtype=type.dtype), scalar=False)
    if isinstance(elements, Appended):
        buffer[: len(elements)] = elements.as_array()
    else:
        for k, element in enumerate(elements):
            buffer[k] = element
    return buffer
