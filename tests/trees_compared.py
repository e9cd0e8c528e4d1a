"""Results held against expected ones, containers and all: a helper of the tests."""

import dataclasses
from typing import NamedTuple

import numpy as np

import jitad


def close(found, expected, rtol=1e-12):
    """Compare two trees: structure, dtypes, shapes and values."""
    got, structure = jitad.frontend.tracing.trees.flatten(found)
    wanted, reference = jitad.frontend.tracing.trees.flatten(expected)
    assert structure is reference
    for x, y in zip(got, wanted, strict=True):
        assert not isinstance(x, float | int | complex) or isinstance(x, np.generic), "results are NumPy's"
        np.testing.assert_allclose(x, y, rtol=rtol, atol=1e-13)
        assert np.shape(x) == np.shape(y) and np.asarray(x).dtype == np.asarray(y).dtype


class Pair(NamedTuple):
    a: object
    b: object


@dataclasses.dataclass
class Layer:
    weights: object
    bias: object = None
