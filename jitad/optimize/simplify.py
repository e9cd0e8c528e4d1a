"""Algebra and common subexpressions, in one sweep.

In and out: a Program. Each equation is replaced by the simpler equal that its primitive's `simplify` slot knows, or by an earlier
equation with the same primitive, operands and parameters; operations on numbers are carried out. Invariant: no finite result changes.
"""

from __future__ import annotations

import numpy as np

from jitad.ir.program import Atom, Equation, Literal, Program, literal
from jitad.ir.recorder import Recorder, current, rewrite


def simplify(program: Program) -> Program:
    """Return `program` with equal equations merged and trivial ones folded."""
    known: dict[tuple, tuple[Atom, ...]] = {}

    def rule(equation: Equation, inputs: list[Atom]):
        primitive, params = equation.primitive, equation.params
        if primitive.pointwise and all(isinstance(x, Literal) for x in inputs):
            return [number(equation, inputs)]
        if primitive.simplify is not None:
            with Recorder(equation.source) as recorder:
                simpler = primitive.simplify(inputs, **params)
            if simpler is not None:
                return [replay(recorder.equations, simpler)]
        key = (primitive, tuple([operand_key(x) for x in inputs]), frozen(params))
        if key not in known:
            known[key] = current().repeat(equation, inputs)
        return known[key]

    def replay(equations: list[Equation], result: Atom) -> Atom:
        """Return `result` after simplifying the equations that were recorded for it."""
        env = {}
        for equation in equations:
            inputs = [env.get(x, x) for x in equation.inputs]
            env.update(zip(equation.outputs, rule(equation, inputs), strict=True))
        return env.get(result, result)

    return rewrite(program, rule)


def number(equation: Equation, inputs: list[Atom]) -> Literal:
    """Return the value of an elementwise operation on numbers."""
    with np.errstate(all="ignore"):
        value = equation.primitive.evaluate(*[np.asarray(x.value) for x in inputs], **equation.params)
    return literal(value, equation.outputs[0].dtype)


def operand_key(atom: Atom):
    return (atom.value.tobytes(), atom.dtype) if isinstance(atom, Literal) else atom


def frozen(params: dict):
    """Return parameters as a key; an unhashable one (a nested Program's rule) is known by its identity."""
    try:
        key = tuple(sorted(params.items(), key=lambda item: item[0]))
        hash(key)
    except TypeError:
        key = tuple((name, id(value)) for name, value in sorted(params.items(), key=lambda item: item[0]))
    return key
