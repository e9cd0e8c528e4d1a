"""The ordered list of passes, from a traced Program to a kernel.

    Program  --expand, simplify, dead code, registers, distribution--> Program  --lower--> Loops  --compile--> Kernel
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from jitad.codegen.kernel import Kernel, compile_loops, text_of
from jitad.codegen.tapes import block_bytes
from jitad.ir import passes
from jitad.ir.lowering import UNBOUNDED
from jitad.ir.program import Program
from jitad.ir.verifier import verify
from jitad.lower.grammar.loops import Loops, Repeat, Step
from jitad.lower.grammar.verifier import verify_loops
from jitad.lower.grammar.walk import children
from jitad.lower.lowering import lower
from jitad.lower.memory.filled import filled
from jitad.optimize.additions import add_in_branches
from jitad.optimize.bodies import delay, optimize_bodies, prune, settle
from jitad.optimize.contraction import contract
from jitad.optimize.dce import eliminate_dead_code
from jitad.optimize.distribution import distribute
from jitad.optimize.expand import expand
from jitad.optimize.grids import on_grids
from jitad.optimize.invariants import hoist
from jitad.optimize.lanes import side_by_side
from jitad.optimize.lookups import look_up_before
from jitad.optimize.registers import sum_in_registers
from jitad.optimize.scattered import add_at_once
from jitad.optimize.simplify import simplify
from jitad.optimize.sums import sum_operands
from jitad.optimize.writes import choose_written, write_first, write_in_place
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


def grids(program: Program) -> Program:
    """Turn loops into operations on whole arrays."""
    return on_grids(program, in_order=config.strict)


passes.PASSES["grids"] = grids
PASSES: list[Callable[[Program], Program]] = [
    eliminate_dead_code, expand, prune, eliminate_dead_code, simplify, eliminate_dead_code, grids, side_by_side, sum_operands, bodies,
    contract, hoist, eliminate_dead_code, settle, add_in_branches, prune, eliminate_dead_code, delay, write_in_place, write_first,
    choose_written, look_up_before, eliminate_dead_code,
]  # fmt: skip


def to_loops(program: Program) -> Loops:
    """Return the loop nests of a Program, verified if ``config.verify``."""
    program = distribute(sum_in_registers(optimize(program), in_order=config.strict))
    loops = lower(program if config.strict else add_at_once(program))
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


def most_bytes(program: Program) -> float:
    """Return `bytes_taken` and what the tapes of its loops take at most; infinity if a loop without a bound records on a tape."""
    loops = to_loops(program)
    return bytes_of(loops) + sum(map(bytes_on_tape, repeats(loops.steps)))


def bytes_on_tape(loop: Repeat) -> float:
    """Return how many bytes the tape takes at most that is given back after a loop."""
    if loop.tape is None or loop.tape.last is not loop or not loop.tape.slots:
        return 0
    return math.inf if loop.counter.length == UNBOUNDED else block_bytes(loop.tape.layout()[1] * loop.counter.length)


def bytes_filled(program: Program) -> float:
    """Return how many bytes the arrays and tapes take that loops of the Program fill, which is most of `most_bytes` if that is much."""
    return filled(eliminate_dead_code(prune(eliminate_dead_code(program))))


def repeats(steps: list[Step]) -> Iterator[Repeat]:
    """Iterate over the loops in steps, however deep."""
    for step in steps:
        if isinstance(step, Repeat):
            yield step
        for inner in children(step):
            yield from repeats(inner)
