"""Functions with derivative rules given by the user: `custom_jvp` and `custom_vjp`."""

from __future__ import annotations

from collections.abc import Callable

from jitad.compiled import Compiled
from jitad.frontend.arrays.array import Array, wrap
from jitad.frontend.hooks.calls import rewrite
from jitad.frontend.tracing.captures import active
from jitad.frontend.tracing.trees import flatten, unflatten
from jitad.functional.custom import call_with_jvp, call_with_vjp
from jitad.ir import errors


class WithRule(Compiled):
    """A function with a derivative rule of its own. It may be called anywhere."""

    def __init__(self, function: Callable):
        self.function = function
        super().__init__(self.body_of_call, function)
        self.name = getattr(function, "__name__", repr(function))

    def body_of_call(self, args: tuple, kwargs: dict):
        if kwargs:
            raise errors.TypeError(f"{self.name} has a derivative rule and takes positional arguments only")
        leaves, treedef = flatten(args)
        own = [wrap(x.atom, weak=x.weak is not None, scalar=x.scalar) if isinstance(x, Array) else x for x in leaves]
        return self.record(unflatten(treedef, own))

    def noted(self, name: str):
        """Return an attribute, noting that a change of it makes a new trace."""
        found, captures = getattr(self, name), active.captures
        if captures is not None:
            captures.read("attribute", self, name, found)
        return found

    def record(self, args: tuple):
        raise errors.InternalError("a function with a rule records its call")


class custom_jvp(WithRule):  # noqa: N801
    """Give a function its own forward rule, which serves reverse mode too.

    Parameters
    ----------
    function
        Takes positional arguments. The rule, set by the decorator ``.defjvp``, is called ``rule(primals, tangents)`` with tuples of the
        arguments and their tangents (those of integers and other constants are the arguments themselves), and returns the result and
        its tangent, which must be linear in the tangents.

    Examples
    --------
    >>> import numpy as np, jitad
    >>> @jitad.custom_jvp
    ... def log1pexp(x):
    ...     return np.log(1 + np.exp(x))
    >>> @log1pexp.defjvp
    ... def log1pexp_jvp(primals, tangents):
    ...     (x,), (t,) = primals, tangents
    ...     return log1pexp(x), t / (1 + np.exp(-x))
    >>> float(jitad.grad(log1pexp)(100.0))
    1.0
    """

    rule: Callable | None = None

    def defjvp(self, rule: Callable) -> Callable:
        """Set the rule; see the class."""
        self.rule = rule
        return rule

    def record(self, args: tuple):
        rule = self.noted("rule")
        if rule is None:
            raise errors.TypeError(f"{self.name} is a custom_jvp function without a rule; set it with @{self.name}.defjvp")
        return call_with_jvp(rewrite(self.function), rewrite(rule), self.name, args)


class custom_vjp(WithRule):  # noqa: N801
    """Give a function its own reverse rule. Forward mode through it is an error.

    Parameters
    ----------
    function
        Takes positional arguments. ``.defvjp(forward, backward)`` sets the rule: ``forward(*args)`` returns the result and residuals (any
        containers of arrays), ``backward(residuals, cotangent)`` a tuple of cotangents, one for each argument; None stands for zeros.

    Examples
    --------
    >>> import numpy as np, jitad
    >>> @jitad.custom_vjp
    ... def clipped(x):
    ...     return x * 1.0
    >>> clipped.defvjp(lambda x: (clipped(x), None), lambda _, ct: (np.clip(ct, -1, 1),))
    >>> float(jitad.grad(lambda x: 10 * clipped(x))(2.0))
    1.0
    """

    rules: tuple[Callable, Callable] | None = None

    def defvjp(self, forward: Callable, backward: Callable) -> None:
        """Set the rule; see the class."""
        self.rules = forward, backward

    def record(self, args: tuple):
        rules = self.noted("rules")
        if rules is None:
            raise errors.TypeError(f"{self.name} is a custom_vjp function without a rule; set it with .defvjp(forward, backward)")
        forward, backward = map(rewrite, rules)
        return call_with_vjp(rewrite(self.function), forward, backward, self.name, args)
