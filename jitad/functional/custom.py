"""Functions with derivative rules of their own, within a trace.

In: a function, its rules, and arguments. Out: its results, recorded as one `custom_call`. A rule is traced when a transformation asks for
it, in the trace that is then current. Invariant: values that function and rules use from outside are constants to the rules; a tangent
that would reach one of them is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jitad.frontend.arrays.array import Array, to_atom
from jitad.frontend.hooks.own_code import DERIVATIVES
from jitad.frontend.tracing.printing import begin_log, continue_log, log_cell
from jitad.frontend.tracing.programs import Leaf, Traced, describe
from jitad.frontend.tracing.trees import TreeDef, flatten, unflatten
from jitad.functional.inner import like, present, trace_printing
from jitad.ir import errors
from jitad.ir.program import Atom
from jitad.ir.recorder import inline
from jitad.ir.symbolic import Zero, is_zero
from jitad.primitives.custom import custom_call, custom_linear, reverse_only, stop_gradient
from jitad.primitives.declare import full


@dataclass(frozen=True)
class Arguments:
    """The arguments of a call: the traced leaves are variable, all others fixed."""

    args: tuple

    @property
    def traced(self) -> list[Array]:
        return [x for x in flatten(self.args)[0] if isinstance(x, Array)]

    def filled(self, values: Sequence) -> tuple:
        """Return the arguments with other values for the traced leaves."""
        values, (leaves, treedef) = iter(values), flatten(self.args)
        return unflatten(treedef, [next(values) if isinstance(x, Array) else x for x in leaves])


def trace_leaves(function: Callable, leaves: Sequence[Leaf]) -> tuple[Traced, bool]:
    """Trace ``function(*arrays)``; return also whether it prints."""
    return trace_printing(function, leaves, flatten((0,) * len(leaves))[1])


def apply(function: Callable, kinds: Sequence[Leaf], atoms: Sequence[Atom], log: Atom | None = None) -> tuple[list[Atom], Atom | None]:
    """Record ``function(*arrays)`` on atoms; return the leaves of its result, and the log, which it may go on with if there is one."""
    def call(*values):
        if log is not None:
            begin_log(log)
        return function(*values)

    traced, prints = trace_leaves(call, kinds)
    if prints and log is None:
        raise errors.NotImplementedError("print in a derivative rule, where what is written has no place; print in the function that it "
                                         "belongs to, or return the values")
    results = inline(traced.program, [*atoms, *traced.free])
    return (results[:-1], results[-1]) if prints else (results, log)


def record(function: Callable, arguments: Arguments, name: str, make_jvp: Callable[[Traced], Callable]):
    """Record the call of a function with the rule ``make_jvp(primal)``."""
    leaves = arguments.traced
    log = log_cell().atom
    primal, prints = trace_leaves(lambda *values: function(*arguments.filled(values)), [describe(x) for x in leaves])
    rule = make_jvp(primal)

    def jvp(inputs, tangents):
        if not all(map(is_zero, tangents[len(leaves) :])):
            raise errors.TypeError(f"{name} has a derivative rule, but uses a differentiated value that is not among its arguments; "
                                   "pass that value as an argument")
        if not prints:
            return rule(list(inputs), list(tangents), None)[:2]
        start = inputs[len(leaves) + primal.free.index(log)] if log in primal.free else log
        outputs, dots, end = rule(list(inputs), list(tangents), start)
        return [*outputs, end], [*dots, Zero(end.type)]

    outputs = custom_call(*map(to_atom, leaves), *primal.free, program=primal.program, jvp=jvp, name=name)
    if prints:
        continue_log(outputs.pop())
    return unflatten(primal.treedef, [present(x, leaf) for x, leaf in zip(outputs, primal.results, strict=True)])


def check_structure(tree, wanted: TreeDef, name: str, what: str) -> None:
    found = flatten(tree)[1]
    if found is not wanted:
        raise errors.TypeError(f"the rule of {name} gives a {what} with the structure {found}; it must be {wanted}")


def pair(result, name: str, what: str) -> tuple:
    if not isinstance(result, tuple) or len(result) != 2:
        raise errors.TypeError(f"the rule of {name} returns a pair {what}, not {type(result).__name__}")
    return result


def call_with_jvp(function: Callable, rule: Callable, name: str, args: tuple):
    """Record ``function(*args)`` with the rule ``rule(primals, tangents) -> (result, tangent)``."""
    arguments = Arguments(args)
    kinds = [describe(x) for x in arguments.traced]
    moving = [k for k, kind in enumerate(kinds) if kind.type.differentiable]

    def make_jvp(primal: Traced) -> Callable:
        def both(*values):
            primals, dots = values[: len(kinds)], list(values[: len(kinds)])
            for k, dot in zip(moving, values[len(kinds) :], strict=True):
                dots[k] = dot
            result = pair(rule(arguments.filled(primals), arguments.filled(dots)), name, "(result, tangent)")
            check_structure(result[0], primal.treedef, name, "result")
            check_structure(result[1], primal.treedef, name, "tangent")
            return result

        def jvp(inputs, tangents, log):
            dots = [full(0, inputs[k].type) if is_zero(tangents[k]) else tangents[k] for k in moving]
            results, log = apply(both, [*kinds, *[kinds[k] for k in moving]], [*inputs[: len(kinds)], *dots], log)
            outputs, moved = results[: len(primal.results)], results[len(primal.results) :]
            return outputs, [dot if x.type.differentiable else Zero(x.type) for x, dot in zip(outputs, moved, strict=True)], log

        return jvp

    return record(function, arguments, name, make_jvp)


def linear_map(forward: Callable, backward: Callable, x: Array, name: str):
    """Record ``forward(x)``, which is linear, and has the transpose ``backward``; no derivative goes through what both read from around."""
    there, _ = trace_leaves(forward, [describe(x)])
    back, _ = trace_leaves(backward, there.results)
    kept = [stop_gradient(atom) if atom.type.differentiable else atom for atom in (*there.free, *back.free)]

    def apply_forward(kept: list[Atom], given: list[Atom]) -> list[Atom]:
        return inline(there.program, [*given, *kept[: len(there.free)]])

    def apply_backward(kept: list[Atom], cotangents: list[Atom]) -> list[Atom]:
        return inline(back.program, [*cotangents, *kept[len(there.free) :]])

    types = tuple(leaf.type for leaf in there.results)
    (result,) = custom_linear(*kept, to_atom(x), backward=apply_backward, residuals=len(kept), types=types, name=name, forward=apply_forward)
    return present(result, there.results[0])


DERIVATIVES["linear"] = linear_map


def call_with_vjp(function: Callable, forward: Callable, backward: Callable, name: str, args: tuple):
    """Record ``function(*args)`` with ``forward(*args) -> (result, residuals)`` and ``backward(residuals, cotangent) -> cotangents``."""
    arguments = Arguments(args)
    kinds = [describe(x) for x in arguments.traced]

    def make_jvp(primal: Traced) -> Callable:
        total = len(primal.results)
        residuals: list = []
        log: list = []

        def first(*values):
            result, kept = pair(forward(*arguments.filled(values)), name, "(result, residuals)")
            check_structure(result, primal.treedef, name, "result")
            residuals[:] = [kept]
            return result, Arguments((kept,)).traced

        def second(*values):
            held = Arguments((residuals[0],))
            count = len(held.traced)
            cotangent = unflatten(primal.treedef, list(values[count:]))
            result = backward(*held.filled(values[:count]), cotangent)
            if not isinstance(result, tuple) or len(result) != len(args):
                raise errors.TypeError(f"the backward rule of {name} returns a tuple of {len(args)} cotangents, one for each argument")
            return [x for arg, ct in zip(args, result, strict=True) for x in cotangents_of(arg, ct, name)]

        def forward_atoms(inputs):
            results, log[0] = apply(first, kinds, inputs[: len(kinds)], log[0])
            return results[:total], results[total:]

        def backward_atoms(held, cotangents):
            held_kinds = [describe(x) for x in Arguments((residuals[0],)).traced]
            results, _ = apply(second, [*held_kinds, *primal.results], [*held, *cotangents])
            return [*results, *[Zero(var.type) for var in primal.free]]

        rule = reverse_only(forward_atoms, backward_atoms, name)

        def jvp(inputs, tangents, start):
            log[:] = [start]
            return *rule(inputs, tangents), log[0]

        return jvp

    return record(function, arguments, name, make_jvp)


def cotangents_of(arg, ct, name: str) -> list:
    """Return a cotangent for each traced leaf of an argument; None stands for zeros."""
    leaves = Arguments((arg,)).traced
    if ct is None:
        return flatten(like(leaves, [full(0, x.type) for x in leaves]))[0]
    check_structure(ct, flatten(arg)[1], name, "cotangent")
    return [x for x, leaf in zip(flatten(ct)[0], flatten(arg)[0], strict=True) if isinstance(leaf, Array)]
