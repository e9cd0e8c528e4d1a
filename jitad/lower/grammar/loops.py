"""The grammar of loop IR.

    Loops     = inputs: Buffer*, outputs: Buffer*, steps: Step*
    Step      = Nest | Strips | Parallel | Call | Repeat | Choice
    Nest      = box: int*, reductions: Reduction*, regions: Region*
    Region    = ranges: (low, high)*, statements: Statement*     # perfect loops in row-major order, both ends included
                                                                 # (and limits of theirs that are computed: see `regions.Ranges`)
    Statement = Store(buffer, position, value) | Accumulate(reduction, value) | ScatterStore(buffer, position, value, combine)
    Strips    = rows, block, Nest*, lags                         # nests over the same rows, block by block, or some rows behind one another
    Parallel  = rows, block, (Nest | Strips)*                    # the same where threads share out the blocks
    Call      = routine(buffers)                                 # a library routine
    Repeat    = count, test: Step*, steps: Step*, moves, copies  # a sequential loop: a number of trips, or while a test holds
                                                                 # (loops one after another may share a `Tape`, trips trail in a `Wave`)
    Choice    = index: Buffer, branches: (Step*)*

The regions of a nest are disjoint and cover its box; each has one straight-line body. Values are scalar expressions
(`jitad.lower.grammar.scalars.Expr`), shared wherever they are equal. Invariant: a step reads only inputs and what earlier
steps wrote, or what the same iteration of the same nest computed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from jitad.ir.source import Source
from jitad.ir.types import ArrayType
from jitad.lower.grammar.index import Index
from jitad.lower.grammar.regions import Ranges


@dataclass(eq=False)
class Buffer:
    """A C-contiguous array: an ``input``, an ``output``, ``work`` (in the workspace at byte `offset`), or ``tape`` (in a slot of a tape).

    With `alias` it is another name of that buffer's memory, or if it has a `row` the row of that number in the current trip. With `rows`, a
    pair (all, block), it holds only the rows of one block of `Strips`. With `columns`, a pair (width, height), rows are not contiguous but
    columns are: the elements ``width * i + j`` for one j lie together. With `padding`, a pair (width, pitch), rows of that width begin so many
    elements apart. Positions show none of this. One that is `undefined` starts without values:
    those that are read have been written, whatever others are.
    """

    type: ArrayType
    kind: str
    name: str
    offset: int = 0
    alias: Buffer | None = None
    row: Row | None = None
    rows: tuple[int, int] | None = None
    columns: tuple[int, int] | None = None
    padding: tuple[int, int] | None = None
    undefined: bool = False

    @property
    def memory(self) -> Buffer:
        """The buffer whose memory this is, or lies in."""
        return self if self.alias is None else self.alias.memory

    def located(self, position: Index) -> Index:
        """Return where in memory a position lies."""
        columns, padding = self.place.columns, self.place.padding
        if columns is None and padding is None:
            return position
        width, height = columns or padding
        row = Index(tuple([(term, factor // width) for term, factor in position.terms if factor % width == 0]))
        column = Index(tuple([(term, factor) for term, factor in position.terms if factor % width]))
        if padding is not None:
            first = (position.const + width // 2 if column.terms else position.const) // width
            return (row + first) * padding[1] + column + (position.const - first * width)
        if column.terms:
            return (column + position.const) * height + row
        return row + position.const // width + position.const % width * height

    @property
    def pitch(self) -> int:
        """How far the first row of a block is from where it would lie if all rows were there, per row, in real parts."""
        return 1 if self.columns else self.type.size * (2 if self.type.dtype.kind == "c" else 1) // self.rows[0]

    @property
    def place(self) -> Buffer:
        """The buffer that begins where this does: its memory or a row of that."""
        return self if self.alias is None or self.row is not None else self.alias.place

    @property
    def label(self) -> str:
        """What it is called in print."""
        place = self.place
        return place.name if place.row is None else f"{place.alias.label}[{place.row}]"

    @property
    def nbytes(self) -> int:
        whole = self.type.nbytes
        if self.padding is not None:
            whole = whole // self.padding[0] * self.padding[1]
        return whole if self.rows is None else whole // self.rows[0] * self.rows[1]


@dataclass(frozen=True)
class Row:
    """The number of the row of an array that a trip of a loop works on."""

    counter: Counter
    shift: int

    def __str__(self) -> str:
        return f"{self.counter.name} {'-' if self.shift < 0 else '+'} {abs(self.shift)}" if self.shift else self.counter.name


@dataclass(frozen=True)
class Store:
    """``buffer[position] = value``; a complex buffer is an array of twice as many real elements."""

    buffer: Buffer
    position: Index
    value: Any


@dataclass(frozen=True)
class Accumulate:
    """Combine a value (one part, or two for a complex one) into a reduction."""

    reduction: Reduction
    parts: tuple


@dataclass(frozen=True)
class ScatterStore:
    """``buffer[position] = value``, or ``+=`` if `combine` is ``add``, at a computed position; never reordered."""

    buffer: Buffer
    position: Index
    value: Any
    combine: str


@dataclass(eq=False)
class Reduction:
    """A reduction inside a nest.

    Loops from the `inner`-th on are reduced into a register; the register goes to ``buffer[position]`` when they are done, combined
    with what is there if `partial` (then the buffer is filled with `identity` before the nest, unless another step has `filled` it). A complex
    `identity` has no imaginary part.
    """

    buffer: Buffer
    combine: str
    identity: Any
    inner: int
    partial: bool
    position: Index
    filled: bool = False

    @property
    def width(self) -> int:
        """The number of real parts of an element."""
        return 2 if self.buffer.type.dtype.kind == "c" else 1

    @property
    def is_sum(self) -> bool:
        """Whether terms are added up that are rounded, so that their order matters."""
        return self.combine == "add" and self.buffer.type.dtype.kind in "fc"


@dataclass(frozen=True)
class Region:
    """`found` is what `walk.expressions` has found in it."""

    ranges: Ranges
    statements: tuple
    found: tuple | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self):
        if not isinstance(self.ranges, Ranges):
            object.__setattr__(self, "ranges", Ranges(self.ranges))


@dataclass(eq=False)
class Nest:
    """Loops over the `regions` of `box`, one after another; `order` names their dimensions from the outermost, if not 0, 1, ...

    `jam` are pairs of a dimension and how many iterations of it are run side by side in the loops within. A `plain` nest is one that takes
    so little of the time that its loops need not vectorise.
    One that is `streamed` copies rows to memory that is not read again soon. Rows of memory that is `far` are fetched before they are read.
    `sums` are additions that may be made in another order from trip to trip of the loop around it.
    """

    box: tuple[int, ...]
    reductions: list[Reduction]
    regions: list[Region]
    order: tuple[int, ...] = ()
    jam: tuple[tuple[int, int], ...] = ()
    plain: bool = False
    streamed: bool = False
    far: frozenset[Buffer] = frozenset()
    sums: frozenset = frozenset()

    @property
    def loops(self) -> tuple[int, ...]:
        return self.order or tuple(range(len(self.box)))

    @property
    def trips(self) -> int:
        return math.prod(self.box)


@dataclass(eq=False)
class Strips:
    """Nests whose outermost dimensions run over the same `rows`, one nest after another for each `block` of them.

    With `lags` each is so many rows behind the blocks, which go on until all nests have run; nests may then have fewer rows than others.
    Where there are several threads they run the steps `apart` in place of all that, if there are any.
    """

    rows: int
    block: int
    steps: list[Nest]
    lags: tuple[int, ...] = ()
    apart: list[Step] = field(default_factory=list)


    @property
    def extent(self) -> int:
        """The rows of all blocks together."""
        return max(lag + nest.box[nest.loops[0]] for lag, nest in zip(self.lags, self.steps, strict=True)) if self.lags else self.rows


@dataclass(eq=False)
class Parallel:
    """Nests, or strips of them, one dimension of which runs over the same `rows`, which threads share out in pieces of a `block` each.

    `cut` is that dimension; it is the first one of strips.

    No piece writes what another one reads or writes. Buffers that are row `piece` of others, and what is in them, are the piece's own.
    """

    rows: int
    block: int
    piece: Counter
    steps: list[Nest | Strips]
    cut: int = 0

    @property
    def pieces(self) -> int:
        return -(-self.rows // self.block)


@dataclass(frozen=True)
class Check:
    """An index check: what is raised when it fails, and where in the user's code.

    Other checks have a `text` and an `error` of their own: the name of a class of exceptions, and its message, or for one that is not jitad's
    its arguments.
    """

    number: int
    extent: int
    axis: int
    source: Source
    text: str = ""
    error: str = "IndexError"

    @property
    def message(self) -> str:
        return self.text or f"index out of bounds for axis {self.axis} with size {self.extent}"


@dataclass(eq=False)
class Call:
    """A library routine on whole buffers, which it reads and writes as arrays of the given types, whatever shapes they have elsewhere.

    If `shared`, threads may share out the matrices of a stack.
    """

    routine: str
    outputs: list[Buffer]
    inputs: list[Buffer]
    output_types: list[ArrayType]
    input_types: list[ArrayType]
    params: dict
    source: Source
    number: int = 0
    shared: bool = False


@dataclass(eq=False)
class Counter:
    """The number of the current trip of a `Repeat`, between 0 and `length` - 1; `length` is at least the number of trips.

    Where the number of trips is affine in counters of enclosing loops, `last` is that of the last trip: pairs of a counter and its
    coefficient, and a constant.
    """

    name: str
    length: int
    last: tuple[list[tuple[Counter, int]], int] | None = None


@dataclass(eq=False)
class Tape:
    """Memory of one slot for each trip of the loops that share it, taken before the first of them and given back after the `last`.

    `slots` are the buffers in a slot; in a trip they are those of its number.
    """

    source: Source
    number: int
    slots: list[Buffer] = field(default_factory=list)
    last: Repeat | None = None

    def layout(self) -> tuple[dict[Buffer, int], int]:
        """Return the places of the buffers in a slot, those of large elements first, and the bytes of a slot."""
        places, end, align = {}, 0, [buffer.type.dtype.alignment for buffer in self.slots]
        for buffer in sorted(self.slots, key=lambda buffer: -buffer.type.dtype.alignment):
            places[buffer] = end
            end += buffer.nbytes
        return places, -(-end // max(align)) * max(align)


@dataclass(frozen=True)
class Wave:
    """Trips run `depth` at a time, block by block of rows, each trip `lag` rows behind the one before.

    With `ahead`, the grid is one that goes round, as a torus does: each of them begins so many rows before the next one does, the last one at
    the first row, and those before the first row are the last ones. What small memory is `kept` is for each block what it was before the first
    of the trips.
    """

    depth: int
    lag: int
    ahead: int = 0
    kept: tuple[Buffer, ...] = ()


@dataclass(eq=False)
class Repeat:
    """Steps run one trip after another.

    Attributes
    ----------
    steps
        One trip.
    carries
        The buffers of the carried values, which last from trip to trip.
    moves
        After each trip, the memory that each of these buffers names: that of another, all at once. A permutation; while memory is
        shared out, the value that each carried buffer takes on.
    copies
        After each trip, the small buffers to which the values of others are copied, all at once.
    fresh
        Those of `carries` that start without a value.
    counter, reverse
        It runs up from 0, or down to 0.
    count
        The number of trips, or the most if there is a test: ``counter.length`` or what is only known when the kernel runs.
    test, goes_on
        Steps run before each trip, and the buffer of the boolean they compute.
    trips
        Where the number of trips is stored at the end.
    tape
        Where its trips record, or find what those of earlier loops recorded.
    wave
        How trips trail one another, if they do: then `Strips` with lags are the last step, and those before are run again for each block.
        Where there are several threads that run the strips `apart`, trips do not trail.
    """

    steps: list[Step]
    carries: list[Buffer]
    moves: dict[Buffer, Buffer]
    counter: Counter
    count: int | Buffer | Counter
    reverse: bool = False
    test: list[Step] = field(default_factory=list)
    goes_on: Buffer | None = None
    copies: dict[Buffer, Buffer] = field(default_factory=dict)
    fresh: list[Buffer] = field(default_factory=list)
    trips: Buffer | None = None
    tape: Tape | None = None
    wave: Wave | None = None


@dataclass(eq=False)
class Choice:
    """One of several lists of steps, by the value of an integer (out of range: the nearest) or a boolean."""

    index: Buffer
    branches: list[list[Step]]


Step = Nest | Strips | Parallel | Call | Repeat | Choice


@dataclass(eq=False)
class Loops:
    """A kernel: `inputs` and `outputs` in the order of the Program's, `work_bytes` of workspace, `checks` by number (from 1)."""

    inputs: list[Buffer]
    outputs: list[Buffer]
    steps: list[Step]
    work_bytes: int = 0
    checks: list[Check] = field(default_factory=list)
