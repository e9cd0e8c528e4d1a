"""When what a trip hands on to the next is computed: at the end of the one or at the beginning of the other.

In: a loop. Out: the same loop, computing later what one trip computes from a carried value for the next alone (it carries on x twice instead of
x and f(x): that moves no data, and f(x) need not be stored), or earlier what is all that the next trip wants of a value (f(x) is then computed
once, while x is at hand). Invariant: the first trip finds what it found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jitad.ir.dataflow import count_uses
from jitad.ir.lowering import Pointwise, Pull
from jitad.ir.program import Atom, Equation, Literal, Program, Var
from jitad.ir.recorder import Env, Recorder, current, inline
from jitad.primitives.control.bodies import where
from jitad.primitives.declare import full, uniform
from jitad.primitives.elementwise.comparisons import eq, gt

CHEAP = 2.0


class Delayed(NamedTuple):
    """A body that computes some carried values where they are read, and for each of these, by number, what computes it from what."""

    body: Program
    values: dict[int, tuple[Equation, Var]]

    def finals(self, results: Sequence[Atom], inputs: Sequence[Atom], consts: int) -> list[Atom]:
        """Record what the loop of these `inputs` gives."""
        (count, *held), initial = inputs[: 1 + consts], inputs[1 + consts :]
        outside, found = dict(zip(self.body.inputs[1 : 1 + consts], held, strict=True)), list(results)
        for k, (equation, source) in self.values.items():
            found[k] = advance(equation, source, found[k], outside)
            if not isinstance(count, Literal) or not int(count.value):
                found[k] = where(gt(count, 0), found[k], initial[k])
        return found


def delayed_body(body: Program, consts: int, initial: Sequence[Atom], allowed: Sequence[bool], first: int) -> Delayed | None:
    """Return the body that computes such values, if they are `allowed`, where they are read; None if there are none.

    `first` is the number of the first trip.
    """
    held, carries = set(body.inputs[1 : 1 + consts]), body.inputs[1 + consts :]
    found = {}
    for x, result, start, may in zip(carries, body.outputs, initial, allowed, strict=True):
        source = source_of(result, held, set(carries) - {x}) if may and uniform(start) is not None else None
        if source is not None and read_once(body, x):
            found[x] = source, result.equation, uniform(start)
    if not found or any(source in found for source, _, _ in found.values()):
        return None
    values = dict(zip(body.inputs, body.inputs, strict=True))
    with Recorder(body.equations[0].source) as recorder:
        for x, (source, equation, start) in found.items():
            recorder.source = equation.source
            value = advance(equation, source, x)
            values[x] = where(eq(body.inputs[0], first), full(start, x.type), value)
        outputs = inline(body, [values[x] for x in body.inputs])
    sources = [found[x][0] if x in found else output for x, output in zip(carries, outputs, strict=True)]
    numbers = {k: (found[x][1], found[x][0]) for k, x in enumerate(carries) if x in found}
    return Delayed(Program(body.inputs, recorder.equations, sources), numbers)


def advanced_body(body: Program, consts: int, used: Sequence[bool]) -> tuple[Program, dict[int, Equation]] | None:
    """Return the body that computes such values where they come from, and what is to be done to initial values, by number."""
    held, carries = set(body.inputs[1 : 1 + consts]), body.inputs[1 + consts :]
    uses = count_uses(body)
    found: dict[int, Equation] = {}
    inside: dict[Equation, list[int]] = {}
    for k, (x, result, is_used) in enumerate(zip(carries, body.outputs, used, strict=True)):
        (user, *_) = [equation for equation in body.equations if not is_used and uses[x] == 1 and x in equation.inputs] or [None]
        last = getattr(result, "equation", None)
        if user is None or last is None:
            continue
        if isinstance(last.primitive.lower, Pointwise) and source_of(user.outputs[0], held, {x}) is x:
            found[k] = user
        elif last is user and user.primitive.control == "loop" and uses[result] == 1:
            number = user.outputs.index(result)
            equation = advanced_inside(user, number, x)
            if equation is not None and set(equation.inputs) - {x} <= held:
                found[k] = equation
                inside.setdefault(user, []).append(number)
    if not found:
        return None
    replaced = {equation: carries[k] for k, equation in found.items()}
    env = Env({x: x for x in body.inputs})
    with Recorder() as recorder:
        for equation in body.equations:
            recorder.source = equation.source
            operands = env.read_all(equation.inputs)
            if equation in replaced:
                outputs = [replaced[equation]]
            elif equation in inside:
                outputs = equation.primitive(*operands, **{**equation.params, "body": body_inside(equation, inside[equation])[0]})
            else:
                outputs = recorder.repeat(equation, operands)
            env.update(zip(equation.outputs, outputs, strict=True))
        outputs = env.read_all(body.outputs)
        for k, equation in found.items():
            if equation in replaced and equation in body.equations:
                outputs[k] = advance(equation, carries[k], outputs[k])
    return Program(body.inputs, recorder.equations, outputs), found


def body_inside(loop: Equation, numbers: Sequence[int]) -> tuple[Program, dict[int, Equation]] | None:
    """Return what `advanced_body` gives for a loop of which carried values with some numbers are not used but as such."""
    return advanced_body(loop.params["body"], loop.params["consts"], [k not in numbers for k in range(len(loop.outputs))])


def advanced_inside(loop: Equation, number: int, x: Var) -> Equation | None:
    """Return what a loop that starts with `x` computes earlier of a carried value, as an equation of the body that the loop is in."""
    first, body = 1 + loop.params["consts"], loop.params["body"]
    found = body_inside(loop, [number]) if loop.inputs[first + number] is x else None
    if found is None:
        return None
    equation = found[1][number]
    outside = dict(zip(body.inputs[:first], loop.inputs[:first], strict=True)) | {body.inputs[first + number]: x}
    types = [y.type for y in equation.outputs]
    return Equation(equation.primitive, [outside.get(y, y) for y in equation.inputs], equation.params, types, equation.source)


def advance(equation: Equation, x: Var, value: Atom, held: Mapping[Atom, Atom] | None = None) -> Atom:
    """Record what an equation computes of `x` for a value in its place; `held` gives what constants are outside of the body."""
    current().source = equation.source
    (result,) = current().repeat(equation, [value if y is x else (held or {}).get(y, y) for y in equation.inputs])
    return result


def source_of(result: Atom, held: set[Var], carries: set[Var]) -> Var | None:
    """Return the carried value from which a result is computed by one elementwise operation, together with constants at most."""
    equation: Equation | None = getattr(result, "equation", None)
    if equation is None or not isinstance(equation.primitive.lower, Pointwise) or equation.primitive.lower.cost > CHEAP:
        return None
    operands = {x for x in equation.inputs if not isinstance(x, Literal)}
    sources = operands & carries
    if len(sources) != 1 or not operands <= held | sources:
        return None
    (source,) = sources
    return source if source.type == result.type and source.ndim else None


def read_once(body: Program, x: Var) -> bool:
    """Whether each element is read at one place at most."""
    users = [equation for equation in body.equations if x in equation.inputs]
    if len(users) != 1 or x in body.outputs:
        return False
    record = users[0].primitive.lower
    return isinstance(record, Pointwise) or isinstance(record, Pull) and not record.repeats
