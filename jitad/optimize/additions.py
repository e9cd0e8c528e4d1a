"""What only some branches add to an array is added in those branches.

In and out: a Program. The adjoint of a branch gives zero where it was not taken, and adding zero to an element costs as much as adding anything
else. Invariant: a result changes by the sign of a zero at most.
"""

from __future__ import annotations

from collections import Counter

from jitad.ir.dataflow import count_uses, leading_to
from jitad.ir.facts import is_number
from jitad.ir.lowering import Scatter
from jitad.ir.program import Atom, Equation, Program, Var
from jitad.ir.recorder import Env, Recorder, inline
from jitad.primitives.declare import uniform


def add_in_branches(program: Program) -> Program:
    """Return `program` with additions of what branches give done by the branches, where one of them gives zero."""
    for equation in program.equations:
        if equation.primitive.control == "cond":
            found = additions(program, equation)
            if found:
                return add_in_branches(moved(program, equation, found))
    return program


def is_addition(equation: Equation) -> bool:
    return isinstance(equation.primitive.lower, Scatter) and equation.primitive.lower.combine == "add"


def additions(program: Program, choice: Equation) -> list[Equation]:
    """Return the equations that add results of `choice` to arrays and can be done in it."""
    branches = choice.params["branches"]
    sparse = {var for k, var in enumerate(choice.outputs) if any(uniform(branch.outputs[k]) == 0 for branch in branches)}
    uses = count_uses(program)
    start = program.equations.index(choice)
    ready = {*program.inputs, *[var for equation in program.equations[:start] for var in equation.outputs]}
    found: list[Equation] = []
    states = set(choice.outputs)
    for equation in program.equations[start + 1 :]:
        if is_number(equation) and all(not isinstance(x, Var) or x in ready for x in equation.inputs):
            ready.update(equation.outputs)
        elif is_addition(equation):
            base, new, *places = equation.inputs
            fits = new in sparse and uses[base] == 1 and base in ready | states and base is not new
            if fits and all(not isinstance(x, Var) or x in ready for x in places):
                found.append(equation)
                states.update(equation.outputs)
    while True:
        taken = Counter(equation.inputs[1] for equation in found)
        kept = [equation for equation in found if taken[equation.inputs[1]] == uses[equation.inputs[1]]]
        there = ready | set(choice.outputs) | {var for equation in kept for var in equation.outputs}
        kept = [equation for equation in kept if equation.inputs[0] in there]
        if len(kept) == len(found):
            return found
        found = kept


def moved(program: Program, choice: Equation, found: list[Equation]) -> Program:
    """Return `program` with the additions in `found` in the branches of `choice`."""
    start = program.equations.index(choice)
    own = set(choice.outputs) | {var for equation in found for var in equation.outputs}
    operands = list(dict.fromkeys(x for equation in found for k, x in enumerate(equation.inputs) if k != 1 and isinstance(x, Var) and x not in own))
    early = leading_to(program.equations[start + 1 :], operands)
    bases = {equation.inputs[0] for equation in found}
    ends = [equation.outputs[0] for equation in found if equation.outputs[0] not in bases]
    branches = tuple([adding(branch, choice, found, operands, ends) for branch in choice.params["branches"]])
    env = Env({var: var for var in program.inputs})
    with Recorder() as recorder:
        for equation in [*program.equations[:start], *early, choice, *program.equations[start + 1 :]]:
            recorder.source = equation.source
            if equation is choice:
                results = choice.primitive(*env.read_all([*choice.inputs, *operands]), branches=branches)
                env.update(zip([*choice.outputs, *ends], results, strict=True))
            elif equation not in found and equation.outputs[0] not in env:
                env.repeat(equation, recorder)
    return Program(program.inputs, recorder.equations, env.read_all(program.outputs))


def adding(branch: Program, choice: Equation, found: list[Equation], operands: list[Var], ends: list[Var]) -> Program:
    """Return a branch that also gives the arrays in `ends`."""
    inputs, extra = [Var(x.type) for x in branch.inputs], {x: Var(x.type) for x in operands}
    with Recorder(choice.source) as recorder:
        outputs = inline(branch, inputs)
        env: dict[Atom, Atom] = extra | dict(zip(choice.outputs, outputs, strict=True))
        for equation in found:
            base, new, *places = [env.get(x, x) for x in equation.inputs]
            recorder.source = equation.source
            idle = uniform(new) == 0
            env[equation.outputs[0]] = base if idle else equation.primitive(base, new, *places, **equation.params)
    return Program([*inputs, *extra.values()], recorder.equations, [*outputs, *[env[x] for x in ends]])
