"""Arrays of which each trip of a loop reads or writes its own row alone: rows are written once, and only where they are read."""

import numpy as np
import pytest

import jitad
from jitad.ir.program import Program
from jitad.pipeline import optimize
from jitad.testing import check_grads

RNG = np.random.default_rng(0)
ROWS, WAY, START = RNG.random((40, 5)), RNG.random((40, 5)), RNG.random(5)
FIELD, FIELD_WAY = RNG.random((9, 8)), RNG.random((9, 8))


def driven(rows, start):
    """Each trip reads a row of an argument."""
    x = start
    for t in range(rows.shape[0]):
        x = np.sin(x) * rows[t] + 0.5 * x
    return np.sum(x**2)


def spreading(u):
    for _ in range(40):
        u = u + 0.01 * u**2 * (np.roll(u, 1, 0) + np.roll(u, -1, 1) - 2 * u)
    return np.sum(u**2)


def slope_along(function, way):
    """Reverse over reverse: the gradient of the gradient's component along a way."""
    return jitad.grad(lambda x: np.vdot(jitad.grad(function)(x), way))


def equations(program: Program, name: str) -> list:
    """Return the equations of a primitive, however deep."""
    inner = [body for equation in program.equations for body in equation.params.values() if isinstance(body, Program)]
    return [e for e in program.equations if e.primitive.name == name] + [e for body in inner for e in equations(body, name)]


def test_rows_of_cotangents_are_written():
    """They are not added to zeros."""
    program = optimize(jitad.trace(jitad.grad(driven, argnums=(0, 1)))(ROWS, START))
    assert not equations(program, "scatter_add")
    check_grads(driven, (ROWS, START), order=2)


@pytest.mark.parametrize(("function", "x", "way", "added"), [(spreading, FIELD, FIELD_WAY, 0), (lambda x: driven(x, START), ROWS, WAY, 1)])
def test_reverse_over_reverse_keeps_each_row_once(function, x, way, added):
    """Those of the field, of its cotangents, and of the cotangents of what was kept; and of the argument, where that has rows: they come in two."""
    product = slope_along(function, way)
    program = optimize(jitad.trace(product)(x))
    assert len(equations(program, "scatter")) == 3 + added
    assert len(equations(program, "scatter_add")) == added
    assert np.allclose(product(x), jitad.hvp(function, (x,), (way,)), rtol=1e-12)


def test_rows_that_are_read_again_are_written():
    """The second loop reads what the first has written over what it read."""

    def twice(rows):
        rows, total = 1.0 * rows, 0.0
        for _ in range(2):
            for t in range(rows.shape[0]):
                total += np.sum(rows[t] ** 2)
                rows[t] = 0.5 * rows[t]
        return total

    assert jitad.jit(twice)(ROWS) == pytest.approx(1.25 * np.sum(ROWS**2), rel=1e-13)
    check_grads(twice, (ROWS,), order=2)


PARTS = (lambda a, i, x: a.__setitem__((slice(None), i), x[:, i]), lambda a, i, x: a.__setitem__((i, slice(1, -1)), x[i, 2:]),
         lambda a, i, x: a.__setitem__((i, slice(None, None, -1)), x[i]), lambda a, i, x: a.__setitem__((i, slice(None, None, 2)), x[i, ::2]),
         lambda a, i, x: a.__setitem__((i, 3), x[2, i]))  # fmt: skip


@pytest.mark.parametrize("write", PARTS)
def test_what_is_not_a_whole_row_goes_where_it_belongs(write):
    def f(x):
        a = np.sin(x)
        for i in range(1, len(x) - 1):
            write(a, i, x)
        return a

    x = np.random.default_rng(0).normal(size=(20, 20))
    np.testing.assert_allclose(jitad.jit(f)(x), f(x), rtol=1e-14)
    check_grads(f, (x,))
