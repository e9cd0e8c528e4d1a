"""What a `print` of a kernel writes, as text that may be kept in a file.

In: a *line*: JSON of the name of a stream, whether it is flushed, the types of the values, and parts, each a string or the place of a value:
``[number, kind, conversion, format]``. Out: text on the stream, as Python's `print` would have written it.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jitad.ir.types import ArrayType

CONVERSIONS = {"r": repr, "s": str, "": lambda x: x}
KINDS = {
    "array": lambda x: x, "scalar": lambda x: x[()], "python": lambda x: x.item(),
    "list of scalar": list, "list of python": lambda x: x.tolist(),
}  # fmt: skip
PRINTF = "%"  # the conversion by Python's operator for strings, whose right operand is the value


class Place(NamedTuple):
    """Where a value is shown.

    Attributes
    ----------
    number
        Of the value, among those of the line.
    kind
        ``array``, ``scalar`` (NumPy's), ``python`` (a number), or ``list of`` one of these two.
    extents
        The numbers of the values that say how much of a leading axis each is there, for an array with room for more.
    conversion, format
        A key of `CONVERSIONS`, and what follows the colon in a replacement field; or `PRINTF` and what follows it.
    """

    number: int
    kind: str
    extents: tuple[int, ...] = ()
    conversion: str = ""
    format: str = ""

    def text(self, values: Sequence) -> str:
        """Return what is shown."""
        value = values[self.number]
        for axis, number in enumerate(self.extents):
            value = value[(slice(None),) * axis + (slice(int(values[number])),)]
        value = KINDS[self.kind](value)
        if self.conversion == PRINTF:
            return (PRINTF + self.format) % (value,)
        return format(CONVERSIONS[self.conversion](value), self.format)


class Line(NamedTuple):
    """What is written, and where."""

    parts: tuple[str | Place, ...]
    types: tuple[ArrayType, ...]
    stream: str = "stdout"
    flush: bool = False

    def dump(self) -> str:
        """Return the line as text."""
        types = [[type.dtype.str, type.shape] for type in self.types]
        return json.dumps([self.parts, types, self.stream, self.flush])

    def write(self, values: Sequence[np.ndarray]) -> None:
        """Write the line with these values."""
        stream = getattr(sys, self.stream)
        if stream is None:
            return
        stream.write("".join([part if isinstance(part, str) else part.text(values) for part in self.parts]))
        if self.flush:
            stream.flush()


@functools.lru_cache(maxsize=512)
def load(text: str) -> Line:
    """Return the line that `Line.dump` gave as text."""
    parts, types, stream, flush = json.loads(text)
    places = [part if isinstance(part, str) else Place(part[0], part[1], tuple(part[2]), *part[3:]) for part in parts]
    return Line(tuple(places), tuple([ArrayType(np.dtype(dtype), tuple(shape)) for dtype, shape in types]), stream, flush)
