"""The ordered list of passes, from a traced Program to a kernel.

    Program  --inline--> Program  --simplify, dead code--> Program  --lower--> Loops  --compile--> Kernel
"""

from __future__ import annotations

from collections.abc import Callable

from jitad.codegen.kernel import Kernel, compile_loops
from jitad.ir.program import Program
from jitad.ir.verifier import verify
from jitad.lower.loops import Loops
from jitad.lower.lowering import lower
from jitad.optimize.dce import eliminate_dead_code
from jitad.optimize.simplify import simplify
from jitad.primitives.custom import inline_custom
from jitad.runtime.config import config

PASSES: list[Callable[[Program], Program]] = [inline_custom, eliminate_dead_code, simplify, eliminate_dead_code]


def optimize(program: Program) -> Program:
    """Run the Program-to-Program passes, verifying between them if ``config.verify``."""
    for run in PASSES:
        program = run(program)
        if config.verify:
            verify(program)
    return program


def to_loops(program: Program) -> Loops:
    """Return the loop nests of an optimized Program."""
    return lower(program)


def to_kernel(program: Program) -> Kernel:
    """Return the compiled form of a Program, from the in-memory cache if an equal Program was compiled before."""
    from jitad.runtime.kernels import kernel_of

    return kernel_of(program, lambda: compile_loops(to_loops(optimize(program)), strict=config.strict))
