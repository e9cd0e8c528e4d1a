"""Tapes: memory whose size is only known when the kernel runs, one slot for each trip of a loop.

In: a `Tape` and a number of trips. Out: calls that take memory and give it back. Invariant: a tape is given back on every way out of the
kernel. Memory that was given back is kept for the next tape, since touching fresh pages is slow: one block for each power of two,
in a table that all kernels share and that needs no lock.
"""

from __future__ import annotations

import ctypes
import functools

import llvmlite.binding as llvm
from llvmlite import ir

from jitad.codegen import machine
from jitad.codegen.emission import external
from jitad.codegen.memory import Places
from jitad.codegen.scalars import I8, I64, POINTER
from jitad.lower.grammar.loops import Tape

TAKE, GIVE, CLEAR = "jitad_tape_take", "jitad_tape_give", "jitad_tape_clear"
KEEPER = f"""
@kept = internal global [64 x ptr] zeroinitializer

declare ptr @jitad_PyMem_RawMalloc(i64)
declare void @jitad_PyMem_RawFree(ptr)
declare i64 @llvm.ctlz.i64(i64, i1)

define ptr @{TAKE}(i64 %bytes) {{
  %possible = icmp ult i64 %bytes, {1 << 46}
  br i1 %possible, label %look, label %nothing
look:
  %whole = add i64 %bytes, 4111                          ; 16 bytes before a tape say which power of two it is
  %zeros = call i64 @llvm.ctlz.i64(i64 %whole, i1 true)
  %power = sub i64 64, %zeros
  %place = getelementptr [64 x ptr], ptr @kept, i64 0, i64 %power
  %found = atomicrmw xchg ptr %place, ptr null acq_rel
  %none = icmp eq ptr %found, null
  br i1 %none, label %fresh, label %ready
fresh:
  %size = shl i64 1, %power
  %made = call ptr @jitad_PyMem_RawMalloc(i64 %size)
  %failed = icmp eq ptr %made, null
  br i1 %failed, label %nothing, label %mark
nothing:
  ret ptr null
mark:
  store i64 %power, ptr %made
  br label %ready
ready:
  %block = phi ptr [ %found, %look ], [ %made, %mark ]
  %tape = getelementptr i8, ptr %block, i64 16
  ret ptr %tape
}}

define void @{GIVE}(ptr %tape) {{
  %block = getelementptr i8, ptr %tape, i64 -16
  %power = load i64, ptr %block
  %place = getelementptr [64 x ptr], ptr @kept, i64 0, i64 %power
  %other = atomicrmw xchg ptr %place, ptr %block acq_rel
  call void @jitad_PyMem_RawFree(ptr %other)
  ret void
}}

define i64 @{CLEAR}() {{
  br label %next
next:
  %power = phi i64 [ 0, %0 ], [ %following, %go ]
  %sum = phi i64 [ 0, %0 ], [ %total, %go ]
  %place = getelementptr [64 x ptr], ptr @kept, i64 0, i64 %power
  %block = atomicrmw xchg ptr %place, ptr null acq_rel
  call void @jitad_PyMem_RawFree(ptr %block)
  %none = icmp eq ptr %block, null
  %size = shl i64 1, %power
  %freed = select i1 %none, i64 0, i64 %size
  %total = add i64 %sum, %freed
  %following = add i64 %power, 1
  %more = icmp ult i64 %following, 64
  br i1 %more, label %go, label %end
go:
  br label %next
end:
  ret i64 %total
}}
"""
ALLOCATION = {"PyMem_RawMalloc": (POINTER, [I64]), "PyMem_RawFree": (ir.VoidType(), [POINTER])}


@functools.cache
def keeper() -> dict[str, int]:
    """Make the functions of tapes known to LLVM, and return their addresses."""
    names = [TAKE, GIVE, CLEAR]
    addresses = dict(zip(names, machine.load(machine.direct_object_code(KEEPER), names), strict=True))
    for name in (TAKE, GIVE):
        llvm.add_symbol(name, addresses[name])
    return addresses


def provide(code: bytes) -> None:
    """Make known what object code needs for its tapes; the names of what it needs are part of it."""
    if TAKE.encode() in code:
        keeper()


def clear() -> int:
    """Free the memory that is kept for tapes, and return how many bytes that was."""
    if not keeper.cache_info().currsize:
        return 0
    return ctypes.CFUNCTYPE(ctypes.c_int64)(keeper()[CLEAR])()


def block_bytes(count: int) -> int:
    """Return how many bytes are taken for a tape of so many."""
    return 1 << (count + 4111).bit_length()


class Tapes:
    """The tapes that are in use at the current place of a kernel."""

    def __init__(self):
        self.bases: dict[Tape, ir.Value] = {}

    def take(self, b: ir.IRBuilder, tape: Tape, trips: ir.Value) -> ir.Value:
        """Take the memory of a tape and return whether there was enough."""
        self.bases[tape] = base = b.call(external(b, TAKE, POINTER, [I64]), [b.mul(trips, ir.Constant(I64, tape.layout()[1]))])
        return b.icmp_unsigned("!=", base, ir.Constant(POINTER, None))

    def place(self, b: ir.IRBuilder, tape: Tape, trip: ir.Value, places: Places) -> None:
        """Let the buffers of a tape be those in the slot of a trip."""
        offsets, size = tape.layout()
        slot = b.gep(self.bases[tape], [b.mul(trip, ir.Constant(I64, size))], source_etype=I8)
        places.pointers.update({buffer: b.gep(slot, [ir.Constant(I64, place)], source_etype=I8) for buffer, place in offsets.items()})

    def give_back(self, b: ir.IRBuilder, tape: Tape) -> None:
        b.call(external(b, GIVE, ir.VoidType(), [POINTER]), [self.bases.pop(tape)])

    def give_all_back(self, b: ir.IRBuilder) -> None:
        """Give back what is in use, on a way out."""
        for base in self.bases.values():
            b.call(external(b, GIVE, ir.VoidType(), [POINTER]), [base])
