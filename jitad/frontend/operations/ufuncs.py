"""Calls of ufuncs, by name, by operator and through the methods of ufuncs, as operations on traced arrays.

In: a ufunc and operands, at least one of them traced. Out: traced arrays of the dtype and shape that NumPy would give. A *plan*
says which loop NumPy would choose for operands of some kinds, and is made once for each combination of kinds.
"""

from __future__ import annotations

import builtins
import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jitad.frontend.arrays.cells import KINDS, View, wrap
from jitad.frontend.arrays.indexing import fitted
from jitad.frontend.operations.powers import known_exponent, power_atom, python_power
from jitad.frontend.operations.promotion import PYTHON_DTYPES, as_operand, atom_of, cast, kind_of
from jitad.frontend.operations.rules import ByKind, module_of, rule_of
from jitad.frontend.operations.special import INTEGERS
from jitad.ir import errors
from jitad.ir.program import Atom, literal
from jitad.ir.types import BOOL, broadcast_shapes, check_dtype
from jitad.primitives.elementwise.comparisons import select
from jitad.primitives.structural.shaping import broadcast, shape_text

PREFIXES = {"numpy": "np.", "scipy.special": "scipy.special.", None: ""}
NO_OUT = ("the array given as out= was made outside of the traced function and cannot hold a traced result; use the value that the "
          "function returns")


class Plan(NamedTuple):
    """The loop that NumPy runs: what it computes, from operands and to results of which dtypes."""

    rule: Callable
    inputs: tuple[np.dtype, ...]
    outputs: tuple[np.dtype, ...]


_plans: dict[tuple, Plan] = {}


def plan_of(ufunc: np.ufunc, kinds: tuple) -> Plan:
    return _plans.get((ufunc, kinds)) or _plans.setdefault((ufunc, kinds), resolve(ufunc, kinds))


def resolve(ufunc: np.ufunc, kinds: tuple, **options) -> Plan:
    """Let NumPy choose the loop; the options are those of ``ufunc.resolve_dtypes``."""
    rule = rule_of(ufunc)
    if rule is None:
        raise unknown(ufunc)
    try:
        dtypes = ufunc.resolve_dtypes((*kinds, *[None] * ufunc.nout), **options)
    except builtins.TypeError as error:
        raise errors.TypeError(str(error)) from None
    dtypes = tuple(map(check_dtype, dtypes))
    inputs, outputs = dtypes[:ufunc.nin], dtypes[ufunc.nin:]
    whole = INTEGERS.get(ufunc.__name__) if module_of(ufunc) == "scipy.special" else None
    if whole is not None and inputs[whole].kind == "f":
        raise errors.NotImplementedError(f"jitad knows scipy.special.{ufunc.__name__} for integers as operand {whole} only; pass an int or integers")
    if len(set(inputs)) > 1 and module_of(ufunc) == "scipy.special":
        inputs = (outputs[0],) * len(inputs)  # integers, such as degrees of polynomials, are converted where they are used
    elif len(set(inputs)) > 1 and ufunc is not np.ldexp:
        raise errors.TypeError(f"np.{ufunc.__name__} of {inputs[0]} and {inputs[1]} arrays; convert one of them with astype")
    return Plan(rule.choose(inputs[0].kind) if isinstance(rule, ByKind) else rule, inputs, outputs)


def unknown(ufunc: np.ufunc, method: str = "") -> errors.NotImplementedError:
    return errors.NotImplementedError(
        f"jitad does not know {PREFIXES[module_of(ufunc)]}{ufunc.__name__}{method} of traced arrays; write it with functions that it "
        "knows, or compute it outside of the function and pass the result as an argument")


# --- plain calls ----------------------------------------------------------------------------------------------------


def apply(ufunc: np.ufunc, xs: tuple):
    """Return ``ufunc(*xs)`` for operands as `as_operand` gives them."""
    plan = plan_of(ufunc, tuple([x.kind if isinstance(x, View) else kind_of(x) for x in xs]))
    result = plan.rule(*[atom_of(x, dtype) for x, dtype in zip(xs, plan.inputs)])  # noqa: B905
    if type(result) is tuple:
        return tuple(finished(atom, xs) for atom in result)
    return finished(result, xs)


def finished(atom: Atom, xs: tuple, weak: type | None = None) -> View:
    """Return the result of an operation on `xs` as a traced array."""
    if atom.type.shape:
        return View.array_class(atom).lie_as(xs)
    return View.array_class(atom, weak, True, common_origins(xs))


def common_origins(xs: tuple) -> frozenset | None:
    """Return the arguments from which the operands follow, None if there are others."""
    origins = frozenset()
    for x in xs:
        if isinstance(x, View):
            if x.origins is None:
                return None
            origins |= x.origins
        elif isinstance(x, np.ndarray):
            return None
    return origins


# --- powers -----------------------------------------------------------------------------------------------------------------


def power(ufunc: np.ufunc, xs: tuple) -> View:
    """Return ``xs[0] ** xs[1]``."""
    plan = plan_of(ufunc, tuple(map(kind_of, xs)))
    return finished(power_atom(*xs, plan.inputs[0]), xs)


def scalar_power(ufunc: np.ufunc, xs: tuple) -> View:
    """Return ``xs[0] ** xs[1]`` for scalars of Python, where an int to a negative int is a float."""
    x, y = xs
    cls = type(SAMPLES[class_of(x)] ** SAMPLES[class_of(y)])
    if cls is int:
        exponent = known_exponent(y)
        if exponent is None:
            return finished(python_power(x, y), xs, cls)
        cls = int if exponent >= 0 else float
    return finished(power_atom(x, y, PYTHON_DTYPES[cls]), xs, cls)


# --- operators --------------------------------------------------------------------------------------------------------------

SAMPLES = {bool: True, int: 1, float: 1.0, complex: 1.0 + 0j}
OPERANDS = (np.ndarray, np.generic, list, tuple, int, float, complex)


def unary(ufunc: np.ufunc, function: Callable) -> Callable:
    """Return the method of arrays for an operator, which is `ufunc` for arrays and `function` for scalars of Python."""
    return lambda x: apply(ufunc, (x,)) if x.weak is None else apply_scalars(function, ufunc, (x,))


def binary(ufunc: np.ufunc, function: Callable) -> tuple[Callable, Callable, Callable]:
    """Return the methods for an operator with two operands: direct, reflected, and in place."""
    compute, compute_scalars = (power, scalar_power) if ufunc is np.power else (apply, functools.partial(apply_scalars, function))

    def combine(x, y):
        return (compute_scalars if is_python_scalar(x) and is_python_scalar(y) else compute)(ufunc, (x, y))

    def direct(x, y):
        if isinstance(y, View) or type(y) in KINDS:
            return compute(ufunc, (x, y)) if x.weak is None else combine(x, y)
        return compute(ufunc, (x, as_operand(y))) if isinstance(y, OPERANDS) else NotImplemented

    def reflected(x, y):
        if isinstance(y, View) or type(y) in KINDS:
            return compute(ufunc, (y, x)) if x.weak is None else combine(y, x)
        return compute(ufunc, (as_operand(y), x)) if isinstance(y, OPERANDS) else NotImplemented

    def in_place(x, y):
        return NotImplemented if x.scalar else call(ufunc, x, y, out=(x,))

    return direct, reflected, in_place


def class_of(x) -> type | None:
    return x.weak if isinstance(x, View) else type(x)


def is_python_scalar(x) -> bool:
    return class_of(x) in KINDS


def apply_scalars(function: Callable, ufunc: np.ufunc, xs: tuple):
    """Return ``function(*xs)`` for scalars of Python. Which of its classes the result has, samples tell."""
    classes = [class_of(x) for x in xs]
    sample = function(*[SAMPLES[cls] for cls in classes])
    several = type(sample) is tuple
    samples = sample if several else (sample,)
    counts = type(samples[0]) is not bool  # arithmetic on booleans is done on integers
    plan = plan_of(ufunc, tuple(PYTHON_DTYPES[int if counts and cls is bool else cls] for cls in classes))
    atoms = plan.rule(*[atom_of(x, dtype) for x, dtype in zip(xs, plan.inputs, strict=True)])
    made = [finished(atom, xs, type(one)) for atom, one in zip(atoms if several else (atoms,), samples, strict=True)]
    return tuple(made) if several else made[0]


# --- calls with all their arguments -------------------------------------------------------------------------------------------


def call(ufunc: np.ufunc, *xs, out=None, where=True, dtype=None, signature=None, sig=None, casting="same_kind", order="K", subok=True):
    """Return ``ufunc(*xs, ...)``, with the arguments as NumPy hands them to ``__array_ufunc__``."""
    xs = tuple(map(as_operand, xs))
    signature = signature or sig
    if dtype is None and signature is None:
        result = power(ufunc, xs) if ufunc in (np.power, np.float_power) else apply(ufunc, xs)
    else:
        signature = signature or (*[None] * ufunc.nin, *[np.dtype(dtype)] * ufunc.nout)
        plan = resolve(ufunc, tuple(map(kind_of, xs)), signature=signature, casting=casting)
        result = finished(plan.rule(*[atom_of(x, wanted) for x, wanted in zip(xs, plan.inputs, strict=True)]), xs)
    if out is None and where is True:
        return result
    results = result if ufunc.nout > 1 else (result,)
    stored = tuple(store(ufunc, one, to, where, casting) for one, to in zip(results, out or (None,) * ufunc.nout, strict=True))
    return stored if ufunc.nout > 1 else stored[0]


def store(ufunc: np.ufunc, result: View, out, where, casting: str) -> View:
    """Write a result to `out` (a new array, if None) where the mask is true, and return `out`."""
    if where is not True:
        mask = atom_of(as_operand(where), BOOL)
        shape = broadcast_shapes(mask.shape, result.shape)
        old = literal(0, result.dtype) if out is None else cast(writable(out).atom, result.dtype)
        result = wrap(select(mask, broadcast_atom(result.atom, shape), old))
    if out is None:
        return result
    if not np.can_cast(result.dtype, writable(out).dtype, casting):
        raise errors.TypeError(f"Cannot cast ufunc '{ufunc.__name__}' output from {result.dtype!r} to {out.dtype!r} with casting rule "
                               f"'{casting}'")
    if broadcast_shapes(result.shape, out.shape) != out.shape:
        raise errors.ValueError(f"non-broadcastable output operand with shape {shape_text(out.shape)} doesn't match the broadcast shape "
                                f"{shape_text(broadcast_shapes(result.shape, out.shape))}")
    out.assign(fitted(result, out))
    return out


def broadcast_atom(x: Atom, shape: tuple[int, ...]) -> Atom:
    return x if x.shape == shape else broadcast(x, shape=shape)


def writable(out) -> View:
    if not isinstance(out, View):
        raise errors.ConcreteValueError(NO_OUT)
    return out
