"""Kernels: `Loops` compiled to object code, and object code that can be called.

In: `Loops`. Out: `Code`, which any process on the same kind of machine can load, and of that a `Kernel`. Invariant: a kernel's inputs and
outputs are C-contiguous arrays of exactly the declared types, and scalars where the shape is (); the GIL is released while it runs, unless that takes
less than releasing it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from llvmlite import ir

from jitad.codegen import elementary, entry, machine, printing, special_functions, tapes
from jitad.codegen.elementary import efforts
from jitad.codegen.failures import Failure, failures
from jitad.codegen.library import blas, fourier
from jitad.codegen.module import emit_body
from jitad.codegen.threads import team
from jitad.ir.types import ArrayType
from jitad.lower.grammar.loops import Loops, Nest, Repeat, Step
from jitad.lower.grammar.walk import children, expressions, is_shared
from jitad.lower.schedule.effort import most_work

BRIEF = 2000  # additions, less than a microsecond


@dataclass(frozen=True)
class Code:
    """A compiled kernel.

    Attributes
    ----------
    name
        The symbol of its entry; `body_name` is that by which its body is called from other code. No other code in the process has it.
    content
        The object code.
    routines
        The library routines it calls.
    work_bytes
        The workspace that the body needs.
    failures
        What the status of the body stands for.
    """

    name: str
    content: bytes
    routines: tuple[str, ...]
    work_bytes: int
    failures: dict[int, Failure]

    @property
    def body_name(self) -> str:
        return body_name(self.name)


def body_name(name: str) -> str:
    return f"{name}.body.entered"


def to_module(loops: Loops, name: str, strict: bool) -> ir.Module:
    """Return the LLVM module of a kernel."""
    module = (elementary.LoopModule if any(takes_functions(loops.steps)) else elementary.ScalarModule)(name)
    elementary.lay_stack(module)
    body = emit_body(module, loops, f"{name}.body", strict)
    elementary.entered(body, body_name(name), "external")
    inputs, outputs = ([buffer.type for buffer in buffers] for buffers in (loops.inputs, loops.outputs))
    shared = is_shared(loops.steps)
    entry.emit_entry(body, name, inputs, outputs, loops.work_bytes, shared, brief=not shared and most_work(loops.steps) < BRIEF)
    return module


def takes_functions(steps: Sequence[Step], inside: bool = False) -> Iterator[bool]:
    """Iterate over the regions in steps: whether they take elementary functions in a loop."""
    for step in steps:
        if isinstance(step, Nest):
            for region in step.regions:
                single = not inside and all(low == high for low, high in region.ranges)
                yield not single and any(expr.op in elementary.TABLE for expr in expressions(region))
        for inner in children(step):
            yield from takes_functions(inner, inside or isinstance(step, Repeat))


def compile_loops(loops: Loops, name: str, strict: bool = False) -> Code:
    """Compile `loops` to code whose entry is called `name`."""
    module = to_module(loops, name, strict)
    return Code(name, machine.object_code(module), routines_in(module), loops.work_bytes, failures(loops))


def routines_in(module: ir.Module) -> tuple[str, ...]:
    """Return the functions of libraries that a module calls; they must be registered before its code is loaded."""
    return blas.routines_in(module) + special_functions.symbols_in(module)


def text_of(loops: Loops, stage: str, strict: bool = False) -> str:
    """Return the optimized LLVM IR of `loops` (``"llvm"``), or the assembly (``"asm"``)."""
    module = to_module(loops, "jitad_kernel", strict)
    return machine.llvm_text(module) if stage == "llvm" else machine.assembly_text(module)


@dataclass(frozen=True, eq=False)
class Kernel:
    """Code in this process, for values of given types. `entry` is the Python function of the inputs as `run` prepares them."""

    code: Code
    inputs: Sequence[ArrayType]
    outputs: Sequence[ArrayType]

    @property
    def work_bytes(self) -> int:
        """The bytes of workspace that `entry` takes as its last argument, 0 if it takes none."""
        return self.code.work_bytes if self.code.work_bytes > entry.STACK_BYTES else 0

    @functools.cached_property
    def addresses(self) -> list[int]:
        """Those of the entry and of the body."""
        entry.provide_symbols()
        tapes.provide(self.code.content)
        team.provide(self.code.content)
        efforts.provide(self.code.content)
        printing.provide_for(self.code.content)
        fourier.provide_for(self.code.content)
        for routine in self.code.routines:
            (special_functions if routine.startswith(special_functions.PREFIX) else blas).register(routine)
        return machine.load(self.code.content, [self.code.name, self.code.body_name])

    def bind(self, classes: Sequence[type] = ()) -> Callable[..., tuple]:
        """Return the entry for inputs of shape () that are of these classes; see `entry.bind`."""
        return entry.bind(self.addresses[0], self.inputs, self.outputs, self.fail, classes)

    @functools.cached_property
    def entry(self) -> Callable[..., tuple]:
        return self.bind()

    def fail(self, status: int) -> None:
        self.code.failures[status].throw()
