"""Complex numbers: taking apart, putting together, conjugation; and conversion between dtypes.

These are linear over the reals. Transpose rules are adjoints for Re<a, b>, as DESIGN.md fixes the gradient's convention.
"""

from __future__ import annotations

import numpy as np

from jitad.ir import errors
from jitad.ir.facts import same
from jitad.ir.intervals import of_operand
from jitad.ir.lowering import Pointwise
from jitad.ir.primitive import Primitive
from jitad.ir.program import Literal, literal
from jitad.ir.registry import REGISTRY
from jitad.ir.symbolic import Zero, is_zero
from jitad.ir.types import ArrayType, broadcast_shapes, complex_dtype
from jitad.primitives.declare import (
    batch_elementwise,
    elementwise,
    full,
    instantiate,
    is_linear,
    linear,
    sample,
    simplify_elementwise,
    to_real,
)


def imaginary(ct):
    """i * ct for a real cotangent."""
    return complex_(full(0, ct.type), ct)


def is_square(equation, known) -> bool:
    """The real part of conj(z) z, or of a sum of such products."""
    product = getattr(equation.inputs[0], "equation", None)
    if product is None or not (product.primitive is REGISTRY["mul"] or product.primitive is REGISTRY["dot"] and is_paired(product)):
        return False
    return any(getattr(x, "equation", None) is not None and x.equation.primitive is conj and same(x.equation.inputs[0], y)
               for x, y in (product.inputs, product.inputs[::-1]))


def is_paired(product) -> bool:
    """Whether a `dot` multiplies each element of one operand with the one at the same place in the other."""
    contract, batch = product.params["contract"], product.params["batch"]
    return contract[0] == contract[1] and batch[0] == batch[1] and len(contract[0]) + len(batch[0]) == product.inputs[0].ndim


real = elementwise("real", np.real, kinds="c", result=to_real, element=lambda b, z: z.real, cost=0, nonnegative=is_square,
                   transpose=lambda cts, inputs: [complex_(cts[0], full(0, cts[0].type))])
imag = elementwise("imag", np.imag, kinds="c", result=to_real, element=lambda b, z: z.imag, cost=0,
                   transpose=lambda cts, inputs: [imaginary(cts[0])])
conj = elementwise("conj", np.conj, kinds="c", element=lambda b, z: b.complex(z.real, -z.imag),
                   transpose=lambda cts, inputs: [conj(cts[0])])
for primitive in (real, imag, conj):
    linear(primitive)


def complex_type(x, y):
    if x.dtype != y.dtype or x.dtype.kind != "f":
        raise errors.InternalError(f"complex: parts of dtypes {x.dtype} and {y.dtype}")
    return ArrayType(complex_dtype(x.dtype), broadcast_shapes(x.shape, y.shape))


def evaluate_complex(x, y):
    z = np.empty(np.broadcast_shapes(x.shape, y.shape), complex_dtype(x.dtype))
    z.real, z.imag = x, y
    return z


def jvp_complex(inputs, tangents):
    result = complex_(*inputs)
    if all(map(is_zero, tangents)):
        return [result], [Zero(result.type)]
    return [result], [complex_(*map(instantiate, tangents))]


def transpose_complex(cotangents, inputs):
    (ct,), (x, y) = cotangents, inputs
    return [real(ct) if is_linear(x) else None, imag(ct) if is_linear(y) else None]


complex_ = elementwise("complex", evaluate_complex, type=complex_type, element=lambda b, x, y: b.complex(x, y), cost=0, kinds="f",
                       arity=2, jvp=jvp_complex, transpose=transpose_complex)

# --- conversion ---------------------------------------------------------------------------------------------------------


def evaluate_convert(x, dtype):
    return (x.real if x.dtype.kind == "c" and dtype.kind != "c" else x).astype(dtype)


def jvp_convert(inputs, tangents, dtype):
    (x,), (tangent,) = inputs, tangents
    result = convert(x, dtype=dtype)
    if is_zero(tangent) or not result.type.differentiable:
        return [result], [Zero(result.type)]
    return [result], [convert(tangent, dtype=dtype)]


def simplify_convert(inputs, dtype):
    (x,) = inputs
    if x.dtype == dtype:
        return x
    return literal(evaluate_convert(x.value, dtype), dtype) if isinstance(x, Literal) else None


convert = Primitive(
    "convert",
    type=lambda x, dtype: x.with_dtype(dtype),
    evaluate=evaluate_convert,
    jvp=jvp_convert,
    transpose=lambda cts, inputs, dtype: [convert(cts[0], dtype=inputs[0].type.dtype)],
    lower=Pointwise(lambda b, x, dtype: b.convert(x, dtype), cost=1),
    samples=lambda rng, dtype: [([sample(rng, dtype)], {"dtype": np.dtype(to)}) for to in "dfDFl?"
                                if not (np.dtype(dtype).kind == "c" and to in "dfl?")],
    nonnegative=lambda equation, known: known(equation.inputs[0]),
    bounds=of_operand,
    pointwise=True,
    dtypes="dfDl?",
)
convert.simplify = simplify_elementwise(convert, simplify_convert)
convert.batch = lambda size, inputs, axes, **params: batch_elementwise(convert, inputs, axes, params)
