"""A derivative whose loops are run again, from a budget's snapshots or from its own, has the bits of the one that keeps everything."""

import re

import numpy as np
import pytest
from settling import settling

import jitad
from benchmarks.contenders import argnums
from benchmarks.programs import acoustic, acoustic_second_order, adi, burgers, gray_scott, lstm, shallow_water, upwind
from jitad.pipeline import bytes_taken, to_kernel, to_text
from jitad.runtime.execute import runner
from jitad.transform import snapshots
from jitad.transform.budget import Choice, loops_of, replayed
from jitad.transform.vjp import gradient

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


SLOW = {adi}
CASES = [pytest.param(program, size, marks=[pytest.mark.slow] * (program in SLOW)) for program, size in PROGRAMS.items()]


@pytest.mark.parametrize(("program", "size"), CASES, ids=lambda x: getattr(x, "__name__", "").split(".")[-1])
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


def upwinded(u, rate, steps=5):
    for _ in range(steps):
        u = u - 0.1 * u * (np.roll(u, -1) - np.roll(u, 1)) + rate * (np.roll(u, -1) - 2 * u + np.roll(u, 1))
    return u


def in_chunks(keep, nested):
    """40 times five steps, nested in three longer stretches or not, whose values are kept or computed again by hand."""

    def stretch(u, rate):
        for _ in range(40):
            u = keep(upwinded)(u, rate)
        return u

    def run(u):
        for _ in range(3):
            u = (keep(stretch) if nested else stretch)(u, u * 0.1)
        return np.sum(u**2)

    return run


@pytest.mark.parametrize("nested", [pytest.param(False, marks=pytest.mark.slow), True])
def test_checkpoints_by_hand(nested):
    """Terms of cotangents are added in the same order, with a budget around the checkpoints too."""
    u = np.random.default_rng(6).uniform(size=50)
    stored = jitad.grad(in_chunks(lambda function: function, nested))
    again = in_chunks(jitad.checkpoint, nested)
    assert_same_bits(jitad.grad(again)(u), stored(u))
    taken = bytes_taken(jitad.trace(stored)(u))
    within = jitad.grad(again, memory=int(taken / 1.5))
    assert bytes_taken(jitad.trace(within)(u)) < taken / 1.5
    assert_same_bits(within(u), stored(u))


@pytest.mark.parametrize("depths", [(0,), (1,), (0, 1)])
def test_loops_in_loops_that_run_again(depths):
    x = np.linspace(0.1, 1, 40)
    program = jitad.trace(settling)(x)
    choices = {loop.path: Choice(3, 2) for loop in loops_of(program) if loop.depth in depths}
    assert choices
    _, found = runner(to_kernel(gradient(replayed(program, choices), [True])))(x)
    assert_same_bits(found, jitad.grad(settling)(x))


def spread(u, c):
    return np.sin(u) + c * c * u * (np.roll(u, 1) - 2 * u + np.roll(u, -1))


def in_stretches(keep, count):
    """A few stretches, each a loop that multiplies by what is the same in all of them."""

    def stretch(u, c):
        for _ in range(20):
            u = spread(u, c)
        return u

    def run(u, c):
        factor = 0.5 + np.tanh(c)
        for _ in range(count):
            u = keep(stretch)(u, c * factor)
        return np.sum(u**2)

    return run


@pytest.mark.parametrize("count", [3, 5])
def test_what_checkpoints_in_loops_have_in_common(count):
    """Cotangents of what no trip changes are added up before the chain rule goes on, whether it is computed inside of a checkpoint or not."""
    u, c = np.random.default_rng(7).normal(size=37), np.linspace(0.1, 0.2, 37)
    stored = jitad.grad(in_stretches(lambda function: function, count), (0, 1))
    again = jitad.grad(in_stretches(jitad.checkpoint, count), (0, 1))
    assert_same_bits(again(u, c), stored(u, c))
    jitad.testing.check_grads(in_stretches(jitad.checkpoint, count), (u, c), order=1)
