"""The loops that programs become: how many passes over memory, which guards are left, what is stored; and programs that once went wrong."""

import math

import numpy as np
import pytest
from differential import check_derivatives, check_values
from random_programs import Given
from test_textbook import charges, layers, perceptron, rosenbrock, softmax, speelpenning_by_hand

import jitad
from jitad.ir import errors
from jitad.ir.types import FLOAT, ArrayType
from jitad.lower.grammar.builder import Builder
from jitad.lower.grammar.index import ZERO, loop_variable
from jitad.lower.grammar.loops import Buffer, Call, Loops, Nest, Parallel, Region, ScatterStore, Store, Strips
from jitad.lower.grammar.regions import regions, tiles
from jitad.lower.grammar.verifier import verify_loops
from jitad.lower.grammar.walk import buffers, reachable, roots
from jitad.lower.memory.layout import positions
from jitad.pipeline import to_loops
from jitad.transform.vjp import gradient

GUARDS = {"in_range", "clamp"}


def loops_of(function, *args) -> Loops:
    return to_loops(jitad.trace(function)(*args))


def gradient_loops(function, *args) -> Loops:
    """Return the loops of a value and its gradient."""
    program = jitad.trace(function)(*args)
    return to_loops(gradient(program, [var.type.differentiable for var in program.inputs]))


def operations(region: Region) -> list[str]:
    return [expr.op for expr in reachable(roots(region))]


def trips(region: Region) -> int:
    return int(np.prod([high - low + 1 for low, high in region.ranges]))


def unguarded(loops: Loops) -> bool:
    return not any(GUARDS & set(operations(region)) for step in loops.steps for region in step.regions)


# --- text -------------------------------------------------------------------------------------------------------------------


def test_sum_of_squares():
    text = jitad.show(jitad.value_and_grad(lambda x: np.sum(x * x)), np.ones(50), stage="loops")
    assert text == """\
def kernel(in0: f64[50]) -> (out0: f64[], out1: f64[50]):  # workspace: 0 bytes
    out0_sum = 0.0
    for i0 in range(0, 50):
        out1[i0] = in0[i0] + in0[i0]
        out0_sum += in0[i0] * in0[i0]
    out0[0] = out0_sum"""


def test_running_sum():
    text = jitad.show(lambda x: np.cumsum(2.0 * x[::-1]), np.ones(50), stage="loops")
    assert text == """\
def kernel(in0: f64[50]) -> (out0: f64[50]):  # workspace: 0 bytes
    for i0 in range(0, 1):
        out0[i0] = 2.0 * in0[-1*i0 + 49]
    for i0 in range(1, 50):
        out0[i0] = out0[i0 - 1] + (2.0 * in0[-1*i0 + 49])"""


# --- passes over memory -----------------------------------------------------------------------------------------------------


def test_rosenbrock_takes_one_pass():
    """The value runs over one element fewer than the gradient: both share one nest, and nothing is stored between."""
    loops = gradient_loops(rosenbrock, np.ones(1000))
    (nest,) = loops.steps
    assert loops.work_bytes == 0 and unguarded(loops)
    assert [region.ranges for region in nest.regions] == [((0, 0),), ((1, 998),), ((999, 999),)]


def test_softmax_exponentiates_once():
    loops = gradient_loops(softmax, np.ones(50))
    assert len([step for step in loops.steps if step.trips > 1]) <= 5
    assert sum(operations(region).count("exp") for nest in loops.steps for region in nest.regions) == 1


def energy(u):
    """The squared residual of Laplace's equation."""
    if u.ndim == 1:
        residual = u[2:] - 2 * u[1:-1] + u[:-2]
    else:
        residual = u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1]
    return np.sum(residual**2)


@pytest.mark.parametrize("shape", [(100,), (40, 50)])
def test_the_adjoint_of_a_stencil_gathers(shape):
    """One pass makes the residuals, with a rim of zeros, one the gradient, which has neither guards nor scattered sums."""
    first, second = gradient_loops(energy, np.ones(shape)).steps
    assert first.trips < 1.2 * second.trips and second.trips == np.prod(shape)
    assert not any(GUARDS & set(operations(region)) for region in second.regions)
    assert not any(isinstance(statement, ScatterStore) for region in second.regions for statement in region.statements)


def test_products_are_not_transposed_in_memory():
    """The gradient of a perceptron takes five products, the results of which are used where they are."""
    program = jitad.trace(perceptron)(layers(1000, 100, 10), np.ones((64, 1000)), np.ones((64, 10)))
    steps = to_loops(gradient(program, [True] * 4 + [False] * 2)).steps
    assert [step.routine for step in steps if isinstance(step, Call)] == ["gemm"] * 5
    assert max(step.trips for step in steps if isinstance(step, Nest)) == 64 * 100


def stress(points, given):
    difference = points[:, None, :] - points[None, :, :]
    return np.sum((np.sqrt(np.sum(difference**2, axis=2) + 1e-9) - given) ** 2)


def test_what_is_computed_per_point_shares_one_loop():
    """All pairs of points are looked at once; each coordinate of the copied input is contiguous."""
    loops = gradient_loops(stress, np.ones((100, 3)), np.ones((100, 100)))
    assert [step.trips for step in loops.steps if step.trips >= 100 * 100] == [100 * 100]
    assert [buffer.columns for buffer in buffers(max(loops.steps, key=lambda step: step.trips)) if buffer.columns] == [(3, 100)] * 2


def normalise(x, gain):
    centred = x - np.mean(x, axis=1, keepdims=True)
    return np.sum(np.tanh(gain * centred / np.sqrt(np.mean(centred**2, axis=1, keepdims=True) + 1e-5)))


@pytest.mark.parametrize("width", [20, 100])
def test_what_rows_hand_on_stays_in_the_cache(width):
    """Nests run block by block, along rows that lie in inputs or outputs."""
    loops = gradient_loops(normalise, np.ones((2000, width)), np.ones(width))
    inside = [part for step in loops.steps for part in (step.steps if isinstance(step, Parallel) else [step])]
    (strips,) = [step for step in inside if isinstance(step, Strips)]
    assert loops.work_bytes < 2000 * width and strips.block < strips.rows
    assert {nest.loops for nest in strips.steps if len(nest.box) == 2} == {(0, 1)}


def soft_distance(centres, points):
    distances = np.sum((points[:, None, :] - centres) ** 2, axis=2)
    return np.sum(np.log(np.sum(np.exp(-distances), axis=1)))


def test_short_rows_that_are_only_worked_on_are_run_across():
    loops = gradient_loops(soft_distance, np.ones((20, 3)), np.ones((2000, 3)))
    inside = [part for step in loops.steps for part in (step.steps if isinstance(step, Parallel) else [step])]
    (strips,) = [step for step in inside if isinstance(step, Strips)]
    assert {nest.loops for nest in strips.steps if len(nest.box) == 2} == {(1, 0)}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_long_sums_keep_what_rounding_loses(dtype):
    x = np.random.default_rng(0).random(200_003).astype(dtype)
    assert abs(float(jitad.jit(np.sum)(x)) - math.fsum(x)) <= np.finfo(dtype).eps * math.fsum(x)
    assert jitad.jit(np.sum)(np.append(x, np.inf).astype(dtype)) == np.inf


@pytest.mark.parametrize("function", [
    lambda x, y: np.sum(x.T * y.T), lambda x, y: np.sum(x.T * y.T, axis=1), lambda x, y: (x.T * y.T).T[::-1],
], ids=["sum", "sums of columns", "transposed back"])  # fmt: skip
def test_the_innermost_loop_runs_along_memory(function):
    x, y = np.random.default_rng(0).normal(size=(2, 150, 120))
    for step in gradient_loops(lambda *args: np.sum(function(*args)), x, y).steps:
        if isinstance(step, Nest) and len(step.box) == 2:
            strides = [dict(position.terms).get(step.loops[-1], 0) for _, position, _ in positions(step)]
            assert max(map(abs, strides)) <= 1
    np.testing.assert_allclose(jitad.jit(function)(x, y), function(x, y), rtol=1e-12)


def test_elements_put_together_need_no_guards():
    assert unguarded(gradient_loops(speelpenning_by_hand, np.ones(12)))
    assert unguarded(loops_of(lambda x: np.stack([x * k for k in range(20)]), np.ones(100)))


def test_repeated_numbers_are_computed_once():
    """What was broadcast is computed before broadcasting, also behind slices."""
    loops = loops_of(lambda c, x: np.exp(np.full_like(x, c)[1:-1]) * x[1:-1], 0.5, np.ones((30, 30)))
    (nest,) = [step for step in loops.steps if "exp" in operations(step.regions[0])]
    assert nest.trips == 1


def test_functions_of_gathered_elements_are_computed_once_for_each_element():
    table, places = np.linspace(0.1, 1, 50), np.arange(400) * 7 % 50

    def function(table, places):
        return np.sum(np.exp(-2.0 * table[places]) * np.sin(table[places]))

    steps = gradient_loops(function, table, places).steps
    assert {step.trips for step in steps if {"exp", "sin", "cos"} & set(operations(step.regions[0]))} == {50}
    jitad.testing.check_grads(lambda table: function(table, places), (table,))
    with pytest.raises(IndexError, match="test_lowering.py"):
        jitad.jit(function)(table, places + 1)


def test_expensive_values_are_computed_once():
    loops = gradient_loops(charges, np.ones((20, 3)))
    assert sum(operations(region).count("sqrt") for step in loops.steps for region in step.regions) == 1


def test_expressions_may_be_deep():
    def repeat(x):
        for k in jitad.unroll(range(350)):
            x = 0.5 * x + k
        return np.concatenate([x, [0.0]])

    (nest,) = loops_of(repeat, np.ones(100)).steps
    assert sorted(map(trips, nest.regions)) == [1, 100]


def test_constants_are_folded():
    loops = loops_of(lambda z: (z + 2 * (1 + 1j)) / 2.5, np.ones(20, complex))
    assert loops.work_bytes == 0 and len(loops.steps) == 1


# --- cutting ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("box, marks", [
    (((0, 99),), ({3},)), (((0, 99),), ({1, 2, 98},)), (((0, 9),), (set(range(1, 10)),)), (((0, 9), (0, 99)), ({1, 9}, {50})),
    (((5, 20), (0, 0), (0, 40)), ({6, 7}, set(), {1, 39})), (((0, 999),), (set(range(1, 999)),)),
])  # fmt: skip
def test_regions_make_up_the_box(box, marks):
    parts = regions(box, marks, guards=100)
    covered = np.zeros([high + 1 for _, high in box], int)
    for part in parts:
        covered[tuple(slice(low, high + 1) for low, high in part)] += 1
    assert np.all(covered[tuple(slice(low, None) for low, _ in box)] == 1)
    assert np.sum(covered) == np.prod([high - low + 1 for low, high in box])
    assert len(parts) <= 200


def test_tiles_lie_within_or_outside_each_box():
    boxes = [((0, 9), (2, 8)), ((1, 9), (0, 9)), ((0, 9), (0, 9))]
    parts = tiles(boxes)
    assert sum(np.prod([high - low + 1 for low, high in part]) for part in parts) == 100
    for part in parts:
        for box in boxes:
            inside = [first <= low and high <= last for (low, high), (first, last) in zip(part, box, strict=True)]
            outside = [high < first or last < low for (low, high), (first, last) in zip(part, box, strict=True)]
            assert all(inside) or any(outside)


# --- the verifier -----------------------------------------------------------------------------------------------------------


def hand_made(read_at, store=True) -> Loops:
    """Return loops over five elements that read a work buffer, and before that may write it."""
    source, work, target = (Buffer(ArrayType(FLOAT, (5,)), kind, kind) for kind in ("input", "work", "output"))
    i = loop_variable(0)
    steps = []
    for buffer, index, result in [(source, i, work)] * store + [(work, read_at, target)]:
        value = Builder([(0, 4)]).load(buffer, [index], (5,))
        steps.append(Nest((5,), [], [Region(((0, 4),), (Store(result, i, value),))]))
    return Loops([source], [target], steps)


def test_loops_are_verified():
    verify_loops(hand_made(loop_variable(0)))
    verify_loops(hand_made(-loop_variable(0) + 4))
    with pytest.raises(errors.InternalError, match="reads work, which no earlier step has written"):
        verify_loops(hand_made(ZERO, store=False))
    with pytest.raises(errors.InternalError, match="reads work at i0 \\+ 1, which runs over"):
        verify_loops(hand_made(loop_variable(0) + 1))


def test_reads_of_what_the_same_nest_writes_are_verified():
    """An element may be made of the one before it, but not of one that comes later."""
    loops = loops_of(np.cumsum, np.ones(5))
    verify_loops(loops)
    (nest,) = loops.steps
    (first, second) = nest.regions
    (store,) = second.statements
    value = Builder(second.ranges).load(store.buffer, [-loop_variable(0) + 4], (5,))
    wrong = Nest(nest.box, [], [first, Region(second.ranges, (Store(store.buffer, store.position, value),))])
    with pytest.raises(errors.InternalError, match="which it has not written yet"):
        verify_loops(Loops(loops.inputs, loops.outputs, [wrong]))


# --- programs that once went wrong ------------------------------------------------------------------------------------------


def short_recurrence(x):
    """An element before the first was addressed."""
    return np.cumsum(x[::-1]), np.cumprod(x, 0), np.cumsum(np.stack([x, x]), axis=0)


def product_with_result(x, v):
    """The product reads its operand transposed, in the nest that computes it."""
    matrix = 2.0 * x
    return matrix, v @ matrix, v @ np.diag(np.diagonal(matrix))


def outer_difference(x, y, v):
    return v @ (x[..., None] - y)


def last_write_wins(x, places):
    """Cutting the updates into regions changed the order of the writes."""
    updates = np.concatenate([x[:, :10], np.sin(x[:, 10:])], axis=1)
    result = x[0, :4] * 0.0
    result[places] = updates
    return result


def write_in_one_element(x, places):
    """Memory was taken over by a changed value although the old one was still to be added."""
    y = x.copy()
    y[0::2] *= 0.5
    return np.repeat(y[places] + y, 3), y


def reshaped_chain(x):
    return np.max(np.sum(np.sum(x, axis=-1, keepdims=True), axis=(0,), keepdims=True), axis=0)


def returned_twice(x):
    return x, x, np.reshape(x, (-1, 2)), 2.5, x * 1.0, x + 0.0


PLACES = np.array([[0, 1, 2, 3] * 5, [3, 2, 1, 0] * 5, [3, 2, 1, *[0] * 17]])
CASES = [
    (short_recurrence, np.arange(1.0, 5.0)), (product_with_result, np.arange(9.0).reshape(3, 3), np.arange(1.0, 4.0)),
    (outer_difference, np.arange(2.0), np.arange(1.0, 3.0), np.array([1.5, 2.5])), (reshaped_chain, np.array([0.5, 1.5])),
    (last_write_wins, np.arange(60.0).reshape(3, 20), PLACES), (write_in_one_element, np.array([0.79]), np.array([0])),
    (returned_twice, np.arange(6.0)),
]  # fmt: skip


@pytest.mark.parametrize("check", [check_values, check_derivatives])
@pytest.mark.parametrize("function, arrays", [(f, arrays) for f, *arrays in CASES], ids=lambda x: getattr(x, "__name__", ""))
def test_cases(function, arrays, check):
    check(Given(function, arrays))


def test_a_column_that_is_read_in_each_row_is_copied():
    """What lies across the rows is brought together before it is read again and again."""
    x = np.random.default_rng(0).uniform(size=(40, 40))
    loops = loops_of(jitad.jit(lambda x: np.sum(x * x[:, 3])), x)
    inner = [expr.args[1] for step in loops.steps if len(step.box) == 2 for region in step.regions
             for expr in reachable(roots(region)) if expr.op == "load"]
    assert inner and all((1, 40) not in position.terms for position in inner)
