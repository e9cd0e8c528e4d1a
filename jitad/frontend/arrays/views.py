"""The steps of which views are made.

Each is a value: ``type(base type)`` is what it shows, ``read(atom)`` records the reading, ``write(base, new)`` records the base
with what the step shows replaced by `new`, and ``strides(base type, strides)`` says where NumPy would find the elements.
Equal steps from one view show the same elements.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from jitad.frontend.arrays.memory_order import reshaped_strides
from jitad.frontend.tracing.trace import Trace
from jitad.ir import errors
from jitad.ir.program import Atom
from jitad.ir.types import ArrayType, real_dtype
from jitad.primitives.elementwise.arithmetic import add, sub
from jitad.primitives.elementwise.comparisons import select
from jitad.primitives.elementwise.complexes import complex_, imag, real
from jitad.primitives.structural.boxes import slice_
from jitad.primitives.structural.indexing import gather, scatter, scatter_add
from jitad.primitives.structural.shaping import broadcast, inverse_permutation, reshape, transpose
from jitad.primitives.structural.spans import Span
from jitad.primitives.structural.updates import update
from jitad.primitives.structural.windows import window, window_add, window_update


class Box(NamedTuple):
    """A basic index: the elements start + step * I, for I in a box of extents `count`; `axes` gives the axes shown.

    An entry of `axes` is the number of an axis of the box, or None for a new axis; axes of the box that are left out have extent 1.
    """

    start: tuple[int, ...]
    step: tuple[int, ...]
    count: tuple[int, ...]
    axes: tuple[int | None, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(1 if axis is None else self.count[axis] for axis in self.axes)

    def is_whole(self, shape: tuple[int, ...]) -> bool:
        return self.count == shape and all(s == 0 and k == 1 for s, k in zip(self.start, self.step, strict=True))

    def type(self, base: ArrayType) -> ArrayType:
        return base.with_shape(self.shape)

    def read(self, x: Atom) -> Atom:
        if not self.is_whole(x.shape):
            x = slice_(x, start=self.start, step=self.step, shape=self.count)
        return reshaped(x, self.shape)

    def write(self, base: Atom, new: Atom) -> Atom:
        new = reshaped(new, self.count)
        return new if self.is_whole(base.shape) else update(base, new, start=self.start, step=self.step)

    def strides(self, base: ArrayType, strides: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(0 if axis is None else strides[axis] * self.step[axis] for axis in self.axes)


def whole_of(shape: tuple[int, ...]) -> Box:
    """Return the index of all elements."""
    axes = range(len(shape))
    return Box((0,) * len(axes), (1,) * len(axes), shape, tuple(axes))


class Permutation(NamedTuple):
    """The axes in another order: axis k shown is axis ``axes[k]`` of the base."""

    axes: tuple[int, ...]

    def type(self, base: ArrayType) -> ArrayType:
        return base.with_shape(tuple(base.shape[axis] for axis in self.axes))

    def read(self, x: Atom) -> Atom:
        return transpose(x, axes=self.axes)

    def write(self, base: Atom, new: Atom) -> Atom:
        return transpose(new, axes=inverse_permutation(self.axes))

    def strides(self, base: ArrayType, strides: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(strides[axis] for axis in self.axes)


class Reshape(NamedTuple):
    """The same elements in C order under another shape."""

    shape: tuple[int, ...]

    def type(self, base: ArrayType) -> ArrayType:
        return base.with_shape(self.shape)

    def read(self, x: Atom) -> Atom:
        return reshaped(x, self.shape)

    def write(self, base: Atom, new: Atom) -> Atom:
        return reshaped(new, base.shape)

    def strides(self, base: ArrayType, strides: tuple[int, ...]) -> tuple[int, ...] | None:
        return reshaped_strides(base, strides, self.shape)


class Element(NamedTuple):
    """The elements at computed places along the leading axes: `indices` are int64 atoms of one shape."""

    indices: tuple[Atom, ...]

    @property
    def unique(self) -> bool:
        return self.indices[0].ndim == 0

    def type(self, base: ArrayType) -> ArrayType:
        return base.with_shape((*self.indices[0].shape, *base.shape[len(self.indices):]))

    def read(self, x: Atom) -> Atom:
        return gather(x, *self.indices)

    def write(self, base: Atom, new: Atom) -> Atom:
        more = increment(new, lambda x: self.shows(x, base)) if self.unique else None
        return scatter(base, new, *self.indices, unique=self.unique) if more is None else self.add(base, more)

    def shows(self, x: Atom, base: Atom) -> bool:
        """Return whether `x` was read from `base` by this step."""
        equation = getattr(x, "equation", None)
        return equation is not None and equation.primitive is gather and equation.inputs == (base, *self.indices)

    def add(self, base: Atom, new: Atom) -> Atom:
        return scatter_add(base, new, *self.indices, unique=self.unique)

    def strides(self, base: ArrayType, strides: tuple[int, ...]) -> tuple[int, ...]:
        return (*(0,) * self.indices[0].ndim, *strides[len(self.indices):])


def increment(new: Atom, shows: Callable[[Atom], bool]) -> Atom | None:
    """Return v if `new` is x + v, v + x or x - v for an x that ``shows(x)`` holds of: then v is added where x was read.

    The derivative of an addition needs no mask for what is overwritten, as that of an assignment does. Axes of one element may have
    been added or left out in between.
    """
    found = getattr(in_origin(new), "equation", None)
    if found is None or found.primitive not in (add, sub):
        return None
    (x, y), (result,) = found.inputs, found.outputs

    def is_shown(atom: Atom) -> bool:
        return atom.shape == result.shape and shows(in_origin(atom))

    if is_shown(x):
        more = y if found.primitive is add else -y
    elif is_shown(y) and found.primitive is add:
        more = x
    else:
        return None
    return reshaped(more if more.shape == result.shape else broadcast(more, shape=result.shape), new.shape)


def in_origin(x: Atom) -> Atom:
    """Return `x` before it was reshaped."""
    while getattr(x, "equation", None) is not None and x.equation.primitive is reshape:
        (x,) = x.equation.inputs
    return x


class Window(NamedTuple):
    """A box whose places or extents are computed: those of `spans`, with their `scalars` (`jitad.primitives.structural.windows`)."""

    spans: tuple[Span, ...]
    scalars: tuple[Atom, ...]

    def type(self, base: ArrayType) -> ArrayType:
        return base.with_shape(tuple(span.extent for span in self.spans))

    def read(self, x: Atom) -> Atom:
        return window(x, *self.scalars, spans=self.spans)

    def write(self, base: Atom, new: Atom) -> Atom:
        more = increment(new, lambda x: self.shows(x, base))
        if more is None:
            return window_update(base, new, *self.scalars, spans=self.spans)
        return window_add(base, more, *self.scalars, spans=self.spans)

    def shows(self, x: Atom, base: Atom) -> bool:
        """Return whether `x` was read from `base` by this step."""
        equation = getattr(x, "equation", None)
        return (equation is not None and equation.primitive is window and equation.inputs == (base, *self.scalars)
                and equation.params["spans"] == self.spans)

    def strides(self, base: ArrayType, strides: tuple[int, ...]) -> tuple[int, ...] | None:
        if any(span.counted for span in self.spans):
            return None
        return tuple(stride * span.step for stride, span in zip(strides, self.spans, strict=True))


class Part(NamedTuple):
    """The real or the imaginary part."""

    imaginary: bool

    def type(self, base: ArrayType) -> ArrayType:
        return base.with_dtype(real_dtype(base.dtype))

    def read(self, x: Atom) -> Atom:
        return imag(x) if self.imaginary else real(x)

    def write(self, base: Atom, new: Atom) -> Atom:
        return complex_(real(base), new) if self.imaginary else complex_(new, imag(base))

    def strides(self, base: ArrayType, strides: tuple[int, ...]) -> tuple[int, ...]:
        return strides


class Either(NamedTuple):
    """One of two parts of the same type, each a chain of steps, the first where `test`, a value of a `trace`, does not hold."""

    test: Atom
    chains: tuple[tuple, tuple]
    trace: Trace

    def type(self, base: ArrayType) -> ArrayType:
        return chain_types(self.chains[0], base)[-1]

    def read(self, x: Atom) -> Atom:
        return self.chosen(*[read_through(chain, x)[-1] for chain in self.chains])

    def write(self, base: Atom, new: Atom) -> Atom:
        for k, chain in enumerate(self.chains):
            seen = read_through(chain, base)
            new_here = self.chosen(seen[-1], new) if k else self.chosen(new, seen[-1])
            for step, before in zip(reversed(chain), reversed(seen[:-1]), strict=True):
                new_here = step.write(before, new_here)
            base = new_here
        return base

    def chosen(self, first: Atom, second: Atom) -> Atom:
        return select(broadcast(self.test, shape=first.shape) if first.shape else self.test, second, first)

    def strides(self, base: ArrayType, strides: tuple[int, ...]) -> tuple[int, ...] | None:
        return chain_strides(self.chains[0], base, strides)


def chain_types(chain: Sequence, base: ArrayType) -> list[ArrayType]:
    """Return what each step of a chain shows, after the base."""
    types = [base]
    for step in chain:
        types.append(step.type(types[-1]))
    return types


def chain_strides(chain: Sequence, base: ArrayType, strides: tuple[int, ...] | None) -> tuple[int, ...] | None:
    for step, type in zip(chain, chain_types(chain, base), strict=False):
        strides = None if strides is None else step.strides(type, strides)
    return strides


def read_through(chain: Sequence, x: Atom) -> list[Atom]:
    """Return what each step of a chain shows, after the base."""
    seen = [x]
    for step in chain:
        seen.append(step.read(seen[-1]))
    return seen


class ReadOnly:
    """What NumPy shows without letting one write to it: ``show(atom) -> atom``. Equal to itself only."""

    def __init__(self, show: Callable[[Atom], Atom], type: ArrayType):
        self.read = show
        self.shown = type

    def type(self, base: ArrayType) -> ArrayType:
        return self.shown

    def write(self, base: Atom, new: Atom) -> Atom:
        raise errors.ValueError("assignment destination is read-only")

    def strides(self, base: ArrayType, strides: tuple[int, ...]) -> None:
        return None


def reshaped(x: Atom, shape: tuple[int, ...]) -> Atom:
    return x if x.shape == shape else reshape(x, shape=shape)
