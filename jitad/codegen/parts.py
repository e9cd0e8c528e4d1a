"""The body of a kernel in parts: very many nests one after another, as in an unrolled loop, are called by functions of their own.

In: the nests of a part, and the buffers whose pointers the body takes. Out: an LLVM function that takes what the body does and returns its
status. Invariant: all buffers of the nests are arguments of the body or lie where they were planned in the workspace. Why: each buffer is a
pointer that lives as long as the function, and LLVM's time to find registers grows with the square of their number.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import groupby

from llvmlite import ir

from jitad.codegen.memory import Places
from jitad.codegen.scalars import I8, I32, I64
from jitad.codegen.threads.tasks import FunctionsOfNests
from jitad.lower.grammar.loops import Buffer, Nest, Step
from jitad.lower.grammar.walk import buffers

LONGEST = 100


def parts_of(steps: Sequence[Step], is_plain: Callable[[Step], bool]) -> Iterator[tuple[bool, Sequence[Step]]]:
    """Cut steps into runs; say for each whether it is best a part of its own, which only plain nests can be."""
    for plain, run in groupby(steps, is_plain):
        found = list(run)
        if plain and len(found) > LONGEST:
            yield from ((True, found[k : k + LONGEST]) for k in range(0, len(found), LONGEST))
        else:
            yield False, found


def emit_part(
    type: ir.FunctionType, arguments: Sequence[Buffer], nests: Sequence[Nest], functions: FunctionsOfNests, fixed: Collection[Buffer], checks: bool
) -> ir.Function:
    """Return the function that runs some nests; `fixed` are what their functions find in the workspace, `checks` says whether they can fail."""
    function = ir.Function(functions.module, type, functions.next_name())
    function.linkage = "internal"
    function.attributes.add("noinline")
    b = ir.IRBuilder(function.append_basic_block("entry"))
    *pointers, workspace, _ = function.args
    places = Places(dict(zip(arguments, pointers, strict=True)), {}, workspace)
    places.fixed = fixed
    for buffer in dict.fromkeys(buffer.place for nest in nests for buffer in buffers(nest)):
        if buffer not in places.pointers:
            places.pointers[buffer] = b.gep(workspace, [ir.Constant(I64, buffer.offset)], source_etype=I8)
    for nest in nests:
        for status in functions.calls(b, nest, places):
            if checks:
                with b.if_then(b.icmp_signed("!=", status, ir.Constant(I32, 0)), likely=False):
                    b.ret(status)
    b.ret(ir.Constant(I32, 0))
    return function
