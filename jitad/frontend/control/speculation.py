"""Bodies that may be run whether or not they are chosen, so that a choice between them is one between their results.

In: the equations of a body, and the trace they are to go to. Invariant: such a body cannot fail, writes nothing, and is only a few operations on
numbers; the elements that it reads are there, by the bounds of their indices, or have been read already. An array of which both bodies write one
element counts as one: what is chosen is what is written there.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence

from jitad.frontend.tracing.trace import Trace, counters
from jitad.ir.intervals import Interval, interval
from jitad.ir.program import Atom, Equation, Literal, Var
from jitad.primitives.control.lasting import WRITES
from jitad.primitives.structural.boxes import slice_
from jitad.primitives.structural.indexing import gather
from jitad.primitives.structural.shaping import reshape
from jitad.primitives.structural.spans import open_places
from jitad.primitives.structural.windows import window

FEW = 16  # operations
MOST = 24  # what they may cost, in additions
RECENT = 100  # equations of each trace among which reads are looked for
READS = (gather, window, slice_)


def is_cheap(equations: Sequence[Equation], trace: Trace) -> bool:
    """Return whether a body is a few operations on scalars that cannot fail."""
    reads = [equation for equation in equations if equation.primitive in READS]
    others = [equation for equation in equations if equation not in reads and equation.primitive is not reshape]
    if len(others) > FEW or not all(equation.primitive.pointwise for equation in others) or not all(map(of_numbers, equations)):
        return False
    if sum(equation.primitive.lower.cost for equation in others) > MOST:
        return False
    known = counters()
    unsure = [equation for equation in reads if not is_there(equation, known)]
    return not unsure or read_before(unsure, equations, trace)


def of_numbers(equation: Equation) -> bool:
    """Whether all operands are scalars, but for an array of which an element is read."""
    read = equation.primitive in READS
    given, results = equation.inputs[read:], equation.outputs
    if equation.primitive is reshape or read:
        return all(x.type.size == 1 for x in (*given, *results))
    return all(x.shape == () for x in (*given, *results))


def is_there(equation: Equation, known: dict[Var, Interval]) -> bool:
    """Whether an element has a place in the array by the bounds of its indices."""
    array, *places = equation.inputs
    if equation.primitive is slice_:
        return True
    if equation.primitive is window:
        places = open_places(equation.params["spans"], places)[0]
    return all(isinstance(place, int) or is_within(interval(place, known), extent) for place, extent in zip(places, array.shape, strict=False))


def is_within(bounds: Interval, extent: int) -> bool:
    return -extent <= bounds[0] and bounds[1] < extent


# --- what is written -------------------------------------------------------------------------------------------------------------


def written(arms: Sequence[Sequence[Equation]], results: Sequence[Atom]) -> tuple[Equation, Equation] | None:
    """Return the writes to one element, the same in both, that two arrays, results of two arms, end with; None if they do not."""
    one, other = [written_last(arm, x) for arm, x in zip(arms, results, strict=True)]
    if one is None or other is None or one.primitive is not other.primitive or one.params != other.params:
        return None
    (first, new, *places), (second, another, *others) = one.inputs, other.inputs
    if first is not second or new.type != another.type or any(first in equation.outputs for arm in arms for equation in arm):
        return None
    return (one, other) if all(map(is_same, places, others)) else None


def is_same(x: Atom, y: Atom) -> bool:
    return x is y or isinstance(x, Literal) and isinstance(y, Literal) and x.value == y.value


def write(writes: tuple[Equation, Equation], select: Callable[[Atom, Atom], Atom]) -> Atom:
    """Record the write of what is selected of the values that two arms write."""
    one, other = writes
    array, value, *places = one.inputs
    return one.primitive(array, select(value, other.inputs[1]), *places, **one.params)


def written_last(arm: Sequence[Equation], x: Atom) -> Equation | None:
    """Return the equation by which an arm writes one element of an array at last, if nothing else in it reads what that gives."""
    equation = x.equation if isinstance(x, Var) else None
    if equation is None or equation.primitive not in WRITES or equation.inputs[1].type.size != 1 or not any(equation is own for own in arm):
        return None
    return None if any(x in other.inputs for other in arm) or x is equation.inputs[1] else equation


# --- what has been read -----------------------------------------------------------------------------------------------------------


def read_before(reads: Sequence[Equation], equations: Sequence[Equation], trace: Trace) -> bool:
    """Whether reads of a body are repetitions of such as `trace`, or one around it, has done."""
    names: dict[Hashable, Var] = {}
    same: dict[Atom, Atom] = {}
    for equation in (*earlier(trace), *equations):
        if not (equation.primitive.pointwise or equation.primitive in (*READS, reshape)) or len(equation.outputs) != 1:
            continue
        key = key_of(equation, same)
        if equation in reads and key not in names:
            return False
        same[equation.outputs[0]] = names.setdefault(key, equation.outputs[0])
    return True


def earlier(trace: Trace | None) -> Iterator[Equation]:
    """Iterate over the last equations of a trace and of those around it."""
    if trace is not None:
        yield from earlier(trace.around)
        yield from trace.recorder.equations[-RECENT:]


def key_of(equation: Equation, same: dict[Atom, Atom]) -> Hashable:
    operands = [(x.dtype, x.value) if isinstance(x, Literal) else same.get(x, x) for x in equation.inputs]
    return equation.primitive, tuple(operands), repr(equation.params)
