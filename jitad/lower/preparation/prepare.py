"""Bring a Program into the form that scheduling expects.

Outputs become distinct Vars with equations of their own (an input or a number that is returned is copied), and products whose operands
BLAS cannot read in place get transposed copies. Numbers that the bodies of loops and branches read are computed there.
"""

from __future__ import annotations

from jitad.ir.program import Atom, Equation, Program, Var
from jitad.ir.recorder import Recorder, rewrite
from jitad.lower.fusion.order import delay_writes
from jitad.lower.fusion.products import dot_axes, matrix, worthwhile
from jitad.lower.preparation.halos import share_halos
from jitad.lower.preparation.histories import live_in_stacks
from jitad.lower.preparation.interchange import exchange
from jitad.lower.preparation.narrowing import narrow
from jitad.lower.preparation.samples import sample_apart
from jitad.lower.preparation.sinking import sink
from jitad.lower.preparation.stacking import fill_rows
from jitad.primitives.elementwise.complexes import convert
from jitad.primitives.structural.shaping import transpose


def prepare(program: Program) -> Program:
    """Return an equivalent Program whose outputs are distinct Vars, each defined by an equation."""
    program = rewrite(arranged(live_in_stacks(narrow(program))), lambda equation, inputs: exchange(equation, inputs, arranged))
    program = delay_writes(share_halos(sample_apart(program)))
    taken: set[Atom] = set(program.inputs)
    outputs: list[Atom] = []
    with Recorder(program.equations[-1].source if program.equations else None) as recorder:
        for atom in program.outputs:
            own = isinstance(atom, Var) and atom not in taken
            outputs.append(atom if own else convert(atom, dtype=atom.dtype))
            taken.add(atom)
    return Program(program.inputs, [*program.equations, *recorder.equations], outputs)


def arranged(program: Program) -> Program:
    return rewrite(fill_rows(program), arrange)


def arrange(equation: Equation, inputs: list[Atom]):
    """Return the outputs of a rearranged equation, None if it is fine as it is."""
    if equation.primitive.control:
        return sink(equation, inputs)
    return arrange_product(equation, inputs)


def arrange_product(equation: Equation, inputs: list[Atom]):
    """Transpose the operands of a large product so that batch, free and contracted axes lie together; None if they do."""
    if not worthwhile(equation):
        return None
    sides = dot_axes(equation)
    if all(matrix(x, side.batch, side.free, side.contract) for x, side in zip(inputs, sides, strict=True)):
        return None
    operands, contract = [], []
    for x, side in zip(inputs, sides, strict=True):
        operands.append(transpose(x, axes=(*side.batch, *side.free, *side.contract)))
        contract.append(tuple(range(x.ndim - len(side.contract), x.ndim)))
    batch = tuple(range(len(sides[0].batch)))
    return [equation.primitive(*operands, **{**equation.params, "contract": tuple(contract), "batch": (batch, batch)})]
