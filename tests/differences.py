"""Programs from functions on atoms, and their derivatives held against differences: helpers of the tests of the IR."""

import numpy as np
import pytest

from jitad.ir.interpreter import evaluate
from jitad.ir.recorder import build
from jitad.ir.types import ArrayType
from jitad.ir.verifier import verify
from jitad.primitives.reductions import reduce_sum
from jitad.transform.jvp import jvp
from jitad.transform.vjp import gradient, pullback


def program_of(function, inputs):
    """Record `function` on atoms of the types of `inputs`."""

    def listed(*atoms):
        result = function(*atoms)
        return result if isinstance(result, list) else [result]

    return verify(build(listed, [ArrayType(x.dtype, x.shape) for x in inputs]))


def moves(x) -> bool:
    return x.dtype.kind in "fc"


def direction(rng, x, hermitian=False):
    """Return random values of the type of `x`."""
    v = rng.standard_normal(x.shape) + (1j * rng.standard_normal(x.shape) if x.dtype.kind == "c" else 0)
    return ((v + np.conj(np.swapaxes(v, -1, -2))) / 2 if hermitian else v).astype(x.dtype)


def inner(xs, ys) -> float:
    return sum(np.vdot(x, y).real for x, y in zip(xs, ys, strict=True) if moves(x))


def check_derivatives(program, inputs, hermitian=False, active=None):
    """Hold forward mode against extrapolated central differences, and reverse mode against forward mode."""
    rng = np.random.default_rng(1)
    active = active or [moves(x) for x in inputs]
    vs = [direction(rng, x, hermitian) for x, moving in zip(inputs, active, strict=True) if moving]
    outputs = evaluate(program, *inputs)
    results = evaluate(verify(jvp(program, active)), *inputs, *vs)
    primals, dots = results[:len(outputs)], results[len(outputs):]

    def at(step):
        remaining = iter(vs)
        return evaluate(program, *[x + step * next(remaining) if moving else x for x, moving in zip(inputs, active, strict=True)])

    def slope(k, step):
        return (at(step)[k] - at(-step)[k]) / (2 * step)

    for k, output in enumerate(outputs):
        np.testing.assert_allclose(primals[k], output, rtol=1e-12)
        if output.dtype.char in "dD":
            np.testing.assert_allclose(dots[k], (4 * slope(k, 1e-4) - slope(k, 2e-4)) / 3, rtol=2e-6, atol=2e-6)
    forward, backward = map(verify, pullback(program, active))
    residuals = evaluate(forward, *inputs)[len(outputs):]
    ws = [direction(rng, x) if moves(x) else np.zeros_like(x) for x in outputs]
    cotangents = evaluate(backward, *residuals, *ws)
    tolerance = 1e-4 if any(x.dtype.char in "fF" for x in outputs) else 1e-9
    assert inner(ws, dots) == pytest.approx(inner(cotangents, vs), rel=tolerance, abs=tolerance)


def gradient_of(function, *inputs):
    """Return the gradient of the sum of what `function` gives, for all inputs."""

    def total(*atoms):
        result = function(*atoms)
        return reduce_sum(result, axes=tuple(range(result.ndim)))

    inputs = [np.asarray(x) for x in inputs]
    return evaluate(verify(gradient(program_of(total, inputs), [moves(x) for x in inputs])), *inputs)[1:]
