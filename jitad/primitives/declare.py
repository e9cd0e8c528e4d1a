"""The forms that most primitives share: elementwise rows, and linear maps that move elements.

`elementwise` turns one row (name, NumPy function, partial derivatives, scalar code, domain) into a `Primitive`, with the
type, derivative and batching rules that every elementwise operation has in common.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jitad.ir import errors
from jitad.ir.lowering import Pointwise
from jitad.ir.primitive import Primitive
from jitad.ir.program import Atom, Literal, literal
from jitad.ir.registry import REGISTRY
from jitad.ir.symbolic import Linear, Zero, is_zero
from jitad.ir.types import BOOL, ArrayType, broadcast_shapes, real_dtype
from jitad.primitives.gathered import on_table

Interval = tuple[float, float]
REAL_LINE: Interval = (-2.5, 2.5)


def from_scipy(name: str) -> Callable:
    """Return ``scipy.special.<name>``, which is imported when it is called: that takes longer than importing all of jitad."""

    def function(*args):
        from scipy import special

        return getattr(special, name)(*args)

    return function


def elementwise(
    name: str,
    evaluate: Callable,
    *partials: Callable,
    element: str | Callable | None = None,
    cost: float = 1.0,
    kinds: str = "fc",
    result: Callable[[np.dtype], np.dtype] = lambda dtype: dtype,
    domains: tuple[Interval, ...] | None = None,
    arity: int | None = None,
    **slots,
) -> Primitive:
    """Declare an elementwise primitive.

    Parameters
    ----------
    name, evaluate
        The name and the NumPy function. Operands have one dtype, of a kind in `kinds`; they broadcast.
    partials
        One per operand: ``partial(result, *operands)`` records the partial derivative, or gives a Python number, or None
        where it vanishes.
    element
        Scalar code: a name for ``b.call``, or ``element(b, *scalars, **params)``; by default the primitive's name.
    result
        The result's dtype from the operands'.
    domains
        Intervals in which test inputs lie, one per operand.
    """
    arity = arity or len(domains or ()) or len(partials) or 1
    domains = domains or (REAL_LINE,) * arity
    element = element or name
    code = (lambda b, *xs: b.call(element, *xs)) if isinstance(element, str) else element

    def type_rule(*types, **params):
        first, dtype = types[0], result(common_dtype(name, types, kinds))
        shape = first.shape if len(types) == 1 else broadcast_shapes(*[type.shape for type in types])
        return first if dtype is first.dtype and shape is first.shape else ArrayType(dtype, shape)

    primitive = Primitive(name, type_rule, evaluate, lower=Pointwise(code, cost), pointwise=True)
    primitive.dtypes = "".join(char for char in "dfDFl?" if np.dtype(char).kind in kinds)
    primitive.samples = lambda rng, dtype: [([sample(rng, dtype, domain) for domain in domains], {})]
    primitive.batch = lambda size, inputs, axes, **params: batch_elementwise(primitive, inputs, axes, params)
    primitive.jvp = lambda inputs, tangents, **params: chain_rule(primitive, partials, inputs, tangents, params)
    for slot, value in slots.items():
        setattr(primitive, slot, value)
    primitive.simplify = simplify_elementwise(primitive, primitive.simplify)
    return primitive


def simplify_elementwise(primitive: Primitive, own: Callable | None) -> Callable:
    """Return the `simplify` rule of an elementwise operation: its own, or the operation on what its operands were before they were broadcast or
    gathered."""

    def simplify(inputs, **params):
        simpler = own(inputs, **params) if own else None
        if simpler is not None:
            return simpler
        sources = [before_broadcast(x) for x in inputs]
        if all(x is y for x, y in zip(inputs, sources, strict=True)):
            return on_table(primitive, inputs, params)
        result = primitive(*sources, **params)
        return fit(result, result.type.with_shape(broadcast_shapes(*[x.shape for x in inputs])))

    return simplify


def before_broadcast(x: Atom) -> Atom:
    equation = getattr(x, "equation", None)
    return equation.inputs[0] if equation is not None and equation.primitive.name == "broadcast" else x


def common_dtype(name: str, types, kinds: str) -> np.dtype:
    dtype = types[0].dtype
    for type in types:
        if type.dtype is not dtype and type.dtype != dtype:
            raise errors.InternalError(f"{name}: operands of dtypes {', '.join(str(type.dtype) for type in types)}")
    if dtype.kind not in kinds:
        raise errors.TypeError(f"{name} is not defined for {dtype} arrays")
    return dtype


def sample(rng: np.random.Generator, dtype, domain: Interval = REAL_LINE, shape=(2, 3)) -> np.ndarray:
    """Return random values in an interval (for complex dtypes: both parts in it)."""
    dtype = np.dtype(dtype)
    low, high = domain
    if dtype.kind == "b":
        return rng.random(shape) < 0.5
    if dtype.kind in "iu":
        return rng.integers(max(int(low), 0 if dtype.kind == "u" else int(low)), int(high) + 1, shape).astype(dtype)
    values = rng.uniform(low, high, shape)
    if dtype.kind == "c":
        values = values + 1j * rng.uniform(low, high, shape)
    return values.astype(dtype)


def chain_rule(primitive: Primitive, partials, inputs, tangents, params):
    """Forward mode from partial derivatives: the tangent of the result is the sum of partial * tangent."""
    (result,) = outputs = [primitive(*inputs, **params)]
    total = Zero(result.type)
    if not result.type.differentiable:
        return outputs, [total]
    for partial, tangent in zip(partials, tangents, strict=False):
        if not is_zero(tangent):
            total = add_tangents(total, scaled(partial(result, *inputs, **params), tangent))
    return outputs, [fit(total, result.type)]


def scaled(factor, tangent):
    if factor is None:
        return Zero(tangent.type)
    if isinstance(factor, Atom):
        return factor * tangent
    return tangent if factor == 1 else -tangent if factor == -1 else factor * tangent


def add_tangents(x, y):
    """Add two tangents or cotangents, either of which may be `Zero`."""
    return y if is_zero(x) else x if is_zero(y) else x + y


def fit(tangent, type: ArrayType):
    """Broadcast a tangent to the shape of `type`."""
    if is_zero(tangent):
        return Zero(type)
    return tangent if tangent.shape == type.shape else REGISTRY["broadcast"](tangent, shape=type.shape)


def full(value, type: ArrayType) -> Atom:
    """Return an atom of `type` filled with a Python number."""
    atom = literal(value, type.dtype)
    return REGISTRY["broadcast"](atom, shape=type.shape) if type.shape else atom


def uniform(x: Atom):
    """Return the number that every element of `x` is known to equal, or None."""
    while not isinstance(x, Literal):
        equation = x.equation
        if equation is None or equation.primitive.name not in ("broadcast", "reshape"):
            return None
        x = equation.inputs[0]
    return x.value


def in_shape_of(x: Atom, *others: Atom) -> Atom:
    """Return `x` broadcast against `others`."""
    return fit(x, x.type.with_shape(broadcast_shapes(x.shape, *[other.shape for other in others])))


def instantiate(tangent) -> Atom:
    """Return a tangent as an atom, with an array of zeros for `Zero`. Only for rules that cannot do without."""
    return full(0, tangent.type) if is_zero(tangent) else tangent


def conj(x: Atom) -> Atom:
    """Return the complex conjugate; real atoms are their own."""
    return REGISTRY["conj"](x) if x.dtype.kind == "c" else x


def to_front(x: Atom, axis: int) -> Atom:
    """Move `axis` to the front."""
    if axis == 0:
        return x
    return REGISTRY["transpose"](x, axes=(axis, *[k for k in range(x.ndim) if k != axis]))


def batch_elementwise(primitive: Primitive, inputs, axes, params):
    """Batch a broadcasting operation: batch axes go first, and operands are padded to the same rank after it."""
    ndim = max(x.ndim - (axis is not None) for x, axis in zip(inputs, axes, strict=True))
    operands = []
    for x, axis in zip(inputs, axes, strict=True):
        if axis is not None:
            x = to_front(x, axis)
            missing = ndim - (x.ndim - 1)
            if missing:
                x = REGISTRY["reshape"](x, shape=(x.shape[0], *(1,) * missing, *x.shape[1:]))
        operands.append(x)
    return [primitive(*operands, **params)], [0]


def linear(primitive: Primitive) -> Primitive:
    """Give a primitive that is linear in its first operand the derivative rule it needs: itself, applied to the tangent."""

    def jvp(inputs, tangents, **params):
        outputs = [primitive(*inputs, **params)]
        tangent = tangents[0]
        return outputs, [Zero(outputs[0].type) if is_zero(tangent) else primitive(tangent, *inputs[1:], **params)]

    primitive.jvp = jvp
    return primitive


def is_linear(x) -> bool:
    return isinstance(x, Linear)


def to_bool(dtype) -> np.dtype:
    return BOOL


def to_real(dtype) -> np.dtype:
    return real_dtype(dtype)
