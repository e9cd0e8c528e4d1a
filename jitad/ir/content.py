"""What a Program computes, as text: equal for Programs whose equations are the same, in this process or another.

In: a Program. Out: its `Content`. The user's lines are numbered in the order in which they first appear, and given apart: they decide what
errors say, not what is computed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from jitad.ir.primitive import Primitive
from jitad.ir.program import Literal, Program
from jitad.ir.source import Source
from jitad.ir.types import ArrayType


@dataclass(frozen=True)
class Content:
    """A digest of a Program, and the lines that it came from. `lasting` is false if the digest means something in this process only."""

    digest: str
    sources: tuple[Source, ...]
    lasting: bool


def content(program: Program, *options) -> Content:
    """Return the content of a Program that is compiled with some options."""
    writer = Writer()
    text = f"{writer.program(program)} {writer.value(options)}"
    return Content(hashlib.sha256(text.encode()).hexdigest(), tuple(writer.sources), not writer.held)


class Writer:
    """Writes Programs. `sources` are the lines met so far; `held` the objects that are known by their identity alone."""

    def __init__(self):
        self.sources: dict[Source, int] = {}
        self.held: list = []
        self.types: dict[ArrayType, str] = {}

    def program(self, program: Program) -> str:
        numbers = {var: str(k) for k, var in enumerate(program.inputs)}

        def operand(atom) -> str:
            return self.value(atom.value) if isinstance(atom, Literal) else numbers[atom]

        lines = [" ".join([self.type(var.type) for var in program.inputs])]
        for equation in program.equations:
            inputs = ",".join([operand(atom) for atom in equation.inputs])
            params = self.value(equation.params) if equation.params else ""
            source = self.sources.setdefault(equation.source, len(self.sources))
            for var in equation.outputs:
                numbers[var] = str(len(numbers))
            lines.append(f"{equation.primitive.name} {inputs} {params} {source} {len(equation.outputs)}")
        return "{" + "\n".join([*lines, ",".join(map(operand, program.outputs))]) + "}"

    def type(self, type: ArrayType) -> str:
        text = self.types.get(type)
        if text is None:
            text = self.types[type] = f"{type.dtype.str}{list(type.shape)}"
        return text

    def value(self, x) -> str:
        """Return the text of a parameter."""
        cls = type(x)
        if cls in PLAIN:
            return repr(x)
        if isinstance(x, np.generic | np.ndarray):
            return f"{cls.__name__}:{x.dtype.str}{list(x.shape)}{x.tobytes().hex()}"
        if isinstance(x, tuple | list):
            return f"{cls.__name__}({','.join(map(self.value, x))})"
        if isinstance(x, dict):
            return f"{cls.__name__}({','.join([f'{self.value(k)}={self.value(v)}' for k, v in x.items()])})"
        if isinstance(x, np.dtype):
            return f"dtype:{x.str}"
        if isinstance(x, ArrayType):
            return self.type(x)
        if isinstance(x, Program):
            return self.program(x)
        if isinstance(x, Primitive):
            return f"primitive:{x.name}"
        self.held.append(x)
        return f"object:{id(x)}"


PLAIN = frozenset([int, float, complex, bool, str, bytes, slice, type(None), type(...)])
