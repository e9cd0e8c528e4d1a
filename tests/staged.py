"""Functions of users traced as `jitad.jit` traces them, and evaluated by the interpreter: helpers of the tests of control flow."""

import copy

import numpy as np

import jitad
from jitad.frontend.hooks.calls import rewrite
from jitad.frontend.tracing.captures import Captures
from jitad.frontend.tracing.programs import Leaf, describe, trace_function
from jitad.frontend.tracing.trees import flatten, unflatten
from jitad.ir.interpreter import evaluate
from jitad.ir.verifier import verify
from jitad.testing import compare, inner, norm, numerical_jvp, random_like


def staged(function, *args):
    """Return how a function is traced."""
    leaves, treedef = flatten(args)
    with Captures():
        traced = trace_function(lambda *a: rewrite(function)(*a), [describe(x) for x in leaves], treedef)
    verify(traced.program)
    return traced


def interpreted(function, *args):
    """Return the result of a function by way of its Program."""
    args = copy.deepcopy(args)
    traced = staged(function, *args)
    values = [np.asarray(x) for x in flatten(args)[0] if isinstance(describe(x), Leaf)]
    outputs = evaluate(traced.program, *values, *[array for array, _ in traced.captured])
    return unflatten(traced.treedef, outputs)


def primitives(function, *args):
    """Return the names of the primitives that a function is traced to, those in bodies apart."""
    return [equation.primitive.name for equation in staged(function, *args).program.equations]


def check(function, *args, rtol=1e-12, derivatives=True):
    """Compare a function by way of its Program with plain NumPy, and its derivatives, forward and reverse, with numerical ones."""
    with np.errstate(all="ignore"):
        expected = function(*copy.deepcopy(args))
    found, structure = flatten(interpreted(function, *args))
    assert structure is flatten(expected)[1]
    for x, y in zip(found, flatten(expected)[0], strict=True):
        np.testing.assert_allclose(x, y, rtol=rtol, atol=1e-14)
        assert x.dtype == np.asarray(y).dtype and x.shape == np.shape(y)
    if derivatives:
        rng = np.random.default_rng(0)
        tangents = random_like(args, rng)
        slope = interpreted(lambda *xs: jitad.jvp(function, xs, tangents)[1], *args)
        compare(slope, numerical_jvp(lambda *xs: function(*copy.deepcopy(xs)), args, tangents), None, None, "forward mode")
        cotangent = random_like(expected, rng)
        pulled = interpreted(lambda *xs: jitad.vjp(function, *xs)[1](cotangent), *args)
        scale = norm(cotangent) * norm(slope) + norm(pulled) * norm(tangents)
        np.testing.assert_allclose(inner(pulled, tangents), inner(cotangent, slope), rtol=1e-9, atol=1e-9 * scale)


def check_at(function, points):
    """Hold a function of one number, compiled, and its derivatives against itself in plain Python and its differences, at some points."""
    value, gradient = jitad.jit(function), jitad.grad(function)
    for x in points:
        np.testing.assert_allclose(value(x), function(x), rtol=1e-12)
        slope = (function(x + 1e-6) - function(x - 1e-6)) / 2e-6
        np.testing.assert_allclose(gradient(x), slope, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(jitad.jvp(function, (x,), (1.0,))[1], gradient(x), rtol=1e-10, atol=1e-12)
