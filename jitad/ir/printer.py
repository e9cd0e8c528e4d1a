"""The text form of a Program, in the style of a jaxpr:

    { a:f64[3] b:f64[] ->
      c:f64[3] = mul a b                      # model.py:12
      d:f64[] = reduce_sum[axes=(0,)] c       # model.py:13
      return d }
"""

from __future__ import annotations

import itertools
import string

import numpy as np

from jitad.ir.program import Atom, Equation, Literal, Program
from jitad.ir.types import short_dtype


def names():
    """Yield a, b, ..., z, aa, ab, ..."""
    for length in itertools.count(1):
        for letters in itertools.product(string.ascii_lowercase, repeat=length):
            yield "".join(letters)


class Namer(dict):
    """The name of each Var, given out in order of appearance."""

    def __init__(self):
        self.fresh = names()

    def __missing__(self, var) -> str:
        self[var] = name = next(self.fresh)
        return name

    def use(self, atom: Atom) -> str:
        if isinstance(atom, Literal):
            value = atom.value.item()
            text = repr(value) if isinstance(value, bool | int) else np.format_float_positional(value, trim="0") if (
                isinstance(value, float) and 1e-4 <= abs(value) < 1e6) else repr(value)
            return text if atom.dtype in (np.float64, np.int64, np.bool_) else f"{text}:{short_dtype(atom.dtype)}"
        return self[atom]

    def define(self, var) -> str:
        return f"{self[var]}:{var.type}"


def print_param(value, indent: str) -> str:
    if isinstance(value, Program):
        return "\n" + print_program(value, indent + "    ")
    if isinstance(value, np.dtype):
        return short_dtype(value)
    if callable(value):
        return getattr(value, "__name__", type(value).__name__)
    return str(value).replace(" ", "")


def print_equation(equation: Equation, namer: Namer | None = None, indent: str = "") -> str:
    namer = namer or Namer()
    uses = " ".join(map(namer.use, equation.inputs))
    defines = " ".join(map(namer.define, equation.outputs))
    shown = " ".join(f"{key}={print_param(value, indent)}" for key, value in equation.params.items())
    return f"{defines} = {equation.primitive.name}{f'[{shown}]' if shown else ''} {uses}".rstrip()


def print_program(program: Program, indent: str = "") -> str:
    namer = Namer()
    head = " ".join(map(namer.define, program.inputs))
    lines = [(print_equation(equation, namer, indent), equation.source.short) for equation in program.equations]
    width = min(max((len(text) for text, _ in lines if "\n" not in text), default=0), 72)
    body = [f"{indent}  {text:<{width}}  # {source}" for text, source in lines]
    tail = f"{indent}  return {', '.join(map(namer.use, program.outputs))} }}"
    return "\n".join([f"{indent}{{ {head} ->", *body, tail])
