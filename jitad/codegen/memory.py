"""Where buffers lie at the current place in a kernel, and what LLVM is told about it.

In: the buffers of a kernel. Out: pointers, and loads and stores that say which memory they cannot touch. Invariant: two buffers are in different
alias scopes only if no byte ever belongs to both: they overlap nowhere in the workspace, and their memory does not change places.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from llvmlite import ir

from jitad.codegen.scalars import I8, I64, memory_type
from jitad.ir.types import real_dtype
from jitad.lower.grammar.loops import Buffer, Counter

MOST_SCOPES = 64


class Places:
    """The pointer to each buffer, the trip numbers that rows are counted by, and the alias metadata of each buffer.

    `fixed` are single elements that always lie where they were planned in the `workspace`, as far as that is known here.
    """

    def __init__(self, pointers: dict[Buffer, ir.Value], trips: dict[Counter, ir.Value], workspace: ir.Value | None = None):
        self.pointers = pointers
        self.trips = trips
        self.workspace = workspace
        self.fixed: set[Buffer] = set()
        self.scopes: dict[Buffer, dict[str, ir.MDValue]] = {}

    def pointer(self, b: ir.IRBuilder, buffer: Buffer) -> ir.Value:
        place = buffer.place
        if place.row is None or place in self.pointers:
            return self.pointers[place]
        number = b.add(self.trips[place.row.counter], ir.Constant(I64, place.row.shift), flags=("nsw",))
        offset = b.mul(number, ir.Constant(I64, place.nbytes), flags=("nsw",))
        return b.gep(self.pointer(b, place.alias), [offset], source_etype=I8)

    def first_row(self, b: ir.IRBuilder, buffer: Buffer, row: ir.Value) -> ir.Value:
        """Return where row 0 of a buffer would lie if `row` is the first that is there."""
        shift = ir.Constant(I64, -buffer.pitch * real_dtype(buffer.type.dtype).itemsize)
        return b.gep(self.pointer(b, buffer), [b.mul(row, shift)], source_etype=I8)

    def separate(self, module: ir.Module, name: str, groups: Sequence[Iterable[Buffer]]) -> None:
        """Tell LLVM that buffers of different groups never share a byte."""
        if not 1 < len(groups) <= MOST_SCOPES:
            return
        domain = module.add_metadata([name])
        scopes = [module.add_metadata([f"{name}.{number}", domain]) for number in range(len(groups))]
        for number, group in enumerate(groups):
            others = [scope for k, scope in enumerate(scopes) if k != number]
            metadata = {"alias.scope": module.add_metadata([scopes[number]]), "noalias": module.add_metadata(others)}
            self.scopes.update(dict.fromkeys(group, metadata))

    def address(self, b: ir.IRBuilder, buffer: Buffer, position: ir.Value) -> ir.Value:
        place = self.pointer(b, buffer)
        return b.gep(place, [position], inbounds=buffer.memory.rows is None, source_etype=memory_type(buffer.type.dtype))

    def load(self, b: ir.IRBuilder, buffer: Buffer, position: ir.Value) -> ir.Value:
        value = b.load(self.address(b, buffer, position), typ=memory_type(buffer.type.dtype))
        self.annotate(value, buffer)
        return value

    def store(self, b: ir.IRBuilder, buffer: Buffer, position: ir.Value, value: ir.Value) -> None:
        self.annotate(b.store(value, self.address(b, buffer, position)), buffer)

    def annotate(self, instruction, buffer: Buffer) -> None:
        for kind, metadata in self.scopes.get(buffer.memory, {}).items():
            instruction.set_metadata(kind, metadata)

    def load_all(self, b: ir.IRBuilder, buffer: Buffer) -> list[ir.Value]:
        """Load the real parts of all elements of a small buffer."""
        return [self.load(b, buffer, ir.Constant(I64, k)) for k in range(parts(buffer))]

    def store_all(self, b: ir.IRBuilder, buffer: Buffer, values: Sequence[ir.Value]) -> None:
        for k, value in enumerate(values):
            self.store(b, buffer, ir.Constant(I64, k), value)


def parts(buffer: Buffer) -> int:
    return buffer.type.size * (2 if buffer.type.dtype.kind == "c" else 1)


def apart(buffers: Iterable[Buffer], exchanged: Iterable[set[Buffer]]) -> list[list[Buffer]]:
    """Group work buffers so that different groups never share a byte."""
    groups: list[list[Buffer]] = []
    end = -1
    for buffer in sorted(buffers, key=lambda b: (b.offset, b.name)):
        if groups and buffer.offset < end:
            groups[-1].append(buffer)
        else:
            groups.append([buffer])
        end = max(end, buffer.offset + buffer.nbytes)
    for together in exchanged:
        joined = [group for group in groups if together & set(group)]
        groups = [group for group in groups if not together & set(group)] + [sum(joined, [])] * bool(joined)
    return groups
