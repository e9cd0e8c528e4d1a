"""Functions that NumPy does not dispatch, and Python's own: each line is evaluated twice, and value, dtype and shape must agree."""

import builtins
import cmath
import math
import types
import warnings

import numpy as np
import pytest
from one_liners import ARRAYS, compare, lines, run, traced

import jitad
from jitad.frontend.arrays.array import wrap
from jitad.frontend.numpy_api import BUILTINS, REDIRECTS
from jitad.frontend.numpy_api.undispatched import reading_lists
from jitad.frontend.tracing.trace import Trace
from jitad.ir.program import Var
from jitad.ir.types import ArrayType


class Redirected:
    """A module as rewritten code sees it: with the functions of a table in the place of its own."""

    def __init__(self, module):
        self.module = module

    def __getattr__(self, name):
        found = getattr(self.module, name)
        if isinstance(found, types.ModuleType):
            return Redirected(found)
        if isinstance(found, type):
            return found
        return REDIRECTS.get(found) or BUILTINS.get(found) or (reading_lists(found) if isinstance(found, np.ufunc) else found)


REWRITTEN = {"np": Redirected(np), "math": Redirected(math), "cmath": Redirected(cmath)} | {
    function.__name__: replacement for function, replacement in BUILTINS.items() if function.__module__ == "builtins"}
SCALARS = {cls.__name__: cls for cls in (np.float64, np.float32, np.int64, np.complex128)}
REWRITTEN |= {name: REDIRECTS[cls] for name, cls in SCALARS.items()}

REDIRECTED_CASES = """
np.array([a, 1.0, v[0]])
np.array([[a, 2], [3, v[1]]])
np.array([v, w], dtype=np.float32)
np.array([[1.0, 2.0], [a, a]])
np.array([F[0], f]), np.array([f[0], 2.0]), np.array([a, 1j]), np.array([I[0, 0], True])
np.array(v), np.array(v, ndmin=3), np.array(a, ndmin=1), np.array(I, dtype="d")
np.array([[v, w]]), np.array((a, [2.0][0]))
np.array([1.0, 2.0]) * a
np.asarray(v), np.asarray([a, a]), np.asarray(v, dtype=np.float32), np.asanyarray([v]), np.ascontiguousarray(A.T)
np.asarray([v_, w])
float64(a), float32(v[0]), int64(v[0]), complex128(a), float64(2)
np.mean([a, v[0], 3.0]), np.sum([v, w], axis=0), np.max([a, 1.0]), np.linalg.norm([a, a]), np.dot([a, 1.0], [2.0, 3.0])
np.sin([a, 1.0]), np.maximum([a, v[0]], 0.5), np.hypot(3, [a]), np.exp(a)
np.take(v_, i), np.full_like(A_, a), np.repeat([a, 2.0], 2), np.where([True, False], [a, 1.0], 0.0), np.linalg.norm(x=[a, 1.0])
np.zeros(3) + a, np.zeros((2, 2), dtype=np.float32), np.ones(2, dtype="D"), np.full(3, 2.5), np.full((2, 2), a), np.full(3, v[:, None][0])
after(lambda x: x.__setitem__(0, a), np.zeros(3)), after(lambda x: x.__setitem__((0, 1), a), np.eye(2))
after(lambda x: x.__setitem__(slice(1, 3), v[:2]), np.ones(4)), after(lambda x: x.__setitem__(1, a), np.copy(v_))
after(lambda x: x.__setitem__(1, a), np.full(3, 0.5)), after(lambda x: x.__setitem__(1, a), np.zeros_like(v_))
np.eye(3), np.identity(2) * a, np.eye(2, 3, k=1, dtype=np.float32), np.arange(3) * a, np.linspace(0, 1, 5) * a
np.zeros(3, dtype="l"), np.ones(2, dtype="?"), np.zeros_like(i_)
np.empty(3).shape, np.copy(A), np.copy(i_)
math.sin(a), math.sqrt(abs(a)), math.exp(v[0]), math.atan2(a, v[1]), math.pow(abs(a), 1.5), math.log(abs(a)), math.log(abs(a), 3)
math.hypot(a, v[0]), math.hypot(a, v[0], 3.0), math.hypot(a), math.erf(a), math.log1p(abs(a)), math.degrees(a), math.fabs(a)
math.log2(abs(a)), math.gamma(2.0) * a
math.floor(a), math.ceil(a), math.trunc(a), math.sin(f[0]), math.sin(I[0, 0]), math.isnan(a), math.isclose(a, a + 1e-12), math.isclose(a, 9)
math.dist(v[:2], [1.0, a]), math.fsum([a, 1.0, v[0]]), math.prod([a, 2.0, v[0]]), math.ldexp(a, 3), math.remainder(a, 0.7), math.modf(a)
math.sin(0.5), math.copysign(a, -1.0), math.sqrt(2.0) * a
math.tan(a), math.asinh(a), math.exp(f[0]) * f
cmath.exp(z[0]), cmath.phase(z[0]), cmath.polar(z[1]), cmath.rect(abs(a), v[0]), cmath.sqrt(a), cmath.log(z[0]), cmath.sin(2j)
float(a), int(a), bool(a), complex(a), complex(a, v[0]), float(I[0, 0]), int(v[0] * 10), float(3), complex(1, 2), bool(z[0])
float(a) * f, int(I[0, 0]) * f
abs(a), round(a), round(a, 2), pow(a, 2), divmod(a, 0.3), abs(z[0])
min(a, v[0], 1.0), max(a, v[0]), max([a, 0.3]), max(v[0], v[1], v[2]), min(x for x in [a, 2.0, v[1]]), max(1, 2), min(v)
sum([a, v[0], 2.0]), sum(v), sum(M), sum(K), sum([v, w]), sum(x * x for x in v), sum(v, a), sum([1, 2])
any(x > 0 for x in v), all([a < 9, True]), any([False, a > 9]), any([]), all([])
"""


@pytest.mark.parametrize("code", lines(REDIRECTED_CASES))
def test_redirected(code):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        compare(code, run(code, ARRAYS, **SCALARS), traced(code, **REWRITTEN))


def test_outside_of_a_trace_replacements_are_the_originals():
    assert type(REDIRECTS[np.zeros](3)) is np.ndarray and type(REDIRECTS[np.full](3, 1.0)) is np.ndarray
    assert type(REDIRECTS[np.eye](3)) is np.ndarray and type(REDIRECTS[np.copy](np.ones(2))) is np.ndarray
    assert BUILTINS[max](1, 2.5) == 2.5 and BUILTINS[math.sin](0.5) == math.sin(0.5) and BUILTINS[sum]([1, 2]) == 3
    with pytest.raises(builtins.ValueError):
        BUILTINS[math.sqrt](-1.0)


def test_scalars_of_python_adapt_to_dtypes():
    with Trace():
        f, a = wrap(Var(ArrayType(np.dtype("f"), (3,)))), wrap(Var(ArrayType(np.dtype("d"))))
        for scalar in (BUILTINS[float](a), BUILTINS[math.sin](a), BUILTINS[int](a), BUILTINS[max](BUILTINS[float](a), 0.0)):
            assert (f * scalar).dtype == np.float32


def test_places_that_a_tuple_addresses():
    def deposited(x, q):
        grid, place = np.zeros((4, 5)), np.floor(x).astype(int)
        np.add.at(grid, (place[:, 0], place[:, 1] + 1), q)
        np.subtract.at(grid, (place[:, 0], slice(1, 3)), q[:, None])
        np.maximum.at(grid, (place[:2, 0], place[:2, 1]), q[:2])
        return grid

    x, q = 3.0 * np.random.default_rng(1).random((6, 2)), np.arange(6.0)
    np.testing.assert_allclose(jitad.jit(deposited)(x, q), deposited(x, q), rtol=1e-14)
