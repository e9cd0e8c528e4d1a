"""The grammar of the IR.

    Program  = inputs: Var*, equations: Equation*, outputs: Atom*
    Equation = outputs: Var+ = Primitive[params] inputs: Atom*       # source
    Atom     = Var | Literal
    Literal  = a NumPy scalar

A Program is pure, in SSA form (each Var is defined once, before its uses) and typed; `verifier.verify` checks that.
Atoms have Python's operators, so that derivative rules read like the formulas they implement. As text, a Program looks like a jaxpr:

    { a:f64[3] b:f64[] ->
      c:f64[3] = mul a b                      # model.py:12
      d:f64[] = reduce_sum[axes=(0,)] c       # model.py:13
      return d }
"""

from __future__ import annotations

import itertools
import string
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from jitad.ir import errors
from jitad.ir.registry import REGISTRY
from jitad.ir.source import Source
from jitad.ir.types import ArrayType, short_dtype


class Atom:
    """An operand. Operators record the elementwise primitive of that name in the current recorder."""

    __slots__ = ("type",)
    __array_priority__ = 1000
    __array_ufunc__ = None
    type: ArrayType

    @property
    def shape(self) -> tuple[int, ...]:
        return self.type.shape

    @property
    def dtype(self) -> np.dtype:
        return self.type.dtype

    @property
    def ndim(self) -> int:
        return self.type.ndim

    def __add__(self, other):
        return REGISTRY["add"](self, other)

    def __radd__(self, other):
        return REGISTRY["add"](other, self)

    def __sub__(self, other):
        return REGISTRY["sub"](self, other)

    def __rsub__(self, other):
        return REGISTRY["sub"](other, self)

    def __mul__(self, other):
        return REGISTRY["mul"](self, other)

    def __rmul__(self, other):
        return REGISTRY["mul"](other, self)

    def __truediv__(self, other):
        return REGISTRY["div"](self, other)

    def __rtruediv__(self, other):
        return REGISTRY["div"](other, self)

    def __and__(self, other):
        return REGISTRY["and"](self, other)

    def __rand__(self, other):
        return REGISTRY["and"](other, self)

    def __or__(self, other):
        return REGISTRY["or"](self, other)

    def __ror__(self, other):
        return REGISTRY["or"](other, self)

    def __lt__(self, other):
        return REGISTRY["lt"](self, other)

    def __le__(self, other):
        return REGISTRY["le"](self, other)

    def __gt__(self, other):
        return REGISTRY["gt"](self, other)

    def __ge__(self, other):
        return REGISTRY["ge"](self, other)

    def __neg__(self):
        return REGISTRY["neg"](self)

    def __invert__(self):
        return REGISTRY["not"](self)

    def __bool__(self) -> bool:
        raise errors.InternalError("an atom of the IR has no truth value while it is being transformed")


class Var(Atom):
    """A value with a type; `equation` is the Equation that defines it, None for an input of its Program."""

    __slots__ = ("equation",)

    def __init__(self, type: ArrayType, equation: Equation | None = None):
        self.type = type
        self.equation = equation

    def __repr__(self) -> str:
        return f"Var({self.type})"


class Literal(Atom):
    """A scalar known when the Program is built."""

    __slots__ = ("value",)

    def __init__(self, value: np.generic):
        self.value = value
        self.type = ArrayType(value.dtype)

    def __repr__(self) -> str:
        return f"Literal({self.value!r})"


class Equation:
    """One application of a primitive; `source` is the user's line it came from."""

    __slots__ = ("primitive", "inputs", "params", "outputs", "source")

    def __init__(self, primitive, inputs: Sequence[Atom], params: dict[str, Any], types: Sequence[ArrayType], source: Source):
        self.primitive = primitive
        self.inputs = tuple(inputs)
        self.params = params
        self.outputs = tuple([Var(type, self) for type in types])
        self.source = source

    def __repr__(self) -> str:
        return print_equation(self)


class Program:
    """A function of the IR: `inputs`, `equations`, `outputs`."""

    __slots__ = ("inputs", "equations", "outputs")

    def __init__(self, inputs: Sequence[Var], equations: Sequence[Equation], outputs: Sequence[Atom]):
        self.inputs = tuple(inputs)
        self.equations = tuple(equations)
        self.outputs = tuple(outputs)

    @property
    def input_types(self) -> list[ArrayType]:
        return [atom.type for atom in self.inputs]

    @property
    def output_types(self) -> list[ArrayType]:
        return [atom.type for atom in self.outputs]

    def free_vars(self) -> list[Var]:
        """Return the Vars that are used here and defined outside, in order of first use."""
        known = set(self.inputs)
        free: dict[Var, None] = {}
        for equation in self.equations:
            for atom in equation.inputs:
                if isinstance(atom, Var) and atom not in known:
                    free[atom] = None
            known.update(equation.outputs)
        for atom in self.outputs:
            if isinstance(atom, Var) and atom not in known:
                free[atom] = None
        return list(free)

    def __repr__(self) -> str:
        return print_program(self)


def count(equations: Iterable[Equation], kind: Callable[[Equation], bool] = lambda equation: True) -> int:
    """Return how many equations of a kind there are, those of the Programs in their parameters included."""
    return sum(kind(equation) + sum(count(body.equations, kind) for body in bodies(equation.params)) for equation in equations)


def bodies(params: dict[str, Any]) -> list[Program]:
    """Return the Programs in parameters."""
    return [body for value in params.values() for body in ([value] if isinstance(value, Program) else value if holds_programs(value) else ())]


def with_bodies(params: dict[str, Any], change: Callable[[Program], Program]) -> dict[str, Any]:
    """Return parameters with each Program in them changed, in the order of `bodies`."""
    return {name: change(value) if isinstance(value, Program) else tuple(map(change, value)) if holds_programs(value) else value
            for name, value in params.items()}


def holds_programs(value) -> bool:
    return isinstance(value, tuple) and bool(value) and isinstance(value[0], Program)


def literal(value, dtype) -> Literal:
    """Return `value` as a Literal of `dtype`."""
    return Literal(np.asarray(value, dtype=dtype)[()])


# --- as text ------------------------------------------------------------------------------------------------------------------------


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
