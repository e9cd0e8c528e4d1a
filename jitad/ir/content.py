"""What a Program computes, as a digest: equal for Programs whose equations are the same, in this process or another.

In: a Program. Out: its `Content`. The user's lines are numbered in the order in which they first appear, and given apart: they decide what
errors say, not what is computed.
"""

from __future__ import annotations

import hashlib
import marshal
from dataclasses import dataclass

import numpy as np

from jitad.ir.primitive import Primitive
from jitad.ir.program import Program
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
        """Return the digest of a Program: of a list of its types, then of each equation's primitive, operands, parameters, line and results."""
        numbers = {var: k for k, var in enumerate(program.inputs, start=1)}
        number, sources, count = numbers.get, self.sources, len(numbers)
        facts: list[str | int] = [self.type(var.type) for var in program.inputs]
        add = facts.append
        for equation in program.equations:
            add(equation.primitive.name)
            for atom in equation.inputs:
                add(number(atom) or self.scalar(atom.value))
            if equation.params:
                add(self.value(equation.params))
            add(sources.setdefault(equation.source, len(sources)))
            add(len(equation.outputs))
            for var in equation.outputs:
                count += 1
                numbers[var] = count
        facts += [number(atom) or self.scalar(atom.value) for atom in program.outputs]
        return hashlib.sha256(marshal.dumps(facts, MARSHAL)).hexdigest()

    def scalar(self, x: np.generic) -> str:
        """Return the text of a literal, all digits of it."""
        return f"{type(x).__name__}:{x.tobytes().hex()}"

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
        if cls is tuple and PLAIN.issuperset(map(type, x)):
            return repr(x)
        if isinstance(x, tuple | list):
            return f"{cls.__name__}({','.join(map(self.value, x))})"
        if isinstance(x, dict):
            return f"{cls.__name__}({','.join([f'{self.value(k)}={self.value(v)}' for k, v in x.items()])})"
        if isinstance(x, np.generic | np.ndarray):
            return f"{cls.__name__}:{x.dtype.str}{list(x.shape)}{x.tobytes().hex()}"
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


MARSHAL = 2  # the format in which equal lists are equal bytes, whoever else refers to what is in them
PLAIN = frozenset([int, float, complex, bool, str, bytes, slice, type(None), type(...)])
