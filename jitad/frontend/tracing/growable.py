"""Lists that the traced function makes.

In: the lists of displays, comprehensions and `list`. Out: the same as `Growable` ones, which are lists in all respects; control flow that is
decided when the compiled function runs asks, by raising `Growth`, that one become a `jitad.frontend.control.lists.appended.Appended`.
"""

from __future__ import annotations

from collections.abc import Sequence


class Growable(list):
    """A list that may come to keep its elements in arrays; `store` is then what holds them."""

    __slots__ = ("store",)
    in_arrays = False

    def copy(self) -> Growable:
        return Growable(self)


class Growth(BaseException):
    """A list gets or loses elements in control flow that is staged: the trace is to be repeated with the elements in arrays.

    Attributes
    ----------
    list
        The list.
    elements
        Pictures of elements that it is to hold.
    need
        How many elements are appended at most; None if that is not known.
    """

    def __init__(self, list: list, elements: Sequence, need: int | None):
        super().__init__("a list is to keep its elements in arrays")
        self.list = list
        self.elements = elements
        self.need = need
