"""Few elements of arrays that are computed as the bodies of nests are, but never stored.

In: a Program. Out: the same, where what leads to such elements is computed a second time, for them alone: they do not wait for the nest that stores
something on the way, and what that nest overwrites in place is still there. Invariant: that costs at most about one operation per element
of the array, and nothing on the way is reached along so many paths that it would be stored for their sake.
"""

from __future__ import annotations

from collections import Counter

from jitad.ir.lowering import Pull
from jitad.ir.program import Atom, Equation, Program, Var
from jitad.ir.recorder import Env, Recorder
from jitad.lower.fusion.reads import kind_of

PART = 16  # how many times smaller than the array the elements are
PATHS = 12


def sample_apart(program: Program) -> Program:
    """Return `program` with the equations that lead to few elements repeated for these."""
    stored, least = {x for x in program.outputs if isinstance(x, Var)}, least_costs(program)
    chains = {equation: chain for equation in program.equations if (chain := chain_to(equation, stored, least))}
    if not chains:
        return program
    env = Env({var: var for var in program.inputs})
    with Recorder() as recorder:
        for equation in program.equations:
            own = Env(env)
            for step in chains.get(equation, ()):
                own.repeat(step, recorder)
            env.define(equation, recorder.repeat(equation, own.read_all(equation.inputs)))
    return Program(program.inputs, recorder.equations, env.read_all(program.outputs))


def least_costs(program: Program) -> dict[Var, float]:
    """Return what an element of each Var costs at least that is computed as the bodies of nests are."""
    found: dict[Var, float] = {}
    for equation in program.equations:
        if kind_of(equation) == "inline":
            operands = max([found.get(x, 0.0) for x in equation.inputs if isinstance(x, Var)], default=0.0)
            cost = getattr(equation.primitive.lower, "cost", 0.0) + operands
            found.update((var, cost) for var in equation.outputs if var.type.size > 1)
    return found


def chain_to(equation: Equation, stored: set[Var], least: dict[Var, float]) -> list[Equation]:
    """Return the equations to repeat, in order: those that lead to an array that `equation` reads few elements of, if one of them is stored."""
    if not isinstance(equation.primitive.lower, Pull) or not equation.primitive.selecting:
        return []
    base, few = equation.inputs[0], equation.outputs[0].type.size
    if not isinstance(base, Var) or base in stored or max(PART, least.get(base, 0.0)) * few > base.type.size:
        return []
    found: dict[Equation, None] = {}
    cost = collect(base, found, base.type.size / max(few, 1))
    passed = any(x in stored for step in found for x in step.outputs)
    return list(found) if passed and cost * few <= base.type.size and most_paths(base, found) <= PATHS else []


def most_paths(base: Var, found: dict[Equation, None]) -> int:
    """Return along how many paths the equation with the most of them is reached from `base`."""
    paths = Counter({base: 1})
    for equation in reversed(found):
        for x in equation.inputs:
            paths[x] += paths[equation.outputs[0]]
    return max(paths[equation.outputs[0]] for equation in found)


def collect(atom: Atom, found: dict[Equation, None], most: float) -> float:
    """Add the equations that compute `atom` element by element, operands first; return what an element costs, or more than `most`."""
    pending, seen, cost = [(atom, False)], set(), 0.0
    while pending and cost <= most:
        x, ready = pending.pop()
        equation = x.equation if isinstance(x, Var) else None
        if ready:
            found[equation] = None
        elif equation is not None and x.type.size > 1 and equation not in seen and kind_of(equation) == "inline":
            seen.add(equation)
            cost += getattr(equation.primitive.lower, "cost", most)
            pending.append((x, True))
            pending.extend((operand, False) for operand in equation.inputs)
    return cost if not pending else 2 * most
