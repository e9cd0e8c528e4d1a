"""A derivative whose loops are run again, from a budget's snapshots or from its own, has the bits of the one that keeps everything."""

import re

import numpy as np
import pytest

import jitad
from benchmarks.contenders import argnums
from benchmarks.programs import acoustic, acoustic_second_order, adi, burgers, gray_scott, lstm, shallow_water, upwind
from jitad.pipeline import bytes_taken, to_text
from jitad.transform import snapshots

PROGRAMS = {
    acoustic: (17, 40, 3), acoustic_second_order: (17, 40, 3), shallow_water: (13, 40), burgers: (13, 40), gray_scott: (13, 40),
    upwind: (13, 40), adi: (9, 20), lstm: (3, 40),
}  # fmt: skip


def made(program, size):
    benchmark = program.make(*size)
    return benchmark.function, argnums(benchmark), benchmark.arguments


def arrays(found) -> list[np.ndarray]:
    return list(map(np.asarray, found)) if isinstance(found, tuple) else [np.asarray(found)]


def assert_same_bits(found, wanted):
    for x, y in zip(arrays(found), arrays(wanted), strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize(("program", "size"), PROGRAMS.items(), ids=lambda x: getattr(x, "__name__", "").split(".")[-1])
def test_within_a_budget(program, size):
    f, places, arguments = made(program, size)
    stored = jitad.grad(f, places)
    taken = bytes_taken(jitad.trace(stored)(*arguments))
    half = jitad.grad(f, places, memory=int(taken / 1.9))
    assert bytes_taken(jitad.trace(half)(*arguments)) < taken / 1.9
    assert_same_bits(half(*arguments), stored(*arguments))


def test_from_snapshots_that_a_loop_takes_by_itself(monkeypatch):
    f, places, arguments = made(burgers, (13, 40))
    stored = jitad.grad(f, places)
    wanted, taken = stored(*arguments), bytes_taken(jitad.trace(stored)(*arguments))
    for name, value in (("PLENTY", 0), ("STATES", 0), ("RATE", np.inf)):
        monkeypatch.setattr(snapshots, name, value)
    again = jitad.grad(lambda *arguments: f(*arguments), places)
    assert bytes_taken(jitad.trace(again)(*arguments)) < taken
    assert_same_bits(again(*arguments), wanted)


def test_values_with_and_without_a_gradient():
    for program, size in ((shallow_water, (13, 40)), (lstm, (3, 40)), (adi, (9, 20))):
        f, places, arguments = made(program, size)
        assert_same_bits(jitad.jit(f)(*arguments), jitad.value_and_grad(f, places)(*arguments)[0])


def test_a_product_that_is_kept_is_rounded_where_it_is_added_as_one_that_is_not():
    def chain(x, y):
        for _ in range(20):
            product = x * y
            x = np.sin(product) + (product - x * 0.3)  # sin keeps the product
        return x

    x, y = np.random.default_rng(1).normal(size=(2, 37))
    value, pullback = jitad.vjp(chain, x, y)
    assert_same_bits(jitad.jit(chain)(x, y), value)
    assert_same_bits(jitad.jvp(chain, (x, y), (y, x))[0], value)
    stored = jitad.jacrev(chain)(x[:3], y[:3])
    assert_same_bits(jitad.jacrev(jitad.checkpoint(chain))(x[:3], y[:3]), stored)


def test_who_contracts():
    """The Program does, and LLVM does not: what may be contracted is marked, and nothing else is."""

    def f(x, y):
        return (x * y + 1) * np.exp(x * y), x[1:] * y[:-1]

    x, y = np.random.default_rng(2).normal(size=(2, 64))
    text = to_text(jitad.trace(f)(x, y), "llvm")
    assert re.search(r"call <\d+ x double> @llvm.fmuladd", text)
    assert "contract" not in text


def carried(x, y):
    s = t = 0.3
    for k in range(300):
        s += x[k % 8] * y[k % 8]
        t = np.sin(t + s * y[k % 8]) + t * x[k % 8]
    return s * t


def test_numbers_that_loops_carry():
    """Products of which one waits for the other's sum are computed ahead: rounded by themselves, as in Python."""
    x, y = np.random.default_rng(5).normal(size=(2, 8))
    assert_same_bits(jitad.jit(lambda x, y: carried(x, y))(x, y), jitad.value_and_grad(carried)(x, y)[0])
    assert "fmuladd" not in to_text(jitad.trace(carried)(x, y), "llvm")
    stored = jitad.grad(carried, (0, 1))
    taken = bytes_taken(jitad.trace(stored)(x, y))
    assert_same_bits(jitad.grad(carried, (0, 1), memory=int(taken / 1.5))(x, y), stored(x, y))


def test_a_difference_of_equal_products_is_nothing():
    x, y = np.random.default_rng(3).normal(size=(2, 64))
    assert not np.any(jitad.jit(lambda x, y: x * y - x * y)(x, y))


def test_strict_arithmetic_is_numpys(monkeypatch):
    monkeypatch.setattr(jitad.config, "strict", True)
    x, y = np.random.default_rng(4).normal(size=(2, 1000))
    assert_same_bits(jitad.jit(lambda x, y: x * y + x - y * y)(x, y), x * y + x - y * y)
