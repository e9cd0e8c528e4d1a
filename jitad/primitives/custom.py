"""Derivatives given by the user, and none: `custom_call`, `custom_linear`, `stop_gradient`.

A function with a rule of its own is one equation, `custom_call`, until it has been differentiated; what is left of it is then
inlined. A rule for reverse mode alone (`reverse_only`) is a forward rule whose tangents are the outputs of a `custom_linear`: a
linear map that is known by its transpose, and maybe by how it is applied (`forward`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jitad.ir import errors
from jitad.ir.interpreter import evaluate
from jitad.ir.passes import PASSES
from jitad.ir.primitive import Primitive
from jitad.ir.program import Atom
from jitad.ir.recorder import build, current, inline
from jitad.ir.symbolic import Zero, is_zero
from jitad.ir.types import ArrayType
from jitad.primitives.declare import elementwise, instantiate, is_linear, sample
from jitad.primitives.elementwise.comparisons import ALL, both
from jitad.primitives.structural.shaping import all_to_front

stop_gradient = elementwise("stop_gradient", lambda x: x, lambda r, x: None, element=lambda b, x: x, cost=0, kinds=ALL,
                            nonnegative=both, expand=lambda inputs: [inputs[0]])


def check_types(name: str, what: str, given: Sequence, wanted: Sequence[ArrayType]) -> None:
    """Check what a user's rule has returned."""
    types = [x.type for x in given]
    if types != list(wanted):
        raise errors.TypeError(f"the derivative rule of {name} returns {what} of types {', '.join(map(str, types)) or 'none'}; "
                               f"they must be {', '.join(map(str, wanted)) or 'none'}")


# --- a function with its own rule -------------------------------------------------------------------------------------------


def jvp_custom_call(inputs, tangents, program, jvp, name):
    """Apply the user's rule."""
    outputs, dots = map(list, jvp(inputs, tangents))
    check_types(name, "outputs", outputs, program.output_types)
    check_types(name, "tangents", dots, program.output_types)
    return outputs, [dot if dot.type.differentiable else Zero(dot.type) for dot in dots]


def batch_custom_call(size, inputs, where, program, jvp, name):
    """Batch the function and its rule alike, so that the rule survives."""
    types = program.input_types

    def batched_jvp(inputs, tangents):
        moving = [k for k, tangent in enumerate(tangents) if not is_zero(tangent)]

        def rule(*atoms):
            dots = [Zero(type) for type in types]
            for k, atom in zip(moving, atoms[len(types):], strict=True):
                dots[k] = atom
            outputs, dots = jvp(list(atoms[:len(types)]), dots)
            return [*outputs, *map(instantiate, dots)]

        both = PASSES["batch"](build(rule, [*types, *[types[k] for k in moving]]), [*where, *[where[k] for k in moving]], size)
        results = inline(both, [*inputs, *[tangents[k] for k in moving]])
        return results[:len(program.outputs)], results[len(program.outputs):]

    outputs = custom_call(*inputs, program=PASSES["batch"](program, where, size), jvp=batched_jvp, name=name)
    return outputs, [0] * len(outputs)


def custom_call_samples(rng, dtype):
    x = sample(rng, dtype)
    program = build(lambda x, y: [x * y, x + y], [ArrayType(x.dtype, x.shape)] * 2)

    def jvp(inputs, tangents):
        (x, y), (tx, ty) = inputs, tangents
        return [x * y, x + y], [tx * y + x * ty, tx + ty]

    return [([x, sample(rng, dtype)], {"program": program, "jvp": jvp, "name": "product_and_sum"})]


custom_call = Primitive(
    "custom_call",
    type=lambda *types, program, jvp, name: program.output_types,
    evaluate=lambda *arrays, program, jvp, name: evaluate(program, *arrays),
    jvp=jvp_custom_call,
    batch=batch_custom_call,
    expand=lambda inputs, program, jvp, name: inline(program, inputs),
    samples=custom_call_samples,
    multiple=True,
)


# --- a linear map known by its transpose ----------------------------------------------------------------------------------


def reverse_only(forward: Callable, backward: Callable, name: str) -> Callable:
    """Return the rule for `custom_call` of a function with a rule for reverse mode.

    ``forward(inputs) -> (outputs, residuals)`` and ``backward(residuals, cotangents) -> cotangents of all inputs``, atoms or `Zero`.
    """

    def jvp(inputs, tangents):
        outputs, residuals = map(list, forward(inputs))
        moving = [k for k, tangent in enumerate(tangents) if not is_zero(tangent)]

        def pull(residuals, cotangents):
            results = list(backward(residuals, cotangents))
            check_types(name, "cotangents", results, [x.type for x in inputs])
            return [results[k] for k in moving]

        types = tuple(x.type for x in outputs)
        operands = [*residuals, *[tangents[k] for k in moving]]
        return outputs, custom_linear(*operands, backward=pull, residuals=len(residuals), types=types, name=name)

    return jvp


def evaluate_custom_linear(*arrays, backward, residuals, types, name, forward=None):
    if forward is None:
        refuse(name=name)
    rule = build(lambda *atoms: forward(list(atoms[:residuals]), list(atoms[residuals:])), [ArrayType(x.dtype, x.shape) for x in arrays])
    return evaluate(rule, *arrays)


def jvp_custom_linear(inputs, tangents, backward, residuals, types, name, forward=None):
    """The map goes for tangents as well; what is kept for it has none."""
    if forward is None:
        refuse(name=name)
    params = {"backward": backward, "residuals": residuals, "types": types, "name": name, "forward": forward}
    outputs = custom_linear(*inputs, **params)
    return outputs, custom_linear(*inputs[:residuals], *map(instantiate, tangents[residuals:]), **params)


def expand_custom_linear(inputs, backward, residuals, types, name, forward=None):
    if forward is None:
        refuse(name=name, source=current().source)
    return forward(list(inputs[:residuals]), list(inputs[residuals:]))


def refuse(*args, name, source=None, **params):
    raise errors.NotImplementedError(
        f"{name} has a custom_vjp rule, which serves reverse mode only; give it a rule for both modes with jitad.custom_jvp",
        *([source] if source else []))


def transpose_custom_linear(cotangents, inputs, backward, residuals, types, name, forward=None):
    results = backward(list(inputs[:residuals]), cotangents)
    linear = inputs[residuals:]
    return [*[None] * residuals, *[ct if is_linear(x) else None for ct, x in zip(results, linear, strict=True)]]


def batch_custom_linear(size, inputs, where, backward, residuals, types, name, forward=None):
    member = [x.type if axis is None else without_axis(x.type, axis) for x, axis in zip(inputs, where, strict=True)]

    def batched(function: Callable, operands: Sequence[ArrayType]) -> Callable:
        def apply(kept: list[Atom], given: list[Atom]) -> list[Atom]:
            program = build(lambda *atoms: list(map(instantiate, function(list(atoms[:residuals]), list(atoms[residuals:])))),
                            [*member[:residuals], *operands])
            return inline(PASSES["batch"](program, [0] * len(program.inputs), size), [*kept, *given])

        return apply

    wider = tuple(type.with_shape((size, *type.shape)) for type in types)
    there = None if forward is None else batched(forward, member[residuals:])
    outputs = custom_linear(*all_to_front(size, inputs, where), backward=batched(backward, types), residuals=residuals, types=wider, name=name,
                            forward=there)
    return outputs, [0] * len(outputs)


def without_axis(type: ArrayType, axis: int) -> ArrayType:
    return type.with_shape((*type.shape[:axis], *type.shape[axis + 1:]))


custom_linear = Primitive(
    "custom_linear",
    type=lambda *operands, backward, residuals, types, name, forward=None: list(types),
    evaluate=evaluate_custom_linear,
    jvp=jvp_custom_linear,
    transpose=transpose_custom_linear,
    batch=batch_custom_linear,
    expand=expand_custom_linear,
    multiple=True,
)
