"""One kernel as an LLVM function: its nests and library calls, one after another.

In: `Loops` and an LLVM module. Out: an internal function ``body(inputs..., outputs..., workspace) -> i32`` on pointers, which returns 0
or the number of the failure. Invariant: it allocates nothing and calls nothing that takes the GIL.
"""

from __future__ import annotations

from llvmlite import ir

from jitad.codegen import library
from jitad.codegen.nests import NestEmitter
from jitad.codegen.scalars import I8, I32, I64, POINTER
from jitad.lower.loops import Buffer, Call, Loops


def float_flags(strict: bool) -> tuple[str, ...]:
    """Return the fast-math flags of ordinary arithmetic: contraction to fused multiply-adds, unless `strict`."""
    return () if strict else ("contract",)


def emit_body(module: ir.Module, loops: Loops, name: str, strict: bool = False) -> ir.Function:
    """Return the function that runs `loops`."""
    arguments = [*loops.inputs, *loops.outputs]
    function = ir.Function(module, ir.FunctionType(I32, [POINTER] * (len(arguments) + 1)), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    pointers = dict(zip(arguments, function.args[:-1], strict=True))

    def pointer(buffer: Buffer) -> ir.Value:
        if buffer not in pointers:
            pointers[buffer] = builder.gep(function.args[-1], [ir.Constant(I64, buffer.offset)], source_etype=I8)
        return pointers[buffer]

    for number, step in enumerate(loops.steps):
        if isinstance(step, Call):
            status = library.emit(builder, step, pointer)
        else:
            emitter = NestEmitter(module, f"{name}.{number}", step, float_flags(strict))
            status = builder.call(emitter.emit(), [pointer(buffer) for buffer in emitter.buffers])
            if not loops.checks:
                status = None
        if status is not None:
            with builder.if_then(builder.icmp_signed("!=", status, ir.Constant(I32, 0)), likely=False):
                builder.ret(status)
    builder.ret(ir.Constant(I32, 0))
    return function
