"""The programs of the benchmarks: jitad's value and gradient agree with those written by hand. Nothing is timed."""

import numpy as np
import pytest

from benchmarks import elementary
from benchmarks.contenders import PREPARATIONS, jitad, takes
from benchmarks.programs import SIZES, SMALL, mixture, rosenbrock
from benchmarks.report import report
from benchmarks.runner import TOLERANCE, Measurement, disagreement, leaves, run
from jitad import jvp, value_and_grad
from jitad.frontend.tracing.trees import flatten, unflatten


@pytest.mark.parametrize("program", SIZES, ids=lambda program: program.__name__.rpartition(".")[2])
def test_agrees_with_the_gradient_by_hand(program):
    benchmark = program.make(*SMALL[program])
    by_hand = list(leaves(benchmark.by_hand(*benchmark.arguments, *benchmark.workspace)))
    assert np.isclose(benchmark.function(*benchmark.arguments), by_hand[0], rtol=TOLERANCE)
    assert disagreement(list(leaves(jitad(benchmark)())), by_hand) <= TOLERANCE


@pytest.mark.parametrize("program", SIZES, ids=lambda program: program.__name__.rpartition(".")[2])
def test_derivatives_are_of_one_map(program):
    """Forward mode is the adjoint of reverse mode, and what the derivative leaves of the function is of second order (Taylor)."""
    benchmark = program.make(*SMALL[program])
    count = benchmark.differentiated
    point, others = benchmark.arguments[:count], benchmark.arguments[count:]

    def function(*x):
        return benchmark.function(*x, *others)

    parts, tree = flatten(point)
    rng = np.random.default_rng(0)
    direction = [rng.standard_normal(np.shape(x)) * (np.std(x) or 1) for x in parts]
    value, gradient = value_and_grad(function, argnums=tuple(range(count)))(*point)
    gradient = flatten(gradient)[0]
    slope = sum(map(np.vdot, gradient, direction))
    lengths = [np.sqrt(sum(map(np.vdot, x, x))) for x in (gradient, direction)]
    assert abs(jvp(function, point, unflatten(tree, direction))[1] - slope) <= 1e-12 * np.prod(lengths)

    def remainder(step):
        return abs(function(*unflatten(tree, [x + step * v for x, v in zip(parts, direction, strict=True)])) - value - step * slope)

    assert remainder(5e-4) <= 0.27 * remainder(1e-3) + 1e-13 * abs(value)


def test_a_blocked_loop_takes_every_point():
    benchmark = mixture.make(mixture.BLOCK + 3, 2, 2)
    value, *_ = benchmark.by_hand(*benchmark.arguments)
    assert np.isclose(benchmark.function(*benchmark.arguments), value, rtol=TOLERANCE)


@pytest.mark.parametrize("program", SIZES, ids=lambda program: program.__name__.rpartition(".")[2])
def test_names_contenders_that_there_are(program):
    benchmark = program.make(*SMALL[program])
    assert {*benchmark.plain, *benchmark.written} <= set(PREPARATIONS)
    assert not set(benchmark.plain) & set(benchmark.written)
    assert takes("jitad", benchmark) and takes("JAX", benchmark) == ("JAX" in (*benchmark.plain, *benchmark.written))


def test_a_contender_that_fails_or_differs_is_reported_and_not_timed():
    benchmark = rosenbrock.make(4)
    contenders = {
        "by hand": lambda benchmark: lambda: benchmark.by_hand(*benchmark.arguments),
        "wrong": lambda benchmark: lambda: (1.0, np.ones(4)),
        "broken": lambda benchmark: 1 / 0,
    }
    results = run(benchmark, contenders, rounds=1)
    assert "differs" in results["wrong"].failure and np.isnan(results["wrong"].median)
    assert "division by zero" in results["broken"].failure
    text = report({benchmark.name: results})
    assert "| Rosenbrock, n = 4 |" in text and text.count("failed") == 4


def test_nan_is_a_disagreement():
    assert not disagreement([np.array([np.nan])], [np.array([1.0])]) <= TOLERANCE


def test_the_table_relates_to_the_better_version_by_hand():
    row = {"by hand": Measurement(1.0, 2e-3), "by hand, fastmath": Measurement(1.0, 1e-3), "jitad": Measurement(0.5, 3e-3)}
    assert "| p | 2 ms (2×) | 1 ms (1×) | 3 ms (3×) |" in report({"p": row})


def test_the_table_of_elementary_functions(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["elementary", "--functions", "sqrt", "--rounds", "1"])
    elementary.main()
    assert [line.split("|")[1:3] for line in capsys.readouterr().out.splitlines()[2:]] == [[" sqrt ", " float64 "], [" sqrt ", " float32 "]]
