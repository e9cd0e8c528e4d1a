"""Whether reshaping gives a view or a copy follows from how NumPy has an array in memory: random chains of operations, and writes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jitad
from jitad.ir import errors
from jitad.ir.interpreter import evaluate

STEPS = {  # of an array, another one of the same shape or its transpose's, and two numbers
    "T": lambda x, y, i, j: x.T,
    "moveaxis": lambda x, y, i, j: np.moveaxis(x, i % x.ndim, j % x.ndim),
    "scaled": lambda x, y, i, j: x * 2,
    "sum of two": lambda x, y, i, j: x + y if x.shape == y.shape else -x,
    "column added": lambda x, y, i, j: x + x[:, :1],
    "where": lambda x, y, i, j: np.where(x > 1, x, y if x.shape == y.shape else 0.0),
    "copy": lambda x, y, i, j: [x.copy(), np.copy(x), x.copy("F"), x.copy("K"), np.array(x), x.astype(float)][(i + 4 * j) % 6],
    "like": lambda x, y, i, j: np.copyto(z := [np.zeros_like, np.ones_like, np.empty_like][j](x), 1.0) or z * 0 + x.sum(),
    "contiguous": lambda x, y, i, j: [np.ascontiguousarray, np.asfortranarray, np.asarray][j](x),
    "slice": lambda x, y, i, j: [x[1:], x[:, :-1], x[:, ::2], x[::-1]][(i + 4 * j) % 4],
    "axis": lambda x, y, i, j: x[:, None] if x.ndim < 4 else x[:, 0],
    "picked": lambda x, y, i, j: [x[[0, -1]], x[:, [0, -1]], x[:, np.arange(x.shape[1]) > 0]][j],
    "joined": lambda x, y, i, j: np.concatenate([x, x if x.shape != y.shape else y], j % x.ndim),
    "stacked": lambda x, y, i, j: np.stack([x, x], (i + j) % (x.ndim + 1)) if x.ndim < 4 else x,
    "sum": lambda x, y, i, j: x.sum(i % x.ndim, keepdims=True),
    "sum of three": lambda x, y, i, j: x.sum(i % 3) if x.ndim > 2 else x,
    "sorted": lambda x, y, i, j: np.sort(x, i % x.ndim),
    "rolled": lambda x, y, i, j: np.roll(x, i, j % x.ndim) if j else np.roll(x, i),
    "padded": lambda x, y, i, j: np.pad(x, ((0, i % 2), *[(0, 0)] * (x.ndim - 1))),
    "running": lambda x, y, i, j: np.cumsum(x, i % x.ndim),
    "ravel": lambda x, y, i, j: np.ravel(x, "CFAK"[i])[None] if x.ndim == 1 else np.ravel(x, "CFAK"[i]).reshape(1, -1),
    "flatten": lambda x, y, i, j: x.flatten("CFAK"[i]).reshape(x.shape),
    "reshape": lambda x, y, i, j: x.reshape(x.shape[0], -1, order="CFA"[j]),
    "turned shape": lambda x, y, i, j: x.reshape(x.shape[::-1]),
    "halves": lambda x, y, i, j: x.reshape(-1, 2) if x.size % 2 == 0 else x.reshape(1, -1),
    "write": lambda x, y, i, j: x.__setitem__((0, j % x.shape[1]), 50.0 + i) or x,
    "scale in place": lambda x, y, i, j: np.multiply(x, 3, out=x),
}  # fmt: skip

RESHAPING = ("ravel", "reshape", "turned shape", "halves")
WRITING = ("write", "scale in place")


def run(program, arrays) -> list:
    """Perform steps, each on one of the arrays there are, and return all of them."""
    arrays = list(arrays)
    for name, which, other, i, j in program:
        x = arrays[-1 - which % len(arrays)]
        result = STEPS[name](x, arrays[-1 - other % len(arrays)], i, j)
        if result.ndim > 1:
            arrays.append(result)
    return arrays


def traced(program, arrays) -> list:
    compiled = jitad.jit(lambda x, y: run(program, [x, y]))
    entry, leaves = compiled.lookup(tuple(arrays), {})
    return evaluate(entry.traced.program, *entry.operands(leaves))


def steps(*names: str):
    return st.tuples(st.sampled_from(names), numbers, numbers, numbers, st.integers(0, 2))


numbers = st.integers(0, 3)
making, anything = steps(*[name for name in STEPS if name not in WRITING]), steps(*STEPS)
writes = st.lists(steps(*WRITING), min_size=1, max_size=2)
rounds = st.tuples(st.lists(making, min_size=1, max_size=3), steps(*RESHAPING), st.lists(anything, max_size=2), writes)
programs = st.lists(rounds, min_size=1, max_size=2).map(lambda found: [step for a, b, c, d in found for step in (*a, b, *c, *d)])
refused = {True: 0, False: 0}


def check(program):
    arrays = [np.arange(12.0).reshape(3, 4), np.arange(24.0).reshape(2, 3, 4) / 5]
    try:
        wanted = run(program, [x.copy() for x in arrays])
    except (ValueError, IndexError, ZeroDivisionError):  # it is no program, or has become empty
        return
    try:
        found = traced(program, arrays)
    except errors.AliasError:
        refused[True] += 1
        return
    except errors.ValueError as error:
        assert "as they lie in memory" in str(error)  # noqa: PT017
        refused[True] += 1
        return
    refused[False] += 1
    for k, (x, y) in enumerate(zip(found, wanted, strict=False)):
        np.testing.assert_allclose(x, y, err_msg=str(k))


def changed_after_turns(x, n):
    """The array has one order in memory in even trips, and another in odd ones."""
    u = x * 1
    for _ in range(n):
        u = u.T * 1.5
    v = u.ravel()
    v[1] = 50.0
    return u, v


CASES = [  # of a square array
    lambda x: (b := x.T * 2, v := b.ravel(), v.__setitem__(1, 50.0))[:2],
    lambda x: (b := x[:, [0, 2]], v := b.ravel(), v.__setitem__(1, 50.0))[:2],
    lambda x: (b := np.zeros((3, 2), order="F") + x[:, :2], v := b.ravel(), v.__setitem__(1, 50.0))[:2],
    lambda x: (v := TURNED.ravel(), v.__setitem__(1, x[0, 0]), TURNED.sum() * v)[2],
    lambda x: (b := np.sort(x, 0), v := b.ravel(), v.__setitem__(1, 50.0))[:2],
    lambda x: (b := np.where(x[0, 0] > 0, x.T * 2, x.T * 3), v := b.ravel(), v.__setitem__(1, 50.0))[:2],
    lambda x: (b := x.T * 2 if x[0, 0] > 0.0 else x.T * 3, v := b.ravel(), v.__setitem__(1, 50.0))[:2],
    lambda x: changed_after_turns(x, 2),
]  # fmt: skip
TURNED = np.asfortranarray(np.arange(9.0).reshape(3, 3))


@pytest.mark.parametrize("case", range(len(CASES)))
def test_where_orders_come_from(case):
    x = np.arange(9.0).reshape(3, 3) + 1
    found = jitad.jit(CASES[case])(x.copy())
    for a, b in zip(found, CASES[case](x.copy()), strict=True):
        np.testing.assert_allclose(a, b)


def test_orders_of_what_inner_functions_take_and_give():
    def doubled(x):
        return x.T * 2

    def changed(double, x):
        b = double(x)
        v = b.ravel()
        v[1] = 50.0
        return b, v

    def energy(y):
        v = y.ravel()
        v[1] = 50.0 * y[0, 0]
        return np.sum(y * y)

    x = np.arange(9.0).reshape(3, 3) + 1
    for found, wanted in zip(jitad.jit(lambda x: changed(jitad.jit(doubled), x))(x), changed(doubled, x), strict=True):
        np.testing.assert_allclose(found, wanted)
    np.testing.assert_allclose(jitad.jit(lambda x: jitad.grad(energy)(x.T * 2))(x), 4 * x.T)


def test_orders_that_are_not_known():
    x = np.arange(9.0).reshape(3, 3)
    with pytest.raises(errors.AliasError, match="how it lies in memory"):
        jitad.jit(changed_after_turns, static_argnums=())(x, 20)
    for function in (lambda x: np.where(x > 0, x, x.T).ravel(), lambda x: np.linalg.inv(x.T + 3 * np.eye(3)).ravel()):
        np.testing.assert_allclose(jitad.jit(function)(np.asfortranarray(x)), function(x))


def test_rows_of_columns():
    def written(x):
        v = x.ravel()
        v[1] = 50.0
        return v

    x = np.arange(12.0)
    with pytest.raises(errors.ValueError, match="ascontiguousarray"):
        jitad.jit(written)(x[::2])
    np.testing.assert_array_equal(jitad.jit(lambda x: written(x * 2))(x[::2]), written(x[::2] * 2))


@given(programs)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_random_programs(program):
    check(program)


def test_arrays_stacked_along_a_new_axis():
    """Of arrays that do not lie in C order it is not known where NumPy has the new axis."""
    def f(x):
        stacked = np.stack([x * 2, x], 1)
        turned = stacked.reshape(stacked.shape[::-1])
        turned[0, 0] = 50.0
        return stacked

    x = np.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(jitad.jit(f)(x), f(x))
    with pytest.raises(errors.AliasError):
        jitad.jit(lambda x: f(x.T))(x)


@pytest.mark.slow
@given(programs)
@settings(max_examples=20_000, deadline=None, derandomize=True)
def test_more_random_programs(program):
    check(program)
