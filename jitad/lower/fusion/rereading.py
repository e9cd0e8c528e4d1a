"""What is stored only to be written into an array that is stored too is read there.

In: a Program and what is stored. Out: the same, where all others read the array in place of the values that are written into it, so that these need
no memory of their own and no copy. Invariant: elements are the same.
"""

from __future__ import annotations

from collections.abc import Collection

from jitad.ir.program import Equation, Program, Var
from jitad.ir.recorder import Env, Recorder
from jitad.lower.fusion.reads import Reads, kind_of


def reread(program: Program, roots: Collection[Var], reads: Reads) -> Program | None:
    """Return the Program that reads written values where they are written, None if no stored values are written."""
    found = {part: equation for part, equation in written_parts(program, roots, reads).items() if part in roots}
    if not found:
        return None
    env = Env({var: var for var in program.inputs})
    with Recorder() as recorder:
        for equation in program.equations:
            recorder.source = equation.source
            env.repeat(equation, recorder)
            part = equation.inputs[1] if equation.primitive.reread is not None else None
            if found.get(part) is equation:
                env[part] = equation.primitive.reread(env[equation.outputs[0]], part.type, **equation.params)
    return Program(program.inputs, recorder.equations, env.read_all(program.outputs))


def written_parts(program: Program, roots: Collection[Var], reads: Reads) -> dict[Var, Equation]:
    """Return the values that could be read in the stored array they are written into, each with the equation that first writes it."""
    found: dict[Var, Equation] = {}
    for equation in program.equations:
        if equation.primitive.reread is not None and equation.outputs[0] in roots:
            part = equation.inputs[1]
            inlined = isinstance(part, Var) and part.equation is not None and kind_of(part.equation) == "inline"
            if inlined and part not in program.outputs and reads.shares_frame(equation, part):
                found.setdefault(part, equation)
    return found
