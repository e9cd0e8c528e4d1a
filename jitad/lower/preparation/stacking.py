"""Stacks of stacks: what an inner loop keeps of each trip goes to its place in the outer loop's stack at once.

In: a Program, the body of an outer loop. Out: the same, where a loop that fills an array which is then written to a row of another fills that row.
Invariant: the array was nothing but that row: nothing was in it before the loop, and nothing else reads it.
"""

from __future__ import annotations

from collections import Counter

from jitad.ir.dataflow import count_uses
from jitad.ir.facts import is_undefined
from jitad.ir.lowering import Scatter
from jitad.ir.program import Atom, Equation, Program, Var
from jitad.ir.recorder import Env, Recorder
from jitad.ir.types import COUNTER


def fill_rows(program: Program) -> Program:
    """Return `program` with loops that write to the rows where what they fill goes."""
    uses = count_uses(program)
    rows = {equation.inputs[1]: equation for equation in program.equations if is_row(equation, uses, set(program.inputs))}
    loops = {var.equation: [x for x in var.equation.outputs if x in rows] for var in rows}
    if not loops:
        return program
    env, taken = Env({var: var for var in program.inputs}), set()
    with Recorder() as recorder:
        for equation in program.equations:
            recorder.source = equation.source
            if equation in loops:
                env.update(filling(equation, {var: rows[var] for var in loops[equation]}, env))
                taken.update(rows[var] for var in loops[equation])
            elif equation not in taken:
                env.repeat(equation, recorder)
    return Program(program.inputs, recorder.equations, env.read_all(program.outputs))


def is_row(equation: Equation, uses: Counter, inputs: set[Var]) -> bool:
    """Whether an equation writes what a loop has filled to a row of an input of the Program, and is alone in using either."""
    if not writes_once(equation) or not all(x in inputs for x in (equation.inputs[0], *equation.inputs[2:])):
        return False
    base, row, *_ = equation.inputs
    if uses[base] != 1 or uses.get(row) != 1 or row.equation is None or "consts" not in row.equation.params:
        return False
    loop = row.equation
    if "body" not in loop.params or len(loop.outputs) != len(loop.params["body"].outputs):
        return False
    return fills(loop, loop.outputs.index(row))


def writes_once(equation: Equation) -> bool:
    """Whether an equation writes elements at places given by scalars."""
    record = equation.primitive.lower
    single = isinstance(record, Scatter) and record.combine == "set" and equation.params.get("unique", False)
    return single and all(isinstance(x, Var) and x.type == COUNTER for x in equation.inputs[2:])


def fills(loop: Equation, number: int) -> bool:
    """Whether carried value `number` of a loop starts undefined, and a trip does nothing to it but write once."""
    start = 1 + loop.params["consts"] + number
    initial, body = loop.inputs[start], loop.params["body"]
    if not is_undefined(initial):
        return False
    carried, result = body.inputs[start], body.outputs[number]
    if not isinstance(result, Var) or result.equation is None or not writes_once(result.equation) or result.equation.inputs[0] is not carried:
        return False
    used = [x for equation in body.equations for x in equation.inputs] + list(body.outputs)
    test = loop.params.get("test")
    return used.count(carried) == 1 and used.count(result) == 1 and (test is None or all(test.inputs[start] not in e.inputs for e in test.equations))


def filling(loop: Equation, rows: dict[Var, Equation], env: Env) -> dict[Atom, Atom]:
    """Record a loop that writes to the rows; return what stands for its results and for those of the writes."""
    consts = loop.params["consts"]
    indices = list(dict.fromkeys(x for row in rows.values() for x in row.inputs[2:]))
    inputs, body = list(loop.inputs), loop.params["body"]
    held = [Var(x.type) for x in indices]
    places = dict(zip(indices, held, strict=True))
    formal, outputs, replaced = list(body.inputs), list(body.outputs), {}
    for var, row in rows.items():
        number = loop.outputs.index(var)
        inputs[1 + consts + number] = row.inputs[0]
        formal[1 + consts + number] = Var(row.inputs[0].type)
        replaced[body.outputs[number].equation] = (formal[1 + consts + number], [places[x] for x in row.inputs[2:]], number)
    with Recorder() as recorder:
        for equation in body.equations:
            if equation in replaced:
                base, lead, number = replaced[equation]
                recorder.source = equation.source
                (outputs[number],) = [equation.primitive(base, equation.inputs[1], *lead, *equation.inputs[2:], **equation.params)]
            else:
                recorder.equations.append(equation)
    cut = 1 + consts
    bodies = {"body": Program([*formal[:cut], *held, *formal[cut:]], recorder.equations, outputs)}
    if "test" in loop.params:
        test = loop.params["test"]
        types = list(test.inputs)
        for k, var in enumerate(formal):
            types[k] = Var(var.type) if var.type != types[k].type else types[k]
        bodies["test"] = Program([*types[:cut], *[Var(x.type) for x in indices], *types[cut:]], test.equations, test.outputs)
    operands = env.read_all(inputs)
    results = loop.primitive(*operands[:cut], *env.read_all(indices), *operands[cut:], **{**loop.params, **bodies, "consts": consts + len(held)})
    found: dict[Atom, Atom] = {}
    for var, result in zip(loop.outputs, results, strict=True):
        found[rows[var].outputs[0] if var in rows else var] = result
    return found
