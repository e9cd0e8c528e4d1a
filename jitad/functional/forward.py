"""Forward mode within a trace: tangents, and derivatives as linear functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jitad.frontend.hooks.own_code import DERIVATIVES
from jitad.functional.inner import check_differentiable, tangent_atoms, trace_inner
from jitad.ir import errors
from jitad.ir.program import Atom, Program
from jitad.ir.recorder import Recorder, inline
from jitad.ir.symbolic import Zero
from jitad.primitives.custom import stop_gradient
from jitad.primitives.declare import instantiate
from jitad.transform.jvp import push_forward
from jitad.transform.linearize import LinearMap, residuals


def jvp(function: Callable, primals: tuple, tangents: tuple):
    """Return (result, tangent of the result)."""
    check_pairs(primals, tangents, "jvp")
    check_differentiable(primals, range(len(primals)), "jvp")
    inner = trace_inner(lambda chosen: function(*chosen), tuple(primals))
    dots = tangent_atoms(tuple(tangents), tuple(primals), "a tangent")
    outputs, moved = push_forward(inner.traced.program, inner.operands, [*dots, *[Zero(x.type) for x in inner.free]])
    outputs = inner.results(outputs)
    return inner.restore(outputs), inner.restore_tangents(outputs, moved[: len(outputs)])


DERIVATIVES["jvp"] = jvp


def without_derivatives(function: Callable):
    """Return the result of a function without arguments as a constant: of what it reads from around, no derivative goes through it."""
    inner = trace_inner(lambda _: function(), ())
    return inner.restore(inner.results(inline(inner.traced.program, [stop_gradient(x) if x.type.differentiable else x for x in inner.operands])))


DERIVATIVES["none"] = without_derivatives


def check_pairs(primals, tangents, name: str) -> None:
    if not isinstance(primals, tuple | list) or not isinstance(tangents, tuple | list) or len(primals) != len(tangents):
        raise errors.TypeError(f"{name} takes a tuple of arguments and a tuple of as many tangents: {name}(f, (x, y), (x_dot, y_dot))")


def linear_function(function: Callable, primals: tuple):
    """Return (result, the derivative at `primals` as a function of tangents)."""
    check_differentiable(primals, range(len(primals)), "linearize")
    inner = trace_inner(lambda chosen: function(*chosen), primals)
    outputs, linear = inner.linearized(inner.traced.program)

    def apply(*tangents):
        dots = tangent_atoms(tangents, primals, "a tangent")
        return inner.restore_tangents(outputs, apply_linear(linear, dots))

    return inner.restore(outputs), apply


def apply_linear(linear: LinearMap, dots: Sequence[Atom]) -> list[Atom]:
    program, kept = linear_program(linear)
    return inline(program, [*dots, *kept])


def linear_program(linear: LinearMap) -> tuple[Program, list[Atom]]:
    """Return a linear map as a Program of its inputs and the values it needs, and these values."""
    with Recorder() as tail:
        outputs = list(map(instantiate, linear.outputs))
    kept, again = residuals(linear)
    return Program([*linear.inputs, *kept], [*again, *linear.equations, *tail.equations], outputs), kept
