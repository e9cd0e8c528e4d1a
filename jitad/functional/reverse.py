"""Reverse mode within a trace: gradients and pullbacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from jitad.frontend.hooks.own_code import DERIVATIVES
from jitad.functional.inner import (
    Inner,
    Parts,
    check_differentiable,
    check_scalar,
    like,
    positions,
    split_aux,
    tangent_atoms,
    trace_inner,
    with_arguments,
)
from jitad.ir import errors
from jitad.ir.program import Program
from jitad.ir.symbolic import Zero
from jitad.primitives.declare import full, instantiate
from jitad.transform.budget import fit
from jitad.transform.transpose import pull_back


class Budget(NamedTuple):
    """The memory that a derivative may take.

    ``taken(program, active)`` gives the bytes that it takes for a Program, ``filled(program, active)`` those that its loops fill, in less time.
    """

    limit: int
    taken: Callable[[Program, Sequence[bool]], int]
    filled: Callable[[Program, Sequence[bool]], int]

    def keep(self, program: Program, active: Sequence[bool]) -> Program:
        """Return `program` in a form whose derivative keeps within the budget."""
        return fit(program, self.limit, lambda candidate: self.taken(candidate, active), lambda candidate: self.filled(candidate, active))


def within(budget: Budget | None, inner: Inner) -> Program:
    return inner.traced.program if budget is None else budget.keep(inner.traced.program, inner.active)


def value_and_grad(function: Callable, argnums, has_aux: bool, name: str, args: tuple, kwargs: dict, budget: Budget | None = None):
    """Return (value, gradient), or ((value, aux), gradient)."""
    if not args:
        raise errors.TypeError(f"{name} was called without positional arguments: there is nothing to differentiate with respect to")
    numbers = positions(argnums, args, name)
    chosen = tuple(args[number] for number in numbers)
    check_differentiable(chosen, numbers, name)
    call, structures = split_aux(with_arguments(function, args, kwargs, numbers), has_aux, name, function)
    inner = trace_inner(call, chosen)
    parts = Parts(inner, structures)
    check_scalar(parts.value, name, function)
    outputs, linear = inner.linearized(within(budget, inner))
    seeds = [full(1, outputs[0].type), *[Zero(atom.type) for atom in outputs[1:]]]
    cotangents = list(map(instantiate, pull_back(linear, seeds)))
    gradient = like(chosen, cotangents)
    value = parts.value.restore(outputs[:1])
    gradient = gradient[0] if isinstance(argnums, int) else gradient
    return ((value, parts.aux(outputs)) if has_aux else value), gradient


def gradient(function: Callable, x):
    """Return the gradient of a function of one argument."""
    return value_and_grad(function, 0, False, "grad", (x,), {})[1]


DERIVATIVES["gradient"] = gradient
DERIVATIVES["pullback"] = lambda function, x, cotangent: vjp(function, (x,))[1](cotangent)[0]


def vjp(function: Callable, primals: tuple, has_aux: bool = False, budget: Budget | None = None):
    """Return (result, pullback), or (result, pullback, aux)."""
    check_differentiable(primals, range(len(primals)), "vjp")
    call, structures = split_aux(lambda chosen: function(*chosen), has_aux, "vjp", function)
    inner = trace_inner(call, primals)
    parts = Parts(inner, structures)
    outputs, linear = inner.linearized(within(budget, inner))
    result = parts.value.restore(outputs[: parts.main])

    def pullback(cotangents):
        seeds = tangent_atoms(cotangents, result, "the cotangent")
        seeds += [Zero(atom.type) for atom in outputs[parts.main :]]
        return like(primals, list(map(instantiate, pull_back(linear, seeds))))

    return (result, pullback, parts.aux(outputs)) if has_aux else (result, pullback)
