"""Values that are one of several which have nothing in common: None or a number, one of two strings or functions.

In: such values, and a number that says which it is, known when the compiled function runs. Out: a `Variant`, which `control.trials` lets behave as
the value does. Invariant: what was decided on the way to a place is known there.
"""

from __future__ import annotations

from collections.abc import Iterable

from jitad.frontend.arrays.cells import View, wrap
from jitad.frontend.tracing.trace import current_trace
from jitad.frontend.tracing.trees import treat_as_made
from jitad.ir import errors
from jitad.ir.program import Atom, Literal, Var, literal
from jitad.ir.types import INT
from jitad.primitives.control import cond
from jitad.primitives.elementwise.comparisons import eq


class Variant:
    """One of `values`: that of the number `code`."""

    __slots__ = ("code", "values")
    __array_ufunc__ = None
    indirect = True

    def __init__(self, code, values: tuple):
        self.code = code
        self.values = values
        current_trace().home.variants = True

    @property
    def atom(self) -> Atom:
        return self.code.atom if isinstance(self.code, View) else literal(self.code, INT)

    def possible(self) -> list[int]:
        """Return the numbers that are not ruled out here."""
        atom, found = self.atom, set(range(len(self.values)))
        if isinstance(atom, Literal):
            return [int(atom.value)]
        for test, holds in assumptions():
            found = ruled(test, holds, atom, found)
        return sorted(found)

    def holds_where(self, found: Iterable[int]):
        """Return whether the number is one of some, traced if that is not known."""
        possible, found = self.possible(), set(found)
        yes = [code for code in possible if code in found]
        if not yes or len(yes) == len(possible):
            return bool(yes)
        no = [code for code in possible if code not in found]
        atom, *others = [eq(self.atom, literal(code, INT)) for code in (yes if len(yes) <= len(no) else no)]
        for other in others:
            atom = atom | other
        return wrap(atom if len(yes) <= len(no) else ~atom, weak=True)

    def refuse(self, *args, **kwargs):
        raise errors.ControlFlowError(
            f"a value that is {' or '.join(map(described, self.values))}, as is decided when the compiled function runs, is used for something that "
            "must be known before; use it in each arm of a branch")

    __hash__ = __index__ = __str__ = __repr__ = __format__ = __float__ = __int__ = __complex__ = __array__ = refuse

    def __setitem__(self, key, value):
        self.refuse()


def described(x) -> str:
    if isinstance(x, View):
        return "a number" if x.scalar else "an array"
    return repr(x) if x is None or isinstance(x, str | int | float) else getattr(x, "__name__", f"a {type(x).__name__}")


def taken_apart(x: Variant) -> tuple[tuple, list]:
    return (), [x.code, *x.values]


def put_together(keys: tuple, children: list):
    """Return the value, or if the number is traced one that stands for it."""
    code, *values = children
    if isinstance(code, str):
        return f"one of {', '.join(map(str, values))}"
    return Variant(code, tuple(values)) if isinstance(code, View) else values[int(code)]


treat_as_made(Variant, taken_apart, put_together)


# --- what is known here ----------------------------------------------------------------------------------------------------------


def assumptions() -> Iterable[tuple[Atom, bool]]:
    """Yield the conditions that have been decided on the way to the code being traced."""
    trace = current_trace()
    while trace is not None:
        yield from trace.assumed
        trace = trace.around


def ruled(test: Atom, holds: bool, code: Atom, possible: set[int]) -> set[int]:
    """Return which numbers `code` can be, given whether a condition holds."""
    equation = getattr(test, "equation", None)
    if equation is None or not isinstance(test, Var):
        return possible
    name, inputs = equation.primitive.name, equation.inputs
    if equation.primitive is eq and inputs[0] is code and isinstance(inputs[1], Literal):
        number = int(inputs[1].value)
        return possible & {number} if holds else possible - {number}
    if name == "not":
        return ruled(inputs[0], not holds, code, possible)
    if name == "and" and holds or name == "or" and not holds:
        return ruled(inputs[1], holds, code, ruled(inputs[0], holds, code, possible))
    if equation.primitive is cond:
        return ruled_by_branch(equation, test, holds, code, possible)
    return possible


def ruled_by_branch(equation, test: Var, holds: bool, code: Atom, possible: set[int]) -> set[int]:
    """An arm that gives the condition of the branch itself, as those of `and` and `or` do, has not been taken where the result differs from it."""
    place, (decides, *operands) = equation.outputs.index(test), equation.inputs
    for taken, program in enumerate(equation.params["branches"]):
        given = program.outputs[place]
        known = given.value if isinstance(given, Literal) else None
        if given in program.inputs and operands[program.inputs.index(given)] is decides:
            known = bool(taken)
        if known is not None and bool(known) is not holds:
            possible = ruled(decides, not taken, code, possible)
    return possible


def settled(x):
    """Return a value, of which only one is possible here."""
    if not isinstance(x, Variant):
        return x
    possible = x.possible()
    return x.values[possible[0]] if len(possible) == 1 else x
