"""Operators of the user's own classes.

In: operands. Out: the result of ``__add__`` and its like, in their rewritten form if they are Python functions of the user's.
Operands whose classes have no such methods, numbers and arrays above all, meet Python's operator at once.
"""

from __future__ import annotations

import operator
import types
from collections.abc import Callable

import numpy as np

from jitad.frontend.arrays.cells import is_traced, wrap
from jitad.frontend.control.catching import attempts, catches
from jitad.frontend.control.raising import raise_where
from jitad.frontend.operations.promotion import PYTHON_DTYPES, contains_traced
from jitad.frontend.tracing.captures import Captures, active
from jitad.frontend.tracing.printing import printf
from jitad.ir.libraries import is_library
from jitad.primitives.declare import full
from jitad.primitives.elementwise.comparisons import eq

BINARY = {
    "add": "add", "sub": "sub", "mul": "mul", "truediv": "truediv", "floordiv": "floordiv", "mod": "mod", "pow": "pow",
    "matmul": "matmul", "lshift": "lshift", "rshift": "rshift", "or_": "or", "xor": "xor", "and_": "and",
}  # fmt: skip
DIVIDING = frozenset(["truediv", "floordiv", "mod"])
SPARSE = ("scipy.sparse", "jitad.frontend.scipy_api.sparse")  # modules of matrices
UNARY = ("neg", "pos", "invert")
METHODS = frozenset([
    *[f"__{prefix}{name}__" for name in BINARY.values() for prefix in ("", "r", "i")], *[f"__{name}__" for name in UNARY]])


class _Ordinary(dict):
    """Whether a class has none of the user's operators, nor of those of SciPy that jitad replaces."""

    def __missing__(self, cls: type) -> bool:
        self[cls] = found = not (cls.__module__.startswith(SPARSE) or any(is_users(class_attribute(cls, name)) for name in METHODS))
        return found


ordinary = _Ordinary()


def is_users(function) -> bool:
    """Return whether something is a Python function of the user's."""
    return isinstance(function, types.FunctionType) and not is_library(function.__code__.co_filename)


def class_attribute(cls: type, name: str):
    """Return what a class itself has under a name, None if nothing."""
    for base in cls.__mro__:
        if name in base.__dict__:
            return base.__dict__[name]
    return None


class Operators:
    """The operators, as methods; a `Stage` has them. ``self.resolve(captures, f)`` gives what is called in the place of a function."""

    __slots__ = ()
    resolve: Callable

    def apply(self, captures: Captures, operation: Callable, operands: tuple, attempts: list[tuple[str, tuple]]):
        """Return the first result that a method gives; `attempts` are their names and their operands, `self` first."""
        for name, arguments in attempts:
            method = class_attribute(type(arguments[0]), name)
            result = NotImplemented if method is None else self.resolve(captures, method)(*arguments)
            if result is not NotImplemented:
                return result
        return operation(*operands)


def unary_method(operation: Callable, name: str) -> Callable:
    def method(self, operand):
        captures = active.captures
        if captures is None or ordinary[type(operand)]:
            return operation(operand)
        return self.apply(captures, operation, (operand,), [(name, (operand,))])

    return method


def binary_method(operation: Callable, name: str, in_place: bool) -> Callable:
    changing, direct, reflected = f"__i{name}__", f"__{name}__", f"__r{name}__"

    divides = name in DIVIDING

    def method(self, left, right):
        captures = active.captures
        if captures is None or (ordinary[type(left)] and ordinary[type(right)]):
            if divides and attempts() and check_divisor(left, right):
                result = operation(left, scalar_where(right == 0, 1, right))
                return scalar_where(right == 0, left, result) if in_place else result
            return operation(left, right)
        ways = [(direct, (left, right))]
        if type(left) is not type(right):
            ways.insert(0 if overrides(type(right), type(left), reflected) else 1, (reflected, (right, left)))
        if in_place:
            ways.insert(0, (changing, (left, right)))
        return self.apply(captures, operation, (left, right), ways)

    return method


def check_divisor(left, right) -> bool:
    """Within a `try` statement that handles it, Python's numbers are not divided by zero; return whether these might be."""
    if not is_traced(right) or not all(x.weak if is_traced(x) else type(x) in PYTHON_DTYPES for x in (left, right)):
        return False
    if not catches(ZeroDivisionError):
        return False
    raise_where(eq(right.atom, full(0, right.atom.type)), ZeroDivisionError("division by zero"))
    return True


def scalar_where(condition, x, y):
    """Return one of two of Python's numbers."""
    return wrap(np.where(condition, x, y).atom, weak=True)


def overrides(cls: type, base: type, name: str) -> bool:
    return issubclass(cls, base) and class_attribute(cls, name) is not class_attribute(base, name)


for _name, _method in BINARY.items():
    setattr(Operators, _name, binary_method(getattr(operator, _name), _method, in_place=False))
    _in_place = f"i{_method}"
    setattr(Operators, _in_place, binary_method(getattr(operator, _in_place), _method, in_place=True))


def modulo(self, left, right):
    """The operator ``%``, which formats strings too."""
    return printf(left, right) if isinstance(left, str) and contains_traced(right) else ordinary_modulo(self, left, right)


ordinary_modulo, Operators.mod = Operators.mod, modulo
for _name in UNARY:
    setattr(Operators, _name, unary_method(getattr(operator, _name), f"__{_name}__"))
