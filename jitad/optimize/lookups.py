"""Places in arrays that are read from data and the same in every trip of a loop are checked before it.

In and out: a Program. ``b[j, o[t]]`` in a loop over `j` reads at a place that is either right in all trips or wrong in the first; a check within
the loop is a way out of it, and keeps it from being vectorised. Invariant: the results stay the same, and so does what is raised.
"""

from __future__ import annotations

from collections.abc import Sequence

from jitad.ir.dataflow import leading_to
from jitad.ir.effects import has_effects
from jitad.ir.facts import is_read
from jitad.ir.lowering import Pointwise, Pull
from jitad.ir.program import Atom, Equation, Literal, Program, Var, bodies, literal
from jitad.ir.recorder import Env, Recorder, current, rewrite
from jitad.ir.types import INT, ArrayType
from jitad.optimize.bodies import has_bodies, optimize_bodies
from jitad.primitives.control.bodies import close
from jitad.primitives.control.loops import loop
from jitad.primitives.structural.indexing import gather
from jitad.primitives.structural.shaping import iota
from jitad.primitives.tables import bounded

NUMBER = ArrayType(INT)


def look_up_before(program: Program) -> Program:
    """Return `program` with such places looked up before loops, however deep."""
    if not any(map(has_bodies, program.equations)):
        return program
    return optimize_bodies(rewrite(program, rule), look_up_before)


def rule(equation: Equation, inputs: list[Atom]) -> Sequence[Atom] | None:
    if equation.primitive is not loop or not isinstance(inputs[0], Literal) or not int(inputs[0].value) or has_effects(equation.params["body"]):
        return None
    body, first = equation.params["body"], 1 + equation.params["consts"]
    read = {var for var, x in zip(body.inputs[1:first], inputs[1:first], strict=True) if var.type == NUMBER and is_read(x)}
    found = lookups(body, body.inputs[1:first], read)
    if not found:
        return None
    outside = Env(zip(body.inputs[1:first], inputs[1:first], strict=True))
    places: dict[tuple[Atom, int], Atom] = {}
    for one, k, axis, extent in found:
        x = one.inputs[k]
        if (x, extent) not in places:
            for each in leading_to(body.equations, [x], outside):
                outside.repeat(each, current())
            current().source = one.source
            places[x, extent] = looked_up(outside[x], axis, extent)
    right = {(one, k): (places[one.inputs[k], extent], extent) for one, k, _, extent in found}

    with Recorder(equation.source) as recorder:
        inner = [Var(var.type) for var in body.inputs]
        env = Env(zip(body.inputs, inner, strict=True))
        for one in body.equations:
            operands = env.read_all(one.inputs)
            for k in range(len(operands)):
                if (one, k) in right:
                    place, extent = right[one, k]
                    operands[k] = bounded(place, extent=extent)
            env.update(zip(one.outputs, recorder.repeat(one, operands), strict=True))
    changed, free = close(Program(inner, recorder.equations, env.read_all(body.outputs)), 1)
    return loop(inputs[0], *free, *inputs[1:], **{**equation.params, "body": changed, "consts": first - 1 + len(free)})


def lookups(body: Program, held: Sequence[Var], read: set[Var]) -> list[tuple[Equation, int, int, int]]:
    """Return where a body reads or writes an element at a place that its constants tell, of which some were `read` from data.

    Each is the equation, which operand of it, the axis and its extent.
    """
    same, data, found = set(held), set(read), []
    for equation in body.equations:
        if raises(equation):
            break
        if equation.primitive.fails == "IndexError" and "spans" not in equation.params and equation.primitive.places is not None:
            places = equation.primitive.places(equation.inputs, **equation.params)
            found += [(equation, k, axis, extent) for axis, (k, extent, _) in enumerate(places) if equation.inputs[k] in data]
        if isinstance(equation.primitive.lower, Pointwise | Pull) and all(y in same or isinstance(y, Literal) for y in equation.inputs):
            same.update(equation.outputs)
            from_data = any(y in data for y in equation.inputs) or equation.primitive is gather and equation.inputs[0] in held
            if from_data and equation.outputs[0].type == NUMBER and equation.primitive is not bounded:
                data.update(equation.outputs)
    return found


def raises(equation: Equation) -> bool:
    """Whether an equation may raise what a wrong place does not, which comes first then."""
    return equation.primitive.fails not in ("", "IndexError") or any(raises(x) for program in bodies(equation.params) for x in program.equations)


def looked_up(number: Atom, axis: int, extent: int) -> Atom:
    """Return a place on an axis, which is checked there and counted from the front."""
    numbers = iota(shape=(*[1] * axis, extent), axis=axis, dtype=INT)
    return gather(numbers, *[literal(0, INT)] * axis, number)
