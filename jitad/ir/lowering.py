"""How a primitive is evaluated inside a kernel: the records that fill `Primitive.lower`.

`jitad.lower` turns each into loop IR. In the callables, `b` is the scalar builder (`jitad.lower.grammar.builder.Builder`) and a
*scalar* is one element, real or complex, with Python's operators. An *index* is a tuple of integer scalars, one per axis.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Pointwise:
    """An elementwise operation with NumPy broadcasting.

    ``element(b, *scalars, **params)`` gives the element of the result. `cost` is its price in additions.
    """

    element: Callable
    cost: float = 1.0


@dataclass(frozen=True)
class Pull:
    """An index map: ``element(b, index, operands, type, **params)`` gives the element at `index` of a result of `type`.

    ``operands[k](index)`` reads an element of operand k, ``operands[k].type`` is its type. Reads outside the operand are
    guarded by ``b.within(index, extents, then, otherwise)``: ``then(safe_index)`` where every 0 <= index[k] < extents[k],
    else the scalar `otherwise`. With `alias`, the elements keep their places in a contiguous buffer (a reshape). With `repeats`,
    an element of an operand may be read for many elements of the result (a broadcast, a gather).
    """

    element: Callable
    cost: float = 0.0
    alias: bool = False
    repeats: bool = False


@dataclass(frozen=True)
class Reduce:
    """A reduction: elements over a box, combined over some of its axes.

    ``box(*types, **params) -> (shape, axes)`` gives the iteration box and the axes of it that are reduced; the remaining
    axes, in order, are those of the result. ``element(b, index, operands, **params)`` gives the element at an index of the box;
    `combine` is one of ``add mul max min or and``.
    """

    combine: str
    box: Callable
    element: Callable


@dataclass(frozen=True)
class Recurrence:
    """A running result along ``params["axis"]``, from the far end if ``params["reverse"]``.

    ``step(b, state, *scalars)`` gives the element from the one before it; ``initial(dtype)`` is the state before the first.
    """

    step: Callable
    initial: Callable


@dataclass(frozen=True)
class Scatter:
    """Writes to computed places: operands are (base, updates, *others).

    ``place(b, index, operands, **params)`` gives the index in base of what the updates hold at `index`, None where that is not written.
    `combine` is ``add`` or ``set`` (the last write wins). ``ordered(*types)`` is the number of leading axes of the updates along which
    the order of the writes counts. With `distinct`, no place is written twice, and an equation with the same parameters that reads the base
    and has the same other operands reads those very places. ``parts(inputs, **params)`` gives the (operands, source) of writes of updates of one
    shape that follow one another at each index, with operands as above; without it, there is one.
    """

    combine: str
    place: Callable
    ordered: Callable
    distinct: bool = False
    parts: Callable | None = None

    def writes(self, equation) -> list[tuple]:
        """Return the operands of each write of an equation, and where the user has it."""
        return [(equation.inputs, equation.source)] if self.parts is None else self.parts(equation.inputs, **equation.params)


@dataclass(frozen=True)
class Library:
    """A call of a library routine on whole contiguous arrays; `routine` is a key of the table in `jitad.codegen.library.calls`."""

    routine: str


UNBOUNDED = 2**63 - 1  # the bound on the number of trips of a loop that has none


@dataclass(frozen=True)
class Control:
    """Steps apart from those around them; the bodies are in the parameters.

    `kind` is ``loop``, ``while`` or ``sweeps`` (run more than once), ``cond`` (one of several) or ``block`` (the Program `program`, run once).
    """

    kind: str


@dataclass(frozen=True)
class Undefined:
    """An array of which nothing is computed: its elements are written before they are read."""
