"""When what a trip hands on to the next is computed: at the end of the one or at the beginning of the other.

In: a loop. Out: the same loop, computing later what one trip computes from a carried value for the next alone (it carries on x twice instead of
x and f(x): that moves no data, and f(x) need not be stored), or earlier what is all that the next trip wants of a value (f(x) is then computed
once, while x is at hand). Invariant: the first trip finds what it found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jitad.ir.lowering import Pointwise, Pull
from jitad.ir.program import Atom, Equation, Literal, Program, Var
from jitad.ir.recorder import Env, Recorder, current, inline
from jitad.primitives.comparisons import eq
from jitad.primitives.control.bodies import where
from jitad.primitives.declare import full, uniform

CHEAP = 2.0


def delayed_body(body: Program, consts: int, initial: Sequence[Atom], used: Sequence[bool], first: int) -> Program | None:
    """Return the body that computes such values where they are read; None if there are none. `first` is the number of the first trip."""
    held, carries = set(body.inputs[1 : 1 + consts]), body.inputs[1 + consts :]
    found = {}
    for x, result, start, is_used in zip(carries, body.outputs, initial, used, strict=True):
        source = None if is_used or uniform(start) is None else source_of(result, held, set(carries) - {x})
        if source is not None and read_once(body, x):
            found[x] = source, result.equation, uniform(start)
    if not found or any(source in found for source, _, _ in found.values()):
        return None
    values, outputs = dict(zip(body.inputs, body.inputs, strict=True)), list(body.outputs)
    with Recorder(body.equations[0].source) as recorder:
        for x, (source, equation, start) in found.items():
            recorder.source = equation.source
            (value,) = recorder.repeat(equation, [x if y is source else y for y in equation.inputs])
            values[x] = where(eq(body.inputs[0], first), full(start, x.type), value)
        outputs = inline(body, [values[x] for x in body.inputs])
    sources = [found[x][0] if x in found else output for x, output in zip(carries, outputs, strict=True)]
    return Program(body.inputs, recorder.equations, sources)


def advanced_body(body: Program, consts: int, used: Sequence[bool]) -> tuple[Program, dict[int, Equation]] | None:
    """Return the body that computes such values where they come from, and what is to be done to initial values, by number."""
    held, carries = set(body.inputs[1 : 1 + consts]), body.inputs[1 + consts :]
    found: dict[int, Equation] = {}
    for k, (x, result, is_used) in enumerate(zip(carries, body.outputs, used, strict=True)):
        users = [equation for equation in body.equations if x in equation.inputs]
        computed = getattr(result, "equation", None) is not None and isinstance(result.equation.primitive.lower, Pointwise)
        if not is_used and computed and len(users) == 1 and x not in body.outputs and source_of(users[0].outputs[0], held, {x}) is x:
            found[k] = users[0]
    if not found:
        return None
    replaced = {equation: carries[k] for k, equation in found.items()}
    env = Env({x: x for x in body.inputs})
    with Recorder() as recorder:
        for equation in body.equations:
            recorder.source = equation.source
            outputs = [replaced[equation]] if equation in replaced else recorder.repeat(equation, env.read_all(equation.inputs))
            env.update(zip(equation.outputs, outputs, strict=True))
        outputs = env.read_all(body.outputs)
        for k, equation in found.items():
            outputs[k] = advance(equation, carries[k], outputs[k])
    return Program(body.inputs, recorder.equations, outputs), found


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
