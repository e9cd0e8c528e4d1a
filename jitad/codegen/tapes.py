"""Tapes: memory whose size is only known when the kernel runs, one slot for each trip of a loop.

In: a `Tape` and a number of trips. Out: calls of CPython's allocator, which needs no GIL. Invariant: a tape is given back on every way out of
the kernel.
"""

from __future__ import annotations

from llvmlite import ir

from jitad.codegen.emission import external
from jitad.codegen.memory import Places
from jitad.codegen.scalars import I8, I64, POINTER
from jitad.lower.loops import Tape

SYMBOLS = {"PyMem_RawMalloc": (POINTER, [I64]), "PyMem_RawFree": (ir.VoidType(), [POINTER])}


def call(b: ir.IRBuilder, name: str, operand: ir.Value) -> ir.Value:
    return b.call(external(b, f"jitad_{name}", *SYMBOLS[name]), [operand])


class Tapes:
    """The tapes that are in use at the current place of a kernel."""

    def __init__(self):
        self.bases: dict[Tape, ir.Value] = {}

    def take(self, b: ir.IRBuilder, tape: Tape, trips: ir.Value) -> ir.Value:
        """Take the memory of a tape and return whether there was enough."""
        trips = b.select(b.icmp_signed("<", trips, ir.Constant(I64, 1)), ir.Constant(I64, 1), trips)
        base = call(b, "PyMem_RawMalloc", b.mul(trips, ir.Constant(I64, tape.layout()[1])))
        self.bases[tape] = base
        return b.icmp_unsigned("!=", base, ir.Constant(POINTER, None))

    def place(self, b: ir.IRBuilder, tape: Tape, trip: ir.Value, places: Places) -> None:
        """Let the buffers of a tape be those in the slot of a trip."""
        offsets, size = tape.layout()
        slot = b.gep(self.bases[tape], [b.mul(trip, ir.Constant(I64, size))], source_etype=I8)
        places.pointers.update({buffer: b.gep(slot, [ir.Constant(I64, place)], source_etype=I8) for buffer, place in offsets.items()})

    def give_back(self, b: ir.IRBuilder, tape: Tape) -> None:
        call(b, "PyMem_RawFree", self.bases.pop(tape))

    def give_all_back(self, b: ir.IRBuilder) -> None:
        """Give back what is in use, on a way out."""
        for base in self.bases.values():
            call(b, "PyMem_RawFree", base)
