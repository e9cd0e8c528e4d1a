"""What loops run over: iterables whose elements can be given by a traced number.

In: what `range`, `enumerate`, `zip`, `reversed` are called with, or an array. Out: `Sequence` records, or Python's own objects where
these do as well. Invariant: iterated over by Python itself, all of them give what Python's give.
"""

from __future__ import annotations

import contextlib
import itertools
import operator
from collections.abc import Callable, Iterator
from math import prod
from typing import Any, NamedTuple

import numpy as np

from jitad.frontend.arrays.array import Array, wrap
from jitad.frontend.arrays.cells import captured, is_traced
from jitad.frontend.arrays.masks import Selected
from jitad.frontend.arrays.ragged import Ragged
from jitad.frontend.numpy_api.builtins import BUILTINS
from jitad.frontend.operations.promotion import contains_traced
from jitad.frontend.tracing.trace import current_trace
from jitad.ir import errors
from jitad.ir.types import SUPPORTED

SHORT = 16


class Sequence(NamedTuple):
    """The elements of a loop: `length`, an int or a traced number, and ``element(k)``."""

    length: Any
    element: Callable

    def elements(self) -> Iterator:
        """Iterate over the elements, if their number is known."""
        return map(self.element, range(self.length))

    def from_second(self) -> Sequence:
        """Return all but the first element."""
        return Sequence(self.length - 1, lambda k: self.element(k + 1))


class Staged:
    """An iterable that stands for one of Python's."""

    def __iter__(self):
        sequence = self.sequence()
        if is_traced(sequence.length):
            raise errors.ConcreteValueError("a number of trips that is only known when the compiled function runs can be staged in for "
                                            "statements only")
        return sequence.elements()

    def __next__(self):
        if not hasattr(self, "iterator"):
            self.iterator = iter(self)
        return next(self.iterator)


class TracedRange(Staged):
    """A range with a bound or a step that is only known when the compiled function runs."""

    def __init__(self, start, stop, step):
        self.start, self.stop, self.step = start, stop, step

    def sequence(self) -> Sequence:
        start, stop, step = self.start, self.stop, self.step
        if is_traced(step):
            up = (stop - start + step - 1) // step
            length = np.where(step > 0, up, (start - stop - step - 1) // -step)
        else:
            length = stop - start if step == 1 else (stop - start + step - 1) // step if step > 0 else (start - stop - step - 1) // -step
        length = wrap(np.maximum(length, 0).atom, weak=True)
        return Sequence(length, lambda k: progressed(start, step, k))

    def __len__(self):
        return operator.index(self.sequence().length)


class Combined(Staged):
    """``enumerate``, ``zip`` or ``reversed`` of sequences: ``make(*sequences)`` gives their combination."""

    def __init__(self, parts: list, make: Callable):
        self.parts = parts
        self.make = make

    def sequence(self) -> Sequence:
        return self.make(*map(sequence_of, self.parts))


class Unroll:
    """What `jitad.unroll` returns."""

    def __init__(self, iterable):
        self.iterable = iterable

    def __iter__(self):
        return iter(self.iterable)


def unroll(iterable):
    """Return `iterable` for a ``for`` loop whose trips are traced one by one, each with its own element.

    Parameters
    ----------
    iterable
        A range, an array, or anything else that a ``for`` statement runs over; it must be known how long it is.

    Examples
    --------
    >>> import jitad
    >>> @jitad.jit
    ... def power(x):
    ...     for _ in jitad.unroll(range(20)):
    ...         x = x * 1.5
    ...     return x
    >>> float(power(2.0)) == 2.0 * 1.5**20
    True
    """
    return Unroll(iterable)


def progressed(start, step, k):
    """Return ``start + step * k``."""
    scaled = k if type(step) is int and step == 1 else k * step
    return scaled if type(start) is int and start == 0 else scaled + start


def sequence_of(x) -> Sequence | None:
    """Return an iterable as a sequence whose elements can be given by a traced number, None if it is none."""
    if isinstance(x, Staged) or hasattr(x, "as_array"):
        return x.sequence()
    if type(x) is range:
        return Sequence(len(x), lambda k: progressed(x.start, x.step, k))
    if isinstance(x, Selected):
        x = x.packed()
    if isinstance(x, Ragged) and x.ndim:
        return Sequence(x.length(), lambda k: x.element(k))
    if isinstance(x, Array) and x.ndim:
        return Sequence(x.shape[0], lambda k: x[k])
    if isinstance(x, np.ndarray) and x.ndim and x.dtype in SUPPORTED:
        return Sequence(len(x), lambda k: element_of(x, k))
    return None


def element_of(x: np.ndarray, k):
    return captured(x)[k] if is_traced(k) else x[k]


def is_long(sequence: Sequence) -> bool:
    return is_traced(sequence.length) or sequence.length > SHORT


# --- in the place of Python's -----------------------------------------------------------------------------------------------------


def range_(*bounds):
    if current_trace() is None or not any(map(is_traced, bounds)):
        return range(*bounds)
    with contextlib.suppress(errors.ConcreteValueError):
        return range(*map(operator.index, bounds))
    start, stop, step = (0, *bounds, 1) if len(bounds) == 1 else (*bounds, 1) if len(bounds) == 2 else bounds
    for bound in (start, stop, step):
        if is_traced(bound) and (bound.ndim or bound.dtype.kind not in "iu"):
            raise errors.TypeError(f"'{bound.type}' cannot be interpreted as an integer")
    return TracedRange(start, stop, step)


def combining(function: Callable, make: Callable) -> None:
    def combine(*parts, **options):
        sequences = [sequence_of(part) for part in parts] if current_trace() is not None else [None]
        if not sequences or any(s is None for s in sequences) or not any(map(is_long, sequences)):
            return function(*parts, **options)
        return Combined(list(parts), lambda *sequences: make(*sequences, **options))

    BUILTINS[function] = combine


def enumerated(s: Sequence, start=0) -> Sequence:
    return Sequence(s.length, lambda k: (progressed(start, 1, k), s.element(k)))


def zipped(*parts: Sequence, strict: bool = False) -> Sequence:
    lengths = [s.length for s in parts]
    if strict and not any(map(is_traced, lengths)) and len(set(lengths)) > 1:
        raise errors.ValueError(f"zip() arguments have the lengths {', '.join(map(str, lengths))}")
    length = lengths[0]
    for other in lengths[1:]:
        traced = is_traced(length) or is_traced(other)
        length = wrap(np.minimum(length, other).atom, weak=True) if traced else min(length, other)
    return Sequence(length, lambda k: tuple(s.element(k) for s in parts))


def backwards(s: Sequence) -> Sequence:
    return Sequence(s.length, lambda k: s.element(s.length - 1 - k))


def product(*parts, repeat: int = 1):
    sequences = [sequence_of(part) for part in parts] * repeat if current_trace() is not None else [None]
    if any(s is None or is_traced(s.length) for s in sequences) or prod(s.length for s in sequences) <= SHORT:
        return itertools.product(*parts, repeat=repeat)
    return Combined(list(parts) * repeat, crossed)


def crossed(*parts: Sequence) -> Sequence:
    lengths = [s.length for s in parts]
    return Sequence(prod(lengths), lambda k: tuple(s.element(i) for s, i in zip(parts, digits(k, lengths))))


def digits(k, extents: list[int]) -> tuple:
    """Return a number as those of a mixed base, the last of which moves fastest."""
    result = []
    for number, extent in reversed(list(enumerate(extents))):
        result.append(k % extent if number else k)
        k = k // extent
    return tuple(reversed(result))


def indices(*shape):
    """``np.ndindex``: the product of the ranges of the axes."""
    if len(shape) == 1 and isinstance(shape[0], tuple | list):
        (shape,) = shape
    return product(*map(range, map(operator.index, shape))) if current_trace() is not None else np.ndindex(*shape)


def enumerated_elements(array):
    """``np.ndenumerate``."""
    if not is_traced(array):
        return np.ndenumerate(array)
    flat, shape = array.reshape(-1), list(array.shape)
    return Combined([range(array.size)], lambda s: Sequence(s.length, lambda k: (digits(k, shape), flat[k])))


class Elements(Combined):
    """``np.nditer`` of one array: views of its elements."""

    def __init__(self, array):
        flat = array.reshape(-1)
        super().__init__([range(array.size)], lambda s: Sequence(s.length, lambda k: flat[k, ...]))

    def __enter__(self):
        return self

    def __exit__(self, *exc) -> None:
        pass


def elements_of(op, flags=(), op_flags=None, op_dtypes=None, order="K", **options):
    if not contains_traced([op]):
        return np.nditer(op, flags, op_flags, op_dtypes, order, **options)
    if not is_traced(op) or set(flags) - {"refs_ok"} or op_dtypes is not None or options or order not in "KC":
        raise errors.NotImplementedError("jitad knows np.nditer of one traced array, without flags; write loops over np.ndindex(a.shape)")
    return Elements(op)


BUILTINS[range] = range_
BUILTINS[itertools.product] = product
BUILTINS[np.ndindex] = indices
BUILTINS[np.ndenumerate] = enumerated_elements
BUILTINS[np.nditer] = elements_of
combining(enumerate, enumerated)
combining(zip, zipped)
combining(reversed, backwards)
