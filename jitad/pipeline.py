"""The ordered list of passes, from a traced Program to a kernel.

    Program  --expand, simplify, dead code, registers--> Program  --lower--> Loops  --compile--> Kernel
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from jitad.codegen.kernel import Kernel, compile_loops, text_of
from jitad.ir import errors
from jitad.ir.effects import bodies as bodies_of
from jitad.ir.lowering import Undefined
from jitad.ir.program import Program
from jitad.ir.verifier import verify
from jitad.lower.loops import Loops, Repeat, Step
from jitad.lower.lowering import lower
from jitad.lower.verifier import verify_loops
from jitad.lower.walk import children
from jitad.optimize.additions import add_in_branches
from jitad.optimize.bodies import delay, optimize_bodies, prune
from jitad.optimize.contraction import contract
from jitad.optimize.dce import eliminate_dead_code
from jitad.optimize.expand import expand
from jitad.optimize.invariants import hoist
from jitad.optimize.registers import sum_in_registers
from jitad.optimize.simplify import simplify
from jitad.optimize.sums import sum_operands
from jitad.optimize.writes import choose_written, write_in_place
from jitad.runtime import kernels
from jitad.runtime.config import config


def optimize(program: Program) -> Program:
    """Run the Program-to-Program passes, verifying between them if ``config.verify``."""
    for run in PASSES:
        program = run(program)
        if config.verify:
            verify(program)
    return program


def bodies(program: Program) -> Program:
    """Optimize the bodies of loops and branches."""
    return optimize_bodies(program, optimize)


PASSES: list[Callable[[Program], Program]] = [
    eliminate_dead_code, expand, prune, eliminate_dead_code, simplify, eliminate_dead_code, sum_operands, bodies, contract, hoist, prune,
    eliminate_dead_code, add_in_branches, prune, eliminate_dead_code, delay, write_in_place, choose_written, eliminate_dead_code,
]  # fmt: skip


def to_loops(program: Program) -> Loops:
    """Return the loop nests of a Program, verified if ``config.verify``."""
    loops = lower(sum_in_registers(optimize(program)))
    return verify_loops(loops) if config.verify else loops


def to_kernel(program: Program) -> Kernel:
    """Return the compiled form of a Program, the one of an equal Program if there was one before, in this process or on disk."""
    program = expand(eliminate_dead_code(program))  # rules of derivatives, which have done their work, are functions without a content
    return kernels.get(program, lambda name: compile_loops(to_loops(program), name, config.strict))


def to_text(program: Program, stage: str) -> str:
    """Return what a Program becomes for LLVM (``"llvm"``) or the CPU (``"asm"``)."""
    return text_of(to_loops(program), stage, config.strict)


def bytes_taken(program: Program) -> int:
    """Return how many bytes a call of the kernel takes beyond its arguments: its workspace and its results."""
    return bytes_of(to_loops(program))


def bytes_of(loops: Loops) -> int:
    return loops.work_bytes + sum(buffer.nbytes for buffer in loops.outputs)


def most_bytes(program: Program) -> int:
    """Return `bytes_taken`; raise if loops keep tapes besides, as long as their number of trips, which only the call knows."""
    loops = to_loops(program)
    if any(step.tape is not None for step in repeats(loops.steps)):
        raise errors.MemoryError("a memory budget cannot be kept where reverse mode goes through a loop whose number of trips is only known "
                                 "when it runs; write a for loop over a range of known length, or leave the budget out")
    return bytes_of(loops)


def bytes_filled(program: Program) -> int:
    """Return how many bytes the arrays take that loops of the Program fill, which is most of `bytes_taken` if that is much."""
    return undefined_bytes(eliminate_dead_code(prune(eliminate_dead_code(program))))


def undefined_bytes(program: Program) -> int:
    found = 0
    for equation in program.equations:
        if isinstance(equation.primitive.lower, Undefined):
            found += sum(x.type.size * x.dtype.itemsize for x in equation.outputs)
        found += sum(map(undefined_bytes, bodies_of(equation.params)))
    return found


def repeats(steps: list[Step]) -> Iterator[Repeat]:
    """Iterate over the loops in steps, however deep."""
    for step in steps:
        if isinstance(step, Repeat):
            yield step
        for inner in children(step):
            yield from repeats(inner)
