"""What Python code does with values that are one of several: each alternative is tried.

In: operations, and operands some of which are `Variant` values. Out: what Python gives, an arm of a branch for each alternative. Invariant:
alternatives that are ruled out are not tried; one with which Python fails raises its exception where it is the value.
"""

from __future__ import annotations

import operator
from collections.abc import Callable

import numpy as np

from jitad.frontend.arrays.array import Array, wrap
from jitad.frontend.control.bodies import State
from jitad.frontend.control.branches import chosen_arm, condition, decided
from jitad.frontend.control.catching import is_users
from jitad.frontend.control.signals import returning
from jitad.frontend.tracing.trace import current_trace
from jitad.frontend.variants import Variant, settled
from jitad.ir import errors
from jitad.ir.program import literal
from jitad.ir.types import INT
from jitad.primitives.elementwise.comparisons import eq


def distributed(function: Callable, *operands, **keywords):
    """Return ``function(*operands)``; for operands that are variants, the choice between its values for their alternatives."""
    operands = list(map(settled, operands))
    keywords = {name: settled(x) for name, x in keywords.items()}
    for key in (*range(len(operands)), *keywords):
        holder = operands if isinstance(key, int) else keywords
        if isinstance(holder[key], Variant):
            variant = holder[key]

            def with_one(value, key=key):
                chosen = [*operands], {**keywords}
                chosen[not isinstance(key, int)][key] = value
                return distributed(function, *chosen[0], **chosen[1])

            return tried(variant, variant.possible(), with_one)
    return function(*operands, **keywords)


def tried(variant: Variant, possible: list[int], function: Callable):
    """Return what a function gives of the alternative that it is."""
    first, *others = possible

    def arm():
        return returning(failing(function, variant.values[first]))

    def rest():
        return returning(tried(variant, others, function))

    if not others:
        return failing(function, variant.values[first])
    return chosen_arm(eq(variant.atom, literal(first, INT)), [rest, arm], State((rest, arm), ())).value


def failing(function: Callable, value):
    """Call a function with an alternative; what Python raises is raised where it is the value."""
    try:
        result = function(value)
        if isinstance(result, np.ndarray) and result.dtype == object:
            raise TypeError(f"an array of {value}, which has no numbers")
        return result
    except Exception as error:
        if is_users(error) or value is None and isinstance(error, TypeError) and not isinstance(error, errors.ControlFlowError):
            current_trace().home.passed.append(error)
        raise


def truth_of(x: Variant):
    """Return what decides about a variant: a boolean, or a traced one."""
    def truth(value):
        holds = decided(value)
        return wrap(condition(value), weak=True) if holds is None else holds

    known = {code: decided(x.values[code]) for code in x.possible()}
    if None not in known.values():
        return x.holds_where(code for code, holds in known.items() if holds)
    result = x.holds_where(code for code, holds in known.items() if holds is not False)
    if sum(holds is not False for holds in known.values()) == 1:  # None, or a number
        (code,) = [code for code, holds in known.items() if holds is not False]
        number = truth(x.values[code])
        return number if result is True else result & number
    return distributed(truth, x)


def elements(x: Variant):
    """Iterate over what is one of several tuples of one length."""
    possible = [x.values[code] for code in x.possible()]
    if not all(isinstance(value, tuple | Array) for value in possible) or len(set(map(len, possible))) != 1:
        x.refuse()
    return iter([distributed(operator.getitem, x, k) for k in range(len(possible[0]))])


def is_(x, y, same: bool = True):
    """``x is y``, or ``x is not y``."""
    x, y = settled(x), settled(y)
    if not isinstance(x, Variant):
        x, y = y, x
    if isinstance(y, Variant):
        x.refuse()
    if not isinstance(x, Variant):
        return (x is y) is same
    return x.holds_where(code for code, value in enumerate(x.values) if (value is y) is same)


def equality(operation: Callable) -> Callable:
    def compare(self, other):
        if not isinstance(other, Variant | Array):
            found = {code: operation(self.values[code], other) for code in self.possible() if not isinstance(self.values[code], Array)}
            if len(found) == len(self.possible()) and all(isinstance(holds, bool) for holds in found.values()):
                return self.holds_where(code for code, holds in found.items() if holds)
        return distributed(operation, self, other)

    return compare


def direct(operation: Callable) -> Callable:
    return lambda self, *operands: distributed(operation, self, *operands)


def reflected(operation: Callable) -> Callable:
    return lambda self, other: distributed(operation, other, self)


BINARY = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "lshift", "rshift", "and_", "or_", "xor"]
for _name in BINARY:
    _method = _name.rstrip("_")
    setattr(Variant, f"__{_method}__", direct(getattr(operator, _name)))
    setattr(Variant, f"__r{_method}__", reflected(getattr(operator, _name)))
for _name in ("lt", "le", "gt", "ge", "neg", "pos", "abs", "invert", "getitem"):
    setattr(Variant, f"__{_name}__", direct(getattr(operator, _name)))
Variant.truth, Variant.__iter__ = truth_of, elements
Variant.__bool__ = lambda self: bool(self.truth())
Variant.__eq__, Variant.__ne__ = equality(operator.eq), equality(operator.ne)


def spread(function: Callable) -> Callable:
    """Return a function of anything that takes variants too."""

    def call(*args, **kwargs):
        if any(isinstance(x, Variant) for x in (*args, *kwargs.values())):
            return distributed(function, *args, **kwargs)
        return function(*args, **kwargs)

    return call
