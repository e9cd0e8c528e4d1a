"""Bounds of integers: whatever the operands are between theirs, the results are between those that the rules give."""

import math

import numpy as np
import pytest

import jitad.primitives  # noqa: F401
from jitad.ir.intervals import ANY, bounds, interval
from jitad.ir.program import Var, literal
from jitad.ir.recorder import Recorder
from jitad.ir.registry import REGISTRY
from jitad.ir.types import BOOL, INT, ArrayType
from jitad.primitives.elementwise.arithmetic import add, floor_divide, mod, mul
from jitad.primitives.elementwise.comparisons import lt

RULES = sorted(name for name, primitive in REGISTRY.items() if primitive.bounds is not None)


def drawn(rng, sample):
    """Integers in the place of numbers; conditions and indices are what they are."""
    sample, low = np.asarray(sample), rng.integers(-6, 6)
    return rng.integers(low, low + rng.integers(1, 8), sample.shape) if sample.dtype.kind == "f" else sample


@pytest.mark.parametrize("name", RULES)
def test_results_lie_within(name):
    primitive, rng, met = REGISTRY[name], np.random.default_rng(0), 0
    for _ in range(20):
        for samples, params in primitive.samples(rng, np.dtype("d")):
            if "dtype" in params:
                params = params | {"dtype": INT}
            values = [drawn(rng, x) for x in samples]
            if name in ("mod", "floor_divide"):
                values[1] = np.abs(values[1]) + 1
            inputs = [Var(ArrayType(x.dtype, x.shape)) for x in values]
            with Recorder():
                result = primitive(*inputs, **params)
            found = primitive.evaluate(*values, **params)
            known = {var: (int(x.min()), int(x.max())) for var, x in zip(inputs, values, strict=True) if x.size and x.dtype.kind in "biu"}
            low, high = interval(result, known)
            if np.size(found):
                assert low <= np.min(found) and np.max(found) <= high
                met += not math.isinf(low)
    assert met


def test_bounds_follow_from_counters():
    i, j = Var(ArrayType(INT)), Var(ArrayType(INT))
    known = {i: (0, 9)}
    with Recorder():
        k = add(mul(i, literal(3, INT)), literal(-1, INT))
        assert bounds(k, known) == (-1, 26) and bounds(floor_divide(k, literal(4, INT)), known) == (-1, 6)
        assert bounds(mod(j, literal(7, INT)), known) == (0, 6) and bounds(j, known) is None and interval(mul(i, j), dict(known)) == ANY
        below = lt(i, j)
        assert below.dtype == BOOL and bounds(below, known) == (0, 1)
    assert known == {i: (0, 9)}
