"""Functions traced and evaluated by the interpreter, held against NumPy: helpers of the tests of the front end."""

import copy

import numpy as np

from jitad.frontend.tracing.programs import Leaf, describe, trace_function
from jitad.frontend.tracing.trace import Concretize
from jitad.frontend.tracing.trees import flatten, unflatten
from jitad.ir.interpreter import evaluate
from jitad.ir.verifier import verify


def trace(function, *args):
    """Return how `function` is traced for `args`."""
    leaves, treedef = flatten(args)
    return trace_function(function, [describe(x) for x in leaves], treedef)


def run(function, *args):
    """Return the result of `function` by way of a Program; arrays and NumPy's scalars are told apart, as are Python's scalars."""
    traced = trace(function, *args)
    verify(traced.program)
    values = [x for x in flatten(args)[0] if isinstance(describe(x), Leaf)]
    outputs = evaluate(traced.program, *values, *[array for array, _ in traced.captured])
    convert = {"array": lambda x: x, "scalar": lambda x: x[()], "python": lambda x: x.item()}
    return unflatten(traced.treedef, [convert[leaf.kind](x) for x, leaf in zip(outputs, traced.results, strict=True)])


def check(function, *args, rtol=1e-14):
    """Compare the result of `function` by way of a Program with that of plain Python: class, dtype, shape and values."""
    with np.errstate(all="ignore"):
        expected = function(*copy.deepcopy(args))
    got = run(function, *copy.deepcopy(args))
    compare(got, expected, rtol)


def compare(got, expected, rtol=1e-14):
    got, structure = flatten(got)
    expected, wanted = flatten(expected)
    assert structure is wanted
    for x, y in zip(got, expected, strict=True):
        assert type(x) is type(y), f"{type(x).__name__} in place of {type(y).__name__}"
        if not isinstance(y, str):
            assert np.asarray(x).dtype == np.asarray(y).dtype
            tolerance = max(rtol, 4 * np.finfo(y.dtype).eps if np.asarray(y).dtype.kind in "fc" and hasattr(y, "dtype") else 0)
            np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance, strict=True)


def concretized(function, *args):
    """Return the numbers of the leaves whose values `function` needs, an empty set if none."""
    try:
        trace(function, *args)
    except Concretize as request:
        return request.leaves
    return frozenset()
