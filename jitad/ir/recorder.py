"""Building Programs.

In: calls of primitives. Out: the equations, in order, of one Program. The tracer and the passes that rewrite Programs
all build through a `Recorder`; `with Recorder() as r:` makes it the current one of this thread. Invariant: operands of
an equation are atoms; Python numbers become Literals of the dtype of the last operand that is an atom.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence

from jitad.ir import errors
from jitad.ir.program import Atom, Equation, Literal, Program, Var, literal
from jitad.ir.source import Source, user_source
from jitad.ir.types import ArrayType


class _Stack(threading.local):
    def __init__(self):
        self.recorders: list[Recorder] = []
        self.guard: Callable | None = None


_stack = _Stack()


def current() -> Recorder:
    """Return the innermost active recorder of this thread."""
    if not _stack.recorders:
        raise errors.InternalError("no recorder is active: primitives record only inside a trace or a pass")
    return _stack.recorders[-1]


@contextlib.contextmanager
def guarding(guard: Callable):
    """Within the block, ``guard(primitive, inputs, params)`` gives the operands of primitives that may fail, such that they do not."""
    around, _stack.guard = _stack.guard, guard
    try:
        yield
    finally:
        _stack.guard = around


class Recorder:
    """A Program under construction; `source` overrides the user's line while a pass rewrites an equation."""

    def __init__(self, source: Source | None = None):
        self.equations: list[Equation] = []
        self.source = source

    def __enter__(self) -> Recorder:
        _stack.recorders.append(self)
        return self

    def __exit__(self, *exc) -> None:
        _stack.recorders.pop()

    def record(self, primitive, inputs: Sequence, params: dict) -> tuple[Var, ...]:
        """Append an equation and return its outputs."""
        for atom in inputs:
            if not isinstance(atom, Atom):
                inputs = as_atoms(inputs)
                break
        if primitive.guard is not None and _stack.guard is not None:
            inputs = _stack.guard(primitive, inputs, params)
        types = primitive.type(*[atom.type for atom in inputs], **params)
        equation = Equation(primitive, inputs, params, types if primitive.multiple else (types,), self.source or user_source())
        self.equations.append(equation)
        return equation.outputs

    def repeat(self, equation: Equation, inputs: Sequence[Atom]) -> tuple[Var, ...]:
        """Append `equation` with other operands of the same types and return its new outputs."""
        copy = Equation(equation.primitive, inputs, equation.params, [var.type for var in equation.outputs], equation.source)
        self.equations.append(copy)
        return copy.outputs


def as_atoms(inputs: Sequence) -> list[Atom]:
    dtype = [atom.dtype for atom in inputs if isinstance(atom, Atom)][-1]
    return [atom if isinstance(atom, Atom) else literal(atom, dtype) for atom in inputs]


class Env(dict):
    """What the Vars of a Program being read stand for in the one being written. Literals stand for themselves."""

    def read(self, atom: Atom):
        return atom if isinstance(atom, Literal) else self[atom]

    def read_all(self, atoms: Sequence[Atom]) -> list:
        return [atom if isinstance(atom, Literal) else self[atom] for atom in atoms]

    def define(self, equation: Equation, outputs: Sequence) -> None:
        """Let the results of an equation stand for `outputs`."""
        self.update(zip(equation.outputs, outputs, strict=True))

    def repeat(self, equation: Equation, recorder: Recorder) -> None:
        """Record an equation with what its operands stand for."""
        self.update(zip(equation.outputs, recorder.repeat(equation, self.read_all(equation.inputs)), strict=True))


def rewrite(program: Program, rule: Callable[[Equation, list[Atom]], Sequence[Atom] | None]) -> Program:
    """Return `program` with each equation replaced by what ``rule(equation, inputs)`` records and returns (None: unchanged).

    The inputs stay the same Vars, but for those that an equation of another Program defines.
    """
    env = Env({var: var if var.equation is None else Var(var.type) for var in program.inputs})
    inputs = list(env.values())
    with Recorder() as recorder:
        for equation in program.equations:
            recorder.source = equation.source
            operands = env.read_all(equation.inputs)
            outputs = rule(equation, operands)
            if outputs is None:
                outputs = recorder.repeat(equation, operands)
            env.update(zip(equation.outputs, outputs, strict=True))
    return Program(inputs, recorder.equations, env.read_all(program.outputs))


def inline(program: Program, inputs: Sequence[Atom]) -> list[Atom]:
    """Record the equations of `program`, applied to `inputs`, in the current recorder and return its outputs."""
    recorder = current()
    env = Env(zip(program.inputs, inputs, strict=True))
    for equation in program.equations:
        env.repeat(equation, recorder)
    return env.read_all(program.outputs)


def build(function: Callable, types: Sequence[ArrayType], source: Source | None = None) -> Program:
    """Record ``function(*atoms)``, which returns a list of atoms, as a Program with inputs of `types`."""
    inputs = [Var(type) for type in types]
    with Recorder(source) as recorder:
        outputs = function(*inputs)
    return Program(inputs, recorder.equations, outputs)
