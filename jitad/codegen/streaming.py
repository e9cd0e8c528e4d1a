"""Stores that go past the caches, and reads before something is needed.

In: pointers to two rows that do not overlap, and a number of bytes. Out: a call of a function that copies them. Invariant: what is written so is
seen in order by the thread that writes it; others see it after a `fence` of that thread.
"""

from __future__ import annotations

from llvmlite import ir

from jitad.codegen.emission import counted
from jitad.codegen.memory import Places
from jitad.codegen.scalars import I1, I8, I32, I64, POINTER, memory_type
from jitad.lower.grammar.loops import Buffer

LINE = 64  # bytes
UNIT = 4  # bytes; rows and their places are multiples of it
NAME = "stream"
VECTOR = ir.VectorType(I32, LINE // UNIT)
MASK = ir.VectorType(I1, LINE // UNIT)


def stream(b: ir.IRBuilder, target: ir.Value, source: ir.Value, nbytes: ir.Value) -> None:
    """Copy at least a line of memory that is not read again soon."""
    b.call(b.module.globals.get(NAME) or emit_function(b.module), [target, source, nbytes])


def fence(b: ir.IRBuilder) -> None:
    """Let other threads see what this one has streamed before they see what it does next."""
    b.fence("seq_cst")


def fetch(b: ir.IRBuilder, places: Places, buffer: Buffer, position: ir.Value, count: int) -> None:
    """Bring so many elements of a buffer from a position on into the cache; they need not exist."""
    prefetch = intrinsic(b.module, "llvm.prefetch.p0", ir.FunctionType(ir.VoidType(), [POINTER, I32, I32, I32]))
    start = b.gep(places.pointer(b, buffer), [position], source_etype=memory_type(buffer.type.dtype))
    reading, into_first, data = ir.Constant(I32, 0), ir.Constant(I32, 3), ir.Constant(I32, 1)
    with counted(b, ir.Constant(I64, -(-count * buffer.type.dtype.itemsize // LINE))) as number:
        b.call(prefetch, [at(b, start, b.mul(number, ir.Constant(I64, LINE))), reading, into_first, data])


def emit_function(module: ir.Module) -> ir.Function:
    """Return the function: whole lines are streamed, the parts of lines at either end are stored as usual."""
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER, POINTER, I64]), NAME)
    function.linkage = "internal"
    for attribute in ("noinline", "nounwind"):
        function.attributes.add(attribute)
    target, source, nbytes = function.args
    target.add_attribute("noalias")
    source.add_attribute("noalias")
    b = ir.IRBuilder(function.append_basic_block("entry"))
    line, rest = ir.Constant(I64, LINE), ir.Constant(I64, LINE - 1)
    start = b.and_(b.neg(b.ptrtoint(target, I64)), rest)
    copy_part(b, target, source, start)
    lines = b.udiv(b.sub(nbytes, start), line)
    plain = module.add_metadata([ir.Constant(I32, 1)])
    with counted(b, lines) as number:
        place = b.add(start, b.mul(number, line))
        value = b.load(at(b, source, place), typ=VECTOR, align=UNIT)
        store = b.store(value, at(b, target, place), align=LINE)
        store.set_metadata("nontemporal", plain)
    end = b.add(start, b.mul(lines, line))
    copy_part(b, at(b, target, end), at(b, source, end), b.sub(nbytes, end))
    b.ret_void()
    return function


def at(b: ir.IRBuilder, pointer: ir.Value, offset: ir.Value) -> ir.Value:
    return b.gep(pointer, [offset], source_etype=I8)


def copy_part(b: ir.IRBuilder, target: ir.Value, source: ir.Value, nbytes: ir.Value) -> None:
    """Copy less than a line."""
    module, align = b.module, ir.Constant(I32, UNIT)
    units = b.trunc(b.udiv(nbytes, ir.Constant(I64, UNIT)), I32)
    wanted = b.insert_element(ir.Constant(VECTOR, ir.Undefined), units, ir.Constant(I32, 0))
    wanted = b.shuffle_vector(wanted, ir.Constant(VECTOR, ir.Undefined), ir.Constant(ir.VectorType(I32, VECTOR.count), [0] * VECTOR.count))
    mask = b.icmp_unsigned("<", ir.Constant(VECTOR, list(range(VECTOR.count))), wanted)
    load = intrinsic(module, "llvm.masked.load.v16i32.p0", ir.FunctionType(VECTOR, [POINTER, I32, MASK, VECTOR]))
    store = intrinsic(module, "llvm.masked.store.v16i32.p0", ir.FunctionType(ir.VoidType(), [VECTOR, POINTER, I32, MASK]))
    b.call(store, [b.call(load, [source, align, mask, ir.Constant(VECTOR, None)]), target, align, mask])


def intrinsic(module: ir.Module, name: str, type: ir.FunctionType) -> ir.Function:
    return module.globals.get(name) or ir.Function(module, type, name)
