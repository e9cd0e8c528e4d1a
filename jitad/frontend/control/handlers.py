"""`try` statements: handlers of what can only go wrong when the compiled function runs are refused.

In: what the body of a `try` statement recorded, and the names of the exceptions that it handles. Out: nothing. Invariant: a handler that has not
run while the function was traced has nothing to handle when the compiled function runs.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator

from jitad.ir import errors
from jitad.ir.program import Equation, Var, programs_in
from jitad.primitives.checks import raise_unless

PARENTS = {
    "IndexError": {"IndexError", "LookupError", "Exception", "BaseException"},
    "LinAlgError": {"LinAlgError", "ValueError", "Exception", "BaseException"},
}  # fmt: skip
ARITHMETIC = frozenset(["ArithmeticError", "FloatingPointError", "OverflowError", "ZeroDivisionError"])


def handled(node: ast.Try) -> tuple[str, ...]:
    """Return the names of the exceptions that a statement handles."""
    types = [handler.type for handler in node.handlers]
    return tuple("BaseException" if type is None else name for type in types for name in ([""] if type is None else names_in(type)))


def names_in(type: ast.expr) -> Iterator[str]:
    for node in type.elts if isinstance(type, ast.Tuple) else [type]:
        yield node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def check_handlers(equations: Iterable[Equation], names: tuple[str, ...]) -> None:
    """Raise if one of the exceptions in `names` may be due to one of `equations`, when it is too late to handle it."""
    for equation in equations:
        what, parents = too_late(equation)
        found = [name for name in names if name in parents]
        if found:
            raise errors.ControlFlowError(
                f"the handler for {' and '.join(found)} cannot take effect: {what} when the compiled function runs and computes with the traced "
                f"values at {equation.source.short}; test for the condition with if or np.where instead")
        for value in equation.params.values():
            for program in programs_in(value):
                check_handlers(program.equations, names)


def too_late(equation: Equation) -> tuple[str, Collection[str]]:
    """Return what happens in place of handling, and the names of the exceptions that are handled in that case."""
    if equation.primitive is raise_unless:
        parents = [cls.__name__ for cls in errors.class_named(equation.params["error"]).__mro__]
        return f"{parents[0]} is raised", parents
    failure = equation.primitive.fails
    operands = equation.inputs[1:] or equation.inputs  # an index that is known has been checked
    if failure and any(isinstance(x, Var) for x in operands):
        return f"{failure} is raised", PARENTS[failure]
    return "infinity or NaN results", ARITHMETIC if equation.outputs[0].dtype.kind in "fc" else ()
